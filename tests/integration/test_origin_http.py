"""The origin over loopback HTTP: tokens, keys, objects, errors, and requests in bad faith."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.http_parser
import pytest
from yarl import URL

from abr.errors import ConfigError, PortInUseError, ToolMissingError
from origin.config import OriginConfig, ServerLimits
from origin.server import httpserver
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore, OpenObject
from origin.signing import signing_key
from origin.steering import LINE
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.permission import Asked
from origin.tokens.verifier import TokenVerifier
from tests.fakes.packages import KID, MemoryKeys, segment_bytes, write_package
from transcode.packaging.layout import MULTIVARIANT

BIG = 3_000_000
LIMITS = ServerLimits(header_s=0.3, keepalive_s=2.0, send_s=5.0, shutdown_s=1.0)


@dataclass(slots=True)
class Clock:
    """Unix time that tests move by hand."""

    now_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(slots=True)
class Running:
    """An origin that listens, and a client."""

    url: str
    client: aiohttp.ClientSession
    origin: Origin
    clock: Clock
    keys: MemoryKeys = field(repr=False)

    def token(self, title: str = "film", **more: Any) -> str:
        """A fresh token."""
        return self.origin.issuer.issue(
            title, now_s=self.clock.now_s, session_id="s", **{"ttl_s": 60, **more}
        )

    async def ask(
        self,
        path: str,
        method: str = "GET",
        token: str | None = None,
        **headers: str,
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and fields by lower-case name; ``token`` goes before the path."""
        prefix = f"/t/{token}" if token else ""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(f"{self.url}{prefix}{path}", encoded=True)
        async with self.client.request(method, url, headers=fields) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return response.status, await response.read(), found

    async def raw(self, data: bytes, *, wait_s: float = 3.0) -> bytes:
        """Everything the server answers to ``data`` until it closes or falls silent."""
        host, port = self.url.removeprefix("http://").split(":")
        answer = b""
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(data)
            while piece := await asyncio.wait_for(reader.read(65536), wait_s):
                answer += piece
                if b"\r\n\r\n" in answer and b"Connection: close" not in answer:
                    wait_s = 0.2
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            writer.close()
        return answer


@asynccontextmanager
async def run(
    folder: Path, config: OriginConfig | None = None, *, seed: int = 1
) -> AsyncIterator[Running]:
    """Run an origin over the packages in ``folder``."""
    clock, keys = Clock(), MemoryKeys("film", "other", seed=seed)
    app = make_app(DirectoryStore(folder), keys, config, limits=LIMITS, now=clock)
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        aiohttp.ClientSession(
            auto_decompress=False, headers={"Accept-Encoding": "identity"}
        ) as client,
    ):
        yield Running(where.url, client, app[ORIGIN], clock, keys)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    write_package(folder / "film", segment_sizes=(1000, BIG), encrypted=True, sides=True)
    write_package(folder / "other")
    return folder


@pytest.fixture
async def served(packages: Path) -> AsyncIterator[Running]:
    async with run(packages) as running:
        yield running


# --- objects


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("multivariant.m3u8", "application/vnd.apple.mpegurl"),
        ("v0/playlist.m3u8", "application/vnd.apple.mpegurl"),
        ("presentation.json", "application/json"),
        ("v0/init.mp4", "video/mp4"),
        ("v0/00000.m4s", "video/iso.segment"),
        ("s0/playlist.m3u8", "application/vnd.apple.mpegurl"),
        ("s0/00001.vtt", "text/vtt; charset=utf-8"),
        ("t0/00000.jpg", "image/jpeg"),
    ],
)
async def test_objects_have_their_type_freshness_and_validators(
    served: Running, path: str, kind: str
) -> None:
    """And CORS, and a length; the server does not say what runs it."""
    status, body, fields = await served.ask(f"/film/{path}", token=served.token())
    assert (status, fields["content-type"]) == (200, kind)
    assert fields["cache-control"] == "private, max-age=5"
    assert int(fields["content-length"]) == len(body) > 0
    assert fields["etag"].startswith('"')
    assert fields["last-modified"].endswith("GMT")
    assert fields["accept-ranges"] == "bytes"
    assert fields["access-control-allow-origin"] == "*"
    assert "Abr-Refusal" in fields["access-control-expose-headers"]
    assert fields["server"] == "abrkit"
    assert "transfer-encoding" not in fields


