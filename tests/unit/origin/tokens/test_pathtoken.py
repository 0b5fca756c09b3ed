"""Tokens: what is accepted, and the reason for everything that is not."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import KeyStoreError, TokenError
from origin.tokens.keysets import b64url, keys_from, unb64url
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.permission import Asked
from origin.tokens.redaction import conceal, redact
from origin.tokens.refusals import REASONS
from origin.tokens.verifier import TokenVerifier

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ISSUER = TokenIssuer(KEY)
NOW_S = 1_800_000_000.25
TOKEN = ISSUER.issue("film", now_s=NOW_S, session_id="s1", ttl_s=60, session_s=600)
PAYLOAD: dict[str, Any] = {
    "sub": "s1",
    "title": "film",
    "iat": int(NOW_S),
    "exp": int(NOW_S) + 60,
    "ses": int(NOW_S) + 600,
    "jti": "j",
}


def verifier() -> TokenVerifier:
    return TokenVerifier(PathTokens(ISSUER.jwks()))


def signed(
    payload: object = None,
    *,
    key: Ed25519PrivateKey = KEY,
    header: dict[str, Any] | None = None,
    **changes: object,
) -> str:
    """A token signed by hand, with any header and payload."""
    body = {**PAYLOAD, **changes} if payload is None else payload
    head = {"alg": "EdDSA", "typ": "JWT", "kid": ISSUER.kid} if header is None else header
    text = ".".join(b64url(json.dumps(part).encode()) for part in (head, body))
    return f"{text}.{b64url(key.sign(text.encode()))}"


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(TokenError) as caught:
        call()
    assert caught.value.http_status == 403
    assert str(caught.value) == REASONS[caught.value.reason]
    return caught.value.reason


def test_a_token_opens_its_title_and_says_what_it_is() -> None:
    """Whole seconds: 1800000000.25 + 60 is signed as ...061, + 600 as ...601."""
    claims = verifier().verify(TOKEN, asked=Asked(title="film"), now_s=NOW_S)
    assert (claims.session, claims.title) == ("s1", "film")
    assert (claims.issued_s, claims.expires_s) == (1_800_000_000, 1_800_000_061)
    assert claims.session_ends_s == 1_800_000_601


def test_any_jwt_library_can_verify_it_with_the_published_key_set() -> None:
    """PyJWT's own key set reader finds the key by id and accepts the signature."""
    key = jwt.PyJWKSet.from_dict(ISSUER.jwks())[ISSUER.kid]
    options: Any = {"verify_exp": False, "verify_iat": False}
    payload = jwt.decode(TOKEN, key, algorithms=["EdDSA"], options=options)
    assert payload["title"] == "film"


