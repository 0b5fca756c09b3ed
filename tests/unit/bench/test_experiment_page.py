"""A report of an experiment as tables, CSV, JSON and a page."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.metrics import BY_NAME
from bench.analysis.standings import BenchReport, bench_report
from bench.analysis.stats import Estimate
from bench.reports.experiment_charts import (
    WIDTHS_PX,
    draw_classes,
    draw_forest,
    draw_frontier,
    is_clipped,
)
from bench.reports.experiment_page import render_page, write_findings
from bench.reports.experiment_text import report_csv, report_json, report_text
from bench.reports.figures import format_figure
from tests.fakes.results import results, row


@pytest.fixture(name="report", scope="module")
def made() -> BenchReport:
    """Two classes of six networks; ``<b>fast`` has more bitrate and more stalls."""
    rows = []
    for trace in range(12):
        kind = {"class": "3g" if trace < 6 else "lte"}
        rows.append(row("calm", trace, **kind))
        rows.append(row("<b>fast", trace, mean_bitrate_bps=2e6, stall_s=5.0, qoe_lin=0.5, **kind))
    return bench_report(results(rows), rng=np.random.default_rng(0), seed=0)


def test_a_figure_is_shown_with_its_interval_in_the_unit_of_people() -> None:
    rate = BY_NAME["bitrate_bps"]
    assert format_figure(Estimate(value=1e6, low=9e5, high=1.1e6), rate) == "1.000 [0.900, 1.100]"
    shown = format_figure(Estimate(value=-1e6, low=-2e6, high=-1e-9), rate, signed=True)
    assert shown == "−1.000 [−2.000, 0.000]"
    assert format_figure(Estimate(value=1e6, low=math.nan, high=math.nan), rate) == "1.000"
    assert format_figure(Estimate(value=math.nan, low=math.nan, high=math.nan), rate) == "–"


def test_the_terminal_shows_an_interval_beside_every_figure(report: BenchReport) -> None:
    text = report_text(report)
    assert "minus calm" in text
    assert re.search(r"<b>fast +\+1\.000 \[\+1\.000, \+1\.000\] ▲", text)
    assert "95 % intervals" in text
    assert "3g (6 files)" in text


def test_the_csv_has_every_figure_in_the_unit_of_its_name(report: BenchReport) -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(report))))
    (found,) = [
        r
        for r in rows
        if (r["table"], r["algorithm"], r["figure"]) == ("difference", "<b>fast", "bitrate_bps")
    ]
    assert (float(found["value"]), found["says"], found["against"]) == (1e6, "better", "calm")
    assert {r["table"] for r in rows} == {
        "units",
        "figure",
        "difference",
        "sessions",
        "stalls",
        "frontier",
        "class",
        "formula",
    }


def test_the_json_has_no_nan(report: BenchReport) -> None:
    text = json.dumps(report_json(report), allow_nan=False)
    assert json.loads(text)["algorithms"][1]["label"] == "<b>fast"
    lonely = bench_report(results([row("a", 0)]), rng=np.random.default_rng(0), seed=0)
    plain = json.loads(json.dumps(report_json(lonely), allow_nan=False))
    assert plain["algorithms"][0]["figures"]["bitrate_bps"]["low"] is None
    assert "nothing can be concluded" in plain["cautions"][0]


def test_the_page_asks_the_network_for_nothing(report: BenchReport) -> None:
    page = render_page(report, commands=["abr bench report x"])
    assert not re.search(r"(src|href)=[\"']?(https?:)?//|url\(|<script [^>]", page)
    assert "default-src 'none'" in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{known}'" in page
    assert "<b>fast" not in page
    assert "&lt;b&gt;fast" in page
    assert page.count('<svg class="plot"') == 9
    assert len(page) < 100_000


def test_differences_are_drawn_with_their_intervals_and_verdicts() -> None:
    """Twelve networks, 1 to 3 Mbit/s more."""
    rows = [row("calm", k) for k in range(12)]
    rows += [row("fast", k, mean_bitrate_bps=2e6 + 1e6 * (k % 3)) for k in range(12)]
    found = bench_report(results(rows), rng=np.random.default_rng(0), seed=0)
    text = draw_forest(found, "bitrate_bps")
    (title,) = re.findall(r"<title>([^<]+)</title>", text)
    assert re.fullmatch(r"fast: \+2\.000 \[\+1\.\d+, \+2\.\d+\] Mbit/s, better", title)
    (bar,) = re.findall(r'<line x1="([\d.]+)%"[^>]* x2="([\d.]+)%"[^>]* style="[^"]+"', text)
    (dot,) = re.findall(r'<svg class="at" x="([\d.]+)%"', text)
    assert float(bar[0]) < float(dot) < float(bar[1])


def test_an_algorithm_on_the_frontier_is_joined_to_the_others(report: BenchReport) -> None:
    text = draw_frontier(report)
    assert len(re.findall(r"<title>[^<]+: [\d.]+ Mbit/s, stalled [\d.]+ %</title>", text)) == 2
    assert text.count('class="named"') == 2 * len(WIDTHS_PX)
    (line,) = re.findall(r'<path style="stroke:var\(--rule\)[^"]*" d="(M[^"]+)"', text)
    assert re.fullmatch(r"M[\d.]+ [\d.]+H[\d.]+V[\d.]+", line)


def test_findings_say_what_intervals_allow(report: BenchReport) -> None:
    said = write_findings(report)
    assert "Against calm, <b>fast had a higher bitrate." in said
    assert "Against calm, <b>fast had more stalls." in said
    assert said[-1].startswith("calm and <b>fast are on the frontier in 95 % of res")
    same = results([row(label, k) for k in range(12) for label in ("a", "b")])
    quiet = bench_report(same, rng=np.random.default_rng(0), seed=0)
    assert write_findings(quiet)[0] == "No difference from a is larger than chance explains."


def test_few_networks_are_cautioned_about() -> None:
    few = results([row(label, k) for k in range(3) for label in ("a", "b")])
    text = report_text(bench_report(few, rng=np.random.default_rng(0), seed=0))
    assert "! Only 3 files: intervals are rough." in text


def test_a_name_beside_an_interval_as_wide_as_the_chart_stays_within_it() -> None:
    label = "an algorithm with a rather long name"
    rows = [row(label, k, qoe_lin=float(k % 7), **{"class": "ab"[k % 2]}) for k in range(12)]
    report = bench_report(results(rows), rng=np.random.default_rng(0), seed=0)
    text = draw_classes(report)
    wide = re.findall(r'x="([\d.]+)%"[^>]*><text class="named" x="(-?[\d.]+)"[^>]*>', text)
    assert wide
    for share, dx_px in wide:
        assert (float(share) < 50) == (float(dx_px) > 0)


def test_of_one_network_nothing_is_concluded() -> None:
    rows = [row("a", 0), row("b", 0, mean_bitrate_bps=2e6, stall_s=5.0)]
    lonely = bench_report(results(rows), rng=np.random.default_rng(0), seed=0)
    assert write_findings(lonely) == []
    assert [each.frontier_share for each in lonely.standings] == [None, None]
    for text in (report_text(lonely), render_page(lonely)):
        assert "nothing can be concluded" in text
        assert "100 %" not in re.sub(r"<svg.*?</svg>", "", text)
        assert "95 %" not in text
        assert "any of the 0 differences" not in text


def test_an_algorithm_alone_is_not_praised_for_being_on_the_frontier() -> None:
    rows = [row("a", trace, stall_s=float(trace)) for trace in range(12)]
    alone = bench_report(results(rows), rng=np.random.default_rng(0), seed=0)
    assert write_findings(alone) == []


def test_one_wide_interval_does_not_push_the_points_of_the_frontier_together() -> None:
    rows = []
    for trace in range(12):
        rows += [row(f"steady {k}", trace, stall_s=k + 0.1 * (trace % 3)) for k in range(4)]
        rows.append(row("wild", trace, stall_s=40.0 * (trace == 0)))
    report = bench_report(results(rows), rng=np.random.default_rng(0), seed=0)
    svg = draw_frontier(report)
    assert is_clipped(report)
    places = [float(x) for x in re.findall(r'class="at" x="([\d.]+)%"', svg)][:5]
    assert max(places) - min(places) > 40
    assert "go on where they end at the edge" in render_page(report)


def test_a_long_name_stays_within_charts_and_tables() -> None:
    name = "a-rule-with-a-name-that-is-longer-than-any-chart-of-a-phone-is-wide"
    rows = [row(label, trace) for trace in range(4) for label in ("calm", name)]
    report = bench_report(results(rows), rng=np.random.default_rng(0), seed=0)
    for svg in (draw_frontier(report), draw_classes(report), draw_forest(report, "bitrate_bps")):
        assert not any(name in words for words in re.findall(r"<text[^>]*>([^<]*)", svg))
        assert f"<title>{name}" in svg


def test_many_files_that_were_left_out_do_not_hide_the_figures() -> None:
    found = results([row("a", trace) for trace in range(4)])
    left_out = [f"{k}.pkl: a Python pickle" for k in range(40)]
    found = replace(found, header={**found.header, "left_out": left_out})
    report = bench_report(found, rng=np.random.default_rng(0), seed=0)
    told = [each for each in report_json(report)["cautions"] if each.startswith("Left out")]
    assert len(told) == 5
    assert told[-1] == "Left out: 36 files more, which results.jsonl names."
