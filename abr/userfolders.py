"""Where a user's caches and data lie, by the environment.

Source: XDG Base Directory Specification 0.8: "All paths set in these environment variables
must be absolute. If an implementation encounters a relative path […] it should consider the
path invalid and ignore it."
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def cache_home(environ: Mapping[str, str]) -> Path:
    """Folder for what can be made again: ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return _absolute(environ.get("XDG_CACHE_HOME")) or home / ".cache"


def data_home(environ: Mapping[str, str]) -> Path | None:
    """Folder for what must be kept: ``$XDG_DATA_HOME``, else ``~/.local/share``.

    None when the environment names neither; data are not put where nobody asked for them.
    """
    given = _absolute(environ.get("XDG_DATA_HOME"))
    home = environ.get("HOME")
    return given or (Path(home) / ".local" / "share" if home else None)


def _absolute(text: str | None) -> Path | None:
    return Path(text) if text and Path(text).is_absolute() else None
