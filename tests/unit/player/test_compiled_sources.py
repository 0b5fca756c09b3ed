"""What was compiled is made anew when anything it was made from changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RULE = """
from their.helper import factor

def choose(params, state, x):
    return factor() * x
"""
MAIN = """
from their.rule import choose
from tests.unit.player.test_compiled import machine, run

print(run(machine, choose)[0])
"""


def test_a_changed_function_in_another_module_is_compiled_anew(tmp_path: Path) -> None:
    """numba alone keeps the old one: findings/numba-cache-misses-changed-callees.sh."""
    package = tmp_path / "their"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "rule.py").write_text(RULE)
    (tmp_path / "main.py").write_text(MAIN)
    env = os.environ | {
        "ABR_CACHE_DIR": str(tmp_path / "kernels"),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
    }

    def told(factor: float) -> str:
        (package / "helper.py").write_text(f"def factor():\n    return {factor!r}\n")
        done = subprocess.run(
            [sys.executable, str(tmp_path / "main.py")],
            env=env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert told(10.0) == "[20.0, 40.0]"
    assert told(20.0) == "[40.0, 80.0]"
    assert told(10.0) == "[20.0, 40.0]"
