"""Play odd streams, and say how each went beside how it ought to."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from abr import qoe
from abr.errors import AbrError
from abr.log import SessionLog
from abr.qoe import shortfall
from abr.trace import Trace
from player import PlayerConfig, play, replay
from tests.odd.media import SEGMENTS, Media
from tests.odd.server import OddServer
from tests.odd.stream import Odd, Seen
from transcode.run.ffmpegtools import find

SLACK_S = 0.25
PEER_LIMIT_S = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one stream went."""

    odd: Odd
    outcome: str
    """plays, refused, HANG or INTERNAL."""
    fault: str
    """How that differs from what was expected; empty when it does not."""
    seen: Seen | None
    peers: Mapping[str, str] = field(default_factory=dict)
    """What others made of it, by their name."""

    @property
    def is_right(self) -> bool:
        """Whether it went as expected."""
        return not self.fault


def notes_of(log: SessionLog | None) -> list[str]:
    """What the log notes of things that were left out or put right."""
    return (
        []
        if log is None
        else [str(record.get("text", record)) for record in log.records if record["e"] == "note"]
    )


async def play_odd(server: OddServer, odd: Odd, media: Media) -> Row:
    """Play one stream with our player."""
    server.streams[odd.name] = odd.make(media)
    options = dict(odd.play)
    config = PlayerConfig(**options.pop("config", {}))
    kbps = options.pop("trace_kbps", None)
    if kbps is not None:
        options["trace"] = Trace.constant(kbps * 1e3)
    url = (
        server.url(odd.name, odd.start, odd.host)
        if not odd.start.startswith("http:")
        else odd.start
    )
    begun_s = time.monotonic()
    log, error, is_fault = None, "", False
    try:
        async with asyncio.timeout(odd.expect.within_s):
            log = await play(url, config=config, **options)
        error = shortfall(log)
        is_fault = "fault of abr" in error
    except TimeoutError:
        return Row(odd=odd, outcome="HANG", fault=f"over {odd.expect.within_s:g} s", seen=None)
    except AbrError as exc:
        error = str(exc)
    except Exception as exc:  # noqa: BLE001  # what is looked for
        error, is_fault = f"{type(exc).__name__}: {exc}", True
    seen = Seen(
        log=log,
        error=error,
        asked=tuple(server.asked.get(odd.name, ())),
        notes=notes_of(log),
        played_s=qoe.summary(log).played_s if log is not None else 0.0,
        elapsed_s=time.monotonic() - begun_s,
    )
    if is_fault:
        return Row(odd=odd, outcome="INTERNAL", fault=error, seen=seen)
    fault = _fault(odd, seen) or await asyncio.to_thread(_replay_fault, odd, seen)
    return Row(odd=odd, outcome="refused" if error else "plays", fault=fault, seen=seen)


def _replay_fault(odd: Odd, seen: Seen) -> str:
    """How a replay of the log, as it is written, differs from it; empty when it does not."""
    if seen.log is None or "algorithm" not in seen.log.provenance:
        return ""  # playback never began
    algorithm = odd.play.get("algorithm")
    given = None if isinstance(algorithm, str) else algorithm
    written = SessionLog.loads(seen.log.dumps())
    try:
        again = replay(written, algorithm=given)
    except Exception as exc:  # noqa: BLE001  # what is looked for
        return f"replay: {type(exc).__name__}: {exc}"
    for old, new in zip_longest(written.records, SessionLog.loads(again.dumps()).records):
        if old != new:
            return f"replay differs: {new}; recorded {old}"
    return ""


def _fault(odd: Odd, seen: Seen) -> str:
    """How a playback differs from what was expected."""
    expect = odd.expect
    verdict = "refused" if seen.error else "plays"
    if verdict != expect.verdict:
        return f"{verdict}; expected that it {expect.verdict}: {seen.error}"
    if expect.played_s is not None and abs(seen.played_s - expect.played_s) > SLACK_S:
        return f"{seen.played_s:.2f} s played; expected {expect.played_s:g}"
    where = [seen.error] if seen.error else list(seen.notes)
    if expect.words and not any(re.search(expect.words, text) for text in where):
        return f"nowhere {expect.words!r}: {'; '.join(where) or 'no note'}"
    if "\n" in seen.error:
        return f"an error of several lines: {seen.error!r}"
    return expect.check(seen) if expect.check else ""


async def ask_ffmpeg(url: str, seconds: float) -> str:
    """What ffmpeg makes of a stream: ``plays``, or why not."""
    command = [find("ffmpeg").path, "-nostdin", "-v", "error", "-rw_timeout", "4000000"]
    command += ["-protocol_whitelist", "file,http,https,tcp,tls,crypto,data", "-i", url]
    command += ["-map", "0:v:0?", "-map", "0:a:0?", "-c", "copy", "-progress", "pipe:1"]
    process = await asyncio.create_subprocess_exec(
        *command, "-f", "null", "-", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PEER_LIMIT_S):
            out, err = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return "hangs"
    times = re.findall(rb"out_time_us=([0-9]+)", out)
    got_s = int(times[-1]) / 1e6 if times else 0.0
    if process.returncode == 0 and got_s >= seconds - 0.5:
        return "plays"
    if process.returncode == 0 and got_s > 0:
        return f"plays {got_s:.1f} s"
    lines = err.decode(errors="replace").strip().splitlines() or ["nothing"]
    return "fails: " + re.sub(r"\[[^]]*\] ", "", lines[0])[:60]


Peer = Callable[[str, float], Awaitable[str]]
"""Makes something of a URL that is expected to last so many seconds."""


async def play_all(
    server: OddServer,
    odds: Sequence[Odd],
    media: Media,
    *,
    jobs: int = 8,
    peers: Mapping[str, Peer] | None = None,
) -> list[Row]:
    """Play streams beside each other, and let peers play them too, with files of their own."""
    slots = asyncio.Semaphore(jobs)
    of_peers = asyncio.Semaphore(max(2, jobs // 4))

    async def one(odd: Odd) -> Row:
        async with slots:
            row = await play_odd(server, odd, media)
        found = {}
        for name, peer in (peers or {}).items():
            if not odd.other_players or odd.start.startswith("http:"):
                continue
            stream = f"{odd.name}~{name}"
            server.streams[stream] = odd.make(media)
            async with of_peers:
                url = server.url(stream, odd.start, odd.host)
                found[name] = await peer(url, odd.expect.played_s or float(SEGMENTS))
        return replace(row, peers=found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        return await asyncio.gather(*(one(odd) for odd in odds))


def as_dict(row: Row) -> dict[str, Any]:
    """A row for ``--json``."""
    seen = row.seen
    return {
        "stream": row.odd.name,
        "topic": row.odd.topic,
        "why": row.odd.why,
        "expected": row.odd.expect.verdict,
        "outcome": row.outcome,
        "fault": row.fault,
        "error": seen.error if seen else "",
        "notes": list(seen.notes) if seen else [],
        "played_s": seen.played_s if seen else None,
        "elapsed_s": seen.elapsed_s if seen else None,
        "peers": dict(row.peers),
    }