@pytest.mark.parametrize("path", ["multivariant.m3u8", "v0/playlist.m3u8"])
async def test_playlists_are_compressed_for_those_who_take_it(served: Running, path: str) -> None:
    """Apple's rule 10.1; this form has a tag of its own, and both say what they vary by."""
    token, url = served.token(), f"/film/{path}"
    _, plain, as_is = await served.ask(url, token=token)
    takes = {"Accept_Encoding": "br, gzip"}
    status, body, fields = await served.ask(url, token=token, **takes)
    assert (status, gzip.decompress(body)) == (200, plain)
    assert (fields["content-encoding"], fields["content-length"]) == ("gzip", str(len(body)))
    assert as_is["vary"] == fields["vary"] == "Accept-Encoding"
    assert "content-encoding" not in as_is
    assert fields["etag"] == f'W/{as_is["etag"][:-1]}-gzip"'
    assert (await served.ask(url, token=token, **takes))[1] == body
    _, nothing, head = await served.ask(url, "HEAD", token=token, **takes)
    assert (nothing, head["content-length"], head["etag"]) == (b"", str(len(body)), fields["etag"])


async def test_each_form_of_a_playlist_is_validated_by_its_own_tag(served: Running) -> None:
    """A client that holds the compressed form is not told that the other has not changed."""
    token, url, takes = served.token(), "/film/v0/playlist.m3u8", {"Accept_Encoding": "gzip"}
    _, _, as_is = await served.ask(url, token=token)
    _, _, packed = await served.ask(url, token=token, **takes)
    for held, asking, status in (
        (as_is, {}, 304),
        (packed, takes, 304),
        (packed, {}, 200),
        (as_is, takes, 200),
    ):
        headers = {**asking, "If_None_Match": held["etag"]}
        answer = await served.ask(url, token=token, **headers)
        assert answer[0] == status
        assert answer[2]["vary"] == "Accept-Encoding"


async def test_ranges_are_of_the_playlist_as_it_is(served: Running) -> None:
    """Whatever codings the client takes."""
    token, url = served.token(), "/film/v0/playlist.m3u8"
    _, plain, as_is = await served.ask(url, token=token)
    headers = {"Accept_Encoding": "gzip", "Range": "bytes=2-5", "If_Range": as_is["etag"]}
    status, body, fields = await served.ask(url, token=token, **headers)
    assert (status, body, fields["etag"]) == (206, plain[2:6], as_is["etag"])
    assert "content-encoding" not in fields


async def test_media_are_not_compressed(served: Running) -> None:
    """They would not shrink."""
    headers = {"Accept_Encoding": "gzip"}
    _, _, fields = await served.ask("/film/v0/00000.m4s", token=served.token(), **headers)
    assert not {"content-encoding", "vary"} & fields.keys()


@pytest.mark.parametrize("number", [0, 1])
async def test_bodies_are_the_files_small_and_large(served: Running, number: int) -> None:
    """1000 bytes go with the head, 3 MB by sendfile."""
    status, body, _ = await served.ask(f"/film/v0/0000{number}.m4s", token=served.token())
    assert status == 200
    assert body == segment_bytes("v0", number, (1000, BIG)[number])


@pytest.mark.parametrize("number", [0, 1])
async def test_no_client_takes_a_file_that_was_cut_for_the_whole(
    tmp_path: Path, number: int
) -> None:
    """A small one is read before the head is sent; a large one breaks the connection."""
    write_package(tmp_path / "film", segment_sizes=(1000, BIG))
    async with run(tmp_path) as served:
        token = served.token()
        path = tmp_path / "film" / "v0" / f"{number:05d}.m4s"
        opened = DirectoryStore.open

        def cut(store: DirectoryStore, title: str, name: str) -> OpenObject | None:
            found = opened(store, title, name)
            os.truncate(path, 10)
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DirectoryStore, "open", cut)
            if number == 0:
                assert (await served.ask(f"/film/v0/{path.name}", token=token))[0] == 500
            else:
                with pytest.raises(aiohttp.ClientError):
                    await served.ask(f"/film/v0/{path.name}", token=token)


