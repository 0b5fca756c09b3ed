"""``abr agree``: the same playback in simulation and over real HTTP, side by side."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.cli import configuration
from abr.cli.traces import columns_option, read_traces
from abr.errors import PeerError
from abr.shell import note, run_async

if TYPE_CHECKING:
    from abr.log import SessionLog
    from abr.trace import Trace
    from bench.analysis.agreement import Gap
    from player.config import PlayerConfig


class DisagreementError(PeerError):
    """Simulation and HTTP were further apart than their bounds."""


@click.command()
@click.argument("package", type=click.Path(path_type=Path))
@click.option(
    "--trace",
    "trace_texts",
    multiple=True,
    metavar="TRACE",
    help="Trace to play over: a file, profile:NAME or generate:CLASS:SEED[:SECONDS]; "
    "repeat for several.  [default: two built-in ones]",
)
@columns_option
@click.option(
    "--algorithm",
    "-a",
    "algorithms",
    multiple=True,
    default=("bola-sabre",),
    show_default=True,
    metavar="NAME",
    help="Algorithm; repeat for several.",
)
@click.option(
    "--duration",
    "max_play_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Length of each playback, from the request to play; live runs take that long.",
)
@click.option(
    "--keys",
    "keys_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Key store of an encrypted package.",
)
@click.option(
    "--browser",
    "players",
    metavar="PLAYER,…",
    help="Compare with players in Chromium instead: hls.js, shaka, native.",
)
@click.option(
    "--players",
    "players_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of npm packages with the players.  [default: npm fetches them]",
)
@click.option(
    "--rung",
    "rungs",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="With --browser: play this rung alone; repeat for several.  [default: players choose]",
)
@click.option(
    "--runs",
    default=2,
    show_default=True,
    type=click.IntRange(min=1),
    help="With --browser: playbacks of each case in the browser.",
)
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="With --browser: playbacks at a time; too many spoil the figures.",
)
@click.option(
    "--records",
    "record_dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With --browser: keep what the page wrote down, a file for each playback.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.pass_context
def agree(
    ctx: click.Context,
    package: Path,
    trace_texts: tuple[str, ...],
    columns: str | None,
    algorithms: tuple[str, ...],
    max_play_s: float,
    keys_dir: Path | None,
    players: str | None,
    players_dir: Path | None,
    rungs: tuple[int, ...],
    runs: int,
    jobs: int,
    record_dir: Path | None,
    as_json: bool,
) -> None:
    """Measure how far simulation and HTTP differ on PACKAGE.

    Serves PACKAGE through an origin and two tiers of caches on loopback, plays it over
    each trace at real speed, simulates the same, and prints both. Exits 1 when the
    number of stalls differs, mean bitrate by more than 2 % or stalled time by more than
    10 %. Run it on an idle machine.

    With --browser real players in Chromium (Debian's chromium, driven by Playwright) play
    PACKAGE over the same shaped link, beside `abr play` and `abr simulate`; what their first
    picture takes beyond the network is calibrated on this machine. Exits 1 when fewer than 95 %
    of the pairs with hls.js agree: stalls within 1, stalled time within 10 % or 0.5 s, startup
    within 0.25 s, and 90 % of segments on the same rung where it chooses. Where there is no
    browser this is skipped, and said so.

    \b
    Examples:
      abr agree packages/film
      abr agree packages/film --trace lte.csv --trace 3g.json --trace home.txt
      abr agree packages/film -a bba-0 -a throughput --duration 120 --json
      abr agree packages/film --browser hls.js --trace lte.csv --rung 0 --rung 3
    """
    from abr.demotraces import demo_traces
    from bench.analysis.agreement import gap_between
    from bench.stack.cli import browsers
    from player import simulate
    from player.config import PlayerConfig
    from transcode.files.reader import read_presentation

    config = configuration(ctx, "player", PlayerConfig)
    top_bps = float(read_presentation(package).bitrates_bps[-1])
    traces = read_traces(trace_texts, columns) or list(demo_traces(top_bps))
    if players is not None:
        asked = browsers.Asked(
            package=package,
            keys_dir=keys_dir,
            players=browsers.players_named(players),
            folder=players_dir,
            rungs=rungs,
            runs=runs,
            jobs=jobs,
            seconds=max_play_s,
            record_dir=record_dir,
            as_json=as_json,
        )
        if beyond := browsers.compare(asked, traces, config):
            raise DisagreementError(f"{package}: {'; '.join(beyond)}")
        return
    plans = [(trace, algorithm) for trace in traces for algorithm in algorithms]
    lives = run_async(_play_all(package, plans, config, max_play_s, keys_dir))
    gaps = [
        gap_between(
            simulate(
                package, trace=trace, algorithm=algorithm, config=config, max_play_s=max_play_s
            ),
            live,
        )
        for (trace, algorithm), live in zip(plans, lives, strict=True)
    ]
    if as_json:
        click.echo(json.dumps({"gaps": [as_dict(gap) for gap in gaps]}))
    else:
        _print_table(gaps)
    apart = [gap for gap in gaps if not gap.is_within_bounds]
    if apart:
        which = ", ".join(
            f"{gap.algorithm} over {gap.trace}{f' ({gap.failed})' if gap.failed else ''}"
            for gap in apart
        )
        busy = " (the machine was too busy)" if any(gap.is_overloaded for gap in apart) else ""
        raise DisagreementError(f"{package}: simulation and HTTP disagree for {which}{busy}")


async def _play_all(
    package: Path,
    plans: list[tuple[Trace, str]],
    config: PlayerConfig,
    max_play_s: float,
    keys_dir: Path | None,
) -> list[SessionLog]:
    """Every live playback in turn, through warm caches: a miss is no part of the network."""
    from bench.stack.served import served
    from player import play

    logs = []
    async with served([package], keys=keys_dir) as urls:
        (url,) = urls.values()
        for number, (trace, algorithm) in enumerate(plans, start=1):
            if sys.stderr.isatty():
                note(f"{number}/{len(plans)}: {algorithm} over {trace.name}, {max_play_s:g} s")
            logs.append(
                await play(
                    url,
                    trace=trace,
                    algorithm=algorithm,
                    config=config,
                    max_play_s=max_play_s,
                )
            )
    return logs


def as_dict(gap: Gap) -> dict[str, Any]:
    """One comparison as JSON."""
    startup_s = gap.startup_difference_s
    return {
        "trace": gap.trace,
        "algorithm": gap.algorithm,
        "within_bounds": gap.is_within_bounds,
        "stall_events": [gap.virtual.stall_events, gap.live.stall_events],
        "stall_s": [gap.virtual.stall_s, gap.live.stall_s],
        "stall_gap_ratio": gap.stalled_ratio,
        "mean_bitrate_bps": [gap.virtual.mean_bitrate_bps, gap.live.mean_bitrate_bps],
        "mean_bitrate_gap_ratio": gap.bitrate_ratio,
        "startup_s": [gap.virtual.startup_s, gap.live.startup_s],
        "startup_difference_s": None if math.isnan(startup_s) else startup_s,
        "same_decisions": gap.same_decisions,
        "decisions": gap.decisions,
        "failed": gap.failed,
        "response_head_bytes": gap.response_head_bytes,
        "is_overloaded": gap.is_overloaded,
    }


def _print_table(gaps: list[Gap]) -> None:
    from rich.table import Table

    from player.table import console

    table = Table(title="virtual / live", title_justify="left", box=None)
    for name in ("trace", "algorithm"):
        table.add_column(name)
    for name in ("stalls", "stalled s", "gap", "Mbit/s", "gap", "startup s", "decisions", ""):
        table.add_column(name, justify="right")
    for gap in gaps:
        virtual, live = gap.virtual, gap.live
        table.add_row(
            gap.trace,
            gap.algorithm,
            f"{virtual.stall_events} / {live.stall_events}",
            f"{virtual.stall_s:.2f} / {live.stall_s:.2f}",
            f"{gap.stalled_ratio:.1%}",
            f"{virtual.mean_bitrate_bps / 1e6:.3f} / {live.mean_bitrate_bps / 1e6:.3f}",
            f"{gap.bitrate_ratio:.1%}",
            f"{virtual.startup_s or math.nan:.3f} / {live.startup_s or math.nan:.3f}",
            f"{gap.same_decisions} of {gap.decisions}",
            "FAILED" if gap.failed else "agrees" if gap.is_within_bounds else "APART",
        )
    console().print(table)
