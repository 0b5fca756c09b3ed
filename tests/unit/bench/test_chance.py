"""What makes answers differ from one play to the next is found where it can be called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from bench.experiments.run.chance import CHANCE, CLOCK, PLACE, unrepeatable
from player.batch.fingerprint import Fingerprint

THING = """\
{head}
class Thing:
    def choose(self, seen):
        {body}
{more}
"""


def found(folder: Path, head: str, body: str, more: str = "") -> list[str]:
    (folder / "abr_test_chance.py").write_text(THING.format(head=head, body=body, more=more))
    (folder / "abr_test_helper.py").write_text(
        "import random\ndef draw():\n    return random.random()\n"
        "class Dice:\n    def throw(self):\n        return random.randint(1, 6)\n"
    )
    for name in ("abr_test_chance", "abr_test_helper"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    thing = importlib.import_module("abr_test_chance").Thing
    taken = Fingerprint(["abr_test_chance", "abr_test_helper"])
    taken.add(thing)
    return unrepeatable(taken.functions, [], lambda name: name.startswith("abr_test_"))


@pytest.fixture(name="folder")
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


@pytest.mark.parametrize(
    ("head", "body", "what"),
    [
        ("import time", "return time.time() % 2", CLOCK),
        ("from time import perf_counter as now", "return now() % 2", CLOCK),
        ("", "import time; return time.monotonic_ns() % 2", CLOCK),
        ("", "from time import time; return time() % 2", CLOCK),
        ("import time", "return time.localtime().tm_hour > 7", CLOCK),
        ("import datetime", "return datetime.datetime.now().hour > 7", CLOCK),
        ("from datetime import date", "return date.today().day % 2", CLOCK),
        ("import time", "return max(map(lambda _: time.time(), [0])) % 2", CLOCK),
        ("import random", "return random.randint(0, 3)", CHANCE),
        ("from random import choice", "return choice([0, 3])", CHANCE),
        ("import random", "return random.Random().random() > 0.5", CHANCE),
        ("import random", "return random.SystemRandom().random() > 0.5", CHANCE),
        ("import numpy as np", "return np.random.randint(3)", CHANCE),
        ("from numpy.random import rand", "return rand() > 0.5", CHANCE),
        ("import numpy as np", "return np.random.default_rng().random() > 0.5", CHANCE),
        ("import os", "return os.urandom(1)[0] % 2", CHANCE),
        ("import uuid", "return uuid.uuid4().int % 2", CHANCE),
        ("from abr_test_helper import draw", "return draw() > 0.5", CHANCE),
        ("from abr_test_helper import Dice", "return Dice().throw()", CHANCE),
        ("", "import abr_test_helper; return abr_test_helper.draw() > 0.5", CHANCE),
        ("", "from abr_test_helper import Dice; return Dice().throw()", CHANCE),
        ("import os", "return os.getpid() % 2", PLACE),
        ("import os", "return os.cpu_count()", PLACE),
        ("import socket", "return len(socket.gethostname()) % 2", PLACE),
    ],
)
def test_it_is_named(folder: Path, head: str, body: str, what: str) -> None:
    assert found(folder, head, body) == [what]


@pytest.mark.parametrize(
    ("head", "body", "more"),
    [
        ("import time", "return 0", "    def train(self):\n        return time.time()"),
        ("import time", "return seen.time", ""),
        ("import random", "return random.Random(3).random() > 0.5", ""),
        ("import random", "random.seed(4); return random.randint(0, 3)", ""),
        ("import numpy as np", "return np.random.default_rng(seed=3).random() > 0.5", ""),
        ("import numpy as np", "np.random.seed(3); return np.random.rand() > 0.5", ""),
        ("import time", "return time.gmtime(0).tm_year > 1970", ""),
        ("import math, os", "return math.floor(os.path.sep == '/')", ""),
        ("class time:\n    def time():\n        return 0", "return time.time()", ""),
    ],
)
def test_nothing_else_is(folder: Path, head: str, body: str, more: str) -> None:
    assert found(folder, head, body, more) == []


def test_a_method_that_an_answer_calls_counts(folder: Path) -> None:
    more = "    def _draw(self):\n        return random.random() > 0.5"
    assert found(folder, "import random", "return self._draw()", more) == [CHANCE]
