"""Asking ffprobe: what it prints, piece by piece, and the end of its log."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from abr.errors import ToolFailedError
from transcode.masters.packets import Packets
from transcode.run.child import child_process
from transcode.run.ffmpegtools import find
from transcode.run.packets import ENTRIES, PacketReader

logger = logging.getLogger(__name__)

LIMIT_S = 120.0
"""Most seconds in which ffprobe says nothing."""
_READ_BYTES = 1 << 18
_LOG_BYTES = 1 << 14


def url_of(path: Path) -> str:
    """The file as a URL of ffmpeg, so that no name is taken for an option or a protocol."""
    return f"file:{path.absolute()}"


async def ask_ffprobe(
    path: Path,
    what: Sequence[str],
    take: Callable[[bytes], None],
    *,
    limit_s: float = LIMIT_S,
    log_level: str = "error",
) -> str:
    """Ask about the file at ``path``; ``take`` gets what is printed, the caller the log's end.

    Raises:
        ToolMissingError: no ffprobe.
        ToolFailedError: it said nothing for ``limit_s``.
    """
    command = [
        find("ffprobe").path,
        *("-v", log_level, *what, "-protocol_whitelist", "file", "-i", url_of(path)),
    ]
    logger.debug("%s", shlex.join(command))
    async with child_process(command) as process:
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
            log.cancel()
            await asyncio.wait([log])


async def _end_of_log(stream: asyncio.StreamReader) -> str:
    """The last lines of a log of any length."""
    kept = b""
    while data := await stream.read(_READ_BYTES):
        kept = (kept + data)[-_LOG_BYTES:]
    return kept.decode("utf-8", errors="replace")


async def read_packets(
    path: Path, sample_rates: Mapping[int, int], *, limit_s: float = LIMIT_S
) -> tuple[dict[int, Packets], str]:
    """All packets of a file, by number of the stream, and the end of the log.

    Args:
        path: The file.
        sample_rates: Of audio streams in Hz.
        limit_s: Most seconds in which ffprobe says nothing.
    """
    reader = PacketReader()
    log = await ask_ffprobe(
        path,
        ["-of", "compact=p=0:nk=1", "-show_entries", ENTRIES],
        reader.feed,
        limit_s=limit_s,
    )
    reader.close()
    return reader.packets(dict(sample_rates)), log
