"""A title whose playlists are given as text, by name, and whose segments are of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from abr.decision import Algorithm
from abr.link import SharedLink
from abr.log import SessionLog
from abr.trace import Trace
from player.config import PlayerConfig
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.titles import fixed

HOST = "http://edge.test/film/"


def lasting(*durations_s: float, name: str = "s", more: Sequence[str] = ()) -> str:
    """A media playlist of segments ``NAME0.ts`` and so on."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:10", *more]
    for index, duration_s in enumerate(durations_s):
        lines += [f"#EXTINF:{duration_s},", f"{name}{index}.ts"]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


@dataclass
class TextTitle:
    """A ``VirtualOrigin``; the first playlist is what is played."""

    playlists: Mapping[str, str]
    size_bytes: Callable[[str], float] = lambda _name: 1000.0
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The first playlist."""
        return HOST + next(iter(self.playlists))

    def answer(self, want: Want) -> VirtualResponse:
        """Playlists as they are; 404 for those that there are not."""
        name = want.url.removeprefix(HOST)
        self.asked.append(name)
        if want.kind not in ("multivariant", "media"):
            return VirtualResponse(self.size_bytes(name))
        if name not in self.playlists:
            return VirtualResponse(0, status=404)
        text = self.playlists[name].encode()
        return VirtualResponse(len(text), text)

    def play(
        self, algorithm: Algorithm | None = None, config: PlayerConfig | None = None
    ) -> SessionLog:
        """On the virtual driver, at 10 Mbit/s; rung 0 by default."""
        link = SharedLink(Trace.constant(10e6), rtt_s=0.0)
        session = PlaybackSession(self.url, algorithm or fixed(0), config or PlayerConfig())
        return VirtualDriver(session, self, link).run()
