"""Filling ahead of demand: carries out the plan for one edge, as a patient client of it.

Each object is asked for with ``Range: bytes=0-0``, which makes the edge fetch the whole once, and
with the lowest priority (RFC 9218 §4.1). What has arrived is pinned. The pace is kept on average;
what the edge holds already takes none of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import aiohttp

from abr.errors import AbrError, ConfigError, UpstreamError
from edge.tiers.fillplan import Wanted
from edge.tiers.pins import (
    PATH,
    How,
    PinAnswer,
    PinFacts,
    PinQuestion,
    dump_question,
    load_answer,
    load_facts,
)
from origin.paths import PathError, object_path, parse_target
from origin.tokens.redaction import redact
from transcode.packaging.layout import segment_number, split_variant, variant_of

ATTEMPTS = 3
"""For each object whose answer fails for a reason that may pass."""
MOST_FAILURES = 5
"""Objects in a row that fail so: the edge is given up."""
MOST_ANSWER_BYTES = 64 << 20
SETTLE_S = 10.0
"""A fetched object that is not held so long after it should have arrived is not stored."""
LOOK_S = 0.25
"""Between two looks at whether the last objects have arrived."""

_FIELDS = {"Range": "bytes=0-0", "Priority": "u=7", "Accept-Encoding": "identity"}
_MAY_PASS = frozenset({408, 429, 500, 502, 503, 504})

Fetched = Literal["filled", "held"]


@dataclass(slots=True, kw_only=True)
class FillReport:
    """What became of the plan for one edge."""

    name: str
    wanted: int = 0
    """Objects to hold pinned."""
    filled: int = 0
    filled_bytes: int = 0
    """Their sizes, as far as the log said."""
    held: int = 0
    """Objects that were there already."""
    gone: int = 0
    """Objects that are not there any more (404, 410)."""
    failed: int = 0
    not_stored: int = 0
    """Fetched objects that the edge did not keep."""
    left: int = 0
    """Objects that the end of the window left out."""
    pinned: int = 0
    reasons: tuple[str, ...] = ()
    """The first few reasons why objects failed."""
    trouble: str = ""
    """Why the edge was given up; empty when it was not."""

    @property
    def is_good(self) -> bool:
        """Whether everything that was tried came off."""
        return not (self.failed or self.not_stored or self.trouble)


class Tokens:
    """Tokens by title, asked for at the origin when they are needed.

    Args:
        session: The client.
        base: Base URL of the origin.
        secret: Bearer secret that it asks for; empty sends none.
        now: Any clock in seconds.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base: str, *, secret: str, now: Callable[[], float]
    ) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._now = now
        self._known: dict[tuple[str, int | None], tuple[str, float]] = {}
        self._watermarked: set[str] = set()

    def __repr__(self) -> str:
        return f"<Tokens from {self._base} for {len(self._known)} titles>"

    async def is_watermarked(self, title: str) -> bool:
        """Whether segments of a title have two variants.

        Raises:
            UpstreamError, ConfigError: as ``token``.
        """
        await self.token(title)
        return title in self._watermarked

    async def token(self, title: str, *, bit: int | None = None, fresh: bool = False) -> str:
        """A token for a title, with at least a third of its time left.

        Args:
            title: The title.
            bit: The variant of a segment that it is to choose; None: it is not for such.
            fresh: Not one that was used before.

        Raises:
            UpstreamError: the origin gives none.
            ConfigError: the secret is wrong.
        """
        token, until_s = self._known.get((title, bit), ("", 0.0))
        if token and not fresh and self._now() < until_s:
            return token
        asked_s = self._now()
        url = f"{self._base}/playback/{title}" + ("" if bit is None else f"?variant={'ab'[bit]}")
        async with self._session.get(url, headers=self._headers, allow_redirects=False) as answer:
            data = await _read(answer)
        if answer.status == 401:
            raise ConfigError(
                f"{url}: the origin asks for its secret; set ABR_FILL_PLAYBACK_SECRET"
            )
        if answer.status == 403 and bit is not None:
            raise ConfigError(
                f"{url}: the title is watermarked, and both variants are filled for holders of the "
                "origin's secret only; set its playback_secret, and ABR_FILL_PLAYBACK_SECRET here"
            )
        if answer.status in (404, 410):
            raise _GoneError(f"{url}: answered {answer.status}")
        if answer.status != 200:
            raise UpstreamError(f"{url}: answered {answer.status}; expected a playback URL")
        try:
            found = json.loads(data)
            token, ttl_s = str(found["token"]), float(found["ttl_s"])
        except (ValueError, TypeError, KeyError, RecursionError) as exc:
            raise UpstreamError(f"{url}: no token in the answer; expected an abr origin") from exc
        self._known[title, bit] = token, asked_s + ttl_s * 2 / 3
        if found.get("watermarked") is True:
            self._watermarked.add(title)
        return token


