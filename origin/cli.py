"""``abr origin``: serve packages, tokens and keys over HTTP until interrupted.

``abr signing``: change the keys that sign tokens, while servers run.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.cli import configuration
from abr.shell import note, run_async
from origin.config import OriginConfig

if TYPE_CHECKING:
    from origin.server.app import Origin
    from origin.server.titles import Titles
    from origin.tokens.signingring import SigningRing
    from transcode.files.keystore import KeyStore


@click.command()
@click.argument("where", metavar="DIR")
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [127.0.0.1]")
@click.option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM).")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0: a free one. [8080]")
@click.option(
    "--keys",
    "keys_dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Key store. [$ABR_KEYS, else abrkit/keys below the user's data folder]",
)
@click.option(
    "--state",
    metavar="FILE|URL",
    help="Sessions and revocations, shared with `abr gateway`: a file, or postgresql://… "
    "[$ABR_STATE, else abrkit/state.sqlite below the user's data folder]",
)
@click.option("--public-base", metavar="URL", help="Base of the playback URLs that are issued.")
@click.option("--token-ttl", type=float, metavar="SECONDS", help="Lifetime of a token. [3600]")
@click.option(
    "--session-ttl", type=float, metavar="SECONDS", help="How long tokens can be renewed. [86400]"
)
@click.option(
    "--trust",
    metavar="FILE",
    help="Accept tokens of the issuers in FILE too: signed URIs, Common Access Tokens, short ones.",
)
@click.option(
    "--open",
    "open_playback",
    is_flag=True,
    default=None,
    help="Issue playback URLs to anyone, even on an address that other machines can reach.",
)
@click.option(
    "--steering",
    is_flag=True,
    default=None,
    help="Say in playlists that players are steered, by the director of the caches in front.",
)
@click.option(
    "--audit-log",
    metavar="FILE",
    help="Append a line of JSON for each key that is given or refused; SIGHUP opens it anew.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
@click.pass_context
def origin(
    ctx: click.Context,
    where: str,
    host: str | None,
    port: int | None,
    tls_cert: str | None,
    tls_key: str | None,
    keys_dir: Path | None,
    state: str | None,
    public_base: str | None,
    token_ttl: float | None,
    session_ttl: float | None,
    trust: str | None,
    open_playback: bool | None,
    steering: bool | None,
    audit_log: str | None,
    as_json: bool,
) -> None:
    """Serve the package in DIR, the packages in its sub-folders, or a store.

    DIR may also be what `abr store publish` wrote to: a folder, or s3://BUCKET/PREFIX.

    Every object needs a token. The playback URLs that are printed contain one, and
    /playback/TITLE issues more; if ABR_ORIGIN_PLAYBACK_SECRET is set, only to clients that
    present it as a bearer token. Runs until interrupted.

    \b
    Examples:
      abr origin packages/film
      abr origin packages --port 0 --json
      abr origin s3://films/live
      abr origin packages --public-base http://127.0.0.1:8081 --token-ttl 600
      ABR_ORIGIN_PLAYBACK_SECRET=... abr origin packages --host 0.0.0.0
    """
    config = configuration(
        ctx,
        "origin",
        OriginConfig,
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        public_base=public_base,
        token_ttl_s=token_ttl,
        session_ttl_s=session_ttl,
        trust=trust,
        open_playback=open_playback,
        steering=steering,
        audit_log=audit_log,
    )
    run_async(_serve(where, keys_dir, state, config.check(), as_json=as_json))


async def _serve(
    folder: str, keys_dir: Path | None, state: str | None, config: OriginConfig, *, as_json: bool
) -> None:
    import asyncio

    from origin.gateway.server.opening import is_there
    from origin.gateway.server.shared import shared_state
    from origin.server.app import ORIGIN, make_app
    from origin.server.httpserver import listening
    from origin.server.store import titles_without_keys
    from origin.server.titles import open_titles
    from origin.server.tls import tls_context
    from transcode.files.keystore import KeyStore, default_keys_dir, notes_of_new

    store = await asyncio.to_thread(open_titles, folder)
    for problem in store.problems:
        note(f"left out: {problem}")
    keys = KeyStore.open(keys_dir or default_keys_dir(os.environ))
    for problem in titles_without_keys(store, keys):
        note(problem)
    named = state or os.environ.get("ABR_STATE")
    if named and not is_there(named):
        note(
            f"{named}: not there yet, so nothing is revoked; `abr gateway` and `abr token revoke` "
            "make it when they are given the same --state"
        )
    shared = shared_state(state, os.environ)
    app = make_app(store, keys, config, revocations=shared, sessions=shared)
    if shared is not None:
        app.on_cleanup.append(lambda _app: asyncio.to_thread(shared.close))
    tls = tls_context(config.tls_cert, config.tls_key)
    async with listening(app, host=config.host, port=config.port, tls=tls) as at:
        if config.audit_log:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, app[ORIGIN].licences.reopen)
        for problem in notes_of_new(keys, keys_dir, os.environ):
            note(problem)
        ready = _ready(app[ORIGIN], store, at.url, config.public_base or at.url)
        if as_json:
            click.echo(json.dumps(ready))
        else:
            _show(ready, store)
        await asyncio.Event().wait()


def _ready(served: Origin, store: Titles, url: str, base: str) -> dict[str, Any]:
    """Output of ``--json``: a playback URL for each title, and the listening address."""
    urls = {title: served.playback(title, base=base)["url"] for title in store.titles()}
    return {
        "playback_urls": urls,
        "listeners": [{"role": "origin", "tier": "origin", "url": url}],
    }


def _show(ready: dict[str, Any], store: Titles) -> None:
    listener = ready["listeners"][0]
    click.echo(f"origin  {listener['url']}")
    for title, url in ready["playback_urls"].items():
        index = store.index(title)
        assert index is not None
        rungs, segments = len(index.video), len(index.video[0].segments)
        state = "encrypted" if index.encryption else "clear"
        click.echo(f"title   {title}: {rungs} rungs, {segments} segments, {state}")
        click.echo(f"        {url}")
    click.echo("Ctrl-C ends it.")


@click.group()
def signing() -> None:
    """Change the keys that sign tokens, while servers run.

    A new key is published at once, and signs when every tier must have it; the key before it
    verifies until its last token is over. So nobody is refused.

    \b
    Examples:
      abr signing list
      abr signing rotate --lead 300
    """


_KEYS_OPTION = click.option(
    "--keys",
    "keys_dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Key store. [$ABR_KEYS, else abrkit/keys below the user's data folder]",
)


@signing.command("list")
@_KEYS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line.")
def list_keys(keys_dir: Path | None, as_json: bool) -> None:
    """List the keys by their ids, and what each does.

    \b
    Examples:
      abr signing list --keys keys
    """
    from origin.signing import signing_ring

    keys = _open_keys(keys_dir)
    _show_ring(signing_ring(keys), as_json=as_json)


@signing.command()
@_KEYS_OPTION
@click.option(
    "--lead",
    "lead_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=120.0,
    show_default=True,
    help="How long the new key is published before it signs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line.")
def rotate(keys_dir: Path | None, lead_s: float, as_json: bool) -> None:
    """Add a key that signs from soon on. Running origins take it within a second.

    \b
    Examples:
      abr signing rotate --keys keys
    """
    from origin.signing import change_ring, new_key

    now_s = _now_s()
    ring = change_ring(
        _open_keys(keys_dir), lambda ring: ring.rotate(new_key(), now_s=now_s, lead_s=lead_s)
    )
    _show_ring(ring, as_json=as_json)


@signing.command()
@click.argument("kid")
@_KEYS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line.")
def revoke(kid: str, keys_dir: Path | None, as_json: bool) -> None:
    """Take a key that leaked from use, at once and at every tier.

    Every token that it signed is refused, so viewers have to ask for new ones. If KID is the one
    that signs, a new key does from now on.

    \b
    Examples:
      abr signing revoke p-0f2kWq8fYB1a7z
    """
    from origin.signing import change_ring, new_key

    now_s = _now_s()
    ring = change_ring(_open_keys(keys_dir), lambda ring: ring.revoke(kid, new_key(), now_s=now_s))
    _show_ring(ring, as_json=as_json)


def _open_keys(keys_dir: Path | None) -> KeyStore:
    from transcode.files.keystore import KeyStore, default_keys_dir

    return KeyStore.open(keys_dir or default_keys_dir(os.environ), create=False)


def _now_s() -> float:
    from origin.server.clock import Clock

    return Clock().now_s()


def _show_ring(ring: SigningRing, *, as_json: bool) -> None:
    now_s = _now_s()
    signs = ring.signing(now_s)
    rows = [
        {
            "kid": key.kid,
            "state": "signs"
            if key is signs
            else "waits"
            if key.signs_from_s > now_s
            else "verifies",
            "signs_from_s": key.signs_from_s,
        }
        for key in ring.keys
    ]
    rows += [{"kid": key.kid, "state": "revoked"} for key in ring.revoked]
    if as_json:
        click.echo(json.dumps({"keys": rows}))
        return
    for row in rows:
        wait_s = float(row.get("signs_from_s", 0.0)) - now_s
        more = f" and signs in {wait_s:.0f} s" if row["state"] == "waits" else ""
        click.echo(f"{row['kid']}  {row['state']}{more}")
