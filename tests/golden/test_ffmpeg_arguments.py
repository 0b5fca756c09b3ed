"""What we ask of ffmpeg, word by word; a changed word is a changed product."""

from __future__ import annotations

import pytest

from tests.golden.make_ffmpeg_arguments import FOLDER, cases

CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_arguments_are_as_reviewed(name: str) -> None:
    """After a change that is meant, make_ffmpeg_arguments.py writes them anew."""
    golden = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert "\n".join(CASES[name]) + "\n" == golden


def test_every_golden_list_has_its_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(CASES)
