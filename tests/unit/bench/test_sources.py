"""What decides an algorithm's answers: files by content, and what no digest covers by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import abr
from abr import registry
from abr.registry import Origin
from bench.experiments.run import dependencies, reached
from bench.experiments.run.sources import Code, code_of, loaded, our_code
from player.batch import fingerprint

THING = """\
from pathlib import Path
TABLE = Path(__file__).with_name("table.txt").read_text()
class Thing:
    def __init__(self, weights=""):
        self.weights = weights
    def choose(self, seen):
        return len(TABLE)
"""

Write = Callable[..., Path]


@pytest.fixture(name="write")
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write files of the package ``abr_test_thing``, which is on Python's path."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / "abr_test_thing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    put("__init__.py", "")
    put("thing.py", THING)
    put("table.txt", "x")
    yield put
    forget()


def forget() -> None:
    for name in [each for each in sys.modules if each.startswith("abr_test_")]:
        del sys.modules[name]


def code(params: Mapping[str, Any] | None = None, name: str = "abr_test_thing.thing") -> Code:
    """Of the algorithm, loaded anew."""
    forget()
    importlib.invalidate_caches()
    origin = Origin(module=name, top_level=frozenset())
    return code_of(origin, lambda: importlib.import_module(name).Thing, params or {})


def test_the_same_files_give_the_same_digest(write: Write) -> None:
    before = code()
    assert before.unseen == ""
    assert code() == before
    origin = Origin(module="abr_test_thing.thing", top_level=frozenset())
    made = importlib.import_module("abr_test_thing.thing").Thing
    assert loaded(origin, made).sources == before.sources


@pytest.mark.parametrize(
    ("name", "content", "is_source"),
    [
        ("thing.py", THING.replace("len(TABLE)", "0"), True),
        ("other.py", "K = 1", True),
        ("inner/deep.py", "K = 1", True),
        ("table.txt", "xx", False),
        ("inner/data.bin", b"\0", False),
    ],
)
def test_a_changed_file_changes_it(
    name: str, content: str | bytes, is_source: bool, write: Write
) -> None:
    before = code()
    write(name, content)
    after = code()
    assert after.digest != before.digest
    assert (after.sources != before.sources) is is_source


@pytest.mark.parametrize(
    "name",
    [
        "__pycache__/thing.cpython-311.pyc",
        ".git/HEAD",
        ".notes",
        "results/runs/0.jsonl",
        "results/results.jsonl",
        "venv/pyvenv.cfg",
        "venv/lib/x.py",
    ],
)
def test_what_is_made_or_only_lies_there_does_not(name: str, write: Write) -> None:
    if name.startswith("results"):
        write("results/runs/1.jsonl", "")
    if name.startswith("venv"):
        write("venv/pyvenv.cfg", "")
    before = code()
    write(name, "more")
    assert code() == before


def test_a_file_that_was_opened_while_it_was_loaded_counts(write: Write, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    far = tmp_path / "far/settings.ini"
    far.write_text("1")
    write("thing.py", f"open({str(far)!r}).close()\n" + THING)
    before = code()
    far.write_text("2")
    assert code().digest != before.digest


def test_files_that_parameters_name_count_and_those_that_they_name(
    write: Write, tmp_path: Path
) -> None:
    model, rest = tmp_path / "model.bin", tmp_path / "model.weights"
    model.write_bytes(b"\1see model.weights\2")
    rest.write_bytes(b"1")
    before = code({"weights": str(model)})
    rest.write_bytes(b"2")
    after = code({"weights": str(model)})
    assert after.digest != before.digest
    model.write_bytes(b"\3see model.weights\2")
    assert code({"weights": str(model)}).digest != after.digest


def test_files_count_for_ours_too(tmp_path: Path) -> None:
    """``policy:FILE`` with another content is another algorithm."""
    file = tmp_path / "p.json"
    origin = registry.origin("policy:p.json")

    def digest(text: str) -> str:
        file.write_text(text)
        return code_of(origin, lambda: registry.load("bba-0"), {"weights": str(file)}).digest

    assert digest("1") != digest("2")
    assert digest("1") == digest("1")


def test_a_parameter_without_text_names_no_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all the folder that the command is given in."""
    monkeypatch.chdir(tmp_path)
    before = code({"": "", "weights": ""})
    (tmp_path / "notes.txt").write_text("1")
    assert code({"": "", "weights": ""}) == before


