"""All media of a title fetched and kept, without watching it to its end."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from player import play
from player.files import MediaFolder
from player.playback.actions import Want
from tests.fakes.titles import fixed

LIMIT_S = 60.0


class _Counting:
    """A folder of media that says when it has all segments."""

    def __init__(self, folder: Path, segments: int) -> None:
        self._folder, self._left = MediaFolder(folder), segments
        self.has_all = asyncio.Event()

    def __repr__(self) -> str:
        return f"<_Counting {self._left} more>"

    def add(self, want: Want, data: bytes) -> None:
        self._folder.add(want, data)
        self._left -= want.kind == "segment"
        if not self._left:
            self.has_all.set()


async def fetch_all(url: str, folder: Path, *, segments: int) -> None:
    """Keep ``segments`` segments of ``url`` in ``folder``, as they are in the clear."""
    sink = _Counting(folder, segments)
    playing = asyncio.create_task(play(url, algorithm=fixed(0), sink=sink))
    arrived = asyncio.create_task(sink.has_all.wait())
    done, _ = await asyncio.wait(
        {playing, arrived}, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED
    )
    playing.cancel()
    arrived.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        log = await playing
        raise AssertionError(f"ended before all segments were there: {log.records[-1]}")
    assert done, f"not all segments after {LIMIT_S:g} s"


def listed(playlist: Path) -> int:
    """Segments of a media playlist."""
    return playlist.read_text(encoding="utf-8").count("#EXTINF")
