"""Per-title ladders: curves, hull, caps, steps, and samples that stand for the film."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcode.ladders.curves import interpolate, upper_hull
from transcode.ladders.pertitle import (
    Limits,
    Sample,
    Trial,
    candidates_of,
    capped_mean_bps,
    choose_rungs,
    efficient,
    mend_rungs,
    standard_error,
)
from transcode.ladders.rungs import PlannedRung
from transcode.ladders.shots import (
    GREY_HEIGHT,
    GREY_WIDTH,
    Survey,
    Surveyor,
    choose_samples,
    sample_count,
    shots_of,
)

POINTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 100)), min_size=1, max_size=12).map(
    lambda points: ([float(x) for x, _ in points], [float(y) for _, y in points])
)
FACTORS = (19.0, 25.0, 31.0, 37.0)


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=7),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_a_curve_goes_through_its_points_and_not_beyond_them(
    values: list[float], places: list[float]
) -> None:
    x, y = np.arange(len(values), dtype=float), np.array(values)
    assert interpolate(x, x, y) == pytest.approx(y)
    at = np.array(places) * x[-1]
    for place, value in zip(at, interpolate(at, x, y), strict=True):
        ends = y[[int(np.floor(place)), int(np.ceil(place))]]
        assert ends.min() - 1e-9 <= value <= ends.max() + 1e-9


def test_a_straight_line_stays_straight_and_ends_are_kept() -> None:
    x = np.array([0.0, 2.0, 3.0])
    line = np.array([[0.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    found = interpolate(np.array([-1.0, 1.0, 2.5, 9.0]), x, line)
    assert found == pytest.approx(np.array([[0.0, 5.0], [1.0, 5.0], [2.5, 5.0], [3.0, 5.0]]))


@given(POINTS)
def test_no_point_lies_above_the_hull(points: tuple[list[float], list[float]]) -> None:
    """Worth rises along it, ever more slowly, to the highest point of all."""
    x, y = points
    hull = upper_hull(x, y)
    slopes = [(y[b] - y[a]) / (x[b] - x[a]) for a, b in pairwise(hull)]
    assert all(slope > 0 for slope in slopes)
    assert slopes == sorted(slopes, reverse=True)
    assert y[hull[-1]] == max(y)
    for cost, worth in zip(x, y, strict=True):
        line = np.interp(cost, [x[i] for i in hull], [y[i] for i in hull])
        assert cost < x[hull[0]] or worth <= line + 1e-9


def test_a_hull_worked_out_by_hand() -> None:
    """(1, 1) lies below the line to (2, 4); (3, 4) costs more than (2, 4) for nothing."""
    assert upper_hull([0, 1, 2, 3, 4], [0, 1, 4, 4, 5]) == [0, 2, 4]


def test_a_cap_lowers_the_mean_and_with_it_the_cap() -> None:
    """Half at 1 and half at 3: with m = (1 + 1.2 m) / 2, the mean is 1.25 and the cap 1.5."""
    rates, weights = np.array([1.0, 3.0]), np.array([0.5, 0.5])
    assert capped_mean_bps(rates, weights, 1.5) == pytest.approx(2.0)  # 1.5 x 2 caps nothing
    assert capped_mean_bps(rates, weights, 1.2) == pytest.approx(1.25)
    still = np.array([0.0, 0.0, 0.0, 4.0])  # would fall to nothing: held at half of the mean
    assert capped_mean_bps(still, np.full(4, 0.25), 1.5) == pytest.approx(0.5)


def test_what_was_not_looked_at_makes_quality_uncertain() -> None:
    """Three strata of a third each; neighbours differ by 4 and by 2: 8, (8 + 2) / 2 and 2."""
    seen = [Sample(first=48 * n, frames=48, weight=1 / 3, stratum=n) for n in range(3)]
    quality = np.array([80.0, 84.0, 86.0])
    assert standard_error(quality, seen) == 0.0  # all of it was looked at
    part = [replace(each, stands_for=2) for each in seen]
    assert standard_error(quality, part) == pytest.approx(((8 + 5 + 2) / 9 / 2) ** 0.5)
    assert standard_error(quality[:1], part[:1]) == 0.0


def trials_of(
    sizes: dict[tuple[int, int], tuple[float, float]], *, hard: float = 1.0
) -> list[Trial]:
    """Trials of two samples, by the most quality and the rate at factor 25 of each size.

    Six steps of the factor halve the rate. Quality is what the size allows, less three points
    for a size's worth of pixels at factor 25, doubled every six steps.
    """
    found = []
    for (width, height), (most, rate_bps) in sizes.items():
        for crf in FACTORS:
            rate = rate_bps * 2 ** ((25 - crf) / 6)
            loss = 3 * 2 ** ((crf - 25) / 6)
            found.append(
                Trial(
                    width=width,
                    height=height,
                    crf=crf,
                    bits=np.array([rate, rate * hard]) * 2.0,
                    quality=np.array([most - loss, most - loss]),
                )
            )
    return found


SAMPLES = (Sample(first=0, frames=48, weight=0.5), Sample(first=480, frames=48, weight=0.5))
LIMITS = Limits(sample_rate_fps=24.0)
SIZES = {(320, 180): (60.0, 200e3), (640, 360): (85.0, 600e3), (1280, 720): (98.0, 2e6)}


def test_candidates_pass_through_the_trials() -> None:
    every = candidates_of(trials_of(SIZES), SAMPLES, LIMITS)
    found = {(each.height, each.crf): each for each in every}
    assert found[720, 25.0].rate_bps == pytest.approx(2e6)
    assert found[720, 25.0].quality == pytest.approx(95.0)
    assert found[720, 28.0].rate_bps == pytest.approx(2e6 / 2**0.5)
    assert 92.0 < found[720, 28.0].quality < 95.0


def test_a_cap_costs_the_hard_sample_its_quality() -> None:
    """At four times the rate, half the film is held at 1.2 times the mean."""
    easy, hard = (
        candidates_of(trials_of({(640, 360): (85.0, 600e3)}, hard=factor), SAMPLES, limits)
        for factor, limits in (
            (1.0, LIMITS),
            (4.0, Limits(sample_rate_fps=24.0, peak_ratio=1.2)),
        )
    )
    at = {each.crf: each for each in hard}
    free = {each.crf: each for each in easy}
    # m = (r + 1.2 m) / 2 with r = 600 kbit/s: the mean is 750 kbit/s and the cap 900; but half of
    # the mean without a cap is 750 kbit/s too, so both rules say the same.
    assert at[25.0].rate_bps == pytest.approx((600e3 + 900e3) / 2)
    # The hard sample would need 2.4 Mbit/s; 900 kbit/s is what it takes at factor 33.5.
    lost = 3 * 2 ** ((33.5 - 25) / 6) - 3
    assert free[25.0].quality - at[25.0].quality == pytest.approx(lost / 2, abs=0.1)


def test_only_sizes_on_the_hull_are_used() -> None:
    """A size that is dearer than others at every quality is left out."""
    sizes = {**SIZES, (480, 270): (62.0, 1.5e6)}
    kept = efficient(candidates_of(trials_of(sizes), SAMPLES, LIMITS))
    assert {each.height for each in kept} == {180, 360, 720}
    assert all(a.rate_bps <= b.rate_bps and a.quality < b.quality for a, b in pairwise(kept))


def test_rungs_are_a_just_noticeable_step_apart_from_the_top_down() -> None:
    rungs = choose_rungs(trials_of(SIZES), SAMPLES, "vmaf", LIMITS)
    targets = [rung.target for rung in rungs if rung.target is not None]
    assert len(targets) == len(rungs)
    assert targets[-1] == pytest.approx(95.0, abs=0.2)
    assert all(high - low >= 6.0 - 1e-9 for low, high in pairwise(targets))
    assert all(low.bitrate_bps * 1.49 <= high.bitrate_bps for low, high in pairwise(rungs))
    assert all(rung.cap_bps == pytest.approx(1.5 * rung.bitrate_bps, rel=1e-4) for rung in rungs)
    assert rungs[0].bitrate_bps <= 150e3


def test_high_definition_has_two_rungs_of_its_size() -> None:
    """Apple's item 9.10, even where a smaller size would do for the second."""
    sizes = {(640, 360): (94.0, 600e3), (1280, 720): (98.0, 2e6)}
    rungs = choose_rungs(trials_of(sizes), SAMPLES, "vmaf", LIMITS)
    assert [rung.height for rung in rungs[-2:]] == [720, 720]


