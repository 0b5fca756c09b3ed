"""The batch driver: many sessions of one algorithm over one presentation, fast.

An algorithm and a simulator are linked to one function and compiled; sessions run in that
loop, in as many threads as are asked for. The same functions run as plain Python where
that is asked for, or where the algorithm is an object with ``choose(seen)``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.compilable import store
from abr.decision import Algorithm, Rule, begin, start_state
from abr.errors import AlgorithmError
from abr.media import FloatArray, Presentation
from abr.trace import Trace
from player.batch import flatstate, hooks
from player.batch.linking import is_importable, is_ours
from player.batch.logrows import fill
from player.batch.many import Links, Rows, States, pack, play_many, rows_at
from player.batch.ranges import check_options
from player.batch.run.compiled import CompilerError, compiled, linked
from player.batch.run.plain import PlainLoop, plain_loop
from player.batch.simulators import Simulator
from player.batch.tables import (
    BEYOND,
    COLUMNS,
    REFUSED,
    TOTALS,
    TOTALS_DTYPE,
    LinkTable,
    PresentationTable,
    out_for,
    presentation_table_of,
)
from player.config import PlayerConfig
from player.playback.given import presentation_known

Engine = Literal["auto", "compiled", "plain"]
Loop = Callable[..., None]

_FEW = 200
"""Tables of up to this many traces are cached for the next batch over the same."""
_MORE_DOWNLOADS = 64
"""Room in the history beyond one download per segment, for those downloaded again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What n sessions came to, one row each, in the order they were asked for."""

    algorithm: str
    engine: Literal["compiled", "plain"]
    remark: str
    """Why the algorithm was not compiled although that was to be tried; else empty."""
    totals: FloatArray
    """One column per name in ``TOTALS``, shape (n, T)."""
    rungs: NDArray[np.int16]
    """Rung of each segment as played, shape (n, N); (0, N) when not kept."""
    columns: FloatArray
    """One row per name in ``column_names`` for each session, shape (n, C, N), or (0, C, N)."""
    column_names: tuple[str, ...] = COLUMNS
    endings: Mapping[int, str] = field(default_factory=dict)
    """Why sessions ended that the player itself played, by place; ``complete`` or a fault."""

    def __repr__(self) -> str:
        return f"<Batch of {len(self.totals)} sessions of {self.algorithm}, {self.engine}>"

    def total(self, name: str) -> FloatArray:
        """The column of ``totals`` called ``name``, shape (n,)."""
        return self.totals[:, TOTALS.index(name)]

    def column(self, name: str) -> FloatArray:
        """What ``columns`` holds under ``name``, shape (n, N)."""
        return self.columns[:, self.column_names.index(name), :]


class _Job(NamedTuple):
    """What every thread needs."""

    loop: Loop
    params: Any
    states: States
    table: PresentationTable
    links: Links
    options: Any
    must_fill_columns: bool


def run_batch(
    simulator: Simulator,
    presentation: Presentation,
    traces: Sequence[Trace],
    algorithm: Algorithm,
    *,
    options: Any = None,
    which: Sequence[int] | NDArray[np.int64] | None = None,
    engine: Engine = "auto",
    threads: int = 1,
    keep_rungs: bool = True,
    keep_columns: bool = False,
    config: PlayerConfig | None = None,
) -> Batch:
    """Play sessions as ``simulator`` does.

    Args:
        simulator: One of ``player.batch.simulators``.
        presentation: What is played.
        traces: The networks.
        algorithm: An algorithm, or something that makes an object with ``choose(seen)``.
        options: Of the simulator; its defaults when None.
        which: Index into ``traces`` for each session; None: every trace once.
        engine: ``compiled``, ``plain``, or ``auto`` for the first that is possible.
        threads: Threads that share the sessions; only compiled ones run at once.
        keep_rungs: Whether the rungs of all segments are kept, two bytes each.
        keep_columns: Whether the columns of all segments are kept, 56 bytes each.
        config: Of our own player, which plays what the compiled loop leaves to it; None: what
            ``options`` say, with defaults for the rest.

    Raises:
        AlgorithmError: it breaks its contract, or must be compiled but cannot be.
        ConfigError: options that no session can be played with.
        ValueError: a trace that ends for good, or no trace.
    """
    if not traces:
        raise ValueError("no traces; give at least one")
    options = simulator.options() if options is None else options
    if simulator.twin is None:
        check_options(options)
    presentation = presentation.up_to(options.max_bitrate_bps, options.max_height)
    order = np.arange(len(traces)) if which is None else np.asarray(which, dtype=np.int64)
    # Copies: to numba read-only arrays are of another type, for which it would compile again.
    table = PresentationTable(
        *(np.array(part, order="C") for part in simulator.presentation_table(presentation, options))
    )
    links = _links(simulator, tuple(traces), options)
    why_not = "" if engine == "plain" else _why_not(algorithm)
    if engine == "compiled" and why_not:
        raise AlgorithmError(_cannot(algorithm, why_not))
    names = (*COLUMNS, *simulator.extra_columns)
    rows = _room(len(order), table, names, keep_rungs=keep_rungs, keep_columns=keep_columns)
    job: _Job | None = None
    is_compiled, twin = False, simulator.twin
    if twin is not None and config is None:
        config = twin.config_of(options)
    if twin is not None and config is not None and not twin.can_play(presentation, config):
        rows.totals["outcome"] = BEYOND
    else:
        if engine != "plain" and not why_not and isinstance(algorithm, Rule):
            try:
                job = _compiled_job(
                    simulator, algorithm, presentation, traces, table, links, options
                )
                _play_part(job, order, rows, slice(0, 0))  # compiled here, or loaded
            except (CompilerError, flatstate.NotFlatError) as exc:
                if engine == "compiled":
                    raise AlgorithmError(_cannot(algorithm, str(exc))) from exc
                job, why_not = None, str(exc)
        is_compiled = job is not None
        if job is None:
            job = _plain_job(simulator, algorithm, presentation, traces, table, links, options)
        _spread(job, order, rows, max(1, min(threads, len(order))) if is_compiled else 1)
        _check_answers(algorithm, rows)
    endings: Mapping[int, str] = {}
    if twin is not None and config is not None:
        endings = _play_beyond(
            config, options.max_play_s, presentation, traces, algorithm, order, rows
        )
    return Batch(
        algorithm=_name(algorithm),
        engine="compiled" if is_compiled else "plain",
        remark=_cannot(algorithm, why_not) if why_not else "",
        totals=rows.totals.view(np.float64).reshape(-1, len(TOTALS)),
        rungs=rows.rungs,
        columns=rows.columns,
        column_names=names,
        endings=endings,
    )


def presentation_hooks(presentation: Presentation | None) -> dict[str, Any]:
    """What a loop is told of ``presentation`` before it is compiled."""
    given = presentation
    return {
        "HAS_AUDIO": given is not None and given.audio_sizes_bytes is not None,
        "HAS_SIDE_FILES": given is not None and given.side_files is not None,
    }


def hooks_of(algorithm: Rule, presentation: Presentation | None = None) -> dict[str, Any]:
    """What the names of ``player.batch.hooks`` mean for ``algorithm``, and for what is played."""
    return {
        **presentation_hooks(presentation),
        "choose": algorithm.choose,
        "reconsider": algorithm.reconsider or hooks.reconsider,
        "delivered": algorithm.delivered or hooks.delivered,
        "waited": algorithm.waited or hooks.waited,
        "CAN_RECONSIDER": algorithm.reconsider is not None,
        "CAN_LEARN": algorithm.delivered is not None,
    }


def prepared(algorithm: Rule) -> Rule:
    """``algorithm`` with the heavy parts of its start compiled, where there are any."""
    if not algorithm.heavy:
        return algorithm
    parts = {each.__name__: compiled(each, {}, is_large=True) for each in algorithm.heavy}
    return replace(algorithm, start=linked(algorithm.start, parts), heavy=())


def compiled_with(
    loop: Loop,
    parts: Mapping[str, Any],
    algorithm: Rule,
    state: Any,
    presentation: Presentation | None = None,
) -> Loop:
    """``loop`` compiled for ``algorithm``, and with ``state_of`` for states like ``state``."""
    kinds = {f"State{number}": kind for number, kind in enumerate(flatstate.classes(state))}
    names = {kind: name for name, kind in kinds.items()}
    text = f"def state_of(row, fields):\n    return {flatstate.source(state, names.__getitem__)}"
    return compiled(
        loop, {**hooks_of(algorithm, presentation), **kinds}, parts=parts, texts={"state_of": text}
    )


def _compiled_job(
    simulator: Simulator,
    algorithm: Rule,
    presentation: Presentation,
    traces: Sequence[Trace],
    table: PresentationTable,
    links: Links,
    options: Any,
) -> _Job:
    algorithm = prepared(algorithm)
    first = presentation if algorithm.needs_trace else presentation_known(presentation, {0})
    states = [
        start_state(algorithm, first, trace)
        for trace in (traces if algorithm.needs_trace else traces[:1])
    ]
    flats = [flatstate.flatten(state) for state in states]
    widths = [len(flat.values) for flat in flats]
    begun = States(
        np.concatenate([flat.values for flat in flats]),
        np.concatenate([[0], np.cumsum(widths)]).astype(np.int64),
        np.stack([flat.fields for flat in flats]),
    )
    loop = compiled_with(
        play_many, {"session": simulator.session}, algorithm, states[0], presentation
    )
    return _Job(loop, algorithm.params, begun, table, links, options, simulator.must_fill_columns)


def _plain_job(
    simulator: Simulator,
    algorithm: Algorithm,
    presentation: Presentation,
    traces: Sequence[Trace],
    table: PresentationTable,
    links: Links,
    options: Any,
) -> _Job:
    """The same loop in plain Python; the state is an algorithm's own, or a ``RunningAlgorithm``."""
    is_rule = isinstance(algorithm, Rule)
    played = algorithm if isinstance(algorithm, Rule) else _as_rule(algorithm)
    start = partial(start_state, played) if is_rule else partial(begin, algorithm)
    first = presentation if played.needs_trace else presentation_known(presentation, {0})
    are_lists = is_rule and is_ours(played.choose)  # the tests show that lists will do

    def play_each(*given: Any) -> None:
        with plain_loop(simulator, hooks_of(played, presentation)) as loop:
            _play_each(loop, *given)

    def _play_each(loop: PlainLoop, *given: Any) -> None:
        *before, which, options, out, rows = given
        for i, k in enumerate(which.tolist()):
            begun = start(first, traces[k])
            state = flatstate.listed(begun) if are_lists else begun
            one = slice(i, i + 1)
            try:
                loop.play(state, *before, which[one], options, out, rows_at(rows, one))
            except AlgorithmError:
                raise
            except Exception as exc:  # what an algorithm raises is its own fault
                raise AlgorithmError(
                    f"algorithm {played.name!r}, session {i}: {type(exc).__name__}: {exc}; "
                    "run the command with --debug to see where"
                ) from exc

    nothing = States(np.zeros(0), np.zeros(2, np.int64), np.zeros((1, 0, 3), np.int64))
    must_fill = simulator.must_fill_columns
    return _Job(play_each, played.params, nothing, table, links, options, must_fill)


