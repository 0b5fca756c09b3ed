"""Common Access Tokens: what they open, and why not anything else."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import TokenError
from origin.tokens.cat.form import CatTokens, mint_cat
from origin.tokens.cat.labels import LABELS
from origin.tokens.cose import seal
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import VerificationKey, b64url, unb64url
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Asked, Permission
from origin.tokens.refusals import REASONS
from origin.tokens.replay import ReplayMemory
from origin.tokens.signingkeys import SigningKey
from origin.tokens.verifier import TokenVerifier

NOW_S = 1_800_000_000
SECRET = SigningKey(kid="shared", algorithm="HS256", key=bytes(range(32)))
P256 = SigningKey(kid="p", algorithm="ES256", key=ec.derive_private_key(7, ec.SECP256R1()))
ED = SigningKey(kid="e", algorithm="EdDSA", key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
STRANGER = SigningKey(kid="shared", algorithm="HS256", key=bytes(32))
ISSUER = Issuer(
    name="studio",
    forms=frozenset({"cat"}),
    audience="cdn-1",
    keys=(
        VerificationKey(kid="shared", algorithm="HS256", key=bytes(range(32))),
        VerificationKey(kid="p", algorithm="ES256", key=P256.key.public_key()),  # type: ignore[union-attr]
        VerificationKey(kid="e", algorithm="EdDSA", key=ED.key.public_key()),  # type: ignore[union-attr]
    ),
)
FORM = CatTokens([ISSUER])
CLAIMS: dict[str, Any] = {"iss": "studio", "exp": NOW_S + 60}
ASKED = Asked(
    title="film",
    path="v0/seg.1.m4s",
    scheme="https",
    authority="CDN.example:8443",
    query="a=1",
    address="192.0.2.7",
)


def token(key: SigningKey = SECRET, **claims: Any) -> str:
    return mint_cat({**CLAIMS, **claims}, key)


def sealed(claims: object, key: SigningKey = SECRET) -> str:
    """A token with any payload."""
    return b64url(seal(claims if isinstance(claims, bytes) else cbor2.dumps(claims), key))


def reason_of(text: str, form: CatTokens = FORM) -> str:
    with pytest.raises(TokenError) as caught:
        form.permission(text)
    assert str(caught.value) == REASONS[caught.value.reason]
    return caught.value.reason


def refusal(found: Permission, asked: Asked = ASKED) -> str | None:
    """The first reason why a permission does not cover what is asked."""
    return next(filter(None, (limit.refusal(asked) for limit in found.limits)), None)


def allows(asked: Asked = ASKED, **claims: Any) -> bool:
    found = refusal(FORM.permission(token(**claims)), asked)
    assert found in {None, "wrong-uri", "wrong-method", "wrong-address"}
    return found is None


@pytest.mark.parametrize("key", [SECRET, P256, ED])
def test_a_token_says_what_was_minted(key: SigningKey) -> None:
    """With every kind of key; what identifies it is text for logs and deny lists."""
    claims: dict[str, Any] = {
        "sub": "session-1",
        "aud": ["other", "cdn-1"],
        "nbf": NOW_S - 5,
        "iat": NOW_S - 4.5,
        "cti": b"\x01\xff",
        "acc": "a-7",
        "mh": 720,
        "wm": b"\xaa",
    }
    found = FORM.permission(token(key, **claims))
    assert found == Permission(
        form="cat",
        kid=key.kid,
        issuer="studio",
        expires_s=NOW_S + 60,
        starts_s=NOW_S - 5,
        issued_s=NOW_S - 4.5,
        token_id="01ff",
        session="session-1",
        account="a-7",
        max_height=720,
        watermark=b"\xaa",
    )


@pytest.mark.parametrize("key", [SECRET, P256, ED])
def test_a_token_without_an_id_has_one_however_it_is_spelt(key: SigningKey) -> None:
    """Tags and signatures have other spellings; a token that was revoked stays revoked."""
    text = token(key)
    spellings = (text, b64url(unb64url(text)[2:]), b64url(unb64url(text)[3:]), token(key))
    ids = {FORM.permission(each).token_id for each in spellings}
    assert len(ids) == 1
    assert ids.pop().startswith("sha256:")
    assert FORM.permission(token(key, exp=NOW_S + 61)).token_id not in ids


def test_tokens_look_like_nothing_else() -> None:
    """A glance tells them from JWTs and short tokens, tagged or not."""
    message = unb64url(token())
    assert message[:3].hex() == "d83dd1"
    for text in (token(), token(P256), token(ED), b64url(message[2:]), b64url(message[3:])):
        assert FORM.recognises(text)
        assert FORM.permission(text).expires_s == NOW_S + 60
        assert FORM.key_id_of(text) == ""
    others = ("", "a.b.c", "eyJhbGciOiJFZERTQSJ9.e30.AAAA", "exp=1~acl=/*~hmac=00", "2D3R" * 1100)
    assert not any(map(FORM.recognises, others))
    assert {reason_of(text) for text in others} == {"malformed"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (token(STRANGER), "bad-signature"),
        (token(replace(SECRET, kid="nobody")), "unknown-key"),
        (token(replace(ED, kid="p")), "wrong-algorithm"),
        (token(replace(SECRET, kid="e")), "wrong-algorithm"),
        (token() + "A", "malformed"),
        (token()[:-1], "malformed"),
        (token().replace("-", "+"), "malformed"),
        (token() + "=", "malformed"),
    ],
)
def test_what_is_not_genuine_is_refused(text: str, reason: str) -> None:
    """With the word for it."""
    assert reason_of(text) == reason


def test_a_token_that_names_no_key_is_tried_with_all_of_its_algorithm() -> None:
    """As RFC 9052 §3.1 has it: the id of a key is a hint."""
    assert FORM.permission(token(replace(ED, kid=""))).kid == "e"
    other = Issuer(name="other", forms=frozenset({"cat"}), keys=ISSUER.keys)
    assert reason_of(token(iss="nobody")) == "unknown-issuer"
    assert reason_of(token(), CatTokens([other])) == "unknown-issuer"
    assert CatTokens([replace(ISSUER, forms=frozenset({"hmac"}))]).kids == frozenset()


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": "1800000000"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": float("nan")}, "malformed"),
        ({"exp": 2**70}, "malformed"),
        ({"exp": cbor2.CBORTag(1, NOW_S)}, "malformed"),
        ({"nbf": "now"}, "malformed"),
        ({"iat": False}, "malformed"),
        ({"iss": 7}, "malformed"),
        ({"iss": ""}, "malformed"),
        ({"iss": "other"}, "unknown-issuer"),
        ({"sub": b"s"}, "malformed"),
        ({"aud": "cdn-2"}, "wrong-audience"),
        ({"aud": []}, "wrong-audience"),
        ({"aud": [1]}, "malformed"),
        ({"cti": "text"}, "malformed"),
        ({"catv": 2}, "not-understood"),
        ({"catv": 0}, "not-understood"),
        ({"catv": "1"}, "malformed"),
        ({"catreplay": 3, "cti": b"1"}, "not-understood"),
        ({"catreplay": 1}, "malformed"),
        ({"catm": "GET"}, "malformed"),
        ({"catm": [1]}, "malformed"),
        ({"catnip": []}, "malformed"),
        ({"catnip": [64512]}, "not-understood"),
        ({"catnip": ["192.0.2.0/24"]}, "malformed"),
        ({"catnip": [True]}, "malformed"),
        ({"catnip": [ipaddress.ip_interface("192.0.2.1/24")]}, "not-understood"),
        ({"catnip": [cbor2.CBORTag(52, [24, b"\xc0\x00\x02\x01"])]}, "malformed"),
        ({"catnip": [cbor2.CBORTag(53, b"\x01\x02\x03\x04")]}, "malformed"),
        ({"catu": {}}, "malformed"),
        ({"catu": [1]}, "malformed"),
        ({"catu": {3: {}}}, "malformed"),
        ({"catu": {3: "/film"}}, "malformed"),
        ({"catu": {9: {0: "x"}}}, "not-understood"),
        ({"catu": {"path": {0: "x"}}}, "not-understood"),
        ({"catu": {True: {0: "x"}}}, "not-understood"),
        ({"catu": {3: {5: "x"}}}, "not-understood"),
        ({"catu": {3: {0: b"x"}}}, "malformed"),
        ({"catu": {3: {4: "/film"}}}, "malformed"),
        ({"catu": {3: {4: []}}}, "malformed"),
        ({"catu": {3: {4: ["(a)\\1"]}}}, "not-understood"),
        ({"catu": {3: {4: ["(?=a)"]}}}, "not-understood"),
        ({"catu": {3: {4: ["(a{1000}){1000}"]}}}, "not-understood"),
        ({"catu": {3: {4: ["a", "m"]}}}, "not-understood"),
        ({"catu": {3: {4: ["a" * 2000]}}}, "not-understood"),
        ({"catu": {3: {-1: b"short"}}}, "malformed"),
        ({"catu": {3: {-1: "zz"}}}, "malformed"),
        ({"catr": {}}, "malformed"),
        ({"catr": {0: 1}}, "malformed"),
        ({"catr": {0: 4, 1: 60}}, "not-understood"),
        ({"catr": {0: 1, 1: 0}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 8: 1}}, "not-understood"),
        ({"catr": {0: 1, 1: 60, 3: "a=b"}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 4: "a\r\nb"}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 5: ["Path=/\r\nX: 1"]}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 7: 200}}, "not-understood"),
        ({"mh": -1}, "malformed"),
        ({"wm": "text"}, "malformed"),
    ],
)
def test_claims_that_cannot_be_kept_refuse_the_token(claims: dict[str, Any], reason: str) -> None:
    """Each kind of value that a claim may not have, and what is not understood."""
    assert reason_of(token(**claims)) == reason


@pytest.mark.parametrize(
    "label",
    [
        *(8, 41, 42, 43, 44, 45, 282, 309, 314, 315, 316, 317, 318, 319, 320, 321, 999, -1),
        *("abc", 1.0, True, None, b"x", (1,)),
    ],
)
def test_claims_that_are_not_known_refuse_the_token(label: Any) -> None:
    """Composite, encrypted, place, TLS, header and proof-of-possession claims among them."""
    claims = {LABELS[name]: value for name, value in CLAIMS.items() if LABELS[name] != label}
    assert reason_of(sealed({label: 1, **claims})) == "not-understood"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xa0\x00",
        b"\x80",
        bytes.fromhex("a2041a6b49d200041a6b49d201"),  # exp twice
        bytes.fromhex("bf041a6b49d200ff"),  # of no stated length
        b"\xa1\x04" + b"\x81" * 50 + b"\x00",
        bytes.fromhex("a104c4821b7fffffffffffffff01"),  # a huge decimal fraction
        b"\xa1\x01\x62\xff\x41",
    ],
)
def test_payloads_that_are_no_claims_are_malformed(payload: bytes) -> None:
    """Also when their signature is right."""
    assert reason_of(sealed(payload)) == "malformed"


SHA = hashlib.sha256(b"/film/v0/seg.1.m4s").digest()
SHA512 = hashlib.new("sha512_256", b"/film/v0/seg.1.m4s").digest()


@pytest.mark.parametrize(
    ("catu", "holds"),
    [
        ({0: {0: "https"}}, True),
        ({0: {0: "HTTPS"}}, True),
        ({0: {0: "http"}}, False),
        ({1: {0: "cdn.example"}}, True),
        ({1: {0: "CDN.Example"}}, True),
        ({1: {2: ".example"}}, True),
        ({1: {0: "cdn.example:8443"}}, False),
        ({1: {0: "example"}}, False),
        ({2: {0: "8443"}}, True),
        ({2: {0: "443"}}, False),
        ({3: {0: "/film/v0/seg.1.m4s"}}, True),
        ({3: {0: "/Film/v0/seg.1.m4s"}}, False),
        ({3: {1: "/film/"}}, True),
        ({3: {1: "/fil"}}, True),
        ({3: {1: "/films/"}}, False),
        ({3: {2: ".m4s"}}, True),
        ({3: {3: "/v0/"}}, True),
        ({3: {3: "/v1/"}}, False),
        ({3: {4: ["^/film/v[0-9]/"]}}, True),
        ({3: {4: ["v0"]}}, True),
        ({3: {4: ["^v0"]}}, False),
        ({3: {4: ["SEG", "i"]}}, True),
        ({3: {4: ["SEG", None]}}, False),
        ({3: {-1: SHA}}, True),
        ({3: {-1: SHA.hex()}}, True),
        ({3: {-1: SHA512}}, False),
        ({3: {-2: SHA512}}, True),
        ({4: {0: "a=1"}}, True),
        ({4: {0: ""}}, False),
        ({5: {0: "/film/v0"}}, True),
        ({5: {0: "/film/v0/"}}, False),
        ({6: {0: "seg.1.m4s"}}, True),
        ({7: {0: "seg.1"}}, True),
        ({8: {0: ".m4s"}}, True),
        ({8: {0: "m4s"}}, False),
        ({3: {1: "/film/", 2: ".m4s"}}, True),
        ({3: {1: "/film/", 2: ".m3u8"}}, False),
        ({3: {1: "/film/"}, 0: {0: "http"}}, False),
    ],
)
def test_uris_are_matched_by_parts(catu: dict[int, Any], holds: bool) -> None:
    """Every kind of match; all matches of all parts must hold."""
    assert allows(catu=catu) is holds


def test_ports_hosts_and_names_at_their_borders() -> None:
    """The scheme's own port, addresses in brackets, names without and with nothing but a dot."""
    assert allows(replace(ASKED, authority="cdn.example"), catu={2: {0: "443"}})
    assert allows(replace(ASKED, authority="cdn.example", scheme="http"), catu={2: {0: "80"}})
    assert allows(replace(ASKED, authority="[::1]:8443"), catu={1: {0: "[::1]"}, 2: {0: "8443"}})
    assert allows(replace(ASKED, authority="[::1]"), catu={1: {0: "[::1]"}, 2: {0: "443"}})
    assert allows(replace(ASKED, path="main"), catu={7: {0: "main"}, 8: {0: ""}})
    assert allows(replace(ASKED, path=".key"), catu={7: {0: ".key"}, 8: {0: ""}})
    assert allows(replace(ASKED, path="a."), catu={7: {0: "a"}, 8: {0: "."}})
    assert allows(replace(ASKED, path=""), catu={5: {0: "/film"}, 6: {0: ""}})


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("match", [{4: [".*"]}, {1: ""}, {2: ""}, {3: ""}, {0: ""}])
def test_what_a_request_does_not_say_fits_nothing(part: int, match: dict[int, Any]) -> None:
    """Not even a pattern that an empty text fits."""
    assert not allows(Asked(title="film", path="main.m3u8"), catu={part: match})


