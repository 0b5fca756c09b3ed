"""What an edge says about itself: its health, its metrics, its keys; for all its workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from abr.errors import UpstreamError
from edge.config import EdgeConfig
from edge.index import CacheIndex
from edge.metrics import EdgeCollector, merge_texts
from edge.server.parents import ParentsClient
from edge.server.sharing import Sharing
from edge.server.stocktaking import Stocktaking
from edge.server.tokencheck import TokenCheck
from origin.paths import Target
from origin.server.answers import json_response, key_set_response, metrics_response


class About:
    """Answers about one edge."""

    def __init__(
        self,
        config: Callable[[], EdgeConfig],
        *,
        index: CacheIndex,
        stock: Stocktaking,
        upstream: ParentsClient,
        token_check: TokenCheck,
        metrics: EdgeCollector,
        sharing: Sharing | None,
    ) -> None:
        self._config = config
        self._index, self._stock = index, stock
        self._upstream, self._token_check = upstream, token_check
        self._metrics, self._sharing = metrics, sharing
        if sharing is not None:
            sharing.figures = self._figures

    def __repr__(self) -> str:
        return f"<About {self._config().name}>"

    async def answer(self, target: Target, *, past_caches: bool = False) -> web.Response | None:
        """Answer about the edge itself; None when something else is asked for."""
        if target.kind == "metrics":
            return metrics_response(await self._all_metrics())
        if target.kind == "healthz":
            return await self._health()
        return await self._key_set(past_caches) if target.kind == "jwks" else None

    async def _key_set(self, past_caches: bool) -> web.Response:
        """The public keys for the next tier, dated by the clock that tokens are judged by."""
        check = self._token_check
        if past_caches or not check.has_keys:
            await check.refresh(past_caches=past_caches)
        keys = check.jwks()
        if keys is None:
            raise UpstreamError(f"no keys yet; {check.trouble}")
        return key_set_response(keys, fresh_s=check.fresh_s(), now_s=check.now_s())

    async def _health(self) -> web.Response:
        config = self._config()
        reachable = await self._upstream.is_reachable()
        able = self._token_check.has_keys or not config.require_token
        facts = {
            "status": "ok" if able and reachable else "degraded",
            "role": "edge",
            "name": config.name,
            "tier": config.tier,
            "parent": {"url": self._upstream.parents.names[0], "reachable": reachable},
            "parents": self._upstream.states(),
            "has_keys": self._token_check.has_keys,
            "revocations": len(self._token_check.denied),
            **await self._all_held(),
        }
        return json_response(facts, status=200 if able else 503)

    async def _all_metrics(self) -> bytes:
        if self._sharing is None:
            return self._metrics.text()
        rows = await self._sharing.all_figures()
        return merge_texts({str(row["worker"]): row["metrics"] for row in rows})

    async def _all_held(self) -> dict[str, Any]:
        """What all workers hold together."""
        if self._sharing is None:
            return self._held()
        rows = [row["held"] for row in await self._sharing.all_figures()]
        return {
            "workers": len(rows),
            **{name: sum(row[name] for row in rows) for name in self._held()},
            "all_objects_known": all(row["all_objects_known"] for row in rows),
        }

    def _held(self) -> dict[str, Any]:
        return {
            "objects": len(self._index),
            "all_objects_known": self._stock.is_done,
            "held_bytes": self._index.held_bytes,
            "capacity_bytes": self._index.capacity_bytes,
        }

    def _figures(self) -> dict[str, Any]:
        """What this worker tells the others about itself."""
        assert self._sharing is not None
        number, text = self._sharing.worker.number, self._metrics.text().decode()
        return {"worker": number, "metrics": text, "held": self._held()}
