"""``abr simulate --preset``: many sessions, as a tool of the literature plays them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.cli.traces import read_traces
from abr.errors import MissingFileError
from abr.shell import note

if TYPE_CHECKING:
    from abr.media import Presentation
    from abr.trace import Trace
    from player.batch.run.batch import Engine

MANY = ("--network", "--algorithm", "-a")
"""Options that take all words up to the next option, when there is a preset."""


class SpreadingCommand(click.Command):
    """Lets shells fill in several files: ``--network net/*.json`` is one option each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``--network a b`` becomes ``--network a --network b``."""
        if any(arg == "--preset" or arg.startswith("--preset=") for arg in args):
            args = spread(args)
        return super().parse_args(ctx, args)


def spread(args: Sequence[str]) -> list[str]:
    """Repeat an option of ``MANY`` before every word that follows it."""
    told: list[str] = []
    option, count = "", 0
    for arg in args:
        if arg.startswith("-") and arg != "-":
            option, count = (arg if arg in MANY else ""), 0
        elif option:
            count += 1
            if count > 1:
                told.append(option)
        told.append(arg)
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    preset: str
    movie: Path | None
    networks: tuple[str, ...]
    columns: str | None = None
    algorithms: tuple[str, ...]
    params: tuple[str, ...]
    abandon: bool
    settings: dict[str, Any]
    engine: Engine
    as_json: bool


def simulate_preset(wanted: Wanted) -> None:
    """Play every algorithm over every network and print a line, or a row, for each."""
    from abr import registry
    from player.batch.run import preset as preset_run

    if wanted.movie is None or not wanted.networks:
        raise click.UsageError("--preset needs --movie FILE and --network TRACE")
    presentation = load_movie(wanted.movie)
    traces = _networks(wanted.networks, wanted.columns)
    params = registry.params_from(list(wanted.params))
    plays = [
        preset_run.ready(
            wanted.preset, name, params, abandon=wanted.abandon, settings=wanted.settings
        )
        for name in wanted.algorithms
    ]
    told: list[dict[str, Any]] = []
    for number, play in enumerate(plays):
        _say(f"{number}/{len(plays)} algorithms, {play.name} ...")
        batch = preset_run.run(play, presentation, traces, engine=wanted.engine)
        if batch.remark:
            note(batch.remark)
        if play.no_bound:
            note(f"{play.name} is no upper bound here: {play.no_bound}")
        found = preset_run.rows(play, presentation, traces, batch, abandon=wanted.abandon)
        if wanted.as_json:
            for row in found:
                click.echo(json.dumps(row))
        else:
            told.extend(found)
    _say("")
    if told:
        from player.table import console, sessions_table

        console().print(sessions_table(told))


def _say(text: str) -> None:
    """Progress, over the progress before it, where somebody looks."""
    if sys.stderr.isatty():
        click.echo(f"\r{text}\x1b[K", nl=False, err=True)


def load_movie(path: Path) -> Presentation:
    """A movie file of Sabre's format, called by its stem.

    Raises:
        MissingFileError: there is no such file.
        InputError: it holds no movie.
    """
    from abr.sabremovie import read_sabre_movie

    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise MissingFileError(
            f"{path}: no such movie; expected a JSON file with segment_duration_ms, "
            "bitrates_kbps and segment_sizes_bits"
        ) from exc
    except UnicodeDecodeError as exc:
        raise MissingFileError(f"{path}: not a text file; expected a movie as JSON") from exc
    return read_sabre_movie(text, name=str(path), title=path.stem)


def _networks(texts: Sequence[str], columns: str | None) -> list[Trace]:
    """The traces meant, called by the stems of their files."""
    paths = map(Path, texts)
    return [
        trace.named(path.stem) if path.suffix else trace
        for trace, path in zip(read_traces(texts, columns), paths, strict=True)
    ]
