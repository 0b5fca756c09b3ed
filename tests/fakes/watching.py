"""`abr serve` in a process of its own, and pages of a browser that watch what it serves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page, Route

LIMIT_S = 120.0
"""Most seconds for a command, and for a server to start or end."""


class Served:
    """A running ``abr serve``."""

    def __init__(self, ready: dict[str, Any], folder: Path) -> None:
        self.watch_url: str = ready["watch_url"]
        self.playback_urls: dict[str, str] = ready["playback_urls"]
        self.folder = folder

    def __repr__(self) -> str:
        return f"<Served {self.watch_url}>"

    async def grant(self, title: str, *, player: str = "", device: str = "") -> dict[str, Any]:
        """What the playback service gives."""
        asked = {"title": title, "device": device or f"bench-{title}"}
        asked |= {"player": player} if player else {}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.watch_url}v1/playback", json=asked) as answer,
        ):
            given: dict[str, Any] = await answer.json()
            if answer.status != 200:
                raise RuntimeError(f"/v1/playback: {answer.status} {given}")
            return given

    @property
    def state(self) -> str:
        """Where sessions and revocations are kept."""
        return str(self.folder / "state.sqlite")

    async def run(self, *command: str) -> str:
        """What a command prints that needs the keys of this server."""
        return await run(*command, "--keys", str(self.folder / "keys"))

    def cmcd_lines(self) -> list[str]:
        """The edge's log of what players reported."""
        return (self.folder / "view.jsonl").read_text().splitlines()


async def run(*command: str) -> str:
    """What a command of ours prints."""
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", "10", sys.executable, "-m", "abr", *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
    if process.returncode:
        raise RuntimeError(f"abr {' '.join(command)}: exit code {process.returncode}")
    return out.decode()


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    """``abr serve`` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "abr", "serve", str(folder / "packages"), "--json"),
        *("--keys", str(folder / "keys"), "--cmcd-log", str(folder / "view.jsonl")),
        *("--state", str(folder / "state.sqlite")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), LIMIT_S)
        yield Served(json.loads(line), folder)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), LIMIT_S)


@contextlib.asynccontextmanager
async def opened(browser: Browser, **options: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and what it complains of."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    try:
        yield page, complaints
    finally:
        await context.close()


async def until(page: Page, expression: str, limit_s: float) -> bool:
    """Wait until ``expression`` holds; whether it did in time."""
    look = f"const look = () => ({expression}) ? done() : setTimeout(look, 50); look();"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await page.evaluate(f"new Promise((done) => {{ {look} }})")
            return True
    return False


async def text_of(page: Page, name: str) -> str:
    """What the watch page shows."""
    return await page.inner_text(f"#{name}")


def rewriting(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], Any]:
    """A route that changes what the playback service gives."""

    async def give(route: Route) -> None:
        answer = await route.fetch()
        granted = await answer.json()
        change(granted)
        await route.fulfill(json=granted)

    return give
