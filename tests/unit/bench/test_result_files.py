"""The folder of an experiment: what is there already is left as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.experiments.files import JSON_LINES, assemble, prepare, read_folder
from bench.experiments.results import compact
from tests.fakes.results import row

BODIES = [f"{compact(row('a', k))}\n".encode() for k in range(3)]
LONG_AGO_S = 1_000_000_000


def test_results_that_are_there_are_not_written_again(tmp_path: Path) -> None:
    path = assemble(tmp_path, {"name": "x"}, BODIES, form="jsonl")
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    assemble(tmp_path, {"name": "x"}, BODIES, form="jsonl")
    assert path.stat().st_mtime == LONG_AGO_S


@pytest.mark.parametrize(
    ("name", "bodies"),
    [
        ("y", BODIES),
        ("x", BODIES[:2]),
        ("x", [*BODIES, BODIES[0]]),
        ("x", BODIES[::-1]),
    ],
)
def test_other_results_are_written(tmp_path: Path, name: str, bodies: list[bytes]) -> None:
    assemble(tmp_path, {"name": "x"}, BODIES, form="jsonl")
    assemble(tmp_path, {"name": name}, bodies, form="jsonl")
    found = read_folder(tmp_path)
    assert found.name == name
    assert [f"{compact(each)}\n".encode() for each in found.rows] == bodies


def test_damaged_results_are_written_again(tmp_path: Path) -> None:
    path = assemble(tmp_path, {"name": "x"}, BODIES, form="jsonl")
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole + b"\n", whole.replace(b'"seed":0', b'"seed":1', 1), b""):
        path.write_bytes(damaged)
        assemble(tmp_path, {"name": "x"}, BODIES, form="jsonl")
        assert (tmp_path / JSON_LINES).read_bytes() == whole


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    assemble(tmp_path, {"name": "x"}, BODIES, form="jsonl")
    left = tmp_path / f".{JSON_LINES}.abc.partial"
    left.write_text("half")
    prepare(tmp_path, name="x", force=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == [JSON_LINES, "runs"]
