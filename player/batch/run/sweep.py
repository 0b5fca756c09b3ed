"""``player.simulate_many``: many sessions to one table, for experiments in Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from abr import registry
from abr.arguments import kind_of
from abr.decision import Algorithm
from abr.errors import AbrError, InputError
from abr.media import Presentation
from abr.qoe import Model
from abr.trace import Trace
from abr.traceedit import rotate
from player.api import as_algorithm, told_of_player
from player.arguments import check, check_each
from player.batch.figures import VIEWED, figures_of, viewed_figures, viewing_of_session
from player.batch.run.batch import Engine, run_batch
from player.batch.run.combinations import (
    Source,
    TraceSource,
    Wanted,
    check_labels,
    labelled,
    models_of,
    need_some,
    networks_of,
    presentations_of,
    seeds_of,
    several,
)
from player.batch.simulators import load
from player.batch.stalls import stalls_of
from player.bounds import about_bound
from player.config import PlayerConfig

FIGURES = (
    ("startup_s", np.float64),
    ("stall_events", np.int64),
    ("stall_s", np.float64),
    ("rebuffer_ratio", np.float64),
    ("played_s", np.float64),
    ("elapsed_s", np.float64),
    ("mean_bitrate_bps", np.float64),
    ("switches", np.int64),
    ("switch_bps", np.float64),
    ("qoe_lin", np.float64),
    ("downloaded_bytes", np.float64),
    ("wasted_bytes", np.float64),
    ("quality_mean", np.float64),
    ("quality_lowest", np.float64),
    ("quality_change", np.float64),
)
"""Numbers of each session, as ``abr.qoe`` defines them."""


class _Case(NamedTuple):
    """One algorithm over one presentation, for one seed and all traces."""

    presentation: Presentation
    label: str
    algorithm: Algorithm
    seed: int


def simulate_many(
    sources: Source | Sequence[Source],
    *,
    traces: TraceSource | Sequence[TraceSource],
    columns: str | Mapping[str, object] | None = None,
    algorithms: Wanted | Sequence[Wanted] | Mapping[str, Wanted],
    seeds: Sequence[int] = (0,),
    config: PlayerConfig | None = None,
    max_play_s: float = math.inf,
    engine: Engine = "auto",
    threads: int = 1,
    qoe: str | Model | Sequence[str | Model] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[Any]:
    """Play every presentation with every algorithm over every trace, once per seed.

    Each session is the one that ``player.simulate`` plays, to the last bit. Algorithms
    that can be compiled are; the first session of one may take some seconds, until its
    machine code is on disk.

    Args:
        sources: Folders made by ``abr transcode``, or presentations.
        traces: Networks; a folder means every trace file in it, a file every trace in it.
        columns: Which columns of the files are what, if they are tables in no known format, such
            as ``"time=1:ms,rate=2:kbit"``.
        algorithms: Registered names, ``Rule`` objects, callables that make objects with
            ``choose(seen)``, or such objects, of which each session gets a copy; a mapping gives
            them labels.
        seeds: Each trace is played from another place for each seed, 0 from its start, and
            algorithms that draw get the seed.
        config: Buffering, starting and retrying.
        max_play_s: The viewer leaves this many seconds after asking to play.
        engine: ``auto`` compiles what can be compiled, ``plain`` nothing; ``compiled``
            makes it an error where an algorithm cannot be.
        threads: Threads for compiled sessions.
        qoe: What to score sessions by, as names or as values of ``abr.qoe``.
        on_progress: Called with the number of sessions done, and of all.

    Returns:
        A structured array, one row per session: ``presentation``, ``algorithm``, ``trace``,
        ``seed``, the numbers of ``FIGURES`` (``startup_s`` is nan where playback never
        began, those of quality where it was not measured), ``ended`` (``complete``,
        ``stopped`` or an error), the number of segments shown, the score of each QoE under
        its name (nan where playback never began or failed), and ``no_upper_bound``: why an
        algorithm that is told the network bounds nothing with this ``config``, else empty.
        ``pandas.DataFrame(table)`` and ``table[table["algorithm"] == x]`` work as they are.

    Raises:
        MissingFileError, PackageError, TraceFormatError: something cannot be read.
        AlgorithmError: an algorithm is unknown, breaks its contract, or cannot be compiled
            where that is asked for.
        QoEError: a QoE is unknown, or needs what sessions lack.
        ArgumentError, ConfigError: an argument of the wrong type, out of range, or of no use.
        InputError: nothing to play, seeds that are none, or two rows could not be told apart.
    """
    check_each("simulate_many", sources=sources, traces=traces, qoe=qoe)
    check(
        "simulate_many",
        config=config,
        max_play_s=max_play_s,
        threads=threads,
        on_progress=on_progress,
        algorithms=algorithms,
    )
    config = config or PlayerConfig()
    if engine not in get_args(Engine):
        said = repr(engine) if isinstance(engine, str) else kind_of(engine)
        raise InputError(f"engine is {said}; expected one of {', '.join(get_args(Engine))}")
    networks = networks_of(several(traces), columns)
    cases = _cases(presentations_of(several(sources)), algorithms, seeds_of(seeds), config)
    need_some("traces", networks)
    models = [model for model in models_of(qoe) if model.name not in dict(FIGURES)]
    parts, total = [], len(cases) * len(networks)
    for number, case in enumerate(cases, start=1):
        parts.append(_play(case, networks, config, max_play_s, engine, threads, models))
        if on_progress is not None:
            on_progress(number * len(networks), total)
    return np.concatenate(parts)  # texts become as wide as the longest of their field


def _cases(
    presentations: Sequence[Presentation],
    algorithms: Wanted | Sequence[Wanted] | Mapping[str, Wanted],
    seeds: Sequence[int],
    config: PlayerConfig,
) -> list[_Case]:
    """Every algorithm over every presentation for every seed."""
    wanted = list(labelled(algorithms))
    check_labels([label for label, _ in wanted])
    for what, found in (("presentations", presentations), ("algorithms", wanted), ("seeds", seeds)):
        need_some(what, found)
    return [
        _Case(presentation, label, _for_seed(made, label, seed, config), seed)
        for presentation in presentations
        for label, made in wanted
        for seed in seeds
    ]


def _play(
    case: _Case,
    networks: Sequence[Trace],
    config: PlayerConfig,
    max_play_s: float,
    engine: Engine,
    threads: int,
    models: Sequence[Model],
) -> NDArray[Any]:
    simulator = load("abrkit")
    assert simulator.twin is not None
    over = [rotate(trace, case.seed) for trace in networks]
    batch = run_batch(
        simulator,
        case.presentation,
        over,
        case.algorithm,
        options=simulator.twin.options_of(config, max_play_s=max_play_s),
        engine=engine,
        threads=threads,
        keep_columns=bool(models),
        config=config,
    )
    stalls = stalls_of(batch, case.presentation.durations_s) if models else []
    ladder_bps = case.presentation.bitrates_bps.tolist()
    totals, rungs = batch.totals.tolist(), batch.rungs.tolist()
    stopped = batch.total("outcome") != 0
    no_bound = about_bound(case.algorithm, config).get("no_upper_bound", "")
    rows = []
    for place, trace in enumerate(networks):
        got = figures_of(totals[place], rungs[place], ladder_bps)
        spent_s = got.played_s + got.stall_s
        ratio = got.stall_s / spent_s if spent_s > 0 else 0.0
        startup_s = math.nan if got.startup_s is None else got.startup_s
        known: dict[str, Any] = {
            **got._asdict(),
            "startup_s": startup_s,
            "rebuffer_ratio": ratio,
            **dict.fromkeys(VIEWED, math.nan),
            **viewed_figures(case.presentation, got.rungs, got.played_s),
        }
        ended = batch.endings.get(place, "stopped" if stopped[place] else "complete")
        names = (case.presentation.title, case.label, trace.name, case.seed)
        numbers = [known[name] for name, _ in FIGURES]
        scores = []
        if models:
            about = {"algorithm": case.label, "trace": trace.name, "ended": ended}
            viewing = viewing_of_session(case.presentation, got, stalls[place], **about)
            is_whole = ended in ("complete", "stopped") and got.startup_s is not None
            scores = [model.score(viewing) if is_whole else math.nan for model in models]
        rows.append((*names, *numbers, len(got.rungs), *scores, ended, no_bound))
    texts = [("presentation", 0), ("algorithm", 1), ("trace", 2)]
    dtype = [
        *((name, f"U{max(1, *(len(row[k]) for row in rows))}") for name, k in texts),
        ("seed", np.int64),
        *FIGURES,
        ("segments", np.int64),
        *((model.name, np.float64) for model in models),
        ("ended", f"U{max(len(row[-2]) for row in rows)}"),
        ("no_upper_bound", f"U{max(1, len(no_bound))}"),
    ]
    return np.array(rows, dtype=dtype)


def _for_seed(made: Wanted, label: str, seed: int, config: PlayerConfig) -> Algorithm:
    """The algorithm as it plays one seed: told of it where it takes one."""
    if not isinstance(made, str):
        return as_algorithm(made)
    if seed:
        try:
            return told_of_player(registry.load(made, seed=seed), config, {})
        except AbrError:
            pass  # it does not draw
    return told_of_player(as_algorithm(made), config, {})
