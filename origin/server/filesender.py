"""One run of a file on its way to a client, at the client's pace and without a task.

``FileSender`` has the kernel copy the bytes from the file to the socket, so they never pass
through Python and a slow client costs a file position. ``PieceSender`` is for transports that
must see the bytes, such as TLS: it reads a small piece when there is room for one.

Both first make sure that the bytes are in the page cache, because reading from a disk would
stall every other client: bytes that are not are read in a thread first.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable

STEP_BYTES = 256 << 10
"""A client must take this much within the send limit."""

TURN_BYTES = 4 << 20
"""Sent to one client before others get their turn, however fast it reads."""

READ_BYTES = 1 << 20
"""Looked for in the page cache, and if need be read from the disk, at once."""

PIECE_BYTES = 64 << 10
"""Read at once for a transport that must see the bytes."""

_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})

_PROBE_BYTES = 256 << 10
_PROBE = bytearray(1)


def is_resident(file: int, offset: int, length: int) -> bool:
    """Whether these bytes of a file can be read without waiting for a disk, by samples.

    True as well where the file system cannot tell.
    """
    stop = offset + length
    for at in (*range(offset, stop, _PROBE_BYTES), stop - 1):
        try:
            os.preadv(file, (_PROBE,), at, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


def warm(file: int, offset: int, length: int) -> None:
    """Read these bytes of a file into the page cache, and close the descriptor.

    For a thread: it waits for the disk.

    Raises:
        OSError: they cannot be read.
    """
    try:
        os.posix_fadvise(file, offset, length, os.POSIX_FADV_WILLNEED)
        room, stop = bytearray(_PROBE_BYTES), offset + length
        while offset < stop:
            count = os.preadv(file, (room,), offset)
            if count == 0:
                return
            offset += count
    finally:
        os.close(file)


def send_now(
    sock: socket.socket, lead: bytes, file: int, offset: int, length: int
) -> tuple[bytes, int]:
    """Send ``lead`` and some bytes of a file, as far as there is room at once.

    Returns:
        What is left of ``lead``, and how many bytes of the file were sent. An error is not
        raised: whoever sends the rest will meet it.
    """
    count = 0
    try:
        # Held back until the file follows, so that the beginning of both is one segment.
        lead = lead[sock.send(lead, socket.MSG_MORE) :]
        if not lead:
            count = os.sendfile(sock.fileno(), file, offset, length)
    except OSError:
        pass
    return lead, count


class _Sender(ABC):
    """What both senders share: the run of bytes, its progress, the disk, and the end."""

    __slots__ = (
        "_file",
        "_is_over",
        "_is_warming",
        "_loop",
        "_offset",
        "_on_done",
        "_on_sent",
        "_resident_to",
        "_stop",
    )

    def __init__(
        self,
        file: int,
        offset: int,
        length: int,
        *,
        on_sent: Callable[[int], None],
        on_done: Callable[[BaseException | None], None],
        is_warm: bool = False,
    ) -> None:
        """Prepare to send.

        Args:
            file: Descriptor of the file; stays open until ``on_done``.
            offset: First byte to send.
            length: Number of bytes to send.
            on_sent: Told the number of bytes after each step.
            on_done: Called once, with the error if it failed, perhaps before ``start`` returns.
            is_warm: The bytes are known to be in the page cache.
        """
        self._loop = asyncio.get_running_loop()
        self._file, self._offset, self._stop = file, offset, offset + length
        self._on_sent, self._on_done = on_sent, on_done
        self._resident_to = self._stop if is_warm else offset
        self._is_over = self._is_warming = False

    def __repr__(self) -> str:
        return f"<_Sender: {self._stop - self._offset} bytes left>"

    def start(self) -> None:
        """Send what can be sent now; the rest follows by itself."""
        self._step()

    def resume(self) -> None:  # noqa: B027 -- files need no such note
        """Note that the transport has room again."""

    def abort(self, error: BaseException) -> None:
        """Stop sending; ``on_done`` gets ``error`` unless it was called before."""
        self._finish(error)

    @abstractmethod
    def _step(self) -> None:
        """Send what can be sent now."""

    def _is_cold(self) -> bool:
        """Whether the next turn would wait for the disk; then a thread reads it first."""
        if self._offset < self._resident_to:
            return False
        length = min(READ_BYTES, self._stop - self._offset)
        if is_resident(self._file, self._offset, length):
            self._resident_to = self._offset + length
            return False
        reading = self._loop.run_in_executor(None, warm, os.dup(self._file), self._offset, length)
        # It is not probed again: memory may be so short that it is gone already.
        self._resident_to = self._offset + length
        self._is_warming = True
        reading.add_done_callback(self._after_warming)
        return True

    def _after_warming(self, reading: asyncio.Future[None]) -> None:
        error = None if reading.cancelled() else reading.exception()
        self._is_warming = False
        if self._is_over:
            return
        if error is not None:
            self._finish(error)
        else:
            self._step()

    def _finish(self, error: BaseException | None) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_done(error)


class FileSender(_Sender):
    """Sends by ``sendfile``, and first the bytes of ``lead``, in one segment if they fit."""

    __slots__ = (
        "_began_s", "_checked", "_copies", "_first", "_lead", "_limit_s", "_on_pace", "_socket",
        "_timer", "_writer",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        lead: bytes,
        file: int,
        offset: int,
        length: int,
        *,
        limit_s: float,
        on_pace: Callable[[int, float], None],
        on_sent: Callable[[int], None],
        on_done: Callable[[BaseException | None], None],
        is_warm: bool = False,
    ) -> None:
        """Prepare to send to ``sock``, to which nobody else may write meanwhile.

        Args:
            sock: A socket that does not block.
            lead: Sent before the file, and not reported to ``on_sent``.
            file: See ``_Sender``.
            offset: See ``_Sender``.
            length: See ``_Sender``.
            limit_s: Most seconds in which a client takes ``STEP_BYTES``.
            on_pace: Told after each step how many bytes were taken in how many seconds so far.
            on_sent: See ``_Sender``.
            on_done: See ``_Sender``.
            is_warm: See ``_Sender``.
        """
        super().__init__(file, offset, length, on_sent=on_sent, on_done=on_done, is_warm=is_warm)
        self._began_s, self._first, self._on_pace = self._loop.time(), offset, on_pace
        self._socket, self._lead, self._limit_s = sock, lead, limit_s
        self._copies = False  # the file system lacks sendfile
        self._writer = -1  # a duplicate of the socket's descriptor while waiting for room
        self._timer: asyncio.TimerHandle | None = None
        self._checked = offset

    def __repr__(self) -> str:
        state = "done" if self._is_over else "waits" if self._writer >= 0 else "under way"
        return f"<FileSender: {self._stop - self._offset} bytes left, {state}>"

    def _step(self) -> None:
        if self._is_over:
            return
        before = self._offset
        try:
            is_full = self._send()
        except BlockingIOError:
            is_full = True
        except OSError as exc:
            self._report(before)
            self._finish(exc)
            return
        self._report(before)
        if self._offset >= self._stop:
            self._finish(None)
        elif self._is_warming:
            self._ignore_room()
            self._set_timer()
        elif is_full:
            self._wait()
        elif self._writer < 0:
            self._loop.call_soon(self._step)

    def _send(self) -> bool:
        """Send one turn at most; True when the socket has no room for more."""
        while self._lead:
            # Held back until the file follows, so that small answers are one segment.
            self._lead = self._lead[self._socket.send(self._lead, socket.MSG_MORE) :]
        out, turn = self._socket.fileno(), self._offset + TURN_BYTES
        while self._offset < self._stop and self._offset < turn:
            if self._is_cold():
                return False
            wanted = min(self._stop, self._resident_to, turn) - self._offset
            if self._copies:
                wanted = min(wanted, PIECE_BYTES)
                count = self._socket.send(os.pread(self._file, wanted, self._offset))
            else:
                try:
                    count = os.sendfile(out, self._file, self._offset, wanted)
                except OSError as exc:
                    if exc.errno not in _NO_SENDFILE:
                        raise
                    self._copies = True
                    continue
            if count == 0:
                raise ConnectionResetError("the file of the body was cut")
            self._offset += count
            if count < wanted:
                return True
        return False

    def _report(self, before: int) -> None:
        if self._offset > before:
            self._on_sent(self._offset - before)
            self._on_pace(self._offset - self._first, self._loop.time() - self._began_s)

    def _wait(self) -> None:
        if self._writer < 0:
            # asyncio lets nobody watch the descriptor of one of its transports.
            self._writer = os.dup(self._socket.fileno())
            self._loop.add_writer(self._writer, self._step)
            self._set_timer()

    def _ignore_room(self) -> None:
        if self._writer >= 0:
            self._loop.remove_writer(self._writer)
            os.close(self._writer)
            self._writer = -1

    def _set_timer(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._limit_s, self._check)

    def _check(self) -> None:
        """Give the client another period if it used this one; waiting for the disk counts."""
        self._timer = None
        wanted = min(STEP_BYTES, self._stop - self._checked)
        if self._writer >= 0 and self._offset - self._checked < wanted:
            self._finish(ConnectionAbortedError(f"the client took over {self._limit_s:g} s"))
            return
        self._checked = self._offset
        self._set_timer()

    def _finish(self, error: BaseException | None) -> None:
        self._ignore_room()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super()._finish(error)


class PieceSender(_Sender):
    """Sends by writing pieces to a transport while it has room; ``resume`` when it has again.

    Time limits are those of whoever calls ``resume``.
    """

    __slots__ = ("_has_room", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        lead: bytes,
        file: int,
        offset: int,
        length: int,
        *,
        has_room: Callable[[], bool],
        on_sent: Callable[[int], None],
        on_done: Callable[[BaseException | None], None],
        is_warm: bool = False,
    ) -> None:
        """Prepare to write to ``transport``.

        Args:
            transport: Where to.
            lead: Sent before the file, and not reported to ``on_sent``.
            file: See ``_Sender``.
            offset: See ``_Sender``.
            length: See ``_Sender``.
            has_room: Whether more can be written now.
            on_sent: See ``_Sender``.
            on_done: See ``_Sender``.
            is_warm: See ``_Sender``.
        """
        super().__init__(file, offset, length, on_sent=on_sent, on_done=on_done, is_warm=is_warm)
        self._transport, self._has_room = transport, has_room
        if lead:
            transport.write(lead)

    def __repr__(self) -> str:
        state = "done" if self._is_over else "under way"
        return f"<PieceSender: {self._stop - self._offset} bytes left, {state}>"

    def resume(self) -> None:
        """Note that the transport has room again."""
        # Not at once: an asyncio transport that is aborted by whom it tells this breaks.
        self._loop.call_soon(self._step)

    def _step(self) -> None:
        if self._is_over or self._is_warming:
            return
        turn = self._offset + STEP_BYTES
        while self._offset < self._stop:
            if self._transport.is_closing():
                self._finish(ConnectionResetError("the client is gone"))
                return
            if not self._has_room() or self._is_cold():
                return
            if self._offset >= turn:
                # A transport that has lost its client takes everything until it says so.
                self._loop.call_soon(self._step)
                return
            wanted = min(PIECE_BYTES, self._stop - self._offset)
            try:
                data = os.pread(self._file, wanted, self._offset)
            except OSError as exc:
                self._finish(exc)
                return
            if not data:
                self._finish(ConnectionResetError("the file of the body was cut"))
                return
            self._offset += len(data)
            self._transport.write(data)
            self._on_sent(len(data))
        self._finish(None)
