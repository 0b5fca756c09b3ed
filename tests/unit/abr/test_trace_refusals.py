"""Malformed files of every format, and the exact message each ends in."""

from __future__ import annotations

import pytest

from abr.errors import TraceFormatError
from abr.traceformats import FORMATS, read_traces

NOTHING = (
    "t.x: offers 0 bits in all, an outage from end to end; expected some capacity, "
    "as nothing can be played over a link that never delivers"
)
AS_RATES = "(if these are rates: --columns rate=1:mbit,step=1s)"
NEED = "expected a finite number of 0 or more"
COLUMN = (
    "expected a name with its unit, such as "
    "time_s, capacity_kbps, bandwidth (Mbit/s), rtt_ms, loss_pct; or say which column is what: "
)
SIX = "expected 6, unix time, ms, latitude, longitude, bytes, ms since the previous row"
ANY = ", ".join(FORMATS)
DEAD = "offers any capacity over any time; nothing can be played over a link that never delivers"
TWICE = "at the end of a period that began with"
UNTOLD = "--columns time=TIME,rate=RATE:UNIT"
TIMED = "--columns time=time_s,rate=RATE:UNIT"
NAMED = (
    "expected names with units, such as time_s,capacity_kbps,rtt_ms,loss_pct; or say which column "
    f"is what: {TIMED}"
)
RACA = b"Timestamp,DL_bitrate,State\n"
FCC = b"unit_id,dtime,target,bytes_sec\n"
PUFFER = b"time (ns GMT),session_id,delivery_rate\n"
OURS = b'{"format":"abrkit-trace","version":1,"times_s":'

