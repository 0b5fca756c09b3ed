"""Session logs as tables."""

from __future__ import annotations

import math
import sys

import pytest

from abr.errors import ToolMissingError
from abr.log import SessionLog
from abr.logtable import REQUEST_COLUMNS, data_frame, measured_bps, records_of, requests_of
from player.drivers.virtual import VirtualResponse
from tests.fakes.livestream import FakeLive, play_live
from tests.fakes.titles import FakeTitle, fixed, play_fake


def fails_once() -> FakeTitle:
    """The second segment of video is refused once."""
    left = [VirtualResponse(0, status=503)]
    return FakeTitle(
        segments=3,
        refuse=lambda want: (
            left.pop() if left and (want.track, want.segment) == ("video", 1) else None
        ),
    )


def test_every_record_has_every_column() -> None:
    log = play_fake(fails_once())
    rows = records_of(log)
    assert len(rows) == len(log.records)
    assert len({tuple(row) for row in rows}) == 1
    only = records_of(log, "decision", "ended")
    assert set(only[0]) == {"e", "t", "segment", "rung", "wait_s", "why", "buffer_s", "playhead_s"}


def test_a_field_of_a_log_has_one_type_in_all_kinds_of_record() -> None:
    """So that DuckDB, pandas and others read it as it is; see docs/formats.md."""
    log = play_fake(fails_once())
    assert {"wake", "failed", "decision", "abort"} - {r["e"] for r in log.records} <= {"abort"}
    log.add("abort", log.records[-1]["t"], id=99, why="timeout", received_bytes=1.0)
    live = play_live(FakeLive(), algorithm=fixed(0), until_s=30.0)
    assert {"live", "wake"} <= {record["e"] for record in live.records}
    types: dict[str, set[type]] = {}
    for record in [*log.records, *live.records]:
        for name, value in record.items():
            types.setdefault(name, set()).add(type(value))
    assert {name: kinds for name, kinds in types.items() if len(kinds) > 1} == {}


def test_a_request_is_told_with_what_led_to_it_and_what_became_of_it() -> None:
    rows = [r for r in requests_of(play_fake(fails_once())) if r["kind"] == "segment"]
    assert all(tuple(row) == REQUEST_COLUMNS for row in rows)
    failed, again = (r for r in rows if (r["track"], r["segment"]) == ("video", 1))
    assert (failed["outcome"], failed["why"], failed["attempt"]) == ("failed", "status 503", 1)
    assert (again["outcome"], again["why"], again["attempt"]) == ("finished", None, 2)
    assert again["start_s"] <= again["first_byte_s"] <= again["end_s"] < again["shown_s"]
    took_s = again["end_s"] - again["start_s"]
    assert again["throughput_bps"] == pytest.approx(8 * again["size_bytes"] / took_s)
    assert failed["shown_s"] is None
    assert failed["bitrate_bps"] == (1_000_000, 2_000_000, 4_000_000)[failed["rung"]] + 128_000
    assert failed["decided_s"] <= failed["start_s"]
    assert all(r["bitrate_bps"] is None for r in rows if r["track"] == "audio")


def test_a_session_tells_the_next_the_harmonic_mean_of_its_last_video_segments() -> None:
    """Sound and what failed are left out."""
    log = play_fake(fails_once())
    rates = [
        row["throughput_bps"]
        for row in requests_of(log)
        if (row["kind"], row["track"], row["outcome"]) == ("segment", "video", "finished")
    ]
    assert len(rates) == 3
    assert measured_bps(log) == pytest.approx(3 / sum(1 / rate for rate in rates))
    assert measured_bps(log, last=1) == pytest.approx(rates[-1])
    assert math.isnan(measured_bps(SessionLog({})))


def test_a_request_without_an_end_is_open() -> None:
    """Of a log that breaks off."""
    log = SessionLog({})
    log.add("start", 0.0)
    log.add("fetch", 0.0, id=0, kind="multivariant", uri="a.m3u8")
    (row,) = requests_of(log)
    assert (row["outcome"], row["end_s"]) == ("open", None)


def test_a_data_frame_keeps_the_types_of_columns() -> None:
    """Whole numbers with gaps do not turn into floats, nor whole seconds into whole numbers."""
    pandas = pytest.importorskip("pandas")
    frame = data_frame(play_fake(fails_once()))
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == list(REQUEST_COLUMNS)
    found = {name: str(frame[name].dtype) for name in ("segment", "size_bytes", "uri", "shown_s")}
    assert (found.pop("segment"), found.pop("size_bytes")) == ("Int64", "float64")
    assert found == {"uri": "string", "shown_s": "float64"} or found["uri"].startswith("str")
    assert len(data_frame([])) == 0


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ToolMissingError, match=r"pip install 'abrkit\[frames\]'"):
        data_frame([])