def test_a_rung_below_its_target_is_encoded_more_finely_by_what_it_lacks() -> None:
    """At factor 25 a lower one brings 3 (1 - 2 ** (-1 / 6)) = 0.33; the cap goes with the rate."""
    rungs = choose_rungs(trials_of(SIZES), SAMPLES, "vmaf", LIMITS)
    top = rungs[-1]
    assert top.crf == 25.0
    assert top.gain is not None
    assert top.gain == pytest.approx(3 * (1 - 2 ** (-1 / 6)), abs=0.05)
    mended = mend_rungs(rungs, {len(rungs) - 1: 0.6})
    assert mended[:-1] == rungs[:-1]
    assert mended[-1].crf == pytest.approx(25 - 0.6 / top.gain, abs=0.25)
    assert mended[-1].bitrate_bps > top.bitrate_bps * 1.2
    assert mended[-1].cap_bps == pytest.approx(1.5 * mended[-1].bitrate_bps, rel=1e-4)


@pytest.mark.parametrize("gain", [None, 0.0, 1e-9, -1.0])
def test_a_rung_whose_trials_say_nothing_is_mended_by_no_more_than_three(
    gain: float | None,
) -> None:
    """At the end of what was tried, and on a plateau: not without bounds, and never below 0."""
    rung = PlannedRung(640, 360, 600_000, crf=20.0, cap_bps=900_000, target=90.0, gain=gain)
    (mended,) = mend_rungs([rung], {0: 5.0})
    assert mended.crf == 17.0
    assert mend_rungs([replace(rung, crf=1.0)], {0: 5.0})[0].crf == 0.0


