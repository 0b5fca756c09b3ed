"""``abr play``, ``abr simulate`` and ``abr replay``: three drivers, one table."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abr.cli import configuration
from abr.errors import PlaybackError
from abr.shell import note, run_async
from player.batch.cli import SpreadingCommand, Wanted, simulate_preset

if TYPE_CHECKING:
    from abr.log import SessionLog
    from abr.trace import Trace
    from player.batch.run.batch import Engine
    from player.config import PlayerConfig
    from player.session import PlaybackSession

F = TypeVar("F", bound=Callable[..., Any])

PROGRESS_EVERY_S = 0.2


_ONE_ALGORITHM = click.option(
    "--algorithm",
    "-a",
    default="bola-sabre",
    show_default=True,
    metavar="NAME",
    help="ABR algorithm; `abr algorithms` lists them.",
)
_ALGORITHMS = click.option(
    "--algorithm",
    "-a",
    "algorithms",
    multiple=True,
    default=("bola-sabre",),
    show_default=True,
    metavar="NAME",
    help="ABR algorithm; `abr algorithms` lists them. With --preset, several may follow.",
)


def _shared(command: F) -> F:
    """Options of both commands that play."""
    options = [
        click.option(
            "--param",
            "params",
            multiple=True,
            metavar="NAME=VALUE",
            help="Parameter of the algorithm; repeat for several.",
        ),
        click.option(
            "--duration",
            "max_play_s",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Leave this long after play was asked.  [default: play to the end]",
        ),
        click.option(
            "--rtt-ms",
            type=click.FloatRange(min=0),
            metavar="MS",
            help="Round-trip time where the trace gives none.  [default: 40]",
        ),
        click.option(
            "--max-buffer",
            "max_buffer_s",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Most media to hold ahead.  [default: 30]",
        ),
        click.option(
            "--log",
            "log_path",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write the session log here (JSON Lines).",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("url")
@click.option(
    "--trace",
    "trace_text",
    metavar="TRACE",
    help="Network to play over: a file in any known format, profile:NAME or "
    "generate:CLASS:SEED[:SECONDS].  [default: the network as it is]",
)
@click.option(
    "--save",
    "save_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the opened media: one file per track and rung.",
)
@_ONE_ALGORITHM
@_shared
@click.pass_context
def play(
    ctx: click.Context,
    url: str,
    trace_text: str | None,
    save_dir: Path | None,
    algorithm: str,
    params: tuple[str, ...],
    max_play_s: float | None,
    rtt_ms: float | None,
    max_buffer_s: float | None,
    log_path: Path | None,
    as_json: bool,
) -> None:
    """Play URL headless over HTTP in real time.

    URL is a multivariant playlist, for example one printed by `abr serve`. With --trace
    every byte goes through a shaping proxy in this process that follows the trace.

    \b
    Examples:
      abr play http://127.0.0.1:8080/t/TOKEN/film/multivariant.m3u8
      abr play URL --trace lte.csv --algorithm bba-0 --log session.jsonl
      abr play URL --trace 3g.json --algorithm fixed --param rung=1 --duration 60 --json
    """
    from player.api import play as play_url
    from player.files import MediaFolder, check_writable, write_log

    _check_duration(max_play_s)
    config = _config(ctx, rtt_ms, max_buffer_s)
    chosen, parameters = _algorithm(algorithm, params)
    trace = None if trace_text is None else _trace(trace_text)
    check_writable(log_path)
    progress = _ProgressLine(max_play_s) if sys.stderr.isatty() else None
    sink = MediaFolder(save_dir) if save_dir is not None else None
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what an algorithm prints is no result
            log = run_async(
                play_url(
                    url,
                    trace=trace,
                    algorithm=chosen,
                    params=parameters,
                    config=config,
                    max_play_s=max_play_s or math.inf,
                    on_progress=progress,
                    sink=sink,
                )
            )
    finally:
        if progress is not None:
            progress.clear()
    if log.provenance.get("shaper", {}).get("is_overloaded"):
        note("this machine was too busy to shape the network faithfully; do not trust the figures")
    log.provenance["command"] = _command_line()
    if log_path is not None:
        write_log(log, log_path)
    _show(log, as_json=as_json)


@click.command(cls=SpreadingCommand)
@click.argument("package", type=click.Path(path_type=Path), required=False)
@click.option(
    "--trace",
    "trace_text",
    metavar="TRACE",
    help="Network to play over: a file in any known format, profile:NAME or "
    "generate:CLASS:SEED[:SECONDS].",
)
@_ALGORITHMS
@_shared
@click.option(
    "--preset",
    type=click.Choice(["abrkit", "sabre", "pensieve"]),
    help="Play many sessions of --movie as that simulator does, one line for each.",
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
    help="With --preset: what sessions run in.",
)
@click.pass_context
def simulate(
    ctx: click.Context,
    package: Path | None,
    trace_text: str | None,
    algorithms: tuple[str, ...],
    params: tuple[str, ...],
    max_play_s: float | None,
    rtt_ms: float | None,
    max_buffer_s: float | None,
    log_path: Path | None,
    as_json: bool,
    preset: str | None,
    movie: Path | None,
    networks: tuple[str, ...],
    no_abandon: bool,
    engine: Engine,
) -> None:
    """Play PACKAGE over a trace on a virtual clock: the same player, no waiting.

    PACKAGE is a folder made by `abr transcode`; its real playlists and file sizes are used.
    With --preset, many sessions of a movie over many networks instead, each as the named
    simulator plays it; --algorithm may then name several, also as that simulator does.

    \b
    Examples:
      abr simulate packages/film --trace lte.csv
      abr simulate packages/film --trace 3g.json --algorithm bba-0 --json
      abr simulate packages/film --trace 3g.json --algorithm fixed --param rung=2
      abr simulate --preset sabre --movie film.json --network net/*.json \\
          --algorithm bola bolae dynamic --json
    """
    if preset is not None:
        if package or trace_text or log_path:
            raise click.UsageError(
                "--preset takes --movie and --network instead of PACKAGE and --trace"
            )
        settings = {
            "max_buffer_s": max_buffer_s,
            "max_play_s": max_play_s,
            "rtt_s": None if rtt_ms is None else rtt_ms / 1000,
        }
        simulate_preset(
            Wanted(
                preset=preset,
                movie=movie,
                networks=networks,
                algorithms=algorithms,
                params=params,
                abandon=not no_abandon,
                settings={name: value for name, value in settings.items() if value is not None},
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
    from player.files import check_writable, write_log

    _check_duration(max_play_s)
    config = _config(ctx, rtt_ms, max_buffer_s)
    chosen, parameters = _algorithm(algorithms[0], params)
    trace = _trace(trace_text)
    check_writable(log_path)
    with contextlib.redirect_stdout(sys.stderr):  # what an algorithm prints is no result
        log = simulate_package(
            package,
            trace=trace,
            algorithm=chosen,
            params=parameters,
            config=config,
            max_play_s=max_play_s or math.inf,
        )
    log.provenance["command"] = _command_line()
    if log_path is not None:
        write_log(log, log_path)
    _show(log, as_json=as_json)


@click.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def replay(log: Path, as_json: bool) -> None:
    """Play LOG again: every decision is made anew and must equal the recorded one.

    Exits 1 when anything differs, after naming the first differences.

    \b
    Examples:
      abr replay session.jsonl
      abr replay session.jsonl --json
    """
    from player.api import replay as replay_log
    from player.drivers.replay import differences
    from player.files import read_log

    recorded = read_log(log)
    again = replay_log(recorded)
    found = differences(recorded, again)
    _show(again, as_json=as_json, may_fail=True)
    if found:
        raise PlaybackError(f"{log}: the replay differs from the recording: {'; '.join(found)}")
    note(f"{log}: {len(recorded.records)} records replayed, all identical")


def _check_duration(max_play_s: float | None) -> None:
    if max_play_s is not None and not math.isfinite(max_play_s):
        raise click.BadParameter(f"{max_play_s}; expected seconds", param_hint="--duration")


def _config(ctx: click.Context, rtt_ms: float | None, max_buffer_s: float | None) -> PlayerConfig:
    from player.config import PlayerConfig

    return configuration(
        ctx,
        "player",
        PlayerConfig,
        rtt_s=None if rtt_ms is None else rtt_ms / 1000,
        max_buffer_s=max_buffer_s,
    )


def _trace(text: str) -> Trace:
    """The trace meant; what looks odd about it is said, not believed or mended."""
    from abr.files.traces import resolve

    reading = resolve(text)
    for remark in reading.remarks:
        note(remark)
    return reading.trace


def _algorithm(name: str, params: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The canonical name, known to exist, and its parameters as given."""
    from abr import registry

    parameters = registry.params_from(params)
    canonical, remark = registry.resolve(name)
    if remark:
        note(remark)
    registry.load(canonical, **parameters)
    return canonical, parameters


def _command_line() -> str:
    """The command as it was called, without the token of its URL."""
    from origin.tokens import redact

    return redact(shlex.join(["abr", *sys.argv[1:]]))


def _show(log: SessionLog, *, as_json: bool, may_fail: bool = False) -> None:
    from abr.qoe import as_dict, summary

    qoe = summary(log)
    failed = qoe.ended.startswith("error: ")
    if as_json:
        click.echo(json.dumps(as_dict(log)))
    elif not failed or qoe.startup_s is not None:
        from player.table import console, session_table

        console().print(session_table(log))
    if failed and not may_fail:
        raise PlaybackError(qoe.ended.removeprefix("error: "))


class _ProgressLine:
    """One line on the terminal that follows the playback."""

    def __init__(self, max_play_s: float | None) -> None:
        self._max_play_s = max_play_s
        self._start_s = self._shown_s = time.monotonic()

    def __call__(self, session: PlaybackSession) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_s < PROGRESS_EVERY_S:
            return
        self._shown_s = now_s
        throughput = session.throughput_bps
        rate = "   -  " if math.isnan(throughput) else f"{throughput / 1e6:6.2f}"
        title = session.presentation
        total_s = self._max_play_s or (title.duration_s if title else math.inf)
        of = f"/{total_s:.0f}" if math.isfinite(total_s) else ""
        click.echo(
            f"\r{session.state:8} {now_s - self._start_s:6.1f}{of} s   "
            f"buffer {session.buffer_s:5.1f} s   rung {max(session.last_rung, 0)}   "
            f"throughput {rate} Mbit/s ",
            err=True,
            nl=False,
        )

    def clear(self) -> None:
        """Leave an empty line behind."""
        click.echo("\r" + " " * 78 + "\r", err=True, nl=False)
