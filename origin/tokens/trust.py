"""Whose tokens are accepted besides the origin's own: a file of issuers, keys and forms.

A JSON object of issuers by name. What Apache Traffic Server's plugin for URI signing reads is
such a file; the other members are ours::

    {"Example": {
        "keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "x": "…", "y": "…"}],
        "forms": ["uri-signing", "cat"],
        "id": "cdn-1",
        "renewal_kid": "2",
        "base": "https://cdn.example",
        "titles": ["film"],
        "nonce": "once"
    }}

A member that nobody knows is refused: it may be a limit with a slip of the pen in its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from abr.errors import ConfigError, KeyStoreError
from origin.tokens import shortform, urisigning
from origin.tokens.cat import claims as cat
from origin.tokens.cat.form import CatTokens
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import unb64url, verification_keys
from origin.tokens.matching import MatchError, normal_uri
from origin.tokens.signingkeys import SigningKey, signing_key_of
from origin.tokens.verifier import Form

FORMS: Mapping[str, Callable[[Sequence[Issuer]], Form]] = {
    urisigning.NAME: urisigning.UriSigning,
    shortform.NAME: shortform.ShortTokens,
    cat.NAME: CatTokens,
}
"""Forms of tokens of others by name."""

USUAL_FORMS = (urisigning.NAME,)
"""Forms of an issuer that names none. A short token does not say whose it is, so it is not one."""

MAX_KEYS = 32
"""Most keys of an issuer: a token that names none makes us try them all."""

_MEMBERS = frozenset(
    {"keys", "forms", "id", "renewal_kid", "base", "titles", "nonce", "strip_token"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose tokens are accepted."""

    issuers: tuple[Issuer, ...] = ()
    has_secrets: bool = field(default=False)
    """The file holds secrets, so that others must not be able to read it."""

    def forms(self) -> tuple[Form, ...]:
        """Every form that some issuer may use, for a verifier."""
        named = {name for issuer in self.issuers for name in issuer.forms}
        return tuple(make(self.issuers) for name, make in FORMS.items() if name in named)


def parse_trust(text: str, *, where: str) -> Trust:
    """Read a file of issuers.

    Args:
        text: What it holds.
        where: Its name, for messages.

    Raises:
        ConfigError: it cannot be used; the message says where and why, and shows no key.
    """
    try:
        entries = json.loads(text, object_pairs_hook=_only_once)
    except (ValueError, RecursionError) as exc:
        why = str(exc) if isinstance(exc, json.JSONDecodeError | _TwiceError) else "too deep"
        raise ConfigError(f"{where}: not JSON: {why}") from exc
    if not isinstance(entries, dict):
        raise ConfigError(f"{where}: expected an object of issuers by name")
    issuers, has_secrets = [], False
    for name, entry in entries.items():
        try:
            issuers.append(_issuer(name, entry))
        except (ValueError, KeyStoreError) as exc:
            raise ConfigError(f"{where}: issuer {name!r}: {exc}") from exc
        has_secrets = has_secrets or any(
            key.get("kty") == "oct" or "d" in key for key in entry["keys"]
        )
    return Trust(issuers=tuple(issuers), has_secrets=has_secrets)


class _TwiceError(ValueError):
    """A name that stands twice in an object."""


def _only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError("a name stands twice in an object; expected each once")
    return found


def _issuer(name: str, entry: Any) -> Issuer:
    if not isinstance(entry, dict) or not isinstance(entry.get("keys"), list):
        raise ConfigError('expected an object with a list "keys"')
    _check_members(entry)
    keys = verification_keys(entry, with_secrets=True)
    if not keys:
        raise ValueError("none of its keys can be used; expected Ed25519, P-256 or secrets (oct)")
    if len(keys) > MAX_KEYS:
        raise ValueError(f"{len(keys)} keys; expected {MAX_KEYS} at most")
    nonce = entry.get("nonce", "once")
    if nonce not in ("once", "name"):
        raise ValueError(f'nonce: found {nonce!r}; expected "once" or "name"')
    return Issuer(
        name=name,
        forms=_forms(entry),
        keys=keys,
        audience=_text(entry, "id"),
        base=_base(entry),
        titles=frozenset(_texts(entry, "titles")),
        renewing=_renewing(entry),
        signing=_signing(entry),
        secrets=_secrets(entry),
        ignores_nonce=nonce == "name",
    )


def _check_members(entry: Mapping[str, Any]) -> None:
    if "auth_directives" in entry:
        raise ValueError("auth_directives: paths that need no token are not supported; remove it")
    if entry.get("strip_token", True) is not True:
        raise ValueError("strip_token: tokens are never part of what is cached; expected true")
    unknown = sorted(entry.keys() - _MEMBERS)
    if unknown:
        raise ValueError(f"unknown member {unknown[0]!r}; expected {', '.join(sorted(_MEMBERS))}")
    if any(not isinstance(key, dict) for key in entry["keys"]):
        raise ValueError("keys: expected a list of JSON Web Keys")


def _forms(entry: Mapping[str, Any]) -> frozenset[str]:
    named = _texts(entry, "forms") or USUAL_FORMS
    unknown = sorted(set(named) - FORMS.keys())
    if unknown:
        raise ValueError(
            f"forms: found {unknown[0]!r}; expected some of {', '.join(sorted(FORMS))}"
        )
    return frozenset(named)


def _base(entry: Mapping[str, Any]) -> str:
    text = _text(entry, "base")
    if not text:
        return ""
    try:
        base = normal_uri(text).removesuffix("/")
    except MatchError as exc:
        raise ValueError(f"base: {exc}") from exc
    if base.count("/") != 2 or "?" in base:
        raise ValueError(f"base: found {text!r}; expected scheme and host: https://cdn.example")
    return base


def _renewing(entry: Mapping[str, Any]) -> SigningKey | None:
    kid = _text(entry, "renewal_kid")
    if not kid:
        return None
    jwk = next((key for key in entry["keys"] if key.get("kid") == kid), None)
    if jwk is None:
        raise ValueError(f"renewal_kid: no key {kid!r} among its keys")
    found = signing_key_of(jwk)
    if found is None:
        raise ValueError(
            f"renewal_kid: key {kid!r} is public only; expected a private key or secret"
        )
    return found


def _signing(entry: Mapping[str, Any]) -> tuple[SigningKey, ...]:
    named = [key for key in entry["keys"] if key.get("use", "sig") == "sig"]
    found = [signing_key_of(key) for key in named if key.get("kty") in ("oct", "OKP", "EC")]
    return tuple(key for key in found if key is not None)


def _secrets(entry: Mapping[str, Any]) -> Mapping[str, bytes]:
    """Secrets that encrypted claims are opened with."""
    found = {}
    for key in entry["keys"]:
        if key.get("kty") == "oct" and key.get("use") == "enc":
            kid = key.get("kid", "")
            try:
                secret = unb64url(key["k"])
            except (KeyError, ValueError, TypeError, AttributeError) as exc:
                raise ValueError(f"key {kid!r} is not a usable secret") from exc
            if len(secret) not in (16, 24, 32) or not isinstance(kid, str):
                raise ValueError(f"key {kid!r}: expected 16, 24 or 32 bytes")
            found[kid] = secret
    return found


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str):
        raise ConfigError(f"{name}: expected text")
    return value


def _texts(entry: Mapping[str, Any], name: str) -> Sequence[str]:
    value = entry.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise ValueError(f"{name}: expected a list of texts")
    return value
