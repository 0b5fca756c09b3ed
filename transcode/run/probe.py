"""Masters on disk, examined by ffprobe; one that cannot be used is refused with one line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from abr.errors import MediaError, MissingFileError, ToolFailedError
from abr.shell import reason_of
from transcode.boxes import read_header
from transcode.masters.fields import whole
from transcode.masters.master import Master, master_from
from transcode.masters.sound import to_listen_to
from transcode.masters.stream import streams_of
from transcode.masters.streams import EXPECTED, StreamWish
from transcode.run.ffmpegtools import find
from transcode.run.fieldcheck import look
from transcode.run.listening import find_bass
from transcode.run.packets import ENTRIES, PacketReader

logger = logging.getLogger(__name__)
_LIMIT_S = 120.0
_READ_BYTES = 1 << 18
_LOG_BYTES = 1 << 14
_MP4_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_MP4_MEDIA = frozenset({b"mdat", b"moov", b"moof"})
_MP4_KINDS = _MP4_FIRST | {b"moof", b"mfra", b"sidx", b"styp", b"meta", b"uuid", b"udta", b"emsg"}


async def probe(
    path: str | Path, *, wish: StreamWish | None = None, limit_s: float = _LIMIT_S
) -> Master:
    """Facts about the master at ``path``; all of its packets are read once.

    Args:
        path: A video file.
        wish: Streams that are asked for.
        limit_s: Most seconds in which ffprobe says nothing.

    Raises:
        MissingFileError: no such file, or a folder.
        MediaError: it is empty, cut off, not media, or has no video.
        ConfigError: a stream was asked for that is not there.
        ToolMissingError: no ffprobe.
        ToolFailedError: ffprobe said nothing for ``limit_s``.
    """
    path = Path(path)
    _check_file(path)
    described = _Text()
    log = await _ask_ffprobe(
        path,
        ["-of", "json", "-show_streams", "-show_format", "-show_programs"],
        described.feed,
        limit_s,
    )
    found = described.json()
    if not found.get("streams"):
        why = log.splitlines()[-1].strip() if log.strip() else "nothing playable"
        why = why.removeprefix(f"{_url(path)}: ")
        raise MediaError(f"{path}: cannot be read as media ({why}); {EXPECTED}")
    reader = PacketReader()
    await _ask_ffprobe(
        path, ["-of", "compact=p=0:nk=1", "-show_entries", ENTRIES], reader.feed, limit_s
    )
    reader.close()
    facts = partial(
        master_from,
        found,
        name=path.name,
        where=str(path),
        packets=reader.packets(sample_rates(found)),
        wish=wish,
        bass=await find_bass(path, to_listen_to(streams_of(found))),
    )
    return facts(seen=await look(path, facts()))


def sample_rates(found: Mapping[str, Any]) -> dict[int, int]:
    """Of audio streams in Hz, by number."""
    streams = [each for each in found.get("streams", ()) if isinstance(each, dict)]
    return {whole(each.get("index")): whole(each.get("sample_rate")) for each in streams}


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
    at, kind = 0, b""
    while at < size:
        file.seek(at)
        try:
            head = read_header(file.read(16))
        except MediaError:
            return  # size 0 means to the end of the file; ffprobe judges anything else
        if head is None or head[0] not in (_MP4_KINDS if at else _MP4_FIRST):
            return  # not MP4, or bytes of something else behind it
        kind, at = head[0], at + head[2]
    if at > size and kind in _MP4_MEDIA:
        raise MediaError(
            f"{path}: is cut off: it holds {size:,} of at least {at:,} bytes; "
            "expected the whole file"
        )


def _url(path: Path) -> str:
    """The file as a URL of ffmpeg, so that no name is taken for an option or a protocol."""
    return f"file:{path.absolute()}"


class _Text:
    """Gathers what a tool prints."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def __repr__(self) -> str:
        return f"<_Text of {sum(map(len, self._pieces)):,} bytes>"

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)

    def json(self) -> dict[str, Any]:
        """An object; an empty one where it is none."""
        try:
            found = json.loads(b"".join(self._pieces).decode("utf-8", errors="replace") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


async def _ask_ffprobe(
    path: Path, what: Sequence[str], take: Callable[[bytes], None], limit_s: float
) -> str:
    """Ask ffprobe; ``take`` gets what it prints, the caller its log."""
    command = [
        find("ffprobe").path,
        *("-v", "error", *what, "-protocol_whitelist", "file", "-i", _url(path)),
    ]
    logger.debug("%s", shlex.join(command))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    log = asyncio.create_task(_end_of_log(process.stderr))
    try:
        while True:
            async with asyncio.timeout(limit_s):
                data = await process.stdout.read(_READ_BYTES)
            if not data:
                break
            take(data)
        async with asyncio.timeout(limit_s):
            await process.wait()
            return await log
    except TimeoutError as exc:
        raise ToolFailedError(
            f"{path}: ffprobe said nothing for {limit_s:g} s and was ended"
        ) from exc
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
        log.cancel()


async def _end_of_log(stream: asyncio.StreamReader) -> str:
    """The last lines of a log of any length."""
    kept = b""
    while data := await stream.read(_READ_BYTES):
        kept = (kept + data)[-_LOG_BYTES:]
    return kept.decode("utf-8", errors="replace")
