"""The trust feed: what is told after which cursor, and its text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import UpstreamError
from origin.tokens import trustfeed
from origin.tokens.revocation import DenyList, Revocation, RevocationError
from origin.tokens.trustfeed import (
    Bulletin,
    News,
    digest_of,
    parse_news,
    parse_question,
    print_news,
)

NOW_S = 1_800_000_000.0
KEYS, OTHER_KEYS = "0" * 16, "1" * 16


def entry(value: str) -> Revocation:
    return Revocation(kind="token", value=value, until_s=NOW_S + 60, changed_ms=1)


def bulletin(*values: str, epoch: str = "a" * 16) -> tuple[DenyList, Bulletin]:
    denied = DenyList()
    denied.merge(map(entry, values), now_s=NOW_S)
    return denied, Bulletin(denied, epoch=epoch)


def test_news_are_told_once() -> None:
    denied, told = bulletin("1")
    first = told.news("", KEYS)
    assert first is not None
    assert first.revocations == (entry("1"),)
    assert told.news(first.cursor, KEYS) is None
    denied.merge([entry("2")], now_s=NOW_S)
    second = told.news(first.cursor, KEYS)
    assert second is not None
    assert second.revocations == (entry("2"),)


def test_another_key_set_is_news() -> None:
    _, told = bulletin("1")
    first = told.news("", KEYS)
    assert first is not None
    second = told.news(first.cursor, OTHER_KEYS)
    assert second is not None
    assert (second.keys, second.revocations) == (OTHER_KEYS, ())
    assert told.news(second.cursor, OTHER_KEYS) is None


@pytest.mark.parametrize("after", ["", "x", f"{'b' * 16}.1.{KEYS}", f"{'a' * 16}.99{KEYS}"])
def test_whoever_comes_with_another_cursor_is_told_everything(after: str) -> None:
    _, told = bulletin("1", "2")
    news = told.news(after, KEYS)
    assert news is not None
    assert len(news.revocations) == 2


def test_a_long_list_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trustfeed, "MOST_AT_ONCE", 2)
    _, told = bulletin("1", "2", "3")
    first = told.news("", KEYS)
    assert first is not None
    assert first.has_more
    second = told.news(first.cursor, KEYS)
    assert second is not None
    assert [each.value for each in (*first.revocations, *second.revocations)] == ["1", "2", "3"]
    assert not second.has_more


def test_the_digest_of_a_key_set_depends_on_its_keys_and_not_on_their_order() -> None:
    one, two = {"kid": "1", "x": "a"}, {"x": "b", "kid": "2"}
    assert digest_of({"keys": [one, two]}) == digest_of({"keys": [two, one]})
    assert digest_of({"keys": [one]}) != digest_of({"keys": [one, two]})
    assert digest_of(None) == "-"


@pytest.mark.parametrize(
    ("query", "after", "wait_s"),
    [
        ("", "", 0.0),
        ("after=a.1.b&wait=4.5", "a.1.b", 4.5),
        ("wait=9999", "", trustfeed.MAX_WAIT_S),
        ("wait=-1", "", 0.0),
        ("wait=nan", "", 0.0),
        ("wait=1e3", "", 0.0),
        ("&".join(["a=b"] * 50) + "&wait=1", "", 0.0),
    ],
)
def test_what_a_query_asks(query: str, after: str, wait_s: float) -> None:
    asked = parse_question(query)
    assert (asked.after, asked.wait_s) == (after, wait_s)


def test_news_that_are_printed_parse_back() -> None:
    news = News(cursor="a.1.b", keys=KEYS, revocations=(entry("1"),), has_more=True)
    assert parse_news(print_news(news)) == news


def test_a_kind_that_is_not_known_is_left_out() -> None:
    """A later version may have more kinds; this one goes on with those that it can refuse."""
    value = json.loads(print_news(News(cursor="c", keys=KEYS, revocations=(entry("1"),))))
    value["revocations"].append({"kind": "device", "value": "d"})
    assert parse_news(json.dumps(value)).revocations == (entry("1"),)


@given(st.text() | st.binary())
def test_what_is_no_answer_is_refused(text: str | bytes) -> None:
    with pytest.raises(UpstreamError):
        parse_news(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "x"},
        {"version": "2.0"},
        {"cursor": "a b"},
        {"cursor": "x" * 200},
        {"keys": 1},
        {"revocations": {}},
        {"more": "no"},
        {"revocations": [{"kind": "token"}]},
        {"revocations": [1]},
    ],
)
def test_an_answer_of_another_form_is_refused(changes: dict[str, object]) -> None:
    value = json.loads(print_news(News(cursor="c", keys=KEYS))) | changes
    with pytest.raises((UpstreamError, RevocationError)):
        parse_news(json.dumps(value))