def test_an_issuer_with_a_base_has_one_host_wherever_viewers_come_in() -> None:
    """Behind a proxy for TLS the client's scheme and host are not what the server sees."""
    form = CatTokens([replace(ISSUER, base="https://cdn.example")])
    found = form.permission(token(catu={0: {0: "https"}, 1: {0: "cdn.example"}, 2: {0: "443"}}))
    asked = replace(ASKED, scheme="http", authority="10.0.0.1:8080")
    assert refusal(found, asked) is None
    assert refusal(FORM.permission(token(catu={0: {0: "https"}})), asked) == "wrong-uri"


def test_methods_are_those_of_the_list() -> None:
    """HEAD is not GET; an empty list permits none."""
    assert allows(catm=["GET", "POST"])
    assert not allows(replace(ASKED, method="HEAD"), catm=["GET"])
    assert not allows(catm=[])
    assert not allows(catm=["get"])


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", True),
        ("", False),
        ("unknown", False),
        ("10.0.0.9", True),
        ("10.0.0.8", False),
    ],
)
def test_addresses_are_matched_by_prefix(address: str, holds: bool) -> None:
    """One network suffices; a number of an autonomous system beside them permits nobody more."""
    nets = ["192.0.2.0/24", "2001:db8::/32", "fe80::/10"]
    catnip = [64512, *map(ipaddress.ip_network, nets), ipaddress.ip_address("10.0.0.9")]
    assert allows(replace(ASKED, address=address), catnip=catnip) is holds


