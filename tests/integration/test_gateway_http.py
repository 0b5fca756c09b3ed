"""The playback service over HTTP: who gets a playback, what it holds, and what a refusal says."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from origin.config import OriginConfig
from origin.gateway.accounts import hash_text, secret_of
from origin.gateway.config import GatewayConfig
from origin.gateway.server.app import GATEWAY, Gateway, make_app
from origin.gateway.server.opening import open_service
from origin.gateway.server.shared import SharedState
from origin.server.app import make_app as make_origin
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import MemoryKeys, write_package

ALICE, BOB, CAROL = (secret_of(bytes([number]) * 32) for number in (1, 2, 3))
ADMIN = "admin-secret-of-the-tests"
ACCOUNTS = f"""
[plans.family]
streams = 2
[plans.small]
streams = 1
height = 576
titles = ["fi*"]
[accounts.alice]
plan = "family"
secrets = ["{hash_text(ALICE)}"]
[accounts.bob]
plan = "small"
secrets = ["{hash_text(BOB)}"]
[accounts.carol]
plan = "small"
blocked = true
secrets = ["{hash_text(CAROL)}"]
"""


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any


@dataclass
class Client:
    """Asks one gateway."""

    http: aiohttp.ClientSession
    url: str
    gateway: Gateway

    async def ask(
        self, method: str, path: str, body: object = None, *, bearer: str = "", **fields: str
    ) -> Answer:
        headers = fields | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        async with self.http.request(method, self.url + path, data=data, headers=headers) as got:
            text = await got.text()
            return Answer(got.status, json.loads(text) if text else None, got.headers)

    async def play(self, title: str = "film", *, bearer: str = ALICE, **members: str) -> Answer:
        return await self.ask("POST", "/v1/playback", {"title": title, **members}, bearer=bearer)

    async def beat(self, playback: Answer, *, token: str = "") -> Answer:
        path = playback.body["heartbeat_url"]
        return await self.ask("POST", path, bearer=token or playback.body["token"])


Start = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a gateway over two titles, with the settings given; all end with the test."""
    write_package(tmp_path / "packages" / "film", segment_sizes=(1000,))
    write_package(tmp_path / "packages" / "news", segment_sizes=(1000,))
    (tmp_path / "accounts.toml").write_text(ACCOUNTS)
    ends: list[Callable[[], Awaitable[object]]] = []

    @asynccontextmanager
    async def run(config: GatewayConfig) -> AsyncIterator[Client]:
        service = open_service(
            config.check(),
            titles=DirectoryStore(tmp_path / "packages"),
            keys=MemoryKeys(),
            state=str(tmp_path / "state.sqlite"),
        )
        app = make_app(service)
        async with (
            listening(app, host="127.0.0.1", port=0) as at,
            aiohttp.ClientSession() as http,
        ):
            yield Client(http, at.url, app[GATEWAY])

    async def begin(**settings: Any) -> Client:
        defaults = {"accounts": str(tmp_path / "accounts.toml"), "admin_secret": ADMIN}
        config = GatewayConfig(**(defaults | settings))
        running = run(config)
        client = await running.__aenter__()
        ends.append(lambda: running.__aexit__(None, None, None))
        return client

    yield begin
    for end in reversed(ends):
        await end()


async def test_a_playback_opens_its_title_at_the_origin(start: Start, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "packages")
    origin = make_origin(store, MemoryKeys(), OriginConfig())
    async with listening(origin, host="127.0.0.1", port=0) as at:
        client = await start(public_base=at.url)
        played = await client.play(device="tv")
        assert played.status == 200
        body = played.body
        assert body["manifest_url"].startswith(f"{at.url}/t/{body['token']}/film/")
        assert (body["device"], body["heartbeat_s"], body["max_height"]) == ("tv", 10.0, None)
        assert 3590 < body["ttl_s"] <= 3601
        async with client.http.get(body["manifest_url"]) as got:
            assert got.status == 200
        async with client.http.get(body["renew_url"]) as got:
            assert got.status == 200
        shaka = await client.play(device="tv", player="shaka")
        assert shaka.body["manifest_url"].endswith("/multivariant.identity.m3u8")


