"""What scripts print for a page stands on that page, letter by letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.algorithm_table import built_ins, table
from scripts.readme_picture import draw
from scripts.rule_table import MARK, tables
from scripts.state_diagram import diagram

DOCS = Path(__file__).parents[2] / "docs"
ALGORITHMS = (DOCS / "algorithms.md").read_text(encoding="utf-8")
BUILT_INS = {row.name: row for row in built_ins()}


def test_the_states_of_playback_are_those_of_the_code() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{diagram()}```\n" in page


def test_the_picture_of_the_readme_is_what_its_script_draws() -> None:
    picture = (DOCS / "session.svg").read_text(encoding="utf-8")
    assert picture == draw()
    assert len(picture) < 60_000
    assert "Started after" in picture


def test_the_scores_are_those_that_playing_gives() -> None:
    assert f"\n\n{table()}\n" in ALGORITHMS


def test_the_rules_of_inspection_are_those_of_the_code() -> None:
    page = (DOCS / "inspect.md").read_text(encoding="utf-8")
    assert f"{MARK}\n\n{tables()}{MARK}\n" in page


def test_every_built_in_has_its_section_and_no_other_has() -> None:
    assert set(re.findall(r"^### `([\w-]+)`", ALGORITHMS, re.MULTILINE)) == set(BUILT_INS)


@pytest.mark.parametrize("name", BUILT_INS)
def test_parameters_and_defaults_are_those_of_the_code(name: str) -> None:
    section = ALGORITHMS.partition(f"\n### `{name}`")[2].split("\n##")[0]
    listed = re.findall(r"^\| `(\w+)` \| ([^ |]+) \|", section, re.MULTILINE)
    assert listed == [(key, f"{value}".lower()) for key, value in BUILT_INS[name].params.items()]
