"""What a page wrote down of one playback, as figures that mean what ours mean.

Startup is from the request to play to the element's first ``playing``. A stall is from a
``waiting`` after that to the next ``playing``; one still open at the end counts up to it.
Times are seconds since play was asked. What was fetched is read from the names in our own
packages, so it is known of any player.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from abr.errors import LogFormatError
from abr.qoe import Interval
from transcode.packaging.index import PresentationIndex, Track
from transcode.packaging.layout import segment_name

NOTICEABLE_S = 0.1
"""Shorter stalls are not counted, on either side."""
AT_ONCE_S = 0.1
"""A segment asked for so soon after the one before did not wait for room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One transfer, as the page saw it."""

    path: str
    """Folder and name of the file."""
    track: str
    """video, audio, or empty for what is no segment."""
    rung: int
    """Of a segment of video; else -1."""
    segment: int
    """-1 for what is no segment."""
    start_s: float
    first_byte_s: float
    end_s: float
    size_bytes: int
    is_whole: bool
    """All of it came; False for what was abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One playback in a browser."""

    player: str
    version: str
    browser: str
    trace: str
    pinned_rung: int
    """-1 where the player chose."""
    startup_s: float | None
    """None when no picture came."""
    stalls: tuple[Interval, ...]
    """The noticeable ones."""
    rungs: tuple[int, ...]
    """Rung of each segment of video that came whole, from the first; the last that came of each."""
    requests: tuple[Request, ...]
    played_s: float
    """Media time on screen at the end."""
    ended: str
    """complete, stopped, or fault."""
    faults: tuple[str, ...]
    """What the player complained of."""
    is_overloaded: bool
    """The machine was too busy to shape the network faithfully."""

    @property
    def stall_s(self) -> float:
        """Stalled in all."""
        return sum(stall.length_s for stall in self.stalls)


def read_record(raw: Mapping[str, Any], index: PresentationIndex) -> Watched:
    """Figures of what a page wrote down, playing the package of ``index``.

    Raises:
        LogFormatError: it is no such record.
    """
    try:
        return _read(raw, index)
    except (KeyError, TypeError, IndexError) as exc:
        raise LogFormatError(f"not a record of a playback in a browser: {exc!r}") from exc


def noticeable(stalls: Sequence[Interval]) -> tuple[Interval, ...]:
    """Those long enough to be counted."""
    return tuple(stall for stall in stalls if stall.length_s >= NOTICEABLE_S)


def startup_of(watched: Sequence[Watched]) -> float | None:
    """Median startup; None when there was no picture."""
    startups_s = [each.startup_s for each in watched if each.startup_s is not None]
    return median(startups_s) if startups_s else None


def request_cost_s(watched: Sequence[Watched], rtt_s: float) -> float | None:
    """What a request takes beside the network: median over segments asked for one after another.

    From the last byte of one to the first byte of the next, less the round trip: reading,
    appending, choosing, sending. None when no segment followed another at once.
    """
    waits_s = [
        later.first_byte_s - earlier.end_s - rtt_s
        for each in watched
        for earlier, later in pairwise(_video_of(each))
        if 0 <= later.start_s - earlier.end_s < AT_ONCE_S
    ]
    return max(median(waits_s), 0.0) if waits_s else None


def _video_of(watched: Watched) -> list[Request]:
    """Segments of video that came whole, but for the first, which waits for source buffers."""
    found = [each for each in watched.requests if each.track == "video" and each.is_whole]
    return sorted(found, key=lambda each: each.start_s)[1:]


def _read(raw: Mapping[str, Any], index: PresentationIndex) -> Watched:
    over = raw["events"][-1]
    startup_s, stalls = _changes(raw["events"], over["t"])
    names = _names(index)
    requests = tuple(_request(each, names) for each in raw["requests"])
    video = {r.segment: r.rung for r in requests if r.track == "video" and r.is_whole}
    return Watched(
        player=raw["player"],
        version=raw["versions"]["player"],
        browser=raw["versions"]["browser"],
        trace=raw["trace"],
        pinned_rung=raw["rung"],
        startup_s=startup_s,
        stalls=noticeable(stalls),
        rungs=tuple(rung for _, rung in sorted(video.items())),
        requests=requests,
        played_s=over["at"],
        ended=over["why"],
        faults=tuple(each["what"] for each in raw["events"] if each["kind"] == "fault"),
        is_overloaded=raw["shaper"]["is_overloaded"],
    )


def _changes(
    events: Sequence[Mapping[str, Any]], end_s: float
) -> tuple[float | None, list[Interval]]:
    """When playback began, and when it stood still afterwards."""
    startup_s: float | None = None
    since_s: float | None = None
    stalls = []
    for each in events:
        if each["kind"] == "playing":
            if startup_s is None:
                startup_s = each["t"]
            elif since_s is not None:
                stalls.append(Interval(start_s=since_s, end_s=each["t"]))
            since_s = None
        elif each["kind"] == "waiting" and startup_s is not None and since_s is None:
            since_s = each["t"]
        elif each["kind"] == "ended":
            since_s = None
    if since_s is not None:
        stalls.append(Interval(start_s=since_s, end_s=end_s))
    return startup_s, stalls


@dataclass(frozen=True, slots=True)
class _Name:
    track: str
    rung: int
    segment: int
    size_bytes: int


def _names(index: PresentationIndex) -> dict[str, _Name]:
    """What each segment's file is, by folder and name."""
    found: dict[str, _Name] = {}
    tracks: list[tuple[int, Track]] = [*enumerate(index.video), *((-1, a) for a in index.audio)]
    for rung, track in tracks:
        for n, facts in enumerate(track.segments):
            path = f"{track.folder}/{segment_name(n, index.container)}"
            found[path] = _Name(track.kind, rung, n, facts.size_bytes)
    return found


def _request(raw: Mapping[str, Any], names: Mapping[str, _Name]) -> Request:
    name = names.get(raw["path"], _Name("", -1, -1, 0))
    return Request(
        path=raw["path"],
        track=name.track,
        rung=name.rung,
        segment=name.segment,
        start_s=raw["start"],
        first_byte_s=raw["first"] or raw["end"],
        end_s=raw["end"],
        size_bytes=raw["size"],
        is_whole=raw["size"] >= name.size_bytes and raw["status"] < 400,
    )