HMAC_HEADER = {"alg": "HS256", "typ": "JWT", "kid": ISSUER.kid}
REFUSED: list[tuple[str, str, str | None]] = [
    ("nothing", "missing", None),
    ("empty text", "missing", ""),
    ("a word", "malformed", "token"),
    ("three words", "malformed", "a.b.c"),
    ("not ASCII", "malformed", "é" + TOKEN),
    ("a fourth part", "malformed", TOKEN + ".x"),
    ("padding", "malformed", TOKEN + "=="),
    ("a line break at the end", "malformed", TOKEN + "\n"),
    ("far too long", "malformed", "a" * 3000 + TOKEN),
    ("a nest of brackets for a header", "malformed", f"{b64url(b'[' * 1500)}.e30.{'A' * 86}"),
    ("a header that is a list", "malformed", f"{b64url(b'[]')}.e30.{'A' * 86}"),
    ("another spelling of the same signature", "malformed", TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1)),
    ("algorithm none", "malformed", signed(header={"alg": "none", "kid": ISSUER.kid})),
    ("algorithm HS256", "malformed", signed(header=HMAC_HEADER)),
    ("no algorithm", "malformed", signed(header={"kid": ISSUER.kid})),
    ("no key id", "malformed", signed(header={"alg": "EdDSA"})),
    ("a key id that is a number", "malformed", signed(header={"alg": "EdDSA", "kid": 1})),
    (
        "a key brought along",
        "malformed",
        signed(header={"alg": "EdDSA", "kid": ISSUER.kid, "jwk": ISSUER.jwks()["keys"][0]}),
    ),
    (
        "a critical extension",
        "malformed",
        signed(header={"alg": "EdDSA", "kid": ISSUER.kid, "crit": ["b64"], "b64": False}),
    ),
    ("an unknown key id", "unknown-key", signed(header={"alg": "EdDSA", "kid": "other"})),
    ("somebody else's signature", "bad-signature", signed(key=OTHER_KEY)),
    (
        "a payload from another token",
        "bad-signature",
        ".".join([TOKEN.split(".")[0], signed(title="*").split(".")[1], TOKEN.split(".")[2]]),
    ),
    ("a payload that is a list", "malformed", signed([])),
    ("no title", "malformed", signed(title=None)),
    ("a title that is a list", "malformed", signed(title=["film"])),
    ("an empty session", "malformed", signed(sub="")),
    ("an expiry that is text", "malformed", signed(exp="1900000000")),
    ("an expiry that is true", "malformed", signed(exp=True)),
    ("an endless number", "malformed", signed(exp=float("inf"))),
    ("no session end", "malformed", signed(ses=None)),
    ("expiry after the session", "malformed", signed(ses=int(NOW_S) + 1)),
    ("any title, for a viewer", "malformed", signed(title="*")),
    ("a tier's token for one title", "malformed", signed(use="tier")),
    ("a use we do not know", "malformed", signed(use="admin", title="*")),
    ("another title", "wrong-title", signed(title="other")),
    ("the title in capitals", "wrong-title", signed(title="Film")),
    ("the title with a slash", "wrong-title", signed(title="film/")),
    ("expired", "expired", signed(iat=1, exp=int(NOW_S))),
    ("expired with its session", "session-over", signed(iat=1, exp=2, ses=3)),
    (
        "issued in the future",
        "not-yet",
        signed(iat=int(NOW_S) + 40, exp=int(NOW_S) + 60),
    ),
]


