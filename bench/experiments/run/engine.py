"""Where sessions of an experiment are played: one run in, its rows out.

The narrow seam between experiments and simulators. ``run_block`` is a function at module
level of picklable values, so that it can be sent to a process or to another machine. What
comes out depends on its arguments alone; what a process keeps between runs, such as a
loaded algorithm, only saves time.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from abr import __version__, registry
from abr.decision import Algorithm
from abr.errors import AlgorithmError, ConfigError, InputError
from bench.experiments.experiment import Block, Contender, NetworkTrace, Run, digest_of
from bench.experiments.results import Row, print_block
from bench.experiments.run.reached import noting, reached_by
from bench.experiments.run.sources import Loaded, is_ours, loaded
from player.batch.figures import Figures, figures_of, viewed_figures
from player.batch.ranges import check_options
from player.batch.run.compiled import keep_others_apart
from player.batch.simulators import load
from player.batch.stalls import stalls_of
from player.config import PlayerConfig
from player.presets import preset as player_preset

if TYPE_CHECKING:
    from player.batch.run.batch import Batch, Engine

LIKE = "like"
"""Key of ``[player]`` that names a player of ``player.presets``."""

ALGORITHMS_KEPT = 64
"""Loaded algorithms that a process keeps."""


def version() -> str:
    """Of abrkit where this is called; workers elsewhere must have the same."""
    return __version__


def options_of(preset: str, player: Mapping[str, Any]) -> Any:
    """Settings of a preset: its own defaults, but for those a plan gives.

    Raises:
        InputError: a setting that the preset does not know, those it knows are named; or one
            that is out of range.
    """
    simulator = load(preset)
    if simulator.twin is not None:
        known: tuple[str, ...] = tuple(PlayerConfig.__dataclass_fields__)
        defaults = {name: getattr(PlayerConfig(), name) for name in known}
    else:
        known = simulator.options._fields
        defaults = simulator.options._field_defaults
    for key, value in player.items():
        if key == LIKE and simulator.twin is not None:
            continue
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(known)}"
            raise InputError(f"[player] {key}: preset {preset} has no such setting; {hint}")
        kinds = (int, float) if type(defaults[key]) is float else (type(defaults[key]),)
        if not isinstance(value, kinds) or isinstance(value, bool) is not (bool in kinds):
            raise InputError(
                f"[player] {key} = {value!r}; expected a value such as {defaults[key]!r}"
            )
    if simulator.twin is None:
        options = simulator.options(
            **{key: type(defaults[key])(value) for key, value in player.items()}
        )
        check_options(options)
        return options
    return simulator.twin.options_of(_config(player))


def _config(player: Mapping[str, Any]) -> PlayerConfig:
    """Settings of our own player, in place of those of the player that it is to be like."""
    given = {key: value for key, value in player.items() if key != LIKE}
    try:
        base = player_preset(str(player[LIKE])).settings if LIKE in player else {}
        return PlayerConfig(**{**base, **given})
    except (ConfigError, TypeError, ValueError) as exc:
        raise InputError(f"[player]: {exc}") from exc


def run_block(run: Run, block: Block) -> str:
    """Play every session of ``run``.

    Returns:
        A row per trace of ``block``, in their order, as ``print_block`` prints them.

    Raises:
        AlgorithmError: the algorithm cannot be loaded, is not what it was when the
            experiment was, or broke its contract.
    """
    with noting():
        batch = play(run, block, algorithm_of(run.contender), engine=run.engine)
    reached = reached_by(_loaded[run.contender.loads_as].roots)
    return print_block(
        run.id,
        rows_of(run, block, batch),
        reached=reached.facts,
        unseen="; ".join(reached.unseen),
    )


def play(run: Run, block: Block, algorithm: Algorithm, *, engine: Engine) -> Batch:
    """Play sessions as the plan says: its preset, presentation and settings of the player."""
    from player.batch.run.batch import run_batch  # a rerun that plays nothing does without

    simulator = load(run.preset)
    options, config = _settings(run.preset, tuple(run.player.items()))
    if config is not None:
        from player.api import told_of_player

        algorithm = told_of_player(algorithm, config, run.contender.params)
    return run_batch(
        simulator,
        run.presentation,
        [network.trace for network in block],
        algorithm,
        options=options,
        engine=engine,
        keep_columns=True,
        config=config,
    )


@functools.lru_cache(maxsize=8)
def _settings(preset: str, player: tuple[tuple[str, Any], ...]) -> tuple[Any, PlayerConfig | None]:
    """Options of the simulator, and of our own player where the simulator is its twin."""
    config = None if load(preset).twin is None else _config(dict(player))
    return options_of(preset, dict(player)), config


def algorithm_of(contender: Contender) -> Algorithm:
    """The algorithm of ``contender``, as this process has loaded it.

    Raises:
        AlgorithmError: it cannot be loaded, or its source here is not what it was where
            the experiment was loaded.
    """
    name = contender.loads_as
    key = digest_of([name, contender.params])
    origin = None if name in _loaded else registry.origin(name)
    is_apart = bool(_loaded[name].roots) if origin is None else not is_ours(origin)
    if is_apart:
        keep_others_apart(contender.code)
    algorithm = _ours.get(key) or registry.load(name, **contender.params)
    if origin is not None:
        # Once per process: modules are loaded once, so a later edit changes files but not them.
        _loaded[name] = loaded(origin, algorithm)
    if contender.sources not in ("", _loaded[name].sources):
        raise AlgorithmError(
            f"algorithm {name!r}: its source here is not what it was when the run began; run "
            "the command again, with the same source wherever workers are"
        )
    if key not in _ours and not is_apart:
        if len(_ours) >= ALGORITHMS_KEPT:
            del _ours[next(iter(_ours))]
        _ours[key] = algorithm
    return algorithm


_ours: dict[str, Algorithm] = {}
"""Algorithms of abrkit by a digest of name and parameters. Third-party ones are made again for
each run, as they may keep state in closures."""
_loaded: dict[str, Loaded] = {}
"""Source of an algorithm when it was first loaded, by name."""


def rows_of(run: Run, block: Block, batch: Batch) -> list[Row]:
    """What each session of ``batch`` came to."""
    known = {
        "run": run.id,
        "algorithm": run.contender.label,
        "params": dict(run.contender.effective),
        "presentation": run.presentation.title,
        "presentation_digest": run.presentation_digest,
    }
    ladder_bps = run.presentation.bitrates_bps.tolist()
    totals, rungs = batch.totals.tolist(), batch.rungs.tolist()
    stalls = stalls_of(batch, run.presentation.durations_s)
    # The Pensieve family counts the wait for the first segment, startup, as a stall.
    counts_startup = run.preset == "pensieve"
    startup_s = batch.column("stall_s")[:, 0].tolist() if counts_startup else [0.0] * len(block)
    return [
        {
            **known,
            **_network(network),
            **_figures(
                run,
                figures_of(
                    totals[place], rungs[place], ladder_bps, startup_in_stalls_s=startup_s[place]
                ),
                stalls[place],
                batch.endings.get(place, "complete"),
            ),
        }
        for place, network in enumerate(block)
    ]


def _network(network: NetworkTrace) -> Row:
    return {
        "trace": network.trace.name,
        "trace_digest": network.digest,
        "class": network.kind,
        "cluster": network.cluster,
        "seed": network.seed,
    }


def _figures(run: Run, got: Figures, stalls: list[list[float]], ended: str) -> Row:
    """What a session came to, in the words of result files."""
    return {
        "startup_s": got.startup_s,
        "stall_s": got.stall_s,
        "stall_events": got.stall_events,
        "played_s": got.played_s,
        "elapsed_s": got.elapsed_s,
        "segments": len(got.rungs),
        "mean_bitrate_bps": got.mean_bitrate_bps,
        "bitrate_change_bps": got.switch_bps,
        "switches": got.switches,
        "qoe_lin": got.qoe_lin,
        "downloaded_bytes": got.downloaded_bytes,
        "wasted_bytes": got.wasted_bytes,
        **viewed_figures(run.presentation, got.rungs, got.played_s),
        "ended": ended,
        "rungs": got.rungs,
        "stalls": stalls,
    }