async def test_the_newest_of_too_many_is_refused_and_told_who_plays(start: Start) -> None:
    client = await start()
    first = await client.play(device="tv")
    second = await client.play(device="phone")
    refused = await client.play(device="tablet")
    assert refused.status == 403
    assert refused.headers["Content-Type"].startswith("application/problem+json")
    assert refused.headers["Abr-Refusal"] == refused.body["error"] == "too-many-streams"
    assert refused.body["status"] == 403
    assert refused.body["title"] == "Forbidden"
    assert "tv, phone" in refused.body["detail"]
    assert [each["device"] for each in refused.body["sessions"]] == ["tv", "phone"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    ended = await client.ask(
        "DELETE", f"/v1/sessions/{first.body['session']}", bearer=first.body["token"]
    )
    assert ended.status == 204
    assert (await client.play(device="tablet")).status == 200
    listed = await client.ask("GET", "/v1/sessions", bearer=ALICE)
    assert [each["device"] for each in listed.body["sessions"]] == ["phone", "tablet"]
    # Whoever holds the account may end what plays on a device that is not at hand.
    path = f"/v1/sessions/{second.body['session']}"
    assert (await client.ask("DELETE", path, bearer=BOB)).status == 410
    assert (await client.ask("DELETE", path, bearer=ALICE)).status == 204
    assert (await client.beat(second)).body["error"] == "session-ended"


async def test_a_device_that_asks_again_replaces_its_own_session(start: Start) -> None:
    client = await start()
    old = await client.play(bearer=BOB, device="tv")
    new = await client.play(bearer=BOB, device="tv")
    assert (old.status, new.status) == (200, 200)
    gone = await client.beat(old)
    assert (gone.status, gone.body["error"]) == (410, "session-replaced")
    assert (await client.beat(new)).status == 200


async def test_a_heartbeat_keeps_the_place_and_brings_a_fresh_token(start: Start) -> None:
    client = await start()
    played = await client.play()
    beaten = await client.beat(played)
    assert beaten.status == 200
    assert beaten.body["is_noted"] is True
    assert beaten.body["lease_expires_s"] >= played.body["lease_expires_s"]
    assert (await client.beat(played, token=beaten.body["token"])).status == 200


def altered(token: str) -> str:
    """Another token: one of 256 ends with any two characters that would be put there."""
    other = "A" if token[-10] != "A" else "B"
    return f"{token[:-10]}{other}{token[-9:]}"


async def test_heartbeats_with_the_wrong_token_are_refused(start: Start) -> None:
    client = await start()
    mine, other = await client.play(device="tv"), await client.play(device="phone")
    for token, status, error in (
        (other.body["token"], 403, "not-yours"),
        (ALICE, 403, "bad-token"),
        (altered(mine.body["token"]), 403, "bad-token"),
    ):
        refused = await client.beat(mine, token=token)
        assert (refused.status, refused.body["error"]) == (status, error)
    without = await client.ask("POST", mine.body["heartbeat_url"])
    assert (without.status, without.body["reason"]) == (403, "missing")
    assert "Authorization: Bearer" in without.body["detail"]
    assert "/playback/<title>" not in without.body["detail"]


@pytest.mark.parametrize(
    ("bearer", "title", "status", "error"),
    [
        ("", "film", 401, "unauthenticated"),
        ("x" * 40, "film", 401, "unknown-account"),
        ("short", "film", 401, "unknown-account"),
        (CAROL, "film", 403, "account-blocked"),
        (BOB, "news", 403, "not-in-plan"),
        (ALICE, "nothing", 404, "no-such-title"),
        (ALICE, "../film", 404, "no-such-title"),
        (ALICE, "", 400, "bad-request"),
    ],
)
async def test_who_may_not_play_is_told_why(
    start: Start, bearer: str, title: str, status: int, error: str
) -> None:
    client = await start()
    refused = await client.play(title, bearer=bearer)
    assert (refused.status, refused.body["error"]) == (status, error)
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert ("WWW-Authenticate" in refused.headers) == (status == 401)
    assert len(bearer) < 10 or bearer not in json.dumps(refused.body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"title": 5}',
        b'{"title": "film", "device": "a b"}',
        b"\xff",
        b"[" * 9000,
    ],
)
async def test_bodies_that_are_none_are_refused(start: Start, body: bytes) -> None:
    client = await start()
    refused = await client.ask("POST", "/v1/playback", body, bearer=ALICE)
    assert (refused.status, refused.body["error"]) == (400, "bad-request")


async def test_titles_are_listed_as_the_plan_allows(start: Start) -> None:
    client = await start()
    listed = await client.ask("GET", "/v1/titles", bearer=ALICE)
    assert [each["title"] for each in listed.body["titles"]] == ["film", "news"]
    assert listed.body["titles"][0]["heights"]
    small = await client.ask("GET", "/v1/titles", bearer=BOB)
    assert [each["title"] for each in small.body["titles"]] == ["film"]
    assert all(height <= 576 for height in small.body["titles"][0]["heights"])
    played = await client.play(bearer=BOB)
    assert played.body["max_height"] == 576


