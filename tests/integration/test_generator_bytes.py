"""Generated traces do not depend on what the processor can do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = json.loads((ROOT / "tests/golden/generated_traces.json").read_text(encoding="utf-8"))

FEATURES = """
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print(" ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name)))
"""
DIGESTS = """
import json
from abr.generators import KINDS, generate
from abr.files.models import model, names
print(json.dumps({
    name: {k: generate(model(name), seed=7, duration_s=120, kind=k).digest() for k in KINDS}
    for name in names()
}))
"""


def printed(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"this numpy does not run so: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()


def test_the_same_bytes_without_the_processors_newer_instructions() -> None:
    """numpy's faster loops, which may fuse and reorder, are turned off."""
    features = printed(FEATURES)
    if not features:
        pytest.skip("this processor has nothing beyond what numpy always uses")
    assert json.loads(printed(DIGESTS, NPY_DISABLE_CPU_FEATURES=features)) == PINNED
