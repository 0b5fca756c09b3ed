"""The key that signs tokens is changed while servers run and viewers watch."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from origin.server import signingkeys
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from origin.signing import change_ring, new_key, signing_ring
from tests.fakes.packages import write_package
from tests.fakes.parent import LIMITS, RunningEdge, running_edge
from transcode.files.keystore import KeyStore


def real_s() -> float:
    return time.time()  # noqa: TID251 -- the ring's times are of now


@asynccontextmanager
async def chain(folder: Path) -> AsyncIterator[tuple[Origin, KeyStore, list[RunningEdge]]]:
    """An origin with a key store on disk, and two tiers."""
    write_package(folder / "film")
    keys = KeyStore.open(folder / "keys")
    app = make_app(DirectoryStore(folder / "film"), keys)
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, folder / "1", name="regional") as regional,
        running_edge(regional.url, folder / "2", name="isp") as isp,
    ):
        yield app[ORIGIN], keys, [regional, isp]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 -- no event tells of other servers
            await asyncio.sleep(0.02)


def kids(edge: RunningEdge) -> set[str]:
    """Ids of the keys that a tier accepts."""
    jwks = edge.edge.admission.tokens.jwks() or {"keys": []}
    return {key["kid"] for key in jwks["keys"]}


async def test_keys_change_without_one_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old tokens, new ones and renewals, at both tiers, all the time; twice."""
    monkeypatch.setattr(signingkeys, "POLL_S", 0.05)
    async with (
        chain(tmp_path) as (origin, keys, tiers),
        aiohttp.ClientSession() as client,
    ):
        statuses: list[int] = []
        watching = True
        new: list[str] = []

        def has(tier: RunningEdge) -> bool:
            return new[-1] in kids(tier)

        tokens = [origin.playback("film")["token"]]

        async def ask(url: str) -> Any:
            async with client.get(url) as answer:
                statuses.append(answer.status)
                return await answer.read()

        async def watch(base: str) -> None:
            while watching:
                for token in tokens[-3:]:
                    await ask(f"{base}/t/{token}/film/v0/00000.m4s")
                tokens.append(origin.playback("film")["token"])
                renewed = await ask(f"{base}/t/{tokens[0]}/film/renew")
                tokens.append(json.loads(renewed)["token"])

        watchers = [asyncio.create_task(watch(tier.url)) for tier in tiers]
        for _ in range(2):
            before = origin.issuer.kid
            change_ring(keys, lambda ring: ring.rotate(new_key(), now_s=real_s(), lead_s=1.0))
            new.append(signing_ring(keys).keys[-1].kid)
            # Every tier has it before the first token is signed with it.
            await until(lambda: set(map(has, tiers)) == {True})
            assert origin.issuer.kid == before
            await until(lambda: origin.issuer.kid == new[-1])
            asked = len(statuses)
            await until(lambda: len(statuses) > asked + 20)  # noqa: B023 -- called here
        watching = False
        await asyncio.gather(*watchers)
        assert set(statuses) == {200}
        assert len(statuses) > 100


async def test_a_key_that_leaked_is_refused_at_every_tier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hot objects too; and new tokens play at once."""
    monkeypatch.setattr(signingkeys, "POLL_S", 0.05)
    async with (
        chain(tmp_path) as (origin, keys, tiers),
        aiohttp.ClientSession() as client,
    ):
        old = origin.playback("film")["token"]

        async def reasons(token: str) -> set[str]:
            found = set()
            for tier in tiers:
                url = f"{tier.url}/t/{token}/film/v0/00000.m4s"
                async with client.get(url) as answer:
                    found.add(answer.headers.get("Abr-Refusal", str(answer.status)))
            return found

        for _ in range(2):
            assert await reasons(old) == {"200"}
        leaked = origin.issuer.kid
        change_ring(keys, lambda ring: ring.revoke(leaked, new_key(), now_s=real_s()))
        async with asyncio.timeout(5):
            while await reasons(old) - {"unknown-key", "revoked"}:  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0.02)
        assert await reasons(origin.playback("film")["token"]) == {"200"}


async def test_a_key_store_that_cannot_be_read_stops_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(signingkeys, "POLL_S", 0.02)
    async with chain(tmp_path) as (origin, _, _):
        file = tmp_path / "keys" / "signing.json"
        whole = file.read_text()
        file.write_text("{")
        signing = origin.trust._signing
        await until(lambda: bool(signing.trouble))
        assert origin.playback("film")["token"]
        file.write_text(whole)
        await until(lambda: not signing.trouble)
    told = [each for each in caplog.records if "those known stay" in each.getMessage()]
    assert len(told) == 1


def signing(keys: Path, *arguments: str, fails: bool = False) -> str:
    """What ``abr signing`` prints."""
    command = [sys.executable, "-m", "abr", "signing", *arguments, "--keys", str(keys)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == (1 if fails else 0), done.stderr
    return done.stderr if fails else done.stdout


def test_the_command_lists_changes_and_revokes_keys(tmp_path: Path) -> None:
    first = signing_ring(KeyStore.open(tmp_path)).keys[0].kid
    assert signing(tmp_path, "list") == f"{first}  signs\n"
    rotated = json.loads(signing(tmp_path, "rotate", "--json"))["keys"]
    assert [row["state"] for row in rotated] == ["signs", "waits"]
    assert "wait until then" in signing(tmp_path, "rotate", fails=True)
    told = signing(tmp_path, "revoke", first)
    assert told == f"{rotated[1]['kid']}  signs\n{first}  revoked\n"
    assert "no signing key" in signing(tmp_path, "revoke", "x", fails=True)
