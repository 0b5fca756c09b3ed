"""``abr director``: the service that caches register with and that steers players."""

from __future__ import annotations

import json
from pathlib import Path

import click

from abr.cli import configuration
from abr.errors import ConfigError, MissingFileError
from abr.shell import reason_of, run_async
from edge.tiers.config import DirectorConfig
from edge.tiers.topology import Topology, parse_topology


@click.command()
@click.option("--topology", metavar="FILE", help="Tiers and known servers, in TOML.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0: a free one. [8090]")
@click.option("--public-base", metavar="URL", help="Base of the URL at which players ask again.")
@click.option(
    "--lease", "lease_s", type=float, metavar="S", help="Seconds a registration holds. [15]"
)
@click.option(
    "--ttl", "steering_ttl_s", type=int, metavar="S", help="Seconds between steering requests. [10]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
@click.pass_context
def director(
    ctx: click.Context,
    topology: str | None,
    host: str | None,
    port: int | None,
    public_base: str | None,
    lease_s: float | None,
    steering_ttl_s: int | None,
    as_json: bool,
) -> None:
    """Keep the tree of caches: who is alive, whom each asks, where each viewer goes.

    Caches started with `abr edge --director URL` register here and are told whom to ask.
    Players ask /steering for a content steering manifest. Health is checked all the time. The
    secret that caches register with is ABR_DIRECTOR_SECRET. Runs until interrupted.

    \b
    Examples:
      abr director --topology tree.toml
      abr director --topology tree.toml --port 8090 --ttl 10 --json
    """
    config = configuration(
        ctx,
        "director",
        DirectorConfig,
        topology=topology,
        host=host,
        port=port,
        public_base=public_base,
        lease_s=lease_s,
        steering_ttl_s=steering_ttl_s,
    )
    if not config.topology:
        raise ConfigError("director.topology: no file is given; name one with --topology FILE")
    run_async(_serve(config.check(), read_topology(Path(config.topology)), as_json=as_json))


def read_topology(path: Path) -> Topology:
    """The topology in a file.

    Raises:
        MissingFileError: it cannot be read.
        ConfigError: it cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "not UTF-8"
        raise MissingFileError(f"{path}: {reason}; expected a topology file in TOML") from exc
    return parse_topology(text, where=str(path))


async def _serve(config: DirectorConfig, topology: Topology, *, as_json: bool) -> None:
    import asyncio

    from edge.server.director import make_app
    from origin.server.httpserver import listening

    app = make_app(config, topology, now=asyncio.get_running_loop().time)
    async with listening(app, host=config.host, port=config.port) as where:
        if as_json:
            listener = {"role": "director", "url": where.url}
            click.echo(json.dumps({"listeners": [listener], "tiers": len(topology.tiers)}))
        else:
            tiers = " → ".join(tier.name for tier in topology.tiers)
            click.echo(f"director  {where.url}  ({tiers})")
            click.echo(f"steering  {where.url}/steering")
            click.echo("Ctrl-C ends it.")
        await asyncio.Event().wait()
