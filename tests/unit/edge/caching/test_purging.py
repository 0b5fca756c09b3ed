"""Purging: tags of responses, and what a purge selects."""

from edge.caching.purging import MAX_TAGS, Purge, tags_of


def test_tags_come_from_both_fields_each_once() -> None:
    headers = [("Surrogate-Key", "one  two"), ("cache-tag", "two, three,,"), ("X", "four")]
    assert tags_of(headers) == ("one", "two", "three")


def test_tags_are_bounded() -> None:
    many = " ".join(str(number) for number in range(1000))
    assert len(tags_of([("Cache-Tag", many), ("Cache-Tag", "x" * 500)])) == MAX_TAGS


def test_a_purge_selects_by_key_prefix_or_tag() -> None:
    assert Purge(key="/a").selects("/a", ())
    assert not Purge(key="/a").selects("/a/b", ())
    assert Purge(prefix="/a/").selects("/a/b", ())
    assert not Purge(prefix="/a/").selects("/a", ())
    assert Purge(tag="x").selects("/a", ("y", "x"))
    assert not Purge(tag="x").selects("/a", ("xy",))


def test_what_has_no_tags_yet_may_carry_any() -> None:
    assert Purge(tag="x").selects("/a", None)
    assert not Purge(key="/b").selects("/a", None)
    assert not Purge().selects("/a", None)
