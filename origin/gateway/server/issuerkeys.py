"""The public keys of an issuer of bearers: fetched, kept, and gone on with while it fails.

Keys are fetched when they are first needed, again before they are old, and when a bearer names one
that is not known, at most every ``AGAIN_S``. While the issuer does not answer, the keys that are
known go on for ``KEPT_S``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import jwt

from abr.errors import AbrError, ConfigError, UpstreamError
from origin.config import is_loopback
from origin.gateway.issuer import KeysById, candidates, parse_key_set
from origin.gateway.refusals import GatewayRefusal

LOGGER = logging.getLogger("abr.gateway")

FRESH_S = 300.0
"""Keys are fetched again after this."""

AGAIN_S = 10.0
"""After a fetch, for whatever bearer, there is no other for so long."""

KEPT_S = 86400.0
"""Keys that cannot be fetched again are used for so long."""

LIMIT_S = 3.0
"""A fetch may take this long."""

PATIENCE_S = 0.4
"""When others are known, nobody waits longer for a key that is not."""

RETRY_S = 2
"""Whoever waited in vain may ask again after this."""

MAX_BYTES = 256 << 10
"""Longest key set that is read."""


class IssuerKeys:
    """The keys at one place."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._keys: KeysById = {}
        self._fetched_s = self._tried_s = -KEPT_S
        self._fetching: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<IssuerKeys at {self.where}, {len(self._keys)} known>"

    async def for_id(self, kid: str) -> list[jwt.PyJWK]:
        """Keys that may have signed a bearer that names ``kid``; none when there is no such key.

        Raises:
            UpstreamError: no key is known that could be used.
            GatewayRefusal: this one is not, and the issuer is slow to tell of others.
        """
        age_s = time.monotonic() - self._fetched_s
        found = candidates(self._keys, kid) if age_s < KEPT_S else []
        if found and age_s < FRESH_S:
            return found
        if time.monotonic() - self._tried_s >= AGAIN_S and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        if found:
            return found  # a little old: the next request has the new ones
        if self._fetching is not None:
            # One fetch for all who wait, and it goes on when they leave. Anybody can name a key
            # that is not known: that is not to look as if the accounts failed.
            limit_s = PATIENCE_S if self._keys else None
            await asyncio.wait({self._fetching}, timeout=limit_s)
        if not self._keys or time.monotonic() - self._fetched_s >= KEPT_S:
            raise UpstreamError(f"{self.where}: no keys of the issuer are known")
        found = candidates(self._keys, kid)
        if not found and self._fetching is not None:
            raise GatewayRefusal("accounts-unavailable", retry_after_s=RETRY_S)
        return found

    async def close(self) -> None:
        """Fetch no more."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def _fetch(self) -> None:
        self._tried_s = time.monotonic()
        try:
            data = await asyncio.wait_for(self._read(), LIMIT_S)
            self._keys = parse_key_set(data, where=self.where)
            self._fetched_s = time.monotonic()
        except (AbrError, OSError, aiohttp.ClientError, TimeoutError) as exc:
            why = str(exc) or "no answer in time"
            LOGGER.warning("%s: %s; the keys that are known go on", self.where, why)
        finally:
            self._fetching = None

    async def _read(self) -> bytes:
        if not is_url(self.where):
            return await asyncio.to_thread(Path(self.where).read_bytes)
        if self._http is None:
            self._http = aiohttp.ClientSession()
        async with self._http.get(self.where, allow_redirects=False) as answer:
            if answer.status != 200:
                raise UpstreamError(f"status {answer.status}; expected a key set")
            data = await answer.content.read(MAX_BYTES + 1)
            while len(data) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES)):
                data += more
        if len(data) > MAX_BYTES:
            raise UpstreamError(f"over {MAX_BYTES} bytes; expected a key set")
        return data


def is_url(where: str) -> bool:
    """Whether keys are at a URL, and not in a file."""
    return "://" in where


def check_place(jwks: str, *, where: str) -> None:
    """Return if keys may be fetched from ``jwks``.

    Raises:
        ConfigError: whoever is on the way could replace them.
    """
    if not is_url(jwks):
        return
    parts = urlsplit(jwks)
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigError(f"{where}: found {jwks!r}; expected a file, or a URL of https")
