"""The guides do what they show: every command of theirs runs, in order, and prints the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.guides import (
    GUIDES,
    PACKAGE,
    Console,
    Printed,
    Typed,
    differences,
    typed,
    words,
)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One folder for all guides, and in it the package that they use."""
    made = Console(tmp_path_factory.mktemp("guides"))
    assert made.run(Typed(PACKAGE, ())).code == 0
    yield made
    made.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_the_commands_of_a_guide_print_what_it_shows(guide: Path, console: Console) -> None:
    steps = list(typed(guide.read_text(encoding="utf-8")))
    assert steps
    try:
        for step in steps:
            printed = console.run(step)
            text = "\n".join(printed.lines)
            assert not differences(step, printed), f"$ {step.text}\n{text}"
            assert "Traceback" not in text
    finally:
        console.close()


def test_a_guide_begins_with_a_command_that_works() -> None:
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        assert text.index("```console") < text.index("\n## ")


def test_figures_may_differ_and_words_may_not() -> None:
    step = Typed("x", ("rung 3  1.32 Mbit/s  ██ 4.0 s",))
    assert not differences(step, Printed(("rung 2    0.9 Mbit/s  4.1 s",), 0))
    assert differences(step, Printed(("rung 2  0.9 Mbit/s  4.1",), 0))
    assert differences(step, Printed(step.shown, 1)) == ["exit code 1"]
    assert differences(step, Printed((*step.shown, "more"), 0))
    assert not differences(Typed("x", (*step.shown, "…")), Printed((*step.shown, "more"), 0))


def test_figures_of_a_report_may_not_differ_but_its_times_may() -> None:
    lines = ("bitrate", "2.547 [1.7, 3.3]", "", "a  decision us", "b  3.9", "", "In brackets")
    step = Typed("abr bench report results", lines)
    assert not differences(step, Printed((*lines[:4], "b  4.1", *lines[5:]), 0))
    assert differences(step, Printed((lines[0], "2.547 [1.7, 3.4]", *lines[2:]), 0))


def test_an_error_that_is_shown_must_fail() -> None:
    step = Typed("x", ("abr: error: no",))
    assert not differences(step, Printed(step.shown, 1))
    assert differences(step, Printed(step.shown, 0)) == ["exit code 0"]


def test_a_console_is_read_as_a_reader_types_it() -> None:
    page = "```console\n$ a \\\n    b\nout\n\nmore\n$ c &\n```\nprose\n```py\nd\n```\n"
    assert list(typed(page)) == [
        Typed("a \\\n    b", ("out", "", "more")),
        Typed("c &", ()),
        Typed("d\n", (), is_python=True),
    ]
    assert words(("a  1.5", "", "eyJhbGci.x-y.z")) == ["a #", "TOKEN"]
