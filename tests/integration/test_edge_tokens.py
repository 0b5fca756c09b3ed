"""Tokens at the edge: checked before anything is asked of the parent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from origin.tokens.pathtoken import TokenIssuer
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge

KID = "0" * 32


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        yield running


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(parent.url, tmp_path / "cache", name="e1") as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def token(issuer: TokenIssuer, title: str = "film", *, ago_s: float = 0.0) -> str:
    now_s = time.time()  # noqa: TID251 -- tokens end in real time
    return issuer.issue(title, now_s=now_s - ago_s, session_id="s", ttl_s=600, session_s=7200)


def resigned(text: str) -> str:
    head, claims, signature = text.split(".")
    return ".".join((head, claims, "A" * (len(signature) - 1) + "A"))


REFUSED: dict[str, tuple[str, Callable[[TokenIssuer], str]]] = {
    "missing": ("missing", lambda _issuer: "/film/v0/00000.m4s"),
    "garbage": ("malformed", lambda _issuer: "/t/garbage/film/v0/00000.m4s"),
    "expired": ("expired", lambda i: f"/t/{token(i, ago_s=601)}/film/v0/00000.m4s"),
    "over": ("session-over", lambda i: f"/t/{token(i, ago_s=7201)}/film/v0/00000.m4s"),
    "future": ("not-yet", lambda i: f"/t/{token(i, ago_s=-900)}/film/v0/00000.m4s"),
    "other title": ("wrong-title", lambda i: f"/t/{token(i, 'other')}/film/v0/00000.m4s"),
    "forged": ("bad-signature", lambda i: f"/t/{resigned(token(i))}/film/v0/00000.m4s"),
    "stranger": (
        "unknown-key",
        lambda _i: f"/t/{token(TokenIssuer(Ed25519PrivateKey.generate()))}/film/v0/00000.m4s",
    ),
    "key, expired": ("expired", lambda i: f"/t/{token(i, ago_s=601)}/film/key/{KID}"),
    "key, other title": ("wrong-title", lambda i: f"/t/{token(i, 'other')}/film/key/{KID}"),
    "renew, over": ("session-over", lambda i: f"/t/{token(i, ago_s=7201)}/film/renew"),
    "renew, forged": ("bad-signature", lambda i: f"/t/{resigned(token(i))}/film/renew"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("is_held", [False, True])
async def test_a_refused_request_asks_nothing_of_the_parent_but_unknown_keys(
    case: str,
    is_held: bool,
    parent: FakeParent,
    edge: RunningEdge,
    client: aiohttp.ClientSession,
) -> None:
    parent.add("/film/v0/00000.m4s", b"segment")
    if is_held:
        await client.get(f"{edge.url}/t/{token(parent.issuer)}/film/v0/00000.m4s")
        parent.asked.clear()
    reason, path = REFUSED[case]
    async with client.get(edge.url + path(parent.issuer)) as answer:
        facts = await answer.json()
        assert (answer.status, facts["error"]) == (403, reason)
        assert answer.headers["Abr-Refusal"] == reason
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert facts["message"]
    assert parent.asked == []
    assert parent.key_sets_asked == (2 if case == "stranger" else 1)
    assert edge.edge.counters.refusals == {reason: 1}


async def test_a_good_token_opens_its_title_and_two_viewers_share_one_copy(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/v0/00000.m4s", b"segment")
    for ago_s, expected in ((0.0, "fwd=uri-miss; stored"), (10.0, "hit")):
        text = token(parent.issuer, ago_s=ago_s)
        async with client.get(f"{edge.url}/t/{text}/film/v0/00000.m4s") as answer:
            assert (answer.status, await answer.read()) == (200, b"segment")
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert expected in answer.headers["Cache-Status"]
    assert parent.asked == ["/film/v0/00000.m4s"]
    assert edge.edge.index.keys() == ("/film/v0/00000.m4s",)


async def test_a_bearer_token_does_too(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/v0/00000.m4s", b"segment")
    bearer = {"Authorization": f"Bearer {token(parent.issuer)}"}
    async with client.get(f"{edge.url}/film/v0/00000.m4s", headers=bearer) as answer:
        assert (answer.status, await answer.read()) == (200, b"segment")


async def test_keys_and_renewals_go_to_the_parent_every_time(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add(f"/film/key/{KID}", b"0123456789abcdef", headers={"Cache-Control": "no-store"})
    parent.add("/film/renew", b"{}", headers={"Cache-Control": "no-store"})
    good, expired = token(parent.issuer), token(parent.issuer, ago_s=601)
    for _ in range(2):
        async with client.get(f"{edge.url}/t/{good}/film/key/{KID}") as answer:
            assert await answer.read() == b"0123456789abcdef"
            assert answer.headers["Cache-Status"] == '"e1"; fwd=bypass'
            assert answer.headers["Cache-Control"] == "no-store"
        async with client.post(f"{edge.url}/t/{expired}/film/renew") as answer:
            assert answer.status == 200
    assert parent.asked == [f"/film/key/{KID}", "/film/renew"] * 2
    assert parent.seen[-1].method == "POST"
    assert len(edge.edge.index) == 0
    assert edge.edge.counters.requests == 0


async def test_a_key_that_the_parent_added_is_fetched_once_it_may_be(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/p", b"x")
    async with running_edge(parent.url, tmp_path, keys_refresh_s=0) as edge:
        parent.issuer = TokenIssuer(Ed25519PrivateKey.generate())
        async with client.get(f"{edge.url}/t/{token(parent.issuer)}/film/p") as answer:
            assert answer.status == 200
    assert parent.key_sets_asked == 2


async def test_keys_are_handed_on_so_that_tiers_can_be_chained(
    parent: FakeParent, edge: RunningEdge, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/p", b"x")
    text = token(parent.issuer)
    async with (
        running_edge(edge.url, tmp_path / "2", name="e2") as below,
        client.get(f"{below.url}/t/{text}/film/p") as answer,
    ):
        assert await answer.read() == b"x"
        assert '"e1"; fwd=uri-miss; stored, "e2"' in answer.headers["Cache-Status"]


async def test_an_edge_without_keys_serves_nothing_until_it_has_them(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    async with running_edge("http://127.0.0.1:9", tmp_path) as edge:
        async with client.get(f"{edge.url}/t/{token(issuer)}/film/p") as answer:
            assert answer.status == 502
        async with client.get(f"{edge.url}/healthz") as answer:
            facts = await answer.json()
            assert (answer.status, facts["status"]) == (503, "degraded")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("OPTIONS", "/t/x/film/p", 204),
        ("PUT", "/t/{token}/film/p", 405),
        ("POST", "/t/{token}/film/key/" + KID, 405),
        ("GET", "/playback/film", 404),
        ("GET", "/", 404),
        ("GET", "/t/{token}/film/../x", 400),
        ("GET", "/t/{token}/film/%2e%2e/x", 400),
        ("GET", "/t/{token}//film/x", 400),
    ],
)
async def test_other_requests_end_at_the_edge(
    method: str, path: str, status: int, parent: FakeParent, edge: RunningEdge
) -> None:
    host, port = edge.url.removeprefix("http://").split(":")
    filled = path.replace("{token}", token(parent.issuer))
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{method} {filled} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n".encode())
    head = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "Access-Control-Allow-Origin: *" in head
    assert parent.asked == []