async def test_a_token_may_come_as_a_bearer_field(served: Running) -> None:
    """The same object, the same answer."""
    token = served.token()
    one = await served.ask("/film/v0/init.mp4", token=token)
    two = await served.ask("/film/v0/init.mp4", Authorization=f"Bearer {token}")
    assert (one[0], one[1], one[2]["etag"]) == (two[0], two[1], two[2]["etag"])


@pytest.mark.parametrize("size", [1000, BIG])
@pytest.mark.parametrize("spec", ["0-0", "10-99", "-10", "500-", "0-9999999", "0-1,-2"])
async def test_ranges_are_the_bytes_of_the_file(served: Running, size: int, spec: str) -> None:
    """Small and large objects, single and several ranges."""
    path = f"/film/v0/0000{int(size == BIG)}.m4s"
    data = segment_bytes("v0", int(size == BIG), size)
    status, body, fields = await served.ask(path, token=served.token(), Range=f"bytes={spec}")
    assert status == 206
    assert int(fields["content-length"]) == len(body)
    if "," in spec:
        assert fields["content-type"].startswith("multipart/byteranges")
        assert body.count(b"Content-Range: bytes ") == 2
        return
    first, _, last = spec.partition("-")
    start = int(first) if first else size - int(last)
    stop = min(int(last) + 1, size) if first and last else size
    assert body == data[start:stop]
    assert fields["content-range"] == f"bytes {start}-{stop - 1}/{size}"


async def test_conditions_head_and_unsatisfiable_ranges(served: Running) -> None:
    """304 by tag and by date, HEAD with the length, If-Range, 416 with the size."""
    token, path = served.token(), "/film/v0/00001.m4s"
    status, body, head = await served.ask(path, "HEAD", token=token)
    assert (status, body, head["content-length"]) == (200, b"", str(BIG))
    for condition in (
        {"If_None_Match": head["etag"]},
        {"If_Modified_Since": head["last-modified"]},
    ):
        status, body, fields = await served.ask(path, token=token, **condition)
        assert (status, body) == (304, b"")
        assert fields["etag"] == head["etag"]
    for tag, expected in ((head["etag"], 206), ('"other"', 200)):
        status, _, _ = await served.ask(path, token=token, If_Range=tag, Range="bytes=0-9")
        assert status == expected
    status, _, fields = await served.ask(path, token=token, Range=f"bytes={BIG}-")
    assert (status, fields["content-range"]) == (416, f"bytes */{BIG}")
    assert fields["access-control-allow-origin"] == "*"


async def test_one_connection_serves_many_requests(served: Running) -> None:
    """Keep-alive survives 200, 206, 304, 403, 404 and 416."""
    token = served.token()
    line = "GET /t/{}/film/v0/{} HTTP/1.1\r\nHost: x\r\n{}\r\n"
    pieces = [
        line.format(token, "init.mp4", ""),
        line.format(token, "00001.m4s", "Range: bytes=100000-299999\r\n"),
        line.format(token, "init.mp4", "If-None-Match: *\r\n"),
        line.format("bad", "init.mp4", ""),
        line.format(token, "nothing.mp4", ""),
        line.format(token, "init.mp4", "Range: bytes=900-\r\n"),
        line.format(token, "init.mp4", "Connection: close\r\n"),
    ]
    answer = await served.raw("".join(pieces).encode())
    found = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert found == [200, 206, 304, 403, 404, 416, 200]


@pytest.mark.parametrize(
    "path", ["/film/v9/init.mp4", "/film/", "/film/key/short", f"/film/key/{'0' * 32}"]
)
async def test_what_is_not_there_is_404_for_token_holders(served: Running, path: str) -> None:
    """In JSON, with CORS, never stored."""
    status, body, fields = await served.ask(path, token=served.token())
    assert (status, json.loads(body)["error"]) == (404, "not-found")
    assert fields["access-control-allow-origin"] == "*"
    assert fields["cache-control"] == "no-store"


# --- tokens and keys


