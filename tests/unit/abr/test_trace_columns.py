"""Tables of any form, read as told by columns and units."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError, TraceFormatError
from abr.trace import Trace
from abr.traceformats import Reading, find_set_doubts, read_readings, read_trace
from abr.traceformats.columns import parse_columns, suggest_columns


def periods(trace: Trace) -> list[tuple[float, float]]:
    ends, rates = trace.times_s[1:].tolist(), (trace.capacity_bps / 1e3).tolist()
    return [(round(end, 9), round(rate, 6)) for end, rate in zip(ends, rates, strict=True)]


STEPS = [(1, 800), (3, 400), (5, 1200)]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("time,rate\n0,800\n1,400\n3,1200\n5,\n", "time=time:s,rate=rate:kbit"),
        ("time;rate\n0;800\n1000;400\n3000;1200\n5000;\n", "time=1:ms,rate=2:kbit"),
        ("t\tmbps\n10\t0.8\n11\t0.4\n13\t1.2\n15\t-\n", "time=t,rate=mbps"),
        ("0 100\n1 50\n3 150\n", "time=1,rate=2:kB/s"),
        ("x 0 800000\nx 1 400000\nx 3 1200000\n", "time=2:s,rate=3:bps"),
        ('{"t": 0, "r": 0.8}\n{"t": 1, "r": 0.4}\n{"t": 3, "r": 1.2}\n', "time=t:s,rate=r:mbit"),
        ('[{"t": 0, "r": 0.8}, {"t": 1, "r": 0.4}, {"t": 3, "r": 1.2}]', "time=t:s,rate=r:mbit"),
        ('{"a": 7, "t": [0, 1, 3], "r": [0.8, 0.4, 1.2]}', "time=t:s,rate=r:mbit"),
        ('{"rows": [{"t": 0, "r": 800}, {"t": 1, "r": 400}, {"t": 3, "r": 1200}]}',
         "time=t:s,rate=r:kbit"),
        ("[[0, 800], [1, 400], [3, 1200]]", "time=1:s,rate=2:kbit"),
        ("len,rate\n1,800\n2,400\n2,1200\n", "duration=len:s,rate=rate:kbit"),
        ("at,bytes\n0,9\n1,100000\n3,100000\n5,300000\n", "time=at:s,bytes=bytes:B"),
        ("ms,kB\n1000,100\n2000,100\n2000,300\n", "duration=ms:ms,bytes=kB"),
        ("t,r\n0,9\n1,800\n3,400\n5,1200\n", "time=t:s,rate=r:kbit,applies=since"),
        ("a,b,t\n300,500,0\n100,300,1\n1000,200,3\n", "time=t:s,rate=a+b:kbit"),
        ("day,rate\n2024-01-11 10:00:00,800\n2024-01-11 10:00:01,400\n2024-01-11 10:00:03,1200\n",
         "time=day,rate=rate:kbit"),
        ("at,rate\n10:00:00,800\n10:00:01,400\n10:00:03,1200\n", "time=at:date,rate=rate:kbit"),
        ('"time, s","rate, kbit/s"\n0,800\n1,400\n3,1200\n', "time=1:s,rate=2:kbit"),
        ("# made by hand\n0 800\n\n1 400\n3 1200\n", "time=1:s,rate=2:kbit"),
        ("from,to,rate\n0,1,800\n9,11,400\n11,13,1200\n", "time=from:s,end=to,rate=rate:kbit"),
    ],
)  # fmt: skip
def test_a_table_of_any_form_is_read_as_told(text: str, columns: str) -> None:
    trace = read_trace(text.encode(), name="dir/x.any", columns=columns)
    assert periods(trace) == STEPS
    assert trace.name == "x.any"


def test_a_mapping_says_the_same_as_a_text() -> None:
    given = {"time": "1:ms", "rate": 2, "applies": "since"}
    assert parse_columns(given) == parse_columns("time=1:ms, rate=2, applies=since")
    assert str(parse_columns("rate=a+b:kbit,step=500ms")) == "rate=a+b:kbit,step=0.5s"


def test_rates_of_equal_length_are_a_column_or_a_line_of_numbers() -> None:
    for text in ("800\n400\n1200\n", "800 400 1200\n", "800,400,1200\n", "[800, 400, 1200]"):
        trace = read_trace(text.encode(), name="x", columns="rate=1:kbit,step=500ms")
        assert periods(trace) == [(0.5, 800), (1, 400), (1.5, 1200)]


def test_comments_at_the_end_of_a_line_and_old_line_ends_are_no_fields() -> None:
    text = b"800.5\t\t# from here on\r400\r1200\r"
    with pytest.raises(TraceFormatError, match="single numbers without times"):
        read_trace(text, name="x")
    assert periods(read_trace(text, name="x", columns="rate=1:kbit,step=1s"))[0] == (1, 800.5)


def test_rows_of_equal_times_are_told() -> None:
    (reading,) = read_readings(b"t,r\n0,8\n0,9\n1,7\n", name="x", columns="time=t:s,rate=r:mbit")
    assert reading.remarks == ("rows with the time of the row after: 1, of no length",)


def test_round_trip_times_and_losses_come_with_rates() -> None:
    text = b"t,r,ping,lost\n0,800,40,1\n1,400,50,0\n"
    trace = read_trace(text, name="x", columns="time=t:s,rate=r:kbit,rtt=ping:ms,loss=lost:pct")
    assert trace.rtt_s is not None
    assert trace.loss_ratio is not None
    assert trace.rtt_s.tolist() == [0.04, 0.05]
    assert trace.loss_ratio.tolist() == [0.01, 0]


def test_runs_of_one_file_become_traces_and_so_do_times_that_start_again() -> None:
    text = b"run,who,t,r\n1,a,0,800\n1,a,2,400\n1,b,0,1\n1,b,1,1\n1,b,0,2\n1,b,1,2\n2,a,5,0\n"
    readings = read_readings(text, name="x", columns="time=t:s,rate=r:kbit,run=run+who")
    assert [each.trace.name for each in readings] == ["1_a", "1_b", "1_b-2"]
    assert periods(readings[0].trace) == [(2, 800), (4, 400)]
    assert readings[0].remarks == ("1 of 4 runs left out: no capacity, or no length",)


def test_what_is_missing_is_dropped_and_counted_and_long_gaps_are_told() -> None:
    text = b"t,r\n0,800\n1,NaN\n2,-\n3,400\n4,100\n500,800\n501,100\n"
    (reading,) = read_readings(text, name="x", columns="time=t:s,rate=r:kbit")
    assert periods(reading.trace)[0] == (3, 800)
    assert reading.remarks == (
        "2 rows without a value, left out",
        "rows more than 40 s apart: 1, 496 s in all, over which one rate is held",
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("time=1,rat=2", "columns: found 'rat'; did you mean 'rate'?"),
        ("time=1", "columns: expected one of rate, bytes and bytes_total"),
        ("rate=1:kbit", "columns: expected one of time, duration and step"),
        ("time=1,step=1s,rate=2", "columns: expected one of time, duration and step"),
        ("time=1,rate=2:miles", "columns: rate=2:miles; expected a unit of bit, kbit"),
        ("time=1:kbit,rate=2:kbit", "columns: time=1:kbit; expected a unit of s, ms, us or ns"),
        ("time=1,time=2,rate=3", "columns: found 'time' twice"),
        ("1,2", "columns: found '1'; expected NAME=COLUMN"),
        ("rate=1:kbit,step=0s", "columns: step=0s; expected a time above 0"),
        ("time=1,rate=2:kbit,applies=later", "applies=later; expected until or since"),
        ("duration=1:s,end=2,rate=3:kbit", "columns: end goes with time and rate"),
        ("time=1:s,bytes=2:B,rtt=3:ms", "columns: rtt and loss go with rate"),
        ("time=1:s,bytes_total=2:B,loss=3:pct", "columns: rtt and loss go with rate"),
        ("time=1:s,bytes_total=2:B,rate=3:bit", "expected one of rate, bytes and bytes_total"),
        ("step=1s,rate=2:kbit,applies=since", "columns: applies=since goes with time and rate"),
        ("time=1:s,bytes=2:B,applies=until", "columns: applies=until goes with time and rate"),
        ("time=1:hours,rate=2:kbit", "expected a unit of s, ms, us or ns, or date, dmy, mdy"),
        ("time=1:s,rate=2:kbit,run=3:s", "columns: run=3:s; expected columns without a unit"),
    ],
)
def test_a_wrong_option_is_told_on_one_line(columns: str, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_readings(b"0 1\n1 2\n", name="x", columns=columns)
    assert str(told.value).startswith(says) or says in str(told.value)


@pytest.mark.parametrize(
    ("text", "columns", "says"),
    [
        ("t,r\n0,1\n1,2\n", "time=t:s,rate=q:kbit", "x:1: found no column 'q' in 't, r'; "),
        ("t,r\n0,1\n1,2\n", "time=t:s,rate=3:kbit", "x:1: found no column '3' in 't, r'; "),
        ("t,r\n0,1\n1,2\n", "time=t:s,rate=r", "x:1: nothing tells the unit of rate in 'r'; "),
        ("t,r\n0,1\n1,x\n", "time=t:s,rate=r:kbit", "x:3: found rate 'x'; expected a finite"),
        ("t,r\n0,1\n1,-2\n", "time=t:s,rate=r:kbit", "x:3: found rate '-2'; expected a finite"),
        ("t,r\n1,1\n0,2\n", "time=t:s,rate=r:kbit", "x:3: time 0 comes after 1; "),
        ("t,r\n1,1\n1\n", "time=t:s,rate=r:kbit", "x:3: found 1 columns; expected 2 or more"),
        ("t,r\n1,1\n", "time=t:s,rate=r:kbit", "x:2: found 1 row of no length; "),
        ("t,r\n", "time=t:s,rate=r:kbit", "x: no row has a value for time=t:s,rate=r:kbit"),
        ("t,b\n0,5\n0,5\n1,5\n", "time=t:s,bytes=b:B", "x:2: found bytes that arrived in no"),
        ('{"a": 1}', "time=t:s,rate=r:kbit", "x:1: found JSON without a table"),
        ("{", "time=t:s,rate=r:kbit", "x:1: broken JSON"),
    ],
)
def test_a_table_that_is_not_as_told_names_its_line(text: str, columns: str, says: str) -> None:
    with pytest.raises(TraceFormatError) as told:
        read_readings(text.encode(), name="x", columns=columns)
    assert str(told.value).startswith(says)
    assert "\n" not in str(told.value)


def test_a_format_and_columns_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        read_trace(b"0 1\n1 2\n", name="x", format="cooked", columns="time=1:s,rate=2:kbit")


def test_the_columns_of_a_table_are_guessed_for_its_error() -> None:
    assert suggest_columns(["run", "seq_num", "throughput_mbps"]) == (
        "--columns time=seq_num,rate=throughput_mbps"
    )
    assert suggest_columns(["t", "rx_bytes"]) == "--columns time=t,bytes_total=rx_bytes"
    assert suggest_columns(["time", "bytes"]) == "--columns time=time,bytes=bytes"
    assert suggest_columns(["Timestamp", "Bandwidth"]) == (
        "--columns time=Timestamp,rate=Bandwidth:UNIT"
    )


def dated(*stamps: str, columns: str = "time=1,rate=2:kbit") -> list[float]:
    text = "\n".join(f"{stamp}\t{k}" for k, stamp in enumerate(stamps, 1))
    times_s = read_trace(text.encode(), name="x", columns=columns).times_s
    return [float(time_s) for time_s in times_s[: len(stamps)]]


@pytest.mark.parametrize(
    "stamps",
    [
        ("29.11.2026 10:00:00", "29.11.2026 10:00:01,5"),
        ("29.11.2026 10:00:00", "29.11.2026 10:00:01.5"),
        ("29/11/2026 22:00:00", "29/11/2026 22:00:01.5"),
        ("11/29/2026 10:00:00 PM", "11/29/2026 10:00:01.5 PM"),
        ("1/2/2026 11:59:59 am", "1/2/2026 12:00:00.5 pm"),
        ("31-12-2026 23:59:59.5", "01-01-2027 00:00:01"),
        ("2026/11/29 10:00:00", "2026/11/29 10:00:01.5"),
        ("2026-11-29T10:00:00Z", "2026-11-29T10:00:01.5Z"),
        ("10:00:00,25", "10:00:01,75"),
        ("23:59:59", "00:00:00.5"),
        ("11:59:59 PM", "12:00:00.5 AM"),
    ],
)
def test_dates_of_many_countries_are_read(stamps: tuple[str, str]) -> None:
    assert dated(*stamps) == pytest.approx([0, 1.5])


def test_minutes_without_seconds_are_a_time_of_a_date() -> None:
    assert dated("29.11.2026 10:00", "29.11.2026 10:01") == [0, 60]


def test_a_day_that_may_be_a_month_is_refused_only_where_it_matters() -> None:
    nights = "01/02/2026 23:59:59", "02/02/2026 00:00:00"
    with pytest.raises(TraceFormatError, match=r"x:2: .* time=COLUMN:dmy or time=COLUMN:mdy"):
        dated(*nights)
    assert dated(*nights, columns="time=1:dmy,rate=2:kbit") == [0, 1]
    assert dated(*nights, columns="time=1:mdy,rate=2:kbit") == [0, 31 * 86400 - 86399]
    assert dated(*(each.replace("/", ".") for each in nights)) == [0, 1]
    with pytest.raises(TraceFormatError, match=r"x:2: found time '32/01/2026 10:00:00'; expected"):
        dated("30/01/2026 10:00:00", "32/01/2026 10:00:00")


def counted(text: str, columns: str = "time=1:s,bytes_total=2:B") -> Reading:
    (reading,) = read_readings(text.encode(), name="x", columns=columns)
    return reading


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("t,rx\n0,7000\n1,107000\n3,207000\n5,507000\n", "time=t:s,bytes_total=rx:B"),
        ("t,kB\n0,7\n1,107\n3,207\n5,507\n", "time=t:s,bytes_total=kB"),
        ("t,a,b\n0,7,0\n1,57,50\n3,57,150\n5,257,250\n", "time=t:s,bytes_total=a+b:kB"),
        ("9,7\n1,107\n2,207\n2,507\n", "duration=1:s,bytes_total=2:kB"),
        ("t,rx\n0,7\n1,107\n2,-\n3,207\n5,507\n", "time=t:s,bytes_total=rx:kB"),
    ],
)
def test_a_running_counter_says_what_arrived_between_its_readings(text: str, columns: str) -> None:
    assert periods(counted(text, columns).trace) == STEPS


def test_where_a_counter_was_reset_or_wrapped_the_time_is_left_out_and_told() -> None:
    reading = counted("0,4294900000\n1,4295000000\n2,50000\n4,150000\n", "time=1:s,bytes_total=2:B")
    assert periods(reading.trace) == [(1, 800), (3, 400)]
    assert reading.remarks == (
        "the counter falls in 1 row (first on line 3), reset or wrapped: 1 s in all, left out",
    )


def test_a_last_row_without_an_amount_is_left_out() -> None:
    """Amounts arrived before their row, so a row of only a time ends nothing."""
    for key, text in (("bytes", "0,9\n1,100\n3,\n"), ("bytes_total", "0,9\n1,109\n3,\n")):
        reading = counted(text, f"time=1:s,{key}=2:kB")
        assert periods(reading.trace) == [(1, 800)]
        assert reading.remarks == ("1 row without a value, left out",)


def test_each_run_has_a_counter_of_its_own() -> None:
    text = "1,0,500\n1,1,600\n2,0,0\n2,1,100\n".replace(",", "\t")
    readings = read_readings(text.encode(), name="x", columns="run=1,time=2,bytes_total=3:kB")
    assert [periods(each.trace) for each in readings] == [[(1, 800)], [(1, 800)]]
    assert [each.remarks for each in readings] == [(), ()]


def test_amounts_are_not_taken_for_a_counter_nor_a_counter_for_amounts() -> None:
    amounts = "".join(f"{k},{(k * 7919) % 1000}000\n" for k in range(40))
    with pytest.raises(
        TraceFormatError, match=r"the counter falls in \d+ of 39 rows; .* bytes=2:B"
    ):
        counted(amounts)
    assert counted(amounts, "time=1:s,bytes=2:B").remarks == ()
    running = "".join(f"{k},{10**6 * k + k % 3}\n" for k in range(40))
    (remark,) = counted(running, "time=1:s,bytes=2:B").remarks
    assert remark.endswith("if it is a running counter: bytes_total=2:B")
    assert counted(running).remarks == ()


def test_counters_are_doubted_once_in_a_set() -> None:
    running = "".join(f"{k},{10**6 * k}\n" for k in range(40)).encode()
    readings = read_readings(running, name="a", columns="time=1:s,bytes=2:B")
    (doubt,) = find_set_doubts([*readings, *readings])
    assert doubt.startswith("in 2 traces, what arrives never falls")
