"""Where sessions of an experiment are played: one run in, its rows out.

The narrow seam between experiments and simulators. ``run_block`` is a function at module
level of picklable values, so that it can be sent to a process or to another machine. It
depends on the run alone: no clock, no disk, no state that outlives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from abr import __version__
from abr.errors import InputError
from abr.qoe import stalls, summary
from bench.experiment import Network, Run
from bench.metrics import qoe_lin
from bench.results import Row
from player.api import as_algorithm, simulate
from player.config import PlayerConfig
from player.drivers.batch import Batch, run_batch
from player.kernels import pensieve, sabre

KERNELS: Mapping[str, ModuleType] = {"sabre": sabre, "pensieve": pensieve}
"""The loop of each preset."""


def version() -> str:
    """Of abrkit where this is called; workers elsewhere must have the same."""
    return __version__


def options_of(preset: str, player: Mapping[str, Any]) -> Any:
    """Settings of a preset: its own defaults, but for those a plan gives.

    Raises:
        InputError: a setting that the preset does not know; those it knows are named.
    """
    if preset not in KERNELS:  # our player itself, until it has a kernel
        return PlayerConfig(**player)
    kinds = KERNELS[preset].Options
    for key in player:
        if key not in kinds._fields:
            raise InputError(
                f"[player] {key}: the rules {preset!r} have no such setting; "
                f"expected {', '.join(kinds._fields)}"
            )
    try:
        return kinds(**{k: type(kinds._field_defaults[k])(v) for k, v in player.items()})
    except (TypeError, ValueError) as exc:
        raise InputError(f"[player]: {exc}") from exc


def run_block(run: Run) -> list[Row]:
    """Play every session of ``run``.

    Returns:
        A row per network, in their order.

    Raises:
        AlgorithmError: the algorithm cannot be loaded, or broke its contract.
    """
    if run.preset not in KERNELS:
        return _by_the_player(run)
    batch = run_batch(
        KERNELS[run.preset],
        run.presentation,
        [network.trace for network in run.networks],
        as_algorithm(run.contender.rule, run.contender.params),
        options=options_of(run.preset, run.player),
        engine=run.engine,
        keep_columns=True,
    )
    known = identity(run)
    return [
        {**known, **_network(network), **_figures(run, batch, place)}
        for place, network in enumerate(run.networks)
    ]


def _by_the_player(run: Run) -> list[Row]:
    """Session by session on the virtual driver."""
    algorithm = as_algorithm(run.contender.rule, run.contender.params)
    config = PlayerConfig(**run.player)
    ladder = run.presentation.bitrates_bps
    rows = []
    for network in run.networks:
        log = simulate(run.presentation, trace=network.trace, algorithm=algorithm, config=config)
        got = summary(log)
        received = sum(r["size_bytes"] for r in log.of("finished"))
        received += sum(r["received_bytes"] for r in log.of("abort"))
        used = sum(run.presentation.sizes_bytes[r, n] for n, r in enumerate(got.rungs))
        first_s = got.startup_s or 0.0
        rows.append(
            {
                **identity(run),
                **_network(network),
                "startup_s": got.startup_s,
                "stall_s": float(got.stall_s),
                "stall_events": got.stall_events,
                "played_s": float(got.played_s),
                "elapsed_s": float(got.elapsed_s),
                "segments": len(got.rungs),
                "mean_bitrate_bps": float(got.mean_bitrate_bps),
                "bitrate_change_bps": float(got.switch_bps),
                "switches": got.switches,
                "qoe_lin": qoe_lin([float(ladder[r]) for r in got.rungs], got.stall_s),
                "downloaded_bytes": float(received),
                "wasted_bytes": max(float(received - used), 0.0),
                "ended": got.ended,
                "rungs": list(got.rungs),
                "stalls": [
                    [round(s.start_s - first_s, 6), round(s.length_s, 6)] for s in stalls(log)
                ],
            }
        )
    return rows


def identity(run: Run) -> Row:
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
    def total(name: str) -> float:
        return float(batch.total(name)[place])

    rungs = batch.rungs[place].tolist()
    ladder = run.presentation.bitrates_bps.tolist()
    waits_s = batch.column("stall_s")[place].tolist()
    # What the first segment takes is startup, which some rules of simulation count as a stall.
    startup_s = waits_s[0]
    stall_s = max(total("stall_s") - startup_s, 0.0)
    played_s = total("played_s")
    return {
        "startup_s": total("startup_s"),
        "stall_s": stall_s,
        "stall_events": int(total("stall_events")) - (startup_s > 0),
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
        "stalls": _stalls_in_media(run, waits_s),
    }


def _stalls_in_media(run: Run, waits_s: list[float]) -> list[list[float]]:
    """Where in the media each stall was, and how long it took."""
    found, media_s = [], 0.0
    for segment, wait_s in enumerate(waits_s):
        if segment and wait_s > 1e-9:
            found.append([round(media_s, 6), round(wait_s, 6)])
        media_s += float(run.presentation.durations_s[segment])
    return found
