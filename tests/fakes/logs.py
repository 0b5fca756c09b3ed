"""Session logs told by hand, for tests that read logs and play nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from abr.log import SessionLog
from abr.trace import Trace

LADDER_BPS = (400_000.0, 900_000.0, 1_800_000.0)
SEGMENT_S = 4.0


def played_log(
    *,
    algorithm: str = "throughput",
    driver: str = "virtual",
    trace: Trace | None = None,
    rungs: Sequence[int] = (0, 1, 2),
    startup_s: float = 0.5,
    stall: tuple[int, float] | None = None,
    **provenance: Any,
) -> SessionLog:
    """A playback of four-second segments that always arrive in time but once.

    Segment k arrives at ``startup_s + k`` seconds, each after a download of half a
    second; ``stall`` is (segment, seconds): that one comes so late that playback waits.

    Args:
        algorithm: Name in the provenance.
        driver: virtual or live.
        trace: Named, with its digest.
        rungs: Rung of each segment.
        startup_s: Time of the first frame.
        stall: Which segment is late, and the length of the wait.
        provenance: Further fields of the first line.
    """
    about: dict[str, Any] = {
        "version": "0.1.0",
        "driver": driver,
        "algorithm": algorithm,
        "params": {},
        "rungs": len(LADDER_BPS),
        "ladder_bps": list(LADDER_BPS),
        "title": "scenes",
        "presentation_digest": "ab" * 32,
        "config_hash": "cd" * 32,
        "config": {"seed": 0},
    }
    if trace is not None:
        about |= {"trace": trace.name, "trace_digest": trace.digest()}
    log = SessionLog(about | provenance)
    events: list[tuple[float, int, str, dict[str, Any]]] = [(0.0, 0, "start", {})]
    late, waited_s = stall or (-1, 0.0)
    shown_s = startup_s
    plays = []
    for segment in range(len(rungs)):
        if segment == late:
            events.append((shown_s, 5, "state", _states("playing", "stalled", "empty")))
            shown_s += waited_s
            events.append((shown_s, 3, "state", _states("stalled", "playing", "media ready")))
        plays.append(shown_s)
        shown_s += SEGMENT_S
    events.append((startup_s, 3, "state", _states("startup", "playing", "media ready")))
    for segment, rung in enumerate(rungs):
        here_s = plays[late] if segment == late else startup_s + segment
        here_s = max(here_s, startup_s + segment, plays[late] if 0 <= late < segment else 0.0)
        rate_bps = LADDER_BPS[rung]
        size = {"id": segment, "size_bytes": rate_bps * SEGMENT_S / 8}
        want = {"kind": "segment", "track": "video", "segment": segment, "rung": rung}
        events.append((here_s - 0.5, 1, "fetch", {"id": segment, **want}))
        events.append((here_s, 2, "finished", size))
        ahead_s = sum(SEGMENT_S for at_s in plays[: segment + 1] if at_s >= here_s)
        ahead_s += sum(at_s + SEGMENT_S - here_s for at_s in plays if at_s < here_s < at_s + 4)
        events.append((here_s, 6, "buffer", {"buffer_s": ahead_s}))
        play = {"segment": segment, "rung": rung, "duration_s": SEGMENT_S, "bitrate_bps": rate_bps}
        events.append((plays[segment], 4, "play", play))
    events.append((shown_s, 8, "ended", {"why": "complete"}))
    events.append((shown_s, 7, "state", _states("playing", "ended", "end of media")))
    for t_s, _, kind, fields in sorted(events, key=lambda event: event[:2]):
        log.add(kind, t_s, **fields)  # type: ignore[arg-type]  # kinds above are all known
    return log


def _states(before: str, after: str, why: str) -> dict[str, str]:
    return {"from": before, "to": after, "why": why}
