"""``abr bench run`` after an edit of anything that an algorithm is made of: never old figures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PLAN = """\
[plan]
name = "stale"
engine = "{engine}"
[[traces]]
generate = "3g-commute"
count = 2
duration_s = 320
[[presentation]]
builtin = "vbr-6"
"""

SITE = "lib/python{}.{}/site-packages".format(*sys.version_info)
"""Where a user's distributions are installed, below the folder that an environment variable
says."""

FILES: Mapping[str, str] = {
    # A package: what it asks for is told by constants of its modules, a function, a class, a
    # closure and two data files, one of them read while it is imported.
    "mine/__init__.py": "",
    "mine/consts.py": "K = 0\n",
    "mine/helper.py": "def extra():\n    return 0\nclass Step:\n    SIZE = 0\n",
    "mine/table.json": "0",
    "mine/later.json": "0",
    "mine/rule.py": (
        "from typing import NamedTuple\n"
        "import json\nfrom pathlib import Path\n"
        "import numpy as np\n"
        "import mine.consts as c\n"
        "from mine.consts import K\n"
        "from mine.helper import extra\n"
        "from abr.decision import Decision, Rule\n"
        "TABLE = json.loads(Path(__file__).with_name('table.json').read_text())\n"
        "class Params(NamedTuple):\n    more: int = 0\n"
        "class State(NamedTuple):\n    nothing: object\n"
        "def start(params, ladder_bps, durations_s):\n    return State(np.zeros(1))\n"
        "def choose(params, state, seen):\n"
        "    return Decision(min(K + c.K + extra() + TABLE + params.more, 5), 0.0, 0, -1)\n"
        "def make(**params):\n"
        "    return Rule(name='mine', params=Params(**params), start=start, choose=choose)\n"
    ),
    "mine/thing.py": (
        "from pathlib import Path\nfrom mine.helper import Step\n"
        "class Thing:\n"
        "    def choose(self, seen):\n"
        "        later = int(Path(__file__).with_name('later.json').read_text())\n"
        "        return Step.SIZE + later\n"
    ),
    # A module of one file, with another beside it that it imports when it is asked.
    "alone.py": (
        "def make():\n"
        "    base = 0\n"
        "    class Alone:\n"
        "        def choose(self, seen):\n"
        "            import beside\n"
        "            return base + beside.K\n"
        "    return Alone()\n"
    ),
    "beside.py": "K = 0\n",
    # Ones that only a session tells what they read.
    "reads.py": (
        "from pathlib import Path\nEND = '.json'\n"
        "class Reads:\n"
        "    def choose(self, seen):\n"
        "        return int((Path(__file__).parent / 'far' / f'k{END}').read_text())\n"
    ),
    "far/k.json": "0",
    # One that opens it for writing, too.
    "maps.py": (
        "import mmap, os\nfrom pathlib import Path\nEND = '.json'\n"
        "class Maps:\n"
        "    def choose(self, seen):\n"
        "        with open(Path(__file__).parent / 'far' / f'k{END}', 'r+b') as file:\n"
        "            return int(mmap.mmap(file.fileno(), 1)[:1])\n"
    ),
    "asks.py": (
        "import subprocess\nEND = '.json'\nCOMMAND = ['cat', f'{__file__[:-7]}far/k{END}']\n"
        "class Asks:\n"
        "    rung = None\n"
        "    def choose(self, seen):\n"
        "        if self.rung is None:\n"
        "            self.rung = int(subprocess.check_output(COMMAND))\n"
        "        return self.rung\n"
    ),
    "hidden.py": (
        "class Hidden:\n"
        "    def choose(self, seen):\n"
        "        from abr_test_wheel.jitted import extra\n"
        "        return extra()\n"
    ),
    # A distribution that is installed, as from a wheel.
    "SITE/abr_test_wheel/__init__.py": "",
    "SITE/abr_test_wheel/consts.py": "K = 0\n",
    "SITE/abr_test_wheel/jitted.py": (
        "import numba\nfrom abr_test_wheel.consts import K\n"
        "@numba.njit(cache=True)\ndef extra():\n    return K\n"
    ),
    "SITE/abr_test_wheel-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: abr_test_wheel\nVersion: 1.0\n"
    ),
    "SITE/abr_test_wheel-1.0.dist-info/RECORD": "abr_test_wheel/consts.py,,\n",
    # One whose state nobody can look into.
    "dark.py": (
        "class Dark:\n"
        "    def __init__(self):\n        self.rest = iter([].__iter__, None)\n"
        "        self.gen = (n for n in ())\n"
        "    def choose(self, seen):\n        return 0\n"
    ),
    "strange-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n",
    "strange-1.0.dist-info/entry_points.txt": (
        "[abr.algorithms]\nmine = mine.rule:make\nthing = mine.thing:Thing\n"
        "alone = alone:make\ndark = dark:Dark\n"
        "reads = reads:Reads\nmaps = maps:Maps\nasks = asks:Asks\nhidden = hidden:Hidden\n"
    ),
}


@pytest.fixture(name="folder")
def strangers(tmp_path: Path) -> Path:
    """A folder on Python's path with algorithms of a distribution of its own."""
    for name, text in FILES.items():
        path = tmp_path / name.replace("SITE", SITE)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def more_of(folder: Path, workers: int) -> list[str]:
    return ["--out", str(folder / "out"), "--workers", str(workers)]


