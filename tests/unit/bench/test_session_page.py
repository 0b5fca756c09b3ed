"""The page is one whole file that asks the network for nothing and shows everything."""

import json
import re
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from abr.trace import Trace
from bench.reports.session_charts import HEADROOM, library, session_figure, shared_scale
from bench.reports.session_page import page
from bench.reports.sessions import LadderRung, ReportData, report_data
from tests.fakes.logs import LADDER_BPS, played_log

STEPS = Trace.from_periods([(5, 3e6), (5, 5e5)], name="steps")
VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "rect", "path", "circle"})
FETCHING = frozenset({"src", "href", "srcset", "poster", "data", "action", "xlink:href"})


class Page(HTMLParser):
    """Tags, attributes and texts of a page; complains about what is left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def mixed() -> ReportData:
    logs = [
        played_log(algorithm="alpha", trace=STEPS, rungs=(0, 2, 2), stall=(1, 2.0)),
        played_log(algorithm="beta", trace=STEPS, rungs=(0, 1, 1)),
        played_log(
            algorithm="alpha",
            trace=STEPS,
            driver="live",
            shaper={"is_overloaded": True, "delivered_ratio": None, "lateness_p50_s": 0.03},
        ),
    ]
    return report_data(
        logs,
        heading="Fish & <b>chips</b>",
        traces=[STEPS],
        cache_stats={"isp": {"requests": 10, "hits": 8, "bytes": 1000, "hit_bytes": 500}},
        ladders={"scenes": [LadderRung(bitrate_bps=bps, height=180) for bps in LADDER_BPS]},
        commands=["abr simulate packages/scenes --trace steps.csv"],
    )


@pytest.fixture(scope="module")
def text() -> str:
    return page(mixed())


@pytest.fixture(scope="module")
def parsed(text: str) -> Page:
    return Page(text.replace(library(), ""))


def test_it_is_well_formed_and_holds_the_chart_library_once(text: str, parsed: Page) -> None:
    """Every tag closes; plotly.js is inside, once."""
    assert text.startswith("<!doctype html>")
    assert text.count(library()) == 1
    assert parsed.all("html")[0]["lang"] == "en"


def test_it_asks_the_network_for_nothing(text: str, parsed: Page) -> None:
    """No address to fetch in any attribute, style or script of ours; and a policy on top."""
    for tag, attrs in parsed.tags:
        for name in FETCHING & attrs.keys():
            assert (attrs[name] or "").startswith("#"), f"<{tag} {name}={attrs[name]!r}>"
    assert parsed.all("link") == []
    ours = text.replace(library(), "")
    assert (
        re.findall(r"https?://|//\w+\.\w|@import|url\(|fetch\(|XMLHttpRequest|WebSocket", ours)
        == []
    )
    policy = next(m for m in parsed.all("meta") if m.get("http-equiv"))["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?:|\*|connect-src|script-src 'self'", policy)


def test_every_session_has_a_row_a_chart_and_its_provenance(parsed: Page) -> None:
    """Anchors, figures and details: one of each per session."""
    articles = [attrs["id"] for attrs in parsed.all("article")]
    assert articles == ["session-1", "session-2", "session-3"]
    links = [attrs["href"] for attrs in parsed.all("a")]
    assert links == [f"#{name}" for name in articles]
    charts = [a["data-figure"] for a in parsed.all("div") if "data-figure" in a]
    embedded = [a["id"] for a in parsed.all("script") if a.get("type") == "application/json"]
    assert charts == embedded == ["figure-1", "figure-2", "figure-3"]
    assert len(parsed.all("details")) == 3
    told = " ".join(parsed.text["dd"])
    assert STEPS.digest() in told
    assert "ab" * 32 in told


def test_text_from_outside_is_escaped(text: str) -> None:
    """A heading with markup in it stays words."""
    assert "<b>chips" not in text
    assert "Fish &amp; &lt;b&gt;chips" in text


def test_markup_in_a_log_cannot_leave_its_chart() -> None:
    """A closing script tag in a name stays inside the embedded figure."""
    text = page(report_data([played_log(algorithm="</script><script>alert(1)</script>")]))
    assert "<script>alert" not in text
    Page(text.replace(library(), ""))


def test_the_table_names_the_denominator_and_marks_the_best(text: str, parsed: Page) -> None:
    """Rebuffer ratio: 2 s of 14 s; beta stalled least."""
    assert "14.3 %" in text
    assert "of 14.0 s" in text
    assert "stalled ÷ (played + stalled)" in text
    best = [attrs for attrs in parsed.all("td") if "best" in (attrs.get("class") or "")]
    assert best


def test_an_overloaded_run_is_marked(text: str) -> None:
    """A live figure from a machine that was too busy carries a warning."""
    assert text.count("machine overloaded") == 1
    assert text.count(">overloaded<") == 1


def test_caches_gaps_ladder_and_commands_are_there_only_when_known(text: str) -> None:
    """Each section stands for data that exists."""
    for words in ("Hit ratio by byte", "Simulated against live", "Ladder", "abr simulate packages"):
        assert words in text
    bare = page(report_data([played_log()]))
    for words in ("Hit ratio by byte", "Simulated against live", "<pre>"):
        assert words not in bare


def test_the_embedded_figures_are_valid_plotly(parsed: Page) -> None:
    """plotly's own validation accepts them, colours put in as the page does."""
    scripts = [json.loads(t) for t in parsed.text["script"] if t.startswith("{")]
    assert len(scripts) == 3
    for figure in scripts:
        plain = json.loads(re.sub(r"var\(--[\w-]+\)", "#123456", json.dumps(figure)))
        plain["layout"].pop("hoversubplots")  # younger than the Python side's schema
        go.Figure(plain)


