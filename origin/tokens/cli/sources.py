"""What the commands read: keys, issuers, revocations, and the key set and clock of a server."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from abr.errors import ConfigError, MissingFileError, UpstreamError
from origin.files.trustfile import read_trust
from origin.httpdate import parse_http_date
from origin.signing import signing_key, signing_ring
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import jwks_of
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.revocation import DenyList
from origin.tokens.signingring import LONGEST_S
from origin.tokens.trustfeed import MAX_ANSWER_BYTES
from origin.tokens.verifier import TokenVerifier
from transcode.files.keystore import KeyStore, default_keys_dir

LIMIT_S = 5.0
"""Longest wait for a server."""

MAX_BYTES = MAX_ANSWER_BYTES
"""Longest answer of a server."""

keys_option = click.option(
    "--keys",
    "keys_dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Key store. [$ABR_KEYS, else abrkit/keys below the user's data folder]",
)
trust_option = click.option("--trust", metavar="FILE", help="Issuers of tokens of other forms.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON line.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """Public keys, and how far this clock is ahead of that of who gave them."""

    jwks: dict[str, Any]
    where: str
    ahead_s: float | None = None
    """None: nobody told a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered."""

    data: bytes = field(repr=False)
    date: str | None
    """Its field ``Date``."""


def wall_s() -> float:
    """The time of this machine, Unix seconds."""
    return time.time()  # noqa: TID251  # a command asks for the time once


def own_issuer(keys_dir: Path | None) -> TokenIssuer:
    """What signs tokens of this service.

    Raises:
        KeyStoreError: there is no key store, or it is damaged.
    """
    kid, private = signing_key(open_keys(keys_dir), now_s=wall_s())
    return TokenIssuer(private, kid)


def own_key_set(keys_dir: Path | None) -> dict[str, Any]:
    """The public keys of all that signs tokens of this service, or did.

    Raises:
        KeyStoreError: there is no key store, or it is damaged.
    """
    ring = signing_ring(open_keys(keys_dir))
    return jwks_of(ring.verifying(wall_s(), session_s=LONGEST_S))


def open_keys(keys_dir: Path | None) -> KeyStore:
    """The key store, which must be there.

    Raises:
        KeyStoreError: it is not.
    """
    return KeyStore.open(keys_dir or default_keys_dir(os.environ), create=False)


async def key_set(*, jwks: str | None, keys_dir: Path | None, server: str) -> KeySet:
    """The public keys to verify with: those of a file or a server, else of the key store.

    Args:
        jwks: File or URL with a key set; None: not named.
        keys_dir: Key store; None: not named.
        server: Base URL of the server that the token is for; empty: not known.

    Raises:
        MissingFileError, ConfigError, UpstreamError, KeyStoreError: there are none.
    """
    if jwks is not None and "://" not in jwks:
        try:
            return KeySet(jwks=_object(Path(jwks).read_bytes(), jwks), where=jwks)
        except OSError as exc:
            raise MissingFileError(f"{jwks}: {exc.strerror}; expected a key set") from exc
    if jwks is not None:
        return await _fetch(jwks)
    if keys_dir is None and server:
        return await _fetch(f"{server}/.well-known/jwks.json")
    return KeySet(jwks=own_key_set(keys_dir), where="the key store")


async def _fetch(url: str) -> KeySet:
    try:
        answer = await get(url, expected="a key set")
    except UpstreamError as exc:
        raise UpstreamError(f"{exc}; give the keys with --jwks FILE or --keys DIR") from exc
    told_s = parse_http_date(answer.date, now_s=wall_s())
    # A date has whole seconds, so it is half a second behind on average.
    ahead_s = None if told_s is None else wall_s() - told_s - 0.5
    return KeySet(
        jwks=_object(answer.data, url),
        where=url.removesuffix("/.well-known/jwks.json"),
        ahead_s=ahead_s,
    )


async def get(url: str, *, expected: str) -> Answer:
    """What a server answers.

    Args:
        url: Where.
        expected: What it should be, for errors.

    Raises:
        UpstreamError: it does not answer with 200, in time and not too long.
    """
    import aiohttp

    limit = aiohttp.ClientTimeout(total=LIMIT_S)
    try:
        async with aiohttp.ClientSession(timeout=limit) as client, client.get(url) as answer:
            if answer.status != 200:
                raise UpstreamError(f"{url}: status {answer.status}; expected {expected}")
            data = bytearray()
            async for piece in answer.content.iter_chunked(1 << 16):
                data += piece
                if len(data) > MAX_BYTES:
                    raise UpstreamError(f"{url}: over {MAX_BYTES} bytes; expected {expected}")
            return Answer(data=bytes(data), date=answer.headers.get("Date"))
    except aiohttp.ClientConnectorError as exc:
        # Its own text speaks of TLS where there is none.
        raise UpstreamError(f"{url}: {exc.os_error.strerror or 'not reached'}") from exc
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise UpstreamError(f"{url}: {str(exc) or 'no answer in time'}") from exc


def _object(data: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{where}: no JSON; expected a key set") from exc
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: expected a key set, a JSON object")
    return found


def verifier_of(jwks: dict[str, Any], *, trust: str | None, denied: DenyList) -> TokenVerifier:
    """A verifier with all that was named.

    Raises:
        ConfigError, MissingFileError: something cannot be used.
    """
    return TokenVerifier(PathTokens(jwks), read_trust(trust or "").forms(), denied=denied)


def issuer_named(trust: str | None, name: str | None) -> Issuer:
    """An issuer in a file of issuers; the only one when none is named.

    Raises:
        ConfigError: there is no such issuer.
    """
    issuers = read_trust(trust or "").issuers
    if not issuers:
        raise ConfigError("no issuers; give a file of them with --trust FILE")
    found = [issuer for issuer in issuers if name in (None, issuer.name)]
    if len(found) != 1:
        names = ", ".join(repr(issuer.name) for issuer in issuers)
        raise ConfigError(f"issuer {name!r}; expected one of {names} (--issuer NAME)")
    return found[0]
