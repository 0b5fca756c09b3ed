"""Keys and licences over loopback HTTP: who gets what, in which words, and what is written down."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from abr.errors import InputError, KeyStoreError, ResourceError, UpstreamError
from origin.config import OriginConfig, ServerLimits
from origin.licences import systems
from origin.licences.clearkey import ClearKey
from origin.licences.keys import KeyToGive
from origin.server import keyendpoints
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import MemoryKeys, write_package
from transcode.packaging.index import Encryption, PresentationIndex
from transcode.packaging.indexfile import print_index
from transcode.packaging.layout import INDEX

LIMITS = ServerLimits(shutdown_s=1.0)
NOW_S = 1_800_000_000.0
KIDS = tuple(f"{number:032x}" for number in range(1, 4))
"""Of three periods of the title ``film``, whose tallest rung has 180 lines."""
UNKNOWN = "f" * 32


class PeriodKeys(MemoryKeys):
    """A key store with a key for each period of ``film``."""

    def __init__(self) -> None:
        super().__init__("film")
        self.asked: list[str] = []
        self.trouble: Exception | None = None
        self.length = 16

    def key(self, title: str, kid: str) -> bytes:
        self.asked.append(kid)
        if self.trouble is not None:
            raise self.trouble
        if title != "film" or kid not in KIDS:
            raise KeyStoreError(f"/secret/place: no key {kid}")
        return bytes.fromhex(kid)[::-1][: self.length]


@dataclass(slots=True)
class Running:
    """An origin that listens, and a client."""

    url: str
    client: aiohttp.ClientSession
    origin: Origin
    keys: PeriodKeys = field(repr=False)
    audit: Path = field(default_factory=Path)

    def token(self, title: str = "film", **more: Any) -> str:
        """A fresh token."""
        return self.origin.issuer.issue(
            title, now_s=NOW_S, session_id="s1", **{"ttl_s": 60, **more}
        )

    async def ask(
        self, path: str, body: object = None, *, method: str = "", **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body and fields; JSON is read."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        how = method or ("GET" if body is None else "POST")
        async with self.client.request(how, self.url + path, data=data, headers=headers) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json" and raw
            fields = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, json.loads(raw) if is_json else raw, fields

    async def licence(
        self, *kids: str, token: str | None = None, at: str = "licence"
    ) -> tuple[int, Any, dict[str, str]]:
        """The answer to a ClearKey request for ``kids``."""
        asked = {"kids": [text(kid) for kid in kids], "type": "temporary"}
        return await self.ask(f"/t/{token or self.token()}/film/{at}", asked)

    def lines(self) -> list[dict[str, Any]]:
        """The audit log, without the times."""
        found = [json.loads(line) for line in self.audit.read_text().splitlines()]
        assert all(line.pop("time").startswith("2027-01-15T08:00:0") for line in found)
        return found


def text(kid: str) -> str:
    """A key id as ClearKey has it."""
    return urlsafe_b64encode(bytes.fromhex(kid)).decode().rstrip("=")


def kids_in(licence: Any) -> list[str]:
    """Key ids of a ClearKey licence, each with its own key."""
    found = []
    for each in licence["keys"]:
        assert each.keys() == {"kty", "kid", "k"}
        kid, key = (urlsafe_b64decode(each[name] + "==") for name in ("kid", "k"))
        assert key == kid[::-1]
        found.append(kid.hex())
    return found


def write_film(folder: Path) -> None:
    """The title ``film`` with a key for each segment."""
    index = write_package(folder / "film", segment_sizes=(10, 10, 10), encrypted=True)
    encryption = Encryption(method="SAMPLE-AES-CTR", kids=KIDS, rotate_every=1)
    (folder / "film" / INDEX).write_text(print_index(replace(index, encryption=encryption)))


@asynccontextmanager
async def running(tmp_path: Path, **settings: Any) -> AsyncIterator[Running]:
    """An origin with the title ``film``."""
    write_film(tmp_path / "titles")
    audit = tmp_path / "audit.jsonl"
    config = OriginConfig(audit_log=str(audit), **settings)
    store = DirectoryStore(tmp_path / "titles")
    keys = PeriodKeys()
    app = make_app(store, keys, config, limits=LIMITS, now=lambda: NOW_S)
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        aiohttp.ClientSession() as client,
    ):
        yield Running(where.url, client, app[ORIGIN], keys, audit)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as found:
        yield found


async def test_a_licence_holds_the_keys_asked_for_and_the_next_one(served: Running) -> None:
    """The same when it is answered by the short cut, the second time."""
    for _ in range(2):
        status, licence, fields = await served.licence(KIDS[0])
        assert status == 200
        assert kids_in(licence) == [KIDS[0], KIDS[1]]
        assert licence["type"] == "temporary"
        assert licence["exp"] == NOW_S + 60
        assert fields["content-type"] == "application/json"
        assert fields["cache-control"] == "no-store"
        assert fields["access-control-allow-origin"] == "*"


async def test_the_short_cut_answers_with_the_fields_of_the_ordinary_path(served: Running) -> None:
    """Those that the server's own clock or order decide apart."""
    token = served.token()
    for path, body in (
        (f"/t/{token}/film/licence", {"kids": [text(KIDS[0])]}),
        (f"/t/{token}/film/key/{KIDS[0]}", None),
    ):
        ordinary = await served.ask(path, body, **{"X-Odd": "1"})
        counted = served.origin.metrics.text()
        short = await served.ask(path, body)
        assert short[:2] == ordinary[:2]
        assert {**short[2], "date": ""} == {**ordinary[2], "date": ""}
        assert served.origin.metrics.text() != counted