def test_an_easy_title_gets_fewer_rungs_than_a_hard_one() -> None:
    easy = {size: (min(99.0, most + 30), rate / 8) for size, (most, rate) in SIZES.items()}
    assert len(choose_rungs(trials_of(easy), SAMPLES, "vmaf", LIMITS)) < len(
        choose_rungs(trials_of(SIZES), SAMPLES, "vmaf", LIMITS)
    )


def test_no_rung_asks_for_more_than_the_master_is_worth() -> None:
    limits = Limits(sample_rate_fps=24.0, highest_bps=900e3)
    rungs = choose_rungs(trials_of(SIZES), SAMPLES, "vmaf", limits)
    assert max(rung.bitrate_bps for rung in rungs) <= 900e3


@settings(max_examples=25)
@given(
    st.lists(st.floats(20, 100), min_size=1, max_size=3),
    st.floats(1e4, 1e7),
    st.floats(0.1, 10),
    st.sampled_from(["vmaf", "xpsnr"]),
)
def test_every_ladder_rises(most: list[float], rate: float, hard: float, metric: str) -> None:
    """In rate and in quality, and always has a rung."""
    sizes = {(160 * n, 90 * n): (most[n - 1], rate * n) for n in range(1, len(most) + 1)}
    rungs = choose_rungs(trials_of(sizes, hard=hard), SAMPLES, metric, LIMITS)  # type: ignore[arg-type]
    assert rungs
    assert all(a.bitrate_bps < b.bitrate_bps for a, b in pairwise(rungs))
    assert all((a.target or 0) < (b.target or 0) for a, b in pairwise(rungs))


