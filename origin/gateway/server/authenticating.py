"""Who asks: authenticators, and how one is chosen by the settings."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from abr.errors import ConfigError, MissingFileError
from origin.gateway.accounts import (
    Account,
    Plan,
    StaticAccounts,
    parse_accounts,
    parse_plans,
    parse_tables,
)
from origin.gateway.config import GatewayConfig
from origin.gateway.issuer import (
    Issuer,
    account_in,
    claims_of,
    key_id_of,
    looks_signed,
    parse_issuer,
)
from origin.gateway.refusals import GatewayRefusal
from origin.gateway.server.issuerkeys import IssuerKeys, check_place

LOGGER = logging.getLogger("abr.gateway")

GROUP = "abr.authenticators"
"""Entry points: functions without arguments that give an ``Authenticator``."""

LOOK_S = 1.0
"""A file is looked at again after this."""


class Authenticator(Protocol):
    """Tells the account that a request comes from."""

    async def account_of(self, bearer: str | None, *, device: str) -> Account:
        """The account of a bearer.

        Args:
            bearer: What follows ``Bearer`` in the ``Authorization`` field; None: nothing does.
            device: As the client names it; empty: it did not. It proves nothing.

        Raises:
            GatewayRefusal: the bearer names no account that may ask.
            AbrError, OSError: nobody can tell at the moment.
        """
        ...

    async def close(self) -> None:
        """Let go of whatever it holds."""
        ...


class Anyone:
    """Takes each device for an account of its own."""

    def __repr__(self) -> str:
        return "<Anyone>"

    async def account_of(self, bearer: str | None, *, device: str) -> Account:
        """As ``Authenticator`` says."""
        del bearer
        return Account(name=f"device {device}")

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file said when it was read."""

    accounts: StaticAccounts
    plans: Mapping[str, Plan]
    issuer: Issuer | None
    stamp: tuple[int, int, int]


class AccountFile:
    """The accounts of a TOML file, and those of the issuer that it names; read again on change.

    While it cannot be read, or says what cannot be used, the accounts go on as they were.
    """

    def __init__(self, path: Path, *, now: Callable[[], float]) -> None:
        """Read the file.

        Raises:
            MissingFileError: it cannot be read.
            ConfigError: something in it cannot be used.
        """
        self._path, self._now = path, now
        self._read_now = self._read()
        self._looked_s = time.monotonic()
        self._trouble = ""
        self._keys: IssuerKeys | None = None

    def __repr__(self) -> str:
        return f"<AccountFile {self._path}, {self._read_now.accounts!r}>"

    async def account_of(self, bearer: str | None, *, device: str) -> Account:
        """As ``Authenticator`` says."""
        del device
        if bearer is None:
            raise GatewayRefusal("unauthenticated")
        if time.monotonic() >= self._looked_s + LOOK_S:
            self._looked_s = time.monotonic()
            await asyncio.to_thread(self._look)
        found = self._read_now
        if found.issuer is None or not looks_signed(bearer):
            return found.accounts.account_of(bearer)
        if self._keys is None or self._keys.where != found.issuer.jwks:
            await self.close()
            self._keys = IssuerKeys(found.issuer.jwks)
        keys = await self._keys.for_id(key_id_of(bearer, found.issuer))
        claims = claims_of(bearer, keys, found.issuer)
        return account_in(claims, found.issuer, found.plans, found.accounts, now_s=self._now())

    async def close(self) -> None:
        """As ``Authenticator`` says."""
        if self._keys is not None:
            await self._keys.close()

    def _look(self) -> None:
        try:
            if self._stamp() == self._read_now.stamp:
                return
            self._read_now = self._read()
        except (MissingFileError, ConfigError, OSError) as exc:
            if str(exc) != self._trouble:
                LOGGER.warning("%s; accounts go on as they were", exc)
            self._trouble = str(exc)
        else:
            self._trouble = ""
            LOGGER.info("accounts: read again, %d of them", len(self._read_now.accounts))

    def _stamp(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> _Read:
        where = str(self._path)
        try:
            stamp = self._stamp()
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
            raise MissingFileError(f"{where}: {why}; expected a file of accounts") from exc
        tables = parse_tables(text, where=where)
        plans = parse_plans(tables, where=where)
        accounts = parse_accounts(tables, plans, where=where)
        issuer = None
        if "issuer" in tables:
            issuer = parse_issuer(tables["issuer"], plans, where=where)
            check_place(issuer.jwks, where=f"{where}: [issuer] jwks")
        if not tables.get("accounts") and issuer is None:
            raise ConfigError(f"{where}: no [accounts.NAME] and no [issuer]; expected one of them")
        return _Read(accounts, plans, issuer, stamp)


def open_authenticator(config: GatewayConfig, *, now: Callable[[], float]) -> Authenticator:
    """The authenticator that the settings name; ``now`` gives Unix time.

    Raises:
        MissingFileError, ConfigError: it cannot be used; the message says why.
    """
    if config.anyone:
        return Anyone()
    if config.authenticator:
        return _installed(config.authenticator)
    return AccountFile(Path(config.accounts), now=now)


def _installed(name: str) -> Authenticator:
    found = {each.name: each for each in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none is installed"
        raise ConfigError(
            f"gateway.authenticator: found {name!r}; expected an entry point of {GROUP} ({known})"
        )
    made: Authenticator = found[name].load()()
    return made
