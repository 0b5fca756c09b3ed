"""README, docs and the tree: short, true to the command line, and tied to no machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.command_lines import unknown_words, words_after_abr

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def listed() -> list[Path]:
    """Text files under version control."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("git is missing or this is no clone: cannot list the files")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def shell_lines(page: Path) -> list[str]:
    """Commands of the ``sh`` and ``console`` blocks of a page, continuations joined."""
    blocks = re.findall(
        r"^```(sh|console)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = [
        (language, line)
        for language, block in blocks
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [
        line.removeprefix("$ ")
        for language, line in lines
        if language == "sh" or line.startswith("$ ")
    ]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_pages_exist_with_their_options(page: Path) -> None:
    for line in shell_lines(page):
        words = words_after_abr(line.removeprefix(".venv/bin/"))
        if words:
            assert unknown_words(words) == [], line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert missing == []


MAKE_TARGETS = re.compile(r"^([a-z]+):", re.MULTILINE)


def test_make_targets_in_the_readme_exist() -> None:
    targets = set(MAKE_TARGETS.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    used = {
        line.split()[1] for line in shell_lines(ROOT / "README.md") if line.split()[:1] == ["make"]
    }
    assert used
    assert used <= targets


# Written with [ ] round a letter, so that these lines do not offend themselves.
FORBIDDEN = re.compile(
    r"/w[o]rk/(main|steering|shared|\.lib)|/r[o]ot/|/h[o]me/[a-z]|/t[m]p/plan"
    r"|://[^/\s\"')]*(p[y]pi|p[y]thonhosted|n[p]mjs|d[e]bian\.org)"
)


def test_no_file_names_a_place_on_one_machine_or_a_registry() -> None:
    offences = []
    for path in listed():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        offences += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if FORBIDDEN.search(line)
        ]
    assert not offences, "\n".join(offences)


def test_there_are_no_lock_files_with_hosts() -> None:
    locks = {"package-lock.json", "poetry.lock", "uv.lock", "Pipfile.lock", "yarn.lock"}
    assert not [path for path in listed() if path.name in locks]


def test_what_ci_runs_can_be_run() -> None:
    for name in (".ci/run", "scripts/check", "scripts/install", "scripts/test-tools"):
        assert (ROOT / name).stat().st_mode & 0o111, f"{name} has no run bit"
