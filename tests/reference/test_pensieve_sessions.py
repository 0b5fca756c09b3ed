"""Whole sessions in the Pensieve family's environment, row by row as in the reference file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.algorithms import bba0, bola_pensieve, robust_mpc
from abr.decision import Decision, Download, Observation, Rule, start_state
from abr.media import Presentation, constant_presentation
from abr.trace import Trace
from abr.traceformats.objects import read_sabre
from player.batch import cooked, pensieve
from player.batch.pensieve import PENSIEVE
from player.batch.run.batch import Engine, run_batch
from player.batch.run.compiled import linked
from player.batch.tables import (
    COLUMNS,
    REFUSED,
    STALL_S,
    LinkTable,
    Out,
    PresentationTable,
    bare_table,
    out_for,
)

GOLD = Path(__file__).parents[3] / "shared" / "gold"
ENGINES: tuple[Engine, ...] = ("plain", "compiled")
RULES = {"bb": bba0.make(), "bola": bola_pensieve.make()}


def unmoved(params: Any, state: Any, seen: Observation, told: Download | float) -> None:
    """A rule without the hook."""


def played(
    rule: Rule, presentation: PresentationTable, link: LinkTable, options: pensieve.Options
) -> Out:
    """One session as plain Python, with the family's own columns."""
    hooks = {
        "choose": rule.choose,
        "delivered": rule.delivered or unmoved,
        "waited": rule.waited or unmoved,
        "CAN_LEARN": True,
    }
    segments = len(presentation.durations_s)
    out = out_for(segments, segments)
    more = np.zeros((len(COLUMNS) + len(pensieve.MORE_COLUMNS), segments))
    out = Out(out.rungs, more, out.totals, out.history)
    shown = Presentation(
        bitrates_bps=presentation.ladder_bps,
        sizes_bytes=presentation.sizes_bytes[:, :segments],
        durations_s=presentation.durations_s,
    )
    session = linked(pensieve.session, hooks)
    session(rule.params, start_state(rule, shown), presentation, link, options, out)
    return out


def rows_of(out: Out) -> list[list[float]]:
    """Rung, delay_ms, sleep_ms, buffer_s, rebuffer_s, QoE_lin per segment."""
    delay_ms, sleep_ms, buffer_s, qoe = out.columns[len(COLUMNS) :]
    table = np.column_stack([out.rungs, delay_ms, sleep_ms, buffer_s, out.columns[STALL_S], qoe])
    rows: list[list[float]] = table.tolist()
    return rows


def test_every_row_is_identical_to_the_reference_sessions() -> None:
    """No tolerance: the family's units and order of operations give the family's bits."""
    if not GOLD.is_dir():
        pytest.skip("the reference figures of the Pensieve family are not beside this checkout")
    held = json.loads((GOLD / "pensieve.json").read_text())
    movie = json.loads((GOLD / "movie" / "B_6rung_4s.json").read_text())
    segment_s = movie["segment_duration_ms"] / 1e3
    sizes_bits = np.array(movie["segment_sizes_bits"]).T
    title = Presentation(
        bitrates_bps=np.array(held["bitrates_kbps"]) * 1e3,
        sizes_bytes=sizes_bits / 8,
        durations_s=np.full(sizes_bits.shape[1], segment_s),
    )
    options = pensieve.Options()
    presentation = pensieve.presentation_table(title, options)
    identical = 0
    for want in held["sessions"]:
        text = (GOLD / "net" / f"{want['net']}.json").read_text()
        trace = read_sabre(text, want["net"])[0].trace
        link = pensieve.link_table(trace, options)
        out = played(RULES[want["alg"]], presentation, link, options)
        assert rows_of(out) == want["rows"], (want["net"], want["alg"])
        assert out.totals.stall_s == pytest.approx(want["rebuffer_s"])
        identical += 1
    assert identical == 28


