"""Common Access Tokens through an origin and a cache in front of it."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.server.hotpath import HotObjects
from origin.server.lanes import Client
from origin.simplehead import SimpleHead
from origin.tokens.cat.form import mint_cat
from origin.tokens.keysets import b64url, unb64url
from origin.tokens.redaction import redact
from origin.tokens.signingkeys import SigningKey
from tests.integration.test_token_carriage import (
    CONTENT,
    NOW_S,
    PLACES,
    PLAYLIST,
    SECRET,
    SEGMENT,
    Tiers,
    packages,
    run,
)

__all__ = ["packages"]

P256 = ec.derive_private_key(7, ec.SECP256R1())
ED = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS = {
    "HS256": SigningKey(kid="k", algorithm="HS256", key=SECRET),
    "ES256": SigningKey(kid="p", algorithm="ES256", key=P256),
    "EdDSA": SigningKey(kid="e", algorithm="EdDSA", key=ED),
    "Ed25519": SigningKey(kid="e", algorithm="Ed25519", key=ED),
}
POINT = P256.public_key().public_numbers()
TRUST: dict[str, Any] = {
    "studio": {
        "keys": [
            {"kty": "oct", "kid": "k", "k": b64url(SECRET)},
            {
                "kty": "EC",
                "crv": "P-256",
                "kid": "p",
                "x": b64url(POINT.x.to_bytes(32, "big")),
                "y": b64url(POINT.y.to_bytes(32, "big")),
            },
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "kid": "e",
                "x": b64url(ED.public_key().public_bytes_raw()),
            },
        ],
        "forms": ["cat"],
        "id": "cdn-1",
        "renewal_kid": "k",
    }
}
AT = pytest.mark.parametrize("at", ["origin", "edge"])


@pytest.fixture
async def served(packages: Path, tmp_path: Path) -> AsyncIterator[Tiers]:
    async with run(packages, tmp_path, trusted=TRUST) as running:
        yield running


def cat(key: str = "HS256", **claims: Any) -> str:
    usual = {"iss": "studio", "exp": int(NOW_S) + 60, "catu": {3: {1: "/film/"}}}
    return mint_cat(usual | claims, KEYS[key])


@AT
@pytest.mark.parametrize("key", KEYS)
async def test_a_token_of_every_key_opens_from_every_place(
    key: str, at: str, served: Tiers
) -> None:
    """Limited to one host, its methods, and the client's network."""
    port = (served.edge_url if at == "edge" else served.origin_url).rpartition(":")[2]
    limits = {
        "catu": {1: {0: "127.0.0.1"}, 2: {0: port}, 3: {1: "/film/"}, 8: {4: ["^[.]m(4s|3u8)$"]}},
        "catm": ["GET"],
        "catnip": [ipaddress.ip_network("127.0.0.0/8")],
    }
    if at == "edge":
        del limits["catu"][2]  # type: ignore[attr-defined]  # the parent is another host
    token = cat(key, **limits)
    for place in PLACES.values():
        path, headers = place(SEGMENT, token)
        status, body, _ = await served.ask(path, headers, at=at)
        assert (status, body) == (200, CONTENT)


@AT
async def test_what_a_token_does_not_open_is_refused_with_the_reason_though_it_is_hot(
    at: str, served: Tiers
) -> None:
    """The edge holds the object, and has just given it away."""
    here = cat()
    for _ in range(3):
        assert (await served.ask(f"t/{here}/{SEGMENT}", at=at))[0] == 200
    passed = served.edge.counters.passed
    cases = {
        "wrong-uri": cat(catu={3: {4: ["^/[^v]*$"]}}),
        "wrong-method": cat(catm=["POST"]),
        "wrong-address": cat(catnip=[ipaddress.ip_network("192.0.2.0/24")]),
        "wrong-audience": cat(aud="cdn-2"),
        "unknown-issuer": cat(iss="Studio"),
        "expired": cat(exp=int(NOW_S)),
        "not-yet": cat(nbf=int(NOW_S) + 31),
        "not-understood": cat(catv=2),
        "bad-signature": cat()[:-2] + "AA",
        "malformed": b64url(unb64url(cat()) + b"\x00"),
    }
    for reason, token in cases.items():
        for place in PLACES.values():
            path, headers = place(SEGMENT, token)
            status, _, fields = await served.ask(path, headers, at=at)
            assert (status, fields["Abr-Refusal"]) == (403, reason)
    assert served.edge.counters.passed == passed


