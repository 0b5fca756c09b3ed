"""Playbacks in Chromium, over the shaped link that ``abr play`` has too.

The browser is driven through Playwright, which is imported when it is needed. The page and
the players come from a server of their own, beside the link; all that is played comes over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from aiohttp import web

from abr.errors import ResourceError
from abr.trace import Trace
from player.shaping.proxy import Shaper

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
"""Browsers that are looked for, in this order."""
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    # A page must not be slowed because nobody looks at it.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
SLACK_S = 30.0
"""A page that has not reported this long after its time is given up."""


class BrowserMissingError(ResourceError):
    """There is no browser, or nothing to drive one with; the message says what to install."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is played, with what, over what."""

    player: str
    """hls.js, shaka or native."""
    trace: Trace
    rung: int = -1
    """The only one that is played; -1: the player chooses."""
    rates_bps: tuple[float, float] | None = None
    """Lowest and highest BANDWIDTH of what is played; shaka is pinned by it."""
    seconds: float = 60.0
    """From the request to play to its end."""
    rtt_s: float
    licence: str = ""
    """Where keys of encrypted samples are asked for, relative to the playlist; empty: nowhere."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the player."""


class Chromium:
    """A browser of its own for each playback, as an async context manager.

    Args:
        players: Scripts of players, by the names under which the page asks for them.

    Browsers start one at a time, for starting is what takes the processor; playbacks that
    have their first picture go on beside it.
    """

    def __init__(self, players: Mapping[str, Path]) -> None:
        self._players = players
        self._program = ""
        self._page_url = ""
        self._starting = asyncio.Lock()
        self._open = AsyncExitStack()
        self._driver: Playwright | None = None

    def __repr__(self) -> str:
        return f"<Chromium {self._program or 'not begun'} with {', '.join(self._players)}>"

    async def __aenter__(self) -> Self:
        """Find a browser and serve the page.

        Raises:
            BrowserMissingError: there is none, or no Playwright.
        """
        self._program = find_browser()
        from playwright.async_api import async_playwright

        async with AsyncExitStack() as opening:
            runner = web.AppRunner(_site(self._players))
            await runner.setup()
            opening.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._page_url = f"http://127.0.0.1:{runner.addresses[0][1]}/page.html"
            self._driver = await opening.enter_async_context(async_playwright())
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what was begun."""
        await self._open.aclose()

    async def play(self, url: str, plan: Plan) -> dict[str, Any]:
        """Play ``url``; returns what the page wrote down, with the link's own report.

        Raises:
            BrowserMissingError: the browser does not start.
            ResourceError: the page never reported.
        """
        parts = urlsplit(url)
        link = Shaper(plan.trace, parts.hostname or "", parts.port or 80, rtt_s=plan.rtt_s)
        async with _Turn(self._starting) as turn, link:
            program = await self._launch()
            try:
                at = parts._replace(netloc=f"{link.host}:{link.port}").geturl()
                seen = await self._watch(program, at, plan, link, turn)
                seen["shaper"] = link.report.as_dict()
            finally:
                await program.close()
        return {**_given(plan), **seen}

    async def _launch(self) -> Browser:
        from playwright.async_api import Error

        assert self._driver is not None
        try:
            return await self._driver.chromium.launch(
                executable_path=self._program, args=list(SWITCHES)
            )
        except Error as exc:
            first = str(exc).strip().partition("\n")[0]
            raise BrowserMissingError(f"{self._program}: does not start: {first}") from exc

    async def _watch(
        self, program: Browser, url: str, plan: Plan, link: Shaper, turn: _Turn
    ) -> dict[str, Any]:
        """One playback in a page of its own."""
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def take(text: str) -> None:
            if not told.done():
                told.set_result(text)

        page = await program.new_page()
        await page.expose_function("tell", take)
        await page.expose_function("shown", turn.end)
        await page.goto(self._page_url)
        version = await page.evaluate("(name) => prepare(name)", plan.player)
        asked = {
            "url": url,
            "rung": plan.rung,
            "rates": plan.rates_bps,
            "seconds": plan.seconds,
            "licence": plan.licence,
            "config": dict(plan.config),
        }
        link.start_clock()
        began_s = time.time()  # noqa: TID251  # against the page's wall clock, once
        await page.evaluate("(plan) => begin(plan)", asked)
        try:
            seen: dict[str, Any] = json.loads(await asyncio.wait_for(told, plan.seconds + SLACK_S))
        except TimeoutError as exc:
            raise ResourceError(
                f"{plan.player} over {plan.trace.name}: the page did not report within "
                f"{plan.seconds + SLACK_S:g} s; is this machine too busy?"
            ) from exc
        seen["versions"] = {"player": version, "browser": program.version}
        seen["page_late_s"] = seen["events"][0]["wall"] / 1000 - began_s
        return seen


class _Turn:
    """A lock that is given back when the work under it is over, or before by ``end``."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._is_mine = False

    def __repr__(self) -> str:
        return f"<_Turn {'now' if self._is_mine else 'over'}>"

    async def __aenter__(self) -> Self:
        await self._lock.acquire()
        self._is_mine = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let the next one begin."""
        if self._is_mine:
            self._is_mine = False
            self._lock.release()


def find_browser() -> str:
    """The program of a browser.

    Raises:
        BrowserMissingError: there is none, or no Playwright.
    """
    with contextlib.suppress(ImportError):
        import playwright.async_api  # noqa: F401  # is it there?

        found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
        if found is None:
            raise BrowserMissingError(
                f"no browser: none of {', '.join(PROGRAMS)} is on the path; install one"
            )
        return found
    raise BrowserMissingError("nothing to drive a browser with; `pip install playwright`")


def _site(players: Mapping[str, Path]) -> web.Application:
    site = web.Application()
    for name in ("page.html", "page.js"):
        site.router.add_get(f"/{name}", _file(Path(str(files("bench.browser.run") / name))))
    for name, path in players.items():
        site.router.add_get(f"/players/{name}", _file(path))
    return site


def _file(path: Path) -> Callable[[web.Request], Awaitable[web.FileResponse]]:
    async def answer(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    return answer


def _given(plan: Plan) -> dict[str, Any]:
    return {
        "player": plan.player,
        "trace": plan.trace.name,
        "trace_digest": plan.trace.digest(),
        "rung": plan.rung,
        "seconds": plan.seconds,
        "rtt_s": plan.rtt_s,
    }