async def test_every_refusal_says_why_and_is_readable_from_any_page(served: Running) -> None:
    """403, the reason in body and field, CORS, not stored; and it is counted."""
    stranger = TokenIssuer(signing_key(MemoryKeys(seed=9))[1], "memory")
    now_s = served.clock.now_s
    cases = {
        "missing": None,
        "malformed": "nonsense",
        "unknown-key": TokenIssuer(signing_key(MemoryKeys(seed=9))[1]).issue(
            "film", now_s=now_s, session_id="s"
        ),
        "bad-signature": stranger.issue("film", now_s=now_s, session_id="s"),
        "expired": served.origin.issuer.issue("film", now_s=now_s - 100, session_id="s", ttl_s=60),
        "session-over": served.origin.issuer.issue(
            "film", now_s=now_s - 100, session_id="s", session_s=60
        ),
        "not-yet": served.origin.issuer.issue("film", now_s=now_s + 100, session_id="s"),
        "wrong-title": served.token("other"),
    }
    for reason, token in cases.items():
        for path in ("/film/v0/init.mp4", f"/film/key/{KID}", "/film/not/there.m4s"):
            status, body, fields = await served.ask(path, token=token)
            assert (status, fields["abr-refusal"]) == (403, reason)
            assert json.loads(body).keys() == {"error", "message"}
            assert json.loads(body)["error"] == reason
            assert fields["access-control-allow-origin"] == "*"
            assert fields["cache-control"] == "no-store"
    _, text, _ = await served.ask("/metrics")
    for reason in cases:
        assert f'abr_origin_refusals_total{{reason="{reason}"}} 3.0' in text.decode()


async def test_the_key_is_16_bytes_for_a_token_of_its_title_only(served: Running) -> None:
    """Never stored by caches on the way."""
    status, body, fields = await served.ask(f"/film/key/{KID}", token=served.token())
    assert (status, body) == (200, served.keys.key("film", KID))
    assert len(body) == 16
    assert fields["content-type"] == "application/octet-stream"
    assert fields["cache-control"] == "no-store"
    status, _, fields = await served.ask(f"/film/key/{KID}", token=served.token("other"))
    assert (status, fields["abr-refusal"]) == (403, "wrong-title")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_playback_endpoint_gives_a_url_that_plays(served: Running, method: str) -> None:
    """A path, when no public base is configured: it resolves against whoever was asked."""
    status, body, fields = await served.ask("/playback/film", method)
    answer = json.loads(body)
    assert (status, fields["cache-control"]) == (200, "no-store")
    assert answer["url"] == f"/t/{answer['token']}/film/multivariant.m3u8"
    assert answer["expires_s"] == served.clock.now_s + 3600
    assert answer["ttl_s"] == 3600
    status, _, _ = await served.ask(answer["url"])
    assert status == 200
    status, _, _ = await served.ask("/playback/nothing", method)
    assert status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_expired_token_is_exchanged_within_its_session(
    served: Running, method: str
) -> None:
    """The fresh token plays; after the session there is none."""
    old = served.token(ttl_s=10, session_s=100)
    served.clock.now_s += 50
    status, _, fields = await served.ask("/film/v0/init.mp4", token=old)
    assert (status, fields["abr-refusal"]) == (403, "expired")
    status, body, fields = await served.ask("/film/renew", method, token=old)
    answer = json.loads(body)
    assert (status, fields["cache-control"]) == (200, "no-store")
    assert answer["expires_s"] == served.clock.now_s + 50
    status, _, _ = await served.ask("/film/v0/init.mp4", token=answer["token"])
    assert status == 200
    served.clock.now_s += 50
    status, _, fields = await served.ask("/film/renew", method, token=old)
    assert (status, fields["abr-refusal"]) == (403, "session-over")


async def test_the_published_keys_verify_what_is_issued(served: Running) -> None:
    """An edge needs nothing else."""
    status, body, fields = await served.ask("/.well-known/jwks.json")
    assert (status, fields["cache-control"]) == (200, "private, max-age=60")
    assert b'"d"' not in body
    verifier = TokenVerifier(PathTokens(json.loads(body)))
    assert (
        verifier.verify(served.token(), asked=Asked(title="film"), now_s=served.clock.now_s).session
        == "s"
    )


