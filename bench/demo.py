"""``abr demo``: everything once, from a master file to a report."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.errors import MissingFileError, PlaybackError
from abr.shell import note, run_async

if TYPE_CHECKING:
    from abr.log import SessionLog
    from abr.trace import Trace
    from bench.reports.sessions import LadderRung, ReportData
    from player.config import PlayerConfig
    from transcode.packaging.index import PresentationIndex

ALGORITHMS = ("throughput", "bba-0", "bola-sabre")
MAX_BUFFER_S = 14.0
"""Short, so that even a short presentation leaves decisions to make on the way."""
MARK = ".abr-demo"
"""A file that says that its folder is a demo's."""
OF_OLDER = ("packages", "keys", "logs", "cache-stats.json", "report.html")
"""What demos left that did not mark their folder."""
GENERATED = (32.0, "640x360")
"""Seconds and size of the master that is made when none is given."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """One live playback of the demo."""

    algorithm: str
    trace: int
    """Index into the traces: 0 is the commute, 1 the home line."""
    edge: int
    """The ISP edge it plays through."""
    joins_s: float
    """Seconds after the first viewer."""


VIEWERS = (
    Viewer("bola-sabre", 0, 0, 0.0),
    Viewer("throughput", 1, 0, 2.0),
    Viewer("bba-0", 0, 1, 4.0),
)
"""Two share an edge, the third uses the other: both tiers get misses and hits."""


@click.command()
@click.option(
    "--master",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Video file to use.  [default: a generated one]",
)
@click.option(
    "--out",
    default="demo-out",
    show_default=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for package, keys, logs and report: new, empty or an older demo's, which is "
    "replaced.",
)
@click.option(
    "--duration",
    "max_play_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=5),
    metavar="SECONDS",
    help="Longest playback; live ones take that long.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def demo(master: Path | None, out: Path, max_play_s: float, as_json: bool) -> None:
    """Do everything once: master, encrypted ladder, origin, edges, players, report.

    Plays over two small networks: all algorithms simulated, three viewers live over HTTP
    through both tiers of caches. Ends with OUT/report.html, which opens offline.

    \b
    Examples:
      abr demo
      abr demo --master film.mp4 --out /tmp/film-demo
    """
    started_s = time.monotonic()
    if master is not None and not master.exists():
        raise MissingFileError(f"{master}: no such file; expected a video file")
    folders = _Folders(out)
    folders.make()
    index = run_async(_transcode(master, folders))
    traces = _traces(folders.package(index))
    config = _player_config()
    note(f"simulating {len(ALGORITHMS)} algorithms and no adaptation over {len(traces)} networks")
    virtual = _simulate(folders.package(index), traces, config, max_play_s)
    live, stats = run_async(_play(folders, index, traces, config, max_play_s))
    logs = [*virtual, *live]
    command = ["abr", "demo", *(["--master", str(master)] if master else []), "--out", str(out)]
    data = _report_data(logs, stats, traces, index, shlex.join(command))
    folders.write(data, stats)
    _tell(data, stats, folders.report, time.monotonic() - started_s, as_json=as_json)
    _check_live(data)


@dataclass(frozen=True, slots=True)
class _Folders:
    """Where the demo keeps what it makes."""

    out: Path

    @property
    def keys(self) -> Path:
        """The key store."""
        return self.out / "keys"

    @property
    def report(self) -> Path:
        """The page."""
        return self.out / "report.html"

    def make(self) -> None:
        """Make the folder.

        Raises:
            MissingFileError: something else is in its place, or it holds what is no demo's.
        """
        if self.out.exists() and not self.out.is_dir():
            raise MissingFileError(f"{self.out}: not a folder; name another with --out")
        is_ours = (self.out / MARK).is_file() or all(
            (self.out / name).exists() for name in OF_OLDER
        )
        if self.out.is_dir() and not is_ours and any(self.out.iterdir()):
            raise MissingFileError(
                f"{self.out}: holds files that are no demo's, which might be replaced; name a new "
                "folder with --out"
            )
        (self.out / "packages").mkdir(parents=True, exist_ok=True)
        (self.out / MARK).touch()
        (self.out / "logs").mkdir(exist_ok=True)

    def package_for(self, master: Path | None) -> Path:
        """The package of a master."""
        from transcode.packaging.layout import title_of

        return self.out / "packages" / title_of(master.stem if master else "generated")

    def package(self, index: PresentationIndex) -> Path:
        """The package that was made."""
        return self.out / "packages" / index.title

    def write(self, data: ReportData, stats: Mapping[str, Mapping[str, int]]) -> None:
        """Keep logs, counts and page; the page last."""
        from abr.files.whole import write_whole
        from bench.reports.session_page import render_page
        from player.files import write_log

        for session in data.sessions:
            name = f"{session.driver}-{session.algorithm}-{session.trace}.jsonl"
            write_log(session.log, self.out / "logs" / name)
        write_whole(self.out / "cache-stats.json", json.dumps(stats, indent=2).encode())
        write_whole(self.report, render_page(data).encode())


async def _transcode(master: Path | None, folders: _Folders) -> PresentationIndex:
    from transcode.cli.transcode import make_package
    from transcode.config import TranscodeConfig

    out = folders.package_for(master)
    config = TranscodeConfig(encrypt="aes-128", keys_dir=str(folders.keys), force=True).check()
    if master is None:
        note(f"generating a master of {GENERATED[0]:g} s and making an encrypted ladder of it")
        return await make_package((out,), config, GENERATED)
    note(f"{master}: making an encrypted ladder")
    return await make_package((master, out), config, None)


def _traces(package: Path) -> list[Trace]:
    from abr.demotraces import demo_traces
    from transcode.files.reader import read_presentation

    return list(demo_traces(float(read_presentation(package).bitrates_bps[-1])))


def _player_config() -> PlayerConfig:
    from player.config import PlayerConfig

    return PlayerConfig(max_buffer_s=MAX_BUFFER_S)


def _simulate(
    package: Path, traces: list[Trace], config: PlayerConfig, max_play_s: float
) -> list[SessionLog]:
    from player import simulate
    from transcode.files.reader import read_presentation

    top = read_presentation(package).rungs - 1
    plans: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in ALGORITHMS]
    plans.append(("fixed", {"rung": top}))
    return [
        simulate(
            package,
            trace=trace,
            algorithm=name,
            params=params,
            config=config,
            max_play_s=max_play_s,
        )
        for trace in traces
        for name, params in plans
    ]


async def _play(
    folders: _Folders,
    index: PresentationIndex,
    traces: list[Trace],
    config: PlayerConfig,
    max_play_s: float,
) -> tuple[list[SessionLog], Mapping[str, Mapping[str, int]]]:
    """The viewers, all at once, and what the caches counted."""
    from bench.stack.stack import Stack
    from player import play

    async with Stack([folders.package(index)], keys=folders.keys) as stack:

        async def watch(viewer: Viewer) -> SessionLog:
            await asyncio.sleep(viewer.joins_s)
            return await play(
                stack.playback_url(index.title, edge=viewer.edge),
                trace=traces[viewer.trace],
                algorithm=viewer.algorithm,
                config=config,
                max_play_s=max_play_s,
            )

        played_s = min(max_play_s, sum(index.video[0].durations_s))
        note(f"playing live: {len(VIEWERS)} viewers through 2 edges, about {played_s:.0f} s")
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(watch(viewer)) for viewer in VIEWERS]
        counts = {tier: dict(figures) for tier, figures in stack.cache_stats().items()}
    # The page shows the tier nearest the player first.
    ordered = {tier: counts[tier] for tier in ("isp", "regional") if tier in counts}
    return [task.result() for task in watching], ordered  # type: ignore[return-value]  # TypedDict


def _report_data(
    logs: list[SessionLog],
    stats: Mapping[str, Mapping[str, int]],
    traces: list[Trace],
    index: PresentationIndex,
    command: str,
) -> ReportData:
    from bench.reports.sessions import report_data

    return report_data(
        logs,
        heading=f"{index.title}: one presentation, {len(traces)} networks",
        traces=traces,
        cache_stats=stats,
        ladders={index.title: _ladder(index)},
        commands=[command],
    )


def _ladder(index: PresentationIndex) -> list[LadderRung]:
    from bench.reports.sessions import LadderRung

    return [
        LadderRung(
            bitrate_bps=index.average_bandwidth_bps(rung),
            width=track.width,
            height=track.height,
            frame_rate=track.frame_rate,
            codecs=track.codecs,
        )
        for rung, track in enumerate(index.video)
    ]


def _tell(
    data: ReportData,
    stats: Mapping[str, Mapping[str, int]],
    report: Path,
    took_s: float,
    *,
    as_json: bool,
) -> None:
    from abr.qoe import as_dict
    from bench.reports.sessions import failures_json
    from bench.reports.wording import describe_sessions, write_findings

    if as_json:
        done: dict[str, Any] = {
            "report": str(report),
            "sessions": [as_dict(session.log) for session in data.sessions],
            "caches": stats,
            "took_s": round(took_s, 1),
        }
        click.echo(json.dumps({**done, **failures_json(data)}))
        return
    click.echo("\n".join([*describe_sessions(data), "", *write_findings(data)]))
    if any(session.is_overloaded for session in data.sessions):
        note("this machine was too busy in a live playback; the report marks which")
    click.echo(f"\nreport: {report}  (took {took_s:.0f} s)")


def _check_live(data: ReportData) -> None:
    """Refuse to call a demo done in which a live playback failed.

    Raises:
        PlaybackError: naming the first that did.
    """
    for session in data.sessions:
        if session.driver == "live" and session.failure is not None:
            raise PlaybackError(f"{session.label} over {session.trace}: {session.failure}")
