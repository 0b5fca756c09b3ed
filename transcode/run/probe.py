"""Masters on disk, examined by ffprobe; one that cannot be used is refused with one line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shlex
from pathlib import Path
from typing import BinaryIO

from abr.errors import MediaError, MissingFileError, ToolFailedError
from abr.shell import reason_of
from transcode.boxes import read_header
from transcode.masters.master import Master, master_from
from transcode.masters.streams import EXPECTED
from transcode.run.ffmpegtools import find

logger = logging.getLogger(__name__)
_LIMIT_S = 600.0
_MP4_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})


async def probe(path: str | Path, *, limit_s: float = _LIMIT_S) -> Master:
    """Facts about the master at ``path``; the whole file is read once to count its frames.

    Raises:
        MissingFileError: no such file, or a folder.
        MediaError: it is empty, cut off, not media, or has no video.
        ToolMissingError: no ffprobe.
        ToolFailedError: ffprobe took longer than ``limit_s``.
    """
    path = Path(path)
    _check_file(path)
    found, log = await _ask_ffprobe(path, limit_s)
    if not found.get("streams"):
        why = log.splitlines()[-1].strip() if log.strip() else "nothing playable"
        why = why.removeprefix(f"{_url(path)}: ")
        raise MediaError(f"{path}: cannot be read as media ({why}); {EXPECTED}")
    master = master_from(found, name=path.name, where=str(path))
    _check_frames(master, path)
    return master


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise MissingFileError(f"{path}: is a folder; {EXPECTED}")
        if not path.is_file() and path.exists():
            raise MissingFileError(f"{path}: is not a regular file; {EXPECTED}")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise MediaError(f"{path}: is empty; {EXPECTED}")
            _check_boxes(path, file, size)
    except FileNotFoundError as exc:
        if isinstance(exc, MissingFileError):
            raise
        raise MissingFileError(f"{path}: no such file; {EXPECTED}") from exc
    except OSError as exc:
        raise MissingFileError(f"{path}: {reason_of(exc)}; {EXPECTED} that can be read") from exc


def _check_boxes(path: Path, file: BinaryIO, size: int) -> None:
    """Refuse an MP4 whose last box extends beyond the end of the file.

    ffprobe accepts such a file if its index comes first.
    """
    at = 0
    while at < size:
        file.seek(at)
        try:
            head = read_header(file.read(16))
        except MediaError:
            return  # size 0 means to the end of the file; ffprobe judges anything else
        if head is None or (at == 0 and head[0] not in _MP4_FIRST):
            return
        at += head[2]
    if at > size:
        raise MediaError(
            f"{path}: is cut off: it holds {size:,} of at least {at:,} bytes; "
            "expected the whole file"
        )


def _check_frames(master: Master, path: Path) -> None:
    if not master.frames:
        raise MediaError(f"{path}: holds no video frames; {EXPECTED}")
    missing = master.declared_frames - master.frames
    if missing > max(2, master.declared_frames / 100):
        raise MediaError(
            f"{path}: is cut off: it holds {master.frames} of {master.declared_frames} frames; "
            "expected the whole file"
        )


def _url(path: Path) -> str:
    """The file as a URL of ffmpeg, so that no name is taken for an option or a protocol."""
    return f"file:{path.absolute()}"


async def _ask_ffprobe(path: Path, limit_s: float) -> tuple[dict[str, object], str]:
    """The answer and the log of ffprobe."""
    command = [
        find("ffprobe").path,
        *("-v", "error", "-of", "json", "-show_streams", "-show_format"),
        "-show_programs",
        *("-count_packets", "-protocol_whitelist", "file", "-i", _url(path)),
    ]
    logger.debug("%s", shlex.join(command))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit_s):
            out, log = await process.communicate()
    except TimeoutError as exc:
        raise ToolFailedError(f"{path}: ffprobe took over {limit_s:g} s and was ended") from exc
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    try:
        found = json.loads(out.decode("utf-8", errors="replace") or "{}")
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}, log.decode("utf-8", errors="replace")
