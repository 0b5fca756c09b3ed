"""A report groups by title and trace, compares fairly and refuses nonsense."""

from typing import Any

import pytest

from abr.errors import LogFormatError
from abr.log import SessionLog
from abr.trace import Trace
from bench.reports.sessions import UNSHAPED, LadderRung, ReportData, Tier, report_data
from bench.reports.wording import (
    describe_experience,
    describe_sessions,
    format_seconds,
    format_size,
    join_words,
    write_cautions,
    write_findings,
    write_lead,
)
from tests.fakes.logs import LADDER_BPS, played_log

STEPS = Trace.from_periods([(5, 3e6), (5, 5e5)], name="steps")
TRAM = Trace.from_periods([(7, 2e6)], name="tram")
COUNTS = {"requests": 10, "hits": 8, "bytes": 1000, "hit_bytes": 500}


def mixed() -> ReportData:
    """Three sessions over one trace, one of them live, and one over another."""
    logs = [
        played_log(algorithm="a", trace=STEPS, rungs=(0, 2, 2), stall=(1, 2.0)),
        played_log(algorithm="a", trace=TRAM, rungs=(1, 1, 1)),
        played_log(algorithm="b", trace=STEPS, rungs=(0, 1, 1)),
        played_log(algorithm="a", trace=STEPS, rungs=(0, 2, 1), stall=(1, 2.5), driver="live"),
    ]
    return report_data(logs, traces=[STEPS], cache_stats={"isp": COUNTS})


def test_sessions_stand_by_trace_and_are_numbered_in_that_order() -> None:
    """Trace first seen, first shown; numbers are anchors and must not repeat."""
    data = mixed()
    assert [(s.number, s.algorithm, s.trace) for s in data.sessions] == [
        (1, "a", "steps"),
        (2, "b", "steps"),
        (3, "a", "steps"),
        (4, "a", "tram"),
    ]
    assert [(c.trace, len(c.rows)) for c in data.comparisons] == [("steps", 3), ("tram", 1)]


def test_capacity_is_drawn_only_for_known_traces() -> None:
    """By digest from what was given, or from the log itself; else not at all."""
    data = mixed()
    assert data.sessions[0].curves.capacity_bps is not None
    assert data.sessions[3].curves.capacity_bps is None
    carried = {"times_s": [0, 7], "capacity_bps": [2e6], "end": "loop"}
    (session,) = report_data([played_log(trace=TRAM, trace_data=carried)]).sessions
    assert session.curves.capacity_bps is not None
    assert session.curves.capacity_bps.values[0] == 2e6


def test_best_figures_are_those_nobody_betters() -> None:
    """b has fewer stalls, live a has more switches; startup is the same for all."""
    first, second, third = mixed().comparisons[0].rows
    assert first.best == {"mean_bitrate_bps", "switches"}
    assert second.best == {"stall_events", "stall_s", "rebuffer_ratio", "switches"}
    assert third.best == frozenset()


def test_a_session_alone_is_best_at_nothing() -> None:
    """Praise needs a comparison."""
    assert mixed().comparisons[1].rows[0].best == frozenset()


def test_a_session_that_never_began_neither_wins_nor_breaks_the_report() -> None:
    """No playback means no stalls, which is no merit."""
    failed = SessionLog({"driver": "live", "algorithm": "c", "trace": "steps", "title": "scenes"})
    failed.add("start", 0.0)
    failed.add("ended", 1.0, why="error: refused")
    data = report_data([failed, played_log(algorithm="a", trace=STEPS, stall=(1, 1.0))])
    rows = data.comparisons[0].rows
    assert rows[0].best == frozenset()
    leader = data.comparisons[0].leader
    assert leader is not None
    assert leader.algorithm == "a"
    assert describe_experience(rows[0].session) == "Never started: refused."
    assert data.failures["c"].failed == 1
    assert write_cautions(data)[0] == "c: 1 of 1 session failed: refused (1)."


