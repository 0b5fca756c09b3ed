"""Tokens of every issuer and form in every place, through an origin and a cache in front of it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from yarl import URL

from abr.errors import ConfigError
from edge.config import EdgeConfig
from edge.server.app import EDGE, Edge
from edge.server.app import make_app as make_edge
from origin.config import OriginConfig, ServerLimits
from origin.server.app import ORIGIN, Origin
from origin.server.app import make_app as make_origin
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from origin.tokens.carriage import to_segment
from origin.tokens.jws import read_jws, sign_jws
from origin.tokens.keysets import b64url
from origin.tokens.shortform import mint_short
from origin.tokens.signingkeys import SigningKey
from tests.fakes.packages import MemoryKeys, segment_bytes, write_package, write_playable

NOW_S = 1_800_000_000.0
SECRET = bytes(range(32))
SIGNER = SigningKey(kid="k", algorithm="HS256", key=SECRET)
LIMITS = ServerLimits(shutdown_s=1.0)
SEGMENT = "film/v0/00000.m4s"
CONTENT = segment_bytes("v0", 0, 1000)
PLAYLIST = "film/v0/playlist.m3u8"
TRUST: dict[str, Any] = {
    "App": {
        "keys": [{"kty": "oct", "kid": "k", "k": b64url(SECRET)}],
        "forms": ["uri-signing", "hmac"],
        "base": "https://cdn.example",
        "id": "cdn-1",
        "renewal_kid": "k",
    }
}


@dataclass(slots=True)
class Clock:
    """Unix time that tests move by hand."""

    now_s: float = NOW_S

    def __call__(self) -> float:
        return self.now_s


@dataclass(slots=True)
class Tiers:
    """An origin, a cache in front of it, and a client."""

    origin: Origin
    edge: Edge
    origin_url: str
    edge_url: str
    trust: Path
    clock: Clock
    client: aiohttp.ClientSession = field(repr=False)

    async def ask(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        at: str = "edge",
        moves: bool = False,
    ) -> tuple[int, bytes, Any]:
        """Status, body and fields."""
        base = self.edge_url if at == "edge" else self.origin_url
        url = URL(f"{base}/{path}", encoded=True)
        async with self.client.get(url, headers=headers, allow_redirects=moves) as answer:
            return answer.status, await answer.read(), answer.headers


@asynccontextmanager
async def run(
    packages: Path, folder: Path, *, trusted: dict[str, Any] | None = None
) -> AsyncIterator[Tiers]:
    trust = folder / "trust.json"
    trust.write_text(json.dumps(TRUST if trusted is None else trusted))
    trust.chmod(0o600)
    clock = Clock()
    pages = ("https://player.example",)
    config = OriginConfig(trust=str(trust), cookie_pages=pages)
    origin = make_origin(
        DirectoryStore(packages), MemoryKeys("film"), config, limits=LIMITS, now=clock
    )
    async with listening(origin, host="127.0.0.1", port=0, limits=LIMITS) as above:
        edge = make_edge(
            EdgeConfig(parent=above.url, trust=str(trust), port=0, cookie_pages=pages),
            cache_dir=folder / "cache",
            now=clock,
        )
        jar = aiohttp.DummyCookieJar()
        async with (
            listening(edge, host="127.0.0.1", port=0, limits=LIMITS) as below,
            aiohttp.ClientSession(cookie_jar=jar) as client,
        ):
            yield Tiers(origin[ORIGIN], edge[EDGE], above.url, below.url, trust, clock, client)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    write_playable(folder / "film", np.random.default_rng(5), segments=2)
    (folder / "film/v0/00000.m4s").write_bytes(CONTENT)
    write_package(folder / "other")
    return folder


@pytest.fixture
async def served(packages: Path, tmp_path: Path) -> AsyncIterator[Tiers]:
    async with run(packages, tmp_path) as running:
        yield running


def signed(**changes: Any) -> str:
    usual = {"iss": "App", "exp": NOW_S + 60, "cdniuc": "regex:https://cdn\\.example/film/.*"}
    claims = usual | changes
    return sign_jws({name: value for name, value in claims.items() if value is not None}, SIGNER)


def short(path: str = "/film/*", end_s: int = int(NOW_S) + 60) -> str:
    return mint_short([path], expires_s=end_s, secret=SECRET)


def own(served: Tiers) -> str:
    return served.origin.issuer.issue("film", now_s=NOW_S, session_id="s", ttl_s=60)


FORMS: dict[str, Callable[[Tiers], str]] = {
    "own": own,
    "uri-signing": lambda _served: signed(),
    "hmac": lambda _served: short(),
}
PLACES: dict[str, Callable[[str, str], tuple[str, dict[str, str]]]] = {
    "prefix": lambda path, token: (f"t/{to_segment(token)}/{path}", {}),
    "parameter": lambda path, token: (f"{path};URISigningPackage={to_segment(token)}", {}),
    "query": lambda path, token: (f"{path}?CMCD=bl%3D1&URISigningPackage={token}", {}),
    "header": lambda path, token: (path, {"Authorization": f"Bearer {token}"}),
    "field": lambda path, token: (path, {"CTA-Common-Access-Token": token}),
    "cookie": lambda path, token: (path, {"Cookie": f"a=b; URISigningPackage={token}"}),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_opens_from_every_place_and_all_share_one_copy(
    form: str, served: Tiers
) -> None:
    token = FORMS[form](served)
    for at in ("origin", "edge"):
        for place in PLACES.values():
            path, headers = place(SEGMENT, token)
            status, body, _ = await served.ask(path, headers, at=at)
            assert (status, body) == (200, CONTENT), (at, path)
    assert served.edge.index.keys() == (f"/{SEGMENT}",)
    assert served.edge.counters.hits == len(PLACES) - 1


@pytest.mark.parametrize("place", PLACES)
async def test_a_refused_token_is_refused_in_every_place_and_asks_nothing_of_the_parent(
    place: str, served: Tiers
) -> None:
    await served.ask(f"t/{own(served)}/{SEGMENT}")
    asked = served.edge.counters.requests
    cases = {
        "expired": signed(exp=NOW_S),
        "wrong-uri": signed(cdniuc="regex:https://cdn\\.example/other/.*"),
        "bad-signature": signed()[:-2] + "AA",
        "unknown-issuer": signed(iss="Other"),
        "malformed": "garbage",
    }
    for reason, token in cases.items():
        for at in ("origin", "edge"):
            path, headers = PLACES[place](SEGMENT, token)
            status, _, fields = await served.ask(path, headers, at=at)
            assert (status, fields["Abr-Refusal"]) == (403, reason)
    assert served.edge.counters.requests == asked
    assert served.edge.counters.passed == 0


@pytest.mark.parametrize("at", ["origin", "edge"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["parameter", "query"])
async def test_a_playlist_moves_to_where_what_it_lists_inherits_the_token(
    at: str, form: str, place: str, served: Tiers
) -> None:
    """A client without header fields, cookies and queries of its own plays everything."""
    token = FORMS[form](served)
    path, _ = PLACES[place](PLAYLIST, token)
    status, _, fields = await served.ask(path, at=at)
    query = "?CMCD=bl%3D1" if place == "query" else ""
    assert status == 307
    assert fields["Location"] == f"/t/{to_segment(token)}/{PLAYLIST}{query}"
    assert fields["Cache-Control"] == "private, no-store"
    status, body, _ = await served.ask(path, at=at, moves=True)
    names = [line for line in body.decode().splitlines() if line and not line.startswith("#")]
    assert (status, bool(names)) == (200, True)
    folder = fields["Location"].partition("?")[0].rpartition("/")[0].lstrip("/")
    assert (await served.ask(f"{folder}/{names[0]}", at=at))[0] == 200


async def test_a_playlist_does_not_move_for_a_token_that_is_refused(served: Tiers) -> None:
    for token in (signed(exp=NOW_S), "garbage", short("/other/*")):
        path, _ = PLACES["query"](PLAYLIST, token)
        status, _, fields = await served.ask(path)
        assert status == 403
        assert "Location" not in fields


@pytest.mark.parametrize("at", ["origin", "edge"])
async def test_a_token_that_renews_itself_is_replaced_by_a_cookie_with_each_answer(
    at: str, served: Tiers
) -> None:
    token = signed(cdnistt=1, cdniets=30, cdnistd=1)
    status, _, fields = await served.ask(f"{PLAYLIST}?URISigningPackage={token}", at=at)
    assert status == 200
    jar = SimpleCookie(fields["Set-Cookie"])["URISigningPackage"]
    assert (jar["path"], jar["max-age"], jar["httponly"]) == ("/film", "30", True)
    served.clock.now_s = NOW_S + 29
    cookie = f"URISigningPackage={jar.value}"
    status, body, fields = await served.ask(SEGMENT, {"Cookie": cookie}, at=at)
    assert (status, body) == (200, CONTENT)
    (fresh,) = fields.getall("Set-Cookie")
    claims = read_jws(SimpleCookie(fresh)["URISigningPackage"].value).claims
    assert claims["exp"] == NOW_S + 59
    served.clock.now_s = NOW_S + 30
    assert (await served.ask(SEGMENT, {"Cookie": cookie}, at=at))[0] == 403


async def test_what_is_stored_and_the_path_form_bring_no_cookies(served: Tiers) -> None:
    """A cookie that one viewer got is nobody else's, and a prefix would count before it."""
    token = signed(cdnistt=1, cdniets=30)
    await served.ask(SEGMENT, {"Cookie": f"URISigningPackage={token}"})
    _, _, fields = await served.ask(f"t/{own(served)}/{SEGMENT}")
    assert "Set-Cookie" not in fields
    assert "hit" in fields["Cache-Status"]
    _, _, fields = await served.ask(f"t/{token}/{SEGMENT}")
    assert "Set-Cookie" not in fields


