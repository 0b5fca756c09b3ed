"""``abr token mint``: a token of any form, to try a server with, or for an application."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from abr.errors import ConfigError
from origin.paths import object_path
from origin.tokens import shortform, urisigning
from origin.tokens.cat import claims as cat
from origin.tokens.cat.form import mint_cat
from origin.tokens.cat.readable import claims_from
from origin.tokens.cli.sources import (
    issuer_named,
    json_option,
    keys_option,
    own_issuer,
    trust_option,
    wall_s,
)
from origin.tokens.issuers import Issuer
from origin.tokens.jws import sign_jws
from origin.tokens.matching import hash_of, literal, normal_uri
from origin.tokens.shortform import mint_short
from origin.tokens.signingkeys import SigningKey
from transcode.packaging.layout import MULTIVARIANT

OWN = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be minted."""

    title: str
    ttl_s: float
    now_s: float
    session: str
    account: str
    max_height: int | None
    watermark: bytes
    base: str
    pattern: str | None
    hash_url: str | None
    paths: tuple[str, ...]
    audience: str | None
    token_id: str | None
    address: str | None
    not_before_s: float | None
    renew_s: int | None
    depth: int | None
    extra: Mapping[str, Any]


def _extra(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    claims = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            claims[name] = json.loads(value)
        except ValueError:
            claims[name] = value
        if not equals or not name:
            raise click.BadParameter(f"found {text!r}; expected NAME=JSON")
    return claims


def _watermark(_ctx: click.Context, _param: click.Parameter, text: str | None) -> bytes:
    try:
        return bytes.fromhex(text or "")
    except ValueError as exc:
        raise click.BadParameter("expected hexadecimal digits") from exc


@click.command()
@click.option("--title", metavar="TITLE", required=True, help="What it opens.")
@click.option(
    "--form",
    type=click.Choice([OWN, *sorted((urisigning.NAME, shortform.NAME, cat.NAME))]),
    default=OWN,
    show_default=True,
    help="Ours, a signed URI (RFC 9246), a Common Access Token (CTA-5007), or a short one.",
)
@click.option("--ttl", "ttl_s", type=float, default=3600.0, metavar="SECONDS", help="Life. [3600]")
@click.option("--session", default=None, metavar="ID", help="Id of the session. [made up]")
@click.option(
    "--session-ttl",
    "session_s",
    type=float,
    default=86400.0,
    metavar="SECONDS",
    help="How long our own can be renewed. [86400]",
)
@click.option("--account", default="", metavar="TAG", help="Tag of the account.")
@click.option("--max-height", type=int, metavar="LINES", help="Keys up to this height only.")
@click.option("--watermark", callback=_watermark, metavar="HEX", help="Pattern of the watermark.")
@click.option("--issuer", metavar="NAME", help="Whose key signs; in the file of issuers.")
@click.option("--kid", metavar="ID", help="Which of its keys. [the first]")
@click.option(
    "--base", default="", metavar="URL", help="Print a URL that begins so, not the token."
)
@click.option("--pattern", metavar="REGEX", help="Signed URI: what it opens. [all of the title]")
@click.option("--hash", "hash_url", metavar="URL", help="Signed URI: opens this one URL.")
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Short: a path it opens, with wildcards. [/TITLE/*]",
)
@click.option("--audience", metavar="ID", help="Signed URI, cat: aud.")
@click.option(
    "--id", "token_id", metavar="ID", help="Signed URI: jti, which may be used once; cat: cti."
)
@click.option("--address", metavar="CIDR", help="Only for clients from there.")
@click.option("--not-before", "not_before_s", type=float, metavar="TIME", help="Unix time.")
@click.option(
    "--renew", "renew_s", type=int, metavar="SECONDS", help="Signed URI: cdniets; cat: by cookie."
)
@click.option("--depth", type=int, metavar="N", help="Signed URI: cdnistd.")
@click.option(
    "--claim",
    "extra",
    multiple=True,
    callback=_extra,
    metavar="NAME=JSON",
    help="Signed URI, cat: a further claim, for cat with names instead of numbers.",
)
@trust_option
@keys_option
@json_option
def mint(
    form: str,
    session: str | None,
    session_s: float,
    issuer: str | None,
    kid: str | None,
    trust: str | None,
    keys_dir: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Mint a token, and print it.

    \b
    Examples:
      abr token mint --title film --ttl 600 --base http://127.0.0.1:8081
      abr token mint --title film --form hmac --trust trust.json --issuer App
      abr token mint --title film --form uri-signing --trust trust.json --renew 60 --depth 1
      abr token mint --title film --form cat --trust trust.json --claim 'catm=["GET"]'
    """
    order = Order(now_s=wall_s(), session=session or secrets.token_urlsafe(12), **options)
    if order.ttl_s <= 0:
        raise click.BadParameter("expected more than 0 seconds", param_hint="--ttl")
    if form == OWN:
        text = _mint_own(order, keys_dir, session_s)
    else:
        named = issuer_named(trust, issuer)
        text = _MINTS[form](order, named, _key_of(named, kid))
    url = order.base.rstrip("/") + object_path(text, order.title, MULTIVARIANT)
    if as_json:
        expires_s = int(order.now_s + order.ttl_s)
        facts = {"token": text, "url": url, "form": form, "expires_s": expires_s}
        click.echo(json.dumps({**facts, "session": order.session}))
    else:
        click.echo(url if order.base else text)


def _mint_own(order: Order, keys_dir: Path | None, session_s: float) -> str:
    try:
        return own_issuer(keys_dir).issue(
            order.title,
            now_s=order.now_s,
            session_id=order.session,
            ttl_s=order.ttl_s,
            session_s=session_s,
            account=order.account,
            max_height=order.max_height,
            watermark=order.watermark,
        )
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc


def _mint_uri(order: Order, issuer: Issuer, key: SigningKey) -> str:
    now = int(order.now_s)
    claims = {
        "iss": issuer.name,
        "iat": now,
        "exp": now + int(order.ttl_s),
        "sub": order.session,
        "cdniuc": _container(order, issuer),
        "aud": order.audience,
        "jti": order.token_id,
        "cdniip": order.address,
        "nbf": order.not_before_s,
        "cdniets": order.renew_s,
        "cdnistt": 1 if order.renew_s else None,
        "cdnistd": order.depth,
        "acc": order.account or None,
        "mh": order.max_height,
        **order.extra,
    }
    return sign_jws({name: value for name, value in claims.items() if value is not None}, key)


def _container(order: Order, issuer: Issuer) -> str:
    if order.hash_url is not None:
        try:
            return f"hash:{hash_of(normal_uri(order.hash_url))}"
        except ValueError as exc:
            raise ConfigError(f"--hash: {exc}") from exc
    if order.pattern is not None:
        return f"regex:{order.pattern}"
    base = issuer.base or order.base.rstrip("/")
    start = literal(base) if base else "https?://[^/]+"
    return f"regex:{start}/{literal(order.title)}/.*"


def _mint_cat(order: Order, issuer: Issuer, key: SigningKey) -> str:
    now = int(order.now_s)
    readable = {
        "iss": issuer.name,
        "iat": now,
        "exp": now + int(order.ttl_s),
        "sub": order.session,
        "catu": {"path": {"prefix": f"/{order.title}/"}},
        "aud": order.audience,
        "cti": order.token_id.encode().hex() if order.token_id else None,
        "catnip": [order.address] if order.address else None,
        "nbf": order.not_before_s,
        "catr": {"type": "cookie", "expadd": order.renew_s} if order.renew_s else None,
        "acc": order.account or None,
        "mh": order.max_height,
        "wm": order.watermark.hex() or None,
        **order.extra,
    }
    try:
        said = {name: value for name, value in readable.items() if value is not None}
        return mint_cat(claims_from(said), key)
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc


def _mint_short(order: Order, _issuer: Issuer, key: SigningKey) -> str:
    if not isinstance(key.key, bytes):
        raise ConfigError(f"key {key.kid!r}: expected a shared secret (kty oct) for a short token")
    starts_s = None if order.not_before_s is None else int(order.not_before_s)
    paths = [f"/{path.lstrip('/')}" for path in order.paths] or [f"/{order.title}/*"]
    try:
        return mint_short(
            paths,
            expires_s=int(order.now_s + order.ttl_s),
            secret=key.key,
            starts_s=starts_s,
            address=order.address or "",
            session=order.session,
        )
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc


def _key_of(issuer: Issuer, kid: str | None) -> SigningKey:
    found = next((key for key in issuer.signing if kid in (None, key.kid)), None)
    if found is None:
        named = "" if kid is None else f" {kid!r}"
        text = f"issuer {issuer.name!r}: no private key{named} in the file of issuers; expected one"
        raise ConfigError(text)
    return found


_MINTS: Mapping[str, Callable[[Order, Issuer, SigningKey], str]] = {
    urisigning.NAME: _mint_uri,
    shortform.NAME: _mint_short,
    cat.NAME: _mint_cat,
}
