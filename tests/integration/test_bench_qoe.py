"""Results judged by any QoE, before and after they are there; nothing is played twice."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.cli import main
from abr.media import Presentation
from bench.experiments import presentations
from bench.experiments.run import materials

PLAN = """\
[plan]
name = "judged"
[[algorithm]]
name = "bola-sabre"
[[algorithm]]
name = "lowest"
[[traces]]
generate = "3g-commute"
count = 4
duration_s = 320
[[presentation]]
builtin = "vbr-6"
"""
OWN = """
[[qoe]]
name = "mine.py:score"
label = "mine"
params = { scale = 2 }

[[qoe]]
name = "linear"
params = { stall_weight = 20 }
"""
MINE = '''\
def score(viewing, scale):
    """Segments at the highest rung."""
    return scale * float((viewing.rungs == len(viewing.ladder_bps) - 1).sum())
'''


def played(folder: Path, more: str = "") -> Path:
    (folder / "plan.toml").write_text(PLAN + more)
    assert main(["bench", "run", str(folder / "plan.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


def said(capsys: Any, *command: str) -> dict[str, Any]:
    capsys.readouterr()
    fast = ["--resamples", "200"] if command[0] == "report" else []
    assert main(["bench", *command, "--json", *fast]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def by_label(report: dict[str, Any], name: str) -> dict[str, float]:
    return {each["label"]: each["figures"][name]["value"] for each in report["algorithms"]}


def blocks(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()[1:]]


def test_a_plan_names_its_qoes_and_one_of_ones_own(tmp_path: Path, capsys: Any) -> None:
    """An edited function, and other QoEs, give other scores of the same sessions."""
    (tmp_path / "mine.py").write_text(MINE)
    out = played(tmp_path, OWN)
    assert main(["bench", "plan", str(tmp_path / "plan.toml")]) == 0
    assert "judged by      mine, linear" in capsys.readouterr().out
    report = said(capsys, "report", str(out))
    assert [each["label"] for each in report["qoe"]] == ["mine", "linear:stall_weight=20"]
    name = report["qoe"][0]["name"]
    rows = [row for row in rows_of(out) if row["algorithm"] == "bola-sabre"]
    top = [2 * sum(rung == 5 for rung in row["rungs"]) for row in rows]
    assert by_label(report, name)["bola-sabre"] == pytest.approx(np.mean(top))
    assert report["qoe"][1]["weights"]["vbr-6"]["stall"] == 20

    before = blocks(out)
    (tmp_path / "mine.py").write_text(MINE.replace("- 1)", "- 6)"))
    edited = said(capsys, "report", str(out))
    assert by_label(edited, name)["lowest"] == 2 * 75
    two = ["lowest", "bola-sabre", "--in", str(out), "--margin", "mine=0", "--strict"]
    assert main(["bench", "compare", *two]) == 1
    assert capsys.readouterr().err.endswith("within the margin in mine\n")
    assert edited["qoe"][0]["source"] != report["qoe"][0]["source"]
    played(tmp_path, OWN.replace("stall_weight = 20", "stall_weight = 3"))
    again = said(capsys, "report", str(out))
    assert again["qoe"][1]["weights"]["vbr-6"]["stall"] == 3
    assert blocks(out) == before


def test_finished_results_are_judged_by_another_qoe(tmp_path: Path, capsys: Any) -> None:
    out = played(tmp_path)
    assert [each["name"] for each in said(capsys, "report", str(out))["qoe"]] == ["qoe_lin"]
    asked = ["--qoe", "log", "--qoe", "linear:stall_weight=500", "--qoe", "sabre"]
    table, page = tmp_path / "r.csv", tmp_path / "r.html"
    report = said(capsys, "report", str(out), *asked, "--csv", str(table), "--html", str(page))
    ranks = report["rankings"]["ranks"]
    assert list(ranks) == ["log", "linear:stall_weight=500", "sabre"]
    assert all(sorted(r["place"] for r in of.values()) == [1, 2] for of in ranks.values())
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["figure"] for row in rows if row["table"] == "rank"} == set(ranks)
    assert "--qoe log --qoe linear:stall_weight=500" in page.read_text()

    assert main(["bench", "report", str(out), *asked]) == 0
    assert "Kendall's tau" in capsys.readouterr().out
    compared = said(
        capsys, "compare", "lowest", "lowest", "--in", str(out), "--qoe", "log",
        "--qoe", "linear:stall_weight=9", "--margin", "log=1%",
        "--margin", "linear:stall_weight=9=0.5",
    )  # fmt: skip
    assert [each["metric"] for each in compared["findings"]] == ["log", "linear:stall_weight=9"]
    assert compared["findings"][1]["margin"] == 0.5
    both = said(capsys, "compare", str(out), str(out), "--qoe", "sabre")
    assert {each["metric"] for each in both["findings"]} == {"bitrate_bps", "stall_ratio", "sabre"}


def measured(name: str, seed: int = 0) -> Presentation:
    """A built-in presentation with a VMAF of its own: 40 + 10 per rung."""
    found = presentations.builtin(name, seed)
    quality = np.repeat(40.0 + 10 * np.arange(found.rungs)[:, None], found.segments, axis=1)
    return replace(found, quality=quality, quality_metric="vmaf")


def test_quality_is_in_the_rows_and_scored(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And sessions are played again when it was measured anew: rows hold it."""
    monkeypatch.setattr(materials, "builtin", measured)
    out = played(tmp_path, '[[qoe]]\nname = "vmaf"\n')
    lowest = [row for row in rows_of(out) if row["algorithm"] == "lowest"]
    assert {(row["quality_mean"], row["quality_change"]) for row in lowest} == {(40.0, 0.0)}
    report = said(capsys, "report", str(out))
    stalled = np.mean([row["stall_s"] for row in lowest]) / 75
    assert by_label(report, "vmaf")["lowest"] == pytest.approx(
        0.8469011 * 40 - 28.79591348 * stalled
    )
    before = set(blocks(out))
    monkeypatch.setattr(
        materials, "builtin", lambda *of: replace(measured(*of), quality_metric="xpsnr")
    )
    played(tmp_path)
    assert not before & (set(blocks(out)) - before)
    assert len(set(blocks(out)) - before) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('[[qoe]]\nname = "lin"\n', "unknown QoE 'lin'; did you mean"),
        ('[[qoe]]\nlabel = "x"\n', "plan.toml:13: [[qoe]] without name; expected qoe_lin"),
        ('[[qoe]]\nname = "log"\nstall = 1\n', "plan.toml:15: no key 'stall' in [qoe]"),
        ('[[qoe]]\nname = "vmaf"\n', "[[qoe]] vmaf: vmaf: it needs the VMAF of every segment"),
        ('[[qoe]]\nname = "gone.py:score"\n', "gone.py: no such file"),
        ('[[qoe]]\nname = "log"\nparams = { gp = 5 }\n', "QoE 'log' has no parameter 'gp'"),
        ('[[qoe]]\nname = "log"\n[[qoe]]\nname = "log"\n', "QoE 'log' twice"),
    ],
)
def test_a_wrong_qoe_is_said_before_anything_is_played(
    tmp_path: Path, capsys: Any, more: str, message: str
) -> None:
    (tmp_path / "plan.toml").write_text(PLAN + more)
    out = tmp_path / "out"
    assert main(["bench", "run", str(tmp_path / "plan.toml"), "--out", str(out)]) != 0
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_ladder_far_from_pensieves_has_its_own_stall_weight(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six rungs to 160 Mbit/s, as of 5G: a second stalled costs 160, and the report says so."""

    def fast(name: str, seed: int = 0) -> Presentation:
        found = presentations.builtin(name, seed)
        return replace(
            found,
            bitrates_bps=np.array([20e6, 40e6, 60e6, 80e6, 110e6, 160e6]),
            sizes_bytes=found.sizes_bytes * 160 / 4.5,
        )

    monkeypatch.setattr(materials, "builtin", fast)
    out = played(tmp_path)
    assert main(["bench", "report", str(out)]) == 0
    text = capsys.readouterr().out
    assert "linear: mean over sessions of (Σ Mbit/s − 160 · stalled s" in text