def survey(lengths: list[int], hardness: list[float]) -> Survey:
    """Shots of some lengths, each as hard as told, divided by hard cuts."""
    motion = np.full(sum(lengths), 2.0)
    motion[np.cumsum([0, *lengths[:-1]])] = 60.0
    motion[0] = 0.0
    return Survey(motion=motion, bits=np.repeat(hardness, lengths).astype(float))


def test_cuts_are_found_and_pans_and_fades_are_not() -> None:
    assert shots_of(survey([50, 30, 100], [2.0, 3.0, 1.0]).motion) == [0, 50, 80]
    assert shots_of(np.full(100, 40.0)) == [0]  # all of it moves fast
    fade = np.concatenate([np.full(20, 1.0), np.full(12, 14.0), np.full(20, 1.0)])
    assert shots_of(fade) == [0]


def test_pictures_are_looked_at_in_pieces_of_any_size() -> None:
    """Two grey pictures, one half as bright on one side: a spread of 50 between them."""
    plain = np.full((GREY_HEIGHT, GREY_WIDTH), 100, dtype=np.uint8)
    split = plain.copy()
    split[:, GREY_WIDTH // 2 :] = 200
    data = plain.tobytes() + split.tobytes()
    for piece in (999, 7000, len(data)):
        surveyor = Surveyor()
        for at in range(0, len(data), piece):
            surveyor.feed(data[at : at + piece])
        seen = surveyor.close([10, 20])
        assert seen.motion.tolist() == [0.0, 50.0]
        assert seen.bits.tolist() == [80.0, 160.0]
        with pytest.raises(ValueError, match="1 sizes for 2 pictures"):
            surveyor.close([10])


def test_long_films_are_tried_at_more_places() -> None:
    assert [sample_count(groups) for groups in (5, 240, 400, 3600)] == [12, 12, 20, 32]


def test_a_short_film_is_tried_in_full() -> None:
    samples = choose_samples(survey([48, 48, 50], [1.0, 2.0, 3.0]), 48, most=12)
    assert [(each.first, each.frames) for each in samples] == [(0, 48), (48, 48), (96, 48)]
    assert sum(each.weight for each in samples) == pytest.approx(1.0)


def test_a_film_shorter_than_a_group_is_one_sample() -> None:
    assert choose_samples(survey([20], [1.0]), 48, most=12) == (
        Sample(first=0, frames=20, weight=1.0),
    )


def test_still_and_hard_parts_are_both_tried_by_their_share() -> None:
    """Three quarters of the film hardly move: three quarters of the weight is on them."""
    film = survey([480, 480, 480, 480], [0.5, 0.5, 30.0, 0.5])
    samples = choose_samples(film, 48, most=8)
    hard = [each for each in samples if 960 <= each.first < 1440]
    assert sum(each.weight for each in hard) == pytest.approx(0.25, abs=0.06)
    assert len({each.first // 480 for each in samples}) == 4  # no shot is left out


@given(
    st.lists(st.tuples(st.integers(1, 90), st.floats(0, 50)), min_size=1, max_size=12),
    st.integers(1, 20),
)
def test_samples_are_whole_groups_within_the_film(
    shots: list[tuple[int, float]], most: int
) -> None:
    film = survey([length for length, _ in shots], [motion for _, motion in shots])
    samples = choose_samples(film, 24, most=most)
    frames = len(film.motion)
    assert 1 <= len(samples) <= most
    assert sum(each.weight for each in samples) == pytest.approx(1.0)
    for each in samples:
        assert each.first % 24 == 0
        assert each.frames == min(24, frames)
        assert each.first + each.frames <= frames
    assert all(a.first < b.first for a, b in pairwise(samples))