async def test_a_licence_lives_no_longer_than_its_setting(tmp_path: Path) -> None:
    async with running(tmp_path, licence_ttl_s=20.0, keys_ahead=0) as served:
        for _ in range(2):
            _, licence, _ = await served.licence(KIDS[0])
            assert licence["exp"] == NOW_S + 20
            assert kids_in(licence) == [KIDS[0]]


async def test_unknown_keys_are_left_out_and_none_at_all_is_said(served: Running) -> None:
    status, licence, _ = await served.licence(UNKNOWN, KIDS[2])
    assert (status, kids_in(licence)) == (200, [KIDS[2]])
    status, said, _ = await served.licence(UNKNOWN)
    assert (status, said["error"]) == (404, "unknown-kid")
    assert "playlist" in said["message"]
    status, _, _ = await served.ask(f"/t/{served.token()}/film/key/{UNKNOWN}")
    assert status == 404


@pytest.mark.parametrize("path", [f"key/{KIDS[0]}", "licence"])
async def test_a_token_of_low_pictures_gets_no_key_of_tall_ones(path: str, served: Running) -> None:
    """Of a title with one key for all rungs, none; also after others have been given it."""
    body = {"kids": [text(KIDS[0])]} if path == "licence" else None
    for _ in range(2):
        tall = await served.ask(f"/t/{served.token(max_height=180)}/film/{path}", body)
        assert tall[0] == 200
        status, said, fields = await served.ask(
            f"/t/{served.token(max_height=179)}/film/{path}", body
        )
        assert (status, said["error"], fields["abr-refusal"]) == (403, "height", "height")
        assert "at most 179 lines" in said["message"]
        assert "opens 180" in said["message"]
    assert [line["outcome"] for line in served.lines()] == ["granted", "height"] * 2
    assert served.lines()[1]["withheld"] == [KIDS[0]]


async def test_a_key_that_the_package_does_not_name_is_not_given_to_a_limited_token(
    served: Running,
) -> None:
    """Nobody knows how tall the pictures are that it opens; without a limit it is given."""
    index = served.origin.licences._store.index("film")
    assert index is not None
    assert index.encryption is not None
    folder = served.audit.parent / "titles" / "film"
    fewer = replace(index, encryption=replace(index.encryption, kids=KIDS[1:], rotate_every=2))
    await asyncio.to_thread((folder / INDEX).write_text, print_index(fewer))
    status, said, _ = await served.licence(KIDS[0], token=served.token(max_height=4320))
    assert (status, said["error"]) == (403, "height")
    assert "not known" in said["message"]
    status, licence, _ = await served.licence(KIDS[0])
    assert (status, kids_in(licence)) == (200, [KIDS[0]])


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "not JSON"),
        (b"kids", 400, "not JSON"),
        ({"kids": []}, 400, "kids"),
        ({"kids": ["x"]}, 400, "kids[0] is not a key id"),
        ({"kids": [text(KIDS[0])], "type": "persistent-license"}, 400, "temporary"),
        (b"x" * 70_000, 413, ""),
    ],
)
async def test_a_malformed_request_is_refused_in_words(
    body: Any, status: int, said: str, served: Running
) -> None:
    found, answer, _ = await served.ask(f"/t/{served.token()}/film/licence", body)
    assert found == status
    assert said in answer["message"]


