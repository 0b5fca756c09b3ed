"""Signing keys, one after the other: which signs, which verifies, and until when."""

from __future__ import annotations

import base64
import json

import pytest

from abr.errors import KeyStoreError
from origin.tokens.signingring import (
    LEAD_S,
    MARGIN_S,
    SigningRing,
    SigningRingError,
    key_of,
    parse_ring,
    print_ring,
)

NOW_S = 1_800_000_000.0
SESSION_S = 86400.0
FIRST, SECOND, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))
KIDS = {raw: key_of(raw).kid for raw in (FIRST, SECOND, THIRD)}


def ring() -> SigningRing:
    """A ring of one key, as every key store had before there were rings."""
    return parse_ring(KIDS[FIRST], FIRST)


def verifying(of: SigningRing, now_s: float) -> set[str]:
    return set(of.verifying(now_s, session_s=SESSION_S))


def test_a_new_key_is_published_first_signs_later_and_the_old_one_verifies_its_last_token() -> None:
    """The last old token is made just before the change, and lives for a session."""
    rotated = ring().rotate(SECOND, now_s=NOW_S)
    both = {KIDS[FIRST], KIDS[SECOND]}
    change_s = NOW_S + LEAD_S
    assert verifying(rotated, NOW_S) == both
    assert rotated.signing(NOW_S).kid == KIDS[FIRST]
    assert rotated.signing(change_s - 0.1).kid == KIDS[FIRST]
    assert rotated.signing(change_s).kid == KIDS[SECOND]
    assert verifying(rotated, change_s + SESSION_S + MARGIN_S - 1) == both
    assert verifying(rotated, change_s + SESSION_S + MARGIN_S) == {KIDS[SECOND]}


def test_a_second_change_waits_for_the_first() -> None:
    """Otherwise a key could sign that some tier has never seen."""
    rotated = ring().rotate(SECOND, now_s=NOW_S)
    with pytest.raises(SigningRingError, match="signs in 20 s; wait until then"):
        rotated.rotate(THIRD, now_s=NOW_S + LEAD_S - 20)
    again = rotated.rotate(THIRD, now_s=NOW_S + LEAD_S)
    assert verifying(again, NOW_S + LEAD_S) == set(KIDS.values())


def test_keys_that_are_over_are_dropped_by_the_next_change() -> None:
    rotated = ring().rotate(SECOND, now_s=NOW_S)
    much_later_s = NOW_S + 2 * SESSION_S
    again = rotated.rotate(THIRD, now_s=much_later_s, session_s=SESSION_S)
    assert [key.kid for key in again.keys] == [KIDS[SECOND], KIDS[THIRD]]


def test_a_revoked_key_verifies_nothing_and_another_signs_at_once() -> None:
    revoked = ring().revoke(KIDS[FIRST], SECOND, now_s=NOW_S)
    assert verifying(revoked, NOW_S) == {KIDS[SECOND]}
    assert revoked.signing(NOW_S).kid == KIDS[SECOND]
    (entry,) = revoked.entries()
    assert (entry.kind, entry.value, entry.issued_before_s) == ("key", KIDS[FIRST], None)
    assert entry.until_s > NOW_S + 9 * 365 * 86400


def test_the_key_that_waits_takes_the_place_of_a_revoked_one() -> None:
    """It is published already, so every tier has it."""
    revoked = ring().rotate(SECOND, now_s=NOW_S).revoke(KIDS[FIRST], THIRD, now_s=NOW_S + 1)
    assert [key.kid for key in revoked.keys] == [KIDS[SECOND]]
    assert revoked.signing(NOW_S + 1).kid == KIDS[SECOND]


def test_revoking_the_key_that_signs_does_not_go_back_to_the_one_before() -> None:
    rotated = ring().rotate(SECOND, now_s=NOW_S, lead_s=0)
    revoked = rotated.revoke(KIDS[SECOND], THIRD, now_s=NOW_S + 1)
    assert revoked.signing(NOW_S + 1).kid == KIDS[THIRD]
    assert verifying(revoked, NOW_S + 1) == {KIDS[FIRST], KIDS[THIRD]}


def test_revoking_another_key_changes_nothing_for_the_one_that_signs() -> None:
    rotated = ring().rotate(SECOND, now_s=NOW_S, lead_s=0)
    revoked = rotated.revoke(KIDS[FIRST], THIRD, now_s=NOW_S + 1)
    assert [key.kid for key in revoked.keys] == [KIDS[SECOND]]


def test_a_key_that_is_not_there_cannot_be_revoked() -> None:
    with pytest.raises(SigningRingError, match=f"no signing key 'x'; there are {KIDS[FIRST]}"):
        ring().revoke("x", SECOND, now_s=NOW_S)


def test_a_ring_that_is_printed_parses_back_and_shows_no_key() -> None:
    made = ring().rotate(SECOND, now_s=NOW_S, lead_s=0).revoke(KIDS[FIRST], THIRD, now_s=NOW_S)
    made = made.rotate(THIRD, now_s=NOW_S + 1)
    assert parse_ring("ring", print_ring(made)) == made
    for raw in (FIRST, SECOND, THIRD):
        assert repr(raw)[2:-1] not in repr(made)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 31,
        b"{}",
        b"[]",
        b'{"format": "abrkit signing ring", "keys": [], "revoked": []}',
        b'{"format": "abrkit signing ring", "keys": [{"kid": "k", "key": "AA=="}], "revoked": []}',
        json.dumps(
            {
                "format": "abrkit signing ring",
                "keys": [{"kid": "", "key": base64.b64encode(FIRST).decode(), "from": 0}],
                "revoked": [],
            }
        ).encode(),
    ],
)
def test_a_damaged_ring_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(KeyStoreError, match="signing key"):
        parse_ring("k", data)
