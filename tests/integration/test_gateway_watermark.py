"""The playback service and watermarks: patterns in tokens, and sessions that are remembered."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from origin.config import OriginConfig
from origin.gateway.config import GatewayConfig
from origin.gateway.server.app import GATEWAY
from origin.gateway.server.app import make_app as make_gateway
from origin.gateway.server.opening import open_service, open_state
from origin.server.app import make_app as make_origin
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import MemoryKeys, segment_bytes, write_package
from transcode.watermark.pattern import bit_of, pattern_of, watermark_secret

SEGMENTS = 8


async def test_a_session_of_a_watermarked_title_gets_its_pattern_and_is_remembered(
    tmp_path: Path,
) -> None:
    for title in ("film", "plain"):
        write_package(
            tmp_path / "packages" / title,
            segment_sizes=(500,) * SEGMENTS,
            watermarked=title == "film",
        )
    store, keys = DirectoryStore(tmp_path / "packages"), MemoryKeys()
    where = str(tmp_path / "state.sqlite")
    service = open_service(GatewayConfig(anyone=True).check(), titles=store, keys=keys, state=where)
    gateway, origin = make_gateway(service), make_origin(store, keys, OriginConfig())
    sessions: list[str] = []
    async with (
        listening(origin, host="127.0.0.1", port=0) as served,
        listening(gateway, host="127.0.0.1", port=0) as asked,
        aiohttp.ClientSession() as client,
    ):
        for title in ("film", "film", "plain"):
            wish = {"title": title, "device": f"tv-{len(sessions)}"}
            async with client.post(f"{asked.url}/v1/playback", json=wish) as answer:
                assert answer.status == 200
                found = await answer.json()
            sessions.append(found["session"])
            pattern = gateway[GATEWAY].service.read_token(found["token"]).watermark
            if title == "plain":
                assert pattern == b""
                continue
            assert pattern == pattern_of(watermark_secret(keys), found["session"])
            # A renewed token leaves the same trace.
            async with client.get(f"{served.url}/t/{found['token']}/film/renew") as answer:
                token = (await answer.json())["token"]
            for number in range(SEGMENTS):
                path = f"/t/{token}/film/v0/{number:05d}.m4s"
                async with client.get(served.url + path) as answer:
                    variant = ".b" if bit_of(pattern, number) else ""
                    assert await answer.read() == segment_bytes(f"v0{variant}", number, 500)
    state = open_state(where)
    assert set(state.marked("film")) == set(sessions[:2])
    assert state.marked("plain") == ()
    state.close()