class Played:
    """A run of a plan in a process of its own."""

    def __init__(
        self, folder: Path, engine: str, *names: str, within: str = ".", workers: int = 2
    ) -> None:
        plan = folder / "plan.toml"
        algorithms = "".join(f'[[algorithm]]\nname = "{name}"\n' for name in names)
        plan.write_text(PLAN.format(engine=engine) + algorithms)
        more = {
            "PYTHONPATH": os.pathsep.join([str(folder), str(folder / SITE)]),
            "PYTHONUSERBASE": str(folder),
        }
        done = subprocess.run(
            [sys.executable, "-m", "abr", "bench", "run", str(plan), *more_of(folder, workers)],
            env=os.environ | more | {"ABR_CACHE_DIR": str(folder / "kernels")},
            cwd=folder / within,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        self.said = done.stderr
        assert done.returncode == 0, done.stderr
        lines = (folder / "out/results.jsonl").read_text().splitlines()[1:]
        rows = [json.loads(line) for line in lines]
        self.rungs = {
            name: {rung for row in rows if row["algorithm"] == name for rung in row["rungs"]}
            for name in names
        }
        again = re.search(r"(\d+ of \d+) runs are there already", done.stderr)
        self.again = again[1] if again else ""


@pytest.mark.timeout(600)
def test_an_edit_of_anything_reached_is_played(folder: Path) -> None:
    """Each edit raises what is asked for by one, for those whom it concerns."""
    names = ("mine", "thing", "alone")

    def played() -> list[int]:
        rungs = Played(folder, "plain", *names).rungs
        assert all(len(each) == 1 for each in rungs.values())
        return [max(rungs[name]) for name in names]

    assert played() == [0, 0, 0]
    assert Played(folder, "plain", *names).again == "3 of 3"
    edit(folder, "mine/consts.py", "K = 0", "K = 1")  # K and c.K
    assert played() == [2, 0, 0]
    edit(folder, "mine/helper.py", "return 0", "return 1")
    edit(folder, "mine/helper.py", "SIZE = 0", "SIZE = 1")
    edit(folder, "beside.py", "K = 0", "K = 1")
    assert played() == [3, 1, 1]
    (folder / "mine/table.json").write_text("1")
    (folder / "mine/later.json").write_text("1")
    edit(folder, "alone.py", "base = 0", "base = 1")
    assert played() == [4, 2, 2]
    edit(folder, "mine/rule.py", "more: int = 0", "more: int = 1")
    assert played() == [5, 2, 2]
    assert Played(folder, "plain", *names).again == "3 of 3"


@pytest.mark.timeout(600)
def test_compiled_algorithms_are_compiled_and_played_anew(folder: Path) -> None:
    assert Played(folder, "compiled", "mine").rungs == {"mine": {0}}
    assert len(list((folder / "kernels").rglob("*.nbc"))) == 1
    edit(folder, "mine/consts.py", "K = 0", "K = 1")
    assert Played(folder, "compiled", "mine").rungs == {"mine": {2}}
    edit(folder, "mine/helper.py", "return 0", "return 1")
    assert Played(folder, "compiled", "mine").rungs == {"mine": {3}}
    assert len(list((folder / "kernels").rglob("*.nbc"))) == 3


def test_what_cannot_be_looked_into_is_played_anew_and_said(folder: Path) -> None:
    assert Played(folder, "plain", "dark", "alone").again == ""
    second = Played(folder, "plain", "dark", "alone")
    assert second.again == "1 of 2"
    said = "dark: played again, because a change could not be detected in the state of a"
    assert said in second.said


def test_a_file_of_ones_own_is_played_anew_with_what_lies_beside_it(folder: Path) -> None:
    (folder / "rules").mkdir()
    (folder / "rules/own.py").write_text(FILES["alone.py"].replace("beside", "abr_test_aside"))
    (folder / "rules/abr_test_aside.py").write_text("K = 0\n")
    name = "rules/own.py:make"
    assert Played(folder, "plain", name).rungs == {name: {0}}
    edit(folder, "rules/abr_test_aside.py", "K = 0", "K = 3")
    assert Played(folder, "plain", name).rungs == {name: {3}}
    assert Played(folder, "plain", name).again == "1 of 1"


def test_what_only_sessions_tell_is_played_anew(folder: Path) -> None:
    """Computed names of files, other processes, what is imported and compiled at a decision."""
    names = ("reads", "maps", "asks", "hidden")
    first = Played(folder, "plain", *names)
    assert first.rungs == {name: {0} for name in names}
    (folder / "far/k.json").write_text("2")
    edit(folder, f"{SITE}/abr_test_wheel/consts.py", "K = 0", "K = 3")
    second = Played(folder, "plain", *names)
    assert second.rungs == {"reads": {2}, "maps": {2}, "asks": {2}, "hidden": {3}}
    third = Played(folder, "plain", *names)
    assert third.again == "3 of 4"
    assert third.said.count("another process that it starts") == 1
    assert "asks: played again, because a change could not be detected in another" in third.said


def test_a_worker_does_not_play_what_was_edited_meanwhile(folder: Path) -> None:
    """The edit falls between the loading of the plan and the first worker's."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from bench.experiments.run import materials\n"
        "load = materials.load_experiment\n"
        "def load_and_edit(*args, **more):\n"
        "    found = load(*args, **more)\n"
        "    Path('beside.py').write_text('K = 3\\n')\n"
        "    return found\n"
        "materials.load_experiment = load_and_edit\n"
        "from abr.cli import main\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main(['bench', 'run', 'plan.toml', '--out', 'out']))\n"
    )
    (folder / "plan.toml").write_text(
        PLAN.format(engine="plain") + '[[algorithm]]\nname = "alone"\n'
    )
    (folder / "edits.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "edits.py"],
        env=os.environ | {"PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert "its source here is not what it was when the run began; run the command" in done.stderr
