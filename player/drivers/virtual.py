"""The virtual driver: an event loop over a simulated link, with no real time in it.

Time jumps from event to event, so an hour of playback takes milliseconds. Sizes and
playlists come from a ``VirtualOrigin``: a package folder, or a bare presentation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from abr.errors import MissingFileError
from abr.link import Link, TimedLink
from abr.log import SessionLog
from abr.media import KEY_BYTES, Presentation
from player.playback.actions import Abort, Action, Ended, Fetch, WakeAt, Want
from player.playback.given import AUDIO, KNOWN_SOURCE, side_init_bytes
from player.playback.retry import Failure
from player.playback.session import PlaybackSession
from transcode.packaging.layout import MULTIVARIANT

LICENCE_BYTES = 110
"""About the size of a ClearKey licence of one key."""

PACKAGE_URL = "http://package.invalid"
"""Where a package on disk seems to be served; nothing is ever asked there."""


@dataclass(frozen=True, slots=True)
class VirtualResponse:
    """What a simulated server answers."""

    size_bytes: float
    body: bytes | None = None
    """Only for what the session must read: playlists."""
    status: int = 200
    reason: str = ""
    """Why it was refused, such as ``expired``."""
    failure: Failure | None = None
    """How the request fails in the end, in place of a body and of ``status``."""


class VirtualOrigin(Protocol):
    """A simulated server."""

    @property
    def url(self) -> str | Presentation:
        """What to give to ``PlaybackSession`` as its source."""
        ...

    def answer(self, want: Want) -> VirtualResponse:
        """The response to one request."""
        ...


class PresentationOrigin:
    """Serves a presentation: its segments, and its side files where it has any."""

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation

    def __repr__(self) -> str:
        return f"<PresentationOrigin of {self._presentation.title or 'no title'}>"

    @property
    def url(self) -> Presentation:
        """The presentation itself."""
        return self._presentation

    def answer(self, want: Want) -> VirtualResponse:
        """The size of what is named in ``want``."""
        folder, _, name = want.url.removeprefix(KNOWN_SOURCE).partition("/")
        rung = AUDIO if folder == "audio" else int(folder[1:]) if folder[1:].isdigit() else 0
        if want.kind == "segment":
            return VirtualResponse(self._segment_bytes(rung, int(name)))
        side = self._presentation.side_files
        assert side is not None
        if want.kind == "multivariant":
            return VirtualResponse(side.multivariant_bytes)
        if want.kind == "key":
            return VirtualResponse(KEY_BYTES)
        if want.kind == "init":
            return VirtualResponse(side_init_bytes(side, rung))
        playlist = side.audio_playlist_bytes if rung == AUDIO else float(side.playlist_bytes[rung])
        return VirtualResponse(playlist)

    def _segment_bytes(self, rung: int, segment: int) -> float:
        if rung != AUDIO:
            return float(self._presentation.sizes_bytes[rung, segment])
        audio = self._presentation.audio_sizes_bytes
        assert audio is not None
        return float(audio[segment])


class PackageOrigin:
    """Serves a package folder: real playlists, the sizes of the real files, fake keys.

    Raises:
        MissingFileError: the folder holds no multivariant playlist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / MULTIVARIANT).is_file():
            raise MissingFileError(
                f"{folder}: no {MULTIVARIANT}; expected a package made by `abr transcode`"
            )

    def __repr__(self) -> str:
        return f"<PackageOrigin of {self._folder}>"

    @property
    def url(self) -> str:
        """URL of the multivariant playlist, of a server that does not exist."""
        return f"{PACKAGE_URL}/{self._folder.resolve().name}/{MULTIVARIANT}"

    def answer(self, want: Want) -> VirtualResponse:
        """The size of the file behind a URL, and its text when it is a playlist."""
        if want.kind == "key":
            return VirtualResponse(KEY_BYTES)
        if want.kind == "licence":
            return VirtualResponse(LICENCE_BYTES)
        name = unquote(urlsplit(want.url).path).lstrip("/").partition("/")[2]
        path = self._folder / name
        if not path.is_file():
            return VirtualResponse(0, status=404)
        if want.kind in ("multivariant", "media"):
            body = path.read_bytes()
            return VirtualResponse(len(body), body)
        size = path.stat().st_size if want.byte_range is None else want.byte_range.length
        return VirtualResponse(size)


