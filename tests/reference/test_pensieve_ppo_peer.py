"""Cooked files, read and played as pensieve-ppo (PyPI) reads and plays them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from abr.algorithms import bba0
from abr.files.traces import read_trace_file
from abr.media import Presentation
from player.batch.pensieve import MORE_COLUMNS, PENSIEVE
from player.batch.run.batch import run_batch
from player.batch.tables import COLUMNS, STALL_S

FOLDER = Path(__file__).parents[1] / "pensieveppo"
PYTHON = FOLDER / ".venv" / "bin" / "python"
CORPUS = Path(__file__).parents[3] / "shared" / "traces"
SEGMENT_S = 4.0


def write_traces(folder: Path) -> None:
    """Random files of all step lengths, and real ones where they are beside this checkout."""
    rng = np.random.default_rng(5)
    for k in range(12):
        steps = rng.uniform(0.05, 12.0, int(rng.integers(2, 60)))
        rates = np.where(rng.random(len(steps) + 1) < 0.1, 0.0, rng.gamma(2.0, 1.0, len(steps) + 1))
        times = np.concatenate([[0.0], np.cumsum(steps)])
        rows = (f"{t:.6f}\t{r:.9f}\n" for t, r in zip(times, rates, strict=True))
        (folder / f"random_{k:02}").write_text("".join(rows))
    for kind in ("fcc_cooked", "hsdpa_norway"):
        for file in sorted((CORPUS / kind).glob("*"))[:6]:
            (folder / f"{kind}_{file.name}").write_bytes(file.read_bytes())


def test_every_step_is_that_of_pensieve_ppo(tmp_path: Path) -> None:
    """Delay, sleep, buffer and stall of each download, over files that both read for themselves."""
    if not PYTHON.is_file():
        pytest.skip("pensieve-ppo is not in tests/pensieveppo/.venv (see scripts/test-tools)")
    write_traces(tmp_path)
    rng = np.random.default_rng(6)
    ladder_bps = np.array([0.3e6, 0.75e6, 1.2e6, 1.85e6, 2.85e6, 4.3e6])
    sizes = np.round(np.outer(ladder_bps * SEGMENT_S / 8, rng.uniform(0.7, 1.3, 48)))
    video = Presentation(
        bitrates_bps=ladder_bps, sizes_bytes=sizes, durations_s=np.full(48, SEGMENT_S)
    )
    files = sorted(tmp_path.iterdir())
    begins_at_0 = [f for f in files if float(f.read_text().split(maxsplit=1)[0]) == 0]
    for file in set(files) - set(begins_at_0):
        file.unlink()  # after its end the peer would wait from time 0; see findings/
    traces = [read_trace_file(file) for file in begins_at_0]
    batch = run_batch(PENSIEVE, video, traces, bba0.make(), engine="plain", keep_columns=True)
    downloads = {
        file.name: [int(sizes[rung, k]) for k, rung in enumerate(batch.rungs[place].tolist())]
        for place, file in enumerate(begins_at_0)
    }
    asked = {"folder": str(tmp_path), "segment_ms": SEGMENT_S * 1000, "sizes_bytes": downloads}
    done = subprocess.run(
        [PYTHON, FOLDER / "play.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told = json.loads(done.stdout.strip().rpartition("\n")[2])
    assert len(begins_at_0) >= 12
    for place, file in enumerate(begins_at_0):
        more = batch.columns[place][len(COLUMNS) :]
        delay_ms, sleep_ms, buffer_s = more[: len(MORE_COLUMNS) - 1]
        ours = np.column_stack([delay_ms, sleep_ms, buffer_s, batch.columns[place][STALL_S]])
        np.testing.assert_allclose(ours, told[file.name], rtol=1e-9, atol=1e-9, err_msg=file.name)
