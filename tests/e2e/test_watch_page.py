"""The watch page in a real browser: what plays, what is said, and what is never shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from abr.errors import ToolMissingError
from bench.stack.config import ServeConfig
from bench.stack.stack import Stack
from bench.stack.watch import WatchSite
from origin.paths import token_of
from tests.fakes.browser import chromium, obstacle
from transcode.config import TranscodeConfig
from transcode.run.ffmpegtools import find
from transcode.run.generate import write_master
from transcode.run.package import transcode
from transcode.scenes import SceneSpec

pytest.importorskip("playwright.async_api")
from playwright.async_api import Browser, Page, Route

pytestmark = [
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.asyncio(loop_scope="module"),
]

SEALED = TranscodeConfig(
    encrypt="aes-128", segment_s=1.0, gop_s=1.0, ladder="90:120,144:300", preset="ultrafast",
    rotate_every=2, seal_init=True, thumbnails=True,
)  # fmt: skip
CAPTIONS = "1\n00:00:00,000 --> 00:00:06,000\nA caption.\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Titles of 6 s, sealed, clear and with encrypted samples, behind two tiers."""
    try:
        find("ffmpeg")
    except ToolMissingError as exc:
        pytest.skip(f"no ffmpeg: {exc}")
    home = tmp_path_factory.mktemp("home")
    spec = SceneSpec(width=256, height=144, duration_s=6.0)
    master = await write_master(home / "master.mkv", spec)
    (home / "captions.srt").write_text(CAPTIONS)
    keys = str(home / "keys")
    sealed = TranscodeConfig(
        **_settings(SEALED, keys_dir=keys, subtitles=(f"{home}/captions.srt:en",))
    )
    await transcode(master, home / "packages/sealed", sealed)
    clear = TranscodeConfig(**_settings(SEALED, encrypt="none", rotate_every=0, seal_init=False))
    await transcode(master, home / "packages/clear", clear)
    locked = TranscodeConfig(
        **_settings(SEALED, keys_dir=keys, encrypt="cenc", rotate_every=0, seal_init=False)
    )
    await transcode(master, home / "packages/locked", locked)
    config = ServeConfig(edges=1, cmcd_log=str(home / "view.jsonl"))
    async with Stack([home / "packages"], keys=keys, config=config) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


def _settings(config: TranscodeConfig, **changes: Any) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__slots__} | changes


@dataclass
class Seen:
    """What a page asked for and complained about."""

    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    token: str = ""


