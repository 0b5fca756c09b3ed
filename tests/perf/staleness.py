"""Whether an edit of anything that an algorithm reaches ever leaves its old figures.

Each case is an algorithm of a distribution of its own that asks for the rung that one of its
dependencies says; the dependency is edited and the plan run again, in both engines:

* with the results and the machine code of before there,
* with the results of before, and no machine code,
* without results, and with the machine code of before.

Bars: the new rung in every one of them; a rerun without an edit plays only what is meant to be
played anew, and costs 1 s of processor time at most.

    .venv/bin/python -m tests.perf.staleness
    .venv/bin/python -m tests.perf.staleness --engine plain --only closure,partial
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEFORE, AFTER, LATER = 1, 4, 2
"""Rungs that the dependencies say."""
BAR_S = 1.0
PLAN = """\
[plan]
name = "stale"
engine = "{engine}"
[[traces]]
generate = "3g-commute"
count = 1
duration_s = 320
[[presentation]]
builtin = "vbr-6"
"""

RULE = """\
from typing import NamedTuple
import numpy as np
from abr.decision import Decision, Rule
{head}
class Params(NamedTuple):
    {params}
class State(NamedTuple):
    known: object
def start(params, ladder_bps, durations_s):
    return State({state})
def choose(params, state, seen):
    return Decision({rung}, 0.0, 0, -1)
def make(**params):
    return Rule(name='mine', params=Params(**params), start=start, choose=choose)
"""
OBJECT = """\
from pathlib import Path
{head}
class Mine:
    def __init__(self):
        {begin}
    def choose(self, seen):
        {body}
        return {rung}
"""


def rule(
    head: str, rung: str, *, params: str = "unused: int = 0", state: str = "np.zeros(1)"
) -> str:
    """Source of a rule."""
    return RULE.format(head=head, rung=rung, params=params, state=state)


def thing(head: str, rung: str, *, body: str = "pass", begin: str = "pass") -> str:
    """Source of a class with ``choose(seen)``."""
    return OBJECT.format(head=head, rung=rung, body=body, begin=begin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An algorithm, and what of it is edited: each ``@@`` is the rung to ask for."""

    files: Mapping[str, str]
    """Text by path; ``M`` in a path and ``MINE`` in a text stand for the package of the case."""
    entry: str = "MINE.rule:make"
    site: Mapping[str, str] = field(default_factory=dict)
    """Files of a second distribution, in the folder where distributions are installed."""
    is_installed: bool = False
    """Whether the first lies there too, as from a wheel; else on Python's path."""
    is_by_hand: bool = False
    """Whether installed files are edited in place, and not by installing them again."""
    params: str = ""
    """TOML of parameters; ``FOLDER`` stands for that of the case."""
    environment: str = ""
    """A variable that says the rung."""
    is_anew: bool = False
    """Whether it may be played again without an edit, because no digest covers it."""


INIT = {"M/__init__.py": ""}
ADD = "def extra():\n    return @@\n"
THING = "MINE.thing:Mine"
OTHER = {"MINEother/__init__.py": "", "MINEother/consts.py": "K = @@\n", "MINEother/help.py": ADD}
JITTED = (
    "import numba\nfrom {}.deep import K\n@numba.njit(cache=True)\ndef extra():\n    return K\n"
)

