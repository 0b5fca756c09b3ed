"""URI signing: the published examples, every claim, renewal by cookie, and other libraries."""

from __future__ import annotations

import hashlib
import hmac
import json
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import joserfc.jws
import joserfc.jwt
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey, OctKey, OKPKey

from abr.errors import TokenError
from origin.tokens.issuers import Issuer
from origin.tokens.jwe import seal_jwe
from origin.tokens.jws import read_jws, sign_jws
from origin.tokens.keysets import b64url, unb64url, verification_keys
from origin.tokens.matching import hash_of
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.permission import Asked, Permission
from origin.tokens.signingkeys import SigningKey, signing_key_of
from origin.tokens.urisigning import UriSigning
from origin.tokens.verifier import TokenVerifier

NOW_S = 1_790_000_000.0
SECRET = bytes(range(32))
OCT = {"kty": "oct", "kid": "s", "k": b64url(SECRET)}
EC_PRIVATE = ec.derive_private_key(7, ec.SECP256R1())
ED_PRIVATE = Ed25519PrivateKey.from_private_bytes(SECRET)


def ec_jwk(key: ec.EllipticCurvePrivateKey, kid: str = "e") -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    x, y = (b64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    d = b64url(key.private_numbers().private_value.to_bytes(32, "big"))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y, "d": d}


ED = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "o",
    "x": b64url(ED_PRIVATE.public_key().public_bytes_raw()),
    "d": b64url(SECRET),
}
JWKS = {"keys": [OCT, ec_jwk(EC_PRIVATE), ED]}
RENEWING = SigningKey(kid="s", algorithm="HS256", key=SECRET)
OWN = TokenIssuer(Ed25519PrivateKey.generate())


def issuer(**changes: Any) -> Issuer:
    settings: dict[str, Any] = {
        "name": "Example",
        "forms": frozenset({"uri-signing"}),
        "keys": verification_keys(JWKS, with_secrets=True),
        "audience": "cdn-1",
        "renewing": RENEWING,
    }
    return Issuer(**(settings | changes))


def claims(**changes: Any) -> dict[str, Any]:
    usual = {"iss": "Example", "exp": NOW_S + 60, "cdniuc": "regex:https?://h/film/.*"}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(content: Mapping[str, Any], key: SigningKey = RENEWING) -> str:
    return sign_jws(content, key)


def verify(
    token: str, *issuers: Issuer, now_s: float = NOW_S, asked: Asked | None = None
) -> Permission:
    verifier = TokenVerifier(PathTokens(OWN.jwks()), [UriSigning(issuers or (issuer(),))])
    return verifier.verify(token, asked=asked or request(), now_s=now_s)


def request(uri: str = "http://h/film/v0/1.m4s", address: str = "192.0.2.7") -> Asked:
    scheme, _, rest = uri.partition("://")
    host, _, path = rest.partition("/")
    path, _, query = path.partition("?")
    title, _, path = path.partition("/")
    return Asked(
        title=title, path=path, scheme=scheme, authority=host, query=query, address=address
    )


def refusal(token: str, *issuers: Issuer, **how: Any) -> str:
    with pytest.raises(TokenError) as caught:
        verify(token, *issuers, **how)
    return caught.value.reason


