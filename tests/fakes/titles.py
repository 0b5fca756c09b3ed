"""A title that exists only in memory: playlists, sizes, and answers that can be scripted.

``FakeTitle`` is a ``VirtualOrigin``: give it to ``play_fake`` to run the real session on
the virtual driver. ``refuse`` makes the next answers to some requests fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from abr.decision import Algorithm, Observation
from abr.link import SharedLink
from abr.log import SessionLog
from abr.trace import Trace
from player.config import PlayerConfig
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from transcode.playlist import (
    Key,
    Map,
    MultivariantPlaylist,
    Rendition,
    Segment,
    Steering,
    Variant,
    print_media,
    print_multivariant,
    vod_playlist,
)

TOKEN = "head.body.signature"
URL = f"http://edge.test/t/{TOKEN}/film/multivariant.m3u8"


@dataclass
class FakeTitle:
    """Video rungs of 1, 2 and 4 Mbit/s, 4 s segments, 128 kbit/s audio if wanted."""

    segments: int = 5
    rates_bps: tuple[int, ...] = (1_000_000, 2_000_000, 4_000_000)
    has_audio: bool = True
    is_encrypted: bool = False
    segment_s: float = 4.0
    audio_overhang_s: float = 0.0
    """The first audio segment is longer by this, the second shorter."""
    has_own_parts: bool = False
    """Each segment has an initialisation section of its own, and a key if encrypted; no two
    rungs share a key."""
    gaps: frozenset[tuple[int, int]] = frozenset()
    """Segments that are there in name only: rung (-1: the audio) and index."""
    ways: tuple[str, ...] = ()
    """Pathways, each on a host of its name; empty: one, beside the multivariant playlist."""
    is_redundant: bool = False
    """The playlist does not name the pathways."""
    steering: str = ""
    """URI of a steering server that ranks them."""
    refuse: Callable[[Want], VirtualResponse | None] = lambda _want: None
    asked: list[Want] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The multivariant playlist, behind a token."""
        return URL

    def answer(self, want: Want) -> VirtualResponse:
        """Playlists as text, segments as sizes; what ``refuse`` says goes first."""
        self.asked.append(want)
        refusal = self.refuse(want)
        if refusal is not None:
            return refusal
        match want.kind:
            case "multivariant":
                return _text(self.multivariant())
            case "media":
                return _text(self.media(-1 if want.track == "audio" else want.rung))
            case "token":
                return _text('{"token": "new.body.signature"}')
            case "segment":
                rate = 128_000 if want.track == "audio" else self.rates_bps[want.rung]
                return VirtualResponse(rate * self.segment_s / 8)
            case _:
                return VirtualResponse(16)

    def multivariant(self) -> str:
        """The ladder, highest rung first to see that players sort it."""
        audio_bps = 128_000 if self.has_audio else 0
        variants = tuple(
            Variant(
                uri=f"{self._base(way)}v{rung}/playlist.m3u8",
                bandwidth_bps=rate + audio_bps,
                average_bandwidth_bps=rate + audio_bps,
                codecs="avc1.64001f,mp4a.40.2" if self.has_audio else "avc1.64001f",
                width=320 * (rung + 1),
                height=180 * (rung + 1),
                frame_rate=25.0,
                audio_group=f"audio{way}" if self.has_audio else None,
                pathway_id=None if self.is_redundant else way or None,
                stable_id=f"rung{rung}" if way else None,
            )
            for rung, rate in reversed(list(enumerate(self.rates_bps)))
            for way in self.ways or ("",)
        )
        renditions = tuple(
            Rendition(
                type="AUDIO",
                group_id=f"audio{way}",
                name="English",
                language="en",
                uri=f"{self._base(way)}a0/playlist.m3u8",
                channels="2",
                default=True,
                autoselect=True,
                stable_id="english" if way else None,
            )
            for way in self.ways or ("",)
        )
        return print_multivariant(
            MultivariantPlaylist(
                version=7,
                independent_segments=True,
                variants=variants,
                renditions=renditions if self.has_audio else (),
                steering=Steering(self.steering, self.ways[0]) if self.steering else None,
            )
        )

    def _base(self, way: str) -> str:
        return f"http://{way}.test/film/" if way else ""

    def media(self, rung: int) -> str:
        """The media playlist of a rung; -1 for the audio."""
        rate = 128_000 if rung < 0 else self.rates_bps[rung]
        return print_media(
            vod_playlist(
                Segment(
                    uri=f"{index:05}.m4s",
                    duration_s=self._duration_s(rung, index),
                    map=Map(uri=f"init{index}.mp4" if self.has_own_parts else "init.mp4"),
                    key=self._key(index),
                    bitrate_kbps=rate // 1000,
                    sequence=index,
                    gap=(rung, index) in self.gaps,
                )
                for index in range(self.segments)
            )
        )

    def _key(self, index: int) -> Key | None:
        if not self.is_encrypted:
            return None
        uri = f"key{index}" if self.has_own_parts else "../key/" + "0" * 32
        # Of initialisation sections, which the key is for too, the IV must be stated.
        return Key(method="AES-128", uri=uri, iv=bytes(16) if self.has_own_parts else None)

    def _duration_s(self, rung: int, index: int) -> float:
        change_s = {0: self.audio_overhang_s, 1: -self.audio_overhang_s}.get(index, 0.0)
        return self.segment_s + (change_s if rung < 0 else 0.0)


def _text(text: str) -> VirtualResponse:
    return VirtualResponse(len(text.encode()), text.encode())


class Fixed:
    """Always the same rung."""

    def __init__(self, rung: int) -> None:
        self.rung = rung

    def choose(self, _seen: Observation) -> int:
        """The rung it was made with."""
        return self.rung


def fixed(rung: int) -> Algorithm:
    """A factory of ``Fixed``."""
    return lambda: Fixed(rung)


def session_of(title: FakeTitle, algorithm: Algorithm, config: PlayerConfig) -> PlaybackSession:
    """A fresh session for ``title``."""
    return PlaybackSession(title.url, algorithm, config, provenance={"driver": "virtual"})


def play_fake(
    title: FakeTitle,
    *,
    trace: Trace | None = None,
    algorithm: Algorithm | None = None,
    config: PlayerConfig | None = None,
    stop_at_s: float = math.inf,
) -> SessionLog:
    """Play ``title`` on the virtual driver; 10 Mbit/s, no round trip, rung 0 by default."""
    config = config or PlayerConfig(rtt_s=0.0)
    link = SharedLink(trace or Trace.constant(10e6), rtt_s=config.rtt_s)
    session = session_of(title, algorithm or fixed(0), config)
    return VirtualDriver(session, title, link, stop_at_s=stop_at_s).run()