async def test_a_playback_secret_is_asked_for(tmp_path: Path) -> None:
    """401 without it, with a near miss, and with a token instead; 200 with it."""
    write_package(tmp_path / "film")
    config = OriginConfig(playback_secret="s3cret é", public_base="https://cdn.example/")
    assert "s3cret" not in repr(config)
    async with run(tmp_path, config) as served:
        for field_value in (None, "Bearer s3cret", "Basic s3cret", f"Bearer {served.token()}"):
            headers = {"Authorization": field_value} if field_value else {}
            status, _, fields = await served.ask("/playback/film", **headers)
            assert (status, fields["www-authenticate"]) == (401, "Bearer")
        strange = b"GET /playback/film HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n"
        answer = await served.raw(strange + b"Connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 401")
        status, body, _ = await served.ask("/playback/film", Authorization="Bearer s3cret é")
        assert status == 200
        assert json.loads(body)["url"].startswith("https://cdn.example/t/")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "video.example"])
def test_others_can_only_be_let_in_on_purpose(tmp_path: Path, host: str) -> None:
    """A secret, or open_playback; loopback needs neither."""
    write_package(tmp_path / "film")
    store, keys = DirectoryStore(tmp_path), MemoryKeys()
    with pytest.raises(ConfigError, match="ABR_ORIGIN_PLAYBACK_SECRET"):
        make_app(store, keys, OriginConfig(host=host))
    make_app(store, keys, OriginConfig(host=host, playback_secret="x"))
    make_app(store, keys, OriginConfig(host=host, open_playback=True))
    for loopback in ("127.0.0.1", "::1", "localhost"):
        make_app(store, keys, OriginConfig(host=loopback))


# --- the rest of HTTP


@pytest.mark.parametrize("path", ["/film/v0/init.mp4", "/playback/film", "/nothing", "/t/x/y/z"])
async def test_preflight_needs_no_token(served: Running, path: str) -> None:
    """Browsers send none; the lists are fixed, nothing is reflected."""
    status, body, fields = await served.ask(
        path,
        "OPTIONS",
        Origin="https://evil.example",
        Access_Control_Request_Headers="x-evil, authorization",
    )
    assert (status, body) == (204, b"")
    for name in ("Authorization", "Range", "CMCD-Session"):
        assert name in fields["access-control-allow-headers"]
    assert "POST" in fields["access-control-allow-methods"]
    assert "evil" not in str(fields)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "TRACE"])
