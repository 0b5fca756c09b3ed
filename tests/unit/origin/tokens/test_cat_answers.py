"""What comes of a Common Access Token beside yes and no: renewal, answers, uses."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest

from abr.errors import TokenError
from origin.tokens.cat.form import CatTokens
from origin.tokens.keysets import b64url, unb64url
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Asked, Permission
from origin.tokens.replay import ReplayMemory
from origin.tokens.revocation import DenyList, Revocation
from origin.tokens.verifier import TokenVerifier
from tests.fakes.cats import (
    ASKED,
    FORM,
    ISSUER,
    NOW_S,
    SECRET,
    reason_of,
    refusal,
    token,
)


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


def test_a_revoked_token_gives_no_answer_of_its_own_and_so_no_new_token() -> None:
    """Whatever else is wrong with the request."""
    location = ["https://a.example/?cat=", {1: "studio", 4: NOW_S + 900}]
    catif = {(4, 5, 312, 313): [307, {"Location": location}, "shared"]}
    text = token(catif=catif, catu={3: {1: "/film/"}}, catm=["GET"], nbf=NOW_S, sub="s1")
    denied = DenyList()
    form = CatTokens([replace(ISSUER, renewing=SECRET)])
    verifier = TokenVerifier(PathTokens({"keys": []}), [form], denied=denied)
    requests = (
        (replace(ASKED, title="show"), NOW_S),
        (replace(ASKED, method="POST"), NOW_S),
        (ASKED, NOW_S - 40),
        (ASKED, NOW_S + 61),
    )

    def answers() -> list[tuple[str, int]]:
        found = []
        for asked, now_s in requests:
            with pytest.raises(TokenError) as caught:
                verifier.verify(text, asked=asked, now_s=now_s)
            found.append((caught.value.reason, caught.value.http_status))
        return found

    assert {status for _, status in answers()} == {307}
    entry = Revocation(kind="session", value="s1", until_s=NOW_S + 999, changed_ms=1)
    denied.merge([entry], now_s=NOW_S - 40)
    assert answers() == [("revoked", 403)] * 4


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
