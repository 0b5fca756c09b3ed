"""Numbers that the simulators of the literature can play with, checked before compiled code.

A compiled loop does not end where nothing ever arrives, and does not stop at a nan. What our
own player is told is checked by ``player.config``.
"""

from __future__ import annotations

import math
from typing import Any

from abr.errors import ConfigError

_ABOVE_0 = ("max_buffer_s", "quantum_s", "payload", "question_s", "question_bytes")
_WHOLE = ("first_rung", "segments")
_LEAST = {"first_rung": -1}
_ENDLESS = ("max_buffer_s",)
"""May be infinite."""


def check_options(options: Any) -> None:
    """Refuse options that no session can be played with.

    Args:
        options: A named tuple of numbers, of ``player.batch.sabre`` or ``player.batch.pensieve``.

    Raises:
        ConfigError: one is no number, or out of range.
    """
    for name, value in options._asdict().items():
        default = options._field_defaults[name]
        if isinstance(default, bool):
            if not isinstance(value, bool | int) or value not in (0, 1):
                raise ConfigError(f"options: {name} is {value!r}; expected True or False")
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"options: {name} is {value!r}; expected a number such as {default}")
        least, is_open = _LEAST.get(name, 0), name in _ABOVE_0
        fits = value > least if is_open else value >= least
        is_finite = math.isfinite(value) or (name in _ENDLESS and value > 0)
        if not (fits and is_finite) or (name in _WHOLE and value != int(value)):
            kind = "a whole number" if name in _WHOLE else "a finite number"
            bound = f"above {least}" if is_open else f"of {least} or more"
            raise ConfigError(f"options: {name} is {value!r}; expected {kind} {bound}")
