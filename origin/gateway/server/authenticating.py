"""Who asks: authenticators, and how one is chosen by the settings."""

from __future__ import annotations

import asyncio
import logging
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from abr.errors import ConfigError, MissingFileError
from origin.gateway.accounts import Account, StaticAccounts, parse_accounts
from origin.gateway.config import GatewayConfig
from origin.gateway.refusals import GatewayRefusal

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


class AccountFile:
    """The accounts of a TOML file, read again when it changes.

    While it cannot be read, or says what cannot be used, the accounts go on as they were.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            MissingFileError: it cannot be read.
            ConfigError: something in it cannot be used.
        """
        self._path = path
        self._accounts, self._stamp = self._read()
        self._looked_s = time.monotonic()
        self._trouble = ""

    def __repr__(self) -> str:
        return f"<AccountFile {self._path}, {self._accounts!r}>"

    async def account_of(self, bearer: str | None, *, device: str) -> Account:
        """As ``Authenticator`` says."""
        del device
        if bearer is None:
            raise GatewayRefusal("unauthenticated")
        if time.monotonic() >= self._looked_s + LOOK_S:
            self._looked_s = time.monotonic()
            await asyncio.to_thread(self._look)
        return self._accounts.account_of(bearer)

    async def close(self) -> None:
        """Nothing is held."""

    def _look(self) -> None:
        try:
            if self._stamp_now() == self._stamp:
                return
            self._accounts, self._stamp = self._read()
        except (MissingFileError, ConfigError, OSError) as exc:
            if str(exc) != self._trouble:
                LOGGER.warning("%s; accounts go on as they were", exc)
            self._trouble = str(exc)
        else:
            self._trouble = ""
            LOGGER.info("accounts: read again, %d of them", len(self._accounts))

    def _stamp_now(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[StaticAccounts, tuple[int, int, int]]:
        try:
            stamp = self._stamp_now()
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
            raise MissingFileError(f"{self._path}: {why}; expected a file of accounts") from exc
        return parse_accounts(text, where=str(self._path)), stamp


def open_authenticator(config: GatewayConfig) -> Authenticator:
    """The authenticator that the settings name.

    Raises:
        MissingFileError, ConfigError: it cannot be used; the message says why.
    """
    if config.anyone:
        return Anyone()
    if config.authenticator:
        return _installed(config.authenticator)
    return AccountFile(Path(config.accounts))


def _installed(name: str) -> Authenticator:
    found = {each.name: each for each in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none is installed"
        raise ConfigError(
            f"gateway.authenticator: found {name!r}; expected an entry point of {GROUP} ({known})"
        )
    made: Authenticator = found[name].load()()
    return made
