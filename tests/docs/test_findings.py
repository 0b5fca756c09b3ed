"""Findings keep the form that CONTRIBUTING asks for; running them is left to their readers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FINDINGS = sorted((ROOT / "findings").iterdir())
PINNED = [ROOT / "requirements/constraints.txt", *ROOT.glob("tests/*/requirements.txt")]
PINS = {pin for path in PINNED for pin in path.read_text(encoding="utf-8").split()}
HEADER = ("# One would guess: ", "# What happens: ", "# Why it matters: ", "# Seen with ")
PIN = re.compile(r"\b([a-z0-9-]+==[0-9][0-9A-Za-z.]*)")


def test_there_are_findings() -> None:
    assert FINDINGS


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_says_what_was_guessed_what_happens_and_why_it_matters(finding: Path) -> None:
    header = finding.read_text(encoding="utf-8").partition("\nset -eu\n")[0]
    places = [header.find(f"\n{words}") for words in HEADER]
    assert -1 not in places
    assert places == sorted(places)
    assert re.search(r"^# Seen with .*\d{4}-\d\d-\d\d\.$", header, re.MULTILINE), header


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_is_a_script_that_cleans_up_and_judges_itself(finding: Path) -> None:
    text = finding.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert os.access(finding, os.X_OK)
    assert re.search(r"^trap '.*rm -rf \"\$work\"' EXIT$", text, re.MULTILINE)
    assert 'echo "PASS: ' in text
    assert 'echo "CHANGED: ' in text
    assert "exit 1" in text
    done = subprocess.run(["sh", "-n", str(finding)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_installs_what_we_install_and_nothing_of_ours(finding: Path) -> None:
    """At the same versions, so that it speaks of what abrkit runs with."""
    text = finding.read_text(encoding="utf-8")
    installs = re.findall(r"^venv/bin/pip install .*$", text, re.MULTILINE)
    pins = [pin for line in installs for pin in PIN.findall(line)]
    assert pins or re.search(r"^npm install .*@[0-9][0-9.]*$", text, re.MULTILINE)
    assert [pin for pin in pins if pin not in PINS] == []
    ours = r"\b(import|from) (abr|transcode|origin|edge|player|bench)\b|-m abr\b|abrkit=="
    assert not re.search(ours, text)
