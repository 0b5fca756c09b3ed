"""Whole sessions of our rules against those of the reference tool, rung by rung."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.algorithms import bola, throughput
from abr.decision import Rule
from abr.media import Presentation
from abr.traceformats import read_trace

GOLD = Path(__file__).parents[3] / "shared" / "gold"
# Of the 56 sessions per configuration; 1 plays all 336, in 40 s of processor time.
EVERY = int(os.environ.get("SABRE_EVERY", "5"))
CONFIGS = ("bola", "bola_basic", "bola_osc", "throughput", "throughput_noibr", "throughput_slide")

_spec = importlib.util.spec_from_file_location(
    "sabre_loop", Path(__file__).with_name("sabre_loop.py")
)
assert _spec is not None
assert _spec.loader is not None
sabre_loop = importlib.util.module_from_spec(_spec)
sys.modules["sabre_loop"] = sabre_loop  # its dataclass looks itself up
_spec.loader.exec_module(sabre_loop)


def rule_of(config: str, *, abandon: bool) -> Rule:
    """Our rule with the parameters that a reference configuration means."""
    return {
        "bola": lambda: bola.make(abandon=abandon),
        "bola_basic": lambda: bola.make(finite=False, abandon=abandon),
        "bola_osc": lambda: bola.make(oscillation=True, abandon=abandon),
        "throughput": lambda: throughput.make(abandon=abandon),
        "throughput_noibr": lambda: throughput.make(abandon=abandon, buffer_rule=False),
        "throughput_slide": lambda: throughput.make(abandon=abandon, window=3),
    }[config]()


@cache
def film_of(name: str) -> Presentation:
    movie = json.loads((GOLD / "movie" / f"{name}.json").read_text())
    sizes = np.array(movie["segment_sizes_bits"], dtype=np.float64).T / 8
    return Presentation(
        bitrates_bps=np.array(movie["bitrates_kbps"]) * 1e3,
        sizes_bytes=sizes,
        durations_s=np.full(sizes.shape[1], movie["segment_duration_ms"] / 1e3),
    )


@cache
def sessions() -> list[dict[str, Any]]:
    return list(json.loads((GOLD / "sabre.json").read_text())["sessions"])


@pytest.mark.parametrize("config", CONFIGS)
def test_sessions_equal_those_of_the_reference(config: str) -> None:
    """Rungs, downloads, time stalled and time in all."""
    if not GOLD.is_dir():
        pytest.skip("the reference figures of Sabre are not beside this checkout")
    ours = [s for s in sessions() if s["config"] == config]
    assert len(ours) == 56
    for expected in ours[::EVERY]:
        case = (expected["movie"], expected["net"], expected["abandon"])
        net = GOLD / "net" / f"{expected['net']}.json"
        played = sabre_loop.session(
            rule_of(config, abandon=expected["abandon"]),
            film_of(expected["movie"]),
            read_trace(net.read_bytes(), name=net.name),
        )
        assert played.rungs == [int(q) for q in expected["quality"].split()], case
        assert played.downloads == expected["n_downloads"], case
        assert played.rebuffer_s * 1e3 == pytest.approx(expected["rebuffer_ms"], abs=1e-3), case
        assert played.total_s * 1e3 == pytest.approx(expected["total_play_ms"], abs=1e-3), case
