"""Child processes that do not outlive the block that runs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from abr.errors import ToolMissingError

_READ_BYTES = 1 << 16
_PIPES_CLOSE_S = 1.0


@contextlib.asynccontextmanager
async def child_process(
    command: Sequence[str], *, passed: Sequence[int] = (), has_input: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``command`` while the block runs; its output and log are pipes.

    However the block ends, cancellation included, the process has ended and its pipes are
    closed before the caller goes on.

    Args:
        command: The program and its arguments.
        passed: File descriptors that it inherits.
        has_input: Its standard input is a pipe too.

    Raises:
        ToolMissingError: it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if has_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=tuple(passed),
            # Ctrl-C is not to reach the child: our own clean-up ends it.
            start_new_session=True,
        )
    except OSError as exc:
        raise ToolMissingError(
            f"{command[0]}: {(exc.strerror or 'cannot be started').lower()}; "
            "`abr doctor` shows which tools can be used"
        ) from exc
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await _finish(asyncio.ensure_future(_end(process)))


async def _finish(task: asyncio.Future[None]) -> None:
    """Wait for ``task`` however often this is cancelled; it ends within a limit."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait until the process is gone and its pipes are closed, before the loop is."""
    await process.wait()
    with contextlib.suppress(TimeoutError):  # a child of its own may hold them
        async with asyncio.timeout(_PIPES_CLOSE_S):
            for pipe in (process.stdout, process.stderr):
                while pipe is not None and await pipe.read(_READ_BYTES):
                    pass
