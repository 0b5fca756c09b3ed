"""The key sets of several parents as one."""

from __future__ import annotations

from edge.parents.keysets import SILENT_S, KeySets
from origin.tokens.trustfeed import digest_of


def keys(*kids: str) -> dict[str, list[dict[str, str]]]:
    return {"keys": [{"kid": kid} for kid in kids]}


def kids(sets: KeySets, now_s: float = 0.0) -> set[str]:
    return {key["kid"] for key in sets.merged(now_s=now_s)["keys"]}


def test_a_key_counts_that_any_parent_has() -> None:
    sets = KeySets()
    sets.fetch("b", keys("old"))
    assert not sets.hear("a", digest_of(keys("old", "new")), now_s=0)
    sets.tell("a", digest_of(keys("old", "new")), keys("old", "new"), now_s=0)
    assert kids(sets) == {"old", "new"}
    sets.fetch("b", keys("old"))
    assert kids(sets) == {"old", "new"}


def test_what_a_parent_tells_replaces_what_was_fetched_from_it() -> None:
    sets = KeySets()
    sets.fetch("a", keys("old"))
    sets.tell("a", digest_of(keys("new")), keys("new"), now_s=0)
    assert kids(sets) == {"new"}
    sets.fetch("a", keys("newer"))
    assert kids(sets) == {"newer"}
    assert sets.hear("a", digest_of(keys("newer")), now_s=0)


def test_a_set_that_was_fetched_already_is_not_fetched_for_being_told_of() -> None:
    sets = KeySets()
    sets.fetch("a", keys("k"))
    assert sets.hear("a", digest_of(keys("k")), now_s=0)
    assert not sets.hear("a", digest_of(keys("k", "l")), now_s=0)


def test_a_parent_that_is_silent_or_gone_does_not_count() -> None:
    sets = KeySets()
    sets.fetch("b", keys("b"))
    sets.tell("a", "d", keys("a"), now_s=0)
    assert kids(sets, SILENT_S - 1) == {"a", "b"}
    assert kids(sets, SILENT_S) == {"b"}
    sets.hear("a", "d", now_s=SILENT_S)
    assert kids(sets, SILENT_S) == {"a", "b"}
    sets.keep(["b"])
    assert kids(sets, SILENT_S) == {"b"}
