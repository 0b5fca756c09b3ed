"""Each format read, written and refused."""

from __future__ import annotations

import pytest

from abr.errors import TraceFormatError
from abr.trace import Trace
from abr.traceformats import WRITABLE, read_trace, remarks, write_trace


def periods(trace: Trace) -> list[tuple[float, float]]:
    """Bounds and rates, in seconds and Mbit/s, rounded for comparison."""
    rates = trace.capacity_bps / 1e6
    return [(round(t, 9), round(r, 9)) for t, r in zip(trace.times_s[1:], rates, strict=True)]


def test_mahimahi_chances_are_spread_over_the_millisecond_before_them() -> None:
    """One packet by 1 ms (asked for at 0), two by 3 ms, one by 10 ms; 12 Mbit/s each."""
    trace = read_trace(b"0\n3\n3\n10\n", name="x/short.down")
    assert trace.name == "short.down"
    assert periods(trace) == [(0.001, 12), (0.002, 0), (0.003, 24), (0.009, 0), (0.01, 12)]
    packets = [round(trace.bits_by(ms / 1000)) / 12000 for ms in range(11)]
    assert packets == [0, 1, 1, 3, 3, 3, 3, 3, 3, 3, 4]


def test_mahimahi_one_line_is_a_steady_link() -> None:
    trace = read_trace(b"1\n", name="x")
    assert trace.mean_bps == pytest.approx(12e6)
    assert trace.time_of(12e6) == pytest.approx(1)


def test_mahimahi_neighbours_of_equal_rate_are_one_period() -> None:
    text = "".join(f"{ms}\n" for ms in range(1, 1001)).encode()
    assert periods(read_trace(text, name="x")) == [(1.0, 12)]


def test_mahimahi_outage_at_the_end_costs_one_chance() -> None:
    """The last line is the length of the loop, so there must be one."""
    trace = Trace.from_periods([(0.002, 12e6), (0.008, 0)])
    assert write_trace(trace, "mahimahi") == b"1\n2\n10\n"


def test_cooked_rates_hold_since_the_row_before_and_times_start_at_0() -> None:
    trace = read_trace(b"180.0\t9.9\n181.0 1.25\n\n182.5  0.8\n", name="x")
    assert periods(trace) == [(1.0, 1.25), (2.5, 0.8)]
    assert trace.end == "loop"


def test_sabre_periods_have_latencies() -> None:
    text = b'[{"duration_ms":5000,"bandwidth_kbps":900,"latency_ms":40},\n'
    text += b'{"duration_ms":0,"bandwidth_kbps":1,"latency_ms":0},'
    text += b'{"duration_ms":1000,"bandwidth_kbps":0}]'
    trace = read_trace(text, name="x")
    assert periods(trace) == [(5, 0.9), (5, 0.001), (6, 0)]
    assert [trace.rtt_at(t, 9) for t in (0, 5.5)] == [0.04, 0]


@pytest.mark.parametrize("header", ["", "t_s,kbps,rtt_ms\n", "# by hand\nT_S, kbps, RTT_ms\r\n"])
def test_csv_rates_hold_until_the_next_row(header: str) -> None:
    trace = read_trace(f"{header}10,800,40\n11,0,50\n13,,\n".encode(), name="x")
    assert periods(trace) == [(1, 0.8), (3, 0)]
    assert trace.rtt_at(2, 9) == pytest.approx(0.05)


def test_csv_without_an_end_repeats_the_last_length() -> None:
    trace = read_trace(b"t_s,kbps\n0,800\n1,400\n3,100\n", name="x")
    assert periods(trace) == [(1, 0.8), (3, 0.4), (5, 0.1)]
    assert trace.rtt_s is None


def test_our_json_keeps_everything() -> None:
    trace = Trace.from_periods([(1 / 3, 1e6 / 7, 0.1), (2, 0, 0.3)], end="end", name="odd")
    back = read_trace(write_trace(trace, "json"), name="dir/odd.json")
    assert back.digest() == trace.digest()
    assert back.end == "end"


@pytest.mark.parametrize("kind", WRITABLE)
def test_a_bom_and_windows_line_ends_are_no_matter(kind: str) -> None:
    trace = Trace.from_periods([(1, 1.2e6), (2, 0), (0.5, 2.4e6)])
    data = b"\xef\xbb\xbf" + write_trace(trace, kind).replace(b"\n", b"\r\n")
    assert read_trace(data, name="x").mean_bps == pytest.approx(trace.mean_bps, rel=1e-2)