BAD: list[tuple[str | None, bytes, str]] = [
    (
        "mahimahi",
        b"5\n3\n",
        f"t.x:2: time 3 ms comes after 5 ms; times must not decrease {AS_RATES}",
    ),
    ("mahimahi", b"5\n\n7\n", "t.x:2: found ''; expected a whole number of milliseconds"),
    (
        "mahimahi",
        b"0\n0\n",
        "t.x:2: the last time is 0 ms; expected the length of the loop, 1 ms or more",
    ),
    (
        "mahimahi",
        b"5\n6.5\n",
        f"t.x:2: found '6.5'; expected a whole number of milliseconds {AS_RATES}",
    ),
    ("mahimahi", b"-5\n6\n", "t.x:1: found '-5'; expected a whole number of milliseconds"),
    (
        "mahimahi",
        b"1234567890123456\n",
        "t.x:1: found '1234567890123456'; expected a whole number of milliseconds",
    ),
    ("mahimahi", b"5 6\n", "t.x:1: found '5 6'; expected a whole number of milliseconds"),
    ("mahimahi", b"", f"t.x: the file is empty; expected a trace in one of {ANY}"),
    (
        "cooked",
        b"0 1\n83.9 2\n83.2 3\n",
        "t.x:3: time 83.2 s comes after 83.9 s; times must not decrease",
    ),
    ("cooked", b"0 1\n", "t.x:1: found 1 row; expected two or more, as one row has no length"),
    ("cooked", b"0 1\n1 2 3\n", "t.x:2: found 3 columns; expected 2, seconds and Mbit/s"),
    ("cooked", b"0 1\n1 fast\n", f"t.x:2: found rate 'fast'; {NEED}"),
    ("cooked", b"0 1\n1 -2\n", f"t.x:2: found rate '-2'; {NEED}"),
    ("cooked", b"0 1\n1 1_0\n", f"t.x:2: found rate '1_0'; {NEED}"),
    ("cooked", b"0 1\n0 2\n", "t.x: lasts 0 s; expected a trace with some length"),
    ("cooked", b"0 1\n5 0\n6 0\n", NOTHING),
    ("cooked", b"0 1\n1e999 2\n", "t.x:2: found time '1e999'; expected a finite number"),
    (
        "csv",
        b"0,1\n1,2,3\n",
        (
            "t.x:2: found 3 columns; expected t_s,kbps in every row (if these are decimal commas, "
            "separate columns by ;)"
        ),
    ),
    (
        "csv",
        b"0,1,2,3,4\n",
        (
            "t.x:1: found 5 columns without headings; expected t_s,kbps,rtt_ms,loss_pct, the "
            "last two "
            "optional; or say which column is what: --columns time=1:s,rate=2:kbit"
        ),
    ),
    ("csv", b"t_s,speed\n0,1\n", f"t.x:1: found column 'speed'; {COLUMN}{UNTOLD}"),
    ("csv", b"time_s,lumen\n", f"t.x:1: found column 'lumen'; {COLUMN}{TIMED}"),
    (
        "csv",
        b"t_s,t_ms,kbps\n0,1,2\n",
        (
            "t.x:1: found a second column of time, 't_ms'; expected one of each; "
            "--columns time=TIME,rate=kbps picks one"
        ),
    ),
    ("csv", b"time_s,rtt_ms\n0,1\n", f"t.x:1: found no column of rate in 'time_s,rtt_ms'; {NAMED}"),
    (
        "csv",
        b"0,5\n1,\n2,5\n",
        "t.x:3: found a row after the end; a row with only a time must be the last",
    ),
    ("csv", b"0,5\n2,5\n1,5\n", "t.x:3: time 1 s comes after 2 s; times must not decrease"),
    (
        "csv",
        b"t_s,kbps,loss_pct\n0,5,101\n1,5,0\n",
        "t.x:2: found loss '101'; expected a finite number from 0 to 100",
    ),
    ("csv", b"t_s,kbps,rtt_ms\n0,5,\n1,5,3\n", f"t.x:2: found round-trip time ''; {NEED}"),
    ("csv", b'"0,5\n1', f"t.x:2: found column '0,51'; {COLUMN}{UNTOLD}"),
    ("sabre", b"[]", "t.x:1: found no periods; expected at least one"),
    (
        "sabre",
        b"[1]",
        (
            "t.x:1: found '1'; expected an object with duration_ms, bandwidth_kbps, "
            "latency_ms (for "
            "rates of equal length: --columns rate=1:mbit,step=1s)"
        ),
    ),
    (
        "sabre",
        b'[{"time": 1, "speed_kbps": 3}]',
        (
            "t.x:1: found objects with time, speed_kbps; expected duration_ms, bandwidth_kbps, "
            "latency_ms; for another list say which is what: --columns time=time,rate=speed_kbps"
        ),
    ),
    (
        "sabre",
        b'[{"duration_ms":1,\n"bandwidth_kbps":',
        "t.x:2: broken JSON (Expecting value: line 2 column 18 (char 36)); expected a list",
    ),
    (
        "sabre",
        b'[\n{"duration_ms":1,"bandwidth_kbps":1},\n{"duration_ms":-1,"bandwidth_kbps":1}]',
        f"t.x:3: duration_ms is -1; {NEED}",
    ),
    ("sabre", b'[{"duration_ms":5,"bandwidth_kbps":0}]', NOTHING),
    ("sabre", b"{}", "t.x:1: found an object; expected a list"),
    (
        "json",
        b'{"a":1}',
        "t.x:1: found an object with a; expected a trace in JSON",
    ),
    (
        "json",
        b'{"segment_duration_ms": 3000, "segment_sizes_bits": [[1]]}',
        "t.x:1: found a movie of Sabre's; expected a trace of a network",
    ),
    (
        "json",
        b'{"stamps": [0, 1], "bandwidth_mbps": [1, 2]}',
        (
            "t.x:1: found an object with stamps, bandwidth_mbps; expected 'abrkit-trace', or "
            "lists of "
            "timestamps and bandwidths; for other lists say which is what: "
            "--columns time=stamps,rate=bandwidth_mbps"
        ),
    ),
    (
        "json",
        b'{"format":"abrkit-trace","version":2}',
        "t.x:1: found format 'abrkit-trace' version 2; expected 'abrkit-trace' version 1",
    ),
    ("json", OURS + b"3}", "t.x: times_s is '3'; expected a list of numbers"),
    (
        "json",
        OURS + b'[0,1],"capacity_bps":["a"]}',
        "t.x: capacity_bps[0] is 'a'; expected a number",
    ),
    (
        "json",
        OURS + b'[0,1],"capacity_bps":[1],"loss_ratio":[2]}',
        "t.x: loss_ratio is 2 in period 0; expected a number from 0 to 1",
    ),
    ("json", b"[]", "t.x:1: found a list; expected an object"),
    (
        "oboe",
        b"0 5\n10 5\n20 6\n",
        "t.x:3: found 3 rows; expected pairs, the start and the end of each period",
    ),
    ("oboe", b"0 5\n10 6\n", f"t.x:2: found rate '6' {TWICE} '5'; expected the same rate twice"),
    (
        "oboe",
        b"0 5\n10 5\n5 6\n9 6\n",
        "t.x:3: time 5 ms comes after 10 ms; times must not decrease",
    ),
    ("oboe", b"0 5 1\n", "t.x:1: found 3 columns; expected 2, milliseconds and kbit/s"),
    ("oboe", b"0 x\n1 x\n", f"t.x:1: found rate 'x'; {NEED}"),
    ("oboe", b"0 0\n9 0\n", NOTHING),
    ("oboe", b"0 5\n0 5\n", "t.x: lasts 0 s; expected a trace with some length"),
    ("hsdpa", b"1 2 3\n", f"t.x:1: found 3 columns; {SIX}"),
    ("hsdpa", b"1 1000 0 0 x 1000\n1 2000 0 0 5 1000\n", f"t.x:1: found bytes 'x'; {NEED}"),
    (
        "hsdpa",
        b"1 2000 0 0 5 1000\n1 1000 0 0 5 1000\n",
        "t.x:2: time 1000 ms comes after 2000 ms; times must not decrease",
    ),
    (
        "hsdpa",
        b"1 2000 0 0 5 1000\n",
        "t.x:1: found 1 row; expected two or more, as one row has no length",
    ),
    ("hsdpa", b"1 1000 0 0 0 1000\n1 2000 0 0 0 1000\n", NOTHING),
    ("hsdpa", b"1 1000 0 0 5 -1\n1 2000 0 0 5 1\n", f"t.x:1: found duration '-1'; {NEED}"),
    ("ghent", b"1450000000000 2 3\n", f"t.x:1: found 3 columns; {SIX}"),
    (
        "ghent",
        b"1450000000000 1000 0 0 5 1000\n1450000000000 2000 0 0 nan 1000\n",
        f"t.x:2: found bytes 'nan'; {NEED}",
    ),
    ("ghent", b"x 1 0 0 5 5\nx 2 0 0 5 5\n", f"t.x:1: found time 'x'; {NEED}"),
    ("raca", b"a,b\n1,2\n", "t.x:1: found header 'a,b'; expected a column timestamp"),
    ("raca", RACA, "t.x:1: found no rows; expected measurements"),
    (
        "raca",
        RACA + b"2020-01-01 10:00:00,5,D\n",
        "t.x:2: found time '2020-01-01 10:00:00'; expected YYYY.MM.DD_HH.MM.SS",
    ),
    (
        "raca",
        RACA + b"2020.13.01_10.00.00,5,D\n",
        "t.x:2: found time '2020.13.01_10.00.00'; expected YYYY.MM.DD_HH.MM.SS",
    ),
    ("raca", RACA + b"2020.01.01_10.00.00,fast,D\n", f"t.x:2: found rate 'fast'; {NEED}"),
    ("raca", RACA + b"2020.01.01_10.00.00\n", "t.x:2: found 1 columns; expected 2 or more"),
    (
        "raca",
        RACA + b"2020.01.01_10.00.05,5,D\n2020.01.01_10.00.04,5,D\n",
        "t.x:3: time 2020.01.01_10.00.04 comes after 2020.01.01_10.00.05; times must not decrease",
    ),
    (
        "raca",
        RACA + b"2020.01.01_10.00.05,5,I\n2020.01.01_10.00.06,-,D\n",
        "t.x: none of 2 rows was measured during a download; expected State D and a DL_bitrate",
    ),
    ("raca", RACA + b"2020.01.01_10.00.05,0,D\n", NOTHING),
    (
        "fcc",
        b"unit_id,target\n1,2\n",
        "t.x:1: found header 'unit_id,target'; expected a column dtime",
    ),
    ("fcc", FCC, "t.x:1: found no rows; expected measurements"),
    ("fcc", FCC + b"1,2020-01-01 00:00:00,t,x\n", f"t.x:2: found bytes_sec 'x'; {NEED}"),
    ("fcc", FCC + b"1,2020-01-01 00:00:00,t\n", "t.x:2: found 3 columns; expected 4 or more"),
    ("fcc", FCC + b"1,2020-01-01 00:00:00,t,-5\n", f"t.x:2: found bytes_sec '-5'; {NEED}"),
    (
        "fcc",
        FCC + b"1,2020-01-01 00:00:00,t,NULL\n2,2020-01-01 00:00:00,t,0\n",
        f"t.x: none of 2 links {DEAD}",
    ),
    (
        "puffer",
        b"time,session_id\n1,2\n",
        "t.x:1: found header 'time,session_id'; expected a column delivery_rate",
    ),
    ("puffer", PUFFER, "t.x:1: found no rows; expected measurements"),
    ("puffer", PUFFER + b"1,a\n", "t.x:2: found 2 columns; expected 3 or more"),
    ("puffer", PUFFER + b"now,a,5\n", f"t.x:2: found time 'now'; {NEED}"),
    ("puffer", PUFFER + b"1,a,5\n2,a,-1\n", f"t.x:3: found delivery_rate '-1'; {NEED}"),
    ("puffer", PUFFER + b"1,a,5\n", f"t.x: none of 1 sessions {DEAD}"),
    ("puffer", PUFFER + b"1,a,5\n2000000000,a,0\n", f"t.x: none of 1 sessions {DEAD}"),
    (None, b"", f"t.x: the file is empty; expected a trace in one of {ANY}"),
    (None, b"\n \n", f"t.x: the file is empty; expected a trace in one of {ANY}"),
    (
        None,
        b"0 1\n\xff\xfe\x00",
        (
            f"t.x: byte 4 is not text in UTF-8; expected a trace in one of {ANY}; if it is text, "
            "save it as UTF-8"
        ),
    ),
    (
        None,
        b"These are notes\n",
        (
            f"t.x:1: found 'These are notes'; expected the start of {ANY}; for another table "
            f"say which "
            "column is what: --columns time=1:s,rate=2:kbit"
        ),
    ),
    (None, b"\x80\x04\x95", "t.x: a Python pickle; expected a trace as text"),
    (
        None,
        b"\x93NUMPY\x01\x00",
        "t.x: a NumPy array; write its values as text, one in each line; expected a trace as text",
    ),
    (
        "cooked",
        b"0 1\n1 2e6\n",
        (
            "t.x: offers 2e+12 bit/s at its peak; expected at most 1e+12 bit/s (in another unit? "
            "--columns time=1:s,rate=2:bit names units)"
        ),
    ),
    (
        "genet",
        b'{"timestamps": [0], "bandwidths": [1]}',
        "t.x: found 1 timestamps and 1 bandwidths; expected as many of both, two or more",
    ),
    (
        "genet",
        b'{"timestamps": [1, 0], "bandwidths": [1, 2]}',
        "t.x: time 0 s comes after 1 s; times must not decrease",
    ),
    (
        "genet",
        b'{"timestamps": [0, 1], "bandwidths": [1, 2], "loss": -1}',
        f"t.x: loss is -1; {NEED}",
    ),
    (
        "lumos5g",
        b"run_num,seq_num,Throughput\n1,1,fast\n1,2,3\n",
        f"t.x:2: found rate 'fast'; {NEED}",
    ),
    (
        "lumos5g",
        b"run_num,seq_num,Throughput\n1,1,0\n1,2,0\n",
        (
            "t.x: none of 1 runs offers any capacity over any time; nothing can be played "
            "over a link "
            "that never delivers"
        ),
    ),
    (
        "5gophers",
        b"seq_num,speed\n0,1\n",
        (
            "t.x:1: found no column 'throughput_mbps' in 'seq_num, speed'; expected one of "
            "them, or a "
            "number from 1 to 2"
        ),
    ),
    (
        "lumos",
        b"app_throughput,delivery_time\n100\n",
        "t.x:2: found 1 columns; expected 2 or more",
    ),
    (
        "mtu",
        b"Time,Sent Bytes,RATE(MBit/s)\nnoon,1,2\n",
        (
            "t.x:2: found time 'noon'; expected a number, or a date like the first, such as "
            "2024-01-31 10:00:00 or 31.01.2024 10:00:00"
        ),
    ),
    (
        "mtu",
        b"Time,Sent Bytes,RATE(MBit/s)\n10:00:03,1,2\n10:00:01,1,2\n",
        (
            "t.x:3: time 10:00:01 comes after 10:00:03; times must not decrease (if this begins "
            "another recording, run=COLUMN tells them apart)"
        ),
    ),
    (
        "starlink",
        b"timestamp_start,timestamp_end,download_mbps\n5,4,2\n",
        "t.x:2: found end '4' before the time '5'; expected it after",
    ),
]


@pytest.mark.parametrize(("kind", "data", "says"), BAD)
def test_a_malformed_file_is_refused_in_these_words(
    kind: str | None, data: bytes, says: str
) -> None:
    """File, line, what was found, what was expected; on one line."""
    with pytest.raises(TraceFormatError) as caught:
        read_traces(data, name="t.x", format=kind)
    assert str(caught.value) == says


def test_every_format_has_malformed_files() -> None:
    assert {kind for kind, _, _ in BAD if kind} == set(FORMATS)
