"""Running ffmpeg: its tracks, its progress and its end.

Tracks come through pipes, so a full disk fails our own writes instead of changing ffmpeg's
exit code, which is never trusted alone. However a run ends, cancellation included, the
process has ended and every pipe is closed before the caller continues.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shlex
import signal
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from abr.errors import ToolFailedError
from abr.shell import cause_of
from transcode.run.child import child_process

logger = logging.getLogger(__name__)

Sink = Callable[[bytes], None]
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_TAIL_LINES = 12
_KEPT_ERRORS = 5
_KILLS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


@dataclass(frozen=True, slots=True)
class Tick:
    """Progress of a run."""

    frames: int
    media_s: float


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    exit_code: int = -1
    finished: bool = False
    """ffmpeg reported that it reached the end."""
    frames: int = 0
    """Frames of the first video output."""
    errors: list[str] = field(default_factory=list)
    """The first lines that it logged as errors."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    """The last lines that it logged."""

    @property
    def is_complete(self) -> bool:
        """Whether it came to its end, whatever it said on the way."""
        return self.exit_code == 0 and self.finished

    @property
    def was_killed(self) -> bool:
        """Whether somebody else ended it: the system for want of memory, or a person."""
        # ffmpeg catches SIGTERM and the like, and exits with 255.
        return -self.exit_code in _KILLS or (
            self.exit_code == 255 and any("received signal" in line for line in self.tail)
        )

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all went wrong."""
        return self.is_complete and not self.errors

    def reason(self) -> str:
        """The line of the log that best explains what went wrong."""
        lines = self.errors or list(self.tail)[-1:]
        return lines[0] if lines else f"exit code {self.exit_code} and an empty log"


async def run_ffmpeg(
    arguments_for: Callable[[Sequence[str]], Sequence[str]],
    sinks: Sequence[Sink] = (),
    *,
    feed: Iterable[bytes] | None = None,
    on_tick: Callable[[Tick], None] | None = None,
    on_line: Callable[[str], None] | None = None,
    stall_limit_s: float = 60.0,
) -> Outcome:
    """Run ffmpeg once.

    Args:
        arguments_for: Makes the command, given a name for each output.
        sinks: Called with the bytes of each output. An exception in one ends the run.
        feed: Bytes for its standard input; None gives it none.
        on_tick: Called with the progress about twice a second.
        on_line: Called with each line of the log.
        stall_limit_s: Most seconds without any progress.

    Raises:
        ToolMissingError: the program cannot be started.
        ToolFailedError: it made no progress for ``stall_limit_s``.
    """
    with contextlib.ExitStack() as stack:
        pipes = [_pipe(stack) for _ in sinks]
        command = list(arguments_for([f"pipe:{write.fileno()}" for _, write in pipes]))
        logger.debug("%s", shlex.join(command))
        watch = _Watch(stall_limit_s)
        outcome = Outcome()
        async with child_process(
            command,
            passed=[write.fileno() for _, write in pipes],
            has_input=feed is not None,
        ) as process:
            for _, write in pipes:
                write.close()
            try:
                async with asyncio.timeout(None) as watch.timeout, asyncio.TaskGroup() as tasks:
                    watch.touch()
                    for (read, _), sink in zip(pipes, sinks, strict=True):
                        tasks.create_task(_drain(read, sink, watch))
                    tasks.create_task(_read_progress(process, outcome, watch, on_tick))
                    tasks.create_task(_read_log(process, outcome, on_line))
                    if feed is not None:
                        tasks.create_task(_feed(process, feed, watch))
            except BaseExceptionGroup as group:
                raise cause_of(group) from group
            except TimeoutError as exc:
                last = f"; last line of its log: {outcome.reason()}" if outcome.tail else ""
                raise ToolFailedError(
                    f"{command[0]}: no progress for {stall_limit_s:g} s, ended{last}; "
                    "raise stall_limit_s if the machine is slow"
                ) from exc
            outcome.exit_code = await process.wait()
    return outcome


class _Watch:
    """Ends a run that makes no progress."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.timeout: asyncio.Timeout | None = None

    def __repr__(self) -> str:
        when = None if self.timeout is None else self.timeout.when()
        return f"<_Watch {self.limit_s:g} s, ends at {when}>"

    def touch(self) -> None:
        """Note that there was progress."""
        if self.timeout is not None:
            with contextlib.suppress(RuntimeError):  # already over
                self.timeout.reschedule(asyncio.get_running_loop().time() + self.limit_s)


def _pipe(stack: contextlib.ExitStack) -> tuple[_File, _File]:
    read, write = os.pipe()
    with contextlib.suppress(
        OSError
    ):  # the default size works too, with more switches between the processes
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return (
        stack.enter_context(_File(read)),
        stack.enter_context(_File(write)),
    )


class _File:
    """A file descriptor that is closed at most once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __repr__(self) -> str:
        state = "closed" if self._descriptor < 0 else f"descriptor {self._descriptor}"
        return f"<_File {state}>"

    def fileno(self) -> int:
        """Its number."""
        return self._descriptor

    def close(self) -> None:
        """Close it, or do nothing when it is closed."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


async def _drain(read: _File, sink: Sink, watch: _Watch) -> None:
    """Give a track's bytes to its sink until ffmpeg closes it."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_BYTES)
    file = os.fdopen(os.dup(read.fileno()), "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    try:
        while data := await reader.read(_READ_BYTES):
            watch.touch()
            sink(data)
    finally:
        transport.close()


async def _read_progress(
    process: asyncio.subprocess.Process,
    outcome: Outcome,
    watch: _Watch,
    on_tick: Callable[[Tick], None] | None,
) -> None:
    assert process.stdout is not None
    values: dict[str, str] = {}
    before: tuple[str | None, ...] = ()
    async for line in process.stdout:
        name, _, value = line.decode("utf-8", errors="replace").strip().partition("=")
        values[name] = value
        if name != "progress":
            continue
        outcome.finished = value == "end"
        outcome.frames = _number(values.get("frame"))
        now = (values.get("frame"), values.get("out_time_us"), values.get("total_size"))
        if now != before:
            before = now
            watch.touch()
        if on_tick is not None:
            on_tick(Tick(outcome.frames, _number(values.get("out_time_us")) / 1e6))


def _number(text: str | None) -> int:
    try:
        return max(0, int(text or 0))
    except ValueError:  # ffmpeg prints N/A before there is anything
        return 0


async def _read_log(
    process: asyncio.subprocess.Process,
    outcome: Outcome,
    on_line: Callable[[str], None] | None,
) -> None:
    assert process.stderr is not None
    while True:
        try:
            line = await process.stderr.readline()
        except ValueError:  # a line longer than the reader's limit is dropped
            continue
        if not line:
            return
        text = line.decode("utf-8", errors="replace").strip()
        if not text:
            continue
        logger.debug("ffmpeg: %s", text)
        outcome.tail.append(text)
        if on_line is not None:
            on_line(text)
        is_error = "[error]" in text or "[fatal]" in text or "[panic]" in text
        if is_error and len(outcome.errors) < _KEPT_ERRORS:
            outcome.errors.append(text)


async def _feed(
    process: asyncio.subprocess.Process, pieces: Iterable[bytes], watch: _Watch
) -> None:
    """Write ``pieces`` to the child; when it stops reading, its log tells why."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            process.stdin.write(piece)
            await process.stdin.drain()
            watch.touch()
        process.stdin.close()
        await process.stdin.wait_closed()
