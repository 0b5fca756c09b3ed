"""Failed sessions are counted with their reasons and count in no figure."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest

from bench.analysis.compare import compare, compare_two
from bench.analysis.standings import BenchReport, bench_report
from bench.experiments.failures import failures_by_algorithm, failures_of, why_failed
from bench.experiments.results import Results, ResultsError, Row
from bench.reports.experiment_charts import draw_frontier
from bench.reports.experiment_page import render_page, write_findings
from bench.reports.experiment_text import (
    comparison_json,
    comparison_text,
    report_csv,
    report_json,
    report_text,
)
from tests.fakes.results import results, row

LATE = "error: presentation:v0/{}: no byte after 20 s after 4 attempts"


def failed(algorithm: str, trace: int, *, ended: str | None = None, **more: Any) -> Row:
    """A session that met a limit before its first picture: all its figures are 0."""
    nothing: Row = {"startup_s": None, "played_s": 0.0, "segments": 0, "rungs": [], "qoe_lin": 0.0}
    ended = ended or LATE.format(trace)
    return row(algorithm, trace, **nothing, mean_bitrate_bps=0.0, ended=ended, **more)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def report(found: Results, **more: Any) -> BenchReport:
    return bench_report(found, rng=rng(), seed=0, resamples=200, **more)


@pytest.fixture(name="mixed", scope="module")
def made() -> Results:
    """Twelve networks of k Mbit/s.

    ``calm`` plays all, ``fast`` fails the first four, ``dead`` fails all.
    """
    rows = []
    for k in range(12):
        rate = {"mean_bitrate_bps": 1e6 * (k + 1)}
        rows.append(row("calm", k, **rate))
        rows.append(failed("fast", k) if k < 4 else row("fast", k, **rate))
        ended = "error: presentation:v0/0: refused" if k == 0 else None
        rows.append(failed("dead", k, ended=ended))
    return results(rows)


@pytest.mark.parametrize(
    ("ended", "startup_s", "reason"),
    [
        ("complete", 1.0, None),
        ("complete", None, "playback never began"),
        ("stopped", 1.0, "stopped before the end"),
        ("still open", 1.0, "the log breaks off"),
        ("error: http://127.0.0.1:80/a/v0/3.m4s: status 500", 1.0, "status 500"),
        ("error: renew: the answer holds no token", None, "renew: the answer holds no token"),
    ],
)
def test_a_session_counts_when_it_began_and_ended_with_its_media(
    ended: str, startup_s: float | None, reason: str | None
) -> None:
    assert why_failed(ended, startup_s) == reason


def test_a_viewer_may_stop_a_playback_that_began() -> None:
    assert why_failed("stopped", 1.0, may_stop=True) is None
    assert why_failed("stopped", None, may_stop=True) == "playback never began"


def test_the_most_common_reason_comes_first_and_few_are_named() -> None:
    found = failures_of(9, ["d", "b", "c", "b", "a"])
    assert found.reasons == (("b", 2), ("a", 1), ("c", 1), ("d", 1))
    assert str(found) == "5 of 9 sessions failed: b (2), a (1), c (1), other reasons (1)"


def test_failed_sessions_count_in_no_figure(mixed: Results) -> None:
    """``fast`` played networks of 5 to 12 Mbit/s; over those ``calm`` had the same."""
    calm, fast, dead = report(mixed).standings
    assert [each.played for each in (calm, fast, dead)] == [12, 8, 0]
    assert fast.figures["bitrate_bps"].value == pytest.approx(8.5e6)
    assert fast.differences["bitrate_bps"].estimate.value == pytest.approx(0)
    assert fast.differences["bitrate_bps"].verdict == "unclear"
    assert all(math.isnan(each.value) for each in dead.figures.values())
    assert all(math.isnan(each.estimate.value) for each in dead.differences.values())
    assert (dead.on_frontier, dead.frontier_share) == (False, None)
    assert (calm.on_frontier, fast.on_frontier) == (True, True)


def test_the_frontier_is_over_what_every_contestant_played(mixed: Results) -> None:
    """``fast`` played as ``calm`` did, but failed where networks are slow: it is no faster."""
    found = report(mixed)
    calm, fast, dead = found.standings
    assert found.shared == 8
    assert calm.figures["bitrate_bps"].value == pytest.approx(6.5e6)
    assert fast.figures["bitrate_bps"].value == pytest.approx(8.5e6)
    assert calm.frontier_figures == fast.frontier_figures
    assert calm.frontier_figures["bitrate_bps"].value == pytest.approx(8.5e6)
    assert dead.frontier_figures == {}
    assert [each.lacks for each in found.standings] == [0, 4, 12]
    drawn = draw_frontier(found)
    assert "calm: 8.500 Mbit/s" in drawn
    assert "dead" not in drawn
    assert "the frontier is over the 8 of 12 that all played" in report_text(found)
    assert "All over the 8 of 12 sessions that every contestant played" in render_page(found)


def test_without_a_session_in_common_nobody_is_on_the_frontier() -> None:
    rows = [row("calm", k) if k < 9 else failed("calm", k) for k in range(12)]
    rows += [row("fast", k) for k in range(12)]
    rows += [failed("slow", k) if k < 9 else row("slow", k) for k in range(12)]
    found = report(results(rows), base="fast")
    assert found.shared == 0
    assert [each.on_frontier for each in found.standings] == [False] * 3
    assert [each.frontier_share for each in found.standings] == [None] * 3
    assert "nobody is judged or drawn" in render_page(found)


def test_sessions_that_one_lacks_without_failing_are_marked() -> None:
    rows = [row("calm", k) for k in range(12)] + [row("part", k) for k in range(9)]
    found = report(results(rows))
    assert "part †" in report_text(found)
    assert "lacks 3 that others played" in render_page(found)
    whole = report(results(rows[:12]))
    assert "†" not in report_text(whole)


def test_failed_sessions_change_nothing_for_the_others(mixed: Results) -> None:
    alone = results([each for each in mixed.rows if each["algorithm"] == "calm"])
    assert report(mixed).standings[0].figures == report(alone).standings[0].figures


def test_the_terminal_marks_algorithms_with_failures_and_says_why(mixed: Results) -> None:
    text = report_text(report(mixed))
    assert "36 sessions by the rules of abrkit, of which 16 failed." in text
    assert "! fast: 4 of 12 sessions failed: no byte after 20 s after 4 attempts (4)." in text
    assert (
        "! dead: 12 of 12 sessions failed: no byte after 20 s after 4 attempts (11), refused (1)."
    ) in text
    first_table = text.split("\n\n")[1].splitlines()
    assert first_table[1].startswith("calm   ")
    assert first_table[2].startswith("fast † ")
    assert first_table[3].split() == ["dead", "†", "–", "–", "–", "–"]
    assert "† with failed sessions" in text


def test_csv_and_json_hold_counts_and_reasons(mixed: Results) -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(report(mixed)))))
    counts = {
        (r["algorithm"], r["figure"]): float(r["value"]) for r in rows if r["table"] == "sessions"
    }
    assert (counts["fast", "played"], counts["fast", "failed"]) == (8, 4)
    reasons = [(r["value"], r["says"]) for r in rows if r["algorithm"] == "dead" and r["value"]]
    assert ("11", "no byte after 20 s after 4 attempts") in reasons
    dead = json.loads(json.dumps(report_json(report(mixed)), allow_nan=False))["algorithms"][2]
    assert dead["failures"]["failed"] == dead["failures"]["sessions"] == 12
    assert dead["failures"]["reasons"][0] == ["no byte after 20 s after 4 attempts", 11]
    assert (dead["played"], dead["figures"]["bitrate_bps"]["value"]) == (0, None)


def test_the_page_marks_them_too_and_finds_nothing_in_them(mixed: Results) -> None:
    found = report(mixed)
    page = render_page(found)
    assert "fast: 4 of 12 sessions failed" in page
    assert page.count("12 of 12 failed") >= 1
    assert page.count("4 of 12 failed") >= 1
    assert not any("dead" in sentence for sentence in write_findings(found))


def test_an_algorithm_whose_runs_all_failed_is_there_with_dashes() -> None:
    """It has no row at all; only the header knows it."""
    rows = [row("calm", k) for k in range(12)]
    found = results(rows)
    about = [*found.header["algorithms"], {"label": "broken", "name": "broken"}]
    entry = {"run": "broken on film over 12 networks from 'a'", "error": "rung 9"}
    for failed_run in (entry, {**entry, "algorithm": "broken", "sessions": 12}):
        header = {**found.header, "algorithms": about, "failed": [failed_run]}
        broken = report(Results(header=header, rows=rows, numbers=found.numbers)).standings[1]
        assert str(broken.failures) == "12 of 12 sessions failed: run failed: rung 9 (12)"
        assert math.isnan(broken.figures["qoe_lin"].value)


def test_nothing_but_failures_is_no_report() -> None:
    rows = [failed(label, k) for k in range(3) for label in ("a", "b")]
    with pytest.raises(ResultsError, match=r"every session failed.* a: 3 of 3 sessions failed: no"):
        report(results(rows))


def test_the_base_is_the_first_that_played(mixed: Results) -> None:
    rows = sorted(mixed.rows, key=lambda each: str(each["algorithm"]) != "dead")
    assert report(results(rows)).base == "calm"
    with pytest.raises(ResultsError, match=r"dead: 12 of 12 sessions failed.*name another base"):
        report(mixed, base="dead")


def test_a_candidate_that_fails_where_the_base_played_is_worse(mixed: Results) -> None:
    found = compare_two(mixed, "calm", "fast")
    (pairing,) = found.newly_failed
    assert (pairing.pairs, pairing.newly_failed) == (8, 4)
    assert [each.is_worse for each in found.findings] == [False] * 3
    assert "! fast, candidate: 4 of 12 sessions failed" in comparison_text(found)
    assert "! fast: compared over the 8 sessions that both played." in comparison_text(found)
    assert comparison_json(found)["pairings"][0]["newly_failed"] == 4


def test_the_same_failures_in_both_are_not_worse(mixed: Results) -> None:
    found = compare(mixed, mixed)
    assert found.newly_failed == []
    assert {each.algorithm for each in found.findings} == {"calm", "fast"}
    assert all(each.is_proven for each in found.findings)


def test_a_candidate_that_failed_everything_is_told_from_one_that_is_missing() -> None:
    played = results([row("a", k) for k in range(4)])
    nothing = results([failed("a", k) for k in range(4)])
    found = compare(played, nothing)
    assert found.findings == ()
    assert found.newly_failed[0].newly_failed == 4
    with pytest.raises(ResultsError, match="every session failed, nothing can be compared: a: ba"):
        compare(nothing, nothing)


def test_failures_are_counted_by_algorithm_in_the_order_of_the_plan(mixed: Results) -> None:
    found = failures_by_algorithm(mixed)
    assert [(label, each.failed) for label, each in found.items()] == [
        ("calm", 0),
        ("fast", 4),
        ("dead", 12),
    ]
