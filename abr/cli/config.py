"""The command ``abr config``: show the effective settings and the origin of each."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from abr.cli import TABLES, load_target, settings_text
from abr.errors import InputError
from abr.files.whole import write_whole
from abr.settings import DEFAULT, config_hash, load, plain
from abr.shell import note

NOTE_COLUMN = 40


class Effective(NamedTuple):
    """The effective settings of one component."""

    values: Mapping[str, Any]
    """Values by field, as in JSON; secrets are omitted."""
    origins: Mapping[str, str]
    """Origin of each value, secrets included."""
    digest: str
    """Hash recorded in result files."""


@click.group()
def config() -> None:
    """Show settings and where each comes from.

    The command line takes precedence over ABR_<TABLE>_<NAME> environment variables, these
    over the settings file, and that over the defaults.

    \b
    Examples:
      abr config show
      ABR_EDGE_PORT=9000 abr config show edge
      abr --config lab.toml config show --json
    """


@config.command()
@click.argument("table", required=False, type=click.Choice(list(TABLES)))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write them to this file, after all are read, instead of printing them.",
)
@click.option("--force", is_flag=True, help="With --out: replace a file that is there.")
@click.pass_context
def show(
    ctx: click.Context, table: str | None, as_json: bool, out: Path | None, force: bool
) -> None:
    """Print the effective settings as TOML, each with its origin.

    The output is a valid settings file. A shell empties the file after `>` before anything is
    read: --out keeps the settings that are in it.

    \b
    Examples:
      abr config show
      abr config show player --json
      abr config show --out abr.toml
    """
    text, source = settings_text(ctx)
    if text is not None and _is_output(source):
        _tell_of_output(text, source)
    shown = {name: effective(ctx, name) for name in ([table] if table else TABLES)}
    if as_json:
        told = json.dumps({name: as_object(each) for name, each in shown.items()})
    else:
        told = "\n\n".join(as_toml(name, each) for name, each in shown.items())
    if out is None:
        click.echo(told)
        return
    if out.exists() and not force:
        raise InputError(f"{out}: exists; --force replaces it")
    write_whole(out, f"{told}\n".encode())


def _is_output(source: str) -> bool:
    """Whether what is printed goes to this file."""
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), os.stat(source))
    except (OSError, ValueError):  # no file, or replaced by a test's
        return False


def _tell_of_output(text: str, source: str) -> None:
    """Say what became of settings in a file that the output goes to.

    Raises:
        InputError: they are still there, and would be followed by others.
    """
    if text.strip():
        raise InputError(
            f"{source}: the output goes to the settings that are read; write them with "
            f"--out {source} --force"
        )
    note(
        f"{source}: read as empty, as the shell emptied it for this output; settings that were in "
        f"it are lost (--out {source} --force keeps them)"
    )


def effective(ctx: click.Context, table: str) -> Effective:
    """The settings of one component as a command started now would read them.

    Raises:
        ConfigError: a value has an unknown name, a wrong type or is out of range.
    """
    cls = load_target(TABLES[table])
    text, source = settings_text(ctx)
    values, origins = load(
        table, cls, text=text, source=source, environ=os.environ, overrides={}, tables=TABLES
    )
    return Effective(plain(values), origins, config_hash(values))


def as_object(shown: Effective) -> dict[str, Any]:
    """One component as a JSON object."""
    settings = {
        name: {"value": shown.values.get(name), "origin": origin}
        for name, origin in shown.origins.items()
    }
    return {"hash": shown.digest, "settings": settings}


def as_toml(table: str, shown: Effective) -> str:
    """One component as a table of a settings file, with origins as comments."""
    lines = [f"[{table}]"]
    for name, origin in shown.origins.items():
        note = "" if origin == DEFAULT else f"# {origin}"
        if name not in shown.values:
            state = "not set" if origin == DEFAULT else f"set by {origin}; hidden"
            lines.append(f"# {name}: {state}")
        elif shown.values[name] is None:
            lines.append(f"# {name}: none  {note}".rstrip())
        else:
            lines.append(f"{name} = {_toml(shown.values[name])}".ljust(NOTE_COLUMN) + note)
    return "\n".join(line.rstrip() for line in lines)


def _toml(value: object) -> str:
    """A value as TOML; JSON strings, integers and lists are valid TOML."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)  # TOML spells infinity "inf", as Python does and JSON does not
    return json.dumps(value, ensure_ascii=False)
