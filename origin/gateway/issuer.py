"""Accounts that another service has signed in: its JWT is the bearer, a claim names the account.

The text is a table of the file of accounts::

    [issuer]
    iss = "https://login.example"
    audience = "video"              # must be in the claim aud; left out: not looked at
    jwks = "https://login.example/.well-known/jwks.json"    # or a file
    algorithms = ["ES256", "RS256"] # the default: all of ALGORITHMS
    account = "sub"                 # claim with the name of the account
    plan = "plan"                   # claim with the name of a plan
    default_plan = "basic"          # for tokens without that claim; left out: refused

Only signatures by a key pair are taken: a key set that is public can hold no secret. Times are
compared here, not by the library: ``exp`` is required and has no leeway.

Sources: RFC 7519 (JWT), RFC 7517 (key sets), RFC 8725 §3.1 to §3.3 and §3.8 (algorithms, issuer).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.algorithms import OKPAlgorithm

from abr.errors import ConfigError, UpstreamError
from origin.gateway.accounts import Account, Plan, StaticAccounts
from origin.gateway.refusals import GatewayRefusal

ALGORITHMS = (
    *("ES256", "ES384", "ES512", "EdDSA"),
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
)
"""What a bearer may be signed with; none of these knows a shared secret."""

_OTHER_NAME = "Ed25519"
"""RFC 9864 §2.2 names EdDSA by its curve; the library knows the old name only."""
with suppress(ValueError):  # it is registered
    jwt.register_algorithm(_OTHER_NAME, OKPAlgorithm())

MAX_CHARS = 8192
"""A longer bearer is refused before any of it is decoded."""

EARLY_S = 30.0
"""How far our clock may be behind the issuer's."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_MEMBERS = {"iss", "audience", "jwks", "algorithms", "account", "plan", "default_plan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whom we believe who somebody is."""

    iss: str
    jwks: str
    """URL or file of its public keys."""
    audience: str = ""
    algorithms: tuple[str, ...] = ALGORITHMS
    account: str = "sub"
    plan: str = "plan"
    default_plan: str = ""


KeysById = Mapping[str, Sequence[jwt.PyJWK]]
"""Keys by id; those without one under the empty id."""


def parse_issuer(table: object, plans: Mapping[str, Plan], *, where: str) -> Issuer:
    """The issuer that a file of accounts names.

    Raises:
        ConfigError: something in it cannot be used.
    """
    place = f"{where}: [issuer]"
    if not isinstance(table, dict):
        raise ConfigError(f"{place}: expected a table")
    unknown = sorted(table.keys() - _MEMBERS)
    if unknown:
        raise ConfigError(
            f"{place}: unknown {unknown[0]!r}; expected {', '.join(sorted(_MEMBERS))}"
        )
    algorithms = table.get("algorithms", list(ALGORITHMS))
    if not isinstance(algorithms, list) or not algorithms or set(algorithms) - set(ALGORITHMS):
        raise ConfigError(f"{place} algorithms: expected a list of {', '.join(ALGORITHMS)}")
    texts = {name: table[name] for name in _MEMBERS - {"algorithms"} if name in table}
    for name, value in texts.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{place} {name}: found {value!r}; expected a text")
    for name in ("iss", "jwks"):
        if name not in texts:
            raise ConfigError(f"{place} {name}: missing")
    default = texts.get("default_plan", "")
    if default and default not in plans:
        raise ConfigError(
            f"{place} default_plan: found {default!r}; expected one of the plans "
            f"({', '.join(sorted(plans)) or 'none: add [plans.NAME]'})"
        )
    return Issuer(algorithms=tuple(algorithms), **texts)


def parse_key_set(data: bytes, *, where: str) -> dict[str, list[jwt.PyJWK]]:
    """The keys of a key set that can verify a bearer.

    Raises:
        UpstreamError: it is no key set, or holds no such key.
    """
    try:
        entries = json.loads(data)["keys"]
        members = [entry for entry in entries if isinstance(entry, dict)]
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UpstreamError(f"{where}: not a key set (RFC 7517)") from exc
    found: dict[str, list[jwt.PyJWK]] = {}
    for entry in members:
        # RFC 7517 §5: what is not understood should be ignored. "oct" would be a secret.
        if entry.get("kty") not in ("EC", "OKP", "RSA") or entry.get("use", "sig") != "sig":
            continue
        try:
            is_other = entry.get("alg") == _OTHER_NAME
            key = jwt.PyJWK(entry | {"alg": "EdDSA"} if is_other else entry)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        kid = entry.get("kid")
        found.setdefault(kid if isinstance(kid, str) else "", []).append(key)
    if not found:
        raise UpstreamError(f"{where}: no key in it that could verify a bearer")
    return found


