"""The deny list: whom it refuses, and how lists become one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import TokenError
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.permission import Asked, Permission
from origin.tokens.revocation import (
    KINDS,
    DenyList,
    FullListError,
    Kind,
    MemoryRevocations,
    Revocation,
    RevocationError,
    dump_revocation,
    load_revocation,
)
from origin.tokens.verifier import TokenVerifier, digest_as_id

NOW_S = 1_800_000_000.0
VIEWER = Permission(
    form="path",
    kid="k",
    expires_s=NOW_S + 60,
    issued_s=NOW_S - 10,
    token_id="t",
    session="s",
    account="a",
    title="film",
)
NAMED: dict[Kind, str] = {
    "token": "t", "session": "s", "account": "a", "title": "film", "key": "k"
}  # fmt: skip


def entry(kind: Kind = "session", value: str = "s", **changes: object) -> Revocation:
    made = Revocation(kind=kind, value=value, until_s=NOW_S + 3600, changed_ms=int(1000 * NOW_S))
    return replace(made, **changes)  # type: ignore[arg-type]  # tests give the right types


def listing(*entries: Revocation) -> DenyList:
    made = DenyList()
    made.merge(entries, now_s=NOW_S)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_refuses_its_own_and_nobody_else(kind: Kind) -> None:
    """The same word under another kind means nothing."""
    denied = listing(entry(kind, NAMED[kind]))
    assert denied.refuses(VIEWER, "film", now_s=NOW_S)
    others = [entry(kind, value) for value in NAMED.values() if value != NAMED[kind]]
    assert not listing(*others).refuses(VIEWER, "film", now_s=NOW_S)


def test_a_token_that_names_no_title_is_refused_for_the_title_that_is_asked_for() -> None:
    anything = replace(VIEWER, title="")
    denied = listing(entry("title", "film"))
    assert denied.refuses(anything, "film", now_s=NOW_S)
    assert not denied.refuses(anything, "other", now_s=NOW_S)


def test_what_a_token_does_not_say_is_not_taken_for_an_id() -> None:
    silent = Permission(form="hmac", kid="k", expires_s=NOW_S + 60)
    denied = listing(*(entry(kind, "x") for kind in KINDS))
    assert not denied.refuses(silent, "film", now_s=NOW_S)


@pytest.mark.parametrize(
    ("issued_s", "refused"), [(NOW_S - 1, True), (NOW_S, False), (float("-inf"), True)]
)
def test_tokens_that_were_issued_later_are_spared(issued_s: float, refused: bool) -> None:
    """One that does not say when it was issued is not."""
    denied = listing(entry(issued_before_s=NOW_S))
    assert denied.refuses(replace(VIEWER, issued_s=issued_s), "film", now_s=NOW_S) is refused


def test_an_entry_ends_at_its_time() -> None:
    denied = listing(entry(until_s=NOW_S + 5))
    assert denied.refuses(VIEWER, "film", now_s=NOW_S + 4.9)
    assert not denied.refuses(VIEWER, "film", now_s=NOW_S + 5)
    denied.prune(NOW_S + 5)
    assert len(denied) == 0


def test_an_entry_is_lifted_by_a_later_one_only() -> None:
    lifted = entry(is_lifted=True, changed_ms=entry().changed_ms + 1)
    denied = listing(entry(), lifted)
    assert not denied.refuses(VIEWER, "film", now_s=NOW_S)
    assert not denied.merge([entry()], now_s=NOW_S)
    assert not denied.refuses(VIEWER, "film", now_s=NOW_S)
    assert denied.merge([entry(changed_ms=lifted.changed_ms + 1)], now_s=NOW_S)
    assert denied.refuses(VIEWER, "film", now_s=NOW_S)


def test_lists_agree_in_whatever_order_they_hear_of_the_same() -> None:
    """Also where two say something else about one subject at the same time."""
    told = [
        entry(),
        entry(is_lifted=True),
        entry(issued_before_s=NOW_S),
        entry(until_s=NOW_S + 10),
        entry("account", "a"),
    ]
    results = {
        frozenset(listing(*order).since(0, most=9)[0]) for order in itertools.permutations(told)
    }
    assert results == {frozenset({entry(), entry("account", "a")})}


def test_a_full_list_keeps_what_it_has_takes_what_supersedes_it_and_says_so() -> None:
    denied = DenyList(most=2)
    denied.merge([entry(value="1", until_s=NOW_S + 1), entry(value="2")], now_s=NOW_S)
    with pytest.raises(FullListError, match="full with 2 entries, 1 left out"):
        denied.merge([entry(value="3"), entry(value="2", changed_ms=2**41)], now_s=NOW_S)
    assert {each.value for each in denied.since(0, most=9)[0]} == {"1", "2"}
    # The first has ended: there is room.
    assert denied.merge([entry(value="3")], now_s=NOW_S + 1)
    assert {each.value for each in denied.since(0, most=9)[0]} == {"2", "3"}


def test_an_account_takes_the_place_of_the_session_that_ends_first() -> None:
    """So that one who must not get in is kept out, however many sessions were closed."""
    denied = DenyList(most=2)
    denied.merge(
        [entry(value="1", until_s=NOW_S + 9), entry(value="2", until_s=NOW_S + 5)], now_s=NOW_S
    )
    for kind in ("account", "title"):
        denied.merge([entry(kind, "x")], now_s=NOW_S)
    assert {each.subject for each in denied.since(0, most=9)[0]} == {
        ("account", "x"),
        ("title", "x"),
    }
    with pytest.raises(FullListError):
        denied.merge([entry("key", "k")], now_s=NOW_S)


def test_changes_are_told_once_oldest_first_and_in_parts() -> None:
    denied = listing(*(entry(value=str(number)) for number in range(5)))
    found, last = denied.since(0, most=2)
    assert ([each.value for each in found], last) == (["0", "1"], 2)
    denied.merge([entry(value="0", changed_ms=2**41)], now_s=NOW_S)
    found, last = denied.since(last, most=9)
    assert ([each.value for each in found], last) == (["2", "3", "4", "0"], 6)
    assert denied.since(last, most=9) == ((), 6)


def test_memory_is_bounded_by_the_entries_and_not_by_their_changes() -> None:
    denied = DenyList()
    for number in range(2000):
        denied.merge([entry(changed_ms=number)], now_s=NOW_S)
    assert len(denied._order) == len(denied._changed) < 100
    assert denied.since(1998, most=9) == ((entry(changed_ms=1999),), 2000)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "device"},
        {"value": ""},
        {"value": "x" * 513},
        {"until": float("inf")},
        {"until": "soon"},
        {"until": True},
        {"until": 10**400},
        {"before": None},
        {"changed": 1.5},
        {"changed": 10**400},
        {"lifted": 1},
    ],
)
def test_what_is_no_entry_is_refused_in_words(changes: dict[str, object]) -> None:
    with pytest.raises(RevocationError, match="revocation"):
        load_revocation(dump_revocation(entry()) | changes)


@given(
    st.builds(
        Revocation,
        kind=st.sampled_from(KINDS),
        value=st.text(min_size=1, max_size=50),
        until_s=st.floats(-1e12, 1e12),
        changed_ms=st.integers(-(10**15), 10**15),
        issued_before_s=st.none() | st.floats(-1e12, 1e12),
        is_lifted=st.booleans(),
    )
)
def test_an_entry_that_is_printed_parses_back(made: Revocation) -> None:
    assert load_revocation(dump_revocation(made)) == made


def test_a_source_in_memory_tells_what_changed_after_a_version() -> None:
    source = MemoryRevocations()
    source.add(entry(), now_s=NOW_S)
    first = source.revocations(0)
    assert first.entries == (entry(),)
    source.add(entry("title", "film"), now_s=NOW_S)
    assert source.revocations(first.version).entries == (entry("title", "film"),)


def test_a_remembered_token_is_refused_right_after_it_was_revoked() -> None:
    """For renewal as well; and is accepted again when that is lifted."""
    issuer = TokenIssuer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    denied = DenyList()
    verifier = TokenVerifier(PathTokens(issuer.jwks()), denied=denied)
    token = issuer.issue("film", now_s=NOW_S, session_id="s")
    asked = Asked(title="film")
    verifier.verify(token, asked=asked, now_s=NOW_S)
    denied.merge([entry()], now_s=NOW_S)
    for check in (verifier.verify, verifier.verify_renewable):
        with pytest.raises(TokenError) as caught:
            check(token, asked=asked, now_s=NOW_S)
        assert caught.value.reason == "revoked"
    denied.merge([entry(is_lifted=True, changed_ms=2**41)], now_s=NOW_S)
    verifier.verify(token, asked=asked, now_s=NOW_S)


class Nameless:
    """A form whose tokens have no id."""

    name = "nameless"
    kids = frozenset({"k"})

    def recognises(self, token: str) -> bool:
        return token.startswith("n")

    def key_id_of(self, _token: str) -> str:
        return "k"

    def permission(self, _token: str) -> Permission:
        return Permission(form=self.name, kid="k", expires_s=NOW_S + 60)


def test_a_token_without_an_id_is_revoked_by_its_digest() -> None:
    denied = DenyList()
    own = PathTokens({"keys": []})
    verifier = TokenVerifier(own, [Nameless()], denied=denied)
    asked = Asked(title="film")
    denied.merge([entry("token", digest_as_id("n1"))], now_s=NOW_S)
    verifier.verify("n2", asked=asked, now_s=NOW_S)
    with pytest.raises(TokenError, match="revoked"):
        verifier.verify("n1", asked=asked, now_s=NOW_S)
