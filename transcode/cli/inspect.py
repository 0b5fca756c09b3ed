"""The command ``abr inspect``: an HLS package against the rules that make it play everywhere."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from abr.errors import AbrError, InputError, KeyStoreError, PeerError
from abr.shell import explain, run_async

if TYPE_CHECKING:
    from transcode.inspection.facts import PackageFacts
    from transcode.inspection.judge import Verdict
    from transcode.run.inspecting import OnProgress
    from transcode.run.mediafacts import Depth, KeyOf

UNUSABLE_EXIT_CODE = 2
"""What was given is no package: another code than that of one which breaks rules."""


class _UnusableError(click.ClickException):
    exit_code = UNUSABLE_EXIT_CODE

    def __repr__(self) -> str:
        return f"_UnusableError({self.message!r})"


@click.command()
@click.argument("package", metavar="PACKAGE_OR_URL", required=False)
@click.option("--quick", is_flag=True, help="Look at playlists and file sizes only.")
@click.option("--decode", is_flag=True, help="Also decode every segment alone (slow).")
@click.option("--rule", "only", multiple=True, metavar="RULE", help="Check this rule only.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave this rule out.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings as well as on violations.")
@click.option("--root", metavar="DIR", help="Folder that playlists may lead up to (..).")
@click.option("--keys", "keys_dir", metavar="DIR", help="Key store, for encrypted packages.")
@click.option("--svg", metavar="FILE", type=click.Path(path_type=Path), help="Draw the ladder.")
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path), help="Write the report as a page."
)
@click.option(
    "--time-limit",
    type=click.FloatRange(1, 86_400),
    default=3600.0,
    metavar="SECONDS",
    help="Give up reading a URL after so long  [3600].",
)
@click.option("--rules", "list_rules", is_flag=True, help="List all rules and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(
    package: str | None,
    quick: bool,
    decode: bool,
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    root: str | None,
    keys_dir: str | None,
    svg: Path | None,
    html: Path | None,
    time_limit: float,
    list_rules: bool,
    as_json: bool,
) -> None:
    """Check an HLS package, anyone's, against RFC 8216 and Apple's authoring specification.

    PACKAGE_OR_URL is a folder, an .m3u8 file or an http(s) URL. Every finding names its
    rule, where it is written, the file, what was measured, what is allowed and what to do.
    RULE is an id such as bandwidth-covers-peak, or a clause such as 1.26.

    Exit codes: 0 no violation, 1 violations, 2 wrong usage, or no package.

    \b
    Examples:
      abr inspect packages/film
      abr inspect https://video.example/film/master.m3u8 --json
      abr inspect packages/film --decode --html report.html
      abr inspect packages/film --quick --ignore 6.1 --ignore default-variant
      abr inspect --rules
    """
    from transcode.inspection.judge import chosen, judge

    if list_rules:
        _print_rules(as_json)
        return
    if not package:
        raise click.UsageError("no package; expected a folder, an .m3u8 file or a URL")
    if quick and decode:
        raise click.UsageError("--quick reads no media, --decode needs them; expected one")
    try:
        rules = chosen(only, ignore)
    except InputError as exc:
        raise click.UsageError(str(exc)) from exc
    depth = "sizes" if quick else "decode" if decode else "media"
    facts = _load(package, depth, root, keys_dir, time_limit, show=not as_json)
    verdict = judge(facts, cast("Depth", depth), rules)
    _draw(facts, verdict, svg, html)
    if as_json:
        from transcode.inspection.report import data_of

        click.echo(json.dumps(data_of(facts, verdict, depth=depth), allow_nan=False))
    else:
        _print_report(facts, verdict)
    if verdict.count("violation") or (strict and verdict.count("warning")):
        raise click.exceptions.Exit(1)


def _load(
    package: str,
    depth: str,
    root: str | None,
    keys_dir: str | None,
    limit_s: float,
    *,
    show: bool,
) -> PackageFacts:
    from transcode.run.inspecting import load_package

    with _bar(show=show) as tell:
        try:
            return run_async(
                load_package(
                    package,
                    depth=cast("Depth", depth),
                    key_of=_keys(keys_dir),
                    on_progress=tell,
                    limit_s=limit_s,
                    root=root,
                )
            )
        except (InputError, PeerError) as exc:
            raise _UnusableError(explain(exc)) from exc


def _keys(given: str | None) -> KeyOf:
    """Keys of the store ``given``, or of the usual one where there is one."""
    from transcode.files.keystore import KeyStore, default_keys_dir

    if given is not None and not Path(given).is_dir():
        raise KeyStoreError(f"{given}: no such folder; expected a key store")

    def key_of(title: str, kid: str) -> bytes | None:
        with contextlib.suppress(AbrError):
            folder = Path(given) if given is not None else default_keys_dir(os.environ)
            return KeyStore.open(folder, create=False).key(title, kid)
        return None

    return key_of


@contextmanager
def _bar(*, show: bool) -> Iterator[OnProgress | None]:
    """A bar on stderr while files are read, where someone is looking."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("reading", total=None)

        def tell(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total)

        yield tell


def _print_rules(as_json: bool) -> None:
    from transcode.inspection.rules import SUBJECTS

    if as_json:
        rows = [
            {"id": r.id, "clauses": r.clauses, "severity": r.severity, "text": r.text}
            for rules in SUBJECTS.values()
            for r in rules
        ]
        click.echo(json.dumps({"rules": rows}))
        return
    for subject, rules in SUBJECTS.items():
        click.echo(subject)
        for rule in rules:
            click.echo(f"  {rule.id}  ({rule.severity}; {', '.join(rule.clauses)})")
            click.echo(f"      {rule.text}")


def _print_report(facts: PackageFacts, verdict: Verdict) -> None:
    from rich.console import Console
    from rich.table import Table

    from transcode.inspection.report import ladder, summary, text_of

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("playlist")
    names = ("size", "frames/s", "mean kbit/s", "peak kbit/s", "BANDWIDTH", "segments", "MB")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("codecs")
    for row in ladder(facts):
        table.add_row(
            row.name,
            row.size,
            f"{row.frame_rate:.5g}" if row.frame_rate and row.role == "video" else "",
            _kilo(row.mean_bps),
            _kilo(row.peak_bps),
            _kilo(row.stated_peak_bps),
            str(row.segments),
            f"{row.size_bytes / 1e6:.2f}" if row.size_bytes else "",
            row.codecs,
        )
    # A pipe has no width: nothing is cut off there.
    width = None if sys.stdout.isatty() else 200
    console = Console(soft_wrap=True, highlight=False, markup=False, width=width)
    console.print(table)
    for line in text_of(verdict):
        console.print(line)
    console.print(summary(verdict))


def _kilo(bps: float | None) -> str:
    return f"{bps / 1000:.0f}" if bps is not None else ""


def _draw(facts: PackageFacts, verdict: Verdict, svg: Path | None, html: Path | None) -> None:
    if svg is None and html is None:
        return
    from abr.files.whole import write_whole
    from transcode.inspection.picture import draw, page

    if svg is not None:
        write_whole(svg, draw(facts).encode())
    if html is not None:
        write_whole(html, page(facts, verdict).encode())