def looks_signed(bearer: str) -> bool:
    """Whether a bearer has the shape of a JWT, which no secret of ours has."""
    return bearer.count(".") == 2


def key_id_of(bearer: str, issuer: Issuer) -> str:
    """The id of the key that a bearer names; empty: it names none.

    Raises:
        GatewayRefusal: it is no JWT of an algorithm that is taken.
    """
    try:
        if len(bearer) > MAX_CHARS:
            raise ValueError("too long")
        header = jwt.get_unverified_header(bearer)
    except (jwt.PyJWTError, ValueError, RecursionError) as exc:
        raise GatewayRefusal("unknown-account") from exc
    algorithm = "EdDSA" if header.get("alg") == _OTHER_NAME else header.get("alg")
    if algorithm not in issuer.algorithms or "crit" in header:
        raise GatewayRefusal("unknown-account")
    kid = header.get("kid", "")
    return kid if isinstance(kid, str) else ""


def candidates(keys: KeysById, kid: str) -> list[jwt.PyJWK]:
    """Keys that may have signed a bearer that names ``kid``."""
    return list(keys.get(kid, ())) if kid else [key for each in keys.values() for key in each]


def claims_of(bearer: str, keys: Sequence[jwt.PyJWK], issuer: Issuer) -> dict[str, Any]:
    """What a bearer says that one of ``keys`` has signed; its times are not looked at.

    Raises:
        GatewayRefusal: none has, or it is not by this issuer for us.
    """
    required = ["exp", "iss", issuer.account] + (["aud"] if issuer.audience else [])
    options: Any = {
        "require": required,
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "verify_aud": bool(issuer.audience),
    }
    for key in keys:
        allowed = [each for each in issuer.algorithms if _fits(each, key)]
        allowed += [_OTHER_NAME] if "EdDSA" in allowed else []
        try:
            claims: dict[str, Any] = jwt.decode(
                bearer,
                key.key,
                algorithms=allowed,
                audience=issuer.audience or None,
                issuer=issuer.iss,
                options=options,
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            continue
        return claims
    raise GatewayRefusal("unknown-account")


def account_in(
    claims: Mapping[str, Any],
    issuer: Issuer,
    plans: Mapping[str, Plan],
    known: StaticAccounts,
    *,
    now_s: float,
) -> Account:
    """The account that claims name, if they hold now.

    What the file says of an account of that name counts for more than the claims.

    Raises:
        GatewayRefusal: they have expired, are not valid yet, or name no account or plan.
    """
    expires_s, starts_s = claims.get("exp"), claims.get("nbf", 0)
    if not _is_time(expires_s) or not _is_time(starts_s):
        raise GatewayRefusal("unknown-account")
    if now_s >= float(expires_s or 0):
        raise GatewayRefusal("bearer-expired")
    if now_s < float(starts_s or 0) - EARLY_S:
        raise GatewayRefusal("unknown-account", "the bearer is not valid yet; compare the clocks")
    name = claims.get(issuer.account)
    if not isinstance(name, str) or not 0 < len(name) <= 255 or not _is_text(name):
        raise GatewayRefusal("unknown-account")
    listed = known.named(name)
    if listed is not None:
        return listed
    plan = plans.get(str(claims.get(issuer.plan, issuer.default_plan)))
    if plan is None:
        raise GatewayRefusal("no-plan")
    return Account(name=name, plan=plan)


def _fits(algorithm: str, key: jwt.PyJWK) -> bool:
    """Whether a key may be used with an algorithm: what it says itself, or by its kind."""
    if key.algorithm_name in ALGORITHMS and key.key_type != "RSA":
        return algorithm == key.algorithm_name
    return algorithm[:2] in ("RS", "PS")


def _is_text(text: str) -> bool:
    """Whether it can be written: JSON may spell half of a character (RFC 8259 §8.2)."""
    return not _SURROGATES.search(text)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
