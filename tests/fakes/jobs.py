"""Jobs that fail in the ways jobs do; at module level, so that workers can load them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def double(number: int, _: None = None) -> int:
    """Twice the number."""
    return 2 * number


def add_part(number: int, part: list[int]) -> int:
    """The number and what its part holds."""
    return number + part[0]


def refuse_odd(number: int, _: None = None) -> int:
    """Twice an even number; ``ValueError`` for an odd one."""
    if number % 2:
        raise ValueError(f"{number} is odd")
    return 2 * number


def die_at_seven(number: int, _: None = None) -> int:
    """Kills its worker at 7, every time."""
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return 2 * number


def die_once(job: tuple[int, str], _: None = None) -> int:
    """Kills its worker at 3 unless the file is there already."""
    number, path = job
    if number == 3 and not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number