async def test_a_pattern_that_names_a_query_holds_at_every_tier(served: Tiers) -> None:
    token = signed(cdniuc="regex:https://cdn\\.example/film/.*\\?profile=hd")
    for query, status in (("profile=hd", 200), ("profile=sd", 403), ("", 403)):
        path = f"{SEGMENT}?{query}&cat={token}" if query else f"{SEGMENT}?cat={token}"
        assert (await served.ask(path))[0] == status


async def test_other_peoples_tokens_cannot_be_renewed_here(served: Tiers) -> None:
    bearer = {"Authorization": f"Bearer {signed()}"}
    for at in ("origin", "edge"):
        status, _, fields = await served.ask("film/renew", bearer, at=at)
        assert (status, fields["Abr-Refusal"]) == (403, "not-renewable")


async def test_issuers_are_read_again_when_settings_are_reloaded(served: Tiers) -> None:
    token = signed()
    assert (await served.ask(f"t/{token}/{SEGMENT}"))[0] == 200
    served.trust.write_text(json.dumps({"Other": TRUST["App"]}))
    await served.edge.reconfigure(replace(served.edge.config, send_limit_s=7.0))
    status, _, fields = await served.ask(f"t/{token}/{SEGMENT}")
    assert (status, fields["Abr-Refusal"]) == (403, "unknown-issuer")
    served.trust.write_text("{")
    with pytest.raises(ConfigError, match="not JSON"):
        await served.edge.reconfigure(replace(served.edge.config, send_limit_s=8.0))
    assert served.edge.config.send_limit_s == 7.0
    other = signed(iss="Other")
    assert (await served.ask(f"t/{other}/{SEGMENT}"))[0] == 200
    os.remove(served.trust)


