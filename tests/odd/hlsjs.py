"""What hls.js in Chromium makes of odd streams: played, or ended with which error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.browser import chromium
from tests.odd.server import OddServer

LIMIT_S = 15.0
PAGE = "page"
HTML = """<!doctype html><title>odd</title><script src="hls.js"></script><script>
function play(url, seconds, limit) {
  return new Promise((done) => {
    const video = document.createElement('video');
    video.muted = true;
    document.body.append(video);
    const hls = new Hls();
    const end = (what) => {
      clearTimeout(timer); hls.destroy(); video.remove(); done(what);
    };
    const shown = () => `${video.currentTime.toFixed(1)} s`;
    const timer = setTimeout(() => end(`hangs at ${shown()}`), 1000 * limit);
    hls.on(Hls.Events.ERROR, (event, data) => {
      if (data.fatal) end(`${data.details} at ${shown()}`);
    });
    video.addEventListener('ended', () => end(
      video.currentTime >= seconds - 0.5 ? 'plays' : `plays to ${shown()}`));
    hls.loadSource(url);
    hls.attachMedia(video);
    video.play().catch(() => {});
  });
}
</script>"""


class HlsJs:
    """A page that plays streams."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def __repr__(self) -> str:
        return "<HlsJs in Chromium>"

    async def ask(self, url: str, seconds: float) -> str:
        """How the stream at ``url`` went."""
        try:
            async with asyncio.timeout(LIMIT_S + 15):
                found = await self._page.evaluate(
                    "([url, seconds, limit]) => play(url, seconds, limit)", [url, seconds, LIMIT_S]
                )
        except TimeoutError:
            return "no answer"
        return str(found)


@asynccontextmanager
async def hls_js(server: OddServer, node: Path) -> AsyncIterator[HlsJs]:
    """hls.js of the folder ``node`` in a browser."""
    script = (node / "node_modules/hls.js/dist/hls.js").read_bytes()
    server.streams[PAGE] = {"index.html": HTML, "hls.js": script}
    async with chromium() as browser:
        page = await browser.new_page(ignore_https_errors=True)
        await page.goto(server.url(PAGE, "index.html"))
        yield HlsJs(page)
