"""Where a command meets the operating system: signals, clean-up, one-line errors.

Commands that are asyncio programs run through ``run_async``: Ctrl-C, SIGTERM and
a closing terminal cancel the main task, and everything it started gets a limited
time to end. Imports nothing but light parts of the standard library, because
``abr --help`` imports it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any, NoReturn, TypeVar

from abr.errors import AbrError

T = TypeVar("T")

INTERRUPTED_EXIT_CODE = 130
"""128 + SIGINT, as shells count."""

NAMED_FILE_ERRORS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.ENOENT,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.EROFS,
        errno.EEXIST,
        errno.ENOTEMPTY,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EMFILE,
    }
)
"""Errors of the operating system that the file's name explains well enough."""

REPEATS_S = 1.0
"""Signals that follow the first within this time are the same wish, told twice: ``timeout``
and ``make`` signal both the process and its group."""

NO_ROOM_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})


def one_line(text: object) -> str:
    """``text`` on one line: runs of white space that hold a line break become one space."""
    return " ".join(part.strip() for part in str(text).splitlines() if part.strip())


def note(text: str) -> None:
    """Tell the user something beside the result: one line on stderr."""
    print(f"abr: note: {one_line(text)}", file=sys.stderr, flush=True)


def cause_of(exc: BaseException) -> BaseException:
    """The exception to show for ``exc``: inside a group, ours before any other."""
    if not isinstance(exc, BaseExceptionGroup):
        return exc
    leaves = [cause_of(each) for each in exc.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, AbrError)), leaves[0])


def explain(exc: BaseException) -> str:
    """One line for the terminal about what ended a command."""
    shown = cause_of(exc)
    if isinstance(shown, OSError) and shown.errno in NO_ROOM_ERRORS:
        where = f"{shown.filename}: " if shown.filename else ""
        return f"{where}no room left on the disk; free some space and run the command again"
    if isinstance(shown, AbrError):
        return one_line(shown) or type(shown).__name__
    if isinstance(shown, OSError) and shown.errno in NAMED_FILE_ERRORS and shown.filename:
        return f"{shown.filename}: {shown.strerror}"
    what = one_line(shown)
    name = type(shown).__name__
    found = f"{name}: {what}" if what else name
    return f"internal error: {found}; run the same command with --debug for the traceback"


def stdout_is_gone() -> bool:
    """Whether whoever read our output has stopped reading, as ``head`` does."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError, AttributeError):
        return False


def discard_stdout() -> None:
    """Send what is still buffered for a reader who has gone nowhere, quietly."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def interrupt_on_termination() -> None:
    """Let SIGTERM and SIGHUP act like Ctrl-C, so that ``finally`` blocks run."""

    def act_like_ctrl_c(_signum: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started with & by a script
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) == signal.SIG_DFL:  # nohup's choice is respected
            signal.signal(name, act_like_ctrl_c)


def run_async(main: Coroutine[Any, Any, T], *, clean_up_s: float = 10.0) -> T:
    """Run an asyncio program to its end and return what it returns.

    Args:
        main: The program; its tasks belong to task groups, so cancelling it ends them.
        clean_up_s: Seconds that clean-up may take after an interruption. After that,
            or at a second interruption, child processes are killed and the process
            leaves at once with exit code 130.

    Raises:
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP came, and clean-up is done.
    """
    import asyncio
    import threading

    interrupted_at_s: list[float] = []
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {name: signal.getsignal(name) for name in signals}
    watchdog = threading.Timer(clean_up_s, _give_up, (f"clean-up took over {clean_up_s:g} s",))
    watchdog.daemon = True

    async def under_watch() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            interrupted_at_s.append(loop.time())
            if len(interrupted_at_s) == 1:
                watchdog.start()
                task.cancel()
            elif interrupted_at_s[-1] - interrupted_at_s[0] > REPEATS_S:
                _give_up("interrupted again")

        # Outside the main thread there are no signals to handle.
        with contextlib.suppress(RuntimeError, ValueError):
            for name in signals:
                if handlers[name] != signal.SIG_IGN:
                    loop.add_signal_handler(name, interrupt)
        return await main

    try:
        with asyncio.Runner() as runner:
            return runner.run(under_watch())
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        if interrupted_at_s:
            raise KeyboardInterrupt from exc
        raise
    finally:
        watchdog.cancel()
        with contextlib.suppress(ValueError):
            for name, handler in handlers.items():  # the loop left the system's defaults
                signal.signal(name, handler)


def _give_up(why: str) -> NoReturn:
    """Kill our children and leave without clean-up."""
    for pid in _children():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    print(
        f"abr: error: {why}; unfinished temporary files may remain",
        file=sys.stderr,
        flush=True,
    )
    os._exit(INTERRUPTED_EXIT_CODE)


def _children() -> list[int]:
    """Process ids of our direct children; none where the kernel does not tell."""
    tasks = f"/proc/{os.getpid()}/task"
    pids: list[int] = []
    try:
        for thread in os.listdir(tasks):
            with open(f"{tasks}/{thread}/children", encoding="ascii") as file:
                pids += [int(pid) for pid in file.read().split()]
    except OSError:
        pass
    return pids