def _as_rule(algorithm: Callable[[], Any]) -> Rule:
    """An algorithm whose state is the ``RunningAlgorithm`` that answers for ``algorithm``."""
    made = algorithm()
    return Rule(
        name=_name(algorithm),
        params=None,
        start=lambda *_: None,
        choose=_ask,
        reconsider=_ask_again if getattr(made, "reconsider", None) else None,
        delivered=_tell if getattr(made, "delivered", None) else None,
        waited=_tell_wait if getattr(made, "waited", None) else None,
    )


def _ask(params: Any, running: Any, seen: Any) -> Any:
    return running.choose(seen)


def _ask_again(params: Any, running: Any, seen: Any, progress: Any) -> Any:
    decision = running.reconsider(seen, progress)
    return hooks.reconsider(params, running, seen, progress) if decision is None else decision


def _tell(params: Any, running: Any, seen: Any, download: Any) -> None:
    running.delivered(seen, download)


def _tell_wait(params: Any, running: Any, seen: Any, wait_s: float) -> None:
    running.waited(seen, wait_s)


def _spread(job: _Job, order: NDArray[np.int64], rows: Rows, threads: int) -> None:
    """Let ``threads`` threads play neighbouring sessions each."""
    bounds = [len(order) * part // threads for part in range(threads + 1)]
    parts = [slice(a, b) for a, b in pairwise(bounds)]
    play = partial(_play_part, job, order, rows)
    if threads == 1:
        play(parts[0])
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(play, parts))


