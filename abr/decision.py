"""What an algorithm observes, what it answers, and what an algorithm is.

Observations and answers are named tuples of numbers and read-only arrays, because both
plain Python and compiled code can use them. An observation is complete: it gives no
access to the network, the clock or the player.

An algorithm comes in one of two forms:

* a ``Rule``: frozen parameters, a small state, and pure functions over these named
  tuples. All built-in algorithms have this form, so the same source can be compiled. One
  with ``needs_quality`` is told the quality of every segment when it starts.
* any object with ``choose(seen) -> Decision`` (or a bare rung number), optionally
  with ``reconsider(seen, progress)``, ``delivered(seen, download)`` and
  ``waited(seen, wait_s)``. Each playback needs a fresh object, so players take a
  factory: ``make() -> object``; of an object that is given itself, each playback gets a copy.
  An object with ``prepare(presentation)`` is first told what
  the player knows of what is played: the quality of every segment, where it was measured.

``begin`` turns either into a ``RunningAlgorithm`` for one playback.
"""

from __future__ import annotations

import contextlib
import copy
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from abr.errors import AlgorithmError
from abr.media import FloatArray, Presentation
from abr.parameters import made_by, parameters_of, plain_values
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
    """Everything an algorithm may know when it decides."""

    now_s: float
    """Seconds since playback was requested."""
    segment: int
    """Index of the segment to choose a rung for, from 0."""
    buffer_s: float
    """Media seconds buffered ahead of the playhead."""
    max_buffer_s: float
    """The player's limit on ``buffer_s``."""
    last_rung: int
    """Rung of the previous segment; -1 before the first segment."""
    playing: bool
    """False during startup, during a stall and while paused."""
    ladder_bps: FloatArray
    """Nominal bit rate per rung, ascending, shape (R,)."""
    sizes_bytes: FloatArray
    """Segment sizes, exact if the player knows them, otherwise estimated, shape (R, N). The
    preset ``pensieve`` also shows those of segments after the last that it plays."""
    durations_s: FloatArray
    """Media seconds per segment, shape (N,)."""
    downloads: Downloads


class Decision(NamedTuple):
    """An algorithm's answer."""

    rung: int
    wait_s: float = 0.0
    """Seconds to wait before sending the request; 0 sends it immediately."""
    reason: int = 0
    """Reason code, an index into ``Rule.reasons``."""
    segment: int = -1
    """An earlier segment, not yet played, to download again instead; -1 for ``seen.segment``."""


class Progress(NamedTuple):
    """A video segment download in progress, when an algorithm is asked to reconsider it."""

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
    """An algorithm made of parameters and pure functions over named tuples.

    ``start(params, ladder_bps, durations_s)`` makes the state of one playback (a named
    tuple whose arrays the functions below may update in place);
    ``choose(params, state, seen)`` answers with a ``Decision``;
    ``reconsider(params, state, seen, progress)`` may abandon the download in progress by
    answering with a lower rung than ``progress.rung``;
    ``delivered(params, state, seen, download)`` learns from a finished download;
    ``waited(params, state, seen, wait_s)`` learns, just before ``choose`` is called, that
    the player waited for room in the buffer.

    With ``needs_trace`` the algorithm is an upper bound that knows the capacity in
    advance: it is started with ``start(params, presentation, trace)``, and it cannot play
    over a real network. With ``needs_quality`` it knows how good segments look: it is started
    with ``start(params, ladder_bps, durations_s, quality)``, the last of shape (R, N), and it
    plays only what was measured. With ``needs_listing`` it knows what the multivariant playlist
    states: it is started with ``start(params, ladder_bps, durations_s, peaks_bps, listed_first)``,
    peak rates of shape (R,), or (0,) where nobody stated them, and the rung listed first, or -1.
    """

    name: str
    params: Any
    """A named tuple of numbers, with units in the names."""
    start: Callable[..., Any] = field(repr=False)
    choose: Callable[[Any, Any, Observation], Decision] = field(repr=False)
    reconsider: Callable[[Any, Any, Observation, Progress], Decision] | None = field(
        default=None, repr=False
    )
    delivered: Callable[[Any, Any, Observation, Download], None] | None = field(
        default=None, repr=False
    )
    waited: Callable[[Any, Any, Observation, float], None] | None = field(default=None, repr=False)
    needs_trace: bool = False
    needs_quality: bool = False
    needs_listing: bool = False
    heavy: tuple[Callable[..., Any], ...] = field(default=(), repr=False)
    """Functions in which ``start`` spends its time; a simulator may compile them."""
    reasons: tuple[str, ...] = field(default=("",), repr=False)
    """Names of the reason codes in ``Decision.reason``, by index."""


