"""Sessions in the way of a preset: what was named, played and told.

Names are those of the preset's reference tool or of the registry. One plain dictionary
per session comes out, in the order movie, network, algorithm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from abr import registry
from abr.decision import Algorithm, Rule
from abr.errors import AlgorithmError, ConfigError
from abr.media import Presentation
from abr.trace import Trace
from player.batch.figures import figures_of
from player.batch.run.batch import Batch, Engine, run_batch
from player.batch.simulators import Simulator, load

# A compiled session costs next to nothing once seconds were spent on compiling; below
# about this many segments plain Python is done before.
_PLAIN_SEGMENTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One algorithm in one preset, ready to run."""

    name: str
    """As the user said it."""
    algorithm: Algorithm
    simulator: Simulator
    options: Any
    no_bound: str = ""
    """Why an algorithm that is told the network is no upper bound by these rules."""


def ready(
    preset: str,
    name: str,
    params: Mapping[str, Any],
    *,
    abandon: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> Play:
    """Algorithm ``name`` as ``preset`` means it.

    Args:
        preset: One of ``player.batch.simulators.PRESETS``.
        name: A configuration of the preset's reference tool, or a registered algorithm.
        params: Parameters that win over the configuration's.
        abandon: Whether downloads may be abandoned, where the preset knows that.
        settings: More options of the simulator.

    Raises:
        AlgorithmError: no such name, or a parameter that it lacks.
        ConfigError: a setting that the preset lacks.
    """
    simulator = load(preset)
    options: dict[str, Any] = {}
    configuration = simulator.configurations.get(name)
    if configuration is None:
        try:
            algorithm = registry.load(name, **params)
        except AlgorithmError as exc:
            known = ", ".join(simulator.configurations)
            also = f"; --preset {preset} also knows {known}" if known else ""
            raise AlgorithmError(f"{exc}{also}") from exc
    else:
        options.update(configuration.options)
        algorithm = registry.load(
            configuration.algorithm, **{**configuration.params, **dict(params)}
        )
    if "abandon" in simulator.options._fields:
        options["abandon"] = abandon
    elif not abandon and isinstance(algorithm, Rule):
        algorithm = without_abandonment(algorithm)
    for key, value in (settings or {}).items():
        if key not in simulator.options._fields:
            raise ConfigError(f"--preset {preset} has no {key}; it is as its reference tool is")
        options[key] = value
    made = simulator.options(**options)
    if simulator.twin is not None:
        from player.api import told_of_player  # the whole player, which others need not load

        algorithm = told_of_player(algorithm, simulator.twin.config_of(made), params)
    no_bound = ""
    if isinstance(algorithm, Rule) and algorithm.needs_trace:
        from player.bounds import why_no_bound

        no_bound = why_no_bound(preset, options)
    return Play(
        name=name, algorithm=algorithm, simulator=simulator, options=made, no_bound=no_bound
    )


def without_abandonment(algorithm: Rule) -> Rule:
    """``algorithm``, but letting every download finish."""
    return replace(algorithm, reconsider=None)


def run(
    play: Play,
    presentation: Presentation,
    traces: Sequence[Trace],
    *,
    engine: Engine = "auto",
    threads: int = 1,
) -> Batch:
    """All traces once, in order; the engine is what is likely to be done first."""
    if engine == "auto" and presentation.segments * len(traces) <= _PLAIN_SEGMENTS:
        engine = "plain"
    return run_batch(
        play.simulator,
        presentation,
        traces,
        play.algorithm,
        options=play.options,
        engine=engine,
        threads=threads,
        keep_columns=True,
    )


def rows(
    play: Play, presentation: Presentation, traces: Sequence[Trace], batch: Batch, *, abandon: bool
) -> Iterator[dict[str, Any]]:
    """What is told of each session of ``batch``."""
    ladder_bps = presentation.bitrates_bps.tolist()
    for k, trace in enumerate(traces):
        got = figures_of(batch.totals[k].tolist(), batch.rungs[k].tolist(), ladder_bps)
        row: dict[str, Any] = {
            "movie": presentation.title,
            "network": trace.name,
            "algorithm": play.name,
            "abandon": abandon,
            "rungs": got.rungs,
            "startup_s": got.startup_s,
            "stall_events": got.stall_events,
            "stall_s": got.stall_s,
            "played_s": got.played_s,
            "bitrate_change_bps": got.switch_bps,
            "mean_bitrate_bps": got.mean_bitrate_bps,
            "elapsed_s": got.elapsed_s,
            "downloads": got.downloads,
            "abandoned": got.abandoned,
        }
        if play.no_bound:
            row["no_upper_bound"] = play.no_bound
        if "qoe_lin" in batch.column_names:
            row["qoe_lin"] = batch.column("qoe_lin")[k].tolist()
        yield row
