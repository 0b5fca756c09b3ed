"""``abr report``: logs in, a whole page out or one clear error."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from abr.cli import main
from abr.errors import MissingFileError
from abr.trace import Trace
from bench.reports.cli.sessions import report, write_report
from bench.reports.sessions import report_data
from tests.fakes.logs import played_log


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        trace = Trace.constant(2e6, name="flat")
        path.write_text(played_log(algorithm=path.stem, trace=trace).dumps())
    return [str(path) for path in paths]


def test_logs_become_a_page(tmp_path: Path, logs: list[str]) -> None:
    """Two logs and cache counts: one file, and a line that says so."""
    counts = tmp_path / "stats.json"
    counts.write_text('{"isp": {"requests": 4, "hits": 1, "bytes": 10, "hit_bytes": 5}}')
    out = tmp_path / "report.html"
    result = CliRunner().invoke(
        report, [*logs, "--out", str(out), "--cache-stats", str(counts), "--title", "Tuesday"]
    )
    assert result.exit_code == 0, result.output
    first, _, last = result.stdout.splitlines()
    assert first.startswith("a over flat (virtual): Started after 0.5 s; never froze; picture")
    assert last == f"{out}: 2 sessions over 1 trace"
    text = out.read_text(encoding="utf-8")
    assert "<h1>Tuesday</h1>" in text
    assert "25.0 %" in text


def test_json_prints_exactly_one_object(tmp_path: Path, logs: list[str]) -> None:
    """For scripts."""
    out = tmp_path / "report.html"
    result = CliRunner().invoke(report, [*logs, "--out", str(out), "--json"])
    assert json.loads(result.stdout) == {
        "report": str(out),
        "sessions": 2,
        "traces": 1,
        "failed": 0,
        "failures": {},
    }


def test_failed_sessions_are_named_and_a_report_of_nothing_else_is_an_error(
    tmp_path: Path, logs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The page is written all the same: it shows how far each came."""
    bad = tmp_path / "bad.jsonl"
    log = played_log(algorithm="bad", trace=Trace.constant(2e6, name="flat"))
    log.records[:] = log.records[:2]
    log.add("ended", 3.0, why="error: refused")
    bad.write_text(log.dumps())
    out = tmp_path / "report.html"
    assert main(["report", *logs, str(bad), "--out", str(out)]) == 0
    assert "! bad: 1 of 1 session failed: refused (1)." in capsys.readouterr().out
    assert main(["report", str(bad), "--out", str(out), "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["failures"]["bad"]["reasons"] == [["refused", 1]]
    assert said.err == "abr: error: every session failed; there is nothing to compare\n"
    assert out.exists()


def test_a_picture_is_written_instead_of_a_page(tmp_path: Path, logs: list[str]) -> None:
    """Two sessions, one below the other, in one SVG that any reader takes."""
    picture = tmp_path / "picture.svg"
    result = CliRunner().invoke(report, [*logs, "--picture", str(picture)])
    assert result.exit_code == 0, result.output
    root = ET.parse(picture).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a over flat", "b over flat"} <= set(texts)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.jsonl", None, "no such file"),
        ("text.jsonl", b"hello\n", "not JSON"),
        ("binary.jsonl", b"\xff\xfe\x00", "not text"),
        ("empty.jsonl", b"", "empty"),
    ],
)
def test_a_bad_log_is_one_line_and_leaves_no_page(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    words: str,
) -> None:
    """Missing, not a log, not text, empty."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    out = tmp_path / "report.html"
    assert main(["report", str(path), "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("abr: error: ")
    assert name in line
    assert words in line
    assert not out.exists()


@pytest.mark.parametrize("content", ["[1]", "{", '{"isp": 3}'])
def test_bad_cache_counts_are_one_line(
    tmp_path: Path, logs: list[str], capsys: pytest.CaptureFixture[str], content: str
) -> None:
    """Not JSON, or not counts by tier."""
    counts = tmp_path / "stats.json"
    counts.write_text(content)
    out = str(tmp_path / "report.html")
    assert main(["report", *logs, "--out", out, "--cache-stats", str(counts)]) == 1
    assert "stats.json" in capsys.readouterr().err


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """An older page is replaced, a missing folder is named, nothing is left beside."""
    data = report_data([played_log()])
    out = tmp_path / "report.html"
    out.write_text("old")
    write_report(out, data)
    assert out.read_text(encoding="utf-8").endswith("</html>\n")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(MissingFileError, match="no such folder"):
        write_report(tmp_path / "none" / "report.html", data)
