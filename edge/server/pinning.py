"""Pinning: what was filled ahead of demand stays, whatever the policy thinks of it.

``POST /.abr/pin`` with ``{"keys": [...]}`` makes exactly these lookup keys the pinned ones, as far
as they are held; ``GET`` tells how many there are, in all workers. Who may purge may pin. A pin
ends when its object is removed, and with the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from abr.errors import ConfigError
from edge.caching.variants import Catalogue, base_of, is_of_part
from edge.config import EdgeConfig
from edge.index import CacheIndex
from edge.server.body import DISK_OVERHEAD_BYTES
from edge.server.peers import LINE_BYTES, Facts
from edge.server.permission import is_permitted
from edge.server.stocktaking import Stocktaking
from edge.tiers.pins import (
    MOST_BYTES,
    MOST_SHARE,
    PinAnswer,
    PinQuestion,
    dump_answer,
    load_question,
    split,
)
from origin.server.answers import error_response, json_response, method_response

_STEP = 2000
"""Keys looked at in one go, so that a long list holds nobody up."""

_PART_BYTES = LINE_BYTES // 2
"""Of keys in one question to another worker."""


class Pinner:
    """Answers requests to pin."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        index: CacheIndex,
        catalogue: Catalogue,
        stock: Stocktaking,
    ) -> None:
        self._config = config
        self._index = index
        self._catalogue = catalogue
        self._stock = stock
        self._lock = asyncio.Lock()
        self.elsewhere: Callable[[str, Facts], Awaitable[list[Facts]]] = _nowhere
        """What the other workers answer to a question for ``answer_worker``."""

    def __repr__(self) -> str:
        return f"<Pinner of {self._index!r}>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        self._config = config

    async def answer(self, request: web.Request) -> web.Response:
        """Pin, or tell what is pinned, if that is permitted."""
        if not is_permitted(request, self._config.purge_secret):
            return error_response(
                403,
                "pin",
                "pinning needs `Authorization: Bearer SECRET` as in edge.purge_secret, "
                "or to be asked from this machine when there is none",
            )
        if request.method == "GET":
            return json_response(await self._all_facts())
        if request.method != "POST":
            return method_response(("GET", "POST"))
        data = await _read(request)
        if data is None:
            return error_response(413, "pin", f"over {MOST_BYTES} bytes of keys; send fewer")
        try:
            question = load_question(data)
        except ConfigError as exc:
            return error_response(400, "pin", str(exc))
        return json_response(dump_answer(await self._pin_everywhere(question)))

    async def answer_worker(self, what: str, facts: Facts) -> Facts:
        """Answer another worker: ``pin`` its question here, or tell of the ``pins`` here."""
        if what == "pins":
            return dict(self._facts())
        return dump_answer(await self.pin(PinQuestion(keys=tuple(facts["keys"]), how=facts["how"])))

    async def _pin_everywhere(self, question: PinQuestion) -> PinAnswer:
        """Every key is held by the worker that owns it, if at all."""
        answer = await self.pin(question)
        pinned, refused, missing = answer.pinned, answer.refused, dict.fromkeys(answer.missing)
        for part in split(question, most_bytes=_PART_BYTES):
            for facts in await self.elsewhere("pin", {"keys": part.keys, "how": part.how}):
                pinned, refused = pinned + facts["pinned"], refused + facts["refused"]
                for key in frozenset(part.keys) - frozenset(facts["missing_keys"]):
                    missing.pop(key, None)
        return PinAnswer(pinned=pinned, refused=refused, missing=tuple(missing))

    async def pin(self, question: PinQuestion) -> PinAnswer:
        """Pin what ``question`` names and is held."""
        await self._stock.wait()  # what is on disk and not known yet is held too
        async with self._lock:
            if question.how == "exactly":
                wanted = frozenset(question.keys)
                await self._unpin(lambda key: base_of(key) not in wanted)
            pinned, refused, missing = 0, 0, []
            before = frozenset(self._index.pinned_keys)
            for number, base in enumerate(question.keys, start=1):
                if number % _STEP == 0:
                    await asyncio.sleep(0)
                held = [
                    key
                    for key in self._catalogue.keys(base)
                    if key in self._index and not is_of_part(key)
                ]
                if not held:
                    missing.append(base)
                elif question.how == "ask":
                    pinned += all(key in before for key in held)
                elif all(self._keep(key) for key in held):
                    pinned += 1
                else:
                    refused += 1
            return PinAnswer(pinned=pinned, missing=tuple(missing), refused=refused)

    def _keep(self, key: str) -> bool:
        """Pin one stored response; False: there is no room."""
        self._index.pin(key)
        if self._index.pinned_bytes <= MOST_SHARE * self._index.capacity_bytes:
            return True
        self._index.unpin(key)
        return False

    async def _unpin(self, is_unwanted: Callable[[str], bool]) -> None:
        for number, key in enumerate(self._index.pinned_keys, start=1):
            if is_unwanted(key):
                self._index.unpin(key)
            if number % _STEP == 0:
                await asyncio.sleep(0)

    async def _all_facts(self) -> dict[str, int]:
        found = self._facts()
        for facts in await self.elsewhere("pins", {}):
            for name in ("pinned", "pinned_bytes", "capacity_bytes"):
                found[name] += facts[name]
        return found

    def _facts(self) -> dict[str, int]:
        return {
            "pinned": len({base_of(key) for key in self._index.pinned_keys}),
            "pinned_bytes": self._index.pinned_bytes,
            "capacity_bytes": self._index.capacity_bytes,
            "overhead_bytes": DISK_OVERHEAD_BYTES,
            "max_object_bytes": self._config.max_object_bytes,
        }


async def _nowhere(_what: str, _facts: Facts) -> list[Facts]:
    """There are no other workers."""
    return []


async def _read(request: web.Request) -> bytes | None:
    """The body; None when it is too long."""
    found = bytearray()
    async for piece in request.content.iter_any():
        found += piece
        if len(found) > MOST_BYTES:
            return None
    return bytes(found)
