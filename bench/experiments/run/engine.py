"""Where sessions of an experiment are played: one run in, its rows out.

The narrow seam between experiments and simulators. ``run_block`` is a function at module
level of picklable values, so that it can be sent to a process or to another machine. It
depends on the run alone: no clock, no disk, no state that outlives it.

Sessions run in the batch driver. What the simulator of our own player leaves to the player
itself, such as a request that meets a limit in time, is played on the virtual driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from abr import __version__
from abr.errors import InputError
from abr.qoe import qoe_lin, stalls, summary
from bench.experiments.experiment import Network, Run
from bench.experiments.results import Row
from player.api import as_algorithm, simulate, told_of_player
from player.batch.run.batch import Batch, run_batch
from player.batch.simulators import load
from player.batch.tables import COMPLETE
from player.config import PlayerConfig


def version() -> str:
    """Of abrkit where this is called; workers elsewhere must have the same."""
    return __version__


def options_of(preset: str, player: Mapping[str, Any]) -> Any:
    """Settings of a preset: its own defaults, but for those a plan gives.

    Raises:
        InputError: a setting that the preset does not know; those it knows are named.
    """
    simulator = load(preset)
    if simulator.twin is not None:
        known: tuple[str, ...] = tuple(PlayerConfig.__dataclass_fields__)
        defaults = {name: getattr(PlayerConfig(), name) for name in known}
    else:
        known = simulator.options._fields
        defaults = simulator.options._field_defaults
    for key, value in player.items():
        if key not in known:
            raise InputError(
                f"[player] {key}: the rules of {preset} have no such setting; "
                f"expected {', '.join(known)}"
            )
        kinds = (int, float) if type(defaults[key]) is float else (type(defaults[key]),)
        if not isinstance(value, kinds) or isinstance(value, bool) is not (bool in kinds):
            raise InputError(
                f"[player] {key} = {value!r}; expected a value such as {defaults[key]!r}"
            )
    values = {key: type(defaults[key])(value) for key, value in player.items()}
    if simulator.twin is None:
        return simulator.options(**values)
    return simulator.twin.options_of(_config(player))


def _config(player: Mapping[str, Any]) -> PlayerConfig:
    try:
        return PlayerConfig(**player)
    except (TypeError, ValueError) as exc:
        raise InputError(f"[player]: {exc}") from exc


def run_block(run: Run) -> list[Row]:
    """Play every session of ``run``.

    Returns:
        A row per network, in their order.

    Raises:
        AlgorithmError: the algorithm cannot be loaded, or broke its contract.
    """
    algorithm = as_algorithm(run.contender.rule, run.contender.params)
    simulator = load(run.preset)
    twin, known = simulator.twin, _identity(run)
    if twin is not None and not twin.can_play(run.presentation, _config(run.player)):
        return [{**known, **_network(each), **_by_player(run, each)} for each in run.networks]
    if twin is not None:
        algorithm = told_of_player(algorithm, _config(run.player), run.contender.params)
    batch = run_batch(
        simulator,
        run.presentation,
        [network.trace for network in run.networks],
        algorithm,
        options=options_of(run.preset, run.player),
        engine=run.engine,
        keep_columns=True,
    )
    is_whole = batch.total("outcome") == COMPLETE
    rows = []
    for place, network in enumerate(run.networks):
        left = twin is not None and not is_whole[place]
        figures = _by_player(run, network) if left else _figures(run, batch, place)
        rows.append({**known, **_network(network), **figures})
    return rows


def _identity(run: Run) -> Row:
    """The fields that all rows of a run share."""
    return {
        "run": run.id,
        "algorithm": run.contender.label,
        "params": dict(run.contender.effective),
        "presentation": run.presentation.title,
        "presentation_digest": run.presentation.digest(),
    }


def _network(network: Network) -> Row:
    return {
        "trace": network.trace.name,
        "trace_digest": network.trace.digest(),
        "class": network.kind,
        "seed": network.seed,
    }


def _figures(run: Run, batch: Batch, place: int) -> Row:
    """What a session of the batch came to."""

    def total(name: str) -> float:
        return float(batch.total(name)[place])

    rungs = batch.rungs[place].tolist()
    ladder = run.presentation.bitrates_bps.tolist()
    waits_s = batch.column("stall_s")[place].tolist()
    # What the first segment takes is startup, which the Pensieve family counts as a stall.
    first_s = waits_s[0] if run.preset == "pensieve" else 0.0
    stall_s = max(total("stall_s") - first_s, 0.0)
    played_s = total("played_s")
    return {
        "startup_s": total("startup_s"),
        "stall_s": stall_s,
        "stall_events": int(total("stall_events")) - (first_s > 0),
        "played_s": played_s,
        "elapsed_s": total("ended_s"),
        "segments": len(rungs),
        "mean_bitrate_bps": total("bitrate_time_bits") / played_s,
        "bitrate_change_bps": total("bitrate_change_bps"),
        "switches": int(total("switches")),
        "qoe_lin": qoe_lin([ladder[rung] for rung in rungs], stall_s),
        "downloaded_bytes": total("downloaded_bytes"),
        "wasted_bytes": total("wasted_bytes"),
        "ended": "complete",
        "rungs": rungs,
        "stalls": _stalls_in_media(run, batch, place, waits_s),
    }


def _stalls_in_media(run: Run, batch: Batch, place: int, waits_s: list[float]) -> list[list[float]]:
    """Where in the media each stall was, and how long it took."""
    found, media_s, stalled_s = [], 0.0, 0.0
    is_ours = run.preset == "abrkit"
    starts_s = batch.column("stall_start_s")[place] if is_ours else None
    startup_s = float(batch.total("startup_s")[place])
    for segment, wait_s in enumerate(waits_s):
        if segment and wait_s > 1e-9:
            at_s = media_s if starts_s is None else float(starts_s[segment]) - startup_s - stalled_s
            found.append([round(at_s, 6), round(wait_s, 6)])
            stalled_s += wait_s
        media_s += float(run.presentation.durations_s[segment])
    return found


def _by_player(run: Run, network: Network) -> Row:
    """What a session comes to that only the player itself can play."""
    presentation = run.presentation
    log = simulate(
        presentation,
        trace=network.trace,
        algorithm=as_algorithm(run.contender.rule, run.contender.params),
        config=_config(run.player),
    )
    got = summary(log)
    rates = [float(presentation.bitrates_bps[rung]) for rung in got.rungs]
    received = sum(float(r["size_bytes"]) for r in log.of("finished"))
    received += sum(float(r["received_bytes"]) for r in log.of("abort"))
    used = sum(float(presentation.sizes_bytes[r, n]) for n, r in enumerate(got.rungs))
    if presentation.audio_sizes_bytes is not None:
        used += float(presentation.audio_sizes_bytes[: len(got.rungs)].sum())
    spells, stalled_s = [], 0.0
    for spell in stalls(log):
        at_s = spell.start_s - (got.startup_s or 0.0) - stalled_s
        spells.append([round(at_s, 6), round(spell.length_s, 6)])
        stalled_s += spell.length_s
    return {
        "startup_s": got.startup_s if got.startup_s is None else float(got.startup_s),
        "stall_s": float(got.stall_s),
        "stall_events": got.stall_events,
        "played_s": float(got.played_s),
        "elapsed_s": float(got.elapsed_s),
        "segments": len(got.rungs),
        "mean_bitrate_bps": float(got.mean_bitrate_bps),
        "bitrate_change_bps": float(got.switch_bps),
        "switches": got.switches,
        "qoe_lin": qoe_lin(rates, got.stall_s),
        "downloaded_bytes": received,
        "wasted_bytes": max(received - used, 0.0),
        "ended": got.ended,
        "rungs": list(got.rungs),
        "stalls": spells,
    }