def _play_part(job: _Job, order: NDArray[np.int64], rows: Rows, part: slice) -> None:
    segments = len(job.table.durations_s)
    out = out_for(
        segments,
        segments + _MORE_DOWNLOADS,
        columns=rows.columns.shape[1],
        known=job.table.listed_bytes.shape,
    )
    if len(rows.columns) == 0 and not job.must_fill_columns:
        out = out._replace(columns=np.zeros((rows.columns.shape[1], 0)))
    records: Any = np.zeros(1, TOTALS_DTYPE)  # what ``many`` takes fields from
    out = out._replace(totals=records)
    job.loop(
        job.params,
        job.states,
        job.table,
        job.links,
        order[part],
        job.options,
        out,
        rows_at(rows, part),
    )


def _check_answers(algorithm: Algorithm, rows: Rows) -> None:
    refused = np.flatnonzero(rows.totals["outcome"] == REFUSED)
    if len(refused):
        raise AlgorithmError(
            f"algorithm {_name(algorithm)!r}: an illegal answer in session {refused[0]} "
            f"({len(refused)} in all); run it in the plain engine to see which"
        )


def _play_beyond(
    config: PlayerConfig,
    max_play_s: float,
    presentation: Presentation,
    traces: Sequence[Trace],
    algorithm: Algorithm,
    order: NDArray[np.int64],
    rows: Rows,
) -> dict[int, str]:
    """Let the player itself play what its simulator leaves to it; why those sessions ended."""
    from player.api import simulate

    table = presentation_table_of(presentation)
    endings = {}
    for i in np.flatnonzero(rows.totals["outcome"] == BEYOND).tolist():
        log = simulate(
            presentation,
            trace=traces[order[i]],
            algorithm=algorithm,
            config=config,
            max_play_s=max_play_s,
        )
        out = out_for(presentation.segments, 0, columns=rows.columns.shape[1])
        store(fill(log, table, out), rows.totals, i)
        endings[i] = next((str(record["why"]) for record in log.of("ended")), "still open")
        if len(rows.rungs):
            rows.rungs[i] = out.rungs
        if len(rows.columns):
            rows.columns[i] = out.columns
    return endings


