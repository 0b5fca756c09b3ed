"""``abr fill``: copies to each edge at night what will be asked for, as far as that pays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.cli import configuration
from abr.errors import ConfigError, LogFormatError, MissingFileError, PeerError
from abr.shell import note, reason_of, run_async
from edge.cli.bars import bar
from edge.cli.fillshow import EdgePlan, clock, print_plans, print_reports
from edge.simulation.amounts import Amount, parse_rate, parse_size, parse_window, show_bytes
from edge.simulation.days import by_day
from edge.simulation.files import Logs
from edge.tiers.fillconfig import FillConfig, check_url
from edge.tiers.fillplan import OffPeak, Wanted
from edge.tiers.pins import MOST_KEYS, MOST_SHARE, PinFacts
from edge.tiers.popularity import DAY_S
from edge.tiers.premieres import Premieres, parse_premieres
from edge.tiers.shadows import Rehearsal
from origin.server.clock import Clock

if TYPE_CHECKING:
    from edge.server.ahead import Filler, FillReport

_OLD_S = 2 * DAY_S
"""Logs that end longer ago say little about tonight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of the command."""

    config: FillConfig
    window: OffPeak
    room: Amount | None
    """Most bytes pinned; None: what would have paid."""
    logs: Mapping[str, tuple[Path, ...]]
    edges: Mapping[str, str]
    premieres: Premieres
    starts_now: bool
    plans_only: bool
    as_json: bool


@click.command()
@click.option(
    "--log",
    "logs",
    metavar="NAME=FILE",
    multiple=True,
    required=True,
    help="Access log of the edge NAME; repeat it for more edges, and for more files, older first.",
)
@click.option(
    "--edge",
    "edges",
    metavar="NAME=URL",
    multiple=True,
    required=True,
    help="An edge to fill; may be repeated.",
)
@click.option(
    "--premieres",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What starts soon: key, size_bytes, at_s, expected_share; CSV or JSON Lines.",
)
@click.option(
    "--room",
    metavar="SIZE",
    help="Pin so much (2GB, 25%), whatever the logs say. [what would have paid]",
)
@click.option(
    "--rate", metavar="RATE", help="Most bits per second for each edge, on average. [50Mbit]"
)
@click.option(
    "--window",
    metavar="HH:MM-HH:MM",
    help="When, in UTC; +HH:MM after it names another offset. [02:00-06:00]",
)
@click.option("--now", "starts_now", is_flag=True, help="Start at once, for as long as the window.")
@click.option(
    "--half-life",
    "half_life_d",
    type=float,
    metavar="DAYS",
    help="A request so long ago weighs half. [2]",
)
@click.option("--policy", metavar="NAME", help="Policy of the edges. [s3-fifo]")
@click.option(
    "--playback", metavar="URL", help="Origin that gives tokens, for edges that check them."
)
@click.option("--open", "is_open", is_flag=True, help="The edges check no tokens.")
@click.option("--plan", "plans_only", is_flag=True, help="Print the plan and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or what was done, as JSON.")
@click.pass_context
def fill(
    ctx: click.Context,
    logs: Sequence[str],
    edges: Sequence[str],
    premieres: Path | None,
    room: str | None,
    rate: str | None,
    window: str | None,
    starts_now: bool,
    half_life_d: float | None,
    policy: str | None,
    playback: str | None,
    is_open: bool,
    plans_only: bool,
    as_json: bool,
) -> None:
    """Copy to each edge, off peak, what will be asked for, and pin it there.

    The access logs of one region's edges are gone through day by day. Each night of them is tried
    out in caches without bodies, so the room that is filled is what would have paid on the days
    before: none, when fills would not have. The origin's secret is ABR_FILL_PLAYBACK_SECRET, the
    edges' is ABR_FILL_PURGE_SECRET.

    \b
    Examples:
      abr fill --log a=a.jsonl --edge a=http://127.0.0.1:8081 --open --plan
      abr fill --log a=a.1.gz --log a=a.jsonl --log b=b.jsonl --edge a=http://a:8081
          --edge b=http://b:8081 --playback http://127.0.0.1:8080 --window 01:00-05:00+01:00
      abr fill --log a=a.jsonl --edge a=http://127.0.0.1:8081 --open --room 2GB --rate 50Mbit --now
    """
    config = configuration(
        ctx,
        "fill",
        FillConfig,
        room=room,
        rate=rate,
        window=window,
        half_life_d=half_life_d,
        policy=policy,
        playback=playback,
    ).check()
    if bool(config.playback) == is_open and not plans_only:
        raise ConfigError(
            "fill.playback: expected the origin that gives tokens, --playback URL, or --open if "
            "the edges check none; found " + ("both" if is_open else "neither")
        )
    start_s, length_s = parse_window(config.window, "--window")
    job = Job(
        config=config,
        window=OffPeak(
            start_s=start_s, length_s=length_s, rate_bps=parse_rate(config.rate, "--rate")
        ),
        room=parse_size(config.room, "--room") if config.room else None,
        logs=_files_by_name(logs),
        edges=_urls_by_name(edges),
        premieres=_premieres(premieres),
        starts_now=starts_now,
        plans_only=plans_only,
        as_json=as_json,
    )
    without = [name for name in job.edges if name not in job.logs]
    if without:
        raise ConfigError(f"--edge {without[0]}: has no log; expected --log {without[0]}=FILE")
    facts = run_async(_ask_facts(job))
    rehearsal = _rehearse(job, facts)
    if not run_async(_run(job, facts, rehearsal)):
        raise PeerError("not everything was filled; see above")


@asynccontextmanager
async def _fillers(job: Job, now: Callable[[], float]) -> AsyncIterator[list[Filler]]:
    """A client for each edge."""
    import aiohttp

    from edge.server.ahead import Filler, Tokens

    config = job.config
    timeout = aiohttp.ClientTimeout(total=config.answer_limit_s)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        tokens = None
        if config.playback:
            tokens = Tokens(session, config.playback, secret=config.playback_secret, now=now)
        yield [
            Filler(session, name=name, url=url, tokens=tokens, secret=config.purge_secret, now=now)
            for name, url in job.edges.items()
        ]


async def _ask_facts(job: Job) -> dict[str, PinFacts]:
    """How large the caches are."""
    async with _fillers(job, Clock()) as fillers:
        return {filler.name: await filler.facts() for filler in fillers}


async def _run(job: Job, facts: Mapping[str, PinFacts], rehearsal: Rehearsal) -> bool:
    """Plan, and fill; True: everything that was tried came off."""
    now = Clock()
    window = job.window
    if job.starts_now:
        window = replace(window, start_s=now() % DAY_S)
    elif not job.plans_only:
        await _wait(window, now)
    until_s = window.next_start_s(now()) + window.length_s
    async with _fillers(job, now) as fillers:
        plans = [
            await _plan(job, filler, facts[filler.name], rehearsal, window, now_s=now())
            for filler in fillers
        ]
        if job.plans_only:
            print_plans(rehearsal, plans, as_json=job.as_json)
            return True
        reports = await _carry_out(fillers, plans, window, until_s)
    print_reports(rehearsal, reports, as_json=job.as_json)
    return all(report.is_good for report in reports)


def _rehearse(job: Job, facts: Mapping[str, PinFacts]) -> Rehearsal:
    """Go through the logs; where no event loop is, so that Ctrl-C ends it at once."""
    # An edge that is not filled counts for the region; its cache is as large as the largest.
    size_bytes = max(each.capacity_bytes for each in facts.values())
    rehearsal = Rehearsal(
        {name: facts[name].capacity_bytes if name in facts else size_bytes for name in job.logs},
        window=job.window,
        half_life_s=job.config.half_life_d * DAY_S,
        premieres=job.premieres.premieres,
        premiere_sizes_bytes=job.premieres.sizes_bytes,
        policy=job.config.policy,
        overhead_bytes=max(each.overhead_bytes for each in facts.values()),
    )
    logs = Logs(job.logs)
    with bar("reading logs") as told:
        for day, asked in by_day(logs.open(told)):
            rehearsal.live(day, asked)
    for each in logs.troubles:
        for line in each.told:
            note(f"skipped {line}")
        if each.count > len(each.told):
            note(f"skipped {each.count - len(each.told)} more bad lines of {each.name}")
    if not rehearsal.days:
        raise LogFormatError("--log: no request in any log; expected access logs of `abr edge`")
    age_s = Clock()() - logs.ends_s
    if age_s > _OLD_S:
        note(f"the logs end {age_s / DAY_S:.1f} days ago; what they say may be outdated")
    if job.room is None and not rehearsal.share:
        why = (
            "fills would not have paid on the days before"
            if rehearsal.nights
            else "a night is needed to learn whether fills pay, with a day before it"
        )
        note(f"{why}: nothing is filled, and pins end; --room SIZE fills nevertheless")
    return rehearsal


async def _plan(
    job: Job,
    filler: Filler,
    facts: PinFacts,
    rehearsal: Rehearsal,
    window: OffPeak,
    *,
    now_s: float,
) -> EdgePlan:
    share = Amount(rehearsal.share, is_share=True)
    room_bytes = (job.room or share).of(facts.capacity_bytes)
    most_bytes = int(MOST_SHARE * facts.capacity_bytes)
    if room_bytes > most_bytes:
        note(
            f"{filler.name}: pins {show_bytes(most_bytes)} at most, {MOST_SHARE:.0%} of its cache; "
            f"not the {show_bytes(room_bytes)} of --room"
        )
        room_bytes = most_bytes
    rates = rehearsal.rates(filler.name, now_s=now_s)

    def plan(held: frozenset[str] | None) -> tuple[Wanted, ...]:
        return rehearsal.plan(
            rates,
            held=held,
            room_bytes=room_bytes,
            max_object_bytes=facts.max_object_bytes,
            window=window,
            now_s=now_s,
        )[:MOST_KEYS]

    keys = [each.key for each in plan(None)]
    missing = frozenset((await filler.ask(keys, "ask")).missing) if keys else frozenset()
    return EdgePlan(
        name=filler.name,
        room_bytes=room_bytes,
        rates=rates,
        plan=plan(frozenset(keys) - missing),
    )


async def _carry_out(
    fillers: Sequence[Filler], plans: Sequence[EdgePlan], window: OffPeak, until_s: float
) -> list[FillReport]:
    """Fill all edges at once."""
    import asyncio

    whole = sum(len(each.plan) for each in plans) or 1
    done = dict.fromkeys((each.name for each in plans), 0)
    with bar("filling") as told:

        def note_done(name: str, count: int) -> None:
            done[name] = count
            told(sum(done.values()) / whole)

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    filler.fill(
                        each.plan,
                        rate_bps=window.rate_bps,
                        until_s=until_s,
                        told=lambda count, name=each.name: note_done(name, count),  # type: ignore[misc]
                    )
                )
                for filler, each in zip(fillers, plans, strict=True)
            ]
    return [task.result() for task in tasks]


async def _wait(window: OffPeak, now: Callable[[], float]) -> None:
    """Until the window is open; at most a day."""
    import asyncio

    start_s = window.next_start_s(now())
    if start_s > now():
        note(f"waiting until {clock(start_s)} ({(start_s - now()) / 3600:.1f} h); Ctrl-C ends it")
        await asyncio.sleep(start_s - now())


def _pairs(given: Sequence[str], option: str, what: str) -> Iterator[tuple[str, str]]:
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ConfigError(f"{option}: found {text!r}; expected NAME={what}")
        yield name, value


def _files_by_name(given: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for name, value in _pairs(given, "--log", "FILE"):
        found[name] = (*found.get(name, ()), Path(value))
    return found


def _urls_by_name(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _pairs(given, "--edge", "URL"):
        if name in found:
            raise ConfigError(f"--edge {name}: is given twice; expected one URL for each edge")
        found[name] = check_url(value, f"--edge {name}")
    return found


def _premieres(path: Path | None) -> Premieres:
    if path is None:
        return Premieres(sizes_bytes={})
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "not UTF-8"
        raise MissingFileError(f"{path}: {reason}; expected a file of premieres") from exc
    return parse_premieres(text, where=str(path), is_csv=path.suffix == ".csv")