async def test_a_token_with_limits_takes_the_short_cut_as_ours_do(
    served: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is compared with the whole request there, and nothing but the token is new."""
    found: list[bool] = []
    find = HotObjects.find

    def note(self: HotObjects, head: SimpleHead, who: Client) -> object:
        ready = find(self, head, who)
        found.append(ready is not None)
        return ready

    monkeypatch.setattr(HotObjects, "find", note)
    limits: dict[str, Any] = {
        "catu": {0: {0: "http"}, 1: {0: "127.0.0.1"}, 3: {1: "/film/"}, 8: {0: ".m4s"}},
        "catm": ["GET"],
        "catnip": [ipaddress.ip_network("127.0.0.0/8")],
    }
    token = cat(**limits)
    for _ in range(4):
        assert (await served.ask(f"t/{token}/{SEGMENT}"))[1] == CONTENT
    assert found == [False, False, True, True]
    found.clear()
    others = [
        cat(catu={0: {0: "https"}}),
        cat(catu={1: {0: "localhost"}}),
        cat(catu={3: {4: ["^/[^v]*$"]}}),
        cat(catm=["HEAD"]),
        cat(catnip=[ipaddress.ip_network("10.0.0.0/8")]),
        cat(catu={4: {0: ""}}),
        cat(cti=b"7", catreplay=1),
    ]
    path = f"{SEGMENT}?x=1"
    statuses = [(await served.ask(f"t/{each}/{path}"))[0] for each in others]
    assert (statuses, found) == ([403] * 6 + [200], [False] * 7)


@pytest.mark.parametrize(
    "path",
    [
        "film/../other/v0/00000.m4s",
        "film/%2e%2e/other/v0/00000.m4s",
        "film/..%2fother/v0/00000.m4s",
        "film%2f..%2fother/v0/00000.m4s",
        "film/%252e%252e/other/v0/00000.m4s",
        "other/v0/00000.m4s",
        "Film/v0/00000.m4s",
        "FILM/v0/00000.m4s",
        "/film/v0/00000.m4s",
        "film//v0/00000.m4s",
        "film/v0/00000.M4S",
    ],
)
async def test_no_way_of_writing_a_path_leads_out_of_what_a_token_opens(
    path: str, served: Tiers
) -> None:
    """Neither up, nor by another spelling of the title."""
    token = cat(catu={3: {1: "/film/"}, 8: {0: ".m4s"}})
    passed = served.edge.counters.passed
    for way, headers in ((f"t/{token}/{path}", {}), (path, {"CTA-Common-Access-Token": token})):
        for at in ("origin", "edge"):
            assert (await served.ask(way, headers, at=at))[0] in {400, 403, 404}
    assert served.edge.counters.passed == passed


@AT
async def test_a_token_that_is_used_once_opens_once_whatever_comes_after(
    at: str, served: Tiers
) -> None:
    """In another place, for another object, in another spelling, and for a hot object."""
    assert (await served.ask(f"t/{cat()}/{SEGMENT}", at=at))[0] == 200
    token = cat(cti=b"1", catreplay=1)
    assert (await served.ask(f"t/{token}/{SEGMENT}", at=at))[0] == 200
    spelt = b64url(unb64url(token)[2:])
    for path in (f"t/{token}/{SEGMENT}", f"t/{token}/{PLAYLIST}", f"{SEGMENT}?cat={spelt}"):
        status, _, fields = await served.ask(path, at=at)
        assert (status, fields["Abr-Refusal"]) == (403, "used")
    again = cat(cti=b"2", catreplay=2)
    answers = [await served.ask(f"t/{again}/{SEGMENT}", at=at) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200] * 3
    names = {
        "origin": "abr_origin_tokens_reused_total 2.0",
        "edge": "abr_edge_tokens_reused_total{",
    }
    _, text, _ = await served.ask("metrics", at=at)
    (line,) = [each for each in text.decode().splitlines() if each.startswith(names[at])]
    assert line.endswith(" 2.0")


@AT
async def test_a_playlist_for_a_token_that_is_used_once_moves_before_the_use_counts(
    at: str, served: Tiers
) -> None:
    """To be sent elsewhere is no use."""
    token = cat(cti=b"1", catreplay=1)
    status, _, _ = await served.ask(f"{PLAYLIST}?cat={token}", at=at, moves=True)
    assert status == 200
    assert (await served.ask(f"t/{token}/{PLAYLIST}", at=at))[0] == 403


@AT
async def test_a_token_is_renewed_the_way_it_says(at: str, served: Tiers) -> None:
    """By cookie, by field, or as it came; not before it is time."""
    token = cat(catr={0: 0, 1: 120, 2: 30})
    field, cookie = "CTA-Common-Access-Token", {"Cookie": f"CTA-Common-Access-Token={token}"}
    _, _, fields = await served.ask(SEGMENT, {field: token}, at=at)
    assert field not in fields
    served.clock.now_s = NOW_S + 31
    _, _, fields = await served.ask(SEGMENT, {field: token}, at=at)
    fresh = fields[field]
    _, _, fields = await served.ask(SEGMENT, cookie, at=at)
    assert fields["Set-Cookie"].startswith("CTA-Common-Access-Token=2D3R")
    served.clock.now_s = NOW_S + 100
    assert (await served.ask(SEGMENT, {field: token}, at=at))[0] == 403
    assert (await served.ask(SEGMENT, {field: fresh}, at=at))[0] == 200


@AT
async def test_a_redirect_gives_a_fresh_token_to_a_client_that_only_has_a_url(
    at: str, served: Tiers
) -> None:
    """What the playlist lists inherits it."""
    token = cat(catr={0: 3, 1: 120, 2: 30, 7: 307})
    path = f"{PLAYLIST}?CMCD=bl%3D1&cat={token}"
    _, _, fields = await served.ask(path, at=at)
    assert fields["Location"] == f"/t/{token}/{PLAYLIST}?CMCD=bl%3D1"  # nothing to renew yet
    served.clock.now_s = NOW_S + 31
    for start in (path, f"t/{token}/{PLAYLIST}", f"{SEGMENT}?cat={token}"):
        status, _, fields = await served.ask(start, at=at)
        assert status == 307
        assert token not in fields["Location"]
        assert fields["Cache-Control"] == "private, no-store"
        served.clock.now_s = NOW_S + 100
        assert (await served.ask(fields["Location"].lstrip("/"), at=at))[0] == 200
        served.clock.now_s = NOW_S + 31


@AT
async def test_a_token_for_one_use_is_used_by_the_redirect_that_replaces_it(
    at: str, served: Tiers
) -> None:
    """Otherwise one token would give any number of fresh ones, each good for one use."""
    token = cat(cti=b"1", catreplay=1, catr={0: 3, 1: 120, 2: 30})
    served.clock.now_s = NOW_S + 31
    status, _, fields = await served.ask(f"t/{token}/{PLAYLIST}", at=at)
    assert status == 302
    assert (await served.ask(fields["Location"].lstrip("/"), at=at))[0] == 200
    for path in (f"t/{token}/{PLAYLIST}", f"{SEGMENT}?cat={token}"):
        status, _, fields = await served.ask(path, at=at)
        assert (status, fields["Abr-Refusal"]) == (403, "used")
        assert "Location" not in fields


@AT
async def test_a_token_may_say_where_to_go_when_it_is_refused(at: str, served: Tiers) -> None:
    """Its answer is as private as ours, and says why as well."""
    catif = {4: [302, {"Location": "https://a.example/sign-in", "X-Why": "ended"}, None]}
    token = cat(catif=catif, exp=int(NOW_S))
    status, _, fields = await served.ask(f"t/{token}/{SEGMENT}", at=at)
    assert (status, fields["Location"]) == (302, "https://a.example/sign-in")
    assert (fields["X-Why"], fields["Abr-Refusal"]) == ("ended", "expired")
    assert fields["Cache-Control"] == "no-store"


async def test_no_log_shows_a_token_wherever_it_stood(
    served: Tiers, caplog: pytest.LogCaptureFixture
) -> None:
    """Genuine, altered, and with an answer of its own."""
    caplog.set_level("DEBUG")
    token = cat(catif={4: [302, {"Location": "https://a.example/"}, None]})
    for place in PLACES.values():
        for text in (token, token[:-3] + "AAA", token[5:]):
            path, headers = place(PLAYLIST, text)
            await served.ask(path, headers)
    served.clock.now_s = NOW_S + 100
    await served.ask(f"t/{token}/{SEGMENT}")
    shown = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("asyncio")
    )
    assert token[-40:-4] not in shown
    assert token[10:50] not in shown
    untagged = b64url(unb64url(token)[3:])
    assert redact(f"no answer to {token}: {untagged}") == "no answer to -: -"
