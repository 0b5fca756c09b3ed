"""Debian's Chromium, driven by Playwright; tests that lack either are skipped by name."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--mute-audio", "--autoplay-policy=no-user-gesture-required")


def obstacle() -> str:
    """Why no browser can be driven here; empty: nothing is in the way."""
    if importlib.util.find_spec("playwright") is None:
        return "no Playwright: install abrkit[dev]"
    if not any(map(shutil.which, PROGRAMS)):
        return "no Chromium: install the package chromium"
    return ""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless browser, closed at the end."""
    from playwright.async_api import async_playwright

    program = next(path for name in PROGRAMS if (path := shutil.which(name)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