def test_a_live_session_is_laid_beside_its_simulation() -> None:
    """The difference of the mean bitrates, relative to the mean of both."""
    (pair,) = mixed().pairs
    assert (pair.virtual.number, pair.live.number) == (1, 3)
    # (0.4 + 1.8 + 0.9) against (0.4 + 1.8 + 1.8), all segments of equal length.
    assert pair.gap.bitrate_ratio == pytest.approx(0.9 / 3.55)


def test_other_parameters_make_no_pair() -> None:
    """Only the same algorithm with the same parameters is compared."""
    virtual = played_log(trace=STEPS, params={"safety": 0.9})
    live = played_log(trace=STEPS, params={"safety": 0.8}, driver="live")
    assert report_data([virtual, live]).pairs == ()


def test_sessions_that_differ_in_a_parameter_are_named_apart() -> None:
    """Two fixed rungs are two lines that a reader can tell from each other."""
    logs = [
        played_log(algorithm="fixed", params={"rung": 0, "gp": 5}),
        played_log(algorithm="fixed", params={"rung": 2, "gp": 5}),
        played_log(algorithm="other", params={"rung": 1}),
    ]
    labels = [session.label for session in report_data(logs).sessions]
    assert labels == ["fixed (rung=0)", "fixed (rung=2)", "other"]


def test_hit_ratios_are_by_request_and_by_byte() -> None:
    """8 of 10 requests, half of the bytes; unknown without any."""
    (tier,) = mixed().tiers
    assert (tier.hit_ratio, tier.byte_hit_ratio) == (0.8, 0.5)
    idle = Tier(name="isp", requests=0, hits=0, sent_bytes=0, hit_bytes=0)
    assert (idle.hit_ratio, idle.byte_hit_ratio) == (None, None)


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"requests": 1}, "hits"),
        (COUNTS | {"hits": 11}, "11 hits of 10"),
        (COUNTS | {"hit_bytes": 2000}, "2000 of 1000"),
        (COUNTS | {"bytes": "many"}, "many"),
    ],
)
def test_impossible_cache_counts_are_refused(counts: dict[str, Any], found: str) -> None:
    """Missing, more hits than requests, not numbers: one clear error."""
    with pytest.raises(LogFormatError, match=found):
        report_data([played_log()], cache_stats={"isp": counts})


def test_no_log_or_an_empty_one_is_refused() -> None:
    """Nothing to report on, or nothing that was ever asked for."""
    with pytest.raises(LogFormatError, match="at least one"):
        report_data([])
    with pytest.raises(LogFormatError, match="session 1"):
        report_data([SessionLog({})])
    with pytest.raises(LogFormatError, match="trace_data"):
        report_data([played_log(trace_data={"times_s": [0, 1], "capacity_bps": [-1]})])


def test_ladders_come_from_the_logs_unless_more_is_known() -> None:
    """Bit rates from provenance; pictures and codecs from whoever knows them."""
    plain = report_data([played_log()]).ladders["scenes"]
    assert [rung.bitrate_bps for rung in plain] == list(LADDER_BPS)
    known = [LadderRung(bitrate_bps=4e5, width=320, height=180)]
    assert report_data([played_log()], ladders={"scenes": known}).ladders["scenes"][0].width == 320


def test_the_summary_is_in_plain_words() -> None:
    """What ran, who stalled least, and what the caches did."""
    data = mixed()
    assert write_lead(data) == (
        "2 algorithms over 2 network traces: 4 sessions, 1 of them live over HTTP, "
        "48 s of video played."
    )
    assert write_findings(data) == [
        "Over steps, b stalled least: no stall, at 0.73 Mbit/s on average.",
        "Over tram, a played at 0.90 Mbit/s with no stall.",
        "The isp tier answered 80 % of its requests and 50 % of the bytes itself.",
    ]
    assert write_cautions(data) == []


def broken_off(after: int, why: str, **about: Any) -> SessionLog:
    """A session that ended ``after`` so many records of a good one."""
    log = played_log(**about)
    t_s = log.records[after - 1]["t"]
    log.records[:] = log.records[:after]
    log.add("ended", t_s, why=why)
    return log


