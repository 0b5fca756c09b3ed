"""A digest of functions and values: it changes with all that they depend on, and only then."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from player.batch.fingerprint import Fingerprint, is_installed

FILES = {
    "__init__.py": "",
    "consts.py": "K = 1\nTABLE = [1, 2]\n",
    "far.py": "DEEP = 4\ndef deep():\n    return DEEP\n",
    "helper.py": (
        "from abr_test_code import far\n"
        "def called():\n    return far.deep()\n"
        "class Kept:\n    LIMIT = 3\n    def ask(self):\n        return self.LIMIT\n"
    ),
    "main.py": (
        "import functools\n"
        "import abr_test_code.consts as c\n"
        "from abr_test_code.consts import K, TABLE\n"
        "from abr_test_code import helper\n"
        "from abr_test_code.helper import Kept, called\n"
        "def by_name():\n    return K\n"
        "def by_module():\n    return c.K\n"
        "def by_table():\n    return TABLE[0]\n"
        "def by_call():\n    return called()\n"
        "def by_far_call():\n    return helper.called()\n"
        "def by_class():\n    return Kept().ask()\n"
        "def by_inner():\n"
        "    def inner():\n        return [K for _ in range(2)]\n"
        "    return inner()\n"
        "def by_default(k=K):\n    return k\n"
        "def make(k):\n    def closed():\n        return k\n    return closed\n"
        "by_closure = make(c.K)\n"
        "by_partial = functools.partial(by_default, c.K)\n"
        "by_object = Kept()\n"
        "by_object.level = c.K\n"
        "by_method = Kept().ask\n"
        "def by_itself():\n    return 7\n"
    ),
}


@pytest.fixture(name="folder")
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "abr_test_code"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    forget()


def forget() -> None:
    for name in [each for each in sys.modules if each.startswith("abr_test_code")]:
        del sys.modules[name]


def digest(name: str) -> str:
    """Of one of the functions and objects of ``main``, loaded anew."""
    forget()
    importlib.invalidate_caches()
    taken = Fingerprint({"abr_test_code"})
    taken.add(getattr(importlib.import_module("abr_test_code.main"), name))
    assert taken.unseen == []
    return taken.hexdigest()


@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        ("by_name", "consts.py", "K = 1", "K = 2"),
        ("by_module", "consts.py", "K = 1", "K = 2"),
        ("by_table", "consts.py", "[1, 2]", "[1, 3]"),
        ("by_call", "helper.py", "far.deep()", "far.deep() + 1"),
        ("by_call", "far.py", "DEEP = 4", "DEEP = 5"),
        ("by_far_call", "far.py", "DEEP = 4", "DEEP = 5"),
        ("by_far_call", "far.py", "return DEEP", "return -DEEP"),
        ("by_class", "helper.py", "LIMIT = 3", "LIMIT = 4"),
        ("by_class", "helper.py", "return self.LIMIT", "return -self.LIMIT"),
        ("by_inner", "consts.py", "K = 1", "K = 2"),
        ("by_inner", "main.py", "range(2)", "range(3)"),
        ("by_default", "consts.py", "K = 1", "K = 2"),
        ("by_closure", "consts.py", "K = 1", "K = 2"),
        ("by_partial", "consts.py", "K = 1", "K = 2"),
        ("by_object", "consts.py", "K = 1", "K = 2"),
        ("by_method", "helper.py", "LIMIT = 3", "LIMIT = 4"),
        ("by_itself", "main.py", "return 7", "return 8"),
    ],
)
def test_it_changes_with_what_can_be_reached(
    name: str, file: str, old: str, new: str, folder: Path
) -> None:
    before = digest(name)
    text = FILES[file]
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert digest(name) != before
    (folder / file).write_text(text)
    assert digest(name) == before


def test_it_does_not_change_with_what_cannot_be_reached(folder: Path) -> None:
    before = digest("by_itself")
    (folder / "consts.py").write_text("K = 9\nTABLE = []\n")
    (folder / "main.py").write_text("# a comment\n" + FILES["main.py"])
    assert digest("by_itself") == before


def test_it_is_the_same_in_every_process() -> None:
    """From source and from bytecode, whatever the order in which Python hashes texts."""
    code = (
        "from abr import registry\n"
        "from player.batch.fingerprint import Fingerprint\n"
        "taken = Fingerprint({'abr', 'player'})\n"
        "for name in ('bola-sabre', 'dynamic', 'festive'):\n"
        "    taken.add(registry.load(name).choose)\n"
        "print(taken.hexdigest())\n"
    )
    said = {
        subprocess.run(
            [sys.executable, *flags, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for flags, seed in (([], "1"), (["-B"], "2"), ([], "3"))
    }
    assert len(said) == 1


class Point(NamedTuple):
    x: float = 1.0
    y: float = 2.0


def value_digest(value: Any) -> str:
    taken = Fingerprint(())
    taken.add(value)
    return taken.hexdigest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        ((1, 2), [1, 2]),
        ((1, (2, 3)), ((1, 2), 3)),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (np.zeros(2), np.zeros(3)),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (np.zeros((2, 1)), np.zeros((1, 2))),
        (np.array([1.0, 2.0]), np.array([1.0, 2.5])),
        (np.float64(1), np.float64(2)),
        (Point(), Point(y=3.0)),
        (np.random.default_rng(1), np.random.default_rng(2)),
        (b"a", "a"),
    ],
)
def test_different_values_differ_and_equal_ones_do_not(one: Any, other: Any) -> None:
    assert value_digest(one) != value_digest(other)
    assert value_digest(one) == value_digest(one)


def test_what_holds_itself_comes_to_an_end() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert value_digest(loop) != value_digest([1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    level: int = 1
    more: list[int] = field(default_factory=lambda: [1], metadata={"unit": "s"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Setting, make_dataclass("Setting", [("level", int, field(default=2))])),
        (
            make_dataclass("Other", [("level", int, field(default=1))]),
            make_dataclass("Other", [("level", int, field(default=2))]),
        ),
        (Setting(), Setting(level=2)),
        (defaultdict(lambda: 1), defaultdict(lambda: 2)),
        (OrderedDict(a=lambda: 1), OrderedDict(a=lambda: 2)),
        (deque([lambda: 1]), deque([lambda: 2])),
        (SimpleNamespace(a=lambda: 1), SimpleNamespace(a=lambda: 2)),
    ],
)
def test_dataclasses_and_containers_of_the_library_are_looked_into(one: Any, other: Any) -> None:
    own = {__name__.partition(".")[0], "types"}
    digests = []
    for value in (one, one, other):
        taken = Fingerprint(own)
        taken.add(value)
        assert taken.unseen == []
        digests.append(taken.hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_what_cannot_be_looked_into_is_said() -> None:
    taken = Fingerprint(())
    taken.add([1, (n for n in range(3))])
    assert taken.unseen == ["the state of a builtins.generator"]


def test_whether_it_still_holds_is_seen_without_doing_it_again(folder: Path) -> None:
    forget()
    main = importlib.import_module("abr_test_code.main")
    taken = Fingerprint({"abr_test_code"})
    taken.add(main.by_name)
    assert taken.still_holds()
    main.__dict__["K"] = 2
    assert not taken.still_holds()
    table = Fingerprint({"abr_test_code"})
    table.add(main.by_table)
    assert table.still_holds()
    main.__dict__["TABLE"][1] = 3
    assert not table.still_holds()
    for value in ({"a": 1}, {"a": [1]}, [np.zeros(2)], {"a": np.ones(1), "b": 2}):
        held = Fingerprint(())
        held.add(value)
        assert held.still_holds()
        change(value)
        assert not held.still_holds()


def change(value: Any) -> None:
    """The innermost content, in place."""
    if isinstance(value, np.ndarray):
        value[-1] = 7.0
    elif isinstance(value, set):
        value.add(7)
    elif isinstance(value, dict):
        key, item = next(iter(value.items()))
        change(item) if isinstance(item, dict | list | np.ndarray) else value.update({key: 7})
    elif isinstance(value[0], np.ndarray):
        change(value[0])
    else:
        value[0] = 7


def test_python_and_distributions_are_installed_and_our_tests_are_not() -> None:
    assert is_installed("json")
    assert is_installed("numpy.linalg")
    assert not is_installed("tests.fakes.tinyloop")
    assert not is_installed("__main__")