EXAMPLE_KEYS = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "kid": "P5UpOv0eMq1wcxLf7WxIg09JdSYGYFDOWkldueaImf0",
            "use": "sig",
            "x": "be807S4O7dzB6I4hTiCUvmxCI6FuxWba1xYBlLSSsZ8",
            "y": "rOGC4vI69g-WF9AGEVI37sNNwbjIzBxSjLvIL7f3RBA",
        }
    ]
}
EXAMPLE_SECRETS = {
    "f-WbjxBC3dPuI3d24kP2hfvos7Qz688UTi6aB0hN998": unb64url("4uFxxV7fhNmrtiah2d1fFg")
}
HEAD = "eyJhbGciOiJFUzI1NiIsImtpZCI6IlA1VXBPdjBlTXExd2N4TGY3V3hJZzA5SmRTWUdZRkRPV2tsZHVlYUltZjAifQ."
SIMPLE = (
    HEAD
    + "eyJleHAiOjE2NDEwNzkyMjMsImlzcyI6InVDRE4gSW5jIiwiY2RuaXVjIjoiaGFzaDpzaGEtMjU2OzJ0ZGVyZldQYTg2"
    "S3U3WW56VzUxWVVwN2RHVWpCU18zU1czRUx4NGhtV1kifQ.P5It6q0kxNx5NBA76D-bYKIxlourey5JpU4diFLGHaVTk21Q"
    "kEskjxoeneDoBj_1C5Ty1smBOovQMrGzuPmEHA"
)
COMPLEX = (
    HEAD
    + "eyJhdWQiOiJkQ0ROIExMQyIsInN1YiI6ImV5SmxibU1pT2lKQk1USTRSME5OSWl3aVlXeG5Jam9pWkdseUlpd2lhMmxr"
    "SWpvaVppMVhZbXA0UWtNelpGQjFTVE5rTWpSclVESm9ablp2Y3pkUmVqWTRPRlZVYVRaaFFqQm9Uams1T0NKOS4uTWJUOHRX"
    "ZXQwMVZWSGp1Uy40S1A3QUplZlU3MGIuUmNfbzN0Q2ZXb1BrSWR5U3NZdGZNdyIsImNkbmlpcCI6ImV5SmxibU1pT2lKQk1U"
    "STRSME5OSWl3aVlXeG5Jam9pWkdseUlpd2lhMmxrSWpvaVppMVhZbXA0UWtNelpGQjFTVE5rTWpSclVESm9ablp2Y3pkUmVq"
    "WTRPRlZVYVRaaFFqQm9Uams1T0NKOS4uczYxNHpfX2F0SzRDaWppYy5pZVNtN28ybzdySXFDWWJERXhkb3lRLkpVblBMUXpC"
    "ZjJkUGhCUFJUeEhLd3ciLCJjZG5pdiI6MSwiZXhwIjoxNjQxMDc5MjIzLCJpYXQiOjE2NDA5MDY0MjMsImlzcyI6InVDRE4g"
    "SW5jIiwianRpIjoiNURBYWZMaFpBZmhzYmUiLCJuYmYiOjE2NDA5OTI4MjMsImNkbml1YyI6InJlZ2V4Omh0dHA6Ly9jZG5p"
    "XFwuZXhhbXBsZS9mb28vYmFyL1swLTldezN9XFwucG5nIn0.MgV1AIvlWf3rjUqWGKlpR1CcCpF8N5FX7xlZ0wGCqfJY3Kpq"
    "TrVNKaEWVXGoo12oVgQ7J2KoRtcr2ah9dsjqOA"
)
CHAINED = (
    HEAD
    + "eyJjZG5pZXRzIjozMCwiY2RuaXN0dCI6MSwiY2RuaXN0ZCI6MiwiZXhwIjoxNjQxMDc5MjIzLCJjZG5pdWMiOiJyZWdl"
    "eDpodHRwOi8vY2RuaVxcLmV4YW1wbGUvZm9vL2Jhci9bMC05XXszfVxcLnRzIn0.qp4l3B36rRmIUBXzPWdK7p0_zlq7tvgt"
    "5oJSBSMOUEWtMsIZf3q0nXSnHPxsNdLcsTSNoFOAgq5y0EjQmvNQoA"
)
EXAMPLE_END_S = 1641079223.0


def example_issuer(**changes: Any) -> Issuer:
    settings: dict[str, Any] = {
        "name": "uCDN Inc",
        "forms": frozenset({"uri-signing"}),
        "keys": verification_keys(EXAMPLE_KEYS),
        "audience": "dCDN LLC",
        "secrets": EXAMPLE_SECRETS,
    }
    return Issuer(**(settings | changes))


def test_the_simple_published_example_opens_its_uri_until_it_ends() -> None:
    """Made by the generator of the examples in RFC 9246, appendix A.1."""
    asked = request("http://cdni.example/foo/bar")
    found = verify(SIMPLE, example_issuer(), now_s=EXAMPLE_END_S - 0.001, asked=asked)
    assert (found.issuer, found.expires_s) == ("uCDN Inc", EXAMPLE_END_S)
    assert refusal(SIMPLE, example_issuer(), now_s=EXAMPLE_END_S, asked=asked) == "expired"
    other = request("http://cdni.example/foo/bar/baz")
    assert refusal(SIMPLE, example_issuer(), now_s=EXAMPLE_END_S - 1, asked=other) == "wrong-uri"