def test_compiled_sessions_have_the_bits_of_plain_ones() -> None:
    """Sizes are given in columns first, as reading a table of segments leaves them."""
    rng = np.random.default_rng(3)
    ladder_bps = np.array([0.3e6, 0.75e6, 1.2e6, 1.85e6, 2.85e6, 4.3e6])
    title = Presentation(
        bitrates_bps=ladder_bps,
        sizes_bytes=np.outer(rng.uniform(0.7, 1.3, 60), ladder_bps / 2).T,
        durations_s=np.full(60, 4.004),
    )
    traces = [
        Trace.from_periods(
            [(rng.uniform(0.2, 30), rng.uniform(0, 6e6), 0.05) for _ in range(periods)]
        )
        for periods in (3, 7, 40)
    ]
    plain, made = (
        run_batch(PENSIEVE, title, traces, RULES["bb"], engine=engine, keep_columns=True)
        for engine in ENGINES
    )
    assert made.engine == "compiled"
    assert made.columns.tolist() == plain.columns.tolist()
    assert made.totals.tolist() == plain.totals.tolist()


def test_a_session_worked_by_hand() -> None:
    """8 Mbit/s carry 950 kB/s; segments of 95 and 950 kB take 0.18 and 1.08 s with the round trip.

    Segment 0 at rung 1: 1.08 s of rebuffering, buffer 4. The rule's lowest rung while the
    buffer is below 5 s: 4 - 0.18 + 4 = 7.82.
    """
    presentation = bare_table(
        np.array([1e6, 2e6]), np.array([[95e3] * 3, [950e3] * 3]), np.full(3, 4.0), np.full(3, 4e3)
    )
    link = cooked.link_of_rows(np.array([0.0, 100.0]), np.array([8.0, 8.0]))
    out = played(bba0.make(reservoir_s=5, cushion_s=2), presentation, link, pensieve.Options())
    assert out.rungs.tolist() == [1, 0, 1]
    want = [
        [1, 1080, 0, 4, 1.08, 2 - 4.3 * 1.08],
        [0, 180, 0, 7.82, 0, 1 - 1],
        [1, 1080, 0, 10.74, 0, 2 - 1],
    ]
    assert rows_of(out) == [pytest.approx(row) for row in want]
    assert [out.totals.startup_s, out.totals.stall_s] == pytest.approx([1.08, 1.08])


def test_a_full_buffer_sleeps_in_whole_quanta_and_moves_the_network() -> None:
    """Limit 5 s: after segment 1 the buffer is 4 - 0.18 + 4 = 7.82, so 3 s of sleep are due.

    The clock then stands at 0.1 + 0.1 + 3 s (round trips do not move it), where capacity
    has halved: segment 2 takes 0.2 + 0.08 s.
    """
    presentation = bare_table(
        np.array([1e6]), np.full((1, 3), 95e3), np.full(3, 4.0), np.full(3, 4e3)
    )
    link = cooked.link_of_rows(np.array([0.0, 3.0, 100.0]), np.array([8.0, 8.0, 4.0]))
    out = played(RULES["bb"], presentation, link, pensieve.Options(max_buffer_s=5.0))
    delay_ms, sleep_ms, buffer_s, _ = out.columns[len(COLUMNS) :]
    assert delay_ms == pytest.approx([180, 180, 280])
    assert sleep_ms == pytest.approx([0, 3000, 4000])
    assert buffer_s == pytest.approx([4, 4.82, 4.54])
    assert out.totals.idle_s == pytest.approx(7)


def test_past_the_last_row_the_clock_stands_at_zero_and_not_at_row_zero() -> None:
    """Rows at 10 and 11 s: 1 s at 8 Mbit/s, then 11 s of the same row from 0 on."""
    link = cooked.link_of_rows(np.array([10.0, 11.0]), np.array([1.0, 8.0]))
    place, taken_s = pensieve.transfer(link, pensieve.begin(link), 2e6, 1.0)
    assert place == pensieve.Place(0, 1.0)
    assert taken_s == pytest.approx(2.0)


def test_a_period_ends_no_segment_that_it_carries_exactly() -> None:
    """1 MB in exactly 1 s at 8 Mbit/s: the segment ends at the start of the next period."""
    link = cooked.link_of_rows(np.array([0.0, 1.0, 2.0]), np.array([8.0, 8.0, 8.0]))
    place, taken_s = pensieve.transfer(link, pensieve.begin(link), 1e6, 1.0)
    assert place == pensieve.Place(1, 1.0)
    assert taken_s == 1.0


def test_cooked_rows_repeat_the_trace_until_it_covers_the_time() -> None:
    trace = Trace.from_periods([(150.0, 1e6, 0.0), (50.0, 2e6, 0.0)])
    times_s, rates_mbps = cooked.cooked_rows(trace)
    assert times_s.tolist() == [0, 150, 200, 350, 400]
    assert rates_mbps.tolist() == [1, 1, 2, 1, 2]


