"""``abr token explain`` and ``verify``: what comes of a token for a URL, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from abr.shell import note, run_async
from origin.paths import Target, parse_target
from origin.tokens.carriage import COMMON_FIELD, Fields
from origin.tokens.cli.revoked import find_revoked
from origin.tokens.cli.sources import (
    json_option,
    key_set,
    keys_option,
    trust_option,
    verifier_of,
    wall_s,
)
from origin.tokens.explaining import Explanation, Step, explain_token, moment, with_clock
from origin.tokens.permission import Asked
from origin.tokens.verifier import EARLY_S

_FIELDS = {"authorization": "authorization", COMMON_FIELD.lower(): "common", "cookie": "cookie"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A token, and what it is to open."""

    token: str | None = field(repr=False)
    carrier: str
    asked: Asked | None
    server: str = ""
    """Base URL of the server in the URL; empty when it names none."""


_what = click.argument("what", metavar="URL|TOKEN")
_for = click.option("--for", "url", metavar="URL", help="What a bare TOKEN is to open.")
_header = click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="A field of the request, such as 'Cookie: URISigningPackage=…'.",
)
_address = click.option("--address", metavar="IP", default="", help="Address of the client.")
_jwks = click.option(
    "--jwks",
    metavar="FILE|URL",
    help="Public keys of this service. [those of the server in URL, else of the key store]",
)
_state = click.option(
    "--state",
    metavar="FILE|URL",
    help="Look for revocations there; as of `abr gateway`. [what the server in URL tells]",
)
_at = click.option("--at", "at_s", type=float, metavar="TIME", help="Unix time to judge by. [now]")


@click.command()
@_what
@_for
@_header
@_address
@trust_option
@keys_option
@_jwks
@_state
@_at
@json_option
@click.pass_context
def explain(ctx: click.Context, /, what: str, as_json: bool, **options: Any) -> None:
    """Say in words why a URL is refused, or that it is not.

    Each condition of the token is named, with what was found and what was expected. Neither the
    token nor a secret is printed. Exit code 1: it is refused.

    \b
    Examples:
      abr token explain http://127.0.0.1:8081/t/TOKEN/film/multivariant.m3u8
      abr token explain TOKEN --for https://cdn.example/film/v0/00000.m4s --trust trust.json
      abr token explain https://cdn.example/film/x.m4s --header 'Cookie: URISigningPackage=TOKEN'
    """
    question, found, _ = _judge(what, **options)
    if as_json:
        click.echo(json.dumps(_facts(question, found)))
    else:
        _show(question, found)
    ctx.exit(1 if found.reason else 0)


@click.command()
@_what
@_for
@_header
@_address
@trust_option
@keys_option
@_jwks
@_state
@_at
@json_option
@click.pass_context
def verify(ctx: click.Context, /, what: str, as_json: bool, **options: Any) -> None:
    """Say in one line whether a token opens a URL. Exit code 1: it does not.

    \b
    Examples:
      abr token verify http://127.0.0.1:8081/t/TOKEN/film/multivariant.m3u8 && echo open
    """
    question, found, remark = _judge(what, **options)
    if as_json:
        facts = _facts(question, found)
        names = ("permitted", "reason", "form", "issuer", "kid", "session", "account")
        click.echo(json.dumps({name: facts[name] for name in names}))
    elif found.reason:
        click.echo(f"refused: {found.reason}")
    else:
        click.echo(f"permitted: {found.form} token of {found.issuer}")
    if remark and not found.reason:
        note(remark)
    ctx.exit(1 if found.reason else 0)


