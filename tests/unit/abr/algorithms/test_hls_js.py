"""hls.js's rule, by hand; recorded decisions of its own code are in tests/golden."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from abr.algorithms import hls_js
from abr.checks import check_algorithm
from abr.decision import (
    Download,
    Observation,
    Progress,
    RunningAlgorithm,
    begin,
    downloads_from,
    start_state,
)
from abr.media import constant_presentation

RATES = (300e3, 750e3, 1500e3, 3000e3, 6000e3)
PRESENTATION = constant_presentation(RATES, segments=40, segment_s=4.0)


def seen(segment: int, buffer_s: float, last_rung: int, now_s: float = 100.0) -> Observation:
    return Observation(
        now_s, segment, buffer_s, 30.0, last_rung, segment > 0,
        PRESENTATION.bitrates_bps, PRESENTATION.sizes_bytes, PRESENTATION.durations_s,
        downloads_from([]),
    )  # fmt: skip


def arrive(running: RunningAlgorithm, rung: int, bps: float, wait_s: float = 0.1) -> None:
    """The first download, at ``bps`` after ``wait_s``."""
    size = float(PRESENTATION.sizes_bytes[rung, 0])
    end_s = 100.0 + 8 * size / bps
    running.delivered(
        seen(0, 4.0, rung, end_s), Download(0, rung, size, 100.0 - wait_s, 100.0, end_s)
    )


def start_session(**params: float) -> RunningAlgorithm:
    running = begin(hls_js.make(**params), PRESENTATION)
    running.choose(seen(0, 0.0, -1))
    return running


def test_the_first_rung_is_within_the_estimate_that_the_first_variant_raises() -> None:
    """500 kbit/s carries 300; a first variant of 3 Mbit/s is believed, one of 6 only to 5."""
    for first_rung, rung in ((0, 0), (3, 3), (4, 3)):
        rule = hls_js.make(first_rung=first_rung)
        assert begin(rule, PRESENTATION).choose(seen(0, 0.0, -1)).rung == rung


def test_seven_tenths_must_carry_a_higher_rung_and_095_the_last() -> None:
    """0.7 x 4.2 < 3.0 < 0.7 x 4.4; 0.95 x 3.2 > 3.0. Plenty of buffer."""
    for bps, last_rung, rung in ((4.2e6, 1, 2), (4.4e6, 1, 3), (3.2e6, 3, 3), (3.1e6, 3, 2)):
        running = start_session()
        arrive(running, last_rung, bps)
        assert running.choose(seen(1, 20.0, last_rung)).rung == rung


def test_a_segment_must_arrive_before_the_buffer_is_empty() -> None:
    """0.7 x 10 = 7 Mbit/s carries 6, but 0.1 + 24/7 + 0.1 s = 3.63 s.

    3 Mbit/s takes 0.1 + 12/7 + 0.1 s = 1.91 s. The rungs' playlists count 0.1 s more.
    """
    for buffer_s, rung in ((3.7, 4), (3.6, 3), (2.0, 3), (1.8, 2)):
        running = start_session()
        arrive(running, 1, 10e6)
        assert running.choose(seen(1, buffer_s, 1)).rung == rung


def test_an_empty_buffer_accepts_a_stall_of_four_seconds() -> None:
    running = start_session()
    arrive(running, 1, 10e6)
    answer = running.choose(seen(1, 0.0, 1))
    assert (answer.rung, running.reasons[answer.reason]) == (4, "fits with a stall")


def test_only_the_usual_wait_is_left_out_of_a_sample() -> None:
    """The first wait is all that is usual. 1.5 MB in 4 s: 3 Mbit/s, then a second at a wait of 2 s.

    Of that the weights sqrt(2) exp(-0.005) and sqrt(2) exp(-2) leave less than 2 s.
    """
    rule = hls_js.make()
    state = start_state(rule, PRESENTATION)
    hls_js.delivered(rule.params, state, seen(1, 4.0, 0), Download(0, 0, 15e5, 0.0, 0.1, 4.1))
    assert state.mean_bps[0] / (1 - 0.5 ** (4 / 3)) == pytest.approx(3e6)
    hls_js.delivered(rule.params, state, seen(2, 4.0, 0), Download(1, 0, 15e5, 5.0, 7.0, 11.0))
    first, second = (math.sqrt(2) * math.exp(-(wait**2) / 2) for wait in (0.1, 2.0))
    kept, share = 0.5 ** (second / 9), 1 - 0.5 ** (first / 9)
    usual_s = (0.1 * share * kept + 2 * (1 - kept)) / (1 - 0.5 ** ((first + second) / 9))
    assert state.weight_s[0] == pytest.approx(4 + 6 - usual_s)


def test_a_download_that_outlasts_the_buffer_is_given_up_for_one_that_does_not() -> None:
    """2.1 s for 0.45 of 1.5 MB after 0.1 s: 1.8 Mbit/s, 4.67 s left, and 3.5 s of buffer.

    1.5 Mbit/s takes 0.1 + 6 / 1.8 + 0.1 s for its playlist: 3.53 s; 0.75 takes 1.87 s. On a
    link of no more than 750 kbit/s, though, only the lowest would arrive within 3.5 s.
    """
    running = start_session()
    arrive(running, 3, 4e6)
    now = seen(1, 5.6, 3, 102.1)
    late = Progress(102.1, 1, 3, 15e5, 4.5e5, 100.0, 100.1, 3.5)
    assert running.reconsider(now, late._replace(now_s=102.0)) is None
    assert running.reconsider(now, late._replace(buffer_s=4.7)) is None
    answer = running.reconsider(now, late)
    assert answer is not None
    assert (answer.rung, running.reasons[answer.reason]) == (0, "much too slow")


def test_what_comes_while_a_playlist_is_loaded_is_a_second_sample() -> None:
    """0.1 MB in 2 s after 0.1 s: 0.4 Mbit/s, 13 s left of rung 2, 7.7 s for rung 1, 5 s of buffer.

    The estimate falls to 300 kbit/s, the rate of rung 0, and without samples. If its playlist is
    missing, the same is judged again when it is here: 0.7 x 0.4 carries no 0.3, so that counts,
    if it is here within the 7.7 s. Nothing comes with what is fetched then.
    """
    rule = hls_js.make(first_rung=2)
    late = Progress(102.1, 1, 2, 75e4, 1e5, 100.0, 100.1, 5.0)
    for has_playlist, start_s, samples_s in ((1.0, 102.1, 0.0), (0.0, 109, 2), (0.0, 110, 0)):
        state = start_state(rule, PRESENTATION)
        rule.choose(rule.params, state, seen(0, 0.0, -1))
        hls_js.delivered(rule.params, state, seen(0, 4.0, 2), Download(0, 2, 75e4, 90, 90.1, 93.1))
        state.has_playlist[0] = has_playlist
        answer = hls_js.reconsider(rule.params, state, seen(1, 5.0, 2, 102.1), late)
        assert (answer.rung, rule.reasons[answer.reason]) == (0, "too slow")
        fetched = Download(1, 0, 0.0, start_s, start_s + 0.1, start_s + 0.2)
        hls_js.delivered(rule.params, state, seen(2, 5.0, 0), fetched)
        assert state.weight_s[0] == pytest.approx(samples_s)
        assert state.default_bps[0] == 300e3


def test_stated_peaks_and_the_variant_listed_first_are_used() -> None:
    """Rung 3 is listed first and states 4 Mbit/s: that is the first estimate, and what it carries.

    Its segments are of 3 Mbit/s; without a statement they would be the peak.
    """
    listed = replace(
        PRESENTATION, peak_bitrates_bps=1e6 * np.array([0.4, 1, 2, 4, 8]), listed_first=3
    )
    rule = hls_js.make()
    state = start_state(rule, listed)
    assert state.peak_bps.tolist() == [0.4e6, 1e6, 2e6, 4e6, 8e6]
    assert state.default_bps[0] == 4e6
    assert rule.choose(rule.params, state, seen(0, 0.0, -1)).rung == 3


def test_the_rung_above_the_lowest_is_never_given_up() -> None:
    """As in hls.js, which looks for a rung between that one and the lowest."""
    running = start_session()
    arrive(running, 1, 4e6)
    hopeless = Progress(110.0, 1, 1, 375e3, 1e3, 100.0, 100.1, 0.0)
    assert running.reconsider(seen(1, 4.0, 1), hopeless) is None


def test_it_conforms() -> None:
    assert check_algorithm(hls_js.make).decisions > 1000


@pytest.mark.parametrize("wrong", [{"factor": 0.0}, {"half_life_slow_s": 0.0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        hls_js.make(**wrong)
