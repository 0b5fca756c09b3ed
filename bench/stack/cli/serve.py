"""``abr serve``: an origin and two tiers of edges on this machine, until interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.cli import configuration
from abr.shell import note, run_async
from bench.stack.config import ServeConfig

if TYPE_CHECKING:
    from bench.stack.stack import Stack


@click.command()
@click.argument("packages", metavar="PACKAGE...", nargs=-1, required=True)
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [127.0.0.1]")
@click.option(
    "--port",
    type=int,
    metavar="N",
    help="Port of the origin; the caches and the watch page use those after it. 0: any free "
    "ports. [0]",
)
@click.option(
    "--keys",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Key store. [$ABR_KEYS, else abrkit/keys below the user's data folder]",
)
@click.option("--edges", type=int, metavar="N", help="Number of ISP edges. [2]")
@click.option("--cache-dir", metavar="DIR", help="Folder for the caches. [a temporary one]")
@click.option(
    "--cache-bytes", type=int, metavar="N", help="Most bytes stored by each cache. [1073741824]"
)
@click.option(
    "--token-ttl",
    "token_ttl_s",
    type=float,
    metavar="SECONDS",
    help="How long a token is valid before it must be renewed. [3600]",
)
@click.option(
    "--cmcd-log",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what players report (CMCD) to FILE; the watch page then reports too.",
)
@click.option("--trust", metavar="FILE", help="Accept tokens of the issuers in FILE too.")
@click.option(
    "--state",
    metavar="FILE|URL",
    help="Sessions and revocations: a file, or postgresql://… [a temporary file]",
)
@click.option("--warm", is_flag=True, help="Fill the caches before reporting ready.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
@click.pass_context
def serve(
    ctx: click.Context,
    packages: tuple[str, ...],
    host: str | None,
    port: int | None,
    keys: Path | None,
    edges: int | None,
    cache_dir: str | None,
    cache_bytes: int | None,
    token_ttl_s: float | None,
    cmcd_log: Path | None,
    trust: str | None,
    state: str | None,
    warm: bool,
    as_json: bool,
) -> None:
    """Serve each PACKAGE (a folder made by `abr transcode`, or a folder of such folders).

    Starts an origin, a regional cache, ISP edges below it and a playback service, and prints
    the address of a page to watch the titles on, and playback URLs that any HLS client can
    play. Runs until interrupted.

    \b
    Examples:
      abr serve packages/film
      abr serve packages --port 8080 --cache-dir caches
      abr serve packages/film --json
      abr serve packages/film --warm           before measuring a player against it
    """
    config = configuration(
        ctx,
        "serve",
        ServeConfig,
        host=host,
        port=port,
        edges=edges,
        cache_dir=cache_dir,
        cache_bytes=cache_bytes,
        token_ttl_s=token_ttl_s,
        cmcd_log=None if cmcd_log is None else str(cmcd_log),
        trust=trust,
        state=state,
    )
    run_async(_serve(packages, keys, config.check(), warm=warm, as_json=as_json))


async def _serve(
    packages: tuple[str, ...],
    keys: Path | None,
    config: ServeConfig,
    *,
    warm: bool,
    as_json: bool,
) -> None:
    import asyncio

    from bench.stack.stack import Stack

    async with Stack(packages, keys=keys, config=config) as stack:
        for problem in stack.problems:
            note(problem)
        if warm:
            await stack.warm()
        if as_json:
            click.echo(json.dumps(ready(stack)))
        else:
            show(stack)
        await asyncio.Event().wait()


def ready(stack: Stack) -> dict[str, object]:
    """What ``--json`` prints."""
    return {
        "playback_urls": stack.playback_urls,
        "watch_url": stack.watch_url,
        "listeners": [
            {"role": each.role, "tier": each.tier, "url": each.url} for each in stack.listeners
        ],
    }


def show(stack: Stack) -> None:
    """Print what listens where, and what can be played."""
    click.echo(f"{'server':10}{'tier':10}URL")
    for each in stack.listeners:
        click.echo(f"{each.name or each.role:10}{each.tier:10}{each.url}")
    click.echo(f"\nWatch page        {stack.watch_url}")
    click.echo(f"Playback service  {stack.watch_url}v1/playback")
    for title, url in stack.playback_urls.items():
        click.echo(f"\n{title}\n  {url}")
    click.echo("\nCtrl-C ends it.")
