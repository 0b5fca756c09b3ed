"""What is independent in a plan, from its files to the report; and files that hold no trace."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from abr.cli import main
from bench.experiments.files import read_folder
from bench.experiments.results import read_results

PLAN = """\
[plan]
name = "units"
seeds = [0, 1, 2, 3]
[[algorithm]]
name = "throughput"
[[algorithm]]
name = "bba-0"
[[traces]]
files = ["traces/"]
{more}
[[presentation]]
builtin = "vbr-6"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plan over three files of two homes, played from four places each."""
    (tmp_path / "traces").mkdir()
    for k, home in enumerate((11, 11, 12)):
        rows = "".join(f"{t},{600 + 300 * (t // 5 + k)}\n" for t in range(0, 60, 5))
        (tmp_path / f"traces/home{home}_line{k}.csv").write_text(f"time_s,capacity_kbps\n{rows}")
    return tmp_path


def play(folder: Path, capsys: pytest.CaptureFixture[str], more: str = "") -> dict[str, Any]:
    """The plan, run and reported as JSON."""
    (folder / "plan.toml").write_text(PLAN.format(more=more))
    assert main(["bench", "run", str(folder / "plan.toml"), "--out", str(folder / "out")]) == 0
    capsys.readouterr()
    out = folder / "figures.csv"
    assert main(["bench", "report", str(folder / "out"), "--csv", str(out), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_rotations_of_a_file_are_one_unit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = play(folder, capsys)
    assert (found["networks"], found["units"]) == (12, {"file": 3})
    assert found["cautions"][0] == "Only 3 files in 12 networks: intervals are rough."
    with (folder / "figures.csv").open() as file:
        (units,) = [row for row in csv.DictReader(file) if row["table"] == "units"]
    assert (units["figure"], units["value"]) == ("file", "3")
    clusters = {row["cluster"] for row in read_folder(folder / "out").rows}
    assert "file:traces/home11_line0.csv" in clusters  # nothing of where the plan lies


def test_a_pattern_makes_households(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = play(folder, capsys, r"cluster = 'home(?P<household>\d+)_'")
    assert found["units"] == {"household": 2}
    assert main(["bench", "report", str(folder / "out")]) == 0
    text = capsys.readouterr().out
    assert "over 12 networks (2 households)" in text
    assert "95 % intervals over 2 households" in text
    assert main(["bench", "plan", str(folder / "plan.toml")]) == 0
    assert "independent    2 households" in capsys.readouterr().out


def test_one_unit_has_no_interval_however_often_it_is_played(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = play(folder, capsys, 'cluster = "folder"')
    assert found["units"] == {"folder": 1}
    assert "Only 1 folder in 12 networks: there are no intervals" in found["cautions"][0]
    assert found["algorithms"][0]["figures"]["bitrate_bps"]["low"] is None


def test_results_without_clusters_are_still_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play(folder, capsys)
    path = folder / "out/results.jsonl"
    head, *lines = path.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        del row["cluster"]
    older = [head.replace('"version":"1.1"', '"version":"1.0"'), *map(json.dumps, rows)]
    assert len(read_results("\n".join(older), name="old").rows) == 24
    path.write_text("\n".join(older))
    assert main(["bench", "report", str(folder / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["units"] == {"trace": 3}


def test_a_run_says_how_many_sessions_failed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of four links is far too slow; then all are, and there is nothing to go on with."""
    slow = "time_s,capacity_kbps\n0,{}\n400,{}\n800,\n"
    (folder / "traces/slow.csv").write_text(slow.format(1, 1))
    text = PLAN.format(more="").replace("[0, 1, 2, 3]", "[0]").replace('"bba-0"', '"fixed"')
    (folder / "plan.toml").write_text(text)
    out = folder / "out"
    assert main(["bench", "run", str(folder / "plan.toml"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert ": 8 sessions, 2 of them failed, in " in said
    assert "next: abr bench report" in said
    assert main(["bench", "report", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["networks"], found["units"]) == (4, {"file": 3})
    assert [each["failures"]["failed"] for each in found["algorithms"]] == [1, 1]
    for k in range(3):
        (folder / f"traces/home{(11, 11, 12)[k]}_line{k}.csv").write_text(slow.format(k + 2, k + 2))
    again = folder / "again"
    assert main(["bench", "run", str(folder / "plan.toml"), "--out", str(again)]) == 1
    said = capsys.readouterr().out
    assert ": 8 sessions, 8 of them failed, in " in said
    assert "next:" not in said


def test_an_odd_file_in_a_folder_is_named_and_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "traces/model.pkl").write_bytes(pickle.dumps({"weights": [1.0]}))
    (folder / "traces/movie.json").write_text('{"segment_duration_ms": 3000}')
    found = play(folder, capsys)
    left_out = [each for each in found["cautions"] if each.startswith("Left out: ")]
    assert found["units"] == {"file": 3}
    assert [each.split(":")[1] for each in left_out] == [" traces/model.pkl", " traces/movie.json"]
    assert main(["bench", "plan", str(folder / "plan.toml")]) == 0
    assert "abr: note: left out: " in capsys.readouterr().err


def test_a_folder_of_mostly_odd_files_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(4):
        (folder / f"traces/{k}.pkl").write_bytes(pickle.dumps(k))
    (folder / "plan.toml").write_text(PLAN.format(more=""))
    assert main(["bench", "plan", str(folder / "plan.toml")]) == 1
    assert "4 of 7 files hold no trace; the first: " in capsys.readouterr().err


def test_an_odd_file_that_is_named_itself_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "traces/model.pkl").write_bytes(pickle.dumps(1))
    text = PLAN.format(more="").replace('"traces/"', '"traces/", "traces/model.pkl"')
    (folder / "plan.toml").write_text(text)
    assert main(["bench", "plan", str(folder / "plan.toml")]) == 1
    assert "model.pkl: a Python pickle" in capsys.readouterr().err
