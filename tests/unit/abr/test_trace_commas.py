"""Numbers with decimal commas or parted thousands, and the separators beside them."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError, TraceFormatError
from abr.traceformats import Reading, read_readings

MAPPED = "time=1:s,rate=2:kbit"


def read(text: str, columns: str | None = None) -> Reading:
    (reading,) = read_readings(text.encode(), name="dir/x", columns=columns)
    return reading


def rows(reading: Reading) -> list[tuple[float, float]]:
    trace = reading.trace
    kbps = [round(rate / 1e3, 6) for rate in trace.capacity_bps.tolist()]
    return list(zip([round(t, 6) for t in trace.times_s.tolist()], kbps, strict=False))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("0,5;800,25\n1,5;400\n2;1200\n3,5;\n", MAPPED),
        ("t;r;note\n0,5;800,25;a, b\n1,5;400;\n2;1200;\n3,5;;\n", MAPPED),
        ("0,5\t800,25\n1,5\t400\n2\t1200\n3,5\t-\n", MAPPED),
        ("0,5  800,25\n1,5  400\n2  1200\n3,5 0\n", MAPPED),
        ('"0,5","800,25"\n"1,5","400"\n"2","1200"\n"3,5",""\n', MAPPED),
        ("0,5|800,25\n1,5|400\n2|1200\n3,5|\n", MAPPED),
        ("sep=;\n0,5;800,25\n1,5;400\n2;1200\n3,5;\n", MAPPED),
        ("0,5;800,25\r\n1,5;400,0\r\n\r\n# x\r\n2;1.200,0\r\n3,5;\r\n", MAPPED),
        ('[["0,5", "800,25"], ["1,5", 400], [2, 1200], ["3,5", null]]', MAPPED),
        ("time_s;capacity_kbps\n0,5;800,25\n1,5;400\n2;1200\n3,5;\n", None),
        ("\ufeffsep=;\ntime_s;capacity_kbps\n0,5;800,25\n1,5;400\n2;1200\n3,5;\n", None),
        ('time (s),"rate (kbit/s)"\n"0,5","800,25"\n"1,5",400\n2,1200\n"3,5",\n', None),
        ("time_s|kbps\n0.5|800.25\n1.5|400\n2|1200\n3.5|\n", None),
        ("0,5 0\n1,5 0,80025\n2 0,4\n3,5 1,2\n", None),
        ("0,5\t0\n1,5\t0,80025\n2\t0,4\n3,5\t1,2\n", None),
        ('t_s,kbps\n0,"800.25"\n1,400\n1.5,"1,200.0"\n3,\n', None),
        ("0,500;800,250\n1,500;400,000\n2,000;1.200,000\n3,500;\n", f"{MAPPED},decimal=comma"),
        ("0.5;800.25\n1.5;400\n2;1,200\n3.5;\n", f"{MAPPED},decimal=point"),
    ],
)  # fmt: skip
def test_commas_are_read_for_what_they_can_only_be(text: str, columns: str | None) -> None:
    assert rows(read(text, columns))[:3] == [(0, 800.25), (1, 400), (1.5, 1200)]


def test_commas_that_were_judged_are_told_and_those_that_were_said_are_not() -> None:
    text = "0,5;800\n1,5;400\n"
    assert read(text, MAPPED).remarks == ("commas read as decimal signs, as in 0,5",)
    assert read(text, f"{MAPPED},decimal=comma").remarks == ()
    assert read('0,"1,800.5"\n1,"400"\n', MAPPED).remarks == (
        "commas read as signs between thousands, as in 1,800.5",
    )


def test_a_list_of_decimal_commas_is_a_column() -> None:
    for text in ("0,5\n1,25\n", "0,5 1,25\n"):
        reading = read(text, "rate=1:mbit,step=1s,decimal=comma")
        assert rows(reading) == [(0, 500), (1, 1250)]


def test_one_number_of_three_decimals_is_judged_by_the_others() -> None:
    assert rows(read("0;1,234\n1;1,5\n", MAPPED)) == [(0, 1.234), (1, 1.5)]
    assert rows(read("0,0;1,234\n1,0;1,500\n", MAPPED)) == [(0, 1.234), (1, 1.5)]
    assert rows(read("0.0;1,234\n1.0;1,500\n", MAPPED)) == [(0, 1234), (1, 1500)]


SAY = "say which: decimal=comma or decimal=point in --columns"


@pytest.mark.parametrize(
    ("text", "columns", "says"),
    [
        ("0;1,234\n1;1,500\n", MAPPED,
         f"dir/x:1: found '1,234', where the comma may be a decimal sign or part thousands; {SAY}"),
        ("0,5;1\n1;1.500\n", MAPPED,
         f"dir/x:2: found '1.500', where the point may be a decimal sign or part thousands; {SAY}"),
        ("0,5;1\n1;1.5\n", MAPPED,
         "dir/x:2: found decimal commas ('0,5') and points ('1.5') in one table; expected one"),
        ("0;1\n1;1.5\n", f"{MAPPED},decimal=comma", "dir/x:2: found '1.5' in a table of decimal"),
        ("0;1\n1;1,5\n", f"{MAPPED},decimal=point", "dir/x:2: found rate '1,5'; expected a finite"),
        ("1,5\n2,5\n", "rate=1:mbit,step=1s",
         "dir/x:1: found '1,5' in a table of one column, where the comma may be a decimal sign or"),
        ("t,r\n0,5,8,2\n", MAPPED,
         "dir/x:2: found 4 columns under 2 headings; expected as many (if these are decimal"),
        ("time_s,kbps\n0,5,8,2\n", None,
         "dir/x:2: found 4 columns; expected time_s,kbps in every row (if these are decimal"),
        ('time_s,kbps\n0,"1,800"\n1,"2,800"\n', None,
         "dir/x:2: found '1,800', where the comma may be a decimal sign or part thousands; say"),
        ("0 1,234\n1 1,500\n", None, "dir/x:1: found '1,234', where the comma may be"),
        ("0,5;800\n1,5;400\n", None, "dir/x:1: found '0,5;800'; expected the start of"),
        ("time,r\n0,1\n1,2\n", "time=1:s,rate=2:kbit,decimal=dot",
         "columns: decimal=dot; expected point or comma"),
    ],
)  # fmt: skip
def test_commas_that_may_be_either_are_refused_with_what_to_say(
    text: str, columns: str | None, says: str
) -> None:
    with pytest.raises((TraceFormatError, ConfigError)) as told:
        read(text, columns)
    assert str(told.value).startswith(says)
    assert "\n" not in str(told.value)


def test_what_is_said_of_a_table_in_its_error_reads_it() -> None:
    text = 'time_s,kbps\n0,"1,800"\n1,"2,800"\n'
    with pytest.raises(TraceFormatError) as told:
        read(text)
    assert str(told.value).endswith("rate=kbps,decimal=comma or ,decimal=point")
    option = str(told.value).partition("--columns ")[2].partition(" or ")[0]
    assert rows(read(text, option)) == [(0, 1.8), (1, 2.8)]


def test_a_spreadsheet_of_wide_characters_is_read() -> None:
    (reading,) = read_readings("time_s;kbps\n0,5;8\n1,5;9\n".encode("utf-16"), name="x")
    assert rows(reading) == [(0, 8), (1, 9)]
