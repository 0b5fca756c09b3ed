"""Formats told apart by their first lines, and doubts about units."""

from __future__ import annotations

import re

import pytest

from abr.errors import TraceFormatError
from abr.traceformats.detect import detect


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[{"duration_ms": 1000}]', "sabre"),
        ('{"periods": []}', "json"),
        ("12\n15\n", "mahimahi"),
        ("0.5 1.2\n1.0 2.5\n", "cooked"),
        ("0 30\n5000 30\n5000 40\n9000 40\n", "oboe"),
        ("0 30\n500 30\n", "oboe"),
        ("1289407470 11 59.85 10.78 141716 995", "hsdpa"),
        ("1453120590123 11 51.03 3.73 141716 995", "ghent"),
        ("Timestamp,Operator,DL_bitrate\n", "raca"),
        ("unit_id,dtime,bytes_sec\n", "fcc"),
        ("time,delivery_rate\n", "puffer"),
        ("time_s,mbps\n", "csv"),
        ('{"timestamps": [0, 1], "bandwidths": [1, 2]}', "genet"),
        ("run_num,seq_num,Throughput\n", "lumos5g"),
        ("protocol,seq_num,throughput_mbps\n", "5gophers"),
        ("bitrate,chunk_size(KB),app_throughput(kbps),delivery_time(s)\n", "lumos"),
        ("Time,rsrp(dBm),Sent Bytes,RATE(MBit/s)\n", "mtu"),
        ("timestamp_start_dl,timestamp_end_dl,download(Mbit/s)\n", "starlink"),
    ],
)
def test_a_format_is_told_by_its_first_lines(text: str, name: str) -> None:
    assert detect(text, "x", "any") == name


def test_two_columns_of_a_cooked_trace_may_repeat_a_rate() -> None:
    """Rates in pairs are Oboe's only where periods touch, or last too long for seconds."""
    assert detect("0 3\n1 3\n2 4\n3 4\n", "x", "any") == "cooked"


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("1.5\n2.5\n1.0\n", "--columns rate=1:mbit,step=1s"),
        ("1.5 2.5 1.0 4 5\n", "--columns rate=1:mbit,step=1s"),
        ("0 1 2\n1 2 3\n", "--columns time=1:s,rate=2:mbit"),
        ("time rate\n0 1\n", "--columns time=time,rate=rate:UNIT"),
        ("sent_s;rate_kbps\n0;1\n", "--columns time=TIME,rate=rate_kbps"),
        ("time\tdl rate\n0\t1\n", "--columns time=time,rate=2:UNIT"),
        ('{"ts": 0, "tput_mbps": 1}\n{"ts": 1, "tput_mbps": 2}\n', "time=ts,rate=tput_mbps"),
    ],
)
def test_numbers_of_another_kind_are_told_how_to_be_read(text: str, option: str) -> None:
    with pytest.raises(TraceFormatError, match=re.escape(option)):
        detect(text, "net.txt", "csv")


def test_what_is_unknown_is_shown_with_its_line() -> None:
    with pytest.raises(TraceFormatError, match=r"net.txt:2: found 'hello there you'"):
        detect("\nhello there you", "net.txt", "csv")
    with pytest.raises(TraceFormatError, match="empty"):
        detect(" \n", "net.txt", "csv")
