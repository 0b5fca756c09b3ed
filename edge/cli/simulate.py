"""``abr cache simulate``: policies and sizes of caches over a log of requests."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.errors import ConfigError, LogFormatError, MissingFileError
from abr.shell import note
from edge import policies
from edge.cli.bars import bar
from edge.simulation.amounts import Amount, parse_requests, parse_size, show_bytes
from edge.simulation.formats import FORMATS, Columns, Troubles, guess_format
from edge.simulation.survey import LogFacts

if TYPE_CHECKING:
    from edge.simulation.run import Simulated


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "names",
    metavar="NAME",
    multiple=True,
    default=("s3-fifo", "lru"),
    help=f"{', '.join(policies.names())}, or all; may be repeated. [s3-fifo, lru]",
)
@click.option(
    "--size",
    "sizes",
    metavar="SIZE",
    multiple=True,
    default=("1%", "5%", "20%"),
    help="Bytes (10GB, 512MiB) or a share of the sum of all objects; may be repeated. [1% 5% 20%]",
)
@click.option(
    "--warm-up",
    metavar="SHARE",
    default="20%",
    help="Share or number of requests that fill the caches and are not counted. [20%]",
)
@click.option(
    "--ttl",
    "lifetime_s",
    metavar="S",
    type=float,
    help="Seconds until an object must be validated. [never]",
)
@click.option(
    "--overhead",
    "overhead_bytes",
    metavar="BYTES",
    type=click.IntRange(min=0),
    default=0,
    help="Charged for each object beside its body; an edge charges 8192. [0]",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="How the log is written. [by its name]",
)
@click.option("--time-column", metavar="COLUMN", default="t_s", help="CSV: name or number. [t_s]")
@click.option("--key-column", metavar="COLUMN", default="key", help="CSV: name or number. [key]")
@click.option(
    "--size-column",
    metavar="COLUMN",
    default="size_bytes",
    help="CSV: name or number. [size_bytes]",
)
@click.option("--delimiter", metavar="CHARACTER", default=",", help="CSV: between columns. [,]")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes at once. [one for each core]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def simulate(
    trace: Path,
    names: Sequence[str],
    sizes: Sequence[str],
    warm_up: str,
    lifetime_s: float | None,
    overhead_bytes: int,
    format_name: str | None,
    time_column: str,
    key_column: str,
    size_column: str,
    delimiter: str,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Run the edge's cache over the requests in TRACE, and print how many it would answer.

    TRACE is an access log of `abr edge` (JSON Lines with t_s, key and size_bytes), a CSV file,
    or a trace in libCacheSim's binary oracleGeneral format; .gz and .zst are decompressed.
    Each policy is simulated at each size. Bad lines are skipped and reported.

    \b
    Examples:
      abr cache simulate access.jsonl --size 10GB --size 50GB
      abr cache simulate trace.oracleGeneral.zst --policy all --size 1% --size 10% --json
      abr cache simulate day.csv --time-column 1 --key-column 2 --size-column 3
    """
    from edge.simulation.run import Cache, Log, survey
    from edge.simulation.run import simulate as run

    chosen = _policies(names)
    amounts = [parse_size(text, "--size") for text in sizes]
    skipped = parse_requests(warm_up, "--warm-up")
    if lifetime_s is not None and not lifetime_s >= 0:
        raise ConfigError(f"--ttl: found {lifetime_s}; expected seconds, 0 or more")
    columns = Columns(
        time=time_column, key=key_column, size=size_column, delimiter=_delimiter(delimiter)
    )
    log = Log(path=trace, format=format_name or _guess(trace), columns=columns)
    with bar("reading") as told:
        facts, troubles = survey(log, told)
    _check(skipped, facts)
    caches = [
        Cache(
            policy=name,
            capacity_bytes=max(1, amount.of(facts.footprint_bytes)),
            overhead_bytes=overhead_bytes,
            lifetime_s=math.inf if lifetime_s is None else lifetime_s,
            warm_up_requests=skipped.of(facts.requests),
        )
        for amount in amounts
        for name in chosen
    ]
    with bar("simulating") as told:
        rows = [_row(each) for each in run(log, caches, processes=jobs, told=told)]
    if as_json:
        bad = {"bad_lines": troubles.count, "first_bad_lines": troubles.told}
        about = {"trace": str(trace), "format": log.format, **asdict(facts), **bad}
        click.echo(json.dumps({"log": about, "caches": rows}))
    else:
        _print(facts, troubles, rows, shows_ttl=lifetime_s is not None)


def _row(simulated: Simulated) -> dict[str, Any]:
    outcome = simulated.outcome
    return {
        "policy": simulated.cache.policy,
        "size_bytes": simulated.cache.capacity_bytes,
        "hit_ratio": _number(outcome.hit_ratio),
        "byte_hit_ratio": _number(outcome.byte_hit_ratio),
        **asdict(outcome),
        "cpu_s": simulated.cpu_s,
    }


def _delimiter(text: str) -> str:
    found = text.replace("\\t", "\t")
    if len(found) != 1:
        raise ConfigError(f"--delimiter: found {text!r}; expected one character, or \\t")
    return found


def _policies(names: Sequence[str]) -> list[str]:
    chosen: list[str] = []
    for name in names:
        for each in policies.names() if name == "all" else (name,):
            policies.make(each, capacity_bytes=1)
            if each not in chosen:
                chosen.append(each)
    return chosen


def _guess(trace: Path) -> str:
    found = guess_format(trace.name)
    if found is None and not trace.exists():
        raise MissingFileError(f"{trace}: no such file; expected a request log")
    if found is None and trace.is_dir():
        raise MissingFileError(f"{trace}: is a folder; expected a request log")
    if found is None:
        raise LogFormatError(
            f"{trace}: its name does not say how it is written; add --format {'|'.join(FORMATS)}"
        )
    return found


def _check(skipped: Amount, facts: LogFacts) -> None:
    count = skipped.of(facts.requests)
    if count >= facts.requests:
        raise ConfigError(
            f"--warm-up: {count} of {facts.requests} requests leave none to count; choose fewer"
        )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(
    facts: LogFacts, troubles: Troubles, rows: list[dict[str, Any]], *, shows_ttl: bool
) -> None:
    for line in troubles.told:
        note(f"skipped {line}")
    if troubles.count > len(troubles.told):
        note(f"skipped {troubles.count - len(troubles.told)} more bad lines")
    about = "about " if facts.is_estimate else ""
    click.echo(
        f"{facts.requests} requests over {facts.length_s:.0f} s for "
        f"{about}{facts.objects} objects, {about}{show_bytes(facts.footprint_bytes)}; "
        f"{rows[0]['warm_up_requests']} to warm up, {rows[0]['requests']} counted"
    )
    names = ["policy", "size", "requests hit", "bytes hit", "refused", "evicted"]
    if shows_ttl:
        names.insert(4, "validated")
    click.echo("".join(f"{name:>14}" for name in names))
    for row in rows:
        cells = [
            row["policy"],
            show_bytes(row["size_bytes"]),
            *(_percent(row[name]) for name in ("hit_ratio", "byte_hit_ratio")),
            *([_percent(row["validated"] / row["requests"])] if shows_ttl else []),
            str(row["refused"]),
            str(row["evicted"]),
        ]
        click.echo("".join(f"{cell:>14}" for cell in cells))


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.2f} %"
