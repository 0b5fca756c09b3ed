"""What published logs and tables become, on samples small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from abr.errors import TraceFormatError
from abr.trace import Trace
from abr.traceformats import FORMATS, WRITABLE, read_readings, read_trace, read_traces, write_trace
from abr.traceformats.profiles import names, profile
from tests.fakes.traces import SAMPLES
from tests.perf.trace_fuzz import tries


def periods(trace: Trace) -> list[tuple[float, float]]:
    """Ends of periods and rates, in seconds and Mbit/s."""
    rates = trace.capacity_bps / 1e6
    return [(round(t, 9), round(r, 9)) for t, r in zip(trace.times_s[1:], rates, strict=True)]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_of_each_sample_is_found_out(kind: str) -> None:
    readings = read_readings(SAMPLES[kind], name="dir/x.log")
    assert {reading.format for reading in readings} == {kind}
    given = read_readings(SAMPLES[kind], name="dir/x.log", format=kind)
    assert [r.trace.digest() for r in readings] == [r.trace.digest() for r in given]


@pytest.mark.parametrize("kind", FORMATS)
def test_mutants_of_each_sample_are_read_or_refused_and_nothing_else(kind: str) -> None:
    """A small part of ``tests/perf/trace_fuzz.py``."""
    ends = [end for _, end in tries(kind, 300, seed=2)]
    assert set(ends) <= {"read", "refused"}


def test_a_raw_log_keeps_every_byte_and_its_outages() -> None:
    """125 kB in the second before the first row; 250 kB; 2 s of nothing, then 125 kB."""
    (reading,) = read_readings(SAMPLES["hsdpa"], name="x")
    assert periods(reading.trace) == [(1, 1), (2, 2), (4, 0), (5, 1)]
    assert reading.remarks == ("gaps between rows: 1, 2.0 s in all, read as outages",)


def test_a_few_milliseconds_between_rows_are_no_outage() -> None:
    """2.5 MB in 1.004 s, though the row says 1.000 s."""
    trace = read_trace(SAMPLES["ghent"], name="x")
    assert periods(trace) == [(1, 10), (2.004, round(20 / 1.004, 9)), (3.004, 0)]


def test_rows_of_one_millisecond_are_added() -> None:
    text = b"1 1000 0 0 0 0\n1 2000 0 0 5000 500\n1 2000 0 0 5000 500\n"
    assert periods(read_trace(text, name="x")) == [(0.5, 0), (1, 0.16)]


def test_raca_seconds_are_averaged_held_and_cut() -> None:
    """Second 1 has two rows, 2 no rate, 4 no download; ten minutes later is one second on."""
    (reading,) = read_readings(SAMPLES["raca"], name="x")
    assert periods(reading.trace) == [(3, 15), (4, 5), (5, 0)]
    assert reading.remarks == (
        "1 rows without a download, left out",
        "1 rows without a rate, left out",
        "gaps of more than 5 s: 1, 596 s in all, left out",
    )


def test_fcc_has_a_trace_for_each_unit_and_target_in_order_of_time() -> None:
    first, second = read_readings(SAMPLES["fcc"], name="x")
    assert first.trace.name == "12_http---www.example.org"
    assert periods(first.trace) == [(5, 2), (10, 1)]
    assert periods(second.trace) == [(5, 4)]
    assert first.remarks == ("1 of 4 fetches failed, left out",)


def test_fcc_without_header_is_read_by_position() -> None:
    text = b"9,2020-09-01 00:00:00,t,192.0.2.1,100,1000,250000,1,0\n"
    (trace,) = read_traces(text, name="x")
    assert (trace.name, trace.mean_bps) == ("9_t", 2e6)


def test_puffer_has_a_trace_for_each_session_and_counts_bytes() -> None:
    """125,000 bytes/s are 1 Mbit/s; a pause of 96 s is cut to 2 s."""
    first, second = read_readings(SAMPLES["puffer"], name="x")
    assert periods(first.trace) == [(2, 1), (4, 2), (6, 1)]
    assert periods(second.trace) == [(2.5, 4)]
    assert first.remarks == ("session aB+/c=: gaps of more than 15 s: 1, 94 s in all, left out",)


def test_sessions_whose_names_look_alike_stay_apart() -> None:
    rows = b"".join(
        b"%d000000000,a%s,5\n%d000000000,a%s,6\n" % (n, sign, n + 1, sign)
        for n, sign in enumerate((b"+", b"/"))
    )
    names_ = [t.name for t in read_traces(b"time,session_id,delivery_rate\n" + rows, name="x")]
    assert names_ == ["a-", "a--2"]


def test_what_offers_nothing_is_left_out_and_counted() -> None:
    rows = b"time,session_id,delivery_rate\n1,a,5\n1000000001,a,6\n1,b,5\n1,c,0\n9,c,0\n"
    (reading,) = read_readings(rows, name="x")
    assert reading.trace.name == "a"
    assert reading.remarks[0] == "2 of 3 sessions left out: no capacity, or no length"


def test_oboe_gaps_between_downloads_are_interpolated() -> None:
    (reading,) = read_readings(SAMPLES["oboe"], name="x")
    found = [(float(end), round(rate, 6)) for end, rate in periods(reading.trace)]
    assert found == [(5, 1.5), (7, 0.8), (8, 0.9), (9, 1.1), (11, 1.2)]
    assert reading.remarks == (
        "times start at 1000 ms, which becomes 0",
        "gaps between downloads: 1, 2.0 s in all, interpolated",
    )


def test_a_gap_of_oboe_offers_the_bits_under_the_line_between_its_rates() -> None:
    """However long it is, and however many gaps follow one another."""
    text = b"7 4000\n320 4000\n408 2000\n408 2000\n3908 1000\n4000 1000\n304000 9\n305000 9\n"
    trace = read_trace(text, name="x", format="oboe")
    bits = 0.313 * 4e6 + 0.088 * 3e6 + 3.5 * 1.5e6 + 0.092 * 1e6 + 300 * 0.5045e6 + 9e3
    assert trace.bits_by(trace.duration_s) == pytest.approx(bits, rel=1e-12)
    assert trace.duration_s == pytest.approx(304.993)
    assert float(trace.capacity_bps.min()) >= 9e3
    assert len(trace.capacity_bps) < 120  # no millions of steps, whatever the gap


def test_csv_columns_have_names_and_units() -> None:
    trace = read_trace(SAMPLES["csv"], name="x")
    assert periods(trace) == [(1, 0.8), (3, 0)]
    assert trace.rtt_at(2, 9) == pytest.approx(0.05)
    assert trace.loss_at(2) == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("header", "rate_bps"),
    [
        ("time (s),bandwidth (Mbit/s)", 8e6),
        ("t_s,bps", 8),
        ("Time_s,Rate_Kbps", 8e3),
        ("elapsed s,Gbit/s", 8e9),
        ("t_s,MB/s", 64e6),
        ("t_s,throughput_kBps", 64e3),
        ("timestamp_s,bytes/s", 64),
    ],
)
def test_units_of_a_header_are_believed(header: str, rate_bps: float) -> None:
    """A capital B is a byte; the case of the other letters is no matter."""
    trace = read_trace(f"{header}\n0,8\n2,8\n4,\n".encode(), name="x")
    assert (trace.mean_bps, trace.duration_s) == (rate_bps, 4)


def test_csv_columns_come_in_any_order_and_milliseconds_are_seconds() -> None:
    trace = read_trace(b"loss_ratio,kbps,time_ms\n0.5,800,500\n0,400,1500\n,,2000\n", name="x")
    assert periods(trace) == [(1, 0.8), (1.5, 0.4)]
    assert trace.loss_at(0) == 0.5


def test_one_trace_of_several_is_picked_by_name_or_number() -> None:
    data = SAMPLES["fcc"]
    assert read_trace(data, name="x", pick="2").mean_bps == 4e6
    assert read_trace(data, name="x", pick="34_http---www.example.org").mean_bps == 4e6
    with pytest.raises(TraceFormatError) as caught:
        read_trace(data, name="f.csv")
    assert str(caught.value) == (
        "f.csv: holds 2 traces (12_http---www.example.org, 34_http---www.example.org); pick one by "
        "its name or its number, as in f.csv#12_http---www.example.org or f.csv#1"
    )
    with pytest.raises(TraceFormatError, match="none of them '3'"):
        read_trace(data, name="x", pick="3")


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - set(WRITABLE)))
def test_logs_of_measurements_are_read_only(kind: str) -> None:
    with pytest.raises(TraceFormatError, match=f"{kind} is a log of measurements.* is read-only"):
        write_trace(Trace.constant(1e6), kind)


@pytest.mark.parametrize(
    ("name", "kbps", "rtt_ms"),
    [
        ("lighthouse-slow-4g", 1638.4, 150),
        ("lighthouse-slow-4g-applied", 1474.56, 562.5),
        ("lighthouse-regular-3g", 700, 300),
        ("sitespeed-3g", 1600, 150),
        ("sitespeed-cable", 5000, 14),
    ],
)
def test_profiles_are_those_of_their_tools(name: str, kbps: float, rtt_ms: float) -> None:
    trace = profile(name)
    assert trace.capacity_at(1e6) == pytest.approx(kbps * 1e3)
    assert trace.rtt_at(1e6, 9) == pytest.approx(rtt_ms / 1e3)
    assert name in names()


def test_an_unknown_profile_names_a_near_one() -> None:
    with pytest.raises(TraceFormatError, match="'sitespeed-3h'; did you mean 'sitespeed-3g'"):
        profile("sitespeed-3h")


def bytes_as_bits(*, uneven: bool, factor: int) -> bytes:
    """Whole rates of a server that sends about every 2 s, divided by a million."""
    rng = np.random.default_rng(3)
    steps = rng.normal(2.0, 0.3 if uneven else 0.0, 100)
    rates = rng.integers(100_000, 4_000_000, 100) * factor
    rows = zip(np.cumsum(steps) - steps[0], rates / 1e6, strict=True)
    return "".join(f"{t:.6f} {r:.6f}\n" for t, r in rows).encode()


@pytest.mark.parametrize(
    ("uneven", "factor", "doubted"), [(True, 1, True), (True, 8, False), (False, 1, False)]
)
def test_bytes_under_a_label_of_bits_are_doubted_not_mended(
    uneven: bool, factor: int, doubted: bool
) -> None:
    (reading,) = read_readings(bytes_as_bits(uneven=uneven, factor=factor), name="x")
    assert any("8 times too low" in remark for remark in reading.remarks) is doubted


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            b"0 900.5\n1 1200.25\n2 880\n",
            "if it is kbit/s: --columns time=1:s,rate=2:kbit,applies=since",
        ),
        (b"0 9000\n1 12000\n2 8000\n", "if it is kbit/s: --columns"),
        (
            b"0 3\n1000 3.5\n2000 4\n",
            "if these are ms: --columns time=1:ms,rate=2:mbit,applies=since",
        ),
        (b"180 3\n181 3.5\n", "times start at 180 s, which becomes 0"),
        (b"0 0.001\n1 0.002\n", "hardly enough for any video"),
    ],
)
def test_units_that_do_not_fit_are_doubted(rows: bytes, says: str) -> None:
    (reading,) = read_readings(rows, name="x", format="cooked")
    assert len(reading.remarks) == 1
    assert says in reading.remarks[0]


def test_rates_of_5g_are_said_to_be_plausible_and_what_else_they_may_be() -> None:
    """Whole numbers are no evidence: tables in kbit/s hold them, too."""
    (doubt,) = read_readings(b"0 310\n1 890\n2 1422\n", name="x")[0].remarks
    assert "plausible for 5G or fibre; if it is kbit/s: --columns" in doubt


def test_rates_of_mtu_around_a_lost_reading_are_left_out() -> None:
    """A counter that was read as 0 makes one rate negative and the next one enormous."""
    times = [f"Sat Aug 20 13:29:{30 + 3 * k} UTC 2022" for k in range(6)]
    counts = ["1000000", "7000000", "0", "19000000", "25000000", "31000000"]
    rates = ["99", "16", "-18.6", "50.6", "16", "16"]
    rows = "".join(f"{t},{c},{r}\n" for t, c, r in zip(times, counts, rates, strict=True))
    text = f"Time,Sent Bytes,RATE(MBit/s)\n{rows}".encode()
    (reading,) = read_readings(text, name="x")
    assert periods(reading.trace) == [(3, 16), (12, 16), (15, 16)]
    assert reading.remarks[1] == "2 rows around lost readings of sent bytes, left out"


def test_a_walk_with_5gophers_is_one_trace_whatever_the_radio() -> None:
    text = (
        b"protocol,num_tcp_conn,seq_num,radio_type,throughput_mbps\nTCP,8,1,4G,92\nTCP,8,2,5G,227\n"
    )
    (trace,) = read_traces(text + b"TCP,8,1,5G,100\nTCP,8,2,5G,200\n", name="x")[:1]
    assert periods(trace) == [(1, 92), (2, 227)]
    assert len(read_traces(text + b"TCP,8,1,5G,100\nTCP,8,2,5G,200\n", name="x")) == 2