def test_every_colour_of_a_chart_has_a_light_and_a_dark_value(text: str, parsed: Page) -> None:
    """Each CSS variable that a figure names is set twice."""
    figures = "".join(t for t in parsed.text["script"] if t.startswith("{"))
    names = set(re.findall(r"var\((--[\w-]+)\)", figures))
    assert {"--capacity", "--chosen", "--measured", "--buffer", "--stall"} <= names
    for name in names:
        assert len(re.findall(rf"{name}: [#r]", text)) == 2, name


def test_sessions_over_one_trace_share_their_axes() -> None:
    """The longest time and the highest rate of all of them."""
    data = mixed()
    scale = shared_scale(data.sessions)
    assert scale.end_s == max(s.curves.end_s for s in data.sessions)
    figures = [session_figure(session, scale) for session in data.sessions]
    ranges = {json.dumps(figure["layout"]["xaxis"]["range"]) for figure in figures}
    assert len(ranges) == 1


def test_capacity_far_above_the_ladder_is_cut_off_and_said_so() -> None:
    """50 Mbit/s over a ladder up to 1.8: the rungs stay readable."""
    trace = Trace.constant(50e6, name="fibre")
    data = report_data([played_log(trace=trace)], traces=[trace])
    scale = shared_scale(data.sessions)
    assert scale.rate_bps <= 1.07 * HEADROOM * LADDER_BPS[-1]
    notes = session_figure(data.sessions[0], scale)["layout"]["annotations"]
    assert any("capacity up to 50 Mbit/s" in note["text"] for note in notes)


def test_steps_are_dense_enough_to_hover_over() -> None:
    """No gap between neighbouring points of a line is wider than 1/240 of the axis."""
    data = mixed()
    scale = shared_scale(data.sessions)
    for line in session_figure(data.sessions[0], scale)["data"]:
        if line["mode"] == "lines":
            pairs = zip(line["x"], line["x"][1:], strict=False)
            gaps = [b - a for a, b in pairs if a is not None and b is not None]
            assert max(gaps) <= scale.end_s / 240 + 0.002


def test_a_session_cut_before_its_first_picture_still_gets_a_page() -> None:
    log = played_log()
    log.records[:] = log.records[:2]
    assert "Playback" in page(report_data([log], heading="Playback"))
