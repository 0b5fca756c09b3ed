"""``mpc``, ``robust-mpc`` and ``fast-mpc`` by hand; the search itself is tested apart."""

from __future__ import annotations

import pytest

from abr.algorithms import fast_mpc, mpc, robust_mpc
from abr.decision import Rule, begin, start_state
from tests.fakes.observations import PRESENTATION, make_download, seen

MAKERS = (mpc.make, robust_mpc.make, fast_mpc.make)


def chosen(
    rule: Rule, buffer_s: float, mbps: float, *, last_rung: int = 0, segment: int = 99
) -> int:
    looked = seen(
        buffer_s, segment=segment, last_rung=last_rung, downloads=[make_download(mbps * 1e6)]
    )
    return begin(rule, PRESENTATION).choose(looked).rung


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("buffer_s", "mbps", "last_rung", "rung"),
    [
        # The last segment. Going up wins the rate and pays it for the change: a tie, and
        # the highest counts, where it does not stall: 32 Mbit at 8.2 take 3.9 s.
        (4.2, 8.2, 0, 3),
        # 3 s less would stall 0.9 s; 16 Mbit take 1.95 s.
        (3.0, 8.2, 0, 2),
        # From the top at 1 Mbit/s, 10 s ready: to stay stalls 22 s. Rung 1 takes 8 s, and
        # 2 - 6 = -4 is better than 1 - 7 = -6 and than 4 - 4 - 4.3 x 6.
        (10.0, 1.0, 3, 1),
    ],
)
def test_the_last_segment_by_hand(
    make: type, buffer_s: float, mbps: float, last_rung: int, rung: int
) -> None:
    assert chosen(make(), buffer_s, mbps, last_rung=last_rung) == rung


def test_it_looks_five_segments_ahead() -> None:
    """At 4 Mbit/s rung 2 lasts for ever and rung 3 costs 4 s of buffer a segment.

    With 10 s ready: one segment ahead there is enough for rung 3; five at rung 3 would
    stall 14 s, and one only would switch for a gain of 4 twice at a cost of 4.
    """
    rule = mpc.make()
    assert chosen(mpc.make(horizon=1), 10.0, 4.0, last_rung=2, segment=50) == 3
    assert chosen(rule, 10.0, 4.0, last_rung=2, segment=50) == 2


@pytest.mark.parametrize("make", MAKERS)
def test_before_the_first_download_it_is_the_lowest_rung(make: type) -> None:
    decision = begin(make(), PRESENTATION).choose(seen(last_rung=-1, segment=0, buffer_s=0.0))
    assert (decision.rung, decision.reason) == (0, 0)


def test_robust_mpc_divides_by_the_largest_error_of_five() -> None:
    """Estimated 8.2, measured 4.1 Mbit/s: an error of 1.

    The harmonic mean of both, 5.47, is halved: 2.73. Of 7 s ready the last segment takes
    5.9 s at 16 Mbit and 11.7 s at 32; at 5.47 it would have taken 5.9 s at 32.
    """
    running = begin(robust_mpc.make(), PRESENTATION)
    first, second = make_download(8.2e6, end_s=90.0), make_download(4.1e6)
    running.delivered(seen(downloads=[first]), first)
    running.delivered(seen(downloads=[first, second]), second)
    looked = seen(7.0, segment=99, downloads=[first, second])
    assert running.choose(looked).rung == 2
    assert begin(mpc.make(), PRESENTATION).choose(looked).rung == 3
    for _ in range(5):  # at 5.4667 Mbit/s, as estimated
        running.delivered(looked, make_download(2 / (1 / 8.2 + 1 / 4.1) * 1e6))
    assert running.choose(looked).rung == 3


def test_errors_are_of_the_playback_and_do_not_leak() -> None:
    rule = robust_mpc.make()
    bad = begin(rule, PRESENTATION)
    bad.delivered(seen(downloads=[make_download(80e6)]), make_download(80e6))
    bad.delivered(seen(), make_download(0.5e6))
    assert chosen(rule, 4.2, 8.2) == 3


def test_a_state_played_on_leaks_as_pensieves_program_does() -> None:
    """The estimate after the last segment, 80 Mbit/s, is wrong by 8.8 of the next session's 8.2."""
    rule = robust_mpc.make()
    state = start_state(rule, PRESENTATION)
    assert rule.delivered is not None
    last, first = make_download(80e6), make_download(8.2e6)
    rule.delivered(rule.params, state, seen(downloads=[last]), last)
    rule.delivered(rule.params, state, seen(downloads=[first]), first)
    looked = seen(4.2, segment=99, downloads=[first])
    assert state.errors.max() == pytest.approx((80 - 8.2) / 8.2)
    assert rule.choose(rule.params, state, looked).rung == 0
    assert chosen(rule, 4.2, 8.2) == 3


def test_fast_mpc_knows_nothing_of_sizes_and_rounds_to_the_middle_of_bins() -> None:
    """One bin only: 15 s of a limit of 30, and 6 Mbit/s of 1.5 x 8; 32 Mbit take 5.3 s."""
    assert chosen(fast_mpc.make(bins=1), 0.0, 0.1) == 3
    assert chosen(fast_mpc.make(), 0.0, 0.1) == 0


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("wrong", [{"horizon": 0}, {"window": 0}, {"stall_weight": -1.0}])
def test_parameters_are_checked(make: type, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        make(**wrong)