CASES: Mapping[str, Case] = {
    "function of another module": Case(
        files={
            **INIT,
            "M/help.py": ADD,
            "M/rule.py": rule("from MINE.help import extra", "extra()"),
        }
    ),
    "imported constant": Case(
        files={**INIT, "M/c.py": "K = @@\n", "M/rule.py": rule("from MINE.c import K", "K")}
    ),
    "constant of a module": Case(
        files={**INIT, "M/c.py": "K = @@\n", "M/rule.py": rule("import MINE.c as c", "c.K")}
    ),
    "constant of a nested package": Case(
        files={
            **INIT,
            "M/a/__init__.py": "",
            "M/a/b/__init__.py": "from .deep import K\n",
            "M/a/b/deep.py": "K = @@\n",
            "M/rule.py": rule("from MINE.a.b import K", "K"),
        }
    ),
    "constant array": Case(
        files={
            **INIT,
            "M/c.py": "import numpy as np\nT = np.array([0, @@])\n",
            "M/rule.py": rule("from MINE.c import T", "T[1]"),
        }
    ),
    "constant tuple": Case(
        files={**INIT, "M/c.py": "T = (0, @@)\n", "M/rule.py": rule("from MINE.c import T", "T[1]")}
    ),
    "constant that another module sets": Case(
        files={
            **INIT,
            "M/c.py": "K = 0\n",
            "M/setup.py": "import MINE.c\nMINE.c.K = @@\n",
            "M/rule.py": rule("import MINE.setup\nimport MINE.c as c", "c.K"),
        }
    ),
    "data read at import": Case(
        files={
            **INIT,
            "M/k.json": "@@",
            "M/rule.py": rule(
                "import json\nfrom pathlib import Path\n"
                "K = json.loads(Path(__file__).with_name('k.json').read_text())",
                "K",
            ),
        }
    ),
    "data read by importlib.resources": Case(
        files={
            **INIT,
            "M/data/k.txt": "@@",
            "M/rule.py": rule(
                "from importlib import resources\n"
                "K = int(resources.files('MINE').joinpath('data', 'k.txt').read_text())",
                "K",
            ),
        }
    ),
    "data read in start": Case(
        files={
            **INIT,
            "M/k.json": "@@",
            "M/rule.py": rule(
                "from pathlib import Path",
                "int(state.known[0])",
                state="np.array([float(Path(__file__).with_name('k' + '.json').read_text())])",
            ),
        }
    ),
    "data read at a decision": Case(
        entry=THING,
        files={
            **INIT,
            "M/k.json": "@@",
            "M/thing.py": thing("", "int(Path(__file__).with_name('k' + '.json').read_text())"),
        },
    ),
    "data outside, read at a decision": Case(
        entry=THING,
        files={
            **INIT,
            "far/k.json": "@@",
            "M/thing.py": thing(
                "END = '.json'", "int((Path(__file__).parents[1] / 'far' / f'k{END}').read_text())"
            ),
        },
    ),
    "data behind a link": Case(
        entry=THING,
        files={
            **INIT,
            "far/deep/k.json": "@@",
            "M/data -> ../far": "",
            "M/thing.py": thing(
                "END = '.json'",
                "int((Path(__file__).parent / 'data' / 'deep' / f'k{END}').read_text())",
            ),
        },
    ),
    "sibling imported at a decision": Case(
        entry="MINEthing:Mine",
        files={
            "MINEthing.py": thing("", "MINEbeside.K", body="import MINEbeside"),
            "MINEbeside.py": "K = @@\n",
        },
    ),
    "package imported by name": Case(
        entry="MINEthing:Mine",
        files={
            "MINEthing.py": thing(
                "from importlib import import_module",
                "import_module('MINEpack' + '.c').K",
            ),
            "MINEpack/__init__.py": "",
            "MINEpack/c.py": "K = @@\n",
        },
    ),
    "module imported in start": Case(
        entry="MINErule:make",
        files={
            "MINErule.py": rule("", "int(state.known[0])", state="np.full(1, float(K()))").replace(
                "def start", "def K():\n    from MINEpack import c\n    return c.K\ndef start"
            ),
            "MINEpack/__init__.py": "",
            "MINEpack/c.py": "K = @@\n",
        },
    ),
    "file of a parameter": Case(
        entry="MINE.thing:Mine",
        params='{ file = "FOLDER/w/k.json" }',
        files={
            **INIT,
            "w/k.json": "@@",
            "M/thing.py": thing("", "int(Path(self.file).read_text())").replace(
                "(self):\n        pass", "(self, file):\n        self.file = file"
            ),
        },
    ),
    "default of a parameter": Case(
        files={**INIT, "M/rule.py": rule("", "params.more", params="more: int = @@")}
    ),
    "default argument of make": Case(
        files={
            **INIT,
            "M/rule.py": rule("", "params.more", params="more: int")
            .replace("make(**params)", "make(more=@@)")
            .replace("Params(**params)", "Params(more)"),
        }
    ),
    "attribute of a helper's class": Case(
        entry=THING,
        files={
            **INIT,
            "M/help.py": "class Base:\n    SIZE = @@\nclass Step(Base):\n    pass\n",
            "M/thing.py": thing("from MINE.help import Step", "Step.SIZE"),
        },
    ),
    "method of a helper's class": Case(
        entry=THING,
        files={
            **INIT,
            "M/help.py": "class Step:\n    def size(self):\n        return @@\n",
            "M/thing.py": thing("from .help import Step", "Step().size()"),
        },
    ),
    "closure": Case(
        entry="MINE.thing:make",
        files={
            **INIT,
            "M/c.py": "K = @@\n",
            "M/thing.py": "def make():\n    from MINE.c import K\n    class Mine:\n"
            "        def choose(self, seen):\n            return K\n    return Mine()\n",
        },
    ),
    "closure of a rule": Case(
        files={
            **INIT,
            "M/rule.py": rule(
                "def outer(k):\n    def inner():\n        return k\n    return inner\n"
                "extra = outer(@@)",
                "extra()",
            ),
        }
    ),
    "argument of a partial": Case(
        entry="MINE.thing:half",
        files={
            **INIT,
            "M/thing.py": "from functools import partial\nclass Mine:\n"
            "    def __init__(self, more):\n        self.more = more\n"
            "    def choose(self, seen):\n        return self.more\n"
            "half = partial(Mine, more=@@)\n",
        },
    ),
    "attribute of an instance": Case(
        entry="MINE.thing:make",
        files={
            **INIT,
            "M/thing.py": "class Mine:\n    def __init__(self, more):\n        self.more = more\n"
            "    def choose(self, seen):\n        return self.more\n"
            "THE = Mine(0)\nTHE.more = @@\ndef make():\n    return THE\n",
        },
    ),
    "jitted helper": Case(
        files={
            **INIT,
            "M/deep.py": "K = @@\n",
            "M/help.py": JITTED.format("MINE"),
            "M/rule.py": rule("from MINE.help import extra", "extra()"),
        }
    ),
    "jitted helper of an object": Case(
        entry=THING,
        files={
            **INIT,
            "M/deep.py": "K = @@\n",
            "M/help.py": JITTED.format("MINE"),
            "M/thing.py": thing("", "extra()", body="from MINE.help import extra"),
        },
    ),
    "decorated helper": Case(
        entry=THING,
        files={
            **INIT,
            "M/wrap.py": "import functools\ndef add(f):\n    @functools.wraps(f)\n"
            "    def g():\n        return f() + @@\n    return g\n",
            "M/help.py": "from functools import lru_cache\nfrom .wrap import add\n"
            "@lru_cache\n@add\ndef extra():\n    return 0\n",
            "M/thing.py": thing("from MINE.help import extra", "extra()"),
        },
    ),
    "namespace package": Case(
        files={"M/c.py": "K = @@\n", "M/rule.py": rule("from MINE.c import K", "K")}
    ),
    "weights in a file of numpy": Case(
        files={
            **INIT,
            "M/w.npz": "@@",
            "M/rule.py": rule(
                "from pathlib import Path\nW = np.load(Path(__file__).with_name('w.npz'))['w']",
                "int(state.known[0])",
                state="W * 1.0",
            ),
        }
    ),
    "source that is executed": Case(
        files={
            **INIT,
            "M/k.txt": "K = @@",
            "M/rule.py": rule(
                "from pathlib import Path\nexec(Path(__file__).with_name('k.txt').read_text())",
                "K",
            ),
        }
    ),
    "a wheel installed again": Case(
        is_installed=True,
        files={**INIT, "M/c.py": "K = @@\n", "M/rule.py": rule("from MINE.c import K", "K")},
    ),
    "a wheel edited by hand": Case(
        is_installed=True,
        is_by_hand=True,
        files={
            **INIT,
            "M/k.json": "@@",
            "M/rule.py": rule(
                "from pathlib import Path\nK = int(Path(__file__).with_name('k.json').read_text())",
                "K",
            ),
        },
    ),
    "another package of one's own": Case(
        files={**INIT, "M/rule.py": rule("from MINEother.consts import K", "K"), **OTHER}
    ),
    "function of another package of one's own": Case(
        files={
            **INIT,
            "M/rule.py": rule("from MINEother import help", "K").replace(
                "def start", "K = help.extra()\ndef start"
            ),
            **OTHER,
        }
    ),
    "another wheel installed again": Case(
        files={**INIT, "M/rule.py": rule("from MINEother.consts import K", "K")}, site=OTHER
    ),
    "another wheel, asked at a decision": Case(
        entry=THING,
        files={**INIT, "M/thing.py": thing("from MINEother import help", "help.extra()")},
        site=OTHER,
    ),
    "another wheel edited by hand": Case(
        entry=THING,
        is_by_hand=True,
        files={**INIT, "M/thing.py": thing("from MINEother import help", "help.extra()")},
        site=OTHER,
    ),
    "jitted helper of another wheel": Case(
        files={**INIT, "M/rule.py": rule("from MINEother.jit import extra", "extra()")},
        site={
            **OTHER,
            "MINEother/deep.py": "K = @@\n",
            "MINEother/jit.py": JITTED.format("MINEother"),
        },
    ),
    "what another wheel requires": Case(
        entry=THING,
        files={**INIT, "M/thing.py": thing("from MINEother import help", "help.extra()")},
        site={
            "MINEother/__init__.py": "",
            "MINEother/help.py": "from MINEthird import extra\n",
            "MINEthird.py": ADD,
        },
    ),
    "environment variable": Case(
        entry=THING,
        environment="MINE_RUNG",
        files={**INIT, "M/thing.py": thing("import os", "int(os.environ['MINE_RUNG'])")},
    ),
    "environment variable by a computed name": Case(
        entry=THING,
        environment="MINE_RUNG",
        files={
            **INIT,
            "M/thing.py": thing("import os\nNAME = 'MINE'", "int(os.environ[NAME + '_RUNG'])"),
        },
    ),
    "file in the working directory": Case(
        entry=THING,
        files={
            **INIT,
            "../MINE.k": "@@",
            "M/thing.py": thing("END = '.k'", "int(open('MINE' + END).read())"),
        },
    ),
    "answer of another process": Case(
        entry=THING,
        is_anew=True,
        files={
            **INIT,
            "../MINEfar.py": "print(@@)\n",
            "M/thing.py": thing(
                "import subprocess, sys\nEND = '.py'",
                "self.rung",
                body="self.rung = getattr(self, 'rung', None) or int(subprocess.check_output("
                "[sys.executable, str(Path(__file__).parents[2] / f'MINEfar{END}')]))",
            ),
        },
    ),
}


