"""Tokens of tiers: what they open, what they say of a viewer, and who can make them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import ConfigError, TokenError
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Asked, Permission
from origin.tokens.redaction import redact
from origin.tokens.revocation import DenyList, Revocation
from origin.tokens.tiertoken import TTL_S, TierTokens, parse_secrets
from origin.tokens.verifier import TokenVerifier

NOW_S = 1_800_000_000.25
SECRET, OTHER = "a" * 24, "b" * 30
TIERS = TierTokens(parse_secrets(SECRET, where="test"))
VIEWER = Permission(
    form="path",
    kid="k1",
    expires_s=NOW_S + 600,
    issued_s=NOW_S - 60,
    session_ends_s=NOW_S + 6000,
    token_id="t1",
    session="s1",
    account="a1",
    title="film",
    max_height=720,
    watermark=b"\x01\x02",
)


def verifier(tiers: TierTokens = TIERS, denied: DenyList | None = None) -> TokenVerifier:
    return TokenVerifier(PathTokens({"keys": []}), [tiers], denied=denied)


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(TokenError) as caught:
        call()
    return caught.value.reason


def test_a_tiers_token_opens_its_title_for_a_minute_and_names_nobody() -> None:
    token = TIERS.for_title("film", now_s=NOW_S)
    check = verifier()
    said = check.verify(token, asked=Asked(title="film"), now_s=NOW_S + TTL_S)
    assert (said.form, said.session, said.account, said.token_id[:7]) == ("tier", "", "", "sha256:")
    for title, now_s, reason in (
        ("other", NOW_S, "wrong-title"),
        ("film", NOW_S + TTL_S + 1, "expired"),
    ):
        asked = Asked(title=title)
        assert reason_of(partial(check.verify, token, asked=asked, now_s=now_s)) == reason
    renewing = Asked(title="film")
    with pytest.raises(TokenError):
        check.verify_renewable(token, asked=renewing, now_s=NOW_S)


def test_the_same_token_is_used_for_a_while_so_that_parents_remember_it() -> None:
    tiers = TierTokens(parse_secrets(SECRET, where="test"))
    first = tiers.for_title("film", now_s=NOW_S)
    assert tiers.for_title("film", now_s=NOW_S + TTL_S / 2 - 1) == first
    assert tiers.for_title("film", now_s=NOW_S + TTL_S / 2) != first
    assert tiers.for_title("other", now_s=NOW_S) != first


def test_a_limit_to_sound_goes_up_as_one() -> None:
    """Left out it would mean that the keys of every picture are given."""
    sound = replace(VIEWER, max_height=0)
    token = TIERS.for_viewer(sound, "film", now_s=NOW_S)
    assert verifier().verify(token, asked=Asked(title="film"), now_s=NOW_S).max_height == 0


def test_a_watermark_goes_up_for_it_chooses_what_a_segment_is() -> None:
    marked = TIERS.for_title("film", now_s=NOW_S, watermark=b"\x05")
    assert marked == TIERS.for_title("film", now_s=NOW_S, watermark=b"\x05")
    others = {TIERS.for_title("film", now_s=NOW_S, watermark=each) for each in (b"", b"a")}
    assert len({marked, *others}) == 3
    said = verifier().verify(marked, asked=Asked(title="film"), now_s=NOW_S)
    assert (said.watermark, said.session) == (b"\x05", "")


def test_what_the_viewers_token_said_is_known_to_the_parent() -> None:
    """But for the address and the like, which the first tier has checked."""
    token = TIERS.for_viewer(VIEWER, "film", now_s=NOW_S)
    said = verifier().verify(token, asked=Asked(title="film"), now_s=NOW_S)
    for name in ("kid", "issued_s", "session", "account", "token_id", "max_height", "watermark"):
        assert getattr(said, name) == getattr(VIEWER, name)
    assert said.expires_s < NOW_S + TTL_S + 1


def test_it_ends_with_the_viewers_token() -> None:
    short = Permission(form="hmac", kid="k", expires_s=NOW_S + 5)
    token = TIERS.for_viewer(short, "film", now_s=NOW_S)
    asked = Asked(title="film")
    said = verifier().verify(token, asked=asked, now_s=NOW_S)
    assert (said.session, said.max_height, said.watermark) == ("", None, b"")
    assert reason_of(lambda: verifier().verify(token, asked=asked, now_s=NOW_S + 6)) == "expired"


def test_a_parent_refuses_a_viewer_who_was_revoked_whoever_asks() -> None:
    denied = DenyList()
    denied.merge(
        [Revocation(kind="account", value="a1", until_s=NOW_S + 60, changed_ms=1)], now_s=NOW_S
    )
    token = TIERS.for_viewer(VIEWER, "film", now_s=NOW_S)
    check = verifier(denied=denied)
    assert (
        reason_of(lambda: check.verify(token, asked=Asked(title="film"), now_s=NOW_S)) == "revoked"
    )


def test_secrets_change_one_tier_after_the_other() -> None:
    """Both verify, the first signs; with neither of them a token is worth nothing."""
    old = TIERS
    both = TierTokens(parse_secrets(f"{OTHER} {SECRET}", where="test"))
    new = TierTokens(parse_secrets(OTHER, where="test"))
    asked = Asked(title="film")
    for makes, takes, taken in (
        (old, both, True),
        (both, new, True),
        (new, both, True),
        (both, old, False),
        (old, new, False),
    ):
        token = makes.for_title("film", now_s=NOW_S)
        if taken:
            verifier(takes).verify(token, asked=asked, now_s=NOW_S)
        else:
            check = verifier(takes)
            reason = reason_of(partial(check.verify, token, asked=asked, now_s=NOW_S))
            assert reason == "bad-signature"


def test_a_tier_shows_that_it_is_one_with_a_token_that_opens_nothing() -> None:
    token = TIERS.for_tier(now_s=NOW_S)
    assert TIERS.is_tier(token, now_s=NOW_S)
    assert not TIERS.is_tier(token, now_s=NOW_S + 2 * TTL_S)
    assert not TIERS.is_tier(TIERS.for_title("film", now_s=NOW_S), now_s=NOW_S)
    assert not TIERS.is_tier(None, now_s=NOW_S)
    assert not TIERS.is_tier("x", now_s=NOW_S)
    assert not TierTokens(parse_secrets(OTHER, where="test")).is_tier(token, now_s=NOW_S)
    asked = Asked(title="film")
    assert reason_of(lambda: verifier().verify(token, asked=asked, now_s=NOW_S)) == "wrong-title"


TOKEN = TIERS.for_viewer(VIEWER, "film", now_s=NOW_S)


@given(at=st.integers(0, len(TOKEN) - 1), change=st.characters())
def test_an_altered_token_is_refused(at: int, change: str) -> None:
    altered = TOKEN[:at] + change + TOKEN[at + 1 :]
    if altered != TOKEN:
        with pytest.raises(TokenError):
            verifier().verify(altered, asked=Asked(title="film"), now_s=NOW_S)


@pytest.mark.parametrize(
    "token", ["tiertoken.", "tiertoken..", "tiertoken.a.b.c", "tiertoken.e30.", "tiertoken." * 999]
)
def test_what_only_looks_like_one_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        verifier().verify(token, asked=Asked(title="film"), now_s=NOW_S)


def test_no_log_shows_one_and_no_repr_a_secret() -> None:
    assert TOKEN not in redact(f"GET /t/{TOKEN}/film/p")
    assert redact(f"said {TOKEN} twice") == "said - twice"
    assert SECRET not in repr(TIERS)


def test_a_short_secret_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"edge\.tier_secret: a secret of fewer than 24"):
        parse_secrets("short", where="edge.tier_secret")
