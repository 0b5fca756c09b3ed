"""Other people's libraries for tokens, each asked in a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
PYTHON = TESTS / "tokenpeers" / ".venv" / "bin" / "python"
NODE_CAT = TESTS / "node" / "node_modules" / "@eyevinn" / "cat"


def why_no_python() -> str:
    """Why cwt, PyJWT and joserfc cannot be asked; empty when they can."""
    if PYTHON.is_file():
        return ""
    return "no token libraries in tests/tokenpeers/.venv (see scripts/test-tools)"


def why_no_node() -> str:
    """Why node-cat cannot be asked; empty when it can."""
    return "" if NODE_CAT.is_dir() else "node-cat is missing: npm install --prefix tests/node"


def ask_python(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers of cwt, PyJWT and joserfc; see tests/tokenpeers/peers.py."""
    return _ask([str(PYTHON), str(TESTS / "tokenpeers" / "peers.py")], lines)


def ask_node(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers of node-cat; see tests/node/check_cat.mjs."""
    return _ask(["node", str(TESTS / "node" / "check_cat.mjs")], lines)


def _ask(command: list[str], lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        command,
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answers: list[dict[str, Any]] = [
        json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")
    ]
    assert len(answers) == len(lines), done.stdout + done.stderr
    return answers