def test_a_sentence_says_what_the_viewer_noticed() -> None:
    noticed = (
        "never froze; picture mostly at 900 kbit/s, sharpness changed once",
        "froze once, 2.5 s; picture at 1.0 Mbit/s on average, sharpness changed twice",
        "never froze; picture always at 900 kbit/s, sharpness never changed",
    )
    first, *others = [describe_experience(session) for session in mixed().sessions]
    assert first == (
        "Started after 0.5 s; froze once, 2.0 s; picture mostly at 1.8 Mbit/s, "
        "sharpness changed once."
    )
    assert others == [f"Started after 0.5 s; {each}." for each in noticed]
    assert describe_sessions(mixed())[1] == f"b over steps (virtual): {others[0]}"


def test_a_sentence_says_how_far_behind_the_live_edge_it_was() -> None:
    log = played_log()
    facts = {"edge_s": 16.0, "latency_s": 12.5, "hold_back_s": 12.0, "target_duration_s": 4.0}
    log.records.insert(1, {"e": "live", "t": log.records[1]["t"], **facts})
    (row,) = report_data([log]).comparisons[0].rows
    assert describe_experience(row.session).endswith(
        "; 12.5 s behind the live edge on average (12.0 s asked for)."
    )


def test_a_session_that_broke_off_says_when_and_why_and_wins_nothing() -> None:
    """It had not stalled by then, and the other did."""
    broken = broken_off(9, "error: http://x/v0/3.m4s: status 500", algorithm="a", trace=STEPS)
    whole = played_log(algorithm="b", trace=STEPS, stall=(1, 2.0))
    data = report_data([broken, whole])
    first, second = data.comparisons[0].rows
    assert describe_experience(first.session).endswith(
        "; broke off after 1 s of video: status 500."
    )
    assert (first.best, second.best) == (frozenset(), frozenset())
    assert data.comparisons[0].leader == second.session
    assert write_findings(data) == ["Over steps, b played at 1.03 Mbit/s with 1 stall, 2.00 s."]


def test_where_every_session_failed_nobody_leads() -> None:
    data = report_data([broken_off(9, "error: refused")])
    assert write_findings(data) == [f"Over {UNSHAPED}, every session failed."]


def test_a_failed_live_session_is_laid_beside_nothing() -> None:
    logs = [played_log(trace=STEPS), broken_off(9, "still open", trace=STEPS, driver="live")]
    assert report_data(logs).pairs == ()


def test_a_viewer_who_stopped_has_not_failed() -> None:
    (session,) = report_data([broken_off(9, "stopped")]).sessions
    assert session.failure is None


def test_where_nothing_stalled_the_highest_bitrate_is_named() -> None:
    """Two clean sessions: the better picture wins; an unshaped network has a name too."""
    logs = [played_log(algorithm="a", rungs=(0, 0)), played_log(algorithm="b", rungs=(0, 2))]
    (sentence,) = write_findings(report_data(logs))
    assert sentence == f"Over {UNSHAPED}, nothing stalled; b had the highest bitrate, 1.10 Mbit/s."


def test_figures_are_rounded_for_people() -> None:
    """Units, signs and dashes for the unknown."""
    assert [format_seconds(value) for value in (None, 0, 0.416, 12.34)] == [
        "–",
        "0 s",
        "0.42 s",
        "12.3 s",
    ]
    assert [format_size(value) for value in (12, 12_345, 2.5e9, 4e12)] == [
        "12 B",
        "12.3 kB",
        "2.5 GB",
        "4000.0 GB",
    ]
    assert [join_words(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]


def test_an_upper_bound_that_is_none_is_said() -> None:
    bound = played_log(algorithm="optimal", trace=TRAM, no_upper_bound="it does not plan for x")
    data = report_data([bound, played_log(algorithm="b", trace=TRAM)])
    assert write_cautions(data) == ["optimal is no upper bound here: it does not plan for x."]
