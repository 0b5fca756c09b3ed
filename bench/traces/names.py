"""Names of trace files: which cannot hold a trace, and what results are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

SUFFIXES = {
    "mahimahi": ".mahi",
    "cooked": ".cooked",
    "sabre": ".sabre.json",
    "json": ".json",
    "csv": ".csv",
    "oboe": ".oboe",
}
"""Ends of file names by format; another format's own name is its end."""

_DROPPED = (*SUFFIXES.values(), ".log", ".txt", ".trace", ".tsv", ".dat")
_OTHER_KINDS = frozenset(
    {
        *(".md", ".rst", ".html", ".pdf", ".png", ".jpg", ".svg", ".yml", ".yaml", ".toml"),
        *(".py", ".sh", ".ipynb"),
    }
)
_OTHER_NAMES = re.compile(r"(readme|licen[cs]e|copying|changelog|makefile)\b.*", re.IGNORECASE)


def is_other_kind(name: str) -> bool:
    """Whether a file of a folder is hidden, or is no trace by its name."""
    hidden = name.startswith(".") or name.endswith("~")
    other = PurePath(name).suffix.lower() in _OTHER_KINDS
    return hidden or other or _OTHER_NAMES.fullmatch(name) is not None


def suffix_of(form: str) -> str:
    """End of the names of files in a format: ``.csv``."""
    return SUFFIXES.get(form, f".{form}")


def stem_of(name: str) -> str:
    """``name`` without an end that tells of a format; other dots are part of the name."""
    for suffix in _DROPPED:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def safe(name: str) -> str:
    """``name`` as part of a file name: what may not stand there becomes ``-``."""
    return re.sub(r"[^\w.+,=@-]+", "-", name).strip("-.") or "trace"


class Names:
    """Gives names to results, no two alike, also not in case only.

    A file of one trace gives its name, one of several adds that of each. Folders stay.
    Where two would be called the same, the later one gets ``-2``, ``-3`` and so on.
    """

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._taken: set[str] = set()

    def __repr__(self) -> str:
        """How many names were given."""
        return f"<Names *{self._suffix}, {len(self._taken)} given>"

    def give(self, below: str, traces: Sequence[str]) -> list[str]:
        """Names for the traces of one file.

        Args:
            below: Its path below the folder that was named.
            traces: Names of the traces in it.
        """
        path = PurePath(below)
        stem = stem_of(path.name)
        stems = [stem] if len(traces) == 1 else [f"{stem}-{safe(name)}" for name in traces]
        return [self._free(str(path.with_name(each))) for each in stems]

    def _free(self, stem: str) -> str:
        name, number = f"{stem}{self._suffix}", 1
        while name.lower() in self._taken:
            number += 1
            name = f"{stem}-{number}{self._suffix}"
        self._taken.add(name.lower())
        return name
