"""The built-in rules, by hand-computed decisions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.algorithms import bba0, bola, bola_pensieve, fixed, throughput
from abr.decision import (
    Decision,
    Download,
    Observation,
    Progress,
    Rule,
    RunningAlgorithm,
    begin,
    downloads_from,
)
from abr.errors import AlgorithmError
from abr.media import constant_presentation

PRESENTATION = constant_presentation([1e6, 2e6, 4e6, 8e6], segments=100, segment_s=4)
# The ten rungs and 3 s segments of Sabre's published threshold table.
BBB = constant_presentation(
    [230e3, 331e3, 477e3, 688e3, 991e3, 1427e3, 2056e3, 2962e3, 5027e3, 6000e3],
    segments=1000,
    segment_s=3,
)


def seen(
    buffer_s: float,
    *,
    segment: int = 50,
    max_buffer_s: float = 25.0,
    presentation: object = PRESENTATION,
) -> Observation:
    played = PRESENTATION if presentation is PRESENTATION else BBB
    return Observation(
        100.0, segment, buffer_s, max_buffer_s, 0, True,
        played.bitrates_bps, played.sizes_bytes, played.durations_s, downloads_from([]),
    )  # fmt: skip


def start_informed(rule: Rule, throughput_bps: float, latency_s: float = 0.0) -> RunningAlgorithm:
    """A playback that has measured one download."""
    running = begin(rule, PRESENTATION)
    end_s = latency_s + 8e6 / throughput_bps
    running.delivered(seen(0), Download(0, 0, 1e6, 0.0, latency_s, end_s))
    return running


@pytest.mark.parametrize(("rung", "chosen"), [(0, 0), (2, 2), (-1, 3), (-4, 0)])
def test_fixed_counts_from_either_end(rung: int, chosen: int) -> None:
    assert begin(fixed.make(rung=rung), PRESENTATION).choose(seen(9)).rung == chosen


def test_fixed_refuses_a_rung_that_the_ladder_lacks() -> None:
    with pytest.raises(AlgorithmError, match="rung 4; expected 0 to 3"):
        begin(fixed.make(rung=4), PRESENTATION).choose(seen(9))


@pytest.mark.parametrize(
    ("buffer_s", "rung"),
    [(0, 0), (4.99, 0), (5, 0), (8.3, 0), (8.4, 1), (11.7, 2), (14.9, 2), (15, 3), (60, 3)],
)
def test_bba_0_is_linear_between_reservoir_and_cushion(buffer_s: float, rung: int) -> None:
    """The rung is int(3 (b - 5) / 10)."""
    assert begin(bba0.make(), PRESENTATION).choose(seen(buffer_s)).rung == rung


@pytest.mark.parametrize("cushion_s", [0.7, 3.0, 7.3, 10.0])
def test_bba_0_comes_to_what_the_division_gives(cushion_s: float) -> None:
    """Where a rung begins, the last bit of the quotient decides."""
    running = begin(bba0.make(reservoir_s=0.0, cushion_s=cushion_s), PRESENTATION)
    for k in range(3):
        buffer_s = math.nextafter(cushion_s * k / 3, 0)
        for _ in range(3):
            assert running.choose(seen(buffer_s)).rung == int(3 * buffer_s / cushion_s)
            buffer_s = math.nextafter(buffer_s, math.inf)


@pytest.mark.parametrize(
    ("throughput_bps", "latency_s", "rung"),
    # 0.9 T >= b without latency; with 1 s of it, 0.9 T must be b 4 / 3.
    [(1e5, 0, 0), (2.3e6, 0, 1), (4.4e6, 0, 1), (4.5e6, 0, 2), (5.5e6, 1, 1), (6e6, 1, 2)],
)
def test_throughput_takes_what_downloads_within_its_playtime(
    throughput_bps: float, latency_s: float, rung: int
) -> None:
    running = start_informed(throughput.make(buffer_rule=False), throughput_bps, latency_s)
    assert running.choose(seen(10)).rung == rung


def test_throughput_lowers_the_rung_that_the_buffer_cannot_pay_for() -> None:
    """At 10 Mbit/s, 2 s of buffer and caution 0.9: 18 Mbit, so 16 Mbit at 4 Mbit/s is the most.

    Asked again the caution is 0.81: 16.2 Mbit still pay, at 0.729 only 8 Mbit do.
    """
    running = start_informed(throughput.make(), 10e6)
    decisions = [running.choose(seen(2)) for _ in range(3)]
    assert [d.rung for d in decisions] == [2, 2, 1]
    assert {running.reasons[d.reason] for d in decisions} == {"insufficient buffer"}


def progress(rung: int, elapsed_s: float, received: float, buffer_s: float = 4.0) -> Progress:
    """A download of rung ``rung``, of which ``received`` (0 to 1) is here."""
    size = float(PRESENTATION.sizes_bytes[rung, 50])
    return Progress(100 + elapsed_s, 50, rung, size, received * size, 100.0, 100.0, buffer_s)


@pytest.mark.parametrize(
    ("elapsed_s", "received", "target"),
    [
        (1.0, 0.2, None),  # 20 % in 1 s: 5 s in all, allowed are 7.2 s
        (1.0, 0.1, 1),  # 3.2 Mbit/s measured, 0.9 of it sustains 2 Mbit/s
        (0.4, 0.01, None),  # too young to tell
        (6.0, 0.8, None),  # 7.5 s in all, but what is left is less than rung 1 would cost
        (0.6, 0.0, 0),  # not a byte: infinitely slow
    ],
)
def test_throughput_abandons_what_takes_far_too_long(
    elapsed_s: float, received: float, target: int | None
) -> None:
    running = start_informed(throughput.make(), 10e6)
    answer = running.reconsider(seen(4), progress(3, elapsed_s, received))
    assert (answer and answer.rung) == target


def test_before_the_first_byte_nothing_is_abandoned() -> None:
    for rule in (throughput.make(), bola.make(abandon=False)):
        running = start_informed(rule, 10e6)
        waiting = progress(3, 30, 0)._replace(first_byte_s=math.nan)
        assert running.reconsider(seen(4), waiting) is None


def test_bola_reproduces_the_published_thresholds() -> None:
    """Buffer levels at which each rung becomes the best, 10 s limit, gp 5 (seconds)."""
    running = begin(bola.make(finite=False), BBB)
    running.delivered(seen(0, presentation=BBB), Download(0, 0, 1e9, 0, 0, 1))
    levels = np.arange(0, 7, 0.001)
    rungs = [running.choose(seen(b, max_buffer_s=10, presentation=BBB)).rung for b in levels]
    found = [levels[rungs.index(r)] for r in range(1, 10)]
    published = [3.534, 3.843, 4.153, 4.463, 4.772, 5.081, 5.391, 5.759, 6.076]
    assert found == pytest.approx(published, abs=0.0015)


def test_bola_switches_up_no_further_than_the_throughput_allows() -> None:
    """Its buffer asks for the top; 2.5 Mbit/s sustain rung 1: BOLA-U takes 2, BOLA-O 1."""
    bold = start_informed(bola.make(), 2.5e6).choose(seen(24))
    assert (bold.rung, bold.wait_s) == (2, 0)
    steady = start_informed(bola.make(oscillation=True), 2.5e6).choose(seen(24))
    # Vp = (25 - 4) / (ln 8 + 5); it waits until the buffer is Vp (5 + ln 2).
    level_s = 21 / (math.log(8) + 5) * (5 + math.log(2))
    assert steady.rung == 1
    assert steady.wait_s == pytest.approx(24 - level_s)


def test_bola_is_less_bold_near_both_ends() -> None:
    """Three segments of buffer at the start: what is rung 1 in the middle is the top there."""
    levels = [start_informed(bola.make(), 1e9).choose(seen(8, segment=s)).rung for s in (1, 50, 99)]
    assert levels == [3, 0, 3]


def test_bola_abandons_for_a_rung_that_scores_better() -> None:
    running = start_informed(bola.make(), 1e9)
    assert running.choose(seen(24)).rung == 3
    assert running.reconsider(seen(24), progress(3, 1, 0.01, buffer_s=3)) == Decision(0, 0.0, 4)
    assert running.reconsider(seen(24), progress(3, 1, 0.95, buffer_s=3)) is None


def test_bola_with_hardly_any_buffer_follows_the_throughput() -> None:
    assert start_informed(bola.make(), 3e6).choose(seen(1, max_buffer_s=3)).rung == 1


def test_bola_of_the_pensieve_family_goes_from_low_to_target() -> None:
    """Lowest until 10 s, top at 30 s; constant sizes make it BOLA-BASIC."""
    running = begin(bola_pensieve.make(), PRESENTATION)
    rungs = [running.choose(seen(b)).rung for b in (0, 9.9, 31)]
    assert (rungs[0], rungs[2]) == (0, 3)
    assert rungs == sorted(rungs)


def test_before_any_download_the_lowest_rung_is_chosen() -> None:
    for rule in (throughput.make(), bola.make()):
        assert begin(rule, PRESENTATION).choose(seen(0, segment=0)).rung == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: bba0.make(reservoir_s=-1),
        lambda: bola.make(gp=0),
        lambda: bola_pensieve.make(low_s=30),
        lambda: throughput.make(safety=0),
        lambda: throughput.make(window=-1),
    ],
)
def test_parameters_out_of_range_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=r"must|expected"):
        make()
