"""``hyb`` by hand: segments of 4 s at 1, 2, 4 and 8 Mbit/s."""

from __future__ import annotations

import math

import pytest

from abr.algorithms import hyb
from abr.decision import begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def chosen(buffer_s: float, mbps: float, **params: float) -> tuple[int, int]:
    looked = seen(buffer_s, downloads=[make_download(mbps * 1e6)])
    decision = begin(hyb.make(**params), PRESENTATION).choose(looked)
    return decision.rung, decision.reason


@pytest.mark.parametrize(
    ("buffer_s", "mbps", "rung"),
    [
        (8.0, 8.1, 2),  # 2 s are allowed; 16 Mbit take 1.98 s
        (8.0, 7.9, 1),  # and here 2.03 s
        (8.4, 8.0, 2),  # 2.1 s are allowed; 16 Mbit take 2 s
        (20.0, 8.0, 3),  # 5 s; 32 Mbit take 4
        (2.0, 8.1, 0),  # 0.5 s; 4 Mbit take 0.494
    ],
)
def test_a_download_may_use_a_quarter_of_the_buffer(
    buffer_s: float, mbps: float, rung: int
) -> None:
    assert chosen(buffer_s, mbps) == (rung, 1)


def test_beta_is_that_part() -> None:
    assert chosen(8.0, 8.0, beta=0.5) == (3, 1)


def test_when_nothing_fits_it_is_the_lowest_rung() -> None:
    assert chosen(0.0, 8.0) == (0, 2)


def test_just_in_time_is_in_time() -> None:
    """16 Mbit at 8 Mbit/s take the 2 s that are allowed; a bit of buffer less, and they do not."""
    assert chosen(8.0, 8.0) == (2, 1)
    assert chosen(math.nextafter(8.0, 0), 8.0) == (1, 1)


def test_the_first_segment_is_of_the_lowest_rung() -> None:
    assert begin(hyb.make(), PRESENTATION).choose(seen()).rung == 0


@pytest.mark.parametrize(("mean", "rung"), [(0, 1), (1, 2), (2, 0)])
def test_three_means_of_the_last_downloads(mean: int, rung: int) -> None:
    """4 Mbit in 0.25 s and 16 in 4: the means are 6.4, 10 and 20 / 4.25 = 4.7 Mbit/s.

    Of 6.6 s of buffer 1.65 may be used, for 10.6, 16.5 or 7.8 Mbit.
    """
    downloads = [make_download(16e6, end_s=90.0), make_download(4e6, rung=2)]
    looked = seen(6.6, downloads=downloads)
    assert begin(hyb.make(mean=mean), PRESENTATION).choose(looked).rung == rung


@pytest.mark.parametrize("wrong", [{"beta": 0}, {"mean": 3}, {"window": 0}])
def test_parameters_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="beta more than 0, mean 0, 1 or 2"):
        hyb.make(**wrong)
