"""What an algorithm sees, what it answers, and what an algorithm is.

Named tuples of numbers and read-only arrays, because plain Python and a compiled
kernel both understand them. An observation is complete: it offers no way to reach
network, clock or player.

An algorithm comes in one of two forms:

* a ``Rule``: frozen parameters, a small state, and pure functions over these named
  tuples. Every built-in has this form, so the same source can be compiled.
* any object with ``choose(seen) -> Decision`` (or a bare rung number), optionally
  with ``reconsider(seen, progress)`` and ``delivered(seen, download)``. A fresh one
  is needed for each playback, so players take a factory: ``make() -> object``.

``begin`` turns either into a ``RunningAlgorithm`` for one playback.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from abr.errors import AlgorithmError
from abr.media import FloatArray, Presentation
from abr.trace import Trace


class Downloads(NamedTuple):
    """Finished video segment downloads, oldest first; every column has shape (H,)."""

    segment: FloatArray
    rung: FloatArray
    size_bytes: FloatArray
    start_s: FloatArray
    """Request sent."""
    first_byte_s: FloatArray
    """First body byte received."""
    end_s: FloatArray
    """Last body byte received."""


class Download(NamedTuple):
    """One finished video segment download."""

    segment: int
    rung: int
    size_bytes: float
    start_s: float
    first_byte_s: float
    end_s: float


class Observation(NamedTuple):
    """Everything an algorithm may know when it is asked."""

    now_s: float
    """Seconds since playback was asked for."""
    segment: int
    """Index of the segment to choose a rung for, from 0."""
    buffer_s: float
    """Media seconds ready ahead of the playhead."""
    max_buffer_s: float
    last_rung: int
    """Rung of the previous segment; -1 before the first."""
    playing: bool
    """False in startup, in a stall and when paused."""
    ladder_bps: FloatArray
    """Nominal bit rate per rung, ascending, shape (R,)."""
    sizes_bytes: FloatArray
    """Segment sizes, exact where the player knows them, else estimates, shape (R, N)."""
    durations_s: FloatArray
    """Media seconds per segment, shape (N,)."""
    downloads: Downloads


class Decision(NamedTuple):
    """An algorithm's answer."""

    rung: int
    wait_s: float = 0.0
    """Seconds to wait before the request is sent; 0 asks at once."""
    reason: int = 0
    """Small code of the rule that decided; names are in ``Rule.reasons``."""
    segment: int = -1
    """An earlier segment, not yet played, to download again instead; -1: ``seen.segment``."""


class Progress(NamedTuple):
    """A video segment download under way, when an algorithm is asked to reconsider."""

    now_s: float
    segment: int
    rung: int
    size_bytes: float
    received_bytes: float
    start_s: float
    first_byte_s: float
    """``nan`` before the first byte."""
    buffer_s: float
    """Media seconds ahead of the playhead now."""


