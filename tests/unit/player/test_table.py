"""The tables that people read after a session."""

from __future__ import annotations

from rich.console import Console, RenderableType

from abr.media import constant_presentation
from abr.trace import Trace
from player import simulate
from player.table import session_table, sessions_table

BARS = constant_presentation([1e6, 2e6], segments=45, segment_s=2.0)


def text_of(table: RenderableType) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def line_of(text: str, start: str) -> str:
    (line,) = (line.strip() for line in text.splitlines() if line.strip().startswith(start))
    return line


def test_every_figure_stands_in_a_line_with_its_unit() -> None:
    """45 segments of 2 s at 1 Mbit/s over 4 Mbit/s: nothing stalls, nothing switches."""
    log = simulate(BARS, trace=Trace.constant(4e6, name="lan"), algorithm="lowest")
    text = text_of(session_table(log))
    assert line_of(text, "lowest") == "lowest over lan (virtual)"
    assert "1.000 Mbit/s" in line_of(text, "mean bitrate")
    assert "90.0 s" in line_of(text, "played")
    assert "0.000 s in all" in line_of(text, "stalls")
    assert "0.00%" in line_of(text, "rebuffer ratio")


def test_latency_is_told_where_the_stream_is_live() -> None:
    log = simulate(BARS, trace=Trace.constant(4e6), algorithm="lowest")
    assert "latency" not in text_of(session_table(log))
    first = next(log.of("state"))
    at = log.records.index(first)
    facts = {"edge_s": 12.3, "latency_s": 12.3, "hold_back_s": 12.0, "target_duration_s": 4.0}
    log.records.insert(at, {"e": "live", "t": first["t"], **facts})
    text = text_of(session_table(log))
    assert "12.3 s" in line_of(text, "mean latency")
    assert "12.0 s" in line_of(text, "hold-back")


def test_the_ladder_is_listed_from_the_top_with_bars_by_time() -> None:
    log = simulate(BARS, trace=Trace.constant(4e6), algorithm="lowest")
    text = text_of(session_table(log))
    high, low = text.index("rung 1"), text.index("rung 0")
    assert high < low
    assert "█" not in line_of(text, "rung 1")
    assert line_of(text, "rung 0").endswith("█" * 24)


def test_rungs_are_listed_forty_to_a_line() -> None:
    log = simulate(BARS, trace=Trace.constant(4e6), algorithm="lowest")
    after = text_of(session_table(log)).partition("rung per segment\n")[2]
    assert [len(line.split()) for line in after.splitlines() if line.strip()] == [40, 5]


def test_a_playback_that_never_began_says_so() -> None:
    log = simulate(BARS, trace=Trace.constant(1000.0), algorithm="lowest", max_play_s=1.0)
    assert "never" in line_of(text_of(session_table(log)), "startup")


def test_rows_of_a_preset_say_never_where_nothing_began() -> None:
    row = {
        "movie": "bbb",
        "network": "3g-1",
        "algorithm": "bola",
        "mean_bitrate_bps": 1.5e6,
        "startup_s": None,
        "stall_events": 2,
        "stall_s": 3.25,
        "bitrate_change_bps": 4e6,
        "abandoned": 1,
    }
    last = text_of(sessions_table([row])).splitlines()[-1]
    assert last.split() == ["bbb", "3g-1", "bola", "1.500", "never", "2", "3.250", "4.0", "1"]
