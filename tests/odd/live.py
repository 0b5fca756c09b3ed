"""Live and event playlists, whose server's clock is the time since the first request."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.odd.media import Media
from tests.odd.server import Answer, Asked, Reply, Script
from tests.odd.stream import (
    Check,
    Files,
    Seen,
    both,
    fmp4,
    listing,
    master,
    odd,
    plays,
    refused,
    variant,
)

COPIES = 40
LEAVES_S = 9.0
"""The viewer leaves after so long."""


class Clock:
    """Seconds since the first request."""

    def __init__(self) -> None:
        self._start_s: float | None = None

    def __call__(self) -> float:
        now_s = time.monotonic()
        self._start_s = now_s if self._start_s is None else self._start_s
        return now_s - self._start_s


def segments(m: Media) -> dict[str, Script]:
    """Many segments by number, the same three over and over."""
    return {f"{at}.m4s": m[f"v0/{at % 3}.m4s"] for at in range(COPIES)}


def window(first: int, last: int, *, head: str = "", end: str = "") -> str:
    """Segments ``first`` to ``last``, the latter not included."""
    uris = [f"{at}.m4s" for at in range(first, last)]
    text = listing(*uris, init="v0/init.mp4", head=head, end=end)
    return text.replace("#EXT-X-MAP", f"#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-MAP", 1)


def live(m: Media, at: Callable[[float], Reply]) -> Files:
    """A playlist that ``at`` makes from the time."""
    clock = Clock()
    return {**m.of("v0"), **segments(m), "main.m3u8": lambda _asked, _count: at(clock())}


def sliding(now_s: float, *, size: int = 6, head: str = "") -> str:
    """A window of ``size`` segments whose end moves on."""
    end = size + int(now_s)
    return window(end - size, end, head=head)


def lasting(least_s: float) -> Check:
    """So much was played before the viewer left."""

    def check(seen: Seen) -> str:
        return (
            f"{seen.played_s:.2f} s played; expected {least_s:g}" if seen.played_s < least_s else ""
        )

    return check


def polite(seen: Seen) -> str:
    """The playlist is asked for about once a second (8216bis, 6.3.4), not all the time."""
    times = [path for path in seen.paths() if path == "main.m3u8"]
    return (
        f"{len(times)} playlists in {seen.elapsed_s:.0f} s"
        if len(times) > 3 * seen.elapsed_s
        else ""
    )


@odd(
    plays(played_s=None, check=both(polite, lasting(7.5))), other_players=False, max_play_s=LEAVES_S
)
def sliding_window(m: Media) -> Files:
    """Six segments of a second; begins three before the end and keeps up."""
    return live(m, sliding)


@odd(plays(played_s=6.0), other_players=False)
def event_that_ends(m: Media) -> Files:
    """EVENT grows and then has ENDLIST: played to its end, from where 6.3.3 lets it begin."""

    def at(now_s: float) -> Reply:
        last = min(9, 6 + int(now_s))
        return window(
            0, last, head="#EXT-X-PLAYLIST-TYPE:EVENT", end="#EXT-X-ENDLIST\n" if last == 9 else ""
        )

    return live(m, at)


@odd(plays(played_s=6.0), other_players=False)
def live_that_ends(m: Media) -> Files:
    """ENDLIST arrives in a sliding window."""

    def at(now_s: float) -> Reply:
        last = min(9, 6 + int(now_s))
        return window(last - 6, last, end="#EXT-X-ENDLIST\n" if last == 9 else "")

    return live(m, at)


@odd(plays(played_s=9.0), other_players=False)
def event_that_is_over(m: Media) -> Files:
    """EVENT with ENDLIST is a film."""
    return live(
        m, lambda _now: window(0, 9, head="#EXT-X-PLAYLIST-TYPE:EVENT", end="#EXT-X-ENDLIST\n")
    )


@odd(plays(), other_players=False)
def vod_without_endlist(m: Media) -> Files:
    """4.4.3.5: a VOD playlist cannot change, so it is finished."""
    return {**m.of("v0"), "main.m3u8": fmp4(head="#EXT-X-PLAYLIST-TYPE:VOD", end="")}


@odd(refused("(?i)playlist|grow|change|stale|live", within_s=90, played_s=3.0), other_players=False)
def stale(m: Media) -> Files:
    """A playlist that never changes: what is listed is played, and then it says so."""
    return live(m, lambda _now: window(0, 6))


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def stale_for_a_while(m: Media) -> Files:
    """The encoder hangs for two seconds, then goes on."""
    return live(m, lambda now_s: sliding(now_s if now_s < 2 else max(2.0, now_s - 1)))


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def window_that_jumped(m: Media) -> Files:
    """Four segments on in one go: what fell out is skipped, and playback goes on."""
    return live(m, lambda now_s: sliding(now_s if now_s < 3 else now_s + 8))


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def numbers_that_start_again(m: Media) -> Files:
    """The encoder is restarted and counts from 0: 6.2.2 forbids it, players go on."""
    return live(m, lambda now_s: sliding(now_s + 20 if now_s < 3 else now_s - 3))


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def playlist_down_once(m: Media) -> Files:
    """503 at one reload."""
    clock = Clock()

    def answer(_asked: Asked, count: int) -> Reply:
        return Answer(status=503) if count == 3 else sliding(clock())

    return {**m.of("v0"), **segments(m), "main.m3u8": answer}


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def playlist_older_once(m: Media) -> Files:
    """A cache gives back an older window once (6.2.2: never, and it happens)."""
    clock = Clock()

    def answer(_asked: Asked, count: int) -> Reply:
        return sliding(max(0.0, clock() - 2)) if count == 3 else sliding(clock())

    return {**m.of("v0"), **segments(m), "main.m3u8": answer}


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def discontinuities_that_move_out(m: Media) -> Files:
    """EXT-X-DISCONTINUITY-SEQUENCE counts those that left the window."""

    def at(now_s: float) -> Reply:
        text = sliding(now_s, head=f"#EXT-X-DISCONTINUITY-SEQUENCE:{int(now_s)}")
        return text.replace("#EXTINF", "#EXT-X-DISCONTINUITY\n#EXTINF")

    return live(m, at)


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def hold_back_stated(m: Media) -> Files:
    """EXT-X-SERVER-CONTROL:HOLD-BACK (4.4.3.8)."""
    return live(m, lambda now_s: sliding(now_s, head="#EXT-X-SERVER-CONTROL:HOLD-BACK=4.0"))


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def delta_updates_offered(m: Media) -> Files:
    """CAN-SKIP-UNTIL: those who ask with _HLS_skip get what changed (6.2.5.1)."""
    clock = Clock()

    def answer(asked: Asked, _count: int) -> Reply:
        end = 12 + int(clock())
        head = "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=6.0"
        if "_HLS_skip=YES" not in asked.query:
            return window(end - 12, end, head=head)
        text = window(end - 6, end, head=head).replace(
            f"SEQUENCE:{end - 6}", f"SEQUENCE:{end - 12}"
        )
        return text.replace("#EXTINF", "#EXT-X-SKIP:SKIPPED-SEGMENTS=6\n#EXTINF", 1)

    return {**m.of("v0"), **segments(m), "main.m3u8": answer}


@odd(plays("(?i)part", played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def parts_of_low_latency(m: Media) -> Files:
    """EXT-X-PART and blocking reloads: played as a plain live stream, and said so."""

    def at(now_s: float) -> Reply:
        control = "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0\n"
        text = sliding(now_s, head=control + "#EXT-X-PART-INF:PART-TARGET=0.33")
        return (
            text
            + '#EXT-X-PART:DURATION=0.33,URI="p.m4s"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="q.m4s"\n'
        )

    return live(m, at)


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def gap_at_the_live_edge(m: Media) -> Files:
    """The encoder lost a second; 4.4.4.7."""

    def at(now_s: float) -> Reply:
        return sliding(now_s).replace("#EXTINF:1,\n7.m4s", "#EXT-X-GAP\n#EXTINF:1,\n7.m4s")

    return live(m, at)


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def live_ladder(m: Media) -> Files:
    """Two rungs whose windows are a moment apart."""
    clock = Clock()
    return {
        **m.of("v0"),
        **segments(m),
        "main.m3u8": master(variant("lo.m3u8"), variant("hi.m3u8", 200_000)),
        "lo.m3u8": lambda _asked, _count: sliding(clock()),
        "hi.m3u8": lambda _asked, _count: sliding(max(0.0, clock() - 0.4)),
    }


@odd(plays(played_s=None, check=lasting(4.0)), other_players=False, max_play_s=LEAVES_S)
def window_empty_at_first(m: Media) -> Files:
    """The event has not begun: no segment for two seconds, then one after another."""

    def at(now_s: float) -> Reply:
        return window(0, max(0, int(4 * (now_s - 1.5))) if now_s < 3 else 6 + int(now_s - 3))

    return live(m, at)


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def window_of_two(m: Media) -> Files:
    """Shorter than three target durations, which 6.2.2 forbids and encoders write."""
    return live(m, lambda now_s: sliding(now_s, size=2))


@odd(plays(played_s=None, check=lasting(7.0)), other_players=False, max_play_s=LEAVES_S)
def segment_late_at_the_edge(m: Media) -> Files:
    """Listed, and 404 for half a second more."""
    clock = Clock()
    files = segments(m)

    def late(number: int) -> Script:
        data = files[f"{number}.m4s"]
        assert isinstance(data, bytes)
        return [Answer(status=404), data]

    return {
        **m.of("v0"),
        **files,
        "8.m4s": late(8),
        "main.m3u8": lambda _asked, _count: sliding(clock()),
    }
