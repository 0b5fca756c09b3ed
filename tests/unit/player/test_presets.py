"""Presets of the player: data with sources."""

from __future__ import annotations

from dataclasses import fields

import pytest

from abr import registry
from abr.errors import ConfigError
from player.cli.options import PLAYERS
from player.config import PlayerConfig
from player.presets import PRESETS, preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_rule_of_a_preset_is_a_setting_with_a_source(name: str) -> None:
    """What differs from the default is a rule, each setting once, and its source is told."""
    rules = PRESETS[name].rules
    named = [rule.setting for rule in rules]
    assert len(named) == len(set(named))
    assert all(len(rule.source) > 20 for rule in rules)
    config, plain = PRESETS[name].config, PlayerConfig()
    differ = {f.name for f in fields(config) if getattr(config, f.name) != getattr(plain, f.name)}
    assert differ <= set(named)


@pytest.mark.parametrize("name", PRESETS)
def test_the_algorithm_of_a_preset_is_there(name: str) -> None:
    registry.load(PRESETS[name].algorithm)


def test_a_preset_leaves_machine_and_network_as_they_are() -> None:
    mine = PlayerConfig(render_delay_s=0.07, rtt_s=0.1, server_s=0.001, seed=5)
    config = preset("hlsjs-chromium").applied_to(mine)
    assert (config.render_delay_s, config.rtt_s, config.server_s, config.seed) == (
        0.07,
        0.1,
        0.001,
        5,
    )
    assert (config.resume_growth, config.tracks) == (2.0, "paced")


def test_an_unknown_player_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'hlsjs-chromium'"):
        preset("hlsjs-chrome")


def test_the_command_line_offers_every_player() -> None:
    assert set(PLAYERS) == set(PRESETS)
