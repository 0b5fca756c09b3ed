"""Asking something that may fail or freeze: a time limit, a breaker, an error in words.

What stands in for an answer that does not come is the caller's to say; here is only that the
caller is told in time, and that what fails is left alone for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from abr.errors import AbrError, InputError, PeerError
from origin.breaker import BreakerRules, CircuitBreaker, State

T = TypeVar("T")

RULES = BreakerRules(volume=20, in_a_row=3, slow_s=0.5, sleep_s=0.5, longest_sleep_s=5.0)
"""Three failures without a success between them, and nothing is asked for half a second."""


class DependencyError(PeerError, ConnectionError):
    """Something that the service depends on failed, was late, or is left alone for a while."""


class Guard:
    """One thing that is asked, with its breaker."""

    def __init__(
        self,
        name: str,
        *,
        limit_s: float,
        rules: BreakerRules = RULES,
        note: Callable[[str, str], None] = lambda _name, _outcome: None,
    ) -> None:
        """Watch over ``name``.

        Args:
            name: For messages and counters.
            limit_s: An answer that takes longer has failed.
            rules: When it is left alone.
            note: Is told the name and ``ok``, ``failed``, ``late`` or ``open`` of each request.
        """
        self.name = name
        self._limit_s, self._note = limit_s, note
        self._breaker = CircuitBreaker(rules)

    def __repr__(self) -> str:
        return f"<Guard of {self.name}, {self._breaker!r}>"

    def state(self) -> State:
        """Of its breaker."""
        return self._breaker.state(_now_s())

    def opens_in_s(self) -> float:
        """Seconds until something is asked again; 0: now."""
        return self._breaker.opens_in_s(_now_s())

    async def ask(self, make: Callable[[], Awaitable[T]], *, limit_s: float | None = None) -> T:
        """What ``make`` gives.

        Args:
            make: Asks; called once at most.
            limit_s: A shorter limit, because some of the client's time has passed.

        Raises:
            DependencyError: it failed, took too long, or was not asked because it failed lately.
            InputError: as ``make`` raises: an answer like any other.
        """
        begun_s = _now_s()
        permit = self._breaker.allow(begun_s)
        if permit is None:
            self._note(self.name, "open")
            raise DependencyError(f"{self.name}: failed lately, and is asked again soon")
        limit_s = self._limit_s if limit_s is None else min(limit_s, self._limit_s)
        outcome = "failed"
        try:
            async with asyncio.timeout(max(0.0, limit_s)):
                answer = await make()
            outcome = "ok"
            return answer
        except InputError:
            outcome = "ok"
            raise
        except TimeoutError as exc:
            outcome = "late"
            raise DependencyError(f"{self.name}: no answer within {limit_s:.2g} s") from exc
        except (AbrError, OSError) as exc:
            raise DependencyError(f"{self.name}: {exc}") from exc
        except asyncio.CancelledError:
            outcome = "left"
            raise
        finally:
            now_s = _now_s()
            if outcome == "left":
                self._breaker.give_up(permit)
            else:
                self._breaker.record(
                    permit, failed=outcome != "ok", wait_s=now_s - begun_s, now_s=now_s
                )
                self._note(self.name, outcome)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