def test_prefixes_are_read_with_and_without_the_zeros_at_their_end() -> None:
    """RFC 9164 leaves them out, node-cat writes them."""
    for octets in (b"\xc0\x00\x02", b"\xc0\x00\x02\x00"):
        assert allows(catnip=[cbor2.CBORTag(52, [24, octets])])


def test_limits_say_what_they_want_and_what_they_found() -> None:
    """For the one who asks why a URL is refused."""
    catu = {1: {0: "cdn.example"}, 3: {1: "/show/"}}
    nets = [ipaddress.ip_network("10.0.0.0/8")]
    found = FORM.permission(token(catu=catu, catm=["PUT", "GET"], catnip=nets))
    said = {limit.claim: (limit.wanted, limit.found(ASKED)) for limit in found.limits}
    assert said == {
        "catm": ("GET or PUT", "GET"),
        "catnip": ("a client in 10.0.0.0/8", "192.0.2.7"),
        "catu": ("host exact cdn.example, path prefix /show/", "path /film/v0/seg.1.m4s"),
    }
    unknown = Asked(title="film", path="main.m3u8")
    assert {limit.claim: limit.found(unknown) for limit in found.limits} == {
        "catm": "GET",
        "catnip": "a client whose address is not known",
        "catu": "a request whose host is not known",
    }


