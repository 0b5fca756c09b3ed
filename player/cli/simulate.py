"""``abr simulate``: a package, or many sessions of a movie, on a virtual clock."""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.cli.traces import columns_option, read_trace
from player.batch.cli import SpreadingCommand, Wanted, simulate_preset
from player.batch.simulators import PRESETS
from player.cli.options import (
    TRACE_HELP,
    algorithm_for,
    begun_after,
    check_algorithm,
    find_qoes,
    playing_options,
    read_config,
)
from player.cli.result import finish

if TYPE_CHECKING:
    from player.batch.run.batch import Engine


@click.command(cls=SpreadingCommand)
@click.argument("package", type=click.Path(path_type=Path), required=False)
@click.option("--trace", "trace_text", metavar="TRACE", help=TRACE_HELP)
@columns_option
@click.option(
    "--algorithm",
    "-a",
    "algorithms",
    multiple=True,
    default=("bola-sabre",),
    show_default=True,
    metavar="NAME",
    help="ABR algorithm: `abr algorithms` lists them; FILE.py:CLASS is one of your own. With "
    "--preset, several may follow.",
)
@playing_options
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    help="Play many sessions of --movie as that simulator does, and print a line for each.",
)
@click.option(
    "--movie",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --preset: segment sizes as JSON, in Sabre's format.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="TRACE...",
    help="With --preset: networks to play over, as for --trace; several may follow.",
)
@click.option("--no-abandon", is_flag=True, help="With --preset: let every download finish.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "compiled", "plain"]),
    default="auto",
    show_default=True,
    help="With --preset: whether sessions run as compiled code or plain Python.",
)
@click.pass_context
def simulate(
    ctx: click.Context,
    /,
    package: Path | None,
    trace_text: str | None,
    columns: str | None,
    algorithms: tuple[str, ...],
    params: tuple[str, ...],
    after_path: Path | None,
    max_play_s: float | None,
    player: str | None,
    log_path: Path | None,
    qoe: tuple[str, ...],
    as_json: bool,
    preset: str | None,
    movie: Path | None,
    networks: tuple[str, ...],
    no_abandon: bool,
    engine: Engine,
    **limits: Any,
) -> None:
    """Play PACKAGE over a trace on a virtual clock: the same player, no waiting.

    PACKAGE is a folder made by `abr transcode`; its real playlists and file sizes are used.
    With --preset, plays many sessions of a movie over many networks instead, each as the
    named simulator would; --algorithm then takes several names, also those that the
    simulator itself uses.

    \b
    Examples:
      abr simulate packages/film --trace lte.csv
      abr simulate packages/film --trace 3g.json --algorithm bba-0 --json
      abr simulate packages/film --trace 3g.json --algorithm fixed --param rung=2
      abr simulate --preset sabre --movie film.json --network net/*.json \\
          --algorithm bola bolae dynamic --json
    """
    if preset is not None:
        if package or trace_text or log_path or qoe:
            raise click.UsageError(
                "--preset takes --movie and --network instead of PACKAGE and --trace, and its "
                "sessions have the scores of their simulator; `abr bench` takes any --qoe"
            )
        simulate_preset(
            Wanted(
                preset=preset,
                movie=movie,
                networks=networks,
                columns=columns,
                algorithms=algorithms,
                params=begun_after(algorithms, params, after_path),
                abandon=not no_abandon,
                settings=_settings_of(max_play_s=max_play_s, **limits),
                engine=engine,
                as_json=as_json,
            )
        )
        return
    if movie is not None or networks or no_abandon or engine != "auto" or len(algorithms) > 1:
        raise click.UsageError(
            "--movie, --network, --no-abandon, --engine and several algorithms need --preset"
        )
    if package is None or trace_text is None:
        raise click.UsageError("give PACKAGE and --trace, or --preset with --movie and --network")
    from player.api import simulate as simulate_package
    from player.files import check_writable

    config = read_config(ctx, player=player, **limits)
    named = algorithm_for(ctx, algorithms[0], player)
    chosen, parameters = check_algorithm(named, begun_after([named], params, after_path))
    trace = read_trace(trace_text, columns)
    check_writable(log_path)
    models = find_qoes(qoe)
    with contextlib.redirect_stdout(sys.stderr):  # what an algorithm prints is no result
        log = simulate_package(
            package,
            trace=trace,
            algorithm=chosen,
            params=parameters,
            config=config,
            max_play_s=max_play_s or math.inf,
        )
    finish(log, log_path, as_json=as_json, qoe=models)


def _settings_of(
    *,
    max_play_s: float | None,
    rtt_ms: float | None,
    max_buffer_s: float | None,
    max_bitrate_mbps: float | None,
    max_height: float | None,
) -> dict[str, float]:
    """What the command line says of a simulator's player, as simulators call it."""
    settings = {
        "max_buffer_s": max_buffer_s,
        "max_play_s": max_play_s,
        "rtt_s": None if rtt_ms is None else rtt_ms / 1000,
        "max_bitrate_bps": None if max_bitrate_mbps is None else max_bitrate_mbps * 1e6,
        "max_height": max_height,
    }
    return {name: value for name, value in settings.items() if value is not None}