@asynccontextmanager
async def opened(
    browser: Browser, stack: Stack, where: str = "", **options: Any
) -> AsyncIterator[tuple[Page, Seen]]:
    """The watch page, and what it did."""
    seen = Seen()
    context = await browser.new_context(**options)
    context.set_default_timeout(15_000)
    page = await context.new_page()
    page.on("request", lambda request: seen.hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda said: seen.complaints.append(said.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("response", lambda response: seen.statuses.append(response.status))

    async def watch_playback(route: Route) -> None:
        answer = await route.fetch()
        granted = await answer.json()
        seen.token = granted["token"]
        await route.fulfill(response=answer)

    await page.route("**/v1/playback", watch_playback)
    try:
        await page.goto(stack.watch_url + where)
        yield page, seen
    finally:
        await context.close()


async def text_of(page: Page, name: str) -> str:
    return await page.inner_text(f"#{name}")


async def until(page: Page, expression: str) -> None:
    """Wait until an expression holds; Playwright's own way needs `eval`, which the page forbids."""
    look = f"const look = () => ({expression}) ? done() : setTimeout(look, 50); look();"
    async with asyncio.timeout(15):
        await page.evaluate(f"new Promise((done) => {{ {look} }})")


async def test_a_sealed_title_plays_by_keyboard_and_the_page_says_how_well(
    stack: Stack, browser: Browser
) -> None:
    async with opened(browser, stack) as (page, seen):
        await page.focus("a[data-title=sealed]")
        await page.keyboard.press("Enter")
        await until(page, "video.currentTime > 2 && !video.paused")
        await until(page, "document.querySelectorAll('#strip i').length >= 4")
        assert await text_of(page, "name") == "Sealed"
        assert float((await text_of(page, "startup")).removesuffix(" s")) > 0
        assert await text_of(page, "stalls") == "none"
        assert "origin\n" in await text_of(page, "path")
        assert "regional tier" in await text_of(page, "path")
        assert "isp-1\nisp tier" in await text_of(page, "path")
        assert (await text_of(page, "token-state")).startswith("valid for 59:")
        assert await text_of(page, "protection") == "AES-128, whole segments, 3 keys in turn"
        await page.keyboard.press("Space")
        await until(page, "video.paused")
        await page.keyboard.press("c")
        await until(page, "[...video.textTracks].some((track) => track.mode === 'showing')")
        await page.keyboard.press("-")
        await until(page, "document.getElementById('rung').value === '0'")
        await page.keyboard.press("a")
        await until(page, "document.getElementById('rung').value === '-1'")
        await page.keyboard.press("Home")
        await until(page, "video.currentTime < 0.5")
        shown = await page.evaluate("document.title + document.body.innerText + location.href")
        assert len(seen.token) > 100
        assert not any(part in shown for part in seen.token.split("."))
        ours = {urlsplit(each.url).netloc for each in stack.listeners}
        assert seen.hosts <= ours | {urlsplit(stack.watch_url).netloc}
        assert seen.complaints == []


async def test_a_second_viewer_is_served_by_the_edge(stack: Stack, browser: Browser) -> None:
    async with opened(browser, stack, "#/clear") as (page, _):
        await until(page, "video.currentTime > 0.5")
    async with opened(browser, stack, "#/clear") as (page, _):
        await until(page, "document.querySelectorAll('#strip i[data-from=edge]').length >= 2")
        await page.click("summary")
        assert "isp-1" in await text_of(page, "requests")


async def test_encrypted_samples_play_with_a_licence(stack: Stack, browser: Browser) -> None:
    async with opened(browser, stack, "#/locked") as (page, seen):
        await until(page, "video.currentTime > 1")
        await until(page, "document.getElementById('licences').textContent !== '–'")
        assert await text_of(page, "licences") == "1 licence fetched"
        assert await text_of(page, "protection") == "ClearKey, cenc"
        assert seen.complaints == []


async def test_a_session_that_is_revoked_ends_in_words(stack: Stack, browser: Browser) -> None:
    """A heartbeat, due every second here, is answered as the service answers such a session."""
    gone = {"error": "session-revoked", "message": "the session was revoked"}

    async def hurry(route: Route) -> None:
        granted = await (await route.fetch()).json()
        await route.fulfill(json=granted | {"heartbeat_s": 1})

    async with opened(browser, stack) as (page, _):
        await page.route("**/v1/playback", hurry)
        await page.route("**/heartbeat", lambda route: route.fulfill(status=410, json=gone))
        await page.click("a[data-title=clear]")
        await page.wait_for_selector("#trouble:not([hidden])")
        assert await text_of(page, "trouble-what") == "The session was revoked"
        assert await page.evaluate("video.paused")
        assert await text_of(page, "token-state") == "refused: session-revoked"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("missing", "No token came with the request"),
        ("wrong-title", "The token is for another title"),
        ("expired", "The session has expired"),
    ],
)
async def test_a_refusal_is_said_in_words(
    reason: str, said: str, stack: Stack, browser: Browser
) -> None:
    """The expired token's session is over as well, or it would be renewed."""
    assert stack._origin is not None
    url = stack.playback_url("clear")
    token = token_of(url)
    assert token is not None
    if reason == "expired":
        other = stack._origin.issuer.issue(
            "clear", now_s=1e9, session_id="old", ttl_s=60.0, session_s=600.0
        )
    else:
        other = token_of(stack.playback_url("sealed")) or ""
    bad = url.replace(f"/t/{token}", "" if reason == "missing" else f"/t/{other}")

    async def give(route: Route) -> None:
        granted = {"manifest_url": bad, "token": other, "ttl_s": 60}
        await route.fulfill(json=granted)

    async with opened(browser, stack) as (page, seen):
        await page.route("**/v1/playback", give)
        await page.click("a[data-title=clear]")
        await page.wait_for_selector("#trouble:not([hidden])")
        assert await text_of(page, "trouble-what") == said
        assert (await text_of(page, "trouble-code")).startswith("403 ")
        assert 403 in seen.statuses
        assert "refused" in await text_of(page, "token-state")
        await page.unroute("**/v1/playback", give)
        await page.click("#again")
        await until(page, "video.currentTime > 0.3")
        assert not await page.is_visible("#trouble")


async def test_without_hls_js_the_browser_plays_or_the_page_says_what_is_missing(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = WatchSite.facts
    monkeypatch.setattr(WatchSite, "facts", lambda self: facts(self) | {"hls_js": None})
    async with opened(browser, stack, "#/clear") as (page, _):
        await until(page, "document.getElementById('engine').textContent")
        assert await text_of(page, "engine") == "the browser's own player"
        if await page.evaluate("video.canPlayType('application/vnd.apple.mpegurl')"):
            await until(page, "video.currentTime > 0.3")
    context = await browser.new_context()
    page = await context.new_page()
    await page.add_init_script("HTMLMediaElement.prototype.canPlayType = () => ''")
    await page.goto(f"{stack.watch_url}#/clear")
    await page.wait_for_selector("#trouble:not([hidden])")
    assert "install npm" in await text_of(page, "trouble-why")
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_narrow_window_needs_no_scrolling_sideways_in_any_light(
    scheme: Any, stack: Stack, browser: Browser
) -> None:
    size = {"width": 360, "height": 700}
    async with opened(
        browser, stack, viewport=size, color_scheme=scheme, reduced_motion="reduce"
    ) as (page, _):
        await page.wait_for_selector("a[data-title=sealed]")
        wide = "document.scrollingElement.scrollWidth"
        assert await page.evaluate(wide) == 360
        await page.click("a[data-title=sealed]")
        await until(page, "document.querySelectorAll('#strip i').length >= 2")
        await page.click("summary")
        assert await page.evaluate(wide) == 360
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        channels = [float(part) for part in ground.strip("rgb()").split(",")]
        assert (max(channels) < 64) is (scheme == "dark")
