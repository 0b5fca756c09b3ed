"""``abr bench`` from plan to verdict, and what may happen to it on the way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from abr.cli import main
from bench.experiments.planfile import read_plan
from bench.experiments.run.materials import load_experiment

PLAN = """\
[plan]
name = "small"
block = 4
[[algorithm]]
name = "bola-sabre"
[[algorithm]]
name = "bba-0"
[[traces]]
generate = "3g-commute"
count = {count}
duration_s = 320
[[presentation]]
builtin = "vbr-6"
"""

STRICT = ["--margin", "stall_ratio=0", "--strict"]


def plan(folder: Path, count: int = 4, more: str = "") -> Path:
    path = folder / "plan.toml"
    path.write_text(PLAN.format(count=count) + more)
    return path


def begin(path: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """The command in a process of its own, as a user starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "abr", "bench", "run", str(path), "--out", str(out), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def below(pid: int) -> list[int]:
    """Processes that a process started, and that those started."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *below(child)]
    return found


def wait_for_blocks(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if len(list((out / "runs").glob("*.jsonl"))) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("no block appeared")


@pytest.fixture(name="clean", scope="module")
def played_undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """The plan, and its results when nothing happens."""
    folder = tmp_path_factory.mktemp("clean")
    path = plan(folder, 40)
    assert main(["bench", "run", str(path), "--out", str(folder / "out"), "--workers", "2"]) == 0
    return path, (folder / "out/results.jsonl").read_bytes()


@pytest.mark.timeout(180)
def test_a_killed_worker_changes_no_byte(clean: tuple[Path, bytes], tmp_path: Path) -> None:
    path, wanted = clean
    process = begin(path, tmp_path / "out", "--workers", "2")
    wait_for_blocks(tmp_path / "out", 1, process)
    workers = [pid for child in below(process.pid) for pid in below(child)]
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert (tmp_path / "out/results.jsonl").read_bytes() == wanted


@pytest.mark.timeout(180)
def test_an_interruption_changes_no_byte_and_loses_little(
    clean: tuple[Path, bytes], tmp_path: Path
) -> None:
    path, wanted = clean
    process = begin(path, tmp_path / "out", "--workers", "2")
    wait_for_blocks(tmp_path / "out", 2, process)
    begun_s = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: everybody
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - begun_s < 5
    assert errors.strip().splitlines() == ["abr: interrupted"]
    assert not (tmp_path / "out/results.jsonl").exists()
    kept = {each.name: each.stat().st_mtime_ns for each in (tmp_path / "out/runs").iterdir()}
    assert len(kept) >= 2
    assert main(["bench", "run", str(path), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/results.jsonl").read_bytes() == wanted
    again = {each.name: each.stat().st_mtime_ns for each in (tmp_path / "out/runs").iterdir()}
    assert kept.items() <= again.items()


def test_a_block_cut_short_is_played_again(
    clean: tuple[Path, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = plan(tmp_path)
    out = tmp_path / "out"
    assert main(["bench", "run", str(path), "--out", str(out)]) == 0
    wanted = (out / "results.jsonl").read_bytes()
    block = next((out / "runs").iterdir())
    block.write_bytes(block.read_bytes()[:-100])
    assert main(["bench", "run", str(path), "--out", str(out)]) == 0
    assert (out / "results.jsonl").read_bytes() == wanted
    assert "1 of 2 runs are there already" in capsys.readouterr().err


def test_no_process_is_left_when_the_command_is_killed(
    clean: tuple[Path, bytes], tmp_path: Path
) -> None:
    process = begin(clean[0], tmp_path / "out", "--workers", "2")
    wait_for_blocks(tmp_path / "out", 1, process)
    left = below(process.pid)
    process.kill()
    process.communicate()
    for _ in range(100):
        if not any(Path(f"/proc/{pid}/stat").exists() for pid in left):
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {[pid for pid in left if Path(f'/proc/{pid}').exists()]}")


def test_an_algorithm_that_fails_fails_alone_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = '[[algorithm]]\nname = "fixed"\nlabel = "too high"\nparams = { rung = 9 }\n'
    path = plan(tmp_path, more=more)
    assert main(["bench", "run", str(path), "--out", str(tmp_path / "out")]) == 1
    assert "1 of 3 runs failed" in capsys.readouterr().err
    assert main(["bench", "report", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "! Failed: too high on vbr-6 over 4 networks" in said
    assert "! too high: 4 of 4 sessions failed: run failed: " in said
    (row,) = [line for line in said.split("\n\n")[1].splitlines() if line.startswith("too high")]
    assert row.split() == ["too", "high", "†", "–", "–", "–", "–"]
    assert "bola-sabre" in said


def test_a_plan_of_which_every_session_fails_ends_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No server answers within 10 ms over these networks."""
    path = plan(tmp_path, more="[player]\nfirst_byte_limit_s = 0.01\n")
    out, page = tmp_path / "out", tmp_path / "page.html"
    assert main(["bench", "run", str(path), "--out", str(out), "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["failed_sessions"] == {"bola-sabre": 4, "bba-0": 4}
    assert f"{out}: every session failed; there is nothing to report" in said.err
    assert main(["bench", "report", str(out), "--html", str(page)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("4 of 4 sessions failed: no byte after 0.01 s after ") == 2
    assert not page.exists()
    for args in (
        ["compare", str(out), str(out)],
        ["p1203", str(out), "--out", str(tmp_path / "p")],
    ):
        assert main(["bench", *args]) == 1
        assert "every session failed" in capsys.readouterr().err


def test_parquet_holds_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    path = plan(tmp_path)
    said = {}
    for form in ("jsonl", "parquet"):
        args = [str(path), "--out", str(tmp_path / form), "--format", form]
        assert main(["bench", "run", *args]) == 0
        (tmp_path / form / "timing.json").unlink()
        capsys.readouterr()
        assert main(["bench", "report", str(tmp_path / form), "--json"]) == 0
        said[form] = json.loads(capsys.readouterr().out)
    assert said["jsonl"] == said["parquet"]


@pytest.mark.parametrize("preset", ["abrkit", "sabre", "pensieve"])
def test_the_quick_plan_goes_from_run_to_report(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["bench", "run", "--quick", "--preset", preset, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sessions"] == 60
    page, table = tmp_path / "r.html", tmp_path / "r.csv"
    assert main(["bench", "report", str(out), "--html", str(page), "--csv", str(table)]) == 0
    assert "20 networks" in capsys.readouterr().out
    assert page.stat().st_size < 1e5
    assert table.read_text().startswith("table,algorithm")
    assert main(["bench", "compare", str(out), str(out)]) == 0
    assert main(["bench", "compare", "throughput", "bba-0", "--in", str(out), *STRICT]) == 1
    assert "bba-0 is " in capsys.readouterr().err
    files = tmp_path / "p1203"
    assert main(["bench", "p1203", str(out), "--out", str(files), "--algorithm", "bba-0"]) == 0
    made = [json.loads(each.read_text()) for each in sorted(files.iterdir())]
    assert len(made) == 20
    for each in made:
        assert len(each["I13"]["segments"]) == (48 if preset == "pensieve" else 75)
        starts = [stall[0] for stall in each["I23"]["stalling"]]
        assert starts == sorted(starts)
        assert all(0 <= start <= 300 for start in starts)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run"], "no plan; `abr bench plan > plan.toml` makes one"),
        (["run", "x.toml", "--quick"], "give a plan or --quick, not both"),
        (["run", "x.toml"], "x.toml: No such file or directory; expected a plan"),
        (["run", "--quick", "--executor", "dask://x"], "expected local, or dask://HOST:PORT"),
        (["run", "--quick", "--executor", "ray://x:1"], "expected local, or dask://HOST:PORT"),
        (["run", "--quick", "--out", "full"], "full: not empty, and no results in it"),
        (["run", "--quick", "--out", "full/file"], "full/file: not a folder"),
        (["report", "nowhere"], "nowhere: no results; expected a folder of `abr bench run`"),
        (["report", "full/file"], "full/file: no results of `abr bench run`"),
        (["compare", "full", "full", "--margin", "x"], "margin 'x'; expected FIGURE=NUMBER"),
        (["p1203", "nowhere", "--out", "y"], "nowhere: no results"),
        (["plan", "x.toml", "--example"], "give a plan or --example, not both"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    args: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    assert main(["bench", *args]) in (1, 2)
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('[[algorithm]]\nname = "bolla"\n', "unknown algorithm 'bolla'"),
        ('[[algorithm]]\nname = "fixed"\nparams = { x = 1 }\n', "has no parameter 'x'"),
        ('[[traces]]\ngenerate = "x"\n', "unknown model 'x'"),
        ('[[traces]]\nfiles = ["none/"]\n', "none: no such file or folder"),
        ('[[presentation]]\npath = "film"\n', "film: no package and no readable file"),
        ('[[presentation]]\nbuiltin = "vbr-6"\n', "two presentations called 'vbr-6'"),
        ("[player]\nmax_bufer_s = 3\n", "max_bufer_s: preset abrkit has no such setting"),
        ('[player]\nmax_buffer_s = "x"\n', "max_buffer_s = 'x'; expected a value such as 30.0"),
        ("[player]\nmax_buffer_s = -1\n", "max_buffer_s is -1; expected more than 0"),
    ],
)
def test_what_a_plan_names_wrongly_is_said_before_anything_is_played(
    more: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = plan(tmp_path, more=more)
    assert main(["bench", "run", str(path), "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_trace_that_comes_twice_counts_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = plan(tmp_path, more='[[traces]]\nfiles = ["generate:3g-commute:2:320"]\n')
    assert main(["bench", "plan", str(path)]) == 0
    said = capsys.readouterr()
    assert "8 sessions in" in said.out
    assert "left out: 1 traces that are the same as others" in said.err


def test_draws_from_different_models_share_no_chance(tmp_path: Path) -> None:
    """With equal seeds the means of two models' draws go up and down together."""
    text = '[[traces]]\ngenerate = "lte-driving"\ncount = 16\nduration_s = 320\n'
    path = plan(tmp_path, more=text + text.replace("lte-driving", "3g-commute"))
    read = load_experiment(read_plan(path.read_text(), name="plan"), folder=tmp_path)
    drawn = {
        kind: [each.trace.mean_bps for each in read.networks if each.kind == kind][:16]
        for kind in ("3g-commute", "lte-driving")
    }
    ranks = [np.argsort(np.argsort(each)) for each in drawn.values()]
    assert abs(np.atleast_2d(np.corrcoef(ranks))[0, 1]) < 0.5


def test_results_of_another_plan_are_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = plan(tmp_path), tmp_path / "out"
    assert main(["bench", "run", str(path), "--out", str(out)]) == 0
    other = tmp_path / "other.toml"
    other.write_text(path.read_text().replace("small", "other"))
    assert main(["bench", "run", str(other), "--out", str(out)]) == 1
    assert "holds results of the plan 'small', not 'other'" in capsys.readouterr().err
    assert main(["bench", "run", str(other), "--out", str(out), "--force"]) == 0


def test_plans_are_printed_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args in ([], ["--example"]):
        assert main(["bench", "plan", *args]) == 0
        path = tmp_path / "printed.toml"
        path.write_text(capsys.readouterr().out)
        assert main(["bench", "plan", str(path)]) == 0
        assert "sessions in" in capsys.readouterr().out


def test_seeds_draw_networks_anew_and_start_files_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.csv").write_text("time_s,capacity_kbps\n0,800\n40,2400\n80,1200\n120,\n")
    path = tmp_path / "plan.toml"
    path.write_text(
        PLAN.format(count=2).replace("block = 4", "seeds = [0, 5]")
        + '[[traces]]\nfiles = ["one.csv"]\nclass = "mine"\n'
    )
    assert main(["bench", "run", str(path), "--out", str(tmp_path / "out")]) == 0
    lines = (tmp_path / "out/results.jsonl").read_text().splitlines()[1:]
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 2 * (2 * 2 + 2)
    assert len({row["trace_digest"] for row in rows}) == 6
    assert {row["class"] for row in rows} == {"3g-commute", "mine"}
    assert {row["seed"] for row in rows} == {0, 5}


@pytest.mark.parametrize(
    "name", ["results.jsonl", "results.parquet", "timing.json", "runs/events.out"]
)
def test_files_of_others_are_never_replaced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other programs call their files so, too."""
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "work" / name
    mine.parent.mkdir(parents=True)
    mine.write_text('{"name": "quick"}\n')
    for force in ([], ["--force"]):
        assert main(["bench", "run", "--quick", "--out", "work", *force]) == 1
        assert "not of an experiment, and --force replaces results only" in capsys.readouterr().err
    assert mine.read_text() == '{"name": "quick"}\n'
    assert [each for each in (tmp_path / "work").rglob("*") if each.is_file()] == [mine]
