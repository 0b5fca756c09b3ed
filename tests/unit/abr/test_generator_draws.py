"""What a chain and a copula draw from given random numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.generators.chain import draw_chain
from abr.generators.copula import draw_copula
from abr.generators.model import Chain, Copula, Quantiles

MEAN = Quantiles(levels=(0.0, 1.0), values=(1e6, 3e6))
MIDDLE = 0.5
"""Level at which a normal deviate is 0."""


def chain(**changes: object) -> Chain:
    """No outage at first; from then on the states 1, 2 and 0 follow each other."""
    settings: dict[str, object] = {
        "mean_bps": MEAN,
        "outage_bps": 1e4,
        "initial": (0.0, 1.0, 0.0),
        "transition": ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
        "log_ratio_mean": (0.0, math.log(3)),
        "log_ratio_sigma": (0.0, 0.0),
        "within_phi": 0.0,
    }
    return Chain(**{**settings, **changes})  # type: ignore[arg-type]


def test_a_chain_goes_from_state_to_state_and_keeps_its_mean_outside_outages() -> None:
    """Shares 1, 3, 0, 1, 3 have a mean of 2 outside the outage; the trace's is 2 Mbit/s."""
    drawn = draw_chain(chain(), 0.5, np.full((5, 2), MIDDLE))
    assert drawn.tolist() == pytest.approx([1e6, 3e6, 0.0, 1e6, 3e6])


def test_the_level_of_a_trace_is_that_of_its_mean() -> None:
    low, high = (draw_chain(chain(), level, np.full((2, 2), MIDDLE)) for level in (0.0, 1.0))
    assert low.mean() == pytest.approx(1e6)
    assert high.mean() == pytest.approx(3e6)


def test_rows_that_rounding_left_below_one_lose_no_state() -> None:
    """Level 0.9999 of a row that adds up to 0.9998 is still its last state."""
    short = ((0.0, 0.9998, 0.0), (0.0, 0.0, 0.9998), (0.9998, 0.0, 0.0))
    drawn = draw_chain(chain(transition=short), 0.5, np.full((3, 2), [0.9999, MIDDLE]))
    assert drawn.tolist() == pytest.approx([1e6, 3e6, 0.0])


def test_variation_within_a_state_is_cut_at_two_deviations() -> None:
    """A shock of 5 deviations counts as 2: the shares are 1 and e."""
    single = chain(
        initial=(0.0, 1.0),
        transition=((0.0, 1.0), (0.0, 1.0)),
        log_ratio_mean=(0.0,),
        log_ratio_sigma=(0.5,),
    )
    far = 1 - 2.9e-7  # five deviations
    drawn = draw_chain(single, 0.5, np.array([[0.5, MIDDLE], [0.5, far]]))
    assert drawn[1] / drawn[0] == pytest.approx(math.e, rel=1e-6)


def test_nothing_but_outage_stays_nothing() -> None:
    silent = chain(
        initial=(1.0, 0.0, 0.0), transition=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    )
    assert draw_chain(silent, 0.5, np.full((3, 2), MIDDLE)).tolist() == [0.0, 0.0, 0.0]


def copula(*, slow: float, fast: float, noise: float) -> Copula:
    return Copula(
        mean_bps=MEAN,
        ratios=Quantiles(levels=(0.0, 0.5, 1.0), values=(0.0, 1.0, 4.0)),
        slow_weight=slow,
        slow_phi=0.999999,
        fast_weight=fast,
        fast_phi=0.0,
        noise_weight=noise,
    )


def test_noise_alone_draws_ratios_at_the_levels_of_chance() -> None:
    """Levels 0.25, 0.5 and 0.75 are ratios 0.5, 1 and 2.5, of a mean of 2 Mbit/s."""
    chance = np.column_stack([np.full(3, 0.9), np.full(3, 0.1), [0.25, 0.5, 0.75]])
    drawn = draw_copula(copula(slow=0.0, fast=0.0, noise=1.0), 0.5, chance)
    assert drawn.tolist() == pytest.approx([1e6, 2e6, 5e6], rel=1e-6)


def test_a_slow_process_stays_where_it_began_and_a_fast_one_does_not() -> None:
    chance = np.full((3, 3), MIDDLE)
    chance[:, 0] = [0.75, 0.1, 0.9]
    chance[:, 1] = [0.75, 0.25, 0.5]
    slow = draw_copula(copula(slow=1.0, fast=0.0, noise=0.0), 0.5, chance)
    assert slow.tolist() == pytest.approx([5e6, 5e6, 5e6], rel=2e-3)
    fast = draw_copula(copula(slow=0.0, fast=1.0, noise=0.0), 0.5, chance)
    assert fast.tolist() == pytest.approx([5e6, 1e6, 2e6], rel=1e-6)


def test_a_shorter_draw_is_the_beginning_of_a_longer_one() -> None:
    chance = np.random.default_rng(1).uniform(0.01, 0.99, (9, 3))
    model = copula(slow=0.5, fast=0.3, noise=0.2)
    assert (draw_copula(model, 0.5, chance)[:4] == draw_copula(model, 0.5, chance[:4])).all()
