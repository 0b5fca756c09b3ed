"""When the next bytes may leave a shaper that follows a trace.

Exact by construction: the n-th byte of a busy stretch may leave when the trace has
offered n bytes since the stretch began, whatever was late in between. So timers may
fire late without losing capacity, and after silence no more than ``saved_s`` worth of
unused capacity may burst through. Share one ``Pacer`` between all connections of a
link. Clock, sockets and queues belong to the caller.
"""

from __future__ import annotations

from abr.trace import Trace


class Pacer:
    """The allowance of one link.

    Args:
        trace: What the link can carry; time 0 is that of the trace.
        saved_s: How much unused capacity a link keeps through silence, in seconds.

    Raises:
        ValueError: ``saved_s`` is negative.
    """

    def __init__(self, trace: Trace, *, saved_s: float = 0.02) -> None:
        if saved_s < 0:
            raise ValueError(f"saved_s is {saved_s}; expected 0 or more")
        self._trace = trace
        self._saved_s = saved_s
        self._used_bits = 0.0

    def resume(self, now_s: float) -> None:
        """Data waits after there was none: forget what the silence left unused."""
        self._used_bits = max(self._used_bits, self._trace.bits_by(now_s - self._saved_s))

    def departure_s(self, size_bytes: float) -> float:
        """Earliest time by which ``size_bytes`` more may all have left; inf when never."""
        return self._trace.time_of(self._used_bits + 8 * size_bytes)

    def allowance_bytes(self, now_s: float) -> float:
        """Bytes that may leave by ``now_s`` and have not; 0 when ahead of the trace."""
        return max(self._trace.bits_by(now_s) - self._used_bits, 0.0) / 8

    def spend(self, size_bytes: float) -> None:
        """Count bytes that have left."""
        self._used_bits += 8 * size_bytes
