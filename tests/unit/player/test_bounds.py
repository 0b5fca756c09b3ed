"""An upper bound is one where its plan knows the rules, and is marked elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from abr.media import constant_presentation
from abr.sabremovie import write_sabre_movie
from abr.trace import Trace
from player import simulate_many
from player.api import simulate
from player.bounds import unplanned, why_no_bound
from player.cli.simulate import simulate as command
from player.config import PlayerConfig

TRACE = Trace.from_periods([(20.0, 2e6, 0.05), (20.0, 6e5, 0.05)], name="up and down")
PRESENTATION = constant_presentation([3e5, 1e6, 3e6], segments=5, segment_s=4.0)


def test_plans_are_for_our_own_player_and_some_of_its_settings() -> None:
    assert why_no_bound("abrkit", {}) == ""
    assert why_no_bound("abrkit", {"max_buffer_s": 12.0, "rtt_s": 0.2}) == ""
    assert why_no_bound("abrkit", {"startup_buffer_s": PlayerConfig().startup_buffer_s}) == ""
    assert "not plan for startup_buffer_s" in why_no_bound("abrkit", {"startup_buffer_s": 8.0})
    assert "not plan for like" in why_no_bound("abrkit", {"like": "hlsjs-chromium"})
    assert "not for the rules of sabre" in why_no_bound("sabre", {})


def test_settings_that_no_plan_knows_are_found() -> None:
    assert unplanned(PlayerConfig(max_buffer_s=12.0)) == {}
    assert unplanned(PlayerConfig(startup_buffer_s=8.0)) == {"startup_buffer_s": 8.0}


@pytest.mark.parametrize("name", ["optimal", "clairvoyant"])
def test_the_log_says_where_a_bound_is_none(name: str) -> None:
    odd = PlayerConfig(startup_buffer_s=8.0)
    known, other = (
        simulate(PRESENTATION, trace=TRACE, algorithm=name, config=config).provenance
        for config in (PlayerConfig(max_buffer_s=12.0), odd)
    )
    assert "no_upper_bound" not in known
    assert "startup_buffer_s" in other["no_upper_bound"]
    rule = simulate(PRESENTATION, trace=TRACE, algorithm="bba-0", config=odd).provenance
    assert "no_upper_bound" not in rule


def test_rows_of_many_sessions_say_where_a_bound_is_none() -> None:
    for config, word in ((PlayerConfig(), ""), (PlayerConfig(startup_buffer_s=8.0), "startup_buf")):
        table = simulate_many(
            PRESENTATION,
            traces=TRACE,
            algorithms=["optimal", "bba-0"],
            config=config,
            engine="plain",
        )
        bound, rival = table["no_upper_bound"].tolist()
        assert (word in bound, bool(bound), rival) == (True, bool(word), "")


def test_rows_of_a_preset_say_where_a_bound_is_none(tmp_path: Path) -> None:
    (tmp_path / "film.json").write_text(write_sabre_movie(PRESENTATION))
    period = {"duration_ms": 9000, "bandwidth_kbps": 900, "latency_ms": 40}
    (tmp_path / "net.json").write_text(json.dumps([period]))
    files = ["--movie", str(tmp_path / "film.json"), "--network", str(tmp_path / "net.json")]
    for preset, has_bound in (("sabre", False), ("abrkit", True)):
        words = ["--preset", preset, *files, "--algorithm", "optimal", "throughput", "--json"]
        found = CliRunner().invoke(command, words)
        bound, rival = map(json.loads, found.stdout.splitlines())
        assert ("no_upper_bound" not in bound) == has_bound
        assert "no_upper_bound" not in rival
        assert ("optimal is no upper bound here" not in found.stderr) == has_bound