async def test_other_methods_are_not_allowed(served: Running, method: str) -> None:
    """405 with Allow."""
    status, _, fields = await served.ask("/film/v0/init.mp4", method, token=served.token())
    assert (status, fields["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_health_and_metrics(served: Running) -> None:
    """Counts by route and status; a prometheus client can read them."""
    status, body, _ = await served.ask("/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok", "role": "origin", "titles": 2})
    await served.ask("/film/v0/00000.m4s", token=served.token())
    await served.ask("/%2e%2e/x")
    _, body, fields = await served.ask("/metrics")
    text = body.decode()
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'abr_origin_requests_total{route="object",status="200"} 1.0' in text
    assert 'abr_origin_requests_total{route="refused",status="400"} 1.0' in text
    assert 'abr_origin_sent_bytes_total{route="object"} 1000.0' in text
    assert 'abr_origin_request_seconds_count{route="object"} 1.0' in text


async def test_log_lines_hold_no_token(served: Running, caplog: pytest.LogCaptureFixture) -> None:
    """At the most talkative level, for answers and refusals alike."""
    caplog.set_level("DEBUG")
    token = served.token()
    await served.ask("/film/v0/init.mp4?token=" + token, token=token)
    await served.ask("/other/v0/init.mp4", token=token)
    await served.ask("/film/../x", token=token)
    await served.raw(f"GET /t/{token}/film/\x01 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    lines = [record.getMessage() for record in caplog.records if record.name == "abr.access"]
    assert any('"GET /t/-/film/v0/init.mp4" 200, ' in line for line in lines)
    assert token not in caplog.text
    assert token.split(".")[2] not in caplog.text


# --- requests in bad faith

GOOD = b"Host: x\r\n"
BAD_REQUESTS: list[tuple[str, bytes, set[int]]] = [
    ("traversal", b"GET /t/T/film/../../etc/passwd HTTP/1.1\r\n" + GOOD, {400}),
    ("encoded traversal", b"GET /t/T/film/%2e%2e/%2e%2e/x HTTP/1.1\r\n" + GOOD, {400}),
    ("encoded slash", b"GET /t/T/film/..%2f..%2fx HTTP/1.1\r\n" + GOOD, {400}),
    ("backslash", b"GET /t/T/film/..\\..\\x HTTP/1.1\r\n" + GOOD, {400}),
    ("double slash", b"GET //film/v0/init.mp4 HTTP/1.1\r\n" + GOOD, {400}),
    ("encoded NUL", b"GET /t/T/film/v0%00 HTTP/1.1\r\n" + GOOD, {400}),
    ("NUL in the target", b"GET /t/T/film/\x00 HTTP/1.1\r\n" + GOOD, {400}),
    ("NUL in a field", b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n", {400}),
    ("bare CR in a field", b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n", {400}),
    ("folded field", b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n", {400}),
    ("space before the colon", b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\nX : a\r\n", {400}),
    ("no Host", b"GET /t/T/film/x HTTP/1.1\r\n", {400}),
    ("two Hosts", b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\nHost: y\r\n", {400}),
    (
        "length and coding",
        (
            b"POST /t/T/film/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
        ),
        {400},
    ),
    (
        "two lengths",
        b"POST /t/T/film/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n",
        {400},
    ),
    (
        "one length twice",
        b"POST /t/T/film/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
        {400},
    ),
    (
        "a signed length",
        b"POST /t/T/film/x HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n",
        {400},
    ),
    (
        "a strange coding",
        b"POST /t/T/film/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n",
        {400, 501},
    ),
    ("20 kB field", b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n", {431}),
    (
        "60 kB of fields",
        b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"X%d: %s\r\n" % (n, b"a" * 990) for n in range(60)),
        {431},
    ),
    (
        "300 fields",
        b"GET /t/T/film/x HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 300,
        {400, 431},
    ),
    ("20 kB target", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + GOOD, {400, 414, 431}),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", {400}),
    ("HTTP/9.9", b"GET / HTTP/9.9\r\n" + GOOD, {400, 505}),
    ("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\n" + GOOD, {400, 404, 405}),
]


@pytest.mark.parametrize(
    ("data", "statuses"), [row[1:] for row in BAD_REQUESTS], ids=[row[0] for row in BAD_REQUESTS]
)
async def test_requests_in_bad_faith_are_refused(
    served: Running, data: bytes, statuses: set[int]
) -> None:
    """A status of the 400s in JSON with CORS; the server goes on."""
    answer = await served.raw(data + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head[9:12]) in statuses, head
    assert b"Access-Control-Allow-Origin: *" in head
    assert b"aiohttp" not in answer
    assert set(json.loads(body)) == {"error", "message"}
    status, _, _ = await served.ask("/healthz")
    assert status == 200


async def test_a_hundred_ranges_cost_one_plain_answer(served: Running) -> None:
    """The whole object, once."""
    spec = ",".join(f"{n}-{n}" for n in range(0, 200, 2))
    status, body, _ = await served.ask(
        "/film/v0/00000.m4s", token=served.token(), Range=f"bytes={spec}"
    )
    assert (status, len(body)) == (200, 1000)


async def test_the_host_field_directs_nothing(served: Running) -> None:
    """Neither an absolute target nor Host changes what is served, nor appears in it."""
    token = served.token()
    for line in (f"http://evil.example/t/{token}/film/v0/init.mp4", "/playback/film"):
        request = f"GET {line} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        answer = await served.raw(request.encode())
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"evil" not in answer


@pytest.mark.parametrize("trickle", [b"", b"GET /healthz HTTP/1.1\r\n"], ids=["silent", "slow"])
async def test_an_unfinished_head_is_cut(served: Running, trickle: bytes) -> None:
    """Silent or a byte at a time, first or second request: 0.3 s in this test, 10 by default."""
    host, port = served.url.removeprefix("http://").split(":")
    for first in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
        if not trickle and first:
            continue  # idle between requests is what keep-alive allows
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(first)
        if first:
            await reader.readuntil(b"}\n")
        begin, cut_s = time.monotonic(), None
        for byte in (trickle + b"X-Slow: " + b"a" * 100)[: None if trickle else 0]:
            if reader.at_eof():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        cut_s = time.monotonic() - begin
        writer.close()
        assert 0.25 < cut_s < 1.5


async def test_a_head_that_never_ends_is_cut_by_size(served: Running) -> None:
    """Fields without end: refused or cut long before a megabyte is taken."""
    host, port = served.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))

    async def send_fields() -> None:
        writer.write(b"GET / HTTP/1.1\r\n")
        for _ in range(10_000):
            writer.write(b"X: " + b"a" * 4000 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    with pytest.raises(ConnectionError):
        await send_fields()
    writer.close()
    assert (await served.ask("/healthz"))[0] == 200


async def test_a_client_that_stops_reading_does_not_stop_others(served: Running) -> None:
    """It holds a connection and a file, and the loop goes on."""
    host, port = served.url.removeprefix("http://").split(":")
    line = f"GET /t/{served.token()}/film/v1/00001.m4s HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    lazy = []
    for _ in range(20):
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(line)
        lazy.append((reader, writer))
    begin = time.monotonic()
    status, body, _ = await served.ask("/film/v0/00001.m4s", token=served.token())
    assert (status, len(body)) == (200, BIG)
    assert time.monotonic() - begin < 2
    for _, writer in lazy:
        writer.transport.abort()


# --- starting and stopping


async def test_a_busy_port_is_one_clear_error(served: Running) -> None:
    """It names the address and says what to do."""
    port = int(served.url.rpartition(":")[2])
    with pytest.raises(PortInUseError, match=rf"^127.0.0.1:{port}: the port is taken; choose"):
        async with listening(httpserver.make_application(_never), host="127.0.0.1", port=port):
            pass


async def _never(_request: Any) -> Any:
    raise AssertionError


@pytest.mark.parametrize(
    ("host", "error", "words"),
    [
        ("192.0.2.1", PortInUseError, "not an address of this machine"),
        ("no such host", ConfigError, "no such address"),
    ],
)
async def test_addresses_that_are_not_ours_are_named(
    host: str, error: type[Exception], words: str
) -> None:
    """One line each."""
    with pytest.raises(error, match=words):
        await httpserver.bind(host, 0)


async def test_delay_of_small_packets_is_off(served: Running) -> None:
    """TCP_NODELAY on accepted connections: a head is not held back for a body by sendfile."""
    begin = time.monotonic()
    for _ in range(10):
        await served.ask("/film/v0/00001.m4s", token=served.token(), Range="bytes=0-99999")
    assert time.monotonic() - begin < 0.35  # 10 times 40 ms otherwise
    sock = await httpserver.bind("127.0.0.1", 0)
    assert sock.proto == socket.IPPROTO_TCP
    sock.close()


async def test_a_stop_waits_for_responses_but_not_for_ever(tmp_path: Path) -> None:
    """A reader in progress gets its object; one that does not read is cut off."""
    write_package(tmp_path / "film", segment_sizes=(1000, 8 * BIG))
    data = segment_bytes("v0", 1, 8 * BIG)
    async with aiohttp.ClientSession() as client:
        async with run(tmp_path) as served:
            url = f"{served.url}/t/{served.token()}/film/v0/00001.m4s"
            good = await client.get(url)
            lazy = await client.get(url)
            reading = asyncio.create_task(good.read())
            await asyncio.sleep(0.05)
            begin = time.monotonic()
        assert time.monotonic() - begin < 2.0
        assert hashlib.sha256(await reading).digest() == hashlib.sha256(data).digest()
        lazy.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(url)


def test_the_parser_written_in_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get the other one."""
    parser = aiohttp.http_parser
    monkeypatch.setattr(parser, "HttpRequestParser", parser.HttpRequestParserPy)
    with pytest.raises(ToolMissingError, match="pip install"):
        httpserver.require_c_extensions()


async def test_playlists_say_where_to_be_steered_when_asked_to(packages: Path) -> None:
    """In the entry only, with a tag of its own; without the setting nothing is said."""
    async with run(packages, OriginConfig(steering=True)) as served, run(packages) as plain:
        path = f"/film/{MULTIVARIANT}"
        _, said, fields = await served.ask(path, token=served.token())
        _, other, before = await plain.ask(path, token=plain.token())
        assert said.replace(b"\n" + LINE.encode(), b"", 1) == other
        assert said != other
        assert int(fields["content-length"]) == len(said)
        assert fields["etag"] != before["etag"]
        status, body, _ = await served.ask(path, token=served.token(), If_None_Match=fields["etag"])
        assert (status, body) == (304, b"")
