"""One fill per key, whoever comes and goes."""

import pytest

from edge.collapse import Collapse


def test_the_first_starts_a_fill_and_the_others_join_it() -> None:
    waiting: Collapse[object] = Collapse()
    fill = object()
    assert waiting.join("/a") is None
    assert waiting.start("/a", fill).started
    joined = [waiting.join("/a") for _ in range(49)]
    assert all(place is not None and place.fill is fill for place in joined)
    assert not any(place is not None and place.started for place in joined)
    assert len(waiting) == 1


def test_a_fill_that_has_ended_is_not_joined() -> None:
    waiting: Collapse[object] = Collapse()
    fill = object()
    waiting.start("/a", fill)
    waiting.finish("/a", fill)
    assert waiting.join("/a") is None
    assert len(waiting) == 0


def test_the_late_end_of_an_old_fill_leaves_the_new_one() -> None:
    waiting: Collapse[object] = Collapse()
    old, new = object(), object()
    waiting.start("/a", old)
    waiting.finish("/a", old)
    waiting.start("/a", new)
    waiting.finish("/a", old)
    place = waiting.join("/a")
    assert place is not None
    assert place.fill is new


def test_two_fills_of_one_key_are_a_mistake() -> None:
    waiting: Collapse[object] = Collapse()
    waiting.start("/a", object())
    with pytest.raises(ValueError, match="join it"):
        waiting.start("/a", object())