@pytest.mark.parametrize(
    ("reason", "token"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refusals_name_their_reason(reason: str, token: str | None) -> None:
    """Twice each: a refused token is not remembered as good."""
    one = verifier()
    for _ in range(2):
        assert (
            reason_of(lambda: one.verify(token, asked=Asked(title="film"), now_s=NOW_S)) == reason
        )


def test_every_reason_has_words_for_the_client() -> None:
    """The table above exercises each reason of this form."""
    assert {row[1] for row in REFUSED} <= set(REASONS)
    assert len({row[1] for row in REFUSED}) == 8


def test_a_remembered_token_still_expires() -> None:
    """Expiry is read from the clock on every call: valid at 60.9 s, not at 61 s."""
    one = verifier()
    one.verify(TOKEN, asked=Asked(title="film"), now_s=1_800_000_060.9)
    assert (
        reason_of(lambda: one.verify(TOKEN, asked=Asked(title="film"), now_s=1_800_000_061))
        == "expired"
    )
    one.verify(TOKEN, asked=Asked(title="film"), now_s=1_800_000_061, leeway_s=1)
    assert (
        reason_of(lambda: one.verify(TOKEN, asked=Asked(title="a"), now_s=NOW_S)) == "wrong-title"
    )


def test_a_clock_slightly_behind_the_issuers_is_tolerated() -> None:
    """Thirty seconds by default: the issuer's clock may be ahead of a tier's."""
    one = verifier()
    one.verify(TOKEN, asked=Asked(title="film"), now_s=1_799_999_970)
    assert (
        reason_of(lambda: one.verify(TOKEN, asked=Asked(title="film"), now_s=1_799_999_969))
        == "not-yet"
    )


def test_renewal_keeps_the_session_and_never_outlives_it() -> None:
    """Renewed at 590 s for 60 s, the new token ends with the session at 601 s."""
    one = verifier()
    late_s = 1_800_000_590.0
    old = one.verify_renewable(TOKEN, asked=Asked(title="film"), now_s=late_s)
    fresh = one.verify(
        ISSUER.renew(old, now_s=late_s, ttl_s=60), asked=Asked(title="film"), now_s=late_s
    )
    assert (fresh.session, fresh.title, fresh.session_ends_s) == ("s1", "film", 1_800_000_601)
    assert fresh.expires_s == 1_800_000_601
    assert fresh.token_id != old.token_id


def test_nothing_is_renewed_after_the_session() -> None:
    """From the session's end on, both halves of a renewal refuse."""
    one = verifier()
    old = one.verify(TOKEN, asked=Asked(title="film"), now_s=NOW_S)
    over_s = 1_800_000_601.0
    assert reason_of(lambda: ISSUER.renew(old, now_s=over_s)) == "session-over"
    renew = one.verify_renewable
    assert (
        reason_of(lambda: renew(TOKEN, asked=Asked(title="film"), now_s=over_s)) == "session-over"
    )
    assert reason_of(lambda: renew(TOKEN, asked=Asked(title="other"), now_s=NOW_S)) == "wrong-title"
    assert reason_of(
        lambda: renew(signed(key=OTHER_KEY), asked=Asked(title="film"), now_s=NOW_S)
    ) == ("bad-signature")


@pytest.mark.parametrize("wrong", [{"title": "*"}, {"title": ""}, {"ttl_s": 0}, {"session_id": ""}])
def test_nonsense_is_not_signed(wrong: dict[str, Any]) -> None:
    """Misuse by a programmer is a ValueError."""
    with pytest.raises(ValueError, match="token"):
        ISSUER.issue(**{"title": "film", "now_s": NOW_S, "session_id": "s", **wrong})


def test_rotated_keys_take_effect_at_once() -> None:
    """A token verified before its key left is refused afterwards."""
    one = verifier()
    one.verify(TOKEN, asked=Asked(title="film"), now_s=NOW_S)
    one.replace_keys(TokenIssuer(OTHER_KEY, "two").jwks())
    assert one.kids == {"two"}
    assert (
        reason_of(lambda: one.verify(TOKEN, asked=Asked(title="film"), now_s=NOW_S))
        == "unknown-key"
    )


def test_the_same_keys_again_forget_nothing() -> None:
    """A key set is fetched again now and then; one that only grew keeps what was verified."""
    one = verifier()
    one.verify(TOKEN, asked=Asked(title="film"), now_s=NOW_S)
    both = {"keys": [*ISSUER.jwks()["keys"], *TokenIssuer(OTHER_KEY, "two").jwks()["keys"]]}
    one.replace_keys(both)
    assert list(one._memo) == [TOKEN]
    one.replace_keys(TokenIssuer(OTHER_KEY, ISSUER.kid).jwks())
    assert list(one._memo) == []


def test_the_memory_is_bounded_and_forgets_the_least_recently_used() -> None:
    """Of three tokens in a memory for two, the one not used since is verified anew."""
    one = TokenVerifier(PathTokens(ISSUER.jwks()), memo_size=2)
    tokens = [ISSUER.issue("film", now_s=NOW_S, session_id=str(n)) for n in range(3)]
    for n in (0, 1, 0, 2):
        one.verify(tokens[n], asked=Asked(title="film"), now_s=NOW_S)
    assert list(one._memo) == [tokens[0], tokens[2]]


def test_a_remembered_token_is_much_cheaper() -> None:
    """The memory saves the signature check: at least five times faster."""
    one = verifier()

    def seconds(clear: bool) -> float:
        begin = time.perf_counter()
        for _ in range(100):
            if clear:
                one._memo.clear()
            one.verify(TOKEN, asked=Asked(title="film"), now_s=NOW_S)
        return time.perf_counter() - begin

    assert min(seconds(True) for _ in range(3)) > 5 * min(seconds(False) for _ in range(3))


@given(st.text(max_size=200))
def test_random_text_is_refused_and_raises_nothing_else(text: str) -> None:
    """Whatever comes in, the answer is TokenError."""
    assert (
        reason_of(lambda: verifier().verify(text, asked=Asked(title="film"), now_s=NOW_S))
        in REASONS
    )


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(min_size=64, max_size=64))
def test_random_bytes_in_token_shape_are_refused(head: bytes, body: bytes, sign: bytes) -> None:
    """Also when the text has the shape of a token."""
    token = f"{b64url(head)}.{b64url(body)}.{b64url(sign)}"
    assert (
        reason_of(lambda: verifier().verify(token, asked=Asked(title="film"), now_s=NOW_S))
        in REASONS
    )


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(PAYLOAD)), ANY_JSON)
def test_a_genuine_signature_over_any_claims_raises_nothing_else(name: str, value: object) -> None:
    """Even a key of ours that signed nonsense gives a refusal or valid claims."""
    token = signed({**PAYLOAD, name: value})
    with contextlib.suppress(TokenError):
        assert verifier().verify(token, asked=Asked(title="film"), now_s=NOW_S).title == "film"


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_changing_any_one_character_refuses(position: int, character: str) -> None:
    """There is no second spelling of a valid token."""
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    if changed != TOKEN:
        assert (
            reason_of(lambda: verifier().verify(changed, asked=Asked(title="film"), now_s=NOW_S))
            in REASONS
        )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"/t/{TOKEN}/film/v0/00001.m4s", "/t/-/film/v0/00001.m4s"),
        (f"http://127.0.0.1:8081/t/{TOKEN}/film/x?y=1", "http://127.0.0.1:8081/t/-/film/x?-"),
        ("/t/garbage/film/x", "/t/-"),
        ("/%74/garbage/film/x", "/%74/-"),
        (f"/t%2F{TOKEN}/film/x", "/t%2F-/film/x"),
        (f"/t/{TOKEN}a/film/x", "/t/-"),
        (f"/t/{TOKEN[:50]}/{TOKEN[50:]}/film/x: gone", "/t/- gone"),
        ("/t/-/film/x", "/t/-/film/x"),
        (f"/film/x?token={TOKEN}", "/film/x?-"),
        (f"/film/{TOKEN.replace('.', '%2E')}", "/film/-"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer -"),
        (f"t/{TOKEN}", "t/-"),
        ("/film/v0/playlist.m3u8", "/film/v0/playlist.m3u8"),
    ],
)
def test_tokens_are_taken_out_of_text(text: str, shown: str) -> None:
    """Wherever a token stands in a path, URL or header line, a dash remains."""
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/films/playlist/v0/multivariant", "/films/playlist/v0/multivariant"),
        ("/a/00000.ts", "/a/-"),
        (f"/{TOKEN[4:]}/x", "/-/x"),
        (f"/{TOKEN[:9]}/{TOKEN[9:17]}/{TOKEN[17:]}", "/-/-/-"),
        ("/playlist?x=1", "/-"),
    ],
)
def test_of_what_nobody_allowed_only_words_are_shown(text: str, shown: str) -> None:
    assert conceal(text) == shown


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_surrounding_text_saves_a_token_from_redaction(before: str, after: str) -> None:
    """The signature never survives whole."""
    assert TOKEN not in redact(f"{before}{TOKEN}{after}")


