"""What local workers need, loaded by the process that they are forked from.

Importing this module imports the engine and lets numba set itself up, which takes a worker
half a second otherwise.
"""

from __future__ import annotations

import importlib
from typing import Any

import bench.experiments.run.engine  # noqa: F401  # workers find it loaded

_registry: Any = importlib.import_module("numba.core.registry")  # it declares no types
for _context in (_registry.cpu_target.typing_context, _registry.cpu_target.target_context):
    _context.refresh()
