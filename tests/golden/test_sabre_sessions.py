"""Whole sessions of all thirteen configurations, as the reference tool played them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from player.batch.configurations import SABRE_CONFIGURATIONS
from player.batch.run.batch import Batch, Engine
from tests.fakes.sabre import Expected, differences, play, presentation_of_movie, trace_of

HERE = Path(__file__).parent
GOLD = HERE.parents[2] / "shared" / "gold"
CONFIGS = sorted(SABRE_CONFIGURATIONS)


@cache
def table() -> dict[str, Any]:
    """The small table, its rows as dictionaries, rungs as the full file has them."""
    read: dict[str, Any] = json.loads((HERE / "sabre_sessions.json").read_text())
    rows = [dict(zip(read["columns"], row, strict=True)) for row in read["sessions"]]
    for row in rows:
        row.update(movie="the one", quality=" ".join(row["quality"]))
    return {"movies": {"the one": read["movie"]}, "nets": read["nets"], "sessions": rows}


@cache
def full() -> dict[str, Any]:
    """The full reference file in the same shape."""
    read: dict[str, Any] = {
        name: {
            path.stem: json.loads(path.read_text()) for path in (GOLD / name[:-1]).glob("*.json")
        }
        for name in ("movies", "nets")
    }
    read["sessions"] = json.loads((GOLD / "sabre.json").read_text())["sessions"]
    return read


def expected_of(row: dict[str, Any]) -> Expected:
    return Expected(
        rungs=[int(rung) for rung in row["quality"].split()],
        stall_ms=row["rebuffer_ms"],
        stalls=row["rebuffer_events_real"],
        total_ms=row["total_play_ms"],
        downloads=row["n_downloads"],
        abandoned=row["n_abandon"],
    )


def check(found: dict[str, Any], config: str, engine: Engine, every: int = 1) -> int:
    """Play the sessions of ``config``; how many there were."""
    count = 0
    for movie, facts in found["movies"].items():
        for abandon in (True, False):
            chosen = (config, abandon, movie)
            rows = [
                row
                for row in found["sessions"]
                if (row["config"], row["abandon"], row["movie"]) == chosen
            ][::every]
            traces = [trace_of(found["nets"][row["net"]]) for row in rows]
            batch = play(
                config, presentation_of_movie(facts), traces, abandon=abandon, engine=engine
            )
            for k, row in enumerate(rows):
                case = (movie, row["net"], config, abandon)
                assert not differences(batch, k, expected_of(row)), case
                check_means(batch, k, row)
            count += len(rows)
    return count


def check_means(batch: Batch, k: int, row: dict[str, Any]) -> None:
    """Start-up, the tool's time average of the rate, and the sum of its changes."""
    assert batch.total("startup_s")[k] == pytest.approx(row["startup_ms"] / 1e3, abs=1e-6)
    mean_bps = batch.total("bitrate_time_bits")[k] / batch.total("ended_s")[k]
    assert mean_bps == pytest.approx(row["played_bitrate_timeavg"] * 1e3, abs=1)
    assert batch.total("bitrate_change_bps")[k] == pytest.approx(row["bitrate_change"] * 1e3)


@pytest.mark.parametrize("config", CONFIGS)
def test_plain_sessions_are_those_of_the_reference(config: str) -> None:
    assert check(table(), config, "plain") == 8


@pytest.mark.timeout(900)  # a rule is compiled once, which takes half a minute or more
@pytest.mark.parametrize("config", CONFIGS)
def test_compiled_sessions_are_those_of_the_reference(config: str) -> None:
    """All 728 where the full reference file is there, else 104."""
    assert check(table(), config, "compiled") == 8
    if GOLD.is_dir():
        assert check(full(), config, "compiled") == 56
