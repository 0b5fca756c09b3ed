"""What is known before the first download: the same in every algorithm that measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from abr import registry
from abr.decision import Algorithm, Download, Rule, begin
from abr.errors import AlgorithmError
from abr.files.policies import read_bundled_policy, write_policy_file
from abr.neural import build_layers, vector_width
from abr.policytext import Policy
from tests.fakes.observations import PRESENTATION, make_download, seen

PLAYERS = ("dashjs", "hls-js", "l2a", "lol-plus", "shaka")
"""Their defaults are those of the players."""
BY_BUFFER = ("bba-1", "bba-2")
"""What a download took moves the buffer, and that moves them; they estimate no throughput."""
KNOWN = {each.name: each for each in registry.describe()}
HAVE = tuple(name for name, each in KNOWN.items() if "initial_bps" in each.params)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Files for the algorithms that need one."""
    folder: Path = tmp_path_factory.mktemp("weights")
    rungs, takes = len(PRESENTATION.bitrates_bps), vector_width(len(PRESENTATION.bitrates_bps))
    # The lowest rung without a download; with one, the higher the faster it was.
    numbers = np.zeros((rungs, takes))
    numbers[:, 12] = np.arange(rungs)
    layers = build_layers([(numbers, -2.0 * np.arange(rungs), "none")])
    write_policy_file(read_bundled_policy(), folder / "planner.json")
    write_policy_file(Policy(layers=layers), folder / "network.json")
    return {
        "policy": [str(folder / "planner.json"), str(folder / "network.json")],
        "onnx": [],  # tests/unit/abr/algorithms/test_onnx.py makes one where it can
    }


def loaded(name: str, weights: dict[str, list[str]], **params: float) -> list[Algorithm]:
    """The algorithm, once for each file that it is tried with."""
    if KNOWN[name].params.get("weights", "") is None:
        return [registry.load(name, weights=each, **params) for each in weights[name]]
    return [registry.load(name, **params)]


def first_rung(algorithm: Algorithm, max_buffer_s: float = 30.0) -> int:
    looked = seen(0.0, last_rung=-1, segment=0, max_buffer_s=max_buffer_s)
    return begin(algorithm, PRESENTATION).choose(looked).rung


def rungs_after(algorithm: Algorithm, throughput_bps: float) -> list[int]:
    """The rungs at some buffer levels after downloads that were alike but for their throughput."""
    rungs = []
    for buffer_s in (2.0, 8.0, 12.0, 20.0, 28.0):
        running = begin(algorithm, PRESENTATION)
        downloads: list[Download] = []
        for segment in range(6):
            end_s = 10.0 + 4 * segment
            download = make_download(throughput_bps, segment=segment, end_s=end_s)
            looked = seen(
                buffer_s, last_rung=0, segment=segment, now_s=end_s - 4, downloads=downloads
            )
            running.choose(looked)
            running.delivered(looked, download)
            downloads.append(download)
        looked = seen(buffer_s, last_rung=0, segment=6, now_s=34.0, downloads=downloads)
        rungs.append(running.choose(looked).rung)
    return rungs


@pytest.mark.parametrize("name", KNOWN)
def test_every_algorithm_that_measures_has_it(name: str, weights: dict[str, list[str]]) -> None:
    """It measures if the throughput of earlier downloads alone changes what it chooses."""
    assert KNOWN[name].error is None
    for algorithm in loaded(name, weights):
        if isinstance(algorithm, Rule) and algorithm.needs_trace:
            assert name not in HAVE  # it knows what comes
            continue
        measures = rungs_after(algorithm, 1.5e6) != rungs_after(algorithm, 60e6)
        assert (measures and name not in BY_BUFFER) == (name in HAVE)
    if name in ("policy", "onnx"):
        assert name in HAVE


@pytest.mark.parametrize("name", HAVE)
def test_the_first_segment_comes_at_the_highest_rung_within_it(
    name: str, weights: dict[str, list[str]]
) -> None:
    """The ladder is 1, 2, 4 and 8 Mbit/s; 2.5 allow for what hls.js and Shaka keep in hand."""
    found = [loaded(name, weights, initial_bps=bps) for bps in (0.9e6, 2.5e6, 80e6)]
    for algorithms in zip(*found, strict=True):
        assert [first_rung(each) for each in algorithms] == [0, 1, 3]


@pytest.mark.parametrize("name", [name for name in HAVE if name not in PLAYERS])
def test_without_it_the_lowest_rung_comes_first_and_downloads_count_alone(
    name: str, weights: dict[str, list[str]]
) -> None:
    for plain, told in zip(
        loaded(name, weights), loaded(name, weights, initial_bps=80e6), strict=True
    ):
        assert first_rung(plain) == 0
        for throughput_bps in (1.5e6, 3e6, 60e6):
            assert rungs_after(plain, throughput_bps) == rungs_after(told, throughput_bps)


@pytest.mark.parametrize("name", HAVE)
def test_it_cannot_be_negative(name: str, weights: dict[str, list[str]]) -> None:
    if name != "onnx":
        with pytest.raises(AlgorithmError, match="initial_bps"):
            loaded(name, weights, initial_bps=-1.0)


def test_a_network_has_nothing_of_a_planner(weights: dict[str, list[str]]) -> None:
    """It would be without effect, and nobody would see that."""
    with pytest.raises(AlgorithmError, match=r"a neural network and has no stall_weight.*expected"):
        registry.load("policy", weights=weights["policy"][1], stall_weight=5.0)
