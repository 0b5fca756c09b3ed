"""Accounts and plans: who may watch what, on how many screens, how tall.

The text is TOML::

    [plans.family]
    streams = 3             # playbacks at once
    height = 1080           # no taller pictures; left out: any
    titles = ["film*"]      # patterns of titles; left out: all

    [accounts.alice]
    plan = "family"
    secrets = ["sha256:<64 hexadecimal digits>"]

Only hashes of secrets are kept. A secret is long and made by chance (``make_secret``), so a plain
hash is enough: there is no dictionary to guess it from, and shorter bearers are refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from abr.errors import ConfigError
from origin.gateway.refusals import GatewayRefusal
from origin.gateway.sessions import MOST_STREAMS
from origin.tokens.keysets import b64url

SECRET_BYTES = 32
MIN_SECRET_CHARS = 32
"""A bearer that is shorter is no secret of ours, whatever its hash."""

_INDEX_BYTES = 4
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an account has paid for."""

    name: str = "all"
    streams: int = MOST_STREAMS
    """Playbacks at once."""
    height: int | None = None
    """Most lines of a picture; None: any."""
    titles: tuple[str, ...] = ("*",)
    """Patterns of titles, as ``fnmatch`` reads them."""

    def includes(self, title: str) -> bool:
        """Whether the title is part of it."""
        return any(fnmatchcase(title, pattern) for pattern in self.titles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account, as its authenticator knows it."""

    name: str = field(repr=False)
    """Known here only: tokens and state hold a tag."""
    plan: Plan = Plan()  # frozen
    is_blocked: bool = False
    """It may not begin a playback."""


class StaticAccounts:
    """The accounts of a file."""

    def __init__(self, accounts: Mapping[str, Account], digests: Mapping[bytes, str]) -> None:
        """``digests``: names of accounts by the SHA-256 of their secrets."""
        self._accounts, self._count = dict(accounts), len(digests)
        self._known: dict[bytes, list[tuple[bytes, str]]] = {}
        for digest, name in digests.items():
            self._known.setdefault(digest[:_INDEX_BYTES], []).append((digest, name))

    def __repr__(self) -> str:
        return f"<StaticAccounts: {len(self._accounts)} with {self._count} secrets>"

    def __len__(self) -> int:
        return len(self._accounts)

    def named(self, name: str) -> Account | None:
        """The account of this name; None when there is none."""
        return self._accounts.get(name)

    def account_of(self, secret: str) -> Account:
        """The account that a bearer secret belongs to.

        Raises:
            GatewayRefusal: it belongs to none.
        """
        digest = digest_of(secret)
        found = None
        # A few bytes of a hash find whom to compare with: what they tell of it helps nobody.
        for known, name in self._known.get(digest[:_INDEX_BYTES], ()):
            if hmac.compare_digest(known, digest):
                found = name
        if found is None or len(secret) < MIN_SECRET_CHARS:
            raise GatewayRefusal("unknown-account")
        return self._accounts[found]


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def secret_of(chance: bytes) -> str:
    """A bearer secret made from ``SECRET_BYTES`` bytes of chance."""
    return "abr_" + b64url(chance)


def hash_text(secret: str) -> str:
    """The hash of a secret as the file holds it."""
    return f"sha256:{digest_of(secret).hex()}"


def account_tag(key: bytes, name: str) -> str:
    """What tokens and state hold for an account: it tells nothing to whoever lacks ``key``."""
    return b64url(hmac.digest(key, name.encode("utf-8", "surrogateescape"), "sha256")[:12])


def parse_tables(text: str, *, where: str) -> Mapping[str, Any]:
    """The tables of a file of accounts.

    Raises:
        ConfigError: it is not TOML, or has tables that nobody knows.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{where}: {exc}; expected TOML") from exc
    _only(tables, {"plans", "accounts", "issuer"}, where)
    return tables


def parse_accounts(
    tables: Mapping[str, Any], plans: Mapping[str, Plan], *, where: str
) -> StaticAccounts:
    """The accounts of a file that was read.

    Args:
        tables: As ``parse_tables`` gives them.
        plans: As ``parse_plans`` gives them.
        where: Name of the file, for messages.

    Raises:
        ConfigError: one of them cannot be used; the message says what.
    """
    accounts: dict[str, Account] = {}
    digests: dict[bytes, str] = {}
    for name, table in _tables(tables, "accounts", where).items():
        place = f"{where}: [accounts.{name}]"
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{where}: account {name!r}; expected 1 to 128 printable characters")
        _only(table, {"plan", "secrets", "blocked"}, place)
        accounts[name] = Account(
            name=name,
            plan=plan_named(plans, table.get("plan"), place),
            is_blocked=_flag(table, "blocked", place),
        )
        for digest in _digests(table, place):
            if digest in digests:
                raise ConfigError(f"{place} secrets: account {digests[digest]!r} has the same one")
            digests[digest] = name
    return StaticAccounts(accounts, digests)


def parse_plans(tables: Mapping[str, Any], *, where: str) -> dict[str, Plan]:
    """The plans of a file that was read, by name.

    Raises:
        ConfigError: one of them cannot be used.
    """
    plans = {}
    for name, table in _tables(tables, "plans", where).items():
        place = f"{where}: [plans.{name}]"
        _only(table, {"streams", "height", "titles"}, place)
        titles = table.get("titles", ["*"])
        if not isinstance(titles, list) or not all(isinstance(each, str) for each in titles):
            raise ConfigError(f"{place} titles: expected a list of patterns")
        plans[name] = Plan(
            name=name,
            streams=_count(table, "streams", place, most=MOST_STREAMS) or MOST_STREAMS,
            height=_count(table, "height", place, most=65535),
            titles=tuple(titles),
        )
    return plans


def plan_named(plans: Mapping[str, Plan], name: object, place: str) -> Plan:
    """The plan of this name.

    Raises:
        ConfigError: there is none.
    """
    if not isinstance(name, str) or name not in plans:
        known = ", ".join(sorted(plans)) or "none: add [plans.NAME]"
        raise ConfigError(f"{place} plan: found {name!r}; expected one of the plans ({known})")
    return plans[name]


def _tables(tables: Mapping[str, Any], name: str, where: str) -> Mapping[str, Mapping[str, Any]]:
    found = tables.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise ConfigError(f"{where}: {name}; expected tables [{name}.NAME]")
    return found


def _only(table: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        raise ConfigError(f"{place}: unknown {unknown[0]!r}; expected {', '.join(sorted(known))}")


def _count(table: Mapping[str, Any], name: str, place: str, *, most: int) -> int | None:
    value = table.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ConfigError(f"{place} {name}: found {value!r}; expected a whole number, 1 to {most}")
    return value


def _flag(table: Mapping[str, Any], name: str, place: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{place} {name}: found {value!r}; expected true or false")
    return value


def _digests(table: Mapping[str, Any], place: str) -> list[bytes]:
    secrets = table.get("secrets", [])
    if not isinstance(secrets, list):
        raise ConfigError(f"{place} secrets: expected a list")
    found = []
    for secret in secrets:
        match = _HASH.fullmatch(secret) if isinstance(secret, str) else None
        if match is None:
            raise ConfigError(
                f"{place} secrets: expected hashes such as sha256:0123…; "
                "`abr gateway --make-secret` makes a secret and its hash"
            )
        found.append(bytes.fromhex(match[1]))
    return found
