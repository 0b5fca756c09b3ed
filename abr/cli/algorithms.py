"""The command ``abr algorithms``: list algorithms and their parameters."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from abr import registry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def algorithms(as_json: bool) -> None:
    """List the installed algorithms, built-in and third-party.

    A rule consists of pure functions over numbers and can be compiled; an object is any
    Python object. Commands that play take parameters as --param name=value.

    \b
    Examples:
      abr algorithms
      abr algorithms --json
    """
    rows = registry.describe()
    if as_json:
        click.echo(json.dumps({"algorithms": [asdict(row) for row in rows]}, default=str))
        return
    for row in rows:
        click.echo(f"{row.name}  ({row.form or 'broken'}, {row.distribution or 'several'})")
        click.echo(f"    {row.error or row.summary}")
        if row.params:
            click.echo("    " + "  ".join(f"{k}={_format_value(v)}" for k, v in row.params.items()))
    click.echo("\nbola is an alias of bola-sabre; commands print a note when it is used.")


def _format_value(value: object) -> str:
    if value is None:
        return "(required)"
    return str(value).lower() if isinstance(value, bool) else f"{value}"