async def test_too_many_requests_are_told_when_to_come_again(start: Start) -> None:
    client = await start(account_per_s=0.01, account_burst=2.0)
    for _ in range(2):
        assert (await client.play(bearer=BOB, device="tv")).status == 200
    refused = await client.play(bearer=BOB, device="tv")
    assert (refused.status, refused.body["error"]) == (429, "too-many-requests")
    assert int(refused.headers["Retry-After"]) in range(90, 101)
    assert (await client.play(bearer=ALICE, device="tv")).status == 200


async def test_addresses_are_limited_before_anybody_is_asked(start: Start) -> None:
    client = await start(address_per_s=0.01, address_burst=2.0, trusted_proxies=("127.0.0.0/8",))
    statuses = [
        (await client.ask("POST", "/v1/playback", b"{", **{"X-Forwarded-For": address})).status
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "9.9.9.9, 192.0.2.1")
    ]
    assert statuses == [400, 400, 429, 400, 429]


async def test_an_account_that_is_revoked_plays_no_more_until_that_is_lifted(start: Start) -> None:
    client = await start()
    played = await client.play()
    entry = {"kind": "account", "value": "alice"}
    for bearer in ("", "wrong"):
        refused = await client.ask("POST", "/v1/revocations", entry, bearer=bearer)
        assert (refused.status, refused.body["error"]) == (403, "not-admin")
    made = await client.ask("POST", "/v1/revocations", entry, bearer=ADMIN)
    assert made.status == 201
    assert "alice" not in json.dumps(made.body)  # by its tag only
    assert (await client.beat(played)).body["error"] == "session-revoked"
    assert (await client.play()).body["error"] == "account-revoked"
    assert (await client.play(bearer=BOB)).status == 200
    listed = await client.ask("GET", "/v1/revocations", bearer=ADMIN)
    first, closed = listed.body["revocations"]
    assert first == made.body
    assert (closed["kind"], closed["value"]) == ("session", played.body["session"])
    lifted = await client.ask("POST", "/v1/revocations", entry | {"lifted": True}, bearer=ADMIN)
    assert lifted.status == 201
    assert (await client.beat(played)).body["error"] == "session-revoked"
    assert (await client.play()).status == 200
    after = listed.body["version"]
    news = await client.ask("GET", f"/v1/revocations?after={after}", bearer=ADMIN)
    assert [each["lifted"] for each in news.body["revocations"]] == [True]


async def test_a_token_that_was_revoked_is_not_renewed_by_a_heartbeat(start: Start) -> None:
    client = await start()
    played, other = await client.play(device="tv"), await client.play(device="phone")
    payload = played.body["token"].split(".")[1]
    token_id = json.loads(base64.urlsafe_b64decode(payload + "=="))["jti"]
    entry = {"kind": "token", "value": token_id}
    assert (await client.ask("POST", "/v1/revocations", entry, bearer=ADMIN)).status == 201
    refused = await client.beat(played)
    for _ in range(250):
        if refused.status != 200:
            break
        await asyncio.sleep(0.02)
        refused = await client.beat(played)
    assert (refused.status, refused.body["error"]) == (410, "session-revoked")
    assert (await client.beat(other)).status == 200


async def test_without_an_admin_secret_nobody_revokes(start: Start) -> None:
    client = await start(admin_secret="")
    for bearer in ("", "anything"):
        refused = await client.ask("GET", "/v1/revocations", bearer=bearer)
        assert (refused.status, refused.body["error"]) == (403, "admin-off")


async def test_anyone_plays_where_that_is_asked_for(start: Start) -> None:
    client = await start(accounts="", anyone=True)
    answers = [await client.play(bearer="", device=f"d{number}") for number in range(5)]
    assert [each.status for each in answers] == [200] * 5
    unnamed = await client.play(bearer="")
    assert unnamed.body["device"]


