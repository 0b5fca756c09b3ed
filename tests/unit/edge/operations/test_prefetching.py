"""Which objects players name as their next, and which of those are fetched."""

from __future__ import annotations

import pytest

from edge.operations.cmcd import Cmcd, parse_text
from edge.operations.prefetching import MOST_REMEMBERED, Prefetches, next_objects

OPEN = "/film/v0/seg-1.m4s?x=1"
TOKEN = "/t/TOKEN/film/v0/seg-1.m4s"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("seg-2.m4s", "/film/v0/seg-2.m4s"),
        ("..%2Fv1%2Fseg-2.m4s", "/film/v1/seg-2.m4s"),
        ("./a/../seg-2.m4s", "/film/v0/seg-2.m4s"),
        ("/other/a", "/other/a"),
        ("seg-1.m4s", None),  # it has just been asked for
        ("../../../etc/passwd", None),
        ("..%2F..%2F..%2F..%2Fetc%2Fpasswd", None),
        ("%252e%252e/a", None),
        ("http://evil.example/a", None),
        ("//evil.example/a", None),
        ("%2F%2Fevil.example/a", None),
        ("..\\a", None),
        ("a%00b", None),
        ("a%0d%0ab", None),
        ("a b", None),
        ("a?b=c", None),
        ("v1/", None),
        ("%C3%A9", None),
        ("%FF", None),
        ("a" * 600, None),
        ("", None),
    ],
)
def test_names_are_followed_on_the_same_site_only(name: str, path: str | None) -> None:
    found = next_objects(Cmcd(values={"nor": name}), OPEN, has_tokens=False)
    assert found == (() if path is None else (path,))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("seg-2.m4s", "/t/TOKEN/film/v0/seg-2.m4s"),
        ("../v1/seg-2.m4s", "/t/TOKEN/film/v1/seg-2.m4s"),
        ("../../other/v0/seg-2.m4s", None),
        ("../../../OTHER/film/a", None),
        ("/film/v0/seg-2.m4s", None),
        ("..", None),
        ("../..", None),
    ],
)
def test_with_tokens_the_token_and_the_title_stay_the_same(name: str, path: str | None) -> None:
    found = next_objects(Cmcd(values={"nor": name}), TOKEN, has_tokens=True)
    assert found == (() if path is None else (path,))


def test_a_list_of_version_2_names_a_few_with_their_ranges() -> None:
    said = parse_text('nor=("a.m4s";r="0-99" "b.m4s" "c.m4s" "d.m4s")')
    assert next_objects(said, "/x/y", has_tokens=False) == ("/x/a.m4s", "/x/b.m4s", "/x/c.m4s")


def test_a_prefetch_is_useful_once_and_memory_is_bounded() -> None:
    counts = Prefetches()
    counts.began("a")
    for _ in range(2):
        counts.asked("a")
    assert (counts.started, counts.useful) == (1, 1)
    counts.began("old")
    for number in range(MOST_REMEMBERED):
        counts.began(str(number))
    counts.asked("old")
    assert counts.useful == 1
