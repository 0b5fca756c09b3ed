"""The book of requests: numbers, limits, next tries."""

from __future__ import annotations

import math
from dataclasses import replace

from player.config import PlayerConfig
from player.playback.actions import Want
from player.playback.requests import RequestBook
from player.playback.retry import Failure, Tries, Verdict

INIT = Want(kind="init", url="v0/init.mp4")
SEGMENT = Want(kind="segment", url="v0/0.m4s", track="video", segment=0, rung=0)
CONFIG = PlayerConfig(
    first_byte_limit_s=2.0, total_limit_s=5.0, attempts=2, backoff_s=0.25, jitter_ratio=0.0
)
BROKEN = Failure("truncated")
EXPIRED = Failure("status", 403, "expired")


def test_requests_are_numbered_and_a_resource_is_asked_for_once() -> None:
    """The kind is part of what identifies it: one URL may be named as two things."""
    book = RequestBook(CONFIG)
    first = book.open_once(INIT, 1.0)
    assert first is not None
    assert book.open_once(INIT, 2.0) is None
    as_key = book.open_once(Want(kind="key", url=INIT.url), 2.0)
    assert as_key is not None
    assert (first.request_id, as_key.request_id) == (0, 1)
    book.forget(INIT)
    assert book.open_once(INIT, 3.0) is not None


def test_a_failed_try_is_due_again_after_its_wait() -> None:
    """First try at 1 s fails at 3 s; the second is due 0.25 s later and remembers the first."""
    book = RequestBook(CONFIG)
    request = book.open(SEGMENT, 1.0)
    book.close(request.request_id)
    verdict = book.try_again(request, BROKEN, Tries(attempt=1), can_renew=False, now_s=3.0)
    assert (verdict, book.next_time_s()) == (Verdict("retry", 0.25), 3.25)
    assert book.open_due(3.2) == []
    (again,) = book.open_due(3.25)
    assert (again.want, again.attempt, again.start_s, again.asked_s) == (SEGMENT, 2, 3.25, 1.0)


def test_what_is_to_begin_anew_is_left_to_the_caller() -> None:
    """The book notes nothing; when told to, it repeats the request."""
    book = RequestBook(CONFIG)
    first = book.open(SEGMENT, 1.0)
    book.close(first.request_id)
    tries = Tries(attempt=2, total=2, patience_left_s=9.0)
    verdict = book.try_again(first, BROKEN, tries, can_renew=False, now_s=3.0)
    assert (verdict, book.next_time_s()) == (Verdict("anew", 0.5), math.inf)
    book.repeat(first, 3.5)
    (second,) = book.open_due(3.5)
    assert (second.attempt, second.asked_s) == (2, 1.0)


def test_what_is_not_wanted_any_more_is_not_tried_again() -> None:
    book = RequestBook(CONFIG)
    for want in (SEGMENT, INIT):
        book.repeat(book.open(want, 0.0), 1.0)
    book.drop(lambda want: want.kind == "segment")
    assert [each.want for each in book.open_due(1.0)] == [INIT]


def test_what_waits_for_a_token_is_due_when_it_is_renewed() -> None:
    book = RequestBook(CONFIG)
    request = book.open(SEGMENT, 0.0)
    book.close(request.request_id)
    verdict = book.try_again(request, EXPIRED, Tries(attempt=1), can_renew=True, now_s=1.0)
    assert (verdict.action, book.next_time_s()) == ("renew", math.inf)
    book.release_waiting(4.0)
    assert [each.attempt for each in book.open_due(4.0)] == [2]


def test_without_a_token_to_renew_an_expired_one_is_final() -> None:
    book = RequestBook(CONFIG)
    request = book.open(SEGMENT, 0.0)
    tries = Tries(attempt=1, patience_left_s=9.0)
    verdict = book.try_again(request, EXPIRED, tries, can_renew=False, now_s=1.0)
    assert verdict.action == "give-up"
    assert book.open_due(1e6) == []


def test_the_first_byte_has_a_limit_and_so_has_the_whole() -> None:
    """2 s without a byte; with one, 5 s from the request to the last."""
    book = RequestBook(CONFIG)
    silent, slow = book.open(SEGMENT, 1.0), book.open(INIT, 1.0)
    slow.first_byte_s = slow.newest_byte_s = 1.5
    assert book.next_time_s() == 3.0
    assert list(book.find_overdue(2.9)) == []
    assert list(book.find_overdue(3.0)) == [(silent, "no byte after 2 s")]
    assert list(book.find_overdue(6.0)) == [
        (silent, "not complete after 5 s"),
        (slow, "not complete after 5 s"),
    ]


def test_silence_within_a_body_has_a_limit() -> None:
    """Counted from the newest byte; a response that has not begun has another."""
    book = RequestBook(replace(CONFIG, idle_limit_s=1.0))
    halting = book.open(SEGMENT, 0.0)
    halting.first_byte_s, halting.newest_byte_s = 0.5, 1.75
    assert book.next_time_s() == 2.75
    assert not book.is_idle(halting, 2.7)
    assert list(book.find_overdue(2.75)) == [(halting, "no byte for 1 s")]


def test_repr_says_what_is_waited_for() -> None:
    book = RequestBook(CONFIG)
    book.open(SEGMENT, 0.0)
    assert repr(book) == "<RequestBook waiting for segment, 0 to be tried again>"


def test_what_one_request_took_with_it_is_not_overdue_as_well() -> None:
    """The section of a segment is given up, and the segment with it, before its own turn."""
    book = RequestBook(CONFIG)
    section, segment = book.open(INIT, 1.0), book.open(SEGMENT, 1.0)
    found = []
    for request, _ in book.find_overdue(3.0):
        found.append(request)
        book.close(section.request_id)
        book.close(segment.request_id)
    assert found == [section]
