"""Titles under every protection in Chromium, through both tiers of `abr serve`.

    npm install --prefix NODE shaka-player
    .venv/bin/python -m tests.perf.browser_drm --node NODE
    .venv/bin/python -m tests.perf.browser_drm --only hls.js,refusals
    .venv/bin/python -m tests.perf.browser_drm --only agreement

``hls.js``: the watch page plays each title for 20 s without a stall. ``shaka``: shaka-player plays
what samples are encrypted of, from its playlist and from the manifest of DASH. ``refusals``: the
watch page with no token, an expired one, another title's and a revoked one: status 403, and why in
words. ``agreement``: over shaped links, the time that the picture stood still, as a timer in the
page saw it, against what the edge's log of CMCD says of the session. Prints a line of JSON for
each; exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp import web
from playwright.async_api import Browser, Page

from abr.trace import Trace
from edge.operations.accesslog import join_session
from origin.paths import token_of
from player.shaping.proxy import Shaper
from tests.fakes.browser import chromium
from tests.fakes.watching import Served, opened, rewriting, run, served, text_of, until

PLAYED_S = 20.0
LENGTH_S = 24
BAR_S = 0.1
HITCH_S = 0.25
"""Without a stall by the player's own account, a shorter stop is the busy machine's."""
PAGE = Path(__file__).with_suffix(".html")

TITLES: dict[str, list[str]] = {
    "clear": [],
    "aes-128": ["--encrypt", "aes-128", "--rotate-every", "3", "--seal-init"],
    "cenc": ["--encrypt", "cenc"],
    "cbcs": ["--encrypt", "cbcs"],
}
ONE_RUNG = "one-rung"
"""A title whose rung is the same whatever the link does."""

TRACES = {
    "outage": [(6.0, 0.7e6), (8.0, 0.0), (60.0, 2e6)],
    "too slow": [(90.0, 0.36e6)],
    "saw": [(3.0, 1.2e6), (6.0, 0.03e6)] * 8,
    "ample": [(90.0, 4e6)],
}

OBSERVER = """
(() => {
  const seen = window.observed = {stalls: [], last: -1, moved: 0, still: 0};
  setInterval(() => {
    const video = document.getElementById("video");
    if (!video || video.paused || video.ended) return;
    const now = performance.now();
    if (video.currentTime === seen.last) { seen.still += 1; return; }
    const stood = now - seen.moved;
    if (seen.last > 0 && seen.still > 2 && stood >= 100) seen.stalls.push(stood / 1000);
    Object.assign(seen, {last: video.currentTime, moved: now, still: 0});
  }, 4);
})();
"""
"""Notes how long the position stood still, by a timer and without any event of the player; a timer
that was late itself saw nothing stand still. Less than 100 ms is not told from the position's own
steps, of 40 to 70 ms on a busy machine."""


async def make_packages(folder: Path) -> None:
    """The titles, each made as a user makes it."""
    common = ("--demo-size", "320x180", "--segment", "2", "--preset", "ultrafast", "--no-cache")
    keys = ("--keys", str(folder / "keys"))
    for title, options in TITLES.items():
        ladder = ("--demo-s", str(LENGTH_S), "--ladder", "90:120,180:400", "--thumbnails")
        out = str(folder / "packages" / title)
        await run("transcode", "--demo", out, *common, *ladder, *keys, *options)
    out = str(folder / "packages" / ONE_RUNG)
    await run("transcode", "--demo", out, *common, "--demo-s", "40", "--ladder", "180:400")


async def in_hls_js(browser: Browser, serve: Served) -> AsyncIterator[dict[str, Any]]:
    """Each title on the watch page, for 20 s."""
    for title in TITLES:
        async with opened(browser) as (page, complaints):
            await page.add_init_script(OBSERVER)
            await page.goto(f"{serve.watch_url}#/{title}")
            plays = await until(page, f"video.currentTime >= {PLAYED_S}", PLAYED_S + 20)
            row: dict[str, Any] = {
                "what": "hls.js",
                "title": title,
                "played_s": await page.evaluate("video.currentTime"),
                "stalls": await page.evaluate("observed.stalls"),
                "startup": await text_of(page, "startup"),
                "licences": await text_of(page, "licences"),
                "trouble": await text_of(page, "trouble"),
                "complaints": complaints,
            }
            row["is_good"] = (
                plays
                and max(row["stalls"], default=0.0) < HITCH_S
                and await text_of(page, "stalls") == "none"
                and await page.evaluate("video.getVideoPlaybackQuality().totalVideoFrames") > 100
                and not complaints
            )
            yield row


class ShakaSite:
    """The page with shaka-player."""

    def __init__(self, node: Path) -> None:
        self.app = web.Application()
        self.app.router.add_get("/", self._page)
        self.app.router.add_static("/node", node / "node_modules")

    def __repr__(self) -> str:
        return "<ShakaSite>"

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE.read_text(encoding="utf-8"), content_type="text/html")


async def in_shaka(browser: Browser, serve: Served, node: Path) -> AsyncIterator[dict[str, Any]]:
    """What has encrypted samples, from its playlist and from the manifest of DASH."""
    runner = web.AppRunner(ShakaSite(node).app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        for title in ("cenc", "cbcs"):
            for form in ("hls", "dash"):
                granted = await serve.grant(title, player="shaka")
                manifest = granted["manifest_url"]
                if form == "dash":
                    manifest = manifest.partition("?")[0].rpartition("/")[0] + "/manifest.mpd"
                licence = granted["licence_url"] if form == "dash" else ""
                async with opened(browser) as (page, complaints):
                    query = f"?manifest={quote(manifest, '')}&licence={quote(licence, '')}"
                    await page.goto(base + query)
                    limit_s = PLAYED_S + 20
                    done = f"video.currentTime >= {PLAYED_S} || seen.errors.length"
                    await until(page, done, limit_s)
                    seen = await page.evaluate("seen")
                    played_s = await page.evaluate("video.currentTime")
                    frames = await page.evaluate("video.getVideoPlaybackQuality().totalVideoFrames")
                    is_good = played_s >= PLAYED_S and not seen["errors"] and not seen["waits"]
                    yield {
                        "what": "shaka",
                        "title": title,
                        "form": form,
                        "played_s": played_s,
                        **seen,
                        "complaints": complaints,
                        "is_good": is_good and frames > 100,
                    }
    finally:
        await runner.cleanup()


async def refusals(browser: Browser, serve: Served) -> AsyncIterator[dict[str, Any]]:
    """The watch page with permissions that are none, for a title of each kind."""
    for title in TITLES:
        other = "cenc" if title == "clear" else "clear"
        foreign = token_of((await serve.grant(other, device="other"))["manifest_url"]) or ""
        old = (
            await serve.run("token", "mint", "--title", title, "--ttl", "1", "--session-ttl", "1")
        ).strip()
        await asyncio.sleep(1.5)
        tokens = {"missing": "", "wrong-title": foreign, "expired": old}
        for reason, token in tokens.items():

            def swap(granted: dict[str, Any], token: str = token) -> None:
                given = granted["token"]
                old, new = (given, token) if token else (f"/t/{given}", "")
                for key in ("manifest_url", "renew_url"):
                    granted[key] = granted[key].replace(old, new)
                granted["token"] = token
                granted.pop("heartbeat_url", None)

            if reason == "expired" and title != "clear":
                continue
            async with opened(browser) as (page, _):
                await page.route("**/v1/playback", rewriting(swap))
                yield await refused(page, serve, title, reason)
        async with opened(browser) as (page, _):
            yield await revoked(page, serve, title)


async def revoked(page: Page, serve: Served, title: str) -> dict[str, Any]:
    """What the watch page says when its session is revoked while it plays, and afterwards."""
    await page.goto(f"{serve.watch_url}#/{title}")
    plays = await until(page, "video.currentTime > 1", 20)
    session = await text_of(page, "session-id")
    await serve.run("token", "revoke", "session", session, "--state", serve.state)
    begin = time.perf_counter()
    url = await page.evaluate(
        "performance.getEntriesByType('resource').map((each) => each.name).find((url) => "
        "url.includes('/t/'))"
    )
    told = await until(page, "!document.getElementById('trouble').hidden", 20)
    row: dict[str, Any] = {
        "what": "refusal",
        "title": title,
        "reason": "revoked",
        "after_s": round(time.perf_counter() - begin, 2),
        "said": await text_of(page, "trouble-what"),
        "code": await text_of(page, "trouble-code"),
    }
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        row["later"] = [answer.status, answer.headers.get("Abr-Refusal", "")]
    row["is_good"] = plays and told and row["said"] == "The session was revoked"
    row["is_good"] &= row["later"] == [403, "revoked"]
    return row


async def refused(page: Page, serve: Served, title: str, reason: str) -> dict[str, Any]:
    """What the watch page says when it is refused."""
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status))
    begin = time.perf_counter()
    await page.goto(f"{serve.watch_url}#/{title}")
    told = await until(page, "!document.getElementById('trouble').hidden", 30)
    row: dict[str, Any] = {
        "what": "refusal",
        "title": title,
        "reason": reason,
        "after_s": round(time.perf_counter() - begin, 2),
        "said": await text_of(page, "trouble-what"),
        "code": await text_of(page, "trouble-code"),
    }
    # A token that has expired is renewed, unless its session is over.
    word = "session-over" if reason == "expired" else reason
    row["is_good"] = told and 403 in statuses and row["code"] == f"403 {word}"
    row["is_good"] &= await page.evaluate("video.currentTime === 0 || Number.isNaN(video.duration)")
    return row


async def agreement(browser: Browser, serve: Served) -> AsyncIterator[dict[str, Any]]:
    """Stalled time by a timer in the page, by the page's figures, and by the edge's log."""
    for name, periods in TRACES.items():
        trace = Trace.from_periods(periods, name=name)
        edge = urlsplit(serve.playback_urls[ONE_RUNG])
        assert edge.hostname is not None
        assert edge.port is not None
        async with Shaper(trace, edge.hostname, edge.port, rtt_s=0.04) as link:
            shaped = f"http://{link.host}:{link.port}"

            def through(
                granted: dict[str, Any], base: str = f"http://{edge.netloc}", to: str = shaped
            ) -> None:
                for key in ("manifest_url", "renew_url", "licence_url"):
                    if granted.get(key):
                        granted[key] = granted[key].replace(base, to)

            # The policy of the page does not know the link.
            async with opened(browser, bypass_csp=True) as (page, complaints):
                await page.add_init_script(OBSERVER)
                await page.route("**/v1/playback", rewriting(through))
                await page.goto(f"{serve.watch_url}#/{ONE_RUNG}")
                await until(page, "video.currentTime >= 25 || video.ended", 90)
                await page.evaluate("video.pause()")
                await asyncio.sleep(1.5)  # the last report is on its way
                stalls = await page.evaluate("observed.stalls")
                shown = await text_of(page, "stalls")
                session = await text_of(page, "session-id")
                side = join_session(serve.cmcd_lines(), session)
                browser_s = sum(stalls)
                row = {
                    "what": "agreement",
                    "trace": name,
                    "stalls": [round(each, 3) for each in stalls],
                    "browser_s": round(browser_s, 3),
                    "cmcd_s": side.stalled_s,
                    "apart_s": round(side.stalled_s - browser_s, 3),
                    "page": shown.replace("\n", ", "),
                    "reports": side.requests,
                    "complaints": complaints,
                }
                row["is_good"] = abs(side.stalled_s - browser_s) <= BAR_S and side.requests > 10
                yield row


async def measure(arguments: argparse.Namespace) -> int:
    """Run what was asked for and print a line for each; 1 when a bar is missed."""
    wanted = set(arguments.only.split(","))
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.folder or scratch)
        if not (folder / "packages").exists():
            await make_packages(folder)
        async with served(folder) as serve, chromium() as browser:
            runs = {
                "hls.js": in_hls_js(browser, serve),
                "shaka": in_shaka(browser, serve, Path(arguments.node)),
                "refusals": refusals(browser, serve),
                "agreement": agreement(browser, serve),
            }
            for name, rows in runs.items():
                if name in wanted:
                    async for row in rows:
                        failed |= not row["is_good"]
                        print(json.dumps(row), flush=True)
    return int(failed)


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--node", default=".", help="folder with node_modules, for shaka-player")
    parser.add_argument("--folder", default="", help="keep the packages here, and use them again")
    parser.add_argument(
        "--only", default="hls.js,shaka,refusals,agreement", help="what to run, by commas"
    )
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
