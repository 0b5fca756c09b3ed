"""Traces by path, by profile, by draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr.errors import InputError, MissingFileError, TraceFormatError
from abr.files.traces import (
    read_readings_file,
    read_trace_file,
    resolve,
    resolve_readings,
    resolve_trace,
)
from tests.fakes.traces import SAMPLES


def test_a_trace_is_called_after_its_file(tmp_path: Path) -> None:
    file = tmp_path / "lte.walk.csv"
    file.write_bytes(SAMPLES["csv"])
    assert read_trace_file(file).name == "lte.walk"
    assert resolve_trace(str(file)).digest() == read_trace_file(file, "csv").digest()
    with pytest.raises(TraceFormatError, match=r"lte.walk.csv:1: found 1 column; expected 2"):
        read_trace_file(file, "cooked")


def test_one_of_several_is_named_behind_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "webget.csv"
    file.write_bytes(SAMPLES["fcc"])
    assert [reading.trace.name for reading in read_readings_file(file)] == [
        "12_http---www.example.org",
        "34_http---www.example.org",
    ]
    assert len(resolve_readings(str(file))) == 2
    assert resolve_trace(f"{file}#2").mean_bps == 4e6
    assert resolve_trace(f"{file}#34_http---www.example.org").mean_bps == 4e6
    with pytest.raises(TraceFormatError, match=r"webget.csv: holds 2 traces .*webget.csv#1"):
        resolve_trace(str(file))
    with pytest.raises(TraceFormatError, match="none of them '9'"):
        resolve_trace(f"{file}#9")


def test_a_file_with_a_hash_in_its_name_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a#1"
    file.write_bytes(SAMPLES["sabre"])
    assert resolve_trace(str(file)).name == "a#1"


def test_a_profile_is_named() -> None:
    reading = resolve("profile:sitespeed-cable")
    assert (reading.format, reading.trace.name) == ("profile", "sitespeed-cable")
    assert reading.trace.mean_bps == 5e6
    with pytest.raises(TraceFormatError, match="unknown network profile 'x'"):
        resolve("profile:x")


def test_a_draw_is_the_same_whenever_it_is_asked_for() -> None:
    one, same, other = (
        resolve_trace(f"generate:lte-driving:{seed}:60").digest() for seed in (7, 7, 8)
    )
    assert one == same != other
    assert resolve_trace("generate:lte-driving:7:60").duration_s == pytest.approx(60)
    assert resolve_trace("generate:lte-driving:7").duration_s == pytest.approx(600)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("generate:lte-driving", "expected generate:CLASS:SEED"),
        ("generate:lte-driving:x", "expected generate:CLASS:SEED"),
        ("generate:lte-driving:-1", "expected generate:CLASS:SEED"),
        ("generate:lte-driving:1:2:3", "expected generate:CLASS:SEED"),
        ("generate:lte-driving:1:nan", "length 'nan'; expected seconds above 0"),
        ("generate:lte-driving:1:1e99", "duration_s"),
        ("generate:nothing:1", "unknown model 'nothing'"),
    ],
)
def test_a_draw_that_cannot_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resolve(text)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file; expected a network trace"):
        resolve(str(tmp_path / "none.csv"))
    with pytest.raises(MissingFileError, match="a folder; expected a network trace"):
        read_readings_file(tmp_path)


def test_a_trace_in_a_doubtful_unit_is_warned_of_and_read_as_told(tmp_path: Path) -> None:
    file = tmp_path / "walk.txt"
    file.write_text("0 900\n1 1200\n2 880\n")
    with pytest.warns(UserWarning, match="if it is kbit/s: --columns time=1:s,rate=2:kbit"):
        resolve_trace(str(file))
    told = resolve_trace(str(file), columns={"time": 1, "rate": "2:kbit", "applies": "since"})
    assert told.mean_bps == pytest.approx(1.04e6)
    assert read_trace_file(file, columns="time=1,rate=2:kbit").mean_bps == pytest.approx(993_333.3)