@runtime_checkable
class Chooser(Protocol):
    """The minimal interface of an algorithm that is an object; see the module's docstring."""

    def choose(self, seen: Observation, /) -> Decision | int:
        """The rung for ``seen.segment``."""
        ...


Algorithm = Rule | Callable[[], Chooser]


@dataclass(slots=True)
class RunningAlgorithm:
    """One algorithm in one playback: holds its state and checks every answer."""

    name: str
    params: dict[str, Any]
    can_reconsider: bool
    reasons: tuple[str, ...] = field(repr=False)
    _choose: Callable[[Observation], Decision | int] = field(repr=False)
    _reconsider: Callable[[Observation, Progress], Decision | int | None] | None = field(repr=False)
    _delivered: Callable[[Observation, Download], None] | None = field(repr=False)
    _waited: Callable[[Observation, float], None] | None = field(repr=False)
    _rungs: int

    def choose(self, seen: Observation) -> Decision:
        """Ask for the rung of the next segment.

        Raises:
            AlgorithmError: the answer is not a valid rung, waiting time or segment.
        """
        with self.blamed("choose"):
            answer = self._choose(seen)
        decision = self._check_answer(answer, "choose")
        if not -1 <= decision.segment <= seen.segment:
            raise AlgorithmError(
                f"algorithm {self.name!r}: choose() requested segment {decision.segment} when "
                f"segment {seen.segment} was next; expected an earlier one, or -1 for the next"
            )
        return decision

    def waited(self, seen: Observation, wait_s: float) -> None:
        """Tell the algorithm that the player waited for room in the buffer."""
        if self._waited is not None:
            with self.blamed("waited"):
                self._waited(seen, wait_s)

    def reconsider(self, seen: Observation, progress: Progress) -> Decision | None:
        """Ask whether to abandon the download in progress; None continues it."""
        if self._reconsider is None:
            return None
        with self.blamed("reconsider"):
            answer = self._reconsider(seen, progress)
        if answer is None:
            return None
        decision = self._check_answer(answer, "reconsider")
        return decision if decision.rung < progress.rung else None

    def delivered(self, seen: Observation, download: Download) -> None:
        """Tell the algorithm about a finished download."""
        if self._delivered is not None:
            with self.blamed("delivered"):
                self._delivered(seen, download)

    @contextlib.contextmanager
    def blamed(self, verb: str) -> Iterator[None]:
        """Turn any exception raised inside into an ``AlgorithmError`` naming the algorithm."""
        try:
            yield
        except Exception as exc:
            raise AlgorithmError(
                f"algorithm {self.name!r}: {verb}() raised {type(exc).__name__}: {exc}; "
                "run the command with --debug for the traceback"
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
    algorithm: Algorithm | Chooser, presentation: Presentation, trace: Trace | None = None
) -> RunningAlgorithm:
    """Start an algorithm for one playback of ``presentation``.

    Args:
        algorithm: A ``Rule``, a callable that makes an object with ``choose(seen)``, or such an
            object, which is copied.
        presentation: What is played.
        trace: The true trace, for an algorithm that needs it; only a simulation has one.

    Raises:
        AlgorithmError: ``algorithm`` is none of these, it cannot be copied, or it needs the
            trace and there is none.
    """
    if isinstance(algorithm, Rule):
        return _begin_rule(algorithm, presentation, trace)
    algorithm = fresh(algorithm)
    made = made_by(algorithm) if callable(algorithm) else algorithm
    choose = getattr(made, "choose", None)
    if not callable(choose):
        raise AlgorithmError(
            f"{algorithm!r} makes {type(made).__name__}, which has no choose(seen); "
            "expected a Rule, or a callable that makes an object with choose(seen)"
        )
    reconsider = getattr(made, "reconsider", None)
    running = RunningAlgorithm(
        name=getattr(algorithm, "registered_name", None)
        or str(getattr(made, "name", type(made).__name__)),
        params=parameters_of(algorithm, made),
        can_reconsider=reconsider is not None,
        reasons=tuple(getattr(made, "reasons", ("",))),
        _choose=choose,
        _reconsider=reconsider,
        _delivered=getattr(made, "delivered", None),
        _waited=getattr(made, "waited", None),
        _rungs=presentation.rungs,
    )
    if (prepare := getattr(made, "prepare", None)) is not None:
        with running.blamed("prepare"):
            prepare(presentation)
    return running


