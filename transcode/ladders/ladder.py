"""Which rungs a master gets.

Sizes and bit rates of rungs are decided here, and how they are encoded in ``plan``.
"""

from __future__ import annotations

import re

from abr.errors import ConfigError
from transcode.ladders import file, text
from transcode.ladders.presets import PRESETS
from transcode.ladders.rungs import PlannedRung, suggest
from transcode.masters.master import Master

PER_TITLE = "per-title"
"""Not one of the presets: its rungs are measured, which takes trial encodes."""
CHOICES = (*PRESETS, PER_TITLE)
_NAME = re.compile(r"[a-z][a-z-]*")


def ladder_for(
    master: Master, *, wanted: str = "", contents: str | None = None
) -> tuple[PlannedRung, ...]:
    """The rungs for ``master``, lowest first.

    Args:
        master: What is to be encoded.
        wanted: The name of a preset, a ladder of the user's own as ``HEIGHT:KBPS,…``, or the
            path of a ladder file; empty is ``auto``.
        contents: What that file holds; None where ``wanted`` is no path.

    Raises:
        ConfigError: ``wanted`` or the file cannot be read, or a rung is larger than the master.
    """
    if contents is not None:
        return file.parse_file(master, contents, where=wanted)
    name = wanted.strip() or "auto"
    if name in PRESETS:
        return PRESETS[name](master)
    if name == PER_TITLE:
        raise ConfigError(
            f"ladder: {PER_TITLE!r} takes trial encodes of the master; give it to `abr transcode`"
        )
    if _NAME.fullmatch(name):
        raise ConfigError(
            f"ladder: found {name!r}; expected {', '.join(CHOICES)}, {text.LADDER_HELP}, or a "
            "file ending in .toml" + suggest(name, CHOICES)
        )
    return text.parse(master, wanted)


def is_preset(wanted: str) -> bool:
    """Whether ``wanted`` names a table, whose bit rates are those of typical films."""
    return (wanted.strip() or "auto") in PRESETS


def is_file(wanted: str) -> bool:
    """Whether ``wanted`` is the path of a ladder file, which somebody has to read."""
    return wanted.strip().endswith(".toml")
