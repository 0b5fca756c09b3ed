"""Lines of the audit log."""

from __future__ import annotations

import json

from origin.licences.audit import GRANTED, record_of, refused
from origin.tokens.permission import Permission

PERMISSION = Permission(
    form="path", kid="k", expires_s=2e9, session="s1", account="a1", token_id="j1"
)


def test_a_grant_says_who_got_which_key_ids_and_when() -> None:
    record = record_of(
        PERMISSION,
        time_s=1_800_000_000.25,
        system="clearkey",
        outcome=GRANTED,
        title="film",
        kids=("00" * 16,),
        ahead=("11" * 16,),
    )
    assert record.line.endswith(b"}\n")
    assert json.loads(record.line) == {
        "time": "2027-01-15T08:00:00.250Z",
        "outcome": "granted",
        "system": "clearkey",
        "session": "s1",
        "account": "a1",
        "token_id": "j1",
        "title": "film",
        "kids": ["00" * 16],
        "ahead": ["11" * 16],
    }


def test_of_a_stranger_only_the_refusal_is_written() -> None:
    line = refused("bad-signature", time_s=0.0, system="key").line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000Z",
        "outcome": "bad-signature",
        "system": "key",
    }


def test_a_record_is_one_line_whatever_the_claims_of_a_token_hold() -> None:
    """Other issuers' tokens are read too, and their session ids are any text."""
    foreign = Permission(form="cat", kid="k", expires_s=2e9, session='a\n{"outcome":"granted"}\r')
    line = record_of(foreign, time_s=0.0, system="key", outcome="height", title="film").line
    assert line.count(b"\n") == 1
    assert json.loads(line)["session"] == foreign.session