def renewing(**catr: Any) -> Permission:
    """What a token permits that is renewed by cookie, with the changes."""
    names = {"way": 0, "add": 1, "within": 2, "cookie": 3, "field": 4, "cookies": 5, "fields": 6}
    claim = {names[name]: value for name, value in {"way": 1, "add": 120, **catr}.items()}
    form = CatTokens([replace(ISSUER, renewing=SECRET)])
    return form.permission(token(catr=claim, cti=b"1", nbf=NOW_S - 100, catm=["GET"]))


def fields(found: Permission, *, now_s: float, carriage: str = "") -> dict[str, str]:
    assert found.renewal is not None
    asked = replace(ASKED, carriage=carriage)
    return dict(found.renewal.fields(asked=asked, now_s=now_s))


def test_a_renewed_token_says_the_same_and_ends_later() -> None:
    """Counted from the renewal, not from the old end: renewals cannot be piled up."""
    found = renewing(way=2, within=30, field="X-Token", fields=["a=b"])
    assert fields(found, now_s=NOW_S + 29.9) == {}  # too early
    value = fields(found, now_s=NOW_S + 30.5)["X-Token"]
    text, parameter = value.split("; ")
    assert parameter == "a=b"
    fresh = CatTokens([replace(ISSUER, renewing=SECRET)]).permission(text)
    assert (fresh.issued_s, fresh.expires_s) == (NOW_S + 30, NOW_S + 150)
    assert (fresh.starts_s, fresh.limits) == (found.starts_s, found.limits)
    assert fresh.token_id not in {"", found.token_id}
    again = fields(found, now_s=NOW_S + 31)["X-Token"]
    assert again != value