class Trial:
    """All cases in one folder, and the plan that plays them."""

    def __init__(self, folder: Path, engine: str, names: Sequence[str]) -> None:
        self.folder = folder
        self.engine = engine
        self.names = names
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.site = folder / "user" / "lib" / version / "site-packages"
        self.path = [str(folder / str(place)) for place, _ in enumerate(names)]
        self.environment: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Trial of {len(self.names)} cases, {self.engine}>"

    def write(self, rung: int) -> None:
        """Let every dependency ask for ``rung``; files that say no rung are written once."""
        for place, name in enumerate(self.names):
            case, mine = CASES[name], f"mine{place}"
            home = self.folder / str(place)
            about = f"{mine}-1.0.dist-info"
            made = {
                f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {mine}\nVersion: 1.0\n",
                f"{about}/entry_points.txt": f"[abr.algorithms]\n{mine} = {case.entry}\n",
            }
            self._fill(
                self.site if case.is_installed else home,
                {**case.files, **made},
                case,
                mine,
                rung,
                about=about,
            )
            if case.site:
                about = f"{mine}other-1.0.dist-info"
                made = {
                    f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {mine}other\nVersion: 1.0\n"
                }
                self._fill(self.site, {**case.site, **made}, case, mine, rung, about=about)
            if case.environment:
                self.environment[case.environment.replace("MINE", mine)] = str(rung)

    def _fill(
        self, home: Path, files: Mapping[str, str], case: Case, mine: str, rung: int, *, about: str
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        lines = []
        for written, text in files.items():
            name = written.replace("M/", f"{mine}/").replace("MINE", mine)
            link, _, target = name.partition(" -> ")
            path = home / link
            path.parent.mkdir(parents=True, exist_ok=True)
            if target:
                if not path.is_symlink():
                    path.symlink_to(target)
                continue
            said = text.replace("@@", str(rung)).replace("MINE", mine).encode()
            if name.endswith(".npz"):
                said = _weights(rung)
            if not path.exists() or ("@@" in text and path.read_bytes() != said):
                path.write_bytes(said)
            digest = hashlib.sha256(said).hexdigest()
            lines.append(f"{name},sha256={digest},{len(said)}\n")
        record = home / about / "RECORD"
        if not (case.is_by_hand and record.exists()):
            record.write_text("".join(lines))

    def play(self, out: str, kernels: str, *, rung: int) -> tuple[list[str], list[str], float]:
        """Cases with another rung than ``rung``, cases that were not played, and seconds."""
        plan = self.folder / "plan.toml"
        lines = [PLAN.format(engine=self.engine)]
        for place, name in enumerate(self.names):
            params = CASES[name].params.replace("FOLDER", str(self.folder / str(place)))
            lines.append(f'[[algorithm]]\nname = "mine{place}"\n')
            lines += [f"params = {params}\n"] if params else []
        plan.write_text("".join(lines))
        took_s = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "abr", "bench", "run", str(plan), "--out", out],
            cwd=self.folder,
            env=os.environ
            | self.environment
            | {
                "ABR_CACHE_DIR": str(self.folder / kernels),
                "PYTHONUSERBASE": str(self.folder / "user"),
                "PYTHONPATH": os.pathsep.join([*self.path, str(self.site)]),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.said = done.stderr
        if done.returncode:
            print(done.stderr[-3000:])
        rows = [json.loads(line) for line in (self.folder / out / "results.jsonl").open()][1:]
        found = {row["algorithm"]: set(row["rungs"][30:]) for row in rows}
        stale = [
            f"{name} ({sorted(found.get(f'mine{place}', {-1}))})"
            for place, name in enumerate(self.names)
            if found.get(f"mine{place}") != {rung}
        ]
        anew = [
            name
            for place, name in enumerate(self.names)
            if f"mine{place}: played again" in done.stderr
        ]
        seconds = used.ru_utime + used.ru_stime - took_s.ru_utime - took_s.ru_stime
        return stale, anew, seconds


def _weights(rung: int) -> bytes:
    import io

    import numpy as np

    file = io.BytesIO()
    np.savez(file, w=np.full(1, float(rung)))
    return file.getvalue()


def tried(engine: str, names: Sequence[str]) -> int:
    """Print what was stale with ``engine``; how many were."""
    faults = 0
    with tempfile.TemporaryDirectory() as place:
        trial = Trial(Path(place), engine, names)

        def show(what: str, stale: Sequence[str]) -> None:
            nonlocal faults
            faults += len(stale)
            print(f"{engine:<9} {what:<44} {len(names) - len(stale)} of {len(names)} right")
            for each in stale:
                print(f"{'':<10}   STALE: {each}")

        trial.write(BEFORE)
        show("first run", trial.play("out", "kernels", rung=BEFORE)[0])
        stale, anew, took_s = trial.play("out", "kernels", rung=BEFORE)
        show("no edit", stale)
        print(f"{engine:<9}   {took_s:.2f} s of processor time; {len(anew)} played anew")
        for name in anew:
            if not CASES[name].is_anew:
                print(f"{'':<10}   ANEW: {name}")
                faults += 1
        trial.write(AFTER)
        show("edit; results and machine code there", trial.play("out", "kernels", rung=AFTER)[0])
        trial.write(LATER)
        show("edit; results there, no machine code", trial.play("out", "more", rung=LATER)[0])
        shutil.rmtree(trial.folder / "out")
        trial.write(BEFORE)
        show("edit; no results, machine code there", trial.play("out", "more", rung=BEFORE)[0])
    return faults


def main() -> int:
    """Print the table; 1 where anything was stale."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=["plain", "compiled"])
    parser.add_argument("--only", help="words in names of cases, separated by commas")
    args = parser.parse_args()
    words = (args.only or "").split(",")
    names = [name for name in CASES if any(word in name for word in words)]
    engines = [args.engine] if args.engine else ["plain", "compiled"]
    return 1 if sum([tried(engine, names) for engine in engines]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
