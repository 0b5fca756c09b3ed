"""``rate`` by hand: the ladder is 1, 2, 4 and 8 Mbit/s."""

from __future__ import annotations

import pytest

from abr.algorithms import rate
from abr.decision import begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def chosen(throughputs_bps: list[float], **params: float) -> int:
    downloads = [make_download(bps) for bps in throughputs_bps]
    return begin(rate.make(**params), PRESENTATION).choose(seen(downloads=downloads)).rung


@pytest.mark.parametrize(
    ("mbps", "rung"), [(0.5, 0), (1.99, 0), (2.01, 1), (3.9, 1), (4.01, 2), (90, 3)]
)
def test_it_takes_the_highest_rung_that_the_throughput_carries(mbps: float, rung: int) -> None:
    assert chosen([mbps * 1e6]) == rung


def test_it_takes_the_harmonic_mean_of_five() -> None:
    """Of 2, 6, 6, 6 and 6 Mbit/s it is 5 / (1/2 + 4/6) = 4.29; the first does not count."""
    assert chosen([0.1e6, 2e6, 6e6, 6e6, 6e6, 6e6]) == 2
    assert chosen([0.1e6, 2e6, 6e6, 6e6, 6e6, 6e6], window=6) == 0


def test_less_than_all_of_it_can_be_relied_on() -> None:
    assert chosen([4.1e6], safety=0.9) == 1


def test_the_first_segment_is_of_the_lowest_rung() -> None:
    assert chosen([]) == 0


def test_the_mean_may_be_arithmetic() -> None:
    """Of 2 and 7 Mbit/s it is 4.5, the harmonic mean 3.1."""
    assert [chosen([2e6, 7e6], mean=mean) for mean in (0, 1)] == [1, 2]


@pytest.mark.parametrize("wrong", [{"window": 0}, {"mean": 3}])
def test_parameters_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="window must be 1 or more"):
        rate.make(**wrong)
