"""What was measured before, kept by address so that nothing is measured twice.

An address stands for everything that a result depends on. Where results are only kept for
later, a folder that cannot be written to is only slower.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FORMAT = "abrkit finding 1"
"""Changes when results with the same address are to be found anew."""


def address_of(parts: Iterable[str]) -> str:
    """The address of a result that depends on ``parts``, as 64 hexadecimal digits."""
    return hashlib.sha256("\0".join([FORMAT, *parts]).encode()).hexdigest()


def recall(folder: Path, address: str) -> Any:
    """The result at ``address``, as JSON has it; None where there is none that can be read."""
    try:
        return json.loads((folder / f"{address}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def keep(folder: Path, address: str, result: Any) -> None:
    """Keep a result at ``address``, if that can be done."""
    with contextlib.suppress(OSError):
        put(folder, address, result)


def put(folder: Path, address: str, result: Any) -> None:
    """Put a result at ``address``; it appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    beside = folder / f"{address}.{secrets.token_hex(4)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(result), encoding="utf-8")
        os.replace(beside, folder / f"{address}.json")
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