@dataclass(slots=True)
class _Transfer:
    """A request on the simulated link."""

    response: VirtualResponse
    reported_bytes: float = 0.0


class VirtualDriver:
    """Drives one session over one link until it ends."""

    def __init__(
        self,
        session: PlaybackSession,
        origin: VirtualOrigin,
        link: Link,
        *,
        stop_at_s: float = math.inf,
    ) -> None:
        """``stop_at_s``: the viewer leaves then, seconds since play was asked."""
        self._session = session
        self._origin = origin
        self._link = link
        self._stop_at_s = stop_at_s
        self._now_s = 0.0
        self._wake_at_s = math.inf
        self._transfers: dict[int, _Transfer] = {}

    def __repr__(self) -> str:
        return (
            f"<VirtualDriver at {self._now_s:.3f} s: {self._session.state}, "
            f"{len(self._transfers)} transfers>"
        )

    @property
    def now_s(self) -> float:
        """Seconds since play was asked."""
        return self._now_s

    def run(self) -> SessionLog:
        """Play to the end and return the log.

        A playback that waits for something that never comes (a viewer who never
        resumes) is stopped there.
        """
        self._apply(self._session.start(0.0))
        while self._session.state != "ended":
            next_s = min(self._link.next_event_s(), self._wake_at_s, self._stop_at_s)
            if not math.isfinite(next_s):
                self._apply(self._session.stop(self._now_s))
                break
            self._now_s = max(next_s, self._now_s)
            self._step()
        return self._session.log

    def _step(self) -> None:
        """Everything due now: the network first, then the alarm, then the viewer."""
        for event in self._link.advance(self._now_s):
            if event.kind == "first_byte":
                self._apply(self._session.response_started(event.flow, self._now_s))
            else:
                self._finish(event.flow)
        if self._wake_at_s <= self._now_s:
            self._wake_at_s = math.inf
            for flow in list(self._transfers):
                if flow in self._transfers:  # what one brings may end another
                    self._report_received(flow)
            self._apply(self._session.wake(self._now_s))
        if self._stop_at_s <= self._now_s:
            self._apply(self._session.stop(self._now_s))

    def _finish(self, flow: int) -> None:
        transfer = self._transfers.get(flow)
        if transfer is None:
            return
        self._report_received(flow)
        if self._transfers.pop(flow, None) is None:
            return
        response = transfer.response
        if response.failure is not None:
            self._apply(self._session.failed(flow, self._now_s, response.failure))
        elif response.status == 200:
            self._apply(self._session.finished(flow, self._now_s, response.body))
        else:
            failure = Failure("status", response.status, response.reason)
            self._apply(self._session.failed(flow, self._now_s, failure))

    def _report_received(self, flow: int) -> None:
        transfer = self._transfers.get(flow)
        if transfer is None:  # playback reached its end, which ends what is still replaced
            return
        received = self._link.received_bytes(flow, self._now_s)
        more = received - transfer.reported_bytes
        newest_s = None
        if isinstance(self._link, TimedLink):
            newest_s = self._link.newest_byte_s(self._now_s)
        if more > 0 or newest_s is not None:
            transfer.reported_bytes = received
            self._apply(self._session.received(flow, more, self._now_s, newest_s=newest_s))

    def _apply(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Fetch(request_id=flow, want=want):
                    response = self._origin.answer(want)
                    self._transfers[flow] = _Transfer(response)
                    self._link.request(flow, response.size_bytes, self._now_s)
                case Abort(request_id=flow):
                    self._transfers.pop(flow, None)
                    self._link.cancel(flow, self._now_s)
                case WakeAt(time_s=time_s):
                    self._wake_at_s = time_s
                case Ended():
                    self._wake_at_s = math.inf