@dataclass(frozen=True, slots=True)
class Copies:
    """Makes copies of one object, so that no playback remembers another."""

    original: Chooser

    def __call__(self) -> Chooser:
        """A copy.

        Raises:
            AlgorithmError: it cannot be copied.
        """
        try:
            return copy.deepcopy(self.original)
        except Exception as exc:  # what copies an object is its own code
            raise AlgorithmError(
                f"algorithm {type(self.original).__name__!r}: each playback needs an object of its "
                f"own, and this one cannot be copied ({type(exc).__name__}: {exc}); give its "
                "class, or a callable that makes a new one"
            ) from exc


def fresh(algorithm: Algorithm | Chooser) -> Algorithm:
    """``algorithm``; of an object that answers by itself, what makes copies."""
    is_maker = isinstance(algorithm, type | Rule)  # a class has ``choose`` too
    if not is_maker and callable(getattr(algorithm, "choose", None)):
        return Copies(algorithm)  # type: ignore[arg-type]  # it has choose()
    return algorithm  # type: ignore[return-value]  # begin() checks


def start_state(rule: Rule, presentation: Presentation, trace: Trace | None = None) -> Any:
    """The initial state of ``rule`` for one playback of ``presentation``.

    Raises:
        AlgorithmError: the algorithm needs the trace, or measured quality, and there is none.
    """
    if not rule.needs_trace:
        known = (presentation.bitrates_bps, presentation.durations_s)
        if rule.needs_listing:
            peaks_bps = presentation.peak_bitrates_bps
            stated_bps = np.empty(0) if peaks_bps is None else peaks_bps
            return rule.start(rule.params, *known, stated_bps, presentation.listed_first)
        if not rule.needs_quality:
            return rule.start(rule.params, *known)
        if presentation.quality is None:
            raise AlgorithmError(
                f"algorithm {rule.name!r} must know the quality of segments, and "
                f"{presentation.title or 'the presentation'} has none; simulate a package made "
                "with `abr transcode --quality vmaf`"
            )
        return rule.start(rule.params, *known, presentation.quality)
    if trace is None:
        raise AlgorithmError(
            f"algorithm {rule.name!r} is an upper bound that must know the trace in advance; "
            "simulate it over a trace"
        )
    return rule.start(rule.params, presentation, trace)


def _begin_rule(rule: Rule, presentation: Presentation, trace: Trace | None) -> RunningAlgorithm:
    params = rule.params
    state = start_state(rule, presentation, trace)
    reconsider, delivered, waited = rule.reconsider, rule.delivered, rule.waited
    return RunningAlgorithm(
        name=rule.name,
        params=plain_values(params._asdict()),
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
    """``finished`` as columns, oldest first; for tests and tools."""
    if not finished:
        return NO_DOWNLOADS
    table = np.array(finished, dtype=np.float64)
    table.flags.writeable = False
    return Downloads(*table.T)