def test_the_complex_published_example_with_encrypted_claims() -> None:
    """Appendix A.2: audience, a nonce, an encrypted subject, an encrypted address prefix."""
    asked = request("http://cdni.example/foo/bar/123.png", address="2001:db8:9::1")
    how = {"now_s": EXAMPLE_END_S - 1, "asked": asked}
    found = verify(COMPLEX, example_issuer(), now_s=EXAMPLE_END_S - 1, asked=asked)
    assert (found.session, found.token_id) == ("UserToken", "5DAafLhZAfhsbe")
    assert found.nonce
    elsewhere = request("http://cdni.example/foo/bar/123.png", address="2001:db9::1")
    assert refusal(COMPLEX, example_issuer(), **(how | {"asked": elsewhere})) == "wrong-address"
    assert refusal(COMPLEX, example_issuer(audience="other"), **how) == "wrong-audience"
    assert refusal(COMPLEX, example_issuer(audience=""), **how) == "wrong-audience"
    assert refusal(COMPLEX, example_issuer(secrets={}), **how) == "not-understood"
    early = how | {"now_s": 1640992823.0 - 31}
    assert refusal(COMPLEX, example_issuer(), **early) == "not-yet"


def test_the_published_example_that_renews_itself_and_names_no_issuer() -> None:
    """Appendix A.3: a cookie for two path segments, 30 s from now."""
    asked = request("http://cdni.example/foo/bar/123.ts")
    keeper = example_issuer(renewing=RENEWING)
    now_s = EXAMPLE_END_S - 100.5
    found = verify(CHAINED, keeper, now_s=now_s, asked=asked)
    assert found.renewal is not None
    ((name, value),) = found.renewal.fields(asked=asked, now_s=now_s)
    cookie, *attributes = value.split("; ")
    assert name == "Set-Cookie"
    assert attributes == ["Path=/foo/bar", "Max-Age=30", "HttpOnly", "SameSite=Lax"]
    fresh = read_jws(cookie.removeprefix("URISigningPackage="))
    old = read_jws(CHAINED).claims
    assert fresh.claims == {**old, "exp": int(now_s) + 30, "iat": int(now_s)}
    assert fresh.kid == "s"


@pytest.mark.parametrize(
    ("depth", "path"),
    [(None, "/"), (0, "/"), (1, "/film"), (2, "/film/v0"), (3, None), (9, None)],
)
def test_the_cookie_is_for_the_first_segments_of_the_path(
    depth: int | None, path: str | None
) -> None:
    token = signed(claims(cdnistt=1, cdniets=30, cdnistd=depth))
    renewal = verify(token).renewal
    assert renewal is not None
    fields = renewal.fields(asked=request(), now_s=NOW_S)
    assert [value.split("; ")[1] for _, value in fields] == ([f"Path={path}"] if path else [])


def test_a_renewed_token_counts_from_now_and_is_itself_renewed() -> None:
    """From the old end, quick renewals would add up."""
    token = signed(claims(cdnistt=1, cdniets=30, exp=NOW_S + 1e6, jti="n", nbf=NOW_S - 5))
    for ago_s in (0, 10, 20):
        renewal = verify(token, now_s=NOW_S + ago_s).renewal
        assert renewal is not None
        ((_, value),) = renewal.fields(asked=request(), now_s=NOW_S + ago_s)
        token = value.partition("; ")[0].partition("=")[2]
        assert verify(token, now_s=NOW_S + ago_s).expires_s == NOW_S + ago_s + 30
    assert refusal(token, now_s=NOW_S + 50) == "expired"


def test_over_tls_the_cookie_is_for_tls_only() -> None:
    token = signed(claims(cdnistt=1, cdniets=30))
    renewal = verify(token).renewal
    assert renewal is not None
    ((_, value),) = renewal.fields(asked=request("https://h/film/x"), now_s=NOW_S)
    assert value.endswith("; Secure; SameSite=None")


