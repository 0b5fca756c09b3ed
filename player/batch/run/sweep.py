"""``player.simulate_many``: many sessions to one table, for experiments in Python."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from abr import registry
from abr.decision import Algorithm, Chooser, Rule, fresh
from abr.errors import AbrError, InputError, TraceFormatError
from abr.files.traces import check_columns, resolve_readings
from abr.media import Presentation
from abr.qoe import Model, check_distinct, named
from abr.trace import Trace
from abr.traceedit import rotate
from abr.traceformats import Reading, find_set_doubts
from abr.traceformats.names import distinguish
from player.api import as_algorithm, told_of_player
from player.arguments import check, check_each
from player.batch.figures import VIEWED, figures_of, viewed_figures, viewing_of_session
from player.batch.run.batch import Engine, run_batch
from player.batch.simulators import load
from player.batch.stalls import stalls_of
from player.config import PlayerConfig
from transcode.files.reader import read_presentation

Source = str | Path | Presentation
"""A package's folder, or a presentation."""
TraceSource = str | Path | Trace
"""A trace; a file or folder of traces; ``profile:NAME`` or ``generate:CLASS:SEED[:SECONDS]``."""

Wanted = str | Algorithm | Chooser
"""A registered name, a ``Rule``, what makes an object with ``choose(seen)``, or such an object."""

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
        ``stopped`` or an error), the number of segments shown, and the score of each QoE under
        its name (nan where playback never began or failed). ``pandas.DataFrame(table)`` and
        ``table[table["algorithm"] == x]`` work as they are.

    Raises:
        MissingFileError, PackageError, TraceFormatError: something cannot be read.
        AlgorithmError: an algorithm is unknown, breaks its contract, or cannot be compiled
            where that is asked for.
        QoEError: a QoE is unknown, or needs what sessions lack.
        ArgumentError, ConfigError: an argument of the wrong type, or out of range.
        InputError: nothing to play, or seeds that are none.
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
        raise InputError(f"engine is {engine!r}; expected one of {', '.join(get_args(Engine))}")
    if isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes):
        seeds = list(seeds)  # of an iterator, too
    if not _are_seeds(seeds):
        raise InputError(f"seeds are {seeds!r}; expected several whole numbers of 0 or more")
    presentations = [_presentation(each) for each in _several(sources)]
    networks = _networks(_several(traces), columns)
    labelled = list(_labelled(algorithms))
    for what, found in (
        ("presentations", presentations),
        ("traces", networks),
        ("algorithms", labelled),
        ("seeds", seeds),
    ):
        if not len(found):
            raise InputError(f"no {what}; give at least one")
    cases = [
        _Case(presentation, label, _for_seed(made, label, seed, config), seed)
        for presentation in presentations
        for label, made in labelled
        for seed in seeds
    ]
    models = _models(qoe)
    parts, total = [], len(cases) * len(networks)
    for number, case in enumerate(cases, start=1):
        parts.append(_play(case, networks, config, max_play_s, engine, threads, models))
        if on_progress is not None:
            on_progress(number * len(networks), total)
    return np.concatenate(parts)  # texts become as wide as the longest of their field


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
        rows.append((*names, *numbers, len(got.rungs), *scores, ended))
    texts = [("presentation", 0), ("algorithm", 1), ("trace", 2)]
    dtype = [
        *((name, f"U{max(1, *(len(row[k]) for row in rows))}") for name, k in texts),
        ("seed", np.int64),
        *FIGURES,
        ("segments", np.int64),
        *((model.name, np.float64) for model in models),
        ("ended", f"U{max(len(row[-1]) for row in rows)}"),
    ]
    return np.array(rows, dtype=dtype)


def _models(given: str | Model | Sequence[str | Model]) -> list[Model]:
    """QoEs to score by; QoE_lin is in every row."""
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    models = [named(each) if isinstance(each, str) else each for each in several]
    check_distinct(models)
    return [model for model in models if model.name not in dict(FIGURES)]


def _are_seeds(given: object) -> bool:
    """Whether they can be the seeds of NumPy's generators."""
    if not isinstance(given, list):
        return False
    return all(isinstance(each, int | np.integer) and each >= 0 for each in given)


def _several(given: Any) -> Sequence[Any]:
    if isinstance(given, str | os.PathLike | Presentation | Trace):
        return [given]
    return list(given)


def _presentation(source: Source) -> Presentation:
    return source if isinstance(source, Presentation) else read_presentation(source)


def _networks(
    given: Sequence[TraceSource], columns: str | Mapping[str, object] | None
) -> list[Trace]:
    """All traces, no two called the same; what is odd about them together is warned of."""
    check_columns(columns, given)
    readings: list[Reading] = []
    traces: list[Trace] = []
    places: list[str] = []
    for source in given:
        if isinstance(source, Trace):
            traces.append(source)
            places.append("")
            continue
        for place, reading in _readings(Path(source), columns):
            readings.append(reading)
            traces.append(reading.trace)
            places.append(place)
    for doubt in find_set_doubts(readings):
        warnings.warn(doubt, stacklevel=3)
    names = distinguish([trace.name for trace in traces], places)
    return [trace.named(name) for trace, name in zip(traces, names, strict=True)]


def _readings(
    path: Path, columns: str | Mapping[str, object] | None
) -> Iterator[tuple[str, Reading]]:
    """The traces of a file, or of all files of a folder that hold some.

    Raises:
        MissingFileError, TraceFormatError: the file, or everything in the folder, holds none.
    """
    if not path.is_dir():
        yield from ((str(path), each) for each in resolve_readings(str(path), columns=columns))
        return
    files = sorted(each for each in path.iterdir() if each.is_file())
    if not files:
        raise InputError(f"{path}: an empty folder; expected trace files")
    errors: list[TraceFormatError] = []
    for each in files:
        try:
            found = resolve_readings(str(each), columns=columns)
        except TraceFormatError as exc:
            errors.append(exc)
            continue
        yield from ((str(each), reading) for reading in found)
    if len(errors) == len(files):
        raise errors[0]
    for error in errors:
        warnings.warn(f"left out: {error}", stacklevel=4)


def _labelled(
    given: Wanted | Sequence[Wanted] | Mapping[str, Wanted],
) -> Iterator[tuple[str, Wanted]]:
    if isinstance(given, Mapping):
        for label, wanted in given.items():
            if not isinstance(label, str):
                raise InputError(f"algorithms has the label {label!r}; expected text")
            yield label, wanted
        return
    several: Any = given
    if isinstance(given, str | Rule) or callable(fresh(several)):
        several = [given]
    for each in several:
        yield each if isinstance(each, str) else _label(each), each


def _label(given: Algorithm | Chooser) -> str:
    named = given.func if isinstance(given, partial) else given
    return str(getattr(named, "name", getattr(named, "__name__", type(named).__name__)))


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
