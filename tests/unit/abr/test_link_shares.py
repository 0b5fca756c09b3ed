"""Equal shares of a link: transfers that begin, end and are given up."""

from __future__ import annotations

from abr.sharing import IDLE, abandon, bits_until, finish, join, share_by


def test_one_transfer_gets_all() -> None:
    alone = join(IDLE, 1000.0, 1.0)
    assert share_by(alone, 1600.0) == 600.0
    assert bits_until(alone, 800.0) == 1800.0


def test_the_second_halves_what_the_first_gets_from_then_on() -> None:
    """The first has 600 bits when the second begins: 400 more offered are 200 for each."""
    first = join(IDLE, 0.0, 0.0)
    both = join(first, 600.0, 1.0)
    assert (both.active, both.share) == (2, 600.0)
    assert share_by(both, 1000.0) == 800.0
    # The first needs 1000 bits, and so 400 more: the link must offer 800.
    assert bits_until(both, 1000.0) == 1400.0


def test_who_is_left_gets_all_again() -> None:
    both = join(join(IDLE, 0.0, 0.0), 600.0, 1.0)
    left = finish(both, 1000.0, 2.0)
    assert (left.active, left.share, left.offered_bits) == (1, 1000.0, 1400.0)
    # The second began at a share of 600 and needs 1000 bits: 600 more, all for itself.
    assert bits_until(left, 1600.0) == 2000.0


def test_giving_up_frees_a_share_at_once() -> None:
    both = join(join(IDLE, 0.0, 0.0), 600.0, 1.0)
    left = abandon(both, 1000.0, 2.0)
    assert (left.active, left.share, left.changed_s) == (1, 800.0, 2.0)
    assert share_by(left, 1300.0) == 1100.0


def test_asking_changes_nothing_and_sums_start_afresh_on_an_idle_link() -> None:
    alone = join(IDLE, 1e12, 5.0)
    for offered in (1e12 + 1.0, 1e12 + 3.0, 1e12 + 2.0):
        assert share_by(alone, offered) == offered - 1e12
    idle = finish(alone, 3.0, 6.0)
    assert (idle.active, idle.share) == (0, 0.0)
    assert share_by(idle, 2e12) == 0.0


def test_a_question_about_the_past_takes_nothing_back() -> None:
    """Rounding may ask for a little less than was offered at the last change."""
    alone = join(IDLE, 1000.0, 1.0)
    assert share_by(alone, 999.999) == 0.0