NO_DOWNLOADS = Downloads(*(np.empty(0) for _ in Downloads._fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An algorithm as parameters and pure functions, one published idea per file.

    ``start(params, ladder_bps, durations_s)`` makes the state of one playback (a named
    tuple whose arrays the functions below may update in place);
    ``choose(params, state, seen)`` answers with a ``Decision``;
    ``reconsider(params, state, seen, progress)`` may abandon the download under way by
    answering with a lower rung than ``progress.rung``;
    ``delivered(params, state, seen, download)`` learns from a finished download;
    ``waited(params, state, seen, wait_s)`` learns that the player waited for room in the
    buffer, just before ``choose`` is asked.

    A rule that ``needs_trace`` is an upper bound: it is told the true trace. Its start is
    ``start(params, ladder_bps, durations_s, sizes_bytes, trace)``, and it cannot play
    over a real network.
    """

    name: str
    params: Any
    """A named tuple of numbers, units in the names."""
    start: Callable[..., Any]
    choose: Callable[[Any, Any, Observation], Decision]
    reconsider: Callable[[Any, Any, Observation, Progress], Decision] | None = None
    delivered: Callable[[Any, Any, Observation, Download], None] | None = None
    waited: Callable[[Any, Any, Observation, float], None] | None = None
    needs_trace: bool = False
    heavy: tuple[Callable[..., Any], ...] = ()
    """Functions that ``start`` spends its time in; a simulator may compile them."""
    reasons: tuple[str, ...] = ("",)
    """Names of the codes in ``Decision.reason``, by index."""


@runtime_checkable
class Chooser(Protocol):
    """The least an algorithm of one's own must offer; see the module's docstring."""

    def choose(self, seen: Observation, /) -> Decision | int:
        """The rung for ``seen.segment``."""
        ...


Algorithm = Rule | Callable[[], Chooser]


@dataclass(slots=True)
class RunningAlgorithm:
    """One algorithm in one playback: holds the state and checks every answer."""

    name: str
    params: dict[str, Any]
    can_reconsider: bool
    reasons: tuple[str, ...]
    _choose: Callable[[Observation], Decision | int]
    _reconsider: Callable[[Observation, Progress], Decision | int | None] | None
    _delivered: Callable[[Observation, Download], None] | None
    _waited: Callable[[Observation, float], None] | None = None
    _rungs: int = field(default=0)

    def choose(self, seen: Observation) -> Decision:
        """Ask for a rung.

        Raises:
            AlgorithmError: the answer is no legal rung, waiting time or segment.
        """
        with self._blame_algorithm("choose"):
            answer = self._choose(seen)
        decision = self._check_answer(answer, "choose")
        if not -1 <= decision.segment <= seen.segment:
            raise AlgorithmError(
                f"algorithm {self.name!r}: choose() asked for segment {decision.segment} when "
                f"segment {seen.segment} was next; expected an earlier one, or -1 for the next"
            )
        return decision

    def waited(self, seen: Observation, wait_s: float) -> None:
        """Let the algorithm know that the player waited for room in the buffer."""
        if self._waited is not None:
            with self._blame_algorithm("waited"):
                self._waited(seen, wait_s)

    def reconsider(self, seen: Observation, progress: Progress) -> Decision | None:
        """Ask whether to abandon the download under way; None carries on."""
        if self._reconsider is None:
            return None
        with self._blame_algorithm("reconsider"):
            answer = self._reconsider(seen, progress)
        if answer is None:
            return None
        decision = self._check_answer(answer, "reconsider")
        return decision if decision.rung < progress.rung else None

    def delivered(self, seen: Observation, download: Download) -> None:
        """Let the algorithm learn from a finished download."""
        if self._delivered is not None:
            with self._blame_algorithm("delivered"):
                self._delivered(seen, download)

    @contextlib.contextmanager
    def _blame_algorithm(self, verb: str) -> Iterator[None]:
        """What an algorithm raises is its own fault, and said to be."""
        try:
            yield
        except Exception as exc:
            raise AlgorithmError(
                f"algorithm {self.name!r}: {verb}() raised {type(exc).__name__}: {exc}; "
                "run the command with --debug to see where"
            ) from exc

    def _check_answer(self, answer: Decision | int, verb: str) -> Decision:
        if isinstance(answer, Decision):
            rung, wait_s, reason, segment = answer
        else:
            rung, wait_s, reason, segment = answer, 0.0, 0, -1
        try:
            rung = operator.index(rung)
        except TypeError:
            raise AlgorithmError(
                f"algorithm {self.name!r}: {verb}() answered {answer!r}; "
                "expected a Decision or a rung number"
            ) from None
        if not 0 <= rung < self._rungs:
            raise AlgorithmError(
                f"algorithm {self.name!r}: {verb}() answered rung {rung}; "
                f"expected 0 to {self._rungs - 1}"
            )
        wait_s = float(wait_s)
        if not 0 <= wait_s < float("inf"):
            raise AlgorithmError(
                f"algorithm {self.name!r}: {verb}() asked to wait {wait_s} s; "
                "expected a finite time of 0 or more"
            )
        return Decision(rung, wait_s, int(reason), operator.index(segment))


def begin(
    algorithm: Algorithm, presentation: Presentation, trace: Trace | None = None
) -> RunningAlgorithm:
    """Start an algorithm for one playback of ``presentation``.

    Args:
        algorithm: A rule, or something that makes a chooser.
        presentation: What is played.
        trace: The true network, for a rule that needs_trace it; only simulations know it.

    Raises:
        AlgorithmError: ``algorithm`` is neither a ``Rule`` nor makes a chooser, or it
            needs_trace the network and there is no trace.
    """
    if isinstance(algorithm, Rule):
        return _begin_rule(algorithm, presentation, trace)
    made = algorithm() if callable(algorithm) else algorithm
    choose = getattr(made, "choose", None)
    if not callable(choose):
        raise AlgorithmError(
            f"{algorithm!r} makes {type(made).__name__}, which has no choose(seen); "
            "give a Rule, or something callable that makes an object with choose(seen)"
        )
    reconsider = getattr(made, "reconsider", None)
    return RunningAlgorithm(
        name=getattr(algorithm, "registered_name", None)
        or str(getattr(made, "name", type(made).__name__)),
        params=dict(getattr(algorithm, "registered_params", {})),
        can_reconsider=reconsider is not None,
        reasons=tuple(getattr(made, "reasons", ("",))),
        _choose=choose,
        _reconsider=reconsider,
        _delivered=getattr(made, "delivered", None),
        _waited=getattr(made, "waited", None),
        _rungs=presentation.rungs,
    )


def start_state(rule: Rule, presentation: Presentation, trace: Trace | None = None) -> Any:
    """The state of one playback of ``presentation``, as ``rule`` begins it.

    Raises:
        AlgorithmError: the rule needs_trace the network and there is no trace.
    """
    known = (presentation.bitrates_bps, presentation.durations_s)
    if not rule.needs_trace:
        return rule.start(rule.params, *known)
    if trace is None:
        raise AlgorithmError(
            f"algorithm {rule.name!r} is an upper bound that must know the network beforehand; "
            "simulate it over a trace"
        )
    return rule.start(rule.params, *known, presentation.sizes_bytes, trace)


def _begin_rule(rule: Rule, presentation: Presentation, trace: Trace | None) -> RunningAlgorithm:
    params = rule.params
    state = start_state(rule, presentation, trace)
    reconsider, delivered, waited = rule.reconsider, rule.delivered, rule.waited
    return RunningAlgorithm(
        name=rule.name,
        params=dict(params._asdict()),
        can_reconsider=reconsider is not None,
        reasons=rule.reasons,
        _choose=lambda seen: rule.choose(params, state, seen),
        _reconsider=None
        if reconsider is None
        else lambda seen, progress: reconsider(params, state, seen, progress),
        _delivered=None
        if delivered is None
        else lambda seen, download: delivered(params, state, seen, download),
        _waited=None
        if waited is None
        else lambda seen, wait_s: waited(params, state, seen, wait_s),
        _rungs=presentation.rungs,
    )


def downloads_from(finished: Sequence[Download]) -> Downloads:
    """Columns of ``finished``, oldest first; for tests and tools."""
    if not finished:
        return NO_DOWNLOADS
    table = np.array(finished, dtype=np.float64)
    table.flags.writeable = False
    return Downloads(*table.T)