def test_cookies_are_for_scripts_of_nobody_unless_the_token_says_what_else() -> None:
    """Over TLS they may be sent from pages of other sites."""
    cookie = fields(renewing(), now_s=NOW_S + 1)["Set-Cookie"]
    name, *parameters = cookie.split("; ")
    assert name.startswith("CTA-Common-Access-Token=2D3R")
    assert parameters == ["Path=/", "Max-Age=120", "HttpOnly", "Secure", "SameSite=None"]
    other = fields(renewing(cookie="t", cookies=["Path=/film"]), now_s=NOW_S + 1)["Set-Cookie"]
    assert other.startswith("t=2D3R")
    assert other.endswith("; Path=/film")


def test_an_automatic_renewal_takes_the_way_of_the_token() -> None:
    """A token in a cookie is renewed by cookie, one in a field by field."""
    found = renewing(way=0)
    assert fields(found, now_s=NOW_S + 1, carriage="cookie").keys() == {"Set-Cookie"}
    assert fields(found, now_s=NOW_S + 1, carriage="header").keys() == {"CTA-Common-Access-Token"}
    assert fields(found, now_s=NOW_S + 1) == {}


def refused(catif: object, *, now_s: float = NOW_S + 61, asked: Asked = ASKED) -> TokenError:
    """The refusal of a token that says what to answer, by a tier that may sign."""
    form = CatTokens([replace(ISSUER, renewing=SECRET)])
    verifier = TokenVerifier(PathTokens({"keys": []}), [form])
    text = token(catif=catif, catu={3: {1: "/film/"}}, catm=["GET"], cti=b"1", catreplay=1)

    def use() -> None:
        found = verifier.verify(text, asked=asked, now_s=now_s)
        verifier.use(found, asked=asked, now_s=now_s)

    with contextlib.suppress(TokenError):
        use()
    with pytest.raises(TokenError) as caught:
        use()
    return caught.value


