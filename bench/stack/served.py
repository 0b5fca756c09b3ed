"""A delivery path in a process of its own, for measurements.

In one process servers, network and player take turns on one event loop, and a burst of
requests waits for itself. Measured players therefore talk to ``abr serve`` next door.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp

from abr.errors import UpstreamError, UpstreamTimeoutError
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.layout import MULTIVARIANT, is_variant
from transcode.storage.published import is_version

READY_LIMIT_S = 120.0
STOP_LIMIT_S = 10.0


@contextlib.asynccontextmanager
async def served(packages: list[Path], *, keys: Path | None) -> AsyncIterator[Mapping[str, str]]:
    """Run ``abr serve --warm`` while the context is open; gives playback URLs by title.

    Raises:
        UpstreamError: it did not start; the message is its own.
        UpstreamTimeoutError: it was not ready in time.
    """
    options = ["--keys", str(keys)] if keys is not None else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "abr",
        "serve",
        *map(str, packages),
        *options,
        "--warm",
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield await _playback_urls(process)
    finally:
        await _stop(process)


async def warm(url: str, index: PresentationIndex) -> None:
    """Fetch everything of a title once, keys too, beside the playlist at ``url``.

    Afterwards every tier has met every request it will get: a playback measures the
    network, not first encounters.

    Raises:
        UpstreamError: something could not be fetched.
    """
    base = url.rpartition("/")[0]
    kids = index.encryption.kids if index.encryption else ()
    limits = aiohttp.ClientTimeout(total=60)

    async def fetch(path: str) -> str:
        async with http.get(f"{base}/{path}") as answer:
            if answer.status != 200:
                raise UpstreamError(
                    f"{index.title}/{path}: status {answer.status}; expected 200 from our "
                    "own server, look at what it says with `abr serve`"
                )
            return await answer.text(errors="replace")

    async with aiohttp.ClientSession(timeout=limits) as http:
        version = _version_in(await fetch(MULTIVARIANT))
        for path in (*files_of(index), *(f"key/{kid}" for kid in kids)):
            if not is_variant(path):  # the token in the URL chooses
                await fetch(f"{version}{path}")


def _version_in(playlist: str) -> str:
    """Folder of the version that a multivariant playlist leads to, with its slash."""
    for line in playlist.splitlines():
        folder, slash, _ = line.partition("/")
        if slash and is_version(folder):
            return f"{folder}/"
    return ""


async def _playback_urls(process: asyncio.subprocess.Process) -> Mapping[str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_LIMIT_S)
    except TimeoutError as exc:
        raise UpstreamTimeoutError(f"abr serve: not ready after {READY_LIMIT_S:g} s") from exc
    if not line:
        said = (await process.stderr.read()).decode(errors="replace").strip()
        raise UpstreamError(said.removeprefix("abr: error: ") or "abr serve: ended at once")
    urls: Mapping[str, str] = json.loads(line)["playback_urls"]
    return urls


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.communicate(), STOP_LIMIT_S)
        except TimeoutError:
            process.kill()
            await process.communicate()
