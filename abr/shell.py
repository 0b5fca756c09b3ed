"""What commands share in dealing with the operating system: signals, clean-up, errors.

Asynchronous commands run through ``run_async``: Ctrl-C, SIGTERM and a closing terminal
cancel the main task, and everything it started has a limited time to finish. Only light
parts of the standard library are imported, because ``abr --help`` imports this module.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from types import FrameType
from typing import Any, NoReturn, TypeVar

from abr.errors import AbrError

T = TypeVar("T")

INTERRUPTED_EXIT_CODE = 130
"""128 + SIGINT, the convention of shells."""

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
"""Operating-system errors for which the name of the file is explanation enough."""

REPEATS_S = 1.0
"""Signals within this time of the first count as one: ``timeout`` and ``make`` signal both the
process and its group."""

IMPORT_WITHIN_S = 2.0
"""Longest time for which an interruption waits until modules have been loaded."""

RETRY_S = 0.05

NO_ROOM_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})


def reason_of(exc: OSError) -> str:
    """What the operating system says about ``exc``, as part of a longer message."""
    return (exc.strerror or type(exc).__name__).lower()


def one_line(text: object) -> str:
    """``text`` on one line: white space around line breaks becomes a single space."""
    return " ".join(part.strip() for part in str(text).splitlines() if part.strip())


def note(text: str) -> None:
    """Print a note for the user on one line of stderr, apart from the result."""
    print(f"abr: note: {one_line(text)}", file=sys.stderr, flush=True)


def cause_of(exc: BaseException) -> BaseException:
    """The exception to show for ``exc``: of a group, preferably an ``AbrError``."""
    if not isinstance(exc, BaseExceptionGroup):
        return exc
    leaves = [cause_of(each) for each in exc.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, AbrError)), leaves[0])


def explain(exc: BaseException) -> str:
    """Describe on one line the exception that ended a command."""
    shown = cause_of(exc)
    if isinstance(shown, OSError) and shown.errno in NO_ROOM_ERRORS:
        where = f"{shown.filename}: " if shown.filename else ""
        return f"{where}no space left on the disk; free some space and run the command again"
    if isinstance(shown, AbrError):
        return one_line(shown) or type(shown).__name__
    if isinstance(shown, OSError) and shown.errno in NAMED_FILE_ERRORS and shown.filename:
        return f"{shown.filename}: {shown.strerror}"
    what = one_line(shown)
    name = type(shown).__name__
    found = f"{name}: {what}" if what else name
    return f"internal error: {found}; run the same command with --debug for the traceback"


def stdout_is_gone() -> bool:
    """Whether the reader of standard output has stopped reading, as ``head`` does."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError, AttributeError):
        return False


def discard_stdout() -> None:
    """Discard what is still buffered for standard output."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Interrupt:
    """Handler of SIGINT that raises ``KeyboardInterrupt``, but not in the middle of an import.

    Compiled modules, numpy's among them, may discard what is raised while they load, and the
    command would run on. It is raised once the import has ended, or has taken
    ``IMPORT_WITHIN_S``.
    """

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._retries = False

    def __repr__(self) -> str:
        return f"_Interrupt(since {self._since_s} s)"

    def __call__(self, _signum: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._since_s is None:
            self._since_s = now_s
        if _is_importing(frame) and now_s - self._since_s < IMPORT_WITHIN_S:
            if not self._retries:
                self._retries = True
                timer = threading.Timer(RETRY_S, self._retry)
                timer.daemon = True
                timer.start()
            return
        self._since_s = None
        raise KeyboardInterrupt

    def _retry(self) -> None:
        self._retries = False
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGINT)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


interrupt = _Interrupt()


def interrupt_on_termination() -> None:
    """Make SIGTERM and SIGHUP act like Ctrl-C, so that ``finally`` blocks run."""

    def act_like_ctrl_c(_signum: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a script started it with "&"
            signal.signal(signal.SIGINT, interrupt)
        signal.raise_signal(signal.SIGINT)

    for name in (signal.SIGTERM, signal.SIGHUP):
        if (
            signal.getsignal(name) == signal.SIG_DFL
        ):  # otherwise nohup ignores it, or the caller handles it
            signal.signal(name, act_like_ctrl_c)


def run_async(main: Coroutine[Any, Any, T], *, clean_up_s: float = 10.0) -> T:
    """Run an asyncio program to completion and return its result.

    Args:
        main: The program; its tasks belong to task groups, so cancelling it ends them.
        clean_up_s: Time limit for clean-up after an interruption. When it has passed, or at
            a second interruption, child processes are killed and the process exits
            immediately with exit code 130.

    Raises:
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP was received, and clean-up is done.
    """
    import asyncio

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

        # Signal handlers can be set in the main thread only.
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
            # Removing a handler from the loop restores the default, not what was there before.
            for name, handler in handlers.items():
                signal.signal(name, handler)


def _give_up(reason: str) -> NoReturn:
    """Kill the child processes and exit without clean-up."""
    for pid in _children():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    print(
        f"abr: error: {reason}; unfinished temporary files may remain",
        file=sys.stderr,
        flush=True,
    )
    os._exit(INTERRUPTED_EXIT_CODE)


def _children() -> list[int]:
    """Process ids of direct children; empty if the kernel does not list them."""
    tasks = f"/proc/{os.getpid()}/task"
    pids: list[int] = []
    try:
        for thread in os.listdir(tasks):
            with open(f"{tasks}/{thread}/children", encoding="ascii") as file:
                pids += [int(pid) for pid in file.read().split()]
    except OSError:
        pass
    return pids
