"""Accounts and plans from TOML, and secrets that are kept as hashes only."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError
from origin.gateway.accounts import (
    MIN_SECRET_CHARS,
    StaticAccounts,
    account_tag,
    hash_text,
    parse_accounts,
    parse_plans,
    parse_tables,
    secret_of,
)
from origin.gateway.refusals import GatewayRefusal
from origin.gateway.sessions import MOST_STREAMS

SECRET = secret_of(bytes(range(32)))
TEXT = f"""
[plans.family]
streams = 3
height = 1080
titles = ["film*", "news"]
[plans.all]
[accounts.alice]
plan = "family"
secrets = ["{hash_text(SECRET)}", "{hash_text("x" * 40)}"]
[accounts."bob@example"]
plan = "all"
blocked = true
"""


def parsed(text: str) -> StaticAccounts:
    tables = parse_tables(text, where="a.toml")
    return parse_accounts(tables, parse_plans(tables, where="a.toml"), where="a.toml")


def test_a_secret_leads_to_its_account_and_plan() -> None:
    accounts = parsed(TEXT)
    alice = accounts.account_of(SECRET)
    assert (alice.name, alice.plan.streams, alice.plan.height) == ("alice", 3, 1080)
    assert accounts.account_of("x" * 40) == alice
    assert [alice.plan.includes(each) for each in ("film-2", "news", "sport")] == [
        True,
        True,
        False,
    ]
    assert len(accounts) == 2
    assert "alice" not in repr(alice)
    assert SECRET not in TEXT


def test_a_plan_that_says_nothing_allows_everything() -> None:
    secret = "y" * 40
    text = f'[plans.all]\n[accounts.bob]\nplan = "all"\nsecrets = ["{hash_text(secret)}"]'
    plan = parsed(text).account_of(secret).plan
    assert (plan.streams, plan.height, plan.includes("anything")) == (MOST_STREAMS, None, True)


@pytest.mark.parametrize(
    "secret", ["", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "\udc80"]
)
def test_any_other_secret_is_refused(secret: str) -> None:
    accounts = parsed(TEXT)
    with pytest.raises(GatewayRefusal) as caught:
        accounts.account_of(secret)
    assert caught.value.word == "unknown-account"
    assert not secret or secret not in str(caught.value)


def test_a_secret_that_could_be_guessed_is_refused_though_its_hash_is_listed() -> None:
    short = "x" * (MIN_SECRET_CHARS - 1)
    text = f'[plans.p]\n[accounts.a]\nplan = "p"\nsecrets = ["{hash_text(short)}"]'
    with pytest.raises(GatewayRefusal):
        parsed(text).account_of(short)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[plans", r"a\.toml: .*expected TOML"),
        ("[surprise]\n", r"a\.toml: unknown 'surprise'"),
        ("[plans.p]\nstreams = 0", r"\[plans\.p\] streams: found 0; expected a whole number, 1"),
        ("[plans.p]\nstreams = true", r"streams: found True"),
        ("[plans.p]\nheight = '1080'", r"height: found '1080'"),
        ("[plans.p]\ntitles = 'film'", r"titles: expected a list"),
        ("[plans.p]\nspeed = 1", r"\[plans\.p\]: unknown 'speed'"),
        ("plans = 1", r"plans; expected tables"),
        ("[accounts.a]\nplan = 'p'", r"plan: found 'p'; expected one of the plans \(none"),
        ("[plans.p]\n[accounts.a]\n", r"plan: found None; expected one of the plans \(p\)"),
        ("[plans.p]\n[accounts.a]\nplan='p'\nsecrets=['hunter2']", r"`abr gateway --make-secret`"),
        ("[plans.p]\n[accounts.a]\nplan='p'\nblocked='no'", r"blocked: found 'no'"),
        (
            "[plans.p]\n"
            + "".join(
                f"[accounts.{name}]\nplan='p'\nsecrets=['{hash_text(SECRET)}']\n" for name in "ab"
            ),
            r"\[accounts\.b\] secrets: account 'a' has the same one",
        ),
    ],
)
def test_what_cannot_be_used_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parsed(text)
    assert "hunter2" not in str(caught.value)


def test_the_tag_of_an_account_is_steady_and_tells_nothing() -> None:
    tag = account_tag(b"k" * 32, "alice")
    assert tag == account_tag(b"k" * 32, "alice")
    assert tag != account_tag(b"l" * 32, "alice")
    assert tag != account_tag(b"k" * 32, "alicf")
    assert len(tag) == 16  # 12 bytes in base64url
