"""A live stream that exists only in memory, on the virtual clock of the driver that plays it.

``FakeLive`` is a ``VirtualOrigin``; ``play_live`` runs the real session against it. What may go
wrong with live streams is a field or a hook: an encoder that stops, ends or begins anew, playlists
that lag behind, requests that fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from abr.decision import Algorithm
from abr.link import SharedLink
from abr.log import SessionLog
from abr.trace import Trace
from player.config import PlayerConfig
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from transcode.playlist import (
    Map,
    MediaPlaylist,
    MultivariantPlaylist,
    Rendition,
    Segment,
    ServerControl,
    Variant,
    needed_version,
    print_media,
    print_multivariant,
)

URL = "http://live.test/show/multivariant.m3u8"
AUDIO_BPS = 128_000


@dataclass
class FakeLive:
    """Video rungs of 1, 2 and 4 Mbit/s and audio of its own; on air for 100 s when play is asked.

    Times are those of the playback. Segments are listed once they are complete.
    """

    rates_bps: tuple[int, ...] = (1_000_000, 2_000_000, 4_000_000)
    segment_s: float = 4.0
    window: int = 6
    """Segments listed; 0: all, as an EVENT."""
    on_air_s: float = 101.0
    """Before play is asked: its newest segment is a second old."""
    ends_s: float = math.inf
    stops: tuple[float, float] = (math.inf, math.inf)
    """The encoder makes nothing from one time to another."""
    restarts_s: float = math.inf
    """The encoder begins anew: numbers from 0, other names."""
    jumps: tuple[float, int] = (math.inf, 0)
    """From a time on, numbers are higher by so many: what was between is never listed."""
    has_audio: bool = True
    audio_segment_s: float = 4.0
    audio_first: int = 0
    """Number of the audio's first segment."""
    is_dated: bool = False
    control: ServerControl | None = None
    lag_s: Callable[[int], float] = lambda _rung: 0.0
    """How much older than the stream the playlist of a rung is; -1 is the audio."""
    refuse: Callable[[Want, float], VirtualResponse | None] = lambda _want, _now_s: None
    clock: Callable[[], float] = lambda: 0.0
    asked: list[tuple[float, Want]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The multivariant playlist."""
        return URL

    def answer(self, want: Want) -> VirtualResponse:
        """Playlists as text, segments as sizes if they were made; ``refuse`` goes first."""
        now_s = self.clock()
        self.asked.append((now_s, want))
        refusal = self.refuse(want, now_s)
        if refusal is not None:
            return refusal
        folder, _, name = urlsplit(want.url).path.removeprefix("/show/").partition("/")
        rung = -1 if folder == "a0" else int(folder[1:]) if folder[1:].isdigit() else 0
        if folder == "multivariant.m3u8":
            return _text(self.multivariant())
        if name == "playlist.m3u8":
            playlist = self.media(rung, now_s)
            return _text(self.text(playlist, is_delta=bool(want.directives)))
        if name == "init.mp4":
            return VirtualResponse(800)
        rate = AUDIO_BPS if rung == -1 else self.rates_bps[rung]
        return VirtualResponse(rate * self._segment_s(rung) / 8)

    def text(self, playlist: MediaPlaylist, *, is_delta: bool = False) -> str:
        """A playlist, or what is new in it."""
        skipped = max(len(playlist.segments) - 3, 0) if is_delta else 0
        short = replace(playlist, segments=playlist.segments[skipped:], skipped=skipped)
        return print_media(replace(short, version=needed_version(short)))

    def media(self, rung: int, now_s: float) -> MediaPlaylist:
        """What the playlist of a rung, or -1: the audio, lists at a time."""
        segment_s, time_s = self._segment_s(rung), max(now_s - self.lag_s(rung), -self.on_air_s)
        is_anew = time_s >= self.restarts_s
        since_s = self.restarts_s if is_anew else -self.on_air_s
        made = math.floor(round(self._made_s(since_s, min(time_s, self.ends_s)) / segment_s, 6))
        first = max(made - self.window, 0) if self.window else 0
        shift = self.audio_first if rung == -1 else 0
        shift += self.jumps[1] if time_s >= self.jumps[0] else 0
        segments = tuple(
            Segment(
                uri=f"{'b' if is_anew else 's'}{n + shift}.m4s",
                duration_s=segment_s,
                sequence=n + shift,
                map=Map(uri="init.mp4"),
                date_s=1e9 + since_s + n * segment_s if self.is_dated else None,
            )
            for n in range(first, made)
        )
        return MediaPlaylist(
            target_duration_s=math.ceil(segment_s),
            media_sequence=first + shift,
            segments=segments,
            endlist=time_s >= self.ends_s,
            playlist_type=None if self.window else "EVENT",
            control=self.control,
        )

    def _made_s(self, since_s: float, until_s: float) -> float:
        """Media made from one time to another."""
        from_s, to_s = self.stops
        stopped_s = max(min(until_s, to_s) - max(since_s, from_s), 0.0)
        return max(until_s - since_s - stopped_s, 0.0)

    def _segment_s(self, rung: int) -> float:
        return self.audio_segment_s if rung == -1 else self.segment_s

    def multivariant(self) -> str:
        """The ladder, lowest rung first."""
        audio_bps = AUDIO_BPS if self.has_audio else 0
        sound = Rendition(
            type="AUDIO", group_id="a", name="English", uri="a0/playlist.m3u8", default=True,
            autoselect=True,
        )  # fmt: skip
        variants = tuple(
            Variant(
                uri=f"v{rung}/playlist.m3u8",
                bandwidth_bps=rate + audio_bps,
                codecs="avc1.64001f,mp4a.40.2" if self.has_audio else "avc1.64001f",
                width=320 * (rung + 1),
                height=180 * (rung + 1),
                audio_group="a" if self.has_audio else None,
            )
            for rung, rate in enumerate(self.rates_bps)
        )
        return print_multivariant(
            MultivariantPlaylist(variants=variants, renditions=(sound,) if self.has_audio else ())
        )


def _text(text: str) -> VirtualResponse:
    return VirtualResponse(len(text), text.encode())


def play_live(
    stream: FakeLive,
    *,
    algorithm: Algorithm,
    until_s: float,
    trace: Trace | None = None,
    config: PlayerConfig | None = None,
) -> SessionLog:
    """Play ``stream`` on the virtual clock until the viewer leaves."""
    config = config or PlayerConfig()
    session = PlaybackSession(stream.url, algorithm, config, provenance={"stop_at_s": until_s})
    link = SharedLink(trace or Trace.constant(20e6), rtt_s=config.rtt_s)
    driver = VirtualDriver(session, stream, link, stop_at_s=until_s)
    stream.clock = lambda: driver.now_s
    return driver.run()