def test_digits_that_arithmetic_blurred_are_sharp_again() -> None:
    """3181.23 kbit/s and 0.1 + 0.2 s as files write them; longer figures stay as they are."""
    trace = Trace(
        times_s=np.array([0, 0.1 + 0.2, 1 / 3]), capacity_bps=np.array([3181.23 * 1e3, 1e6 / 3])
    )
    times_s, rates_mbps = cooked.cooked_rows(trace, cover_s=0)
    assert times_s.tolist() == [0, 0.3, pytest.approx(1 / 3, abs=1e-15)]
    assert times_s[2] != round(1 / 3, 6)
    assert rates_mbps.tolist() == [3181.23 / 1e3, 3181.23 / 1e3, pytest.approx(1 / 3, abs=1e-15)]


def test_a_network_that_does_not_start_again_is_not_repeated() -> None:
    options = pensieve.Options()
    held = Trace(times_s=np.array([0, 1]), capacity_bps=np.array([1e6]), end="hold")
    assert len(pensieve.link_table(held, options).capacity_bps) == 1
    with pytest.raises(ValueError, match="ends; this simulator needs one that goes on"):
        pensieve.link_table(
            Trace(times_s=np.array([0, 1]), capacity_bps=np.array([1e6]), end="end"), options
        )


def test_a_rules_own_wait_plays_from_the_buffer_and_moves_the_network() -> None:
    """Waiting 5 s with 4 s ready stalls 1 s; capacity halves at 3 s, so 0.2 + 0.08 s follow."""

    def choose(params: Any, state: Any, seen: Observation) -> Decision:
        return Decision(0, 5.0, 0)

    presentation = bare_table(
        np.array([1e6]), np.full((1, 2), 95e3), np.full(2, 4.0), np.full(2, 4e3)
    )
    link = cooked.link_of_rows(np.array([0.0, 3.0, 100.0]), np.array([8.0, 8.0, 4.0]))
    rule = dataclasses.replace(RULES["bb"], choose=choose)
    out = played(rule, presentation, link, pensieve.Options())
    assert out.columns[STALL_S] == pytest.approx([0.18, 1 + 0.28])
    assert out.totals.idle_s == 5


@pytest.mark.parametrize(("rung", "wait_s"), [(1, 0.0), (-1, 0.0), (0, float("nan"))])
def test_an_answer_that_is_not_legal_ends_the_session(rung: int, wait_s: float) -> None:
    def choose(params: Any, state: Any, seen: Observation) -> Decision:
        return Decision(rung, wait_s, 0)

    presentation = bare_table(
        np.array([1e6]), np.full((1, 2), 95e3), np.full(2, 4.0), np.full(2, 4e3)
    )
    link = cooked.link_of_rows(np.array([0.0, 9.0]), np.array([8.0, 8.0]))
    rule = dataclasses.replace(RULES["bb"], choose=choose)
    out = played(rule, presentation, link, pensieve.Options())
    assert [out.totals.outcome, out.totals.downloads] == [REFUSED, 1]


def test_a_presentation_is_cut_and_rounded() -> None:
    presentation = constant_presentation((300_001.0,), segments=50, segment_s=4.004)
    made = pensieve.presentation_table(presentation, pensieve.Options())
    assert made.sizes_bytes[0, 0] == round(300_001 * 4.004 / 8)
    assert made.durations_s.tolist() == [4.0] * 48


@pytest.mark.parametrize("engine", ENGINES)
def test_late_sizes_see_the_row_after_the_last_segment_played(engine: Engine) -> None:
    """The last segment is thought to be as large as row 49: forty times the others, or nothing."""
    ladder_bps = np.array([1e6, 2e6])
    sizes = np.outer(ladder_bps / 2, np.r_[np.ones(48), 40.0])
    rule = robust_mpc.make(late_sizes=True)
    network = [Trace(times_s=np.array([0.0, 400.0]), capacity_bps=np.array([1.2e6]))]
    last = []
    for segments in (48, 49):
        title = Presentation(
            bitrates_bps=ladder_bps,
            sizes_bytes=sizes[:, :segments],
            durations_s=np.full(segments, 4.0),
        )
        batch = run_batch(PENSIEVE, title, network, rule, engine=engine)
        assert batch.rungs.shape == (1, 48)
        last.append(int(batch.rungs[0, -1]))
    assert last == [1, 0]
