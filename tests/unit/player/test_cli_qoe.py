"""``--qoe`` of the commands that play: what a session is worth, beside its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abr.cli import main
from abr.log import SessionLog
from abr.media import constant_presentation
from abr.qoe import linear, named
from abr.trace import Trace
from player.api import simulate
from player.cli.result import show
from player.files import write_log


def played() -> SessionLog:
    presentation = constant_presentation([300e3, 1e6], segments=5, segment_s=4, title="film")
    return simulate(presentation, trace=Trace.constant(2e6), algorithm="bba-0")


def test_a_table_has_a_line_for_each_qoe(capsys: pytest.CaptureFixture[str]) -> None:
    log = played()
    show(log, as_json=False, qoe=[linear(), named("log:stall_weight=9")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = {words[0]: words[1] for words in lines if len(words) > 1}
    assert shown["linear"] == f"{linear().score(log):.3f}"
    assert "log:stall_weight=9" in shown


def test_json_has_scores_with_their_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    log = played()
    show(log, as_json=True, qoe=[linear(stall_weight=2)])
    (found,) = json.loads(capsys.readouterr().out)["scores"]
    assert found["score"] == linear(stall_weight=2).score(log)
    assert "− 2 · stalled s" in found["formula"]
    show(log, as_json=True)
    assert "scores" not in json.loads(capsys.readouterr().out)


def test_a_session_that_never_began_has_a_formula_without_a_ladder() -> None:
    log = SessionLog({})
    log.add("start", 0.0)
    log.add("ended", 1.0, why="error: gone", playhead_s=0.0)
    show(log, as_json=True, qoe=[linear()])


def test_a_replay_is_scored_by_a_function_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    log = played()
    write_log(log, tmp_path / "log.jsonl")
    (tmp_path / "mine.py").write_text(
        "print(1)\ndef score(viewing):\n    print(2)\n    return viewing.segments\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["replay", "log.jsonl", "--qoe", "mine.py:score", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["scores"]
    assert found["score"] == sum(1 for _ in log.of("play"))


def test_a_wrong_qoe_is_said_before_playing(tmp_path: Path, capsys: Any) -> None:
    write_log(played(), tmp_path / "log.jsonl")
    assert main(["replay", str(tmp_path / "log.jsonl"), "--qoe", "lnear"]) != 0
    printed = capsys.readouterr()
    assert "unknown QoE 'lnear'; did you mean 'linear'?" in printed.err
    assert printed.out == ""
