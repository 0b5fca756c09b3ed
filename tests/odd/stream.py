"""An odd stream: files and answers, what is expected of a player, and why.

A topic's module is a list of functions marked by ``odd``: the name of each is the stream's, its
docstring says why it is expected to go as it does, and it returns what the server answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from abr.log import SessionLog
from tests.odd.media import SEGMENTS, Media
from tests.odd.server import Asked, Script

Files = Mapping[str, Script]
START = "main.m3u8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One playback of a stream."""

    log: SessionLog | None
    """None when ``play`` raised."""
    error: str
    """Why it did not play to its end; empty when it did."""
    asked: Sequence[Asked]
    notes: Sequence[str]
    played_s: float
    elapsed_s: float

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [each.path for each in self.asked]


Check = Callable[[Seen], str]
"""What is wrong with a playback; empty when nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a player ought to make of a stream."""

    verdict: Literal["plays", "refused"]
    words: str = ""
    """Regular expression found in a note, or in the refusal."""
    played_s: float | None = float(SEGMENTS)
    """Media seconds, give or take a quarter; None: as many as there was time for."""
    within_s: float = 20.0
    """It has ended by then; more is a hang."""
    check: Check | None = None


def plays(words: str = "", **more: Any) -> Expect:
    """Plays to its end; ``words`` are found in a note."""
    return Expect(verdict="plays", words=words, **more)


def refused(words: str, **more: Any) -> Expect:
    """Does not play; the reason holds ``words``."""
    return Expect(verdict="refused", words=words, **{"played_s": 0.0, **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """One stream."""

    name: str
    topic: str
    why: str
    expect: Expect
    make: Callable[[Media], Files] = field(repr=False)
    play: Mapping[str, Any] = field(default_factory=dict)
    """Arguments for ``player.play``; those of ``config`` as a mapping."""
    start: str = START
    host: str = "main"
    other_players: bool = True
    """Whether ffmpeg is asked too."""

    @property
    def is_quick(self) -> bool:
        """Whether it is over as soon as its playlists are read."""
        return self.expect.verdict == "refused" and self.topic in ("texts", "ladders", "keys")


ALL: list[Odd] = []


def odd(
    expect: Expect,
    *,
    start: str = START,
    host: str = "main",
    other_players: bool = True,
    **play: Any,
) -> Callable[[Callable[[Media], Files]], Callable[[Media], Files]]:
    """Mark a function as the making of one stream."""

    def mark(make: Callable[[Media], Files]) -> Callable[[Media], Files]:
        assert make.__doc__, make
        ALL.append(
            Odd(
                name=make.__name__.replace("_", "-"),
                topic=make.__module__.rpartition(".")[2],
                why=" ".join(make.__doc__.split()),
                expect=expect,
                make=make,
                play=play,
                start=start,
                host=host,
                other_players=other_players,
            )
        )
        return make

    return mark


def both(*checks: Check) -> Check:
    """The first fault that one of ``checks`` finds."""
    return lambda seen: next((fault for each in checks if (fault := each(seen))), "")


def asked_for(*paths: str) -> Check:
    """All of these were asked for."""

    def check(seen: Seen) -> str:
        missing = [path for path in paths if path not in seen.paths()]
        return f"never asked for {', '.join(missing)}" if missing else ""

    return check


def never_asked(*starts: str) -> Check:
    """Nothing that begins so was asked for."""

    def check(seen: Seen) -> str:
        found = [path for path in seen.paths() if path.startswith(starts)]
        return f"asked for {', '.join(found[:3])}" if found else ""

    return check


def at_most(count: int, path: str) -> Check:
    """A path was asked for this often at most."""

    def check(seen: Seen) -> str:
        times = seen.paths().count(path)
        return f"asked {times} times for {path}" if times > count else ""

    return check


def exactly(count: int, path: str) -> Check:
    """A path was asked for this often."""

    def check(seen: Seen) -> str:
        times = seen.paths().count(path)
        return f"asked {times} times for {path}; expected {count}" if times != count else ""

    return check


# --- playlists ------------------------------------------------------------------


def listing(
    *uris: str,
    init: str = "",
    lasts_s: Sequence[float] | float = 1.0,
    head: str = "",
    end: str = "#EXT-X-ENDLIST\n",
    target: int | str = 1,
    version: int = 7,
) -> str:
    """A media playlist; ``head`` is put after the version, each URI may bring lines before it."""
    times = [lasts_s] * len(uris) if isinstance(lasts_s, int | float) else list(lasts_s)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{version}", f"#EXT-X-TARGETDURATION:{target}"]
    lines += [head] if head else []
    lines += [f'#EXT-X-MAP:URI="{init}"'] if init else []
    for uri, time_s in zip(uris, times, strict=True):
        *before, last = uri.split("\n")
        lines += [*before, f"#EXTINF:{time_s:g},", last]
    return "\n".join(lines) + "\n" + end


def fmp4(folder: str = "v0", *, up: str = "", **more: Any) -> str:
    """The playlist of a folder of fMP4, as seen from the top."""
    uris = [f"{up}{folder}/{at}.m4s" for at in range(SEGMENTS)]
    return listing(*uris, **{"init": f"{up}{folder}/init.mp4", **more})


def ts(folder: str = "ts0", **more: Any) -> str:
    """The playlist of a folder of transport streams, as seen from the top."""
    return listing(*(f"{folder}/{at}.ts" for at in range(SEGMENTS)), **{"version": 3, **more})


def variant(
    uri: str,
    bandwidth: int | str | None = 100_000,
    *,
    codecs: str | None = "avc1.42c00a",
    size: str | None = "64x36",
    more: str = "",
) -> str:
    """EXT-X-STREAM-INF and its URI."""
    parts = [
        f"BANDWIDTH={bandwidth}" if bandwidth is not None else "",
        f'CODECS="{codecs}"' if codecs else "",
        f"RESOLUTION={size}" if size else "",
        more,
    ]
    return f"#EXT-X-STREAM-INF:{','.join(part for part in parts if part)}\n{uri}\n"


def sound(
    group: str = "aud", *, uri: str = "a0.m3u8", name: str = "English", more: str = "DEFAULT=YES"
) -> str:
    """EXT-X-MEDIA of a sound."""
    place = f',URI="{uri}"' if uri else ""
    extra = f",{more}" if more else ""
    return f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="{name}"{extra}{place}\n'


def master(*lines: str, version: int = 7) -> str:
    """A multivariant playlist."""
    return f"#EXTM3U\n#EXT-X-VERSION:{version}\n" + "".join(lines)


def ladder(m: Media, *folders: str) -> dict[str, Script]:
    """Files and media playlists of fMP4 folders: ``v0.m3u8`` and so on."""
    files: dict[str, Script] = dict(m.of(*folders))
    for folder in folders:
        files[f"{folder}.m3u8"] = fmp4(folder)
    return files
