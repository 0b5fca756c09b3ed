"""What an algorithm only asks of files, variables and folders at a decision is noticed, too.

Every name is computed, so that no source tells it. Each of the questions has the answer 1, then
3; one that no digest can answer is asked again each time, and said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.test_bench_stale import SITE, Played, edit

HEAD = """\
import glob, os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
FAR = Path(__file__).parent.parent / ("f" + "ar")
class Asks:
    def choose(self, seen):
        return min(int({answer}), 5)
"""
VARIABLE = "ABR_TEST_ASKED"
QUESTIONS: Mapping[str, str] = {
    "path_exists": "sum((FAR / f'e{n}').exists() for n in range(5))",
    "os_exists": "sum(os.path.exists(FAR / f'e{n}') for n in range(5))",
    "is_file": "sum((FAR / f't{n}').is_file() for n in range(5))",
    "isdir": "5 - sum(os.path.isdir(FAR / f't{n}') for n in range(5))",
    "islink": "sum((FAR / f'l{n}').is_symlink() for n in range(5))",
    "readlink": "os.readlink(FAR / f'l{0}')[-1]",
    "path_glob": "len(list(FAR.glob('e*')))",
    "os_glob": "len(glob.glob(str(FAR / 'e*')))",
    "listdir": "sum(name[0] == 'e' for name in os.listdir(FAR))",
    "iterdir": "sum(path.name[0] == 'e' for path in FAR.iterdir())",
    "scandir": "sum(each.stat().st_size for each in os.scandir(FAR) if each.name == 's' + 'ize')",
    "walk": "sum(name[0] == 'e' for *_, names in os.walk(FAR) for name in names)",
    "getmtime": "os.path.getmtime(FAR / f's{\"ize\"}')",
    "getsize": "os.path.getsize(FAR / f's{\"ize\"}')",
    "stat": "(FAR / f's{\"ize\"}').stat().st_mtime",
    "mode": "os.stat(FAR / f's{\"ize\"}').st_mode & 7",
    "access": "sum(os.access(FAR / f't{n}x', os.X_OK) for n in range(5))",
    "environ": "os.environ['ABR_TEST_' + 'ASKED']",
    "getenv": "os.getenv('ABR_TEST_' + 'ASKED')",
    "thread": "len(list(ThreadPoolExecutor(1).map(Path.read_text, [FAR / f's{\"ize\"}']))[0])",
    "working_folder": "os.path.basename(os.path.abspath('.'))[-1]",
}


def arrange(folder: Path, answer: int) -> str:
    """Make ``answer`` what every question is answered with; the variable is left to the caller."""
    far = folder / "far"
    far.mkdir(exist_ok=True)
    for n in range(5):
        for path in (far / f"e{n}", far / f"l{n}", far / f"t{n}", far / f"t{n}x"):
            if path.is_dir():
                path.rmdir()
            path.unlink(missing_ok=True)
        (far / f"t{n}x").touch()
        (far / f"t{n}x").chmod(0o755 if n < answer else 0o644)
        if n < answer:
            (far / f"e{n}").touch()
            (far / f"l{n}").symlink_to(f"nowhere{answer}")
            (far / f"t{n}").touch()
        else:
            (far / f"t{n}").mkdir()
    (far / "size").write_text("x" * answer)
    (far / "size").chmod(0o640 + answer)
    os.utime(far / "size", (answer, answer))
    (folder / f"at{answer}").mkdir(exist_ok=True)
    return str(answer)


@pytest.mark.timeout(300)
def test_whatever_is_asked_at_a_decision_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules").mkdir()
    for name, answer in QUESTIONS.items():
        (tmp_path / f"rules/{name}.py").write_text(HEAD.format(answer=answer))
    names = [f"rules/{name}.py:Asks" for name in QUESTIONS]

    def played(answer: int, because: int = 0) -> tuple[dict[str, set[int]], str]:
        done = Played(tmp_path, "plain", *names, within=f"at{answer}")
        assert done.said.count("played again") == because
        return done.rungs, done.again

    count = len(names)
    ones, threes = ({name: {answer} for name in names} for answer in (1, 3))
    monkeypatch.setenv(VARIABLE, arrange(tmp_path, 1))
    assert played(1) == (ones, "")
    assert played(1) == (ones, f"{count} of {count}")
    monkeypatch.setenv(VARIABLE, arrange(tmp_path, 3))
    assert played(3, because=count) == (threes, "")
    assert played(3) == (threes, f"{count} of {count}")


def test_what_a_library_read_once_for_two_algorithms_counts_for_both(tmp_path: Path) -> None:
    keeps = tmp_path / SITE / "abr_test_keeps.py"
    keeps.parent.mkdir(parents=True)
    keeps.write_text(
        "import functools\nfrom pathlib import Path\n@functools.cache\ndef rung():\n"
        "    return int((Path(__file__).parents[3] / ('k' + '.txt')).read_text())\n"
    )
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}/it.py").write_text(
            "from abr_test_keeps import rung\nclass Asks:\n"
            "    def choose(self, seen):\n        return rung()\n"
        )
    names = ("first/it.py:Asks", "second/it.py:Asks")
    for rung in (1, 4):
        (tmp_path / "k.txt").write_text(str(rung))
        played = Played(tmp_path, "plain", *names, workers=1)
        assert played.rungs == {name: {rung} for name in names}


CHANCES: Mapping[str, tuple[str, str]] = {
    "clock": ("import time", "int(time.time() < 0)"),
    "today": ("from datetime import datetime", "int(datetime.now().year < 0)"),
    "chance": ("import random", "int(random.random() < 0)"),
    "numpy_chance": ("import numpy as np", "int(np.random.default_rng().random() < 0)"),
    "variables": ("import os", "int(sum(map(len, os.environ.values())) < 0)"),
    "seeded": ("import random", "int(random.Random(3).random() < 0)"),
    "logs": ("import os", "int(open('asked.log', 'a').write('x') < 0)"),
    "unused": ("import time", "0\n    def train(self):\n        return time.time()"),
}


def test_clocks_and_chance_are_played_again_and_said(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    for name, (head, answer) in CHANCES.items():
        (tmp_path / f"rules/{name}.py").write_text(
            f"{head}\nclass Asks:\n    def choose(self, seen):\n        return {answer}\n"
        )
    names = [f"rules/{name}.py:Asks" for name in CHANCES]
    assert Played(tmp_path, "plain", *names).again == ""
    second = Played(tmp_path, "plain", *names)
    assert second.again == "3 of 8"
    said = dict(
        line.removeprefix("abr: note: rules/").split(".py:Asks: played again, because ", 1)
        for line in second.said.splitlines()
        if "played again" in line
    )
    clock = "a change could not be detected in a clock that it reads"
    chance = "a change could not be detected in random numbers without a seed"
    assert said == {
        "clock": clock,
        "today": clock,
        "chance": chance,
        "numpy_chance": chance,
        "variables": "a change could not be detected in all environment variables, which it reads",
    }


def test_an_edit_within_a_second_is_seen_through_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same size and the same time: Python itself takes what it compiled before."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/consts.py").write_text("K = 1\n")
    (tmp_path / "mine/thing.py").write_text(
        "from mine.consts import K\nclass Thing:\n    def choose(self, seen):\n        return K\n"
    )
    name = "mine.thing:Thing"
    assert Played(tmp_path, "plain", name).rungs == {name: {1}}
    at = (tmp_path / "mine/consts.py").stat()
    edit(tmp_path, "mine/consts.py", "K = 1", "K = 4")
    os.utime(tmp_path / "mine/consts.py", ns=(at.st_atime_ns, at.st_mtime_ns))
    assert Played(tmp_path, "plain", name).rungs == {name: {4}}
