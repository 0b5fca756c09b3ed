"""A whole delivery path on this machine: origin, regional tier, ISP edges, the watch page.

``Stack`` is an async context manager. Packages are read before anything listens, and
whatever was started ends with it, caches in a temporary folder included.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from abr.errors import PackageError
from bench.stack.config import ServeConfig
from bench.stack.served import warm
from bench.stack.watch import Reach, WatchSite, make_watch
from edge.config import EdgeConfig
from edge.server.app import EDGE, Edge
from edge.server.app import make_app as make_edge
from origin.config import OriginConfig, ServerLimits
from origin.gateway.config import GatewayConfig
from origin.gateway.server.app import serving
from origin.gateway.server.opening import notes_of_new as notes_of_new_state
from origin.gateway.server.opening import open_service
from origin.gateway.server.shared import SharedState
from origin.server.app import ORIGIN, Origin
from origin.server.app import make_app as make_origin
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore, OpenObject, titles_without_keys
from transcode.files.keystore import KeyStore, default_keys_dir, notes_of_new
from transcode.packaging.index import PresentationIndex


@dataclass(frozen=True, slots=True)
class Listener:
    """One server of a stack."""

    role: str
    """``origin`` or ``edge``."""
    tier: str
    """``origin``, ``regional`` or ``isp``."""
    url: str
    """Base URL."""
    name: str = ""
    """Name in ``Cache-Status``; empty for the origin."""


class CacheStats(TypedDict):
    """What the caches of one tier did."""

    requests: int
    hits: int
    bytes: int
    """Body bytes sent."""
    hit_bytes: int
    """Of those, sent on hits."""


class Packages:
    """The titles of several folders as one store."""

    may_wait = False

    def __init__(self, folders: Sequence[str | Path]) -> None:
        """Read all packages.

        Raises:
            MissingFileError: no such folder.
            PackageError: a folder holds no usable package, or a title is there twice.
        """
        if not folders:
            raise PackageError("no package given; make one with `abr transcode MASTER OUT`")
        self._stores = [DirectoryStore(folder) for folder in folders]
        self._by_title: dict[str, DirectoryStore] = {}
        for folder, store in zip(folders, self._stores, strict=True):
            for title in store.titles():
                if title in self._by_title:
                    raise PackageError(f"{folder}: title {title!r} is in another package too")
                self._by_title[title] = store

    def __repr__(self) -> str:
        """Titles and folders."""
        return f"<Packages {', '.join(self._by_title)} of {len(self._stores)} folders>"

    @property
    def problems(self) -> tuple[str, ...]:
        """Packages that were left out, and why."""
        return tuple(problem for store in self._stores for problem in store.problems)

    def titles(self) -> tuple[str, ...]:
        """What can be played, in alphabetical order."""
        return tuple(sorted(self._by_title))

    def index(self, title: str, version: str = "") -> PresentationIndex | None:
        """What a title consists of; None when there is none of that name."""
        store = self._by_title.get(title)
        return None if store is None else store.index(title, version)

    def open(self, title: str, path: str) -> OpenObject | None:
        """The object; None when there is none of that name."""
        store = self._by_title.get(title)
        return None if store is None else store.open(title, path)


class Stack:
    """Origin, regional cache, ISP edges and playback service, listening in the context.

    Args:
        packages: Folders of packages.
        keys: Folder of the key store; ``default_keys_dir`` when None.
        config: Settings; the defaults when None.

    Example::

        async with Stack(packages=["packages/film"]) as stack:
            print(stack.playback_urls)
    """

    def __init__(
        self,
        packages: Sequence[str | Path],
        *,
        keys: str | Path | None = None,
        config: ServeConfig | None = None,
    ) -> None:
        self.config = (config or ServeConfig()).check()
        self.listeners: list[Listener] = []
        self.edges: dict[str, Edge] = {}
        """Every cache by name."""
        self.watch_url = ""
        """Where the watch page is."""
        self.problems: tuple[str, ...] = ()
        """What will not play, and why: packages left out, titles without their keys; and what was
        made new, as it was not there."""
        self._packages = packages
        self._keys = keys
        self._origin: Origin | None = None
        self._folder: Path | None = None
        self._tier_secret = secrets.token_hex(16)
        self._running = AsyncExitStack()

    def __repr__(self) -> str:
        """What listens, if anything does."""
        where = ", ".join(f"{each.name or each.role} {each.url}" for each in self.listeners)
        return f"<Stack {where or 'not started'}>"

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            MissingFileError, PackageError: a package cannot be used; nothing listens then.
            PortInUseError: a port is taken; nothing listens any more.
            KeyStoreError: the keys cannot be had.
        """
        self._store = store = Packages(self._packages)
        keys = KeyStore.open(self._keys or default_keys_dir(os.environ))
        left_out = [f"left out: {problem}" for problem in store.problems]
        new = notes_of_new(keys, self._keys, os.environ)
        new += notes_of_new_state(self.config.state)
        self.problems = (*left_out, *new, *titles_without_keys(store, keys))
        async with AsyncExitStack() as starting:
            await self._start(starting, store, keys)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything, the edges first."""
        await self._running.__aexit__(kind, exc, trace)

    @property
    def playback_urls(self) -> dict[str, str]:
        """A multivariant playlist with a fresh token for each title, through the first edge."""
        return {title: self.playback_url(title) for title in self._titles}

    def playback_url(self, title: str, *, edge: int = 0, variant: int | None = None) -> str:
        """A URL for ``title`` with a fresh token, through an ISP edge by number from 0.

        With ``variant`` its token is for filling caches with that variant of each segment.
        """
        assert self._origin is not None, "enter the stack first"
        isp = [listener for listener in self.listeners if listener.tier == "isp"]
        found = self._origin.playback(title, base=isp[edge].url, variant=variant)
        return str(found["url"])

    async def warm(self) -> None:
        """Fill the caches: fetch every title through every ISP edge once, keys too.

        Raises:
            UpstreamError: something could not be fetched.
        """
        for title in self._titles:
            index = self._store.index(title)
            if index is not None:
                for edge in range(self.config.edges):
                    for variant in (0, 1) if index.watermarked else (None,):
                        await warm(self.playback_url(title, edge=edge, variant=variant), index)

    def cache_stats(self) -> dict[str, CacheStats]:
        """Requests, hits and bytes so far, by tier."""
        stats: dict[str, CacheStats] = {}
        for edge in self.edges.values():
            tier = stats.setdefault(
                edge.config.tier, CacheStats(requests=0, hits=0, bytes=0, hit_bytes=0)
            )
            tier["requests"] += edge.counters.requests
            tier["hits"] += edge.counters.hits
            tier["bytes"] += edge.counters.sent_bytes
            tier["hit_bytes"] += edge.counters.hit_bytes
        return stats

    async def _start(self, running: AsyncExitStack, store: Packages, keys: KeyStore) -> None:
        config = self.config
        self._titles = store.titles()
        folder = Path(config.cache_dir) if config.cache_dir else self._temporary(running)
        state = config.state or str(self._temporary(running) / "state.sqlite")
        shared = SharedState(state)
        running.callback(shared.close)
        origin = make_origin(
            store,
            keys,
            self._origin_config(),
            limits=self._limits,
            revocations=shared,
            sessions=shared,
        )
        where = await running.enter_async_context(
            listening(origin, host=config.host, port=config.port, limits=self._limits)
        )
        self._origin = origin[ORIGIN]
        self.listeners.append(Listener("origin", "origin", where.url))
        regional = await self._start_edge(running, folder, where.url, "regional", "regional")
        for number in range(1, config.edges + 1):
            await self._start_edge(running, folder, regional, f"isp-{number}", "isp")
        await self._start_watch(running, store, keys, state)

    async def _start_edge(
        self, running: AsyncExitStack, folder: Path, parent: str, name: str, tier: str
    ) -> str:
        config = EdgeConfig(
            parent=parent,
            host=self.config.host,
            port=self._port(len(self.listeners)),
            name=name,
            tier=tier,
            cache_bytes=self.config.cache_bytes,
            cmcd_log=self.config.cmcd_log if tier == "isp" else "",
            tier_secret=self._tier_secret,
            trust=self.config.trust,
        )
        app = make_edge(config, cache_dir=folder / name, limits=self._limits)
        running.callback(app[EDGE].reports.close)
        where = await running.enter_async_context(
            listening(app, host=config.host, port=config.port, limits=self._limits)
        )
        self.edges[name] = edge = app[EDGE]
        if config.cmcd_log:
            edge.reports.reconfigure(config)
            where.door.on_answered = edge.note
        self.listeners.append(Listener("edge", tier, where.url, name))
        return where.url

    async def _start_watch(
        self, running: AsyncExitStack, store: Packages, keys: KeyStore, state: str
    ) -> None:
        isp = next(each for each in self.listeners if each.tier == "isp")
        config = GatewayConfig(
            anyone=True, public_base=isp.url, token_ttl_s=self.config.token_ttl_s
        ).check()
        service = open_service(config, titles=store, keys=keys, state=state)
        await service.sweep()  # a state that cannot be used is told of now
        gateway = await running.enter_async_context(serving(service))
        reach = Reach(
            tiers={each.name: each.tier for each in self.listeners if each.role == "edge"},
            urls=[each.url for each in self.listeners],
            takes_reports=bool(self.config.cmcd_log),
        )
        site = WatchSite(store, gateway.answer, reach)
        where = await running.enter_async_context(
            listening(
                make_watch(site),
                host=self.config.host,
                port=self._port(len(self.listeners)),
                limits=self._limits,
            )
        )
        self.watch_url = f"{where.url}/"

    def _origin_config(self) -> OriginConfig:
        config = self.config
        # With free ports the edges' addresses are not known yet when the origin starts.
        first_edge = f"http://{config.host}:{self._port(2)}" if config.port else ""
        return OriginConfig(
            host=config.host,
            port=config.port,
            public_base=first_edge,
            playlist_max_age_s=config.playlist_max_age_s,
            token_ttl_s=config.token_ttl_s,
            tier_secret=self._tier_secret,
            trust=config.trust,
        )

    def _temporary(self, running: AsyncExitStack) -> Path:
        """A folder that is gone at the end, the same each time."""
        if self._folder is None:
            made = tempfile.TemporaryDirectory(prefix="abr-serve-")
            self._folder = Path(running.enter_context(made))
        return self._folder

    def _port(self, number: int) -> int:
        return self.config.port and self.config.port + number

    @property
    def _limits(self) -> ServerLimits:
        return replace(ServerLimits(), shutdown_s=self.config.shutdown_s)
