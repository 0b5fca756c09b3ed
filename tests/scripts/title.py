"""Draw titles: what their playlists say, at any time, as the number of the title decides.

Everything that publishers do is drawn: several rungs and audio groups, redundant hosts, pathways,
URLs that are shared, boundaries that differ, sections and keys that change, byte ranges, gaps,
lengths of nothing, windows that slide, stand still or start again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.scripts.draw import Draw

HOST = "http://a.test/t/head.body.signature/film/"
OTHER_HOST = "http://b.test/film/"

LENGTHS_S = (1.0, 1.0, 2.0, 4.0, 0.04, 1.001, 0.0)
MOST_SEGMENTS = 7


@dataclass(frozen=True, slots=True)
class Listed:
    """One media playlist."""

    name: str
    lengths_s: tuple[float, ...]
    sections: tuple[str, ...]
    """Of each segment; empty: none."""
    keys: tuple[str, ...]
    """Attributes of EXT-X-KEY for each segment; empty: in the clear."""
    gaps: frozenset[int]
    breaks: frozenset[int]
    """Segments after a discontinuity."""
    has_ranges: bool
    window: int
    """Segments listed at a time; 0: all, and no more come."""
    ends: bool
    """Whether a live one is finished at last."""
    stops_at: int
    """A live one stands still once so many have come."""
    begins_again_at: int
    """A live one then counts from 0 again; -1: never."""
    odd_lines: tuple[str, ...]

    def text(self, now_s: float) -> str:
        """The playlist at a time."""
        until, first = len(self.lengths_s), 0
        if self.window:
            until = min(self.window + int(now_s / max(self.lengths_s)), until, self.stops_at)
            first = max(until - self.window, 0)
        is_over = not self.window or (self.ends and until == len(self.lengths_s))
        began = self.begins_again_at if 0 <= self.begins_again_at <= first else 0
        target = max(1, round(max(self.lengths_s)))
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{target}", *self.odd_lines]
        if self.window:
            lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first - began}")
        section = key = ""
        for index in range(first, until):
            if index in self.breaks:
                lines.append("#EXT-X-DISCONTINUITY")
            if self.keys[index] != key:
                key = self.keys[index]
                lines.append(f"#EXT-X-KEY:{key or 'METHOD=NONE'}")
            if self.sections[index] != section:
                section = self.sections[index]
                lines.append(f'#EXT-X-MAP:URI="{section}"')
            if index in self.gaps:
                lines.append("#EXT-X-GAP")
            lines.append(f"#EXTINF:{self.lengths_s[index]:.3f},")
            if self.has_ranges:
                lines += [f"#EXT-X-BYTERANGE:100@{100 * index}", f"{self.name}.mp4"]
            else:
                lines.append(f"{self.name}.{index}.m4s")
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if is_over else [])]) + "\n"


@dataclass(slots=True)
class Title:
    """All playlists of a title."""

    url: str
    multivariant: str
    """Its text; empty when it is played by a media playlist alone."""
    media: dict[str, Listed] = field(default_factory=dict)
    is_live: bool = False

    @property
    def media_s(self) -> float:
        """Seconds of the longest playlist."""
        return max((sum(each.lengths_s) for each in self.media.values()), default=0.0)


def random_title(draw: Draw) -> Title:
    """A title."""
    is_live = draw.random() < 0.15
    title = Title(HOST + "multivariant.m3u8", "", is_live=is_live)
    lengths = _lengths(draw)
    rungs = draw.one((1, 1, 2, 2, 3, 4))
    videos = [f"v{rung}.m3u8" for rung in range(rungs)]
    if draw.random() < 0.15:
        videos[draw.below(rungs)] = draw.one(videos)
    for name in videos:
        title.media[name] = _listed(draw, name, lengths, is_live=is_live)
    if draw.random() < 0.08:
        title.url = HOST + videos[0]
        return title
    sounds = _sounds(draw, rungs, videos)
    for name in sorted(set(sounds) - {""}):
        if name not in title.media:
            title.media[name] = _listed(draw, name, lengths, is_live=is_live)
    title.multivariant = _multivariant(draw, videos, sounds)
    return title


def _lengths(draw: Draw) -> tuple[float, ...]:
    count = draw.between(1, MOST_SEGMENTS)
    if draw.random() < 0.6:
        return (draw.one(LENGTHS_S[:4]),) * count
    return tuple(draw.one(LENGTHS_S) for _ in range(count))


def _sounds(draw: Draw, rungs: int, videos: list[str]) -> list[str]:
    """The audio playlist of each rung; empty where it has none of its own."""
    kind = draw.random()
    if kind < 0.45:
        return [""] * rungs
    names = ("a.m3u8",) if kind < 0.75 else ("a.m3u8", "b.m3u8", draw.one(videos), "")
    return [draw.one(names) for _ in range(rungs)]


def _listed(draw: Draw, name: str, lengths: tuple[float, ...], *, is_live: bool) -> Listed:
    if draw.random() < 0.12:
        lengths = _lengths(draw)
    if draw.random() < 0.1:
        lengths += tuple(draw.one(LENGTHS_S) for _ in range(draw.between(1, 2)))
    if is_live:
        lengths = (max(lengths[0], 1.0),) * draw.between(6, 24)
    count = len(lengths)
    return Listed(
        name,
        lengths,
        sections=_sections(draw, name, count),
        keys=_keys(draw, count),
        gaps=frozenset(n for n in range(count) if draw.random() < 0.3)
        if draw.random() < 0.08
        else frozenset(),
        breaks=frozenset(n for n in range(count) if draw.random() < 0.1),
        has_ranges=draw.random() < 0.1,
        window=draw.one((1, 3, 3, 5, 99)) if is_live else 0,
        ends=draw.random() < 0.8,
        stops_at=draw.between(1, count) if draw.random() < 0.2 else count,
        begins_again_at=draw.between(1, count) if is_live and draw.random() < 0.15 else -1,
        odd_lines=tuple(line for line in _ODD_LINES if draw.random() < 0.04),
    )


_ODD_LINES = (
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-PLAYLIST-TYPE:EVENT",
    "#EXT-X-START:TIME-OFFSET=1.5",
    "#EXT-X-START:TIME-OFFSET=-2,PRECISE=YES",
    "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0,HOLD-BACK=3.0",
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0",
    "#EXT-X-PART-INF:PART-TARGET=0.33",
    '#EXT-X-DEFINE:NAME="x",VALUE="y"',
    "#EXT-X-DISCONTINUITY-SEQUENCE:3",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-UNHEARD-OF:1",
    "a stray line.m4s",
)


def _sections(draw: Draw, name: str, count: int) -> tuple[str, ...]:
    kind = draw.random()
    if kind < 0.3:
        return ("",) * count
    if kind < 0.5:
        return ("init.mp4",) * count  # of all rungs and tracks
    own = f"{name}.init"
    if kind < 0.9:
        return (own,) * count
    return tuple(draw.one((own, "other.init", own, "v0.m3u8")) for _ in range(count))


def _keys(draw: Draw, count: int) -> tuple[str, ...]:
    kind = draw.random()
    if kind < 0.7:
        return ("",) * count
    explicit = draw.one(("", ",IV=0x000102030405060708090a0b0c0d0e0f"))
    names = ("key",) if kind < 0.85 else ("key", "key2", "", "init.mp4")
    if kind > 0.98:
        return (
            'METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"',
        ) * count
    chosen = [draw.one(names) for _ in range(count)]
    return tuple(f'METHOD=AES-128,URI="{each}"{explicit}' if each else "" for each in chosen)


def _multivariant(draw: Draw, videos: list[str], sounds: list[str]) -> str:
    lines = ["#EXTM3U", *(line for line in _ODD_LINES[-3:] if draw.random() < 0.05)]
    is_steered = draw.random() < 0.12
    if is_steered:
        lines.append('#EXT-X-CONTENT-STEERING:SERVER-URI="steering.json",PATHWAY-ID="one"')
    for group, name in enumerate(sounds):
        uri = f',URI="{name}"' if name else ""
        default = draw.one((",DEFAULT=YES,AUTOSELECT=YES", ",AUTOSELECT=YES", ""))
        lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a{group}",NAME="x"{default}{uri}')
    has_group = draw.random() < 0.9
    entries = []
    for rung, name in enumerate(videos):
        rate = draw.one(((rung + 1) * 1_000_000,) * 8 + (0, 1, 10**12, 1_000_000))
        attributes = f"BANDWIDTH={rate}"
        if draw.random() < 0.7:
            attributes += f",RESOLUTION={320 * (rung + 1)}x{180 * (rung + 1)}"
        if draw.random() < 0.6:
            codecs = draw.one(("avc1.64001f,mp4a.40.2",) * 6 + ("hvc1.1.6.L93.B0", "mp4a.40.2"))
            attributes += f',CODECS="{codecs}"'
        if any(sounds) and has_group:
            attributes += f',AUDIO="a{rung}"'
        hosts = [""] if draw.random() < 0.7 else ["", OTHER_HOST]
        for number, host in enumerate(hosts):
            pathway = f',PATHWAY-ID="{("one", "two")[number]}"' if is_steered else ""
            entries.append((f"#EXT-X-STREAM-INF:{attributes}{pathway}", host + name))
    if draw.random() < 0.3:
        draw.order(entries)
    return "\n".join([*lines, *(line for entry in entries for line in entry)]) + "\n"
