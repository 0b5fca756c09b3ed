"""The demo says what its viewers noticed, and fails when a live playback failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from abr.errors import MissingFileError, PlaybackError
from abr.trace import Trace
from bench import demo
from bench.reports.sessions import ReportData, report_data
from tests.fakes.logs import played_log

COUNTS = {"isp": {"requests": 10, "hits": 8, "bytes": 1000, "hit_bytes": 500}}
STEPS = Trace.from_periods([(5, 3e6), (5, 5e5)], name="steps")


def played(*, driver: str = "live", records: int | None = None) -> ReportData:
    """A simulated session and another, which may break off."""
    other = played_log(trace=STEPS, driver=driver)
    other.records[:] = other.records[:records]
    return report_data([played_log(trace=STEPS), other], cache_stats=COUNTS)


def tell(data: ReportData, *, as_json: bool) -> None:
    demo._tell(data, COUNTS, Path("out/report.html"), 12.34, as_json=as_json)


def test_each_session_has_its_sentence_and_the_caches_theirs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell(played(), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("throughput over steps (virtual): Started after 0.5 s; never froze")
    assert lines[1].startswith("throughput over steps (live): ")
    assert "The isp tier answered 80 % of its requests and 50 % of the bytes itself." in lines
    assert lines[-1] == "report: out/report.html  (took 12 s)"


def test_json_is_one_object_with_every_session(capsys: pytest.CaptureFixture[str]) -> None:
    tell(played(records=4), as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["report"], said["took_s"], said["caches"]) == ("out/report.html", 12.3, COUNTS)
    assert [each["stall_events"] for each in said["sessions"]] == [0, 0]
    assert said["failures"]["throughput"]["failed"] == said["failed"] == 1


def test_a_live_playback_that_failed_fails_the_demo() -> None:
    demo._check_live(played())
    demo._check_live(played(driver="virtual", records=4))
    with pytest.raises(PlaybackError, match="throughput over steps: playback never began"):
        demo._check_live(played(records=2))


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Its packages and logs might have the names of the demo's."""
    mine = tmp_path / "work/logs"
    mine.mkdir(parents=True)
    with pytest.raises(MissingFileError, match=r"holds files that are no demo's, .*; name a new"):
        demo._Folders(tmp_path / "work").make()
    assert list((tmp_path / "work").iterdir()) == [mine]


def test_a_demo_follows_an_older_one_in_its_folder(tmp_path: Path) -> None:
    folders = demo._Folders(tmp_path / "out")
    (tmp_path / "out").mkdir()
    folders.make()  # in an empty one
    folders.make()  # after one that was interrupted
    (tmp_path / "out" / demo.MARK).unlink()
    (tmp_path / "out/keys").mkdir()
    folders.write(played(), COUNTS)
    folders.make()  # after one that did not mark its folder


def test_what_was_made_is_written_where_the_page_is(tmp_path: Path) -> None:
    folders = demo._Folders(tmp_path / "out")
    folders.make()
    folders.write(played(), COUNTS)
    assert folders.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads((tmp_path / "out/cache-stats.json").read_text()) == COUNTS
    assert sorted(each.name for each in (tmp_path / "out/logs").iterdir()) == [
        "live-throughput-steps.jsonl",
        "virtual-throughput-steps.jsonl",
    ]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(MissingFileError, match="not a folder; name another with --out"):
        demo._Folders(tmp_path / "out").make()
