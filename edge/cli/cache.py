"""``abr cache``: what a cache would do."""

from __future__ import annotations

import click

from edge.cli.simulate import simulate


@click.group(no_args_is_help=True)
def cache() -> None:
    """Find out how a cache would do, without running one.

    \b
    Examples:
      abr cache simulate access.jsonl --policy all --size 10GB --size 50GB
    """


cache.add_command(simulate)
