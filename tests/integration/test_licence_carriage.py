"""Keys and licences for tokens of every form in every place, and while the shared state is gone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from abr.errors import ResourceError
from edge.config import EdgeConfig
from edge.server.app import make_app as make_edge
from origin.config import OriginConfig, ServerLimits
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from origin.tokens.carriage import to_segment
from origin.tokens.jws import sign_jws
from origin.tokens.keysets import b64url
from origin.tokens.revocation import Revoked
from origin.tokens.shortform import mint_short
from origin.tokens.signingkeys import SigningKey
from tests.fakes.packages import KID, MemoryKeys, write_package

NOW_S = 1_800_000_000.0
SECRET = bytes(range(32))
LIMITS = ServerLimits(shutdown_s=1.0)
TRUST = {
    "App": {
        "keys": [{"kty": "oct", "kid": "k", "k": b64url(SECRET)}],
        "forms": ["uri-signing", "hmac"],
        "base": "https://cdn.example",
    }
}
ASKED = json.dumps({"kids": ["ABEiM0RVZneImaq7zN3u_w"]})
PLACES = ("prefix", "query", "bearer", "cookie")
FORMS = ("own", "uri-signing", "hmac")


class State:
    """A shared state that is gone from some moment on."""

    def __init__(self) -> None:
        self.is_gone = False
        self.has_failed = threading.Event()

    def revocations(self, after: int) -> Revoked:
        if self.is_gone:
            self.has_failed.set()
            raise ResourceError("the state is gone")
        return Revoked(entries=(), version=after)


@dataclass(slots=True)
class Tiers:
    """An origin, a cache in front of it, and a client."""

    origin: Origin
    url: str
    state: State
    client: aiohttp.ClientSession = field(repr=False)

    def token(self, form: str, folder: str = "film") -> str:
        """A token of a form, for what lies below ``folder``."""
        if form == "own":
            return self.origin.issuer.issue("film", now_s=NOW_S, session_id="s", ttl_s=60)
        if form == "hmac":
            return mint_short([f"/{folder}/*"], expires_s=int(NOW_S) + 60, secret=SECRET)
        claims = {
            "iss": "App",
            "exp": NOW_S + 60,
            "cdniuc": f"regex:https://cdn\\.example/{folder}/.*",
        }
        return sign_jws(claims, SigningKey(kid="k", algorithm="HS256", key=SECRET))

    async def ask(self, path: str, token: str, place: str) -> tuple[int, bytes]:
        """Status and body of what is asked for with a token in some place."""
        headers: dict[str, str] = {}
        if place == "prefix":
            path = f"t/{to_segment(token)}/{path}"
        elif place == "query":
            path = f"{path}?URISigningPackage={token}"
        elif place == "bearer":
            headers["Authorization"] = f"Bearer {token}"
        else:
            headers["Cookie"] = f"URISigningPackage={token}"
        method, body = (
            ("POST", ASKED) if path.partition("?")[0].endswith("licence") else ("GET", None)
        )
        url = URL(f"{self.url}/{path}", encoded=True)
        async with self.client.request(method, url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[Tiers]:
    write_package(folder / "titles" / "film", encrypted=True)
    trust = folder / "trust.json"
    trust.write_text(json.dumps(TRUST))
    trust.chmod(0o600)
    state = State()
    origin = make_app(
        DirectoryStore(folder / "titles"),
        MemoryKeys("film"),
        OriginConfig(trust=str(trust)),
        limits=LIMITS,
        now=lambda: NOW_S,
        revocations=state,
    )
    async with listening(origin, host="127.0.0.1", port=0, limits=LIMITS) as above:
        edge = make_edge(
            EdgeConfig(parent=above.url, trust=str(trust), port=0),
            cache_dir=folder / "cache",
            now=lambda: NOW_S,
        )
        async with (
            listening(edge, host="127.0.0.1", port=0, limits=LIMITS) as below,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        ):
            yield Tiers(origin[ORIGIN], below.url, state, client)


@pytest.fixture
async def tiers(tmp_path: Path) -> AsyncIterator[Tiers]:
    async with _running(tmp_path) as found:
        yield found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
async def test_every_token_in_every_place_gets_keys_and_licences(
    form: str, place: str, tiers: Tiers
) -> None:
    """The first time and the second, when the short cuts may answer."""
    token = tiers.token(form)
    for _ in range(2):
        status, key = await tiers.ask(f"film/key/{KID}", token, place)
        assert (status, len(key)) == (200, 16)
        status, licence = await tiers.ask("film/licence", token, place)
        assert status == 200
        assert json.loads(licence)["keys"][0]["k"] == b64url(key)


@pytest.mark.parametrize("form", ["uri-signing", "hmac"])
async def test_a_token_for_other_paths_opens_no_key(form: str, tiers: Tiers) -> None:
    """Also after another token has opened it."""
    for token, wanted in ((tiers.token(form), 200), (tiers.token(form, "film/v0"), 403)):
        for path in (f"film/key/{KID}", "film/licence"):
            assert (await tiers.ask(path, token, "prefix"))[0] == wanted


async def test_keys_are_given_while_the_shared_state_is_gone(tiers: Tiers) -> None:
    tiers.state.is_gone = True
    assert await asyncio.to_thread(tiers.state.has_failed.wait, 10)
    token = tiers.token("own")
    for path in (f"film/key/{KID}", "film/licence"):
        assert (await tiers.ask(path, token, "prefix"))[0] == 200