async def test_accounts_are_read_again_and_a_damaged_file_changes_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("origin.gateway.server.authenticating.LOOK_S", 0.0)
    client = await start()
    path = tmp_path / "accounts.toml"
    path.write_text(ACCOUNTS.replace("blocked = true", ""))
    assert (await client.play(bearer=CAROL, device="tv")).status == 200
    path.write_text(ACCOUNTS + "[accounts.dave]\nplan = 'none'\n")
    assert (await client.play(bearer=CAROL, device="tv")).status == 200
    assert "accounts go on as they were" in caplog.text
    path.write_text("")
    assert (await client.play(bearer=CAROL, device="tv")).status == 200
    assert "expected one of them; accounts go on as they were" in caplog.text
    path.unlink()
    assert (await client.play(bearer=CAROL, device="tv")).status == 200
    path.write_text(ACCOUNTS)
    assert (await client.play(bearer=CAROL, device="tv")).status == 403


async def test_preflights_methods_and_stranger_paths(start: Start) -> None:
    client = await start()
    preflight = await client.ask("OPTIONS", "/v1/sessions/x")
    assert preflight.status == 204
    assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    wrong = await client.ask("GET", "/v1/playback")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "POST, OPTIONS")
    for path in (
        "/",
        "/v1",
        "/v1/playback/",
        "/v1/sessions/a/b",
        "/v1/sessions/%2e%2e",
        "/V1/titles",
    ):
        assert (await client.ask("GET", path, bearer=ALICE)).status == 404


async def test_logs_hold_no_secret_and_metrics_count(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = await start()
    played = await client.play(device="tv")
    await client.beat(played)
    await client.ask("POST", f"/v1/sessions/{ALICE}/heartbeat", bearer=BOB)
    await client.ask("GET", f"/v1/sessions?secret={ALICE}", bearer=ALICE)
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert '"POST /v1/playback" 200' in text
    for secret in (ALICE, BOB, ADMIN, played.body["token"], played.body["token"].split(".")[2]):
        assert secret not in text
        assert secret not in repr(client.gateway)
    async with client.http.get(f"{client.url}/metrics") as got:
        metrics = await got.text()
    assert 'abr_gateway_requests_total{route="playback",status="200"} 1.0' in metrics
    assert 'abr_gateway_dependency_requests_total{dependency="state",outcome="ok"}' in metrics
    health = await client.ask("GET", "/healthz")
    assert health.body["status"] == "ok"


async def test_places_are_counted_across_gateways(start: Start) -> None:
    """Two servers share the state, as processes would."""
    one, two = await start(), await start()
    asked = [each.play(device=f"d{n}") for n in range(6) for each in (one, two)]
    statuses = [each.status for each in await asyncio.gather(*asked)]
    assert sorted(set(statuses)) == [200, 403]
    listed = await two.ask("GET", "/v1/sessions", bearer=ALICE)
    assert len(listed.body["sessions"]) == 2


def test_settings_that_open_the_service_to_all_are_refused() -> None:
    config = GatewayConfig(anyone=True)
    with pytest.raises(ValueError, match="anyone may play"):
        replace(config, host="0.0.0.0").check()
    with pytest.raises(ValueError, match="more than one way"):
        replace(config, accounts="x").check()
    with pytest.raises(ValueError, match="--accounts"):
        GatewayConfig().check().check_authority()


async def test_a_session_that_was_ended_opens_nothing_at_the_origin_and_is_not_renewed(
    start: Start, tmp_path: Path
) -> None:
    """The origin reads the state: its deny list while tokens live, closed sessions afterwards."""
    shared = SharedState(str(tmp_path / "state.sqlite"))
    store = DirectoryStore(tmp_path / "packages")
    origin = make_origin(store, MemoryKeys(), OriginConfig(), revocations=shared, sessions=shared)
    async with listening(origin, host="127.0.0.1", port=0) as at:
        client = await start(public_base=at.url, token_ttl_s=1.0)
        ended, kept = await client.play(device="tv"), await client.play(device="phone")
        path = f"/v1/sessions/{ended.body['session']}"
        assert (await client.ask("DELETE", path, bearer=ended.body["token"])).status == 204

        async def status(url: str) -> tuple[int, str | None]:
            async with client.http.get(url) as got:
                return got.status, got.headers.get("Abr-Refusal")

        async def refused(url: str, reason: str) -> bool:
            """Whether it comes to be refused for this reason."""
            for _ in range(250):
                if await status(url) == (403, reason):
                    return True
                await asyncio.sleep(0.02)
            return False

        assert await refused(ended.body["manifest_url"], "revoked")
        assert (await status(kept.body["renew_url"]))[0] == 200
        # Its tokens end, and with them its place on the list.
        assert await refused(ended.body["renew_url"], "session-over")
        assert (await status(kept.body["renew_url"]))[0] == 200
    shared.close()
