"""``abr gateway``: run the playback service, or make a secret for one of its accounts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from abr.cli import configuration
from abr.shell import note, run_async
from origin.gateway.config import GatewayConfig


def _make_secret(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    import secrets

    from origin.gateway.accounts import SECRET_BYTES, hash_text, secret_of

    made = secret_of(secrets.token_bytes(SECRET_BYTES))
    click.echo(f"secret  {made}")
    click.echo(f"hash    {hash_text(made)}")
    ctx.exit()


@click.command()
@click.argument("where", metavar="DIR")
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0: a free one. [8090]")
@click.option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM).")
@click.option("--accounts", metavar="FILE", help="Accounts and plans (TOML).")
@click.option(
    "--anyone",
    is_flag=True,
    default=None,
    help="Let anyone on this machine play, without an account.",
)
@click.option("--public-base", metavar="URL", help="Edge that players are sent to.")
@click.option(
    "--state",
    metavar="FILE|URL",
    help="Sessions and revocations: a file, or postgresql://… "
    "[$ABR_STATE, else abrkit/state.sqlite below the user's data folder]",
)
@click.option(
    "--keys",
    "keys_dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Key store, the same as the origin's. "
    "[$ABR_KEYS, else abrkit/keys below the user's data folder]",
)
@click.option(
    "--lease-ttl", type=float, metavar="SECONDS", help="A silent player keeps its place. [30]"
)
@click.option("--token-ttl", type=float, metavar="SECONDS", help="Lifetime of a token. [3600]")
@click.option("--steering", is_flag=True, default=None, help="The tiers in front have a director.")
@click.option(
    "--make-secret",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_make_secret,
    help="Make a secret for an account, print it and the hash for the file, and exit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
@click.pass_context
def gateway(
    ctx: click.Context,
    where: str,
    host: str | None,
    port: int | None,
    tls_cert: str | None,
    tls_key: str | None,
    accounts: str | None,
    anyone: bool | None,
    public_base: str | None,
    state: str | None,
    keys_dir: Path | None,
    lease_ttl: float | None,
    token_ttl: float | None,
    steering: bool | None,
    as_json: bool,
) -> None:
    """Give playbacks of the titles in DIR, the origin's folder or store, to those who may watch.

    Players ask POST /v1/playback with the secret of their account; heartbeats keep their place.
    ABR_GATEWAY_ADMIN_SECRET opens /v1/revocations. Runs until interrupted.

    \b
    Examples:
      abr gateway --make-secret
      abr gateway packages --accounts accounts.toml --public-base http://127.0.0.1:8081
      abr gateway packages --anyone --port 0 --json
      abr gateway s3://films/live --accounts accounts.toml --state postgresql://db/abr
    """
    config = configuration(
        ctx,
        "gateway",
        GatewayConfig,
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        accounts=accounts,
        anyone=anyone,
        public_base=public_base,
        lease_ttl_s=lease_ttl,
        token_ttl_s=token_ttl,
        steering=steering,
    )
    run_async(_serve(where, state, keys_dir, config.check(), as_json=as_json))


async def _serve(
    where: str, state: str | None, keys_dir: Path | None, config: GatewayConfig, *, as_json: bool
) -> None:
    import asyncio

    from origin.gateway.server import opening
    from origin.gateway.server.app import make_app
    from origin.server.httpserver import listening
    from origin.server.titles import open_titles
    from origin.server.tls import tls_context
    from transcode.files.keystore import KeyStore, default_keys_dir, notes_of_new

    titles = await asyncio.to_thread(open_titles, where)
    for problem in titles.problems:
        note(f"left out: {problem}")
    keys = KeyStore.open(keys_dir or default_keys_dir(os.environ))
    new = opening.notes_of_new(state or os.environ.get("ABR_STATE"))
    state = state or opening.default_state(os.environ)
    service = opening.open_service(config, titles=titles, keys=keys, state=state)
    await service.sweep()  # a state that cannot be used is told of now
    tls = tls_context(config.tls_cert, config.tls_key)
    async with listening(make_app(service), host=config.host, port=config.port, tls=tls) as at:
        for problem in (*notes_of_new(keys, keys_dir, os.environ), *new):
            note(problem)
        if as_json:
            listener = {"role": "gateway", "tier": "gateway", "url": at.url}
            click.echo(json.dumps({"listeners": [listener]}))
        else:
            click.echo(f"gateway  {at.url}/v1/playback")
            click.echo("Ctrl-C ends it.")
        await asyncio.Event().wait()