async def test_the_endpoint_wants_post_and_lets_pages_of_other_sites_ask(served: Running) -> None:
    path = f"/t/{served.token()}/film/licence"
    status, said, fields = await served.ask(path)
    assert (status, said["message"], fields["allow"]) == (405, "expected POST", "POST, OPTIONS")
    asking = {"Origin": "https://x.example", "Access-Control-Request-Method": "POST"}
    status, _, fields = await served.ask(path, method="OPTIONS", **asking)
    assert status == 204
    assert "POST" in fields["access-control-allow-methods"]
    assert "Content-Type" in fields["access-control-allow-headers"]


async def test_below_a_version_and_by_name_the_licence_is_the_same(served: Running) -> None:
    version = f"r{'0' * 16}"
    for at in (f"{version}/licence", "licence/clearkey", f"{version}/licence/clearkey"):
        status, licence, _ = await served.licence(KIDS[0], at=at)
        assert (status, kids_in(licence)) == (200, [KIDS[0], KIDS[1]])


async def test_a_key_system_that_is_not_installed_is_said_so(served: Running) -> None:
    status, said, _ = await served.licence(KIDS[0], at="licence/widevine")
    assert status == 404
    assert "expected one of: clearkey" in said["message"]


async def test_a_refused_token_gets_no_key_and_is_written_down_without_what_it_says(
    served: Running,
) -> None:
    expired = served.origin.issuer.issue("film", now_s=NOW_S - 90, session_id="old", ttl_s=60)
    for token, reason in (
        (expired, "expired"),
        (served.token("other"), "wrong-title"),
        ("a.b.c", "malformed"),
    ):
        status, said, fields = await served.licence(KIDS[0], token=token)
        assert (status, said["error"], fields["abr-refusal"]) == (403, reason, reason)
        assert served.lines()[-1] == {"outcome": reason, "system": "clearkey"}
    assert served.keys.asked == []


async def test_the_audit_log_names_sessions_and_key_ids_and_holds_no_key(served: Running) -> None:
    token = served.token(account="acc-7")
    await served.licence(KIDS[0], UNKNOWN, token=token)
    await served.licence(KIDS[0], token=token)
    await served.ask(f"/t/{token}/film/key/{KIDS[2]}")
    lines = served.lines()
    token_id = lines[0].pop("token_id")
    assert lines[0] == {
        "outcome": "granted",
        "system": "clearkey",
        "session": "s1",
        "account": "acc-7",
        "title": "film",
        "kids": [KIDS[0]],
        "ahead": [KIDS[1]],
        "unknown": [UNKNOWN],
    }
    assert lines[1]["token_id"] == token_id
    assert (lines[2]["system"], lines[2]["kids"]) == ("key", [KIDS[2]])
    written = served.audit.read_text()
    for kid in KIDS:
        key = bytes.fromhex(kid)[::-1]
        assert key.hex() not in written
        assert text(key.hex()) not in written
    assert token not in written
    assert served.audit.stat().st_mode & 0o777 == 0o600


async def test_who_plays_gets_keys_while_the_key_store_fails(served: Running) -> None:
    """The key and the next one are remembered; others are refused for now, in words."""
    assert (await served.licence(KIDS[0]))[0] == 200
    served.keys.trouble = ResourceError("/secret/place: held by another process")
    for kid in KIDS[:2]:
        assert (await served.ask(f"/t/{served.token()}/film/key/{kid}"))[0] == 200
    status, said, _ = await served.ask(f"/t/{served.token()}/film/key/{KIDS[2]}")
    assert status == 503
    assert "try again" in said["message"]
    assert "secret" not in said["message"]


