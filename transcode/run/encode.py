"""One job done, wherever this runs: ffmpeg, its products checked, and put into the cache.

Everything that a worker needs is in an ``EncodeTask``. A product gets its name in the cache only
when it was written as it came, holds the frames that it must, begins with a key frame, and
decodes. Exit codes are not believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from abr.errors import MissingFileError, ToolFailedError, ToolMissingError
from transcode.encoders.rates import RateControl
from transcode.encoders.video import VIDEO_ENCODERS
from transcode.ffmpeg import check_arguments, encode_arguments
from transcode.graphs.video import filters_needed
from transcode.media.fragments import under_head_of
from transcode.planning.jobs import AudioJob, Job, ProductName, VideoJob
from transcode.planning.plan import VideoPlan
from transcode.planning.products import Inspection, ProductFacts
from transcode.run.cache import Cache, is_full
from transcode.run.digests import digest_of
from transcode.run.ffmpegtools import ENCODING_NEEDS, LOOPBACK, Tool, find
from transcode.run.process import Outcome, Tick, run_ffmpeg
from transcode.verify import fault_of, plain_line

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""Times that a job is tried whose ffmpeg was killed by somebody else."""
CAP_TOLERANCE = 1.5
"""Most that a segment may take, of the cap of its rung: where that is the rate itself, the peak
stays well below twice the mean (Apple's item 1.30)."""
CAP_ATTEMPTS = 3
"""Times that a product over its cap is made again. x264 and x265 need one."""
_PIECE_BYTES = 1 << 18
_DECODED = re.compile(r"Input stream #(\d+):\d+ .*?(\d+) (?:frames|samples\)?) ?decoded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The master as workers find it."""

    path: str
    """From the root."""
    where: str
    """What messages call it."""
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path, where: str) -> Source:
        """The file at ``path`` as it is now."""
        stat = path.stat()
        return cls(
            path=str(path.absolute()),
            where=where,
            size_bytes=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
        )

    def check(self) -> None:
        """Check that the file is here, and is the one that was planned for.

        Raises:
            MissingFileError: it is not.
        """
        try:
            stat = os.stat(self.path)
        except OSError as exc:
            raise MissingFileError(
                f"{self.where}: not found on {socket.gethostname()} as {self.path}; expected the "
                "master at the same path wherever workers run"
            ) from exc
        if (stat.st_size, stat.st_mtime_ns) != (self.size_bytes, self.mtime_ns):
            raise MissingFileError(
                f"{self.where}: is another file on {socket.gethostname()}, or was changed "
                "meanwhile; expected the master as it was when planned; start again"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeTask:
    """A job with everything that a worker needs for it."""

    job: Job
    addresses: tuple[str, ...]
    """Of its products, in order."""
    source: Source
    cache: Cache
    build: str
    """Digest of the ffmpeg that the addresses stand for."""
    in_full: bool
    """Decode products in full as a check, not key frames only."""
    stall_limit_s: float

    async def do(
        self,
        on_tick: Callable[[Tick], None] | None = None,
        on_eased: Callable[[], None] = lambda: None,
    ) -> None:
        """Do the job; its products are in the cache afterwards. See ``Task``.

        Raises:
            DamagedError: the master is damaged, and the job does not allow for it.
            MissingFileError: the master or the cache is not to be found here.
            ToolMissingError, ToolFailedError: ffmpeg.
            DiskFullError: no room in the cache.
        """
        self.source.check()
        tool = tool_for([self.job])
        check_build(tool, self.build, self.cache)
        with reaching(self.cache), self.cache.workspace() as folder:
            made = await _make(self, self.job, folder, on_tick)
            if isinstance(self.job, VideoJob):
                made = await _within_caps(self, self.job, made, folder)
            on_eased()
            await _check_decode(self, made, tool.path)
            for each, address in zip(made, self.addresses, strict=True):
                self.cache.put(each.path, address, each.facts)


@contextlib.contextmanager
def reaching(cache: Cache) -> Iterator[None]:
    """Say in words what is wrong where ``cache`` cannot be written to here.

    Raises:
        MissingFileError: it is not to be found.
        DiskFullError: it has no room.
    """
    try:
        yield
    except FileNotFoundError as exc:
        if isinstance(exc, (MissingFileError, ToolMissingError)):
            raise
        raise MissingFileError(
            f"{cache.folder}: not found on {socket.gethostname()}; expected the cache at the "
            "same path wherever workers run"
        ) from exc
    except OSError as exc:
        if is_full(exc):
            raise cache.full() from exc
        raise


def check_build(tool: Tool, build: str, cache: Cache) -> None:
    """Check that ``tool`` is the ffmpeg that addresses stand for.

    Raises:
        ToolMissingError: it is another one.
    """
    if build_of(tool, cache) != build:
        raise ToolMissingError(
            f"{socket.gethostname()}: ffmpeg {tool.version} ({tool.path}) is another build than "
            "the one planned with; expected the same wherever workers run"
        )


def tool_for(jobs: Sequence[Job]) -> Tool:
    """The ffmpeg that can do all of ``jobs``.

    Raises:
        ToolMissingError: there is none.
    """
    needs = {need: None for job in jobs for need in needs_of(job)}
    return find("ffmpeg", tuple(needs))


def needs_of(job: Job) -> tuple[str, ...]:
    """Encoders, filters and decoders that ``job`` needs."""
    if not isinstance(job, VideoJob):
        return (*ENCODING_NEEDS, LOOPBACK, *(["libopus"] if job.audio.codec == "opus" else []))
    rungs = [rung for _, rung in job.rungs]
    encoders = [VIDEO_ENCODERS[rung.codec] for rung in rungs]
    names = [each.name for each in encoders]
    # What cannot be decoded cannot be checked: better known before than after.
    decoders = [each.decoder for each in encoders if each.decoder]
    needs = (*ENCODING_NEEDS, *names, *decoders, *filters_needed(job.pictures, rungs))
    return tuple(dict.fromkeys(needs))


def build_of(tool: Tool, cache: Cache) -> str:
    """What tells this ffmpeg from others: its version, and the digest of its file."""
    return f"{tool.version} {digest_of(Path(tool.path), cache.digests)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A product on the disk, read back."""

    path: Path
    facts: ProductFacts
    key_frames: int
    fastest_bps: float
    """Rate of the segment of the highest rate; 0 of sound."""
    fastest_s: float
    """Its duration."""


async def _make(
    task: EncodeTask, job: Job, folder: Path, on_tick: Callable[[Tick], None] | None = None
) -> list[_Made]:
    """Run ffmpeg, and read what it delivered."""
    digests = await encode(
        job, Path(task.source.path), task.source.where, folder,
        on_tick=on_tick, stall_limit_s=task.stall_limit_s,
    )  # fmt: skip
    return [
        await asyncio.to_thread(_inspect, job, product_path(folder, name), str(name), digest)
        for name, digest in zip(job.products, digests, strict=True)
    ]


async def _within_caps(
    task: EncodeTask, job: VideoJob, made: Sequence[_Made], folder: Path
) -> list[_Made]:
    """The products, those again that have a segment over their cap by more than a half.

    Under tighter controls, ``CAP_ATTEMPTS`` times at the most. The same bytes come out of the
    same job, so their addresses stand.
    """
    best = dict(zip((track for track, _ in job.rungs), made, strict=True))
    caps = {track: rung.rate_control.peak_bps for track, rung in job.rungs}
    last, rungs = dict(best), dict(job.rungs)
    for attempt in range(CAP_ATTEMPTS):
        rungs = {
            track: replace(rung, rate_control=_tightened(rung, last[track], caps[track]))
            for track, rung in rungs.items()
            if last[track].fastest_bps > CAP_TOLERANCE * caps[track]
        }
        if not rungs:
            break
        logger.info("%s: over the cap in %s, made again", job, ", ".join(rungs))
        again = folder / f"again-{attempt}"
        again.mkdir()
        found = await _make(task, replace(job, rungs=tuple(rungs.items())), again)
        last = dict(zip(rungs, found, strict=True))
        best |= {
            track: each
            for track, each in last.items()
            if each.fastest_bps < best[track].fastest_bps
        }
    return [
        await asyncio.to_thread(_restated, job, first, best[track], str(name))
        for (track, _), first, name in zip(job.rungs, made, job.products, strict=True)
    ]


def _tightened(rung: VideoPlan, made: _Made, cap_bps: int) -> RateControl:
    return rung.rate_control.tightened(
        excess=made.fastest_bps / cap_bps,
        duration_s=made.fastest_s,
        keeps_buffer=VIDEO_ENCODERS[rung.codec].keeps_buffer,
    )


def _restated(job: VideoJob, first: _Made, again: _Made, name: str) -> _Made:
    """The last product behind the head of the first: all chunks state the same rates."""
    if again is first:
        return first
    whole = under_head_of(first.path.read_bytes(), again.path.read_bytes())
    first.path.write_bytes(whole)
    return _inspect(job, first.path, name, hashlib.sha256(whole).hexdigest())


def product_path(folder: Path, name: ProductName) -> Path:
    """The file of a product while it is made."""
    return folder / f"{name}.mp4"


async def encode(
    job: Job,
    master: Path,
    where: str,
    folder: Path,
    *,
    on_tick: Callable[[Tick], None] | None = None,
    stall_limit_s: float = 60.0,
) -> list[str]:
    """Run ffmpeg for ``job``, again if somebody kills it; what it delivers is not checked yet.

    Args:
        job: What to encode.
        master: The master.
        where: What messages call it.
        folder: Where products go; see ``product_path``.
        on_tick: Called with the progress about twice a second.
        stall_limit_s: Most seconds without any progress.

    Returns:
        SHA-256 of each product, as ffmpeg delivered it.

    Raises:
        DamagedError: the master is damaged, and the job does not allow for it.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    program = tool_for([job]).path
    paths = [product_path(folder, name) for name in job.products]
    marks = job.marks if isinstance(job, VideoJob) else b""
    for attempt in range(1, ATTEMPTS + 1):
        with contextlib.ExitStack() as stack:
            writers = [_Writer(stack.enter_context(path.open("wb"))) for path in paths]
            outcome = await run_ffmpeg(
                lambda outputs: encode_arguments(
                    job, str(master.absolute()), outputs, program=program
                ),
                [writer.write for writer in writers],
                feed=[marks] if marks else None,
                on_tick=on_tick,
                stall_limit_s=stall_limit_s,
            )
        if outcome.is_complete if job.is_damaged else outcome.is_clean:
            return [writer.digest for writer in writers]
        if not outcome.was_killed:
            raise fault_of(where, outcome.reason())
        logger.info("%s: ffmpeg was killed, attempt %d of %d", job, attempt, ATTEMPTS)
    raise ToolFailedError(
        f"{where}: {job}: ffmpeg was killed {ATTEMPTS} times by somebody else; "
        "expected it to end by itself; is there enough memory?"
    )


class _Writer:
    """Writes what comes, and knows its digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def __repr__(self) -> str:
        return f"<_Writer of {self._file.name}>"

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _inspect(job: Job, path: Path, name: str, digest: str) -> _Made:
    """What a product is, read back from the disk."""
    segment_frames = job.pictures.segment_frames if isinstance(job, VideoJob) else 0
    inspection = Inspection(name, segment_frames=segment_frames)
    read = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_PIECE_BYTES):
            read.update(data)
            inspection.feed(data)
    if read.hexdigest() != digest:
        raise ToolFailedError(
            f"{path}: reads back otherwise than it was written; expected the same bytes; "
            "check the disk"
        )
    facts = inspection.close(job, digest)
    fastest_bps, fastest_s = inspection.fastest
    return _Made(
        path=path,
        facts=facts,
        key_frames=inspection.key_frames,
        fastest_bps=fastest_bps,
        fastest_s=fastest_s,
    )


async def _check_decode(task: EncodeTask, made: Sequence[_Made], program: str) -> None:
    """Decode the products, all in one process."""
    in_full = task.in_full or isinstance(task.job, AudioJob)
    counts: dict[int, int] = {}

    def count(line: str) -> None:
        if found := _DECODED.search(line):
            counts[int(found[1])] = int(found[2])

    outcome: Outcome = await run_ffmpeg(
        lambda _outputs: check_arguments([str(each.path) for each in made], in_full=in_full,
                                         program=program),
        on_line=count,
        stall_limit_s=task.stall_limit_s,
    )  # fmt: skip
    for number, (name, each) in enumerate(zip(task.job.products, made, strict=True)):
        expected = each.facts.samples if in_full else each.key_frames
        if not outcome.is_clean or counts.get(number, 0) < expected:
            found = (
                f"{counts.get(number, 0)} of {expected} frames decode"
                if outcome.is_clean
                else f"does not decode: {plain_line(outcome.reason())}"
            )
            raise ToolFailedError(
                f"{name}: {found}; expected what was encoded; encode again, and report it if it "
                "happens again"
            )