def _judge(
    what: str,
    *,
    url: str | None,
    headers: tuple[str, ...],
    address: str,
    trust: str | None,
    keys_dir: Path | None,
    jwks: str | None,
    state: str | None,
    at_s: float | None,
) -> tuple[Question, Explanation, str]:
    """The answer, and what it may lack."""
    question = _question(what, url, headers, address)
    keys = run_async(key_set(jwks=jwks, keys_dir=keys_dir, server=question.server))
    asks_server = jwks is None and keys_dir is None
    revoked = run_async(find_revoked(state=state, server=question.server if asks_server else ""))
    verifier = verifier_of(keys.jwks, trust=trust, denied=revoked.denied)
    now_s = wall_s() if at_s is None else at_s
    found = explain_token(
        question.token, verifier=verifier, asked=question.asked, now_s=now_s, early_s=EARLY_S
    )
    if keys.ahead_s is not None:
        found = with_clock(found, keys.ahead_s, keys.where)
    if revoked.remark:
        found = replace(found, notes=(*found.notes, revoked.remark))
    return question, found, revoked.remark


def _question(what: str, url: str | None, headers: tuple[str, ...], address: str) -> Question:
    """What is asked: a URL that carries a token, or a bare token and what it is to open."""
    fields = _fields(headers)
    if "://" not in what and not what.startswith("/"):
        if url is None:
            return Question(token=what, carrier="bare", asked=None)
        target, asked, server = _asked(url, Fields(), address)
        return Question(token=what, carrier="bare", asked=asked, server=server)
    target, asked, server = _asked(what, fields, address)
    return Question(
        token=target.token, carrier=target.carrier or "nowhere", asked=asked, server=server
    )


def _asked(url: str, fields: Fields, address: str) -> tuple[Target, Asked, str]:
    target = parse_target(url, fields)
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
    asked = Asked(
        title=target.title,
        path=target.path,
        scheme=parts.scheme,
        authority=parts.netloc,
        query=target.query,
        address=address,
    )
    return target, asked, server


def _fields(headers: tuple[str, ...]) -> Fields:
    found: dict[str, str] = {}
    for header in headers:
        name, colon, value = header.partition(":")
        place = _FIELDS.get(name.strip().lower())
        if not colon or place is None:
            expected = f"Authorization, {COMMON_FIELD} or Cookie, a colon and a value"
            raise click.BadParameter(f"found {name!r}; expected {expected}")
        found[place] = value.strip()
    return Fields(**found)


def _facts(question: Question, found: Explanation) -> dict[str, Any]:
    return {
        "permitted": not found.reason,
        "reason": found.reason,
        "remedy": found.remedy,
        "carrier": question.carrier,
        "form": found.form,
        "issuer": found.issuer,
        "kid": found.kid,
        "token_id": found.token_id,
        "session": found.session,
        "account": found.account,
        "steps": [
            {
                "about": step.about,
                "holds": step.holds,
                "found": step.found,
                "expected": step.expected,
            }
            for step in found.steps
        ],
        "says": found.says,
        "notes": list(found.notes),
    }


def _show(question: Question, found: Explanation) -> None:
    verdict = f"refused: {found.reason}" if found.reason else "permitted"
    click.echo(verdict)
    form = f"{found.form} token of {found.issuer}, key {found.kid}" if found.form else "not genuine"
    click.echo(f"  token      {form}; carried: {question.carrier}")
    for name, value in (("id", found.token_id), ("session", found.session)):
        if value:
            click.echo(f"  {name:10} {value}")
    for step in found.steps:
        _show_step(step)
    for name, value in _claims(found).items():
        click.echo(f"  says       {name} = {value}")
    for text in found.notes:
        click.echo(f"  note       {text}")
    if found.remedy:
        click.echo(f"  to do      {found.remedy}")


def _show_step(step: Step) -> None:
    if step.holds:
        click.echo(f"  holds      {step.about}: {step.found}")
    else:
        click.echo(f"  FAILS      {step.about}: found {step.found}; expected {step.expected}")


def _claims(found: Explanation) -> dict[str, str]:
    claims = found.says.get("claims", {})
    shown = {name: json.dumps(value, ensure_ascii=False) for name, value in claims.items()}
    for name in ("exp", "nbf", "iat", "ses", "st"):
        try:
            shown[name] += f" ({moment(float(claims[name]))})"
        except (KeyError, TypeError, ValueError):
            continue
    return shown
