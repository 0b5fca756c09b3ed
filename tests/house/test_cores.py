"""Core modules decide and do not act: what imports cannot show, the syntax tree does."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("abr", "transcode", "origin", "edge", "player", "bench")
ACTING_METHODS = frozenset(
    {"read_text", "write_text", "read_bytes", "write_bytes", "unlink", "mkdir", "touch", "iterdir"}
)
"""Methods of ``Path`` that touch the disk."""


def contract() -> dict[str, Any]:
    """The import contract of the cores."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    (found,) = (each for each in contracts if each["type"] == "forbidden")
    return found


def shells() -> list[str]:
    """Patterns of the shell modules: those whose imports the contract ignores."""
    return [ignored.partition(" -> ")[0] for ignored in contract()["ignore_imports"]]


def modules() -> dict[str, Path]:
    """All modules by dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def cores() -> dict[str, Path]:
    """Modules that no pattern lists as a shell."""
    patterns = shells()
    return {
        name: path
        for name, path in modules().items()
        if not any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def acts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every call that reaches the disk, the terminal or the environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in {"open", "print", "input"}:
                yield node.lineno, called.id
            elif isinstance(called, ast.Attribute) and called.attr in ACTING_METHODS:
                yield node.lineno, called.attr
        elif isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
            yield node.lineno, node.attr


@pytest.mark.parametrize("offence", ["open('x')", "p.read_text()", "print(1)", "os.environ['A']"])
def test_a_planted_offence_is_seen(offence: str) -> None:
    assert list(acts(ast.parse(f"def f():\n    return {offence}")))


def test_cores_open_no_file_and_read_no_environment() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in cores().values()
        for line, what in acts(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, "\n".join(found)


def test_every_module_and_public_name_says_what_it_is() -> None:
    """Docstrings of modules; ruff looks at the names in them."""
    bare = [
        name
        for name, path in modules().items()
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert not bare


def test_shells_are_forbidden_to_cores() -> None:
    """The two lists of the contract name the same modules, but for packages' public faces."""
    forbidden = {
        name for name in contract()["forbidden_modules"] if name.split(".")[0] in (*PACKAGES, "**")
    }
    assert forbidden == {name for name in shells() if name not in PACKAGES}


def test_every_shell_that_is_listed_exists() -> None:
    """A list that outlives its modules would hide a new core of the same name."""
    names = modules()
    unused = [
        pattern for pattern in shells() if not any(fnmatchcase(name, pattern) for name in names)
    ]
    assert not unused