def test_long_text_is_redacted_in_reasonable_time() -> None:
    """Logging must not be a way to keep the server busy: 100 kB in under 0.2 s."""
    begin = time.perf_counter()
    redact("a" * 50_000 + "%2e" + "b." * 25_000)
    assert time.perf_counter() - begin < 0.2


@pytest.mark.parametrize(
    "jwks",
    [
        None,
        [],
        {},
        {"keys": "x"},
        {"keys": 3},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a"}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "short"}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": 5}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": b64url(bytes(32))}]},
    ],
)
def test_a_damaged_key_set_is_named(jwks: Any) -> None:
    """A parent that answers nonsense is an error of ours, never a KeyError."""
    with pytest.raises(KeyStoreError, match="key set"):
        keys_from(jwks)


def test_keys_of_other_kinds_are_left_out_of_a_key_set() -> None:
    """A verifier uses what it understands and ignores the rest."""
    mixed = {"keys": [{"kty": "RSA"}, "x", {"kty": "OKP", "crv": "X25519"}, *ISSUER.jwks()["keys"]]}
    assert list(keys_from(mixed)) == [ISSUER.kid]
    assert TokenVerifier(PathTokens(mixed)).jwks() == ISSUER.jwks()
    assert unb64url(b64url(b"abc")) == b"abc"