async def test_a_token_names_no_key_that_the_parent_is_asked_for(served: Tiers) -> None:
    """Whoever is no issuer of the origin has no keys in its set."""
    stranger = SigningKey(kid="stranger", algorithm="HS256", key=SECRET)
    claims = read_jws(signed()).claims
    for _ in range(3):
        status, _, fields = await served.ask(f"t/{sign_jws(claims, stranger)}/{SEGMENT}")
        assert (status, fields["Abr-Refusal"]) == (403, "unknown-key")
    asked = [each for each in served.origin.metrics.text().splitlines() if b'"jwks"' in each]
    assert next(each for each in asked if b"requests_total{" in each).endswith(b" 1.0")


async def test_no_log_shows_a_token_wherever_it_stood(
    served: Tiers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for make in FORMS.values():
        token = make(served)
        for place in PLACES.values():
            for spoilt in (token, token[:-3] + "AAA"):
                path, headers = place(PLAYLIST, spoilt)
                await served.ask(path, headers)
    shown = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("asyncio")
    )
    for make in FORMS.values():
        token = make(served)
        for part in (token[-40:-4], to_segment(token)[-40:-4]):
            assert part not in shown


@pytest.mark.parametrize("at", ["origin", "edge"])
async def test_pages_that_are_named_may_send_cookies_and_others_may_not(
    at: str, served: Tiers
) -> None:
    """Also for objects that are ready, and before the request proper."""
    page = "https://player.example"
    path = f"t/{own(served)}/{SEGMENT}"
    for origin, allowed in ((page, page), ("https://player.example.evil", "*"), (page, page)):
        for _ in range(3):
            status, _, fields = await served.ask(path, {"Origin": origin}, at=at)
            assert (status, fields["Access-Control-Allow-Origin"]) == (200, allowed)
            credentials = fields.get("Access-Control-Allow-Credentials")
            assert credentials == ("true" if allowed == page else None)
            assert ("Origin" in fields.get("Vary", "")) == (allowed == page)
    base = served.edge_url if at == "edge" else served.origin_url
    async with served.client.options(f"{base}/{path}", headers={"Origin": page}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == page
    status, _, fields = await served.ask(SEGMENT, {"Origin": page}, at=at)
    assert (status, fields["Access-Control-Allow-Origin"]) == (403, page)


@pytest.mark.parametrize(
    "page", ["https://player.example/", "*", "player.example", "https://Player.example", ""]
)
def test_a_page_is_named_as_browsers_do(page: str) -> None:
    with pytest.raises(ConfigError, match="cookie_pages"):
        EdgeConfig(cookie_pages=(page,)).check()