BAD = [
    (b"", "the file is empty"),
    (b"\n \n", "the file is empty"),
    (b"\xff\xfe\x00", "byte 2 is not text"),
    (b"hello world, this is text", "t.x:1: found .* expected"),
    (b"These are notes\n", "t.x:1: found 'These are notes'; expected the start of"),
    (b"5\n3\n", "t.x:2: time 3 ms comes after 5 ms; times must not decrease"),
    (b"5\n\n7\n", "t.x:2: found ''; expected a whole number of milliseconds"),
    (b"0\n0\n", "t.x:2: the last time is 0 ms"),
    (b"5\n6.5\n", "t.x:2: found '6.5'"),
    (b"-5\n6\n", "t.x:1: found '-5'"),
    (b"0 1\n83.9 2\n83.2 3\n", "t.x:3: time 83.2 s comes after 83.9 s; times must not decrease"),
    (b"0 1\n", "found 1 row; expected two or more"),
    (b"0 1\n1 2 3\n", "t.x:2: found 3 columns; expected 2"),
    (b"0 1\n1 fast\n", "t.x:2: found rate 'fast'; expected a finite number of 0 or more"),
    (b"0 1\n1 -2\n", "t.x:2: found rate '-2'"),
    (b"0 1\n1 nan\n", "t.x:2: found rate 'nan'"),
    (b"0 1\n0 2\n", "lasts 0 s"),
    (b"0 1\n5 0\n6 0\n", "t.x: offers 0 bits .* never delivers"),
    (b"0,1\n1,2,3\n", "t.x:2: found 3 columns; expected t_s,kbps"),
    (b"0,1,2,3,4\n", "t.x:1: found 5 columns without headings; expected t_s,kbps,rtt_ms,loss_pct"),
    (b"0,5\n1,\n2,5\n", "t.x:3: found a row after the end"),
    (b"0,5\n2,5\n1,5\n", "t.x:3: time 1 s comes after 2 s"),
    (b"0,5\n", "found 1 row;"),
    (b"[]", "found no periods"),
    (b"[1]", "t.x:1: found '1'; expected an object"),
    (b'[{"duration_ms":1,\n"bandwidth_kbps":', "t.x:2: broken JSON"),
    (b'[\n{"duration_ms":1,"bandwidth_kbps":1},\n{"duration_ms":-1,"bandwidth_kbps":1}]',
     "t.x:3: duration_ms is -1; expected a finite number of 0 or more"),
    (b'[{"duration_ms":1}]', "t.x:1: bandwidth_kbps is None; expected a number"),
    (b'[{"duration_ms":NaN,"bandwidth_kbps":1}]', "t.x:1: duration_ms is nan"),
    (b'[{"duration_ms":true,"bandwidth_kbps":1}]', "t.x:1: duration_ms is True"),
    (b'[{"duration_ms":5,"bandwidth_kbps":0}]', "t.x: offers 0 bits"),
    (b'{"a":1}', "found an object with a; expected a trace in JSON"),
    (b'{"format":"abrkit-trace","version":2}', "version 2; expected"),
    (b'{"format":"abrkit-trace","version":1,"times_s":3}', "times_s is '3'; expected a list"),
    (b'{"format":"abrkit-trace","version":1,"times_s":[0,1],"capacity_bps":["a"]}',
     r"capacity_bps\[0\] is 'a'; expected a number"),
    (b'{"format":"abrkit-trace","version":1,"times_s":[0,1],"capacity_bps":[1],"end":[]}',
     "end rule"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "says"), BAD)
def test_a_broken_file_is_one_clear_line(data: bytes, says: str) -> None:
    with pytest.raises(TraceFormatError, match=says) as caught:
        read_trace(data, name="t.x")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("t.x:")


def test_a_format_can_be_named_and_an_unknown_one_lists_all() -> None:
    assert read_trace(b"1 2\n3 4\n", name="x", format="cooked").duration_s == 2
    with pytest.raises(TraceFormatError, match="expected a whole number"):
        read_trace(b"1 2\n3 4\n", name="x", format="mahimahi")
    with pytest.raises(TraceFormatError, match="'pcap'; expected mahimahi, cooked"):
        read_trace(b"1\n", name="x", format="pcap")


def test_a_file_that_would_be_huge_is_refused() -> None:
    with pytest.raises(TraceFormatError, match="lines as mahimahi"):
        write_trace(Trace.from_periods([(1e5, 1e10)]), "mahimahi")


def test_remarks_name_suspect_units_and_outages_at_the_ends() -> None:
    assert remarks(Trace.constant(5e6)) == ()
    assert "kbit/s read as Mbit/s" in remarks(Trace.constant(5e12))[0]
    assert "Mbit/s read as kbit/s" in remarks(Trace.constant(5e3))[0]
    start, end = remarks(Trace.from_periods([(1, 0), (1, 9e6), (1, 0)], end="hold"))
    assert start.startswith("starts with an outage")
    assert end.startswith("ends with an outage")