class Filler:
    """Fills one edge.

    Args:
        session: The client, whose total limit holds for each answer.
        name: What the edge is called here.
        url: Its base URL.
        tokens: Where tokens come from; None: it checks none.
        secret: Its ``purge_secret``.
        now: Seconds since the epoch.
        retry_s: Wait before the second attempt; four times as long before the third.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        name: str,
        url: str,
        tokens: Tokens | None,
        secret: str,
        now: Callable[[], float],
        retry_s: float = 1.0,
    ) -> None:
        self.name = name
        self._session = session
        self._url = url.rstrip("/")
        self._tokens = tokens
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._now = now
        self._retry_s = retry_s
        self._reasons: list[str] = []
        self._waiting: dict[str, float] = {}
        """Fetched keys that are not pinned yet, and when they are given up."""

    def __repr__(self) -> str:
        return f"<Filler of {self.name} at {self._url}, {len(self._waiting)} waiting>"

    async def facts(self) -> PinFacts:
        """What the edge says about its cache.

        Raises:
            UpstreamError: it cannot be asked.
        """
        return load_facts(await self._ask_about_pins("GET", None))

    async def ask(self, keys: Sequence[str], how: How) -> PinAnswer:
        """Pin, or ask what is held.

        Raises:
            UpstreamError: it cannot be asked.
        """
        data = dump_question(PinQuestion(keys=tuple(keys), how=how))
        return load_answer(await self._ask_about_pins("POST", data))

    async def fill(
        self,
        plan: Sequence[Wanted],
        *,
        rate_bps: float,
        until_s: float,
        told: Callable[[int], None] = lambda _done: None,
    ) -> FillReport:
        """Carry out a plan.

        Args:
            plan: What to hold pinned, in the order of fetching.
            rate_bps: Most bits per second, on average.
            until_s: Nothing is asked for that would not have arrived by then.
            told: Called with the number of objects that are done with.
        """
        report = FillReport(name=self.name, wanted=len(plan))
        try:
            plan = await self._in_variants(plan)
            report.wanted = len(plan)
            present = [each.key for each in plan if each.start_s is None]
            report.pinned = (await self.ask(present, "exactly")).pinned
            report.held = len(present)
            told(report.held)
            await self._fetch_all(
                [each for each in plan if each.start_s is not None], report, rate_bps, until_s, told
            )
            await self._settle(report)
        except (AbrError, aiohttp.ClientError, TimeoutError, OSError) as exc:
            report.trouble = _reason(exc)
        report.reasons = tuple(self._reasons)
        return report

    async def _in_variants(self, plan: Sequence[Wanted]) -> list[Wanted]:
        """``plan`` with both variants of each segment of a watermarked title."""
        found: list[Wanted] = []
        for each in plan:
            title, _, path = each.key.removeprefix("/").partition("/")
            if self._tokens is None or segment_number(path) is None:
                found.append(each)
                continue
            try:
                is_one = not await self._tokens.is_watermarked(title)
            except (UpstreamError, aiohttp.ClientError, TimeoutError, OSError):
                is_one = True  # the fetch says what is wrong
            keys = [each.key] if is_one else [variant_of(each.key, bit) for bit in (0, 1)]
            start_s = each.start_s if is_one else 0.0
            found.extend(replace(each, key=key, start_s=start_s) for key in keys)
        return found

    async def _fetch_all(
        self,
        wanted: Sequence[Wanted],
        report: FillReport,
        rate_bps: float,
        until_s: float,
        told: Callable[[int], None],
    ) -> None:
        next_s, failures = self._now(), 0
        for each in wanted:
            length_s = each.size_bytes * 8 / rate_bps
            if max(next_s, self._now()) + length_s > until_s:
                report.left += 1
                continue
            await asyncio.sleep(max(0.0, next_s - self._now()))
            await self._pin_waiting(report)
            try:
                fetched = await self._fetch(each.key)
            except _GoneError:
                report.gone += 1
                continue
            except ConfigError:
                raise  # it would be the same for all others
            except (AbrError, aiohttp.ClientError, TimeoutError, OSError) as exc:
                report.failed += 1
                self._note(each.key, exc)
                failures += not isinstance(exc, _RefusedError)
                if failures >= MOST_FAILURES:
                    raise UpstreamError(
                        f"given up after {failures} failures in a row; last: {_reason(exc)}"
                    ) from exc
                continue
            failures = 0
            if fetched == "filled":
                report.filled += 1
                report.filled_bytes += each.size_bytes
                next_s = max(next_s, self._now()) + length_s
            else:
                report.held += 1
            self._waiting[each.key] = self._now() + 2 * length_s + SETTLE_S
            told(report.held + report.filled + report.gone + report.failed + report.left)

    async def _settle(self, report: FillReport) -> None:
        """Pin the last ones when they have arrived."""
        await self._pin_waiting(report)
        while self._waiting:
            await asyncio.sleep(LOOK_S)
            await self._pin_waiting(report)

    async def _pin_waiting(self, report: FillReport) -> None:
        if not self._waiting:
            return
        answer = await self.ask(tuple(self._waiting), "also")
        report.pinned += answer.pinned
        missing = frozenset(answer.missing)
        for key, until_s in tuple(self._waiting.items()):
            if key not in missing:
                del self._waiting[key]
            elif self._now() > until_s:
                del self._waiting[key]
                report.not_stored += 1
                self._note(key, UpstreamError("fetched, and not stored by the edge"))

    async def _fetch(self, key: str) -> Fetched:
        """Have the edge fetch one object; tries again what may pass.

        Raises:
            _RefusedError: the object cannot be had.
            UpstreamError: the edge or its parent fails.
            ConfigError: no token can be had for anything.
        """
        wait_s = self._retry_s
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._fetch_once(key, fresh_token=False)
            except _TokenRefusedError:
                return await self._fetch_once(key, fresh_token=True)
            except _RefusedError:
                raise
            except (UpstreamError, aiohttp.ClientError, TimeoutError, OSError):
                if attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(wait_s)
            wait_s *= 4
        raise AssertionError("no attempt was made")

    async def _fetch_once(self, key: str, *, fresh_token: bool) -> Fetched:
        url = self._url + await self._path(key, fresh_token=fresh_token)
        async with self._session.get(url, headers=_FIELDS, allow_redirects=False) as answer:
            # The body is not read: it is a byte, or the whole that the edge fetches anyway.
            status, cache = answer.status, answer.headers.get("Cache-Status", "")
        if status in (200, 206):
            return "held" if "; hit" in cache.rpartition(",")[2] else "filled"
        if status in (401, 403) and self._tokens is not None and not fresh_token:
            raise _TokenRefusedError(f"answered {status}")
        if status in (404, 410):
            raise _GoneError(f"answered {status}")
        if status in _MAY_PASS:
            raise UpstreamError(f"answered {status}")
        if status == 416:
            raise _RefusedError("is empty")
        raise _RefusedError(f"answered {status}; expected 206")

    async def _path(self, key: str, *, fresh_token: bool) -> str:
        """Path at the edge under which a key is asked for."""
        if self._tokens is None:
            if not key.startswith("/"):
                raise _RefusedError("is no path; only keys of one site can be filled")
            return key
        try:
            asked_for, bit = split_variant(key)
            target = parse_target(asked_for)
        except PathError as exc:
            raise _RefusedError(str(exc)) from exc
        if target.kind != "object":
            raise _RefusedError("is no object of a title; without tokens, use --open")
        token = await self._tokens.token(target.title, bit=bit, fresh=fresh_token)
        return object_path(token, target.title, target.path)

    async def _ask_about_pins(self, method: str, data: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json"} | self._headers
        try:
            async with self._session.request(
                method, self._url + PATH, data=data, headers=headers, allow_redirects=False
            ) as answer:
                found = await _read(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise UpstreamError(f"{self.name} at {self._url}: {_reason(exc)}") from exc
        if answer.status == 403:
            raise UpstreamError(
                f"{self.name} at {self._url}: pinning is refused; set ABR_FILL_PURGE_SECRET to the "
                "edge's purge_secret, or run on its machine"
            )
        if answer.status != 200:
            raise UpstreamError(
                f"{self.name} at {self._url}{PATH}: answered {answer.status}; expected an abr edge"
            )
        return found

    def _note(self, key: str, exc: Exception) -> None:
        if len(self._reasons) < 5:
            self._reasons.append(f"{key}: {_reason(exc)}")


class _RefusedError(UpstreamError):
    """An object that cannot be had, however often it is asked for."""


class _GoneError(_RefusedError):
    """An object that is not there any more."""


class _TokenRefusedError(_RefusedError):
    """The token was not taken; another may be."""


def _reason(exc: Exception) -> str:
    """What went wrong, without a token."""
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    return redact(str(exc)) or type(exc).__name__


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """A body of bounded length."""
    found = bytearray()
    async for piece in answer.content.iter_any():
        found += piece
        if len(found) > MOST_ANSWER_BYTES:
            raise UpstreamError(f"an answer of over {MOST_ANSWER_BYTES} bytes")
    return bytes(found)