def test_without_a_key_for_renewing_a_token_just_ends() -> None:
    token = signed(claims(cdnistt=1, cdniets=30))
    found = verify(token, issuer(renewing=None))
    assert found.renewal is None
    assert found.is_plain


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "ended now": ("expired", {"exp": NOW_S}),
    "no end": ("malformed", {"exp": None}),
    "an end that is text": ("malformed", {"exp": "1790000060"}),
    "an end that is true": ("malformed", {"exp": True}),
    "an end that is no time": ("malformed", {"exp": 1e300}),
    "begins too late": ("not-yet", {"nbf": NOW_S + 31}),
    "no container": ("malformed", {"cdniuc": None}),
    "an empty container": ("malformed", {"cdniuc": ""}),
    "a container of another kind": ("not-understood", {"cdniuc": "glob:http://h/film/*"}),
    "a container that is no text": ("malformed", {"cdniuc": ["regex:.*"]}),
    "a pattern with a lookahead": ("not-understood", {"cdniuc": "regex:(?=h).*"}),
    "a weak hash": ("not-understood", {"cdniuc": "hash:md5;AAAAAAAAAAAAAAAAAAAAAA"}),
    "a hash of another uri": ("wrong-uri", {"cdniuc": f"hash:{hash_of('http://h/film/x')}"}),
    "a pattern for a part of the uri": ("wrong-uri", {"cdniuc": "regex:http://h/film/v0"}),
    "another title": ("wrong-title", {"title": "clip"}),
    "a later version": ("not-understood", {"cdniv": 2}),
    "a version that is text": ("not-understood", {"cdniv": "1"}),
    "a critical claim nobody knows": ("not-understood", {"cdnicrit": "cdnizz", "cdnizz": 1}),
    "a critical claim that is missing": ("not-understood", {"cdnicrit": "mh"}),
    "an empty list of critical claims": ("malformed", {"cdnicrit": ""}),
    "another audience": ("wrong-audience", {"aud": "cdn-2"}),
    "other audiences": ("wrong-audience", {"aud": ["cdn-2", "cdn-3"]}),
    "no audience": ("wrong-audience", {"aud": []}),
    "another address": ("wrong-address", {"cdniip": "192.0.3.0/24"}),
    "no address": ("not-understood", {"cdniip": "everywhere"}),
    "a transport nobody knows": ("not-understood", {"cdnistt": 2, "cdniets": 30}),
    "renewal without a time": ("malformed", {"cdnistt": 1}),
    "renewal for no time": ("malformed", {"cdnistt": 1, "cdniets": 0}),
    "renewal for negative time": ("malformed", {"cdnistt": 1, "cdniets": -1}),
    "a negative depth": ("malformed", {"cdnistt": 1, "cdniets": 1, "cdnistd": -2}),
    "another issuer": ("unknown-issuer", {"iss": "Example2"}),
    "an issuer that is no text": ("unknown-issuer", {"iss": {"Example": 1}}),
    "an empty nonce": ("malformed", {"jti": ""}),
    "half a character in a nonce": ("malformed", {"jti": "\ud800"}),
    "half a character in a session": ("malformed", {"sub": "\udfff"}),
    "a height of nothing": ("malformed", {"mh": 0}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_genuine_token_may_still_be_refused(case: str) -> None:
    reason, changes = REFUSED[case]
    assert refusal(signed(claims(**changes))) == reason


PERMITTED: dict[str, dict[str, Any]] = {
    "as usual": {},
    "no issuer": {"iss": None},
    "a hash": {"cdniuc": f"hash:{hash_of('http://h/film/v0/1.m4s')}"},
    "an audience among others": {"aud": ["cdn-2", "cdn-1"]},
    "an audience": {"aud": "cdn-1"},
    "a version": {"cdniv": 1},
    "critical claims that are understood": {"cdnicrit": "mh,acc", "mh": 720, "acc": "a"},
    "an address": {"cdniip": "192.0.2.0/24"},
    "a begin within the tolerance": {"nbf": NOW_S + 30},
    "a fraction of a second": {"exp": NOW_S + 0.25},
    "renewal that is off": {"cdnistt": 0, "cdniets": 30},
    "claims of somebody else": {"x-plan": {"a": [1]}},
}


@pytest.mark.parametrize("case", PERMITTED)
def test_a_genuine_token_opens_what_it_says(case: str) -> None:
    assert verify(signed(claims(**PERMITTED[case]))).form == "uri-signing"


def test_claims_of_our_own_count() -> None:
    found = verify(signed(claims(mh=720, acc="tag", wm=b64url(b"\x05"), title="film", sub="s")))
    assert (found.max_height, found.account, found.watermark) == (720, "tag", b"\x05")
    assert (found.title, found.session) == ("film", "s")


def test_a_subject_that_cannot_be_opened_still_tells_viewers_apart() -> None:
    first, second = (
        signed(claims(sub=seal_jwe(name, kid="z", secret=SECRET[:16], nonce=bytes(12))))
        for name in ("anna", "otto")
    )
    assert verify(first).session != verify(second).session
    opened = issuer(secrets={"z": SECRET[:16]})
    assert verify(first, opened).session == "anna"


def test_the_uri_may_be_matched_with_the_host_that_viewers_see() -> None:
    token = signed(claims(cdniuc="regex:https://cdn\\.example/film/.*"))
    assert refusal(token) == "wrong-uri"
    verify(token, issuer(base="https://cdn.example"))


def test_an_issuer_may_be_trusted_for_some_titles_only() -> None:
    token = signed(claims(cdniuc="regex:.*"))
    verify(token, issuer(titles=frozenset({"film", "clip"})))
    assert refusal(token, issuer(titles=frozenset({"clip"}))) == "wrong-title"


def test_another_issuers_key_does_not_sign_for_this_one() -> None:
    other = SigningKey(kid="s", algorithm="HS256", key=bytes(32))
    second = issuer(
        name="Other",
        keys=verification_keys(
            {"keys": [{"kty": "oct", "kid": "s", "k": b64url(bytes(32))}]}, with_secrets=True
        ),
    )
    token = signed(claims(), other)
    assert refusal(token, issuer(), second) == "bad-signature"
    found = verify(signed(claims(iss=None), other), issuer(), second)
    assert found.issuer == "Other"


def test_a_key_without_id_and_a_token_without_id_are_tried() -> None:
    nameless = {name: value for name, value in OCT.items() if name != "kid"}
    keys = verification_keys({"keys": [nameless]}, with_secrets=True)
    verify(signed(claims()), issuer(keys=keys))
    no_kid = SigningKey(kid="", algorithm="HS256", key=SECRET)
    verify(signed(claims(), no_kid))
    other = SigningKey(kid="other", algorithm="HS256", key=SECRET)
    assert refusal(signed(claims(), other)) == "unknown-key"


def b64json(value: object) -> str:
    return b64url(json.dumps(value).encode())


def test_the_key_decides_the_algorithm() -> None:
    """Public keys are no secrets, and no signature is none."""
    body = b64json(claims())
    none = f"{b64json({'alg': 'none', 'kid': 'e'})}.{body}."
    assert refusal(none) == "malformed"
    assert refusal(none + "AAAA") == "wrong-algorithm"
    start = f"{b64json({'alg': 'HS256', 'kid': 'e'})}.{body}"
    public = json.dumps({"keys": [ec_jwk(EC_PRIVATE)]}).encode()
    mac = hmac.new(public, start.encode(), hashlib.sha256).digest()
    assert refusal(f"{start}.{b64url(mac)}") == "wrong-algorithm"
    header = {"alg": ["HS256"], "kid": "s"}
    assert refusal(f"{b64json(header)}.{body}.AAAA") == "wrong-algorithm"


def test_a_header_that_demands_an_extension_is_not_understood() -> None:
    for header in ({"alg": "HS256", "crit": ["x"]}, {"alg": "HS256", "b64": False}):
        assert refusal(f"{b64json(header)}.{b64json(claims())}.AAAA") in (
            "malformed",
            "not-understood",
        )


def test_a_key_in_the_header_is_not_looked_at() -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    token = jwt.encode(
        claims(), stranger, algorithm="ES256", headers={"kid": "e", "jwk": ec_jwk(stranger)}
    )
    assert refusal(token) == "bad-signature"


@pytest.mark.parametrize("key", [OCT, ec_jwk(EC_PRIVATE), ED])
def test_of_a_signed_text_there_is_one_spelling(key: dict[str, Any]) -> None:
    """The last character of base64 holds bits that count for nothing."""
    found = signing_key_of(key)
    assert found is not None
    token = signed(claims(), found)
    verify(token)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    reasons = {refusal(token[:-1] + sign) for sign in alphabet if sign != token[-1]}
    assert reasons <= {"malformed", "bad-signature"}
    for tail in ("=", "A", ".", "\n", " "):
        assert refusal(token + tail) in ("malformed", "bad-signature")


def test_a_name_that_stands_twice_is_refused() -> None:
    text = '{"iss":"Example","exp":1,"exp":1790000060,"cdniuc":"regex:.*"}'
    body = urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    assert refusal(f"{b64json({'alg': 'HS256'})}.{body}.AAAA") == "malformed"


def test_our_own_tokens_and_signed_uris_do_not_take_each_others_place() -> None:
    """Both may be signed with Ed25519."""
    own = OWN.issue("film", now_s=NOW_S, session_id="s")
    assert verify(own).form == "path"
    found = signing_key_of(ED)
    assert found is not None
    assert verify(signed(claims(), found)).form == "uri-signing"


@pytest.mark.parametrize("name", ["HS256", "ES256", "EdDSA"])
def test_pyjwt_reads_ours_and_we_read_its(name: str) -> None:
    keys = {
        "HS256": (OCT, SECRET),
        "ES256": (ec_jwk(EC_PRIVATE), EC_PRIVATE),
        "EdDSA": (ED, ED_PRIVATE),
    }
    jwk: dict[str, Any] = keys[name][0]
    private: Any = keys[name][1]
    key = signing_key_of(jwk)
    assert key is not None
    public: Any = private if isinstance(private, bytes) else private.public_key()
    ours = signed(claims(exp=4e9), key)
    assert jwt.decode(ours, public, algorithms=[name])["iss"] == "Example"
    theirs = jwt.encode(claims(), private, algorithm=name, headers={"kid": jwk["kid"]})
    assert verify(theirs).kid == jwk["kid"]


@pytest.mark.parametrize("name", ["HS256", "ES256", "EdDSA", "Ed25519"])
def test_joserfc_reads_ours_and_we_read_its(name: str) -> None:
    """Ed25519 is the newer name of EdDSA (RFC 9864), which it warns of."""
    kinds: dict[str, Any] = {
        "HS256": (OCT, OctKey),
        "ES256": (ec_jwk(EC_PRIVATE), ECKey),
        "EdDSA": (ED, OKPKey),
        "Ed25519": ({**ED, "alg": "Ed25519"}, OKPKey),
    }
    jwk, kind = kinds[name]
    key = signing_key_of(jwk)
    assert key is not None
    assert key.algorithm == name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        foreign = kind.import_key(jwk)
        registry = joserfc.jws.JWSRegistry(algorithms=[name])
        read = joserfc.jwt.decode(signed(claims(), key), foreign, registry=registry)
        theirs = joserfc.jwt.encode(
            {"alg": name, "kid": jwk["kid"]}, claims(), foreign, registry=registry
        )
    assert read.claims["iss"] == "Example"
    assert verify(theirs).kid == jwk["kid"]


def test_no_repr_shows_a_secret() -> None:
    token = signed(claims(cdnistt=1, cdniets=30, sub="anna@mail.example"))
    found = verify(token)
    shown = (
        f"{issuer()!r} {UriSigning([issuer()])!r} {found.renewal!r} {read_jws(token)!r} {found!r}"
    )
    for secret in (b64url(SECRET), SECRET.hex(), repr(SECRET)[2:20], token.split(".")[2], "mail"):
        assert secret not in shown.replace(repr(found), "")
    assert repr(SECRET)[2:20] not in repr(found)
