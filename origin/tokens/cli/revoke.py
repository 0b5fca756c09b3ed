"""``abr token revoke``: refuse from now on what was permitted, on every tier."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import click

from abr.errors import ConfigError
from abr.shell import note
from origin.paths import parse_target
from origin.tokens.cli.sources import (
    json_option,
    keys_option,
    open_keys,
    own_key_set,
    trust_option,
    verifier_of,
    wall_s,
)
from origin.tokens.revocation import KINDS, SPREAD_S, DenyList, Kind, Revocation, dump_revocation

WEEK_S = 7 * 86400.0


@click.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("value", metavar="ID")
@click.option(
    "--for",
    "for_s",
    type=click.FloatRange(min=0, min_open=True),
    default=WEEK_S,
    metavar="SECONDS",
    help="How long it counts; at least as long as what is revoked could be renewed. [604800]",
)
@click.option(
    "--issued-before",
    type=click.Choice(["now", "always"]),
    default="always",
    show_default=True,
    help="now: tokens that are issued from now on are spared, so people can come in again.",
)
@click.option("--lift", is_flag=True, help="Undo it.")
@click.option(
    "--state",
    metavar="FILE|URL",
    help="Where origin and gateway keep revocations. "
    "[$ABR_STATE, else abrkit/state.sqlite below the user's data folder]",
)
@trust_option
@keys_option
@json_option
def revoke(
    kind: Kind,
    value: str,
    for_s: float,
    issued_before: str,
    lift: bool,
    state: str | None,
    trust: str | None,
    keys_dir: Path | None,
    as_json: bool,
) -> None:
    """Revoke a token, a session, an account, a title or a signing key.

    ID is what tokens hold: of a token its id, or the whole token or a URL with it (of other
    issuers with --trust); of an account its name. Every tier that hears of its parent refuses
    within seconds.

    \b
    Examples:
      abr token revoke session SESSION
      abr token revoke token http://127.0.0.1:8081/t/TOKEN/film/multivariant.m3u8
      abr token revoke account anna --issued-before now
    """
    from origin.gateway.server.opening import default_state, is_there, open_state

    now_s = wall_s()
    entry = Revocation(
        kind=kind,
        value=_id_of(kind, value, keys_dir, trust),
        until_s=now_s + for_s,
        changed_ms=int(now_s * 1000),
        issued_before_s=now_s + SPREAD_S if issued_before == "now" else None,
        is_lifted=lift,
    )
    where = state or default_state(os.environ)
    is_new = not is_there(where)
    held = open_state(where)
    try:
        held.revoke([entry], now_s=now_s)
    finally:
        held.close()
    if as_json:
        click.echo(json.dumps(dump_revocation(entry)))
    else:
        done = "no longer revoked" if lift else "revoked"
        click.echo(f"{done}: {kind} {entry.value}, noted in {_shown(where)}")
    if is_new:
        note(f"{_shown(where)} was not there and was made; start origin and gateway with it")
    if kind == "key" and not lift:
        note("an origin goes on signing with its own key; `abr signing revoke` replaces that one")


def _id_of(kind: Kind, value: str, keys_dir: Path | None, trust: str | None) -> str:
    """What a deny list names it by."""
    if kind == "account":
        from origin.gateway.accounts import account_tag
        from origin.gateway.server.service import tag_key

        return account_tag(tag_key(open_keys(keys_dir)), value)
    is_url = "://" in value or value.startswith("/")
    if kind not in ("token", "session") or not (is_url or _TOKEN.fullmatch(value)):
        return value
    token = parse_target(value).token if is_url else value
    found = verifier_of(own_key_set(keys_dir), trust=trust, denied=DenyList()).permission_of(token)
    if kind == "session" and not found.session:
        raise ConfigError("the token names no session; revoke the token")
    return found.token_id if kind == "token" else found.session


_TOKEN = re.compile(r"[^.]+\.[^.]+\.[^.]+|[a-z]+=.*~hmac=.*|[A-Za-z0-9_-]{80,}")
"""What is a token and not the id of one."""


def _shown(where: str) -> str:
    """Where the state is, without what logs in there."""
    scheme, mark, rest = where.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if mark else where