SIGN_IN = [302, {"Location": "https://a.example/sign-in"}, None]


def test_a_token_may_say_what_to_answer_when_it_is_refused() -> None:
    """For the claim that failed; for others, the usual answer is given."""
    catif = {4: SIGN_IN, (312, 313): [401, {"X-Why": "elsewhere"}]}
    ended = refused(catif)
    assert (ended.reason, ended.http_status) == ("expired", 302)
    assert ended.fields == (("Location", "https://a.example/sign-in"),)
    elsewhere = refused(catif, now_s=NOW_S, asked=replace(ASKED, title="show"))
    assert (elsewhere.reason, elsewhere.http_status) == ("wrong-uri", 401)
    posted = refused(catif, now_s=NOW_S, asked=replace(ASKED, method="POST"))
    assert (posted.reason, posted.fields) == ("wrong-method", (("X-Why", "elsewhere"),))
    again = refused(catif, now_s=NOW_S)
    assert (again.reason, again.http_status, again.fields) == ("used", 403, ())
    assert refused({308: SIGN_IN}, now_s=NOW_S).http_status == 302


def test_a_redirect_may_carry_a_new_token() -> None:
    """Signed with the key that it names, if that is the one we may sign with."""
    location = ["https://a.example/?cat=", {1: "studio", 4: NOW_S + 900, 312: {3: {1: "/x/"}}}]
    ended = refused({4: [307, {"Location": location}, "shared"]})
    url, _, text = ended.fields[0][1].partition("=")
    assert (ended.http_status, url) == (307, "https://a.example/?cat")
    found = FORM.permission(text)
    assert (found.expires_s, found.issued_s) == (NOW_S + 900, NOW_S + 61)
    assert refusal(found, replace(ASKED, title="x")) is None
    for kid in ("other", b"other", None):
        assert refused({4: [307, {"Location": location}, kid]}).http_status == 403
    assert refused({4: [307, {"Location": location}, b"shared"]}).http_status == 307


@pytest.mark.parametrize(
    ("catif", "reason"),
    [
        ([], "malformed"),
        ({4: 302}, "malformed"),
        ({4: [302]}, "malformed"),
        ({(): SIGN_IN}, "malformed"),
        ({1.5: SIGN_IN}, "malformed"),
        ({4: [200, {}]}, "not-understood"),
        ({4: [304, {}]}, "not-understood"),
        ({4: [True, {}]}, "not-understood"),
        ({4: [302, []]}, "malformed"),
        ({4: [302, {f"a{n}": "b" for n in range(17)}]}, "malformed"),
        ({4: [302, {"a b": "c"}]}, "malformed"),
        ({4: [302, {"a": "b\r\nc: d"}]}, "malformed"),
        ({4: [302, {"a": ""}]}, "malformed"),
        ({4: [302, {"a": ["b", {}]}]}, "malformed"),
        ({4: [302, {"Location": ["b", {999: 1}]}]}, "not-understood"),
        ({4: [302, {"Content-Length": "9"}]}, "not-understood"),
        ({4: [302, {"transfer-encoding": "chunked"}]}, "not-understood"),
        ({4: [302, {"Cache-Control": "max-age=9"}]}, "not-understood"),
        ({4: [302, {}, 7]}, "malformed"),
    ],
)
def test_answers_that_we_do_not_give_refuse_the_token(catif: object, reason: str) -> None:
    """None looks like a success, is stored, or frames a message."""
    assert reason_of(token(catif=catif)) == reason


def test_without_a_key_that_may_sign_a_token_is_not_renewed() -> None:
    """It opens what it opens until it ends."""
    assert FORM.permission(token(catr={0: 1, 1: 120})).renewal is None


def uses(verifier: TokenVerifier, text: str, *asked: Asked, now_s: float = NOW_S) -> list[str]:
    """What becomes of a token for each request: empty, or the reason of the refusal."""
    reasons = []
    for each in asked:
        found = verifier.verify(text, asked=each, now_s=now_s)
        try:
            verifier.use(found, asked=each, now_s=now_s)
        except TokenError as exc:
            reasons.append(exc.reason)
        else:
            reasons.append("")
    return reasons