@pytest.mark.parametrize("length", [0, 15, 17])
async def test_a_key_that_is_not_16_bytes_is_never_given(length: int, served: Running) -> None:
    served.keys.length = min(16, length)
    if length > 16:
        served.keys.key = lambda *_: b"x" * length  # type: ignore[method-assign]  # a broken store
    for path, body in ((f"key/{KIDS[0]}", None), ("licence", {"kids": [text(KIDS[0])]})):
        status, said, _ = await served.ask(f"/t/{served.token()}/film/{path}", body)
        assert status == 503
        assert "key store" in said["message"]
    assert served.lines()[0]["outcome"] == "unavailable"


class Stores:
    """A store of titles over a network that may be gone, or never answer."""

    may_wait = True

    def __init__(self, under: DirectoryStore) -> None:
        self._under = under
        self.is_gone = False
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = 0
        self.has_asked = threading.Event()

    def titles(self) -> tuple[str, ...]:
        return self._under.titles()

    def index(self, title: str, version: str = "") -> PresentationIndex | None:
        self.asked += 1
        self.has_asked.set()
        assert self.may_answer.wait(30)
        if self.is_gone:
            raise UpstreamError("the bucket is gone")
        return self._under.index(title, version)

    def open(self, title: str, path: str) -> Any:
        return self._under.open(title, path)


async def test_keys_are_given_while_the_store_of_titles_is_gone(tmp_path: Path) -> None:
    """At once, whether it fails or does not answer, long after it should have been looked at."""
    write_film(tmp_path)
    store, clock = Stores(DirectoryStore(tmp_path)), [NOW_S]
    app = make_app(store, PeriodKeys(), limits=LIMITS, now=lambda: clock[0])
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        aiohttp.ClientSession() as client,
    ):
        token = app[ORIGIN].issuer.issue(
            "film", now_s=NOW_S, session_id="s", ttl_s=1900, max_height=180
        )

        async def status(kid: str = KIDS[0]) -> int:
            url = f"{where.url}/t/{token}/film/key/{kid}"
            async with asyncio.timeout(5), client.get(url) as answer:
                return answer.status

        assert await status() == 200
        store.is_gone = True
        for _ in range(3):
            clock[0] += 300
            assert await status() == 200
        assert await status(UNKNOWN) == 404
        store.may_answer.clear()
        store.has_asked.clear()
        clock[0] += 300
        before = store.asked
        for _ in range(3):
            assert await status() == 200
        assert await asyncio.to_thread(store.has_asked.wait, 10)
        assert store.asked <= before + 1  # one look for all of them
        store.may_answer.set()


class Vendor:
    """A key system as a vendor's distribution would declare it."""

    name = "vendor"
    media_type = "application/octet-stream"
    may_wait = True

    def __init__(self) -> None:
        self.given: list[KeyToGive] = []

    def kids_of(self, request: bytes) -> tuple[str, ...]:
        if not request.startswith(b"V1 "):
            raise InputError("challenge: expected V1 and key ids")
        return tuple(request.decode().split()[1:])

    def licence(self, request: bytes, keys: Iterable[KeyToGive], *, expires_s: float) -> bytes:
        self.given = list(keys)
        return b"sealed until %d" % expires_s


async def test_another_key_system_is_told_which_keys_to_give_and_for_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Token, entitlement, audit and lifetime stay the server's."""
    vendor = Vendor()
    found: dict[str, systems.KeySystem] = {"clearkey": ClearKey(), "vendor": vendor}
    monkeypatch.setattr(keyendpoints, "load_systems", lambda: found)
    async with running(tmp_path) as served:
        path = f"/t/{served.token(max_height=180)}/film/licence/vendor"
        status, body, fields = await served.ask(path, f"V1 {KIDS[0]} {UNKNOWN}".encode())
        assert (status, body) == (200, b"sealed until %d" % (NOW_S + 60))
        assert fields["content-type"] == "application/octet-stream"
        assert [(each.kid, each.height, each.is_ahead) for each in vendor.given] == [
            (KIDS[0], 180, False),
            (KIDS[1], 180, True),
        ]
        status, said, _ = await served.ask(path, b"V2")
        assert (status, said["message"]) == (400, "challenge: expected V1 and key ids")
        low = f"/t/{served.token(max_height=90)}/film/licence/vendor"
        assert (await served.ask(low, f"V1 {KIDS[0]}".encode()))[0] == 403
        assert [line["system"] for line in served.lines()] == ["vendor", "vendor"]
