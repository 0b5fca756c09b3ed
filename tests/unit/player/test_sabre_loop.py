"""The parts of the loop of the ``sabre`` preset by hand, and short sessions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from abr.decision import Decision, Download, Observation, Progress
from abr.media import constant_presentation
from abr.trace import Trace
from player.batch import hooks, sabre, tables
from player.batch.run.compiled import linked
from player.batch.tables import COLUMNS, LinkTable, Out, link_of, out_for, presentation_table_of

# 10 s at 1 Mbit/s and 0.2 s of latency, 5 s of nothing, 10 s at 4 Mbit/s and 0.1 s; again.
LINK = link_of(Trace.from_periods([(10.0, 1e6, 0.2), (5.0, 0.0, 0.4), (10.0, 4e6, 0.1)]))
PRESENTATION = presentation_table_of(
    constant_presentation([1e6, 2e6, 4e6], segments=6, segment_s=4.0)
)


def test_milliseconds_are_those_that_seconds_were_made_from() -> None:
    """Neither by a thousand and back, nor as a difference of times, are they off by a bit."""
    ms = np.array([0.0, 1.0, 50.0, 2002.0, 1949.22, 13739.994, 34.804])
    assert tables.in_ms(ms / 1000).tolist() == ms.tolist()
    assert tables.in_ms((471000 + ms) / 1000 - 471).tolist() == ms.tolist()
    assert tables.in_ms(np.array([1e9])) == 1e12


def test_time_that_passes_goes_round_the_trace() -> None:
    """7 s of period 0, all of 1 and 2, another trace of 25 s, then 3 s of period 0."""
    assert sabre.let_pass(LINK, 0, 7e3, 7e3 + 15e3 + 25e3 + 3e3) == (0, 7e3)
    assert sabre.let_pass(LINK, 0, 7e3, 7e3) == (0, 0.0)


def test_latency_is_paid_at_the_price_of_each_period() -> None:
    """50 ms of 200 ms is a quarter of it; three quarters of 400 ms are 300 ms."""
    assert sabre.wait_latency(LINK, 0, 50.0) == pytest.approx((1, 4700, 350))


def test_no_latency_costs_nothing() -> None:
    free = link_of(Trace.from_periods([(1.0, 1e6, 0.0)]))
    assert sabre.wait_latency(free, 0, 0.0) == (0, 0.0, 0.0)


def test_a_transfer_waits_out_an_outage() -> None:
    """3 Mbit in what is left of period 0, 5 s of nothing, 1 Mbit in a quarter of a second."""
    assert sabre.transfer(LINK, 0, 3e3, 4e6) == (2, 9750, 8250)


def test_a_transfer_that_just_fits_ends_with_its_period() -> None:
    assert sabre.transfer(LINK, 0, 3e3, 3e6) == (0, 0, 3e3)


@pytest.mark.parametrize(
    ("bits", "least_bits", "least_ms", "answer"),
    [
        # Both leasts: 12 kbit take 12 ms, so time decides, and then size.
        (1e6, 12e3, 50, (0, 2950, 50, 50e3)),
        (1e6, 12e3, 5, (0, 2988, 12, 12e3)),
        # No more than there is.
        (9e3, 12e3, 50, (0, 2991, 9, 9e3)),
        # A negative least of time counts for nothing.
        (1e6, 12e3, -200, (0, 2988, 12, 12e3)),
        # Through the outage: 3 Mbit, 5 s of nothing, 1 Mbit.
        (9e6, 4e6, 50, (2, 9750, 8250, 4e6)),
        # Size is there before the outage, the time ends within.
        (9e6, 12e3, 5e3, (1, 3e3, 5e3, 3e6)),
    ],
)
def test_some_of_a_transfer_ends_when_both_leasts_have_passed(
    bits: float, least_bits: float, least_ms: float, answer: tuple[float, ...]
) -> None:
    got = sabre.transfer_some(LINK, 0, 3e3, bits, least_bits, least_ms)
    assert got == pytest.approx(answer)


def test_playing_goes_from_segment_to_segment() -> None:
    """1.5 s of segment 1 have played: 2.5 s finish it, 4 s are segment 2, 1 s is of 3."""
    assert sabre.play(PRESENTATION.durations_ms, 1, 5, 1500.0, 7500.0) == (3, 1000, 0)
    assert sabre.play(PRESENTATION.durations_ms, 1, 3, 1500.0, 7500.0) == (3, 0, 1000)
    assert sabre.play(PRESENTATION.durations_ms, 1, 3, 1500.0, 6500.0) == (3, 0, 0)


def test_length_of_segments() -> None:
    assert sabre.media_ms(PRESENTATION.durations_ms, 2, 5) == 12e3
    assert sabre.media_ms(PRESENTATION.durations_ms, 5, 5) == 0


def play(
    link: LinkTable = LINK,
    options: sabre.Options | None = None,
    loop: Any = sabre.session,
    **rule: Any,
) -> Out:
    """A session with the given hooks."""
    names = ("choose", "reconsider", "delivered", "waited")
    bound = {name: rule.get(name, getattr(hooks, name)) for name in names}
    bound["CAN_RECONSIDER"] = "reconsider" in rule
    bound["CAN_LEARN"] = "delivered" in rule
    out = out_for(PRESENTATION.sizes_bytes.shape[1], 20)
    linked(loop, bound)(None, None, PRESENTATION, link, options or sabre.Options(), out)
    return out


def total(out: Out, name: str) -> float:
    return float(getattr(out.totals, name))


def column(out: Out, name: str) -> list[float]:
    return [float(value) for value in out.columns[COLUMNS.index(name)]]


def test_a_session_by_hand() -> None:
    """4 Mbit each over 1 Mbit/s and 0.5 s of latency: 4.5 s for 4 s of media."""
    out = play(link_of(Trace.from_periods([(100.0, 1e6, 0.5)])))
    assert total(out, "startup_s") == 4.5
    assert column(out, "start_s") == [0, 4.5, 9, 13.5, 18, 22.5]
    assert column(out, "first_byte_s")[:2] == [0.5, 5]
    assert column(out, "end_s")[-1] == 27
    assert column(out, "buffer_before_s") == [0, 4, 4, 4, 4, 4]
    assert column(out, "stall_s") == [0] + [0.5] * 5
    assert (total(out, "stall_s"), total(out, "stall_events")) == (2.5, 5)
    assert total(out, "ended_s") == 4.5 + 24 + 2.5
    assert total(out, "bitrate_time_bits") == 24e6
    assert total(out, "downloaded_bytes") == 3e6


def test_a_segment_waits_for_room_and_the_rule_hears_of_it() -> None:
    """16 Mbit/s: the third segment would make 11.75 s; 10 s may be held."""
    heard: list[tuple[int, float]] = []

    def waited(params: None, state: None, seen: Observation, wait_s: float) -> None:
        heard.append((seen.segment, wait_s))
        assert seen.buffer_s == pytest.approx(6)

    link = link_of(Trace.constant(16e6))
    out = play(link, sabre.Options(max_buffer_s=10.0), waited=waited)
    assert [segment for segment, _ in heard] == [2, 3, 4, 5]
    assert [wait_s for _, wait_s in heard] == pytest.approx([1.75, 3.75, 3.75, 3.75])
    assert total(out, "idle_s") == pytest.approx(1.75 + 3 * 3.75)
    assert total(out, "stall_s") == 0


def test_a_wait_of_the_rule_is_not_told_to_it() -> None:
    def choose(params: None, state: None, seen: Observation) -> Decision:
        return Decision(0, 1.5, 0)

    out = play(link_of(Trace.constant(16e6)), choose=choose)
    assert column(out, "start_s")[1] == pytest.approx(0.25 + 1.5)
    assert total(out, "idle_s") == pytest.approx(5 * 1.5)


def test_questions_come_at_each_step_and_never_about_segment_0() -> None:
    """1 Mbit/s, latency 0.02 s: the first step ends 0.05 s after the request."""
    asked: list[Progress] = []

    def reconsider(params: None, state: None, seen: Observation, progress: Progress) -> Decision:
        asked.append(progress)
        return Decision(progress.rung, 0.0, 0)

    play(link_of(Trace.from_periods([(100.0, 1e6, 0.02)])), reconsider=reconsider)
    assert {each.segment for each in asked} == {1, 2, 3, 4, 5}
    first, second = asked[:2]
    assert first.now_s - first.start_s == pytest.approx(0.05)
    assert first.received_bytes == pytest.approx(0.03 * 1e6 / 8)
    assert second.now_s - second.start_s == pytest.approx(0.1)
    assert second.buffer_s == pytest.approx(3.9)


def test_after_an_abandoned_download_the_rule_is_asked_anew() -> None:
    """The rung that it was abandoned for binds nobody, and nothing is learnt."""
    answers = [2, 1, 0, 0, 0, 0, 0]
    learnt: list[int] = []

    def choose(params: None, state: None, seen: Observation) -> Decision:
        return Decision(answers.pop(0), 0.0, 0)

    def reconsider(params: None, state: None, seen: Observation, progress: Progress) -> Decision:
        return Decision(0 if progress.rung == 2 else progress.rung, 0.0, 0)

    def delivered(params: None, state: None, seen: Observation, download: Download) -> None:
        learnt.append(download.rung)

    link = link_of(Trace.from_periods([(100.0, 1e6, 0.02)]))
    out = play(link, choose=choose, reconsider=reconsider, delivered=delivered)
    assert out.rungs.tolist() == [0, 1, 0, 0, 0, 0]
    assert learnt == [0, 1, 0, 0, 0, 0]
    assert (total(out, "downloads"), total(out, "abandoned")) == (7, 1)
    assert total(out, "wasted_bytes") == pytest.approx(0.03 * 1e6 / 8)
    assert column(out, "start_s")[1] == pytest.approx(4.02 + 0.05)


def test_without_abandonment_nothing_is_asked() -> None:
    def reconsider(params: None, state: None, seen: Observation, progress: Progress) -> Decision:
        raise AssertionError

    play(options=sabre.Options(abandon=False), reconsider=reconsider)


def replacing(at_segment: int, earlier: int) -> Any:
    """Rung 0 throughout; once, an earlier segment at the top rung instead."""
    done: list[bool] = []

    def choose(params: None, state: None, seen: Observation) -> Decision:
        if seen.segment == at_segment and not done:
            done.append(True)
            return Decision(2, 1.0, 0, earlier)
        return Decision(0, 0.0, 0)

    return choose


def test_a_replacement_takes_the_place_of_the_first_copy() -> None:
    """8 Mbit/s: 0.5 s for 4 s of media, 2 s for the top rung. It does not wait for the rule."""
    out = play(link_of(Trace.constant(8e6)), choose=replacing(4, 3))
    assert out.rungs.tolist() == [0, 0, 0, 2, 0, 0]
    assert column(out, "start_s")[3:5] == [2.0, 4.0]
    assert column(out, "buffer_before_s")[4] == pytest.approx(14.5 - 2)
    assert total(out, "replaced") == 1
    assert total(out, "wasted_bytes") == 4e6 / 8
    assert total(out, "switches") == 2


def test_a_replacement_that_comes_too_late_is_lost() -> None:
    """At 2 Mbit/s the top rung takes 8 s, and what is in the buffer lasts for 6 s."""
    out = play(link_of(Trace.constant(2e6)), choose=replacing(3, 2))
    assert out.rungs.tolist() == [0] * 6
    assert (total(out, "downloads"), total(out, "replaced")) == (7, 0)
    assert total(out, "wasted_bytes") == 16e6 / 8


@pytest.mark.parametrize(
    "illegal",
    [
        Decision(3, 0.0, 0),
        Decision(-1, 0.0, 0),
        Decision(0, math.nan, 0),
        Decision(0, math.inf, 0),
        Decision(0, -1.0, 0),
        Decision(0, 0.0, 0, 6),
        Decision(0, 0.0, 0, 0),
    ],
)
def test_an_illegal_answer_ends_the_session(illegal: Decision) -> None:
    """The last of them asks for a segment that plays already."""

    def choose(params: None, state: None, seen: Observation) -> Decision:
        return illegal if seen.segment == 3 else Decision(0, 0.0, 0)

    out = play(choose=choose)
    assert total(out, "outcome") == tables.REFUSED
    assert total(out, "downloads") == 3


def test_a_rule_that_abandons_for_ever_is_asked_no_more() -> None:
    """6 segments: what comes after 6000 abandoned downloads arrives whole."""

    def choose(params: None, state: None, seen: Observation) -> Decision:
        return Decision(1, 0.0, 0)

    def reconsider(params: None, state: None, seen: Observation, progress: Progress) -> Decision:
        return Decision(0, 0.0, 0)

    out = play(choose=choose, reconsider=reconsider)
    assert out.rungs.tolist() == [0, 1, 1, 1, 1, 1]
    assert (total(out, "abandoned"), total(out, "downloads")) == (6000, 6006)


def test_the_rule_chooses_the_first_rung_when_told_to() -> None:
    def choose(params: None, state: None, seen: Observation) -> Decision:
        return Decision(1, 0.0, 0)

    assert play(choose=choose).rungs.tolist() == [0, 1, 1, 1, 1, 1]
    assert play(options=sabre.Options(first_rung=-1), choose=choose).rungs.tolist() == [1] * 6
    assert play(options=sabre.Options(first_rung=2), choose=choose).rungs[0] == 2


def test_steps_one_by_one_are_the_session() -> None:
    """What an environment does that asks somebody else for each rung."""
    link, options = LINK, sabre.Options()
    whole, out = play(choose=lambda p, s, seen: Decision(seen.segment % 2, 0.0, 0)), out_for(6, 20)
    at = sabre.start(None, None, PRESENTATION, link, options, out)
    while at.coming < 6:
        at, _ = sabre.make_room(PRESENTATION, link, options, out, at)
        seen = sabre.observe(options, PRESENTATION, out, at, at.coming)
        decision = Decision(at.coming % 2, 0.0, 0)
        at = sabre.step(None, None, PRESENTATION, link, options, out, at, seen, decision)
    sabre.finish(PRESENTATION, out, at)
    assert vars(out.totals) == vars(whole.totals)
    assert (out.columns == whole.columns).all()


def test_a_full_history_forgets_its_older_half() -> None:
    history = np.zeros((6, 4))
    count = 0
    for k in range(5):
        count = tables.remember(history, count, k, 0, 1.0, 0.0, 0.0, 0.0)
    assert history[0, :count].tolist() == [2, 3, 4]


def test_rungs_are_summed_in_rates_and_utilities() -> None:
    """1, 1, 4 and 2 Mbit/s for 4 s each; utilities are logarithms of 1, 1, 4 and 2."""
    presentation = presentation_table_of(
        constant_presentation([1e6, 2e6, 4e6], segments=4, segment_s=4.0)
    )
    out = out_for(4, 4)
    out.rungs[:] = [0, 0, 2, 1]
    tables.sum_rungs(presentation, out, 4)
    assert total(out, "bitrate_time_bits") == 32e6
    assert total(out, "bitrate_change_bps") == 5e6
    assert total(out, "utility_time_s") == pytest.approx(4 * 3 * math.log(2))
    assert total(out, "utility_change") == pytest.approx(3 * math.log(2))
    assert total(out, "switches") == 2
