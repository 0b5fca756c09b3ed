"""The lines of the access log, and of the edge view of what players report.

One JSON object on each line. ``abr cache simulate`` reads the access log: ``t_s``, ``key`` and
``size_bytes`` are what it needs. No token is ever written: keys are those of the cache.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from zlib import crc32

from edge.operations.cmcd import Cmcd, strip_query
from origin.tokens.redaction import redact

Outcome = Literal["hit", "stale", "revalidated", "collapsed", "miss", "bypass", "own", "error"]
"""What came of a request; ``own``: it was about the edge itself, or refused."""

Reason = Literal["", "content", "health", "other"]
"""Why a miss: ``content``: not held; ``health``: the parent failed; ``other``: it may not be
answered from a cache, or the client asked for the parent."""


class Served(NamedTuple):
    """What is known of one request when its answer is over; made for each, so a plain tuple."""

    t_s: float
    """When it came, seconds since the epoch."""
    method: str
    target: str
    """Path and query as received."""
    status: int
    cache_status: str
    """``Cache-Status`` of the answer; empty: it has none."""
    size_bytes: int
    """Size of the whole object; -1: not known."""
    sent_bytes: int
    """Body bytes that were sent."""
    first_byte_s: float
    """From the request to the head of the answer."""
    took_s: float
    """From the request to the end of the answer."""
    cmcd: Cmcd


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFormat:
    """What all lines of one edge have in common."""

    edge: str
    tier: str
    has_tokens: bool
    """Paths hold tokens, and queries are not part of keys."""

    def key_of(self, target: str) -> str:
        """The key that a target has in the cache, without a token or what a player reports."""
        if not self.has_tokens:
            path, mark, query = strip_query(target).partition("?")
            # A query may hold a secret; its digest still tells keys apart.
            digest = blake2b(query.encode("utf-8", "replace"), digest_size=8).hexdigest()
            return redact(path) + (f"?{digest}" if mark else "")
        parts = target.partition("?")[0].split("/", 3)
        if len(parts) == 4 and parts[1] == "t":
            return f"/{parts[3]}"
        return redact(target.partition("?")[0])

    def access(self, served: Served) -> dict[str, Any]:
        """A line of the access log."""
        outcome, reason = classify(served.cache_status, served.status)
        line: dict[str, Any] = {
            "t_s": round(served.t_s, 3),
            "key": self.key_of(served.target),
            "size_bytes": served.size_bytes if served.size_bytes >= 0 else served.sent_bytes,
            "method": served.method,
            "status": served.status,
            "cache": outcome,
            "sent_bytes": served.sent_bytes,
            "ttfb_s": round(served.first_byte_s, 6),
            "took_s": round(served.took_s, 6),
            "edge": self.edge,
            "tier": self.tier,
        }
        if reason:
            line["reason"] = reason
        if served.cmcd.session:
            line["session"] = served.cmcd.session
        return line

    def view(self, cmcd: Cmcd, *, t_s: float, served: Served | None = None) -> dict[str, Any]:
        """A line of the edge view: what a player said, in our units, and what it got.

        Args:
            cmcd: What it said.
            t_s: When, seconds since the epoch.
            served: The request that said it; None: a report.
        """
        line: dict[str, Any] = {"t_s": round(t_s, 3), "edge": self.edge, "tier": self.tier}
        line |= view_of(cmcd)
        if served is not None:
            line["key"] = self.key_of(served.target)
            line["status"] = served.status
            line["cache"] = classify(served.cache_status, served.status)[0]
            line["sent_bytes"] = served.sent_bytes
            line["took_s"] = round(served.took_s, 6)
        return line


def samples(key: str, share: float) -> bool:
    """Whether requests for a key are logged: all of a key's, or none.

    So the log of a tenth of the keys, replayed into a tenth of the cache, has the same hit ratio.
    Source: C. Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015, section 3.
    """
    return share >= 1.0 or crc32(key.encode("utf-8", "replace")) < share * 2**32


_MEMBER_HIT = re.compile(r";\s*hit\b")
_FORWARD = re.compile(r";\s*fwd=([a-z-]+)")


def classify(cache_status: str, status: int) -> tuple[Outcome, Reason]:
    """What came of a request, from the last member of its ``Cache-Status`` (RFC 9211)."""
    own = cache_status.rpartition(",")[2]
    forward = _FORWARD.search(own)
    failed = "parent-failed" in own
    if _MEMBER_HIT.search(own):
        if failed:
            return "stale", "health"
        return ("stale", "") if "ttl=-" in own else ("hit", "")
    if forward is None:
        return ("error", "health") if status >= 500 else ("own", "")
    why = forward[1]
    if why in ("bypass", "method", "request"):
        return "bypass", "other"
    if status >= 500:
        return "error", "health"
    if "fwd-status=304" in own:
        return "revalidated", "content"
    if re.search(r";\s*collapsed\b", own):
        return "collapsed", "content"
    return "miss", "content"


_NUMBERS: Mapping[str, tuple[str, float]] = {
    "ab": ("bitrate_bps", 1000.0),  # of picture and sound together, where br is not known
    "tab": ("top_bitrate_bps", 1000.0),
    "br": ("bitrate_bps", 1000.0),
    "tb": ("top_bitrate_bps", 1000.0),
    "bl": ("buffer_s", 0.001),
    "dl": ("deadline_s", 0.001),
    "d": ("duration_s", 0.001),
    "mtp": ("throughput_bps", 1000.0),
    "rtp": ("requested_bps", 1000.0),
    "msd": ("startup_s", 0.001),
    "ltc": ("latency_s", 0.001),
    "pt": ("playhead_s", 0.001),
    "pr": ("rate", 1.0),
    "bsda": ("stalled_s", 0.001),
    "bsa": ("stalls", 1.0),
    "sn": ("sequence", 1.0),
    "rc": ("response_status", 1.0),
    "ttfb": ("player_ttfb_s", 0.001),
    "ttlb": ("player_took_s", 0.001),
}
_STATES = {
    "s": "startup", "p": "playing", "k": "seeking", "r": "stalled", "a": "paused", "w": "waiting",
    "e": "ended", "f": "failed", "q": "quit", "d": "preloading",
}  # fmt: skip
_KINDS = {
    "m": "manifest", "a": "audio", "v": "video", "av": "muxed", "i": "init", "c": "captions",
    "tt": "text", "k": "key", "o": "other",
}  # fmt: skip


def view_of(cmcd: Cmcd) -> dict[str, Any]:
    """What a player said, in the words and units of session logs."""
    line: dict[str, Any] = {}
    for key, name in (("sid", "session"), ("cid", "content"), ("e", "event"), ("ec", "error")):
        if (word := cmcd.word(key)) is not None:
            line[name] = word
    for key, (name, factor) in _NUMBERS.items():
        if (number := cmcd.number(key)) is not None:
            line[name] = round(number * factor, 6)
    stalls = cmcd.values.get("bsd")
    if isinstance(stalls, tuple):
        each = [item[0] if isinstance(item, tuple) else item for item in stalls]
        line["stall_s"] = [round(ms * 0.001, 3) for ms in each if isinstance(ms, int | float)]
    elif (one := cmcd.number("bsd")) is not None:
        line["stall_s"] = [round(one * 0.001, 3)]
    if (state := cmcd.word("sta")) is not None:
        line["state"] = _STATES.get(state, state)
    if (kind := cmcd.word("ot")) is not None:
        line["kind"] = _KINDS.get(kind, kind)
    for key, name in (("bs", "starved"), ("su", "urgent"), ("bg", "background")):
        if cmcd.is_set(key):
            line[name] = True
    if (ts := cmcd.number("ts")) is not None:
        line["player_t_s"] = round(ts * 0.001, 3)
    return line


def dumps(line: Mapping[str, Any]) -> str:
    """A line as it is written, with the line break."""
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSide:
    """What the edges know of one session."""

    requests: int
    hits: int
    sent_bytes: int
    starved: int
    """Requests that said the buffer had run empty."""
    stalled_s: float
    """Stalls that the player reported: their total, or each, or when it stalled and went on."""
    mean_bitrate_bps: float | None
    """Of the video requests, each counted once."""
    least_buffer_s: float | None
    edges: tuple[str, ...]


def join_session(lines: Iterable[str], session: str) -> EdgeSide:
    """The edges' side of one session, to be set beside its session log.

    Args:
        lines: The edge view, of one edge or of several one after the other.
        session: The session id, which is also in the provenance of the session log.
    """
    rows = [row for row in _rows(lines) if row.get("session") == session]
    served = [row for row in rows if "status" in row]
    bitrates = [
        row["bitrate_bps"]
        for row in served
        if row.get("kind") in ("video", "muxed") and "bitrate_bps" in row
    ]
    buffers = [row["buffer_s"] for row in rows if "buffer_s" in row]
    totals = [row["stalled_s"] for row in rows if "stalled_s" in row]
    stalls = [each for row in rows for each in row.get("stall_s", ())]
    return EdgeSide(
        requests=len(served),
        hits=sum(row.get("cache") == "hit" for row in served),
        sent_bytes=sum(row.get("sent_bytes", 0) for row in served),
        starved=sum(bool(row.get("starved")) for row in rows),
        stalled_s=round(
            max(totals) if totals else sum(stalls) if stalls else stalled_by_states_s(rows), 3
        ),
        mean_bitrate_bps=sum(bitrates) / len(bitrates) if bitrates else None,
        least_buffer_s=min(buffers) if buffers else None,
        edges=tuple(sorted({row["edge"] for row in rows})),
    )


def stalled_by_states_s(rows: Iterable[Mapping[str, Any]]) -> float:
    """Seconds stalled, by the states that one player reported and when each began.

    Reports may arrive in any order. A stall that never ended counts up to the last report. What
    follows a seek or the startup belongs to it, although hls.js 1.7 reports it as a stall.

    Args:
        rows: Of one session; those without a state or the player's time are left out.
    """
    reports = sorted(
        (row["player_t_s"], row.get("sequence", 0), row["state"])
        for row in rows
        if "state" in row and "player_t_s" in row
    )
    total_s, since_s, before = 0.0, None, ""
    for t_s, _, state in reports:
        if since_s is not None:
            total_s += t_s - since_s
        if state == "stalled" and before in ("seeking", "startup"):
            continue
        since_s, before = (t_s if state == "stalled" else None), state
    return float(total_s)


def _rows(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The objects of a log; the last line may have been cut by a crash."""
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row