def with_cat(memory: ReplayMemory | None = None) -> TokenVerifier:
    """A verifier of our own tokens and of these."""
    return TokenVerifier(PathTokens({"keys": []}), [FORM], uses=memory)


def test_a_token_that_must_not_be_replayed_is_used_once_whatever_is_asked() -> None:
    """By its id, so another text of the same token does not help; others are not concerned."""
    verifier, other = with_cat(), replace(ASKED, path="v0/2.m4s")
    once = token(cti=b"1", catreplay=1)
    assert uses(verifier, once, ASKED, ASKED, other) == ["", "used", "used"]
    untagged = b64url(unb64url(once)[2:])
    assert uses(verifier, untagged, ASKED) == ["used"]
    assert uses(verifier, token(cti=b"2", catreplay=1), ASKED) == [""]
    assert uses(verifier, token(cti=b"1", catreplay=0), ASKED, ASKED) == ["", ""]


def test_a_token_whose_reuse_is_only_to_be_noticed_is_counted() -> None:
    """CTA-5007 leaves to the server what it does about it."""
    verifier = with_cat()
    assert uses(verifier, token(cti=b"1", catreplay=2), ASKED, ASKED, ASKED) == ["", "", ""]
    assert verifier.uses.again == 2


def test_when_nobody_can_know_whether_a_token_was_used_it_is_refused() -> None:
    """Until one that is remembered has ended."""
    verifier = with_cat(ReplayMemory(capacity=1))
    first, second = (token(cti=cti, catreplay=1) for cti in (b"1", b"2"))
    assert uses(verifier, first, ASKED) == [""]
    assert uses(verifier, second, ASKED) == ["too-many"]
    later = token(cti=b"3", catreplay=1, exp=NOW_S + 120)
    assert uses(verifier, later, ASKED, now_s=NOW_S + 60) == [""]


def test_times_are_those_of_the_token_whatever_leeway_libraries_give() -> None:
    """PyPI's cwt would take it for a minute longer; the beginning has the verifier's allowance."""
    verifier, text = with_cat(), token(nbf=NOW_S)
    assert verifier.verify(text, asked=ASKED, now_s=NOW_S + 59.999).starts_s == NOW_S
    for now_s, reason in ((NOW_S + 60, "expired"), (NOW_S - 31, "not-yet")):
        with pytest.raises(TokenError) as caught:
            verifier.verify(text, asked=ASKED, now_s=now_s)
        assert caught.value.reason == reason


def test_minting_refuses_claims_that_nobody_would_accept() -> None:
    """With the names that can be used."""
    with pytest.raises(ValueError, match=r"claims \['catx'\]; expected some of iss, sub"):
        token(catx=1)


def test_nothing_of_a_token_or_key_is_in_a_repr() -> None:
    """They end up in logs."""
    text = repr(FORM) + repr(FORM.permission(token(wm=b"\xaa\xbb", catr={0: 1, 1: 9})))
    assert "studio" in text
    assert "xaa" not in text
    assert repr(SECRET.key) not in text


@given(st.binary(max_size=120), st.sampled_from([SECRET, P256, ED]))
def test_any_genuine_payload_is_read_or_refused(payload: bytes, key: SigningKey) -> None:
    """No other error, whatever an issuer signs."""
    try:
        FORM.permission(sealed(payload, key))
    except TokenError as exc:
        assert exc.reason in REASONS


scalars = st.none() | st.booleans() | st.integers(-70000, 2**40) | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars | st.binary(max_size=5) | st.sampled_from([ipaddress.ip_network("10.0.0.0/8")]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(-3, 9) | st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(LABELS)), values, max_size=5))
def test_any_claims_are_read_or_refused(claims: dict[str, Any]) -> None:
    """And what they limit can be asked of any request."""
    try:
        found = FORM.permission(token(**claims))
    except TokenError as exc:
        assert exc.reason in REASONS
    else:
        assert refusal(found) in {None, *REASONS}
        assert refusal(found, Asked(title="")) in {None, *REASONS}