def _room(
    count: int,
    table: PresentationTable,
    names: Sequence[str],
    *,
    keep_rungs: bool,
    keep_columns: bool,
) -> Rows:
    segments = len(table.durations_s)
    return Rows(
        np.zeros(count, TOTALS_DTYPE),
        np.zeros((count if keep_rungs else 0, segments), dtype=np.int16),
        np.zeros((count if keep_columns else 0, len(names), segments)),
    )


def _links(simulator: Simulator, traces: tuple[Trace, ...], options: Any) -> Links:
    """The tables of ``traces``; those of short lists are cached, as algorithms take turns."""
    make = _few_links if len(traces) <= _FEW else _few_links.__wrapped__
    return make(simulator.link_table, traces, options)


@functools.lru_cache(maxsize=8)
def _few_links(
    table: Callable[[Trace, Any], LinkTable], traces: tuple[Trace, ...], options: Any
) -> Links:
    return pack([table(trace, options) for trace in traces])


def _cannot(algorithm: Algorithm, why: str) -> str:
    return f"algorithm {_name(algorithm)!r} cannot be compiled: {why}; it runs as plain Python"


def _why_not(algorithm: Algorithm) -> str:
    """Why ``algorithm`` cannot be compiled; empty when it can."""
    if not isinstance(algorithm, Rule):
        return "it is an object with choose(seen), not a Rule"
    parts = (algorithm.choose, algorithm.reconsider, algorithm.delivered, algorithm.waited)
    if not all(part is None or is_importable(part) for part in parts):
        return "its functions do not stand at the top level of a module"
    return ""


def _name(algorithm: Algorithm) -> str:
    if isinstance(algorithm, Rule):
        return algorithm.name
    return str(
        getattr(algorithm, "registered_name", None) or getattr(algorithm, "__name__", "mine")
    )


__all__ = ["Batch", "Engine", "run_batch"]
