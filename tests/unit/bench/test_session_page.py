"""The page is one whole file that asks the network for nothing and shows everything."""

import re
from html.parser import HTMLParser

import pytest

from abr.trace import Trace
from bench.reports.session_charts import HEADROOM, draw_session, find_scale
from bench.reports.session_page import render_page
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
            shaper={
                "is_overloaded": True,
                "delivered_ratio": None,
                "lateness_p50_s": 0.03,
                "outside_bytes": 0,
            },
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
    return render_page(mixed())


@pytest.fixture(scope="module")
def parsed(text: str) -> Page:
    return Page(text)


def test_it_is_well_formed_small_and_without_a_script(text: str, parsed: Page) -> None:
    """Every tag closes; the charts are pictures."""
    assert text.startswith("<!doctype html>")
    assert parsed.all("script") == []
    assert parsed.all("html")[0]["lang"] == "en"
    assert len(text) < 50_000


def test_what_crossed_a_link_and_what_did_not_is_told(text: str) -> None:
    assert "0 bytes passed outside" in text


def test_it_asks_the_network_for_nothing(text: str, parsed: Page) -> None:
    """No address to fetch in any attribute or style; and a policy on top."""
    for tag, attrs in parsed.tags:
        for name in FETCHING & attrs.keys():
            assert (attrs[name] or "").startswith("#"), f"<{tag} {name}={attrs[name]!r}>"
    assert parsed.all("link") == []
    assert re.findall(r"https?://|//\w+\.\w|@import|url\(", text) == []
    policy = next(m for m in parsed.all("meta") if m.get("http-equiv"))["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?:|\*|connect-src|script-src", policy)


def test_every_session_has_a_row_a_chart_and_its_provenance(parsed: Page) -> None:
    """Anchors, figures and details: one of each per session."""
    articles = [attrs["id"] for attrs in parsed.all("article")]
    assert articles == ["session-1", "session-2", "session-3"]
    links = [attrs["href"] for attrs in parsed.all("a")]
    assert links == [f"#{name}" for name in articles]
    labels = [a["aria-label"] or "" for a in parsed.all("svg") if a.get("class") == "plot"]
    assert [label.split(":")[0] for label in labels] == [
        "alpha over steps",
        "beta over steps",
        "alpha over steps",
    ]
    assert len(parsed.all("details")) == 3
    told = " ".join(parsed.text["dd"])
    assert STEPS.digest() in told
    assert "ab" * 32 in told


def test_text_from_outside_is_escaped(text: str) -> None:
    """A heading with markup in it stays words."""
    assert "<b>chips" not in text
    assert "Fish &amp; &lt;b&gt;chips" in text


def test_markup_in_a_log_cannot_leave_its_chart() -> None:
    """A name with tags in it stays words, in the chart too."""
    text = render_page(report_data([played_log(algorithm='</svg><script>alert(1)</script>"x')]))
    assert "<script" not in text
    Page(text)


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
    bare = render_page(report_data([played_log()]))
    for words in ("Hit ratio by byte", "Simulated against live", "<pre>"):
        assert words not in bare


def test_every_row_says_what_the_viewer_noticed(text: str) -> None:
    """In the table, and above and inside its chart for those who cannot see it."""
    said = "Started after 0.5 s; froze once, 2.0 s; picture mostly at 1.8 Mbit/s"
    assert text.count(said) == 3


def test_a_failed_session_is_marked_and_has_dashes() -> None:
    """Its figures would be those of a playback nobody saw to its end."""
    log = played_log(algorithm="gamma", trace=STEPS)
    log.records[:] = log.records[:9]
    data = report_data([played_log(trace=STEPS), log])
    text = render_page(data)
    found = Page(text)
    assert found.text["td"].count("–") == 6
    assert text.count('<span class="tag warn">failed</span>') == 2
    assert "gamma: 1 of 1 session failed: the log breaks off (1)." in text


def test_every_colour_of_a_chart_has_a_light_and_a_dark_value(text: str) -> None:
    """Each CSS variable that a style names is set twice."""
    names = set(re.findall(r"var\((--[\w-]+)\)", text)) - {"--h"}
    assert {"--capacity", "--chosen", "--measured", "--buffer", "--stall"} <= names
    for name in names:
        assert len(re.findall(rf"{name}: [#r]", text)) == 2, name


def test_sessions_over_one_trace_share_their_axes() -> None:
    """The longest time and the highest rate of all of them."""
    data = mixed()
    scale = find_scale(data.sessions)
    assert scale.end_s == max(s.curves.end_s for s in data.sessions)
    drawn = [draw_session(session, scale) for session in data.sessions]
    ticks = {tuple(re.findall(r'<text class="tick"[^>]*>([^<]+)<', text)) for text in drawn}
    assert len(ticks) == 1


def test_a_chart_draws_stalls_downloads_and_rungs_where_they_were() -> None:
    """14.5 s in all; stalled from 4.5 s to 6.5 s; rungs 0, 2, 2."""
    data = mixed()
    text = draw_session(data.sessions[0], find_scale(data.sessions))
    start, width = 100 * 4.5 / 14.5, 100 * 2 / 14.5
    bands = re.findall(r'<rect class="stall" x="([\d.]+)%" y="\d+" width="([\d.]+)%"', text)
    assert [(float(x), float(w)) for x, w in bands] == [pytest.approx((start, width), abs=0.01)] * 2
    assert text.count('<circle class="measured"') == 3
    assert "segment 1, rung 2: 900 kB in 0.50 s, 14.40 Mbit/s" in text
    (rungs,) = re.findall(r'<path class="chosen" d="([^"]+)"', text)
    assert rungs.count("M") == 2  # nothing is drawn through the stall
    assert f"H{1000 * 4.5 / 14.5:.1f}" in rungs


def test_capacity_far_above_the_ladder_is_cut_off_and_said_so() -> None:
    """50 Mbit/s over a ladder up to 1.8: the rungs stay readable."""
    trace = Trace.constant(50e6, name="fibre")
    data = report_data([played_log(trace=trace)], traces=[trace])
    scale = find_scale(data.sessions)
    assert scale.rate_bps <= 1.11 * HEADROOM * LADDER_BPS[-1]
    assert "capacity up to 50 Mbit/s, cut off" in draw_session(data.sessions[0], scale)


def test_a_long_trace_makes_no_large_chart() -> None:
    """Four hours of capacity that changes every second."""
    trace = Trace.from_periods([(1, 1e6 * (1 + k % 7)) for k in range(14_400)])
    log = played_log(trace=trace, rungs=[k % 3 for k in range(900)])
    (session,) = report_data([log], traces=[trace]).sessions
    assert len(draw_session(session, find_scale([session]))) < 250_000


def test_a_session_cut_before_its_first_picture_still_gets_a_page() -> None:
    log = played_log()
    log.records[:] = log.records[:2]
    assert "Playback" in render_page(report_data([log], heading="Playback"))