def test_ours_depend_on_all_of_ours() -> None:
    made = code_of(registry.origin("bba-0"), lambda: registry.load("bba-0"), {})
    assert made.sources == our_code()
    assert made.unseen == ""


def test_ours_differ_when_a_module_of_ours_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared.py").write_text("K = 1\n")
    monkeypatch.setattr(abr, "__file__", str(tmp_path / "__init__.py"))

    def digest() -> str:
        our_code.cache_clear()
        return our_code()

    before = digest()
    (tmp_path / "shared.py").write_text("K = 2\n")
    assert digest() != before
    our_code.cache_clear()


def test_a_module_of_one_file_counts_with_those_beside_it(write: Write, tmp_path: Path) -> None:
    (tmp_path / "abr_test_alone.py").write_text(
        "import abr_test_beside\nclass Thing:\n    def choose(self, seen):\n        return 0\n"
    )
    for name in ("abr_test_beside", "abr_test_third"):
        (tmp_path / f"{name}.py").write_text("K = 1\n")
        before = code(name="abr_test_alone")
        (tmp_path / f"{name}.py").write_text("K = 2\n")
        assert code(name="abr_test_alone").sources != before.sources


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("_fast.so", "abr_test_thing/_fast.so, which is machine code"),
        ("hidden.pyc", "abr_test_thing/hidden.pyc, which has no source"),
    ],
)
def test_what_has_no_source_is_said(name: str, said: str, write: Write) -> None:
    write(name, b"\0")
    assert code().unseen == said


def test_a_state_that_is_another_each_time_is_said(write: Write) -> None:
    write("thing.py", THING.replace("= weights", "= __import__('os').urandom(8)"))
    assert code().unseen == "its state, which differs each time it is made"
    assert code() == code()


def test_too_much_to_read_is_said(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "MOST_FILES", 2)
    assert "too many or too large" in code().unseen


def test_distributions_that_it_imports_count_by_version(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("thing.py", "import numpy\n" + THING)
    before = code()
    monkeypatch.setattr(dependencies, "_line", lambda name: (f"{name} 0", ()))
    assert code().digest != before.digest


def test_files_of_a_distribution_that_it_imports_count(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed again or edited by hand, at an unchanged version."""
    monkeypatch.setattr(fingerprint, "_site_folders", lambda: (tmp_path / "site",))
    monkeypatch.syspath_prepend(tmp_path / "site")
    about = tmp_path / "site/abr_test_wheel-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: abr-test-wheel\nVersion: 1.0\n")
    record, module = about / "RECORD", tmp_path / "site/abr_test_wheel.py"
    data = tmp_path / "site/abr_test_wheel.json"
    digests = []
    edits = (("K = 1\n", "a", 1), ("K = 1\n", "b", 1), ("K = 2\n", "b", 1), ("K = 2\n", "b", 2))
    for text, listed, value in edits:
        module.write_text(text)
        data.write_text(str(value))
        record.write_text(f"abr_test_wheel.py,sha256={listed},6\nabr_test_wheel.json,,\n")
        for function in (dependencies._line, fingerprint._is_in_site):
            function.cache_clear()
        write("thing.py", "import abr_test_wheel\n" + THING)
        digests.append(code().digest)
    assert len(set(digests)) == 4
    fingerprint._is_in_site.cache_clear()


def test_a_file_that_it_names_by_its_whole_path_counts(write: Write, tmp_path: Path) -> None:
    """Libraries in other languages open files that Python hears nothing of."""
    far = tmp_path / "far.onnx"
    write("thing.py", f"PATH = {str(far)!r}\n" + THING)
    digests = [code().digest]
    for content in ("1", "2"):
        far.write_text(content)
        digests.append(code().digest)
    assert len(set(digests)) == 3


def test_environment_variables_that_it_names_count(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("thing.py", 'import os\nNAME = "ABR_TEST_K"\nK = os.environ.get(NAME)\n' + THING)
    before = code()
    monkeypatch.setenv("ABR_TEST_K", "1")
    assert code().digest != before.digest
    assert code().unseen == ""


def test_an_environment_variable_of_a_computed_name_counts_by_its_value(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 'import os\nK = os.getenv("_".join(["ABR", "TEST", "K"]))\nK = 0\n'
    write("thing.py", read + THING)
    assert code().unseen == ""
    digests = set()
    for value in ("1", "2", "1"):
        monkeypatch.setattr(reached, "_facts", {})
        monkeypatch.setattr(reached, "_callers", {})
        monkeypatch.setenv("ABR_TEST_K", value)
        digests.add(code().digest)
    assert len(digests) == 2
