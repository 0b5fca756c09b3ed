"""Defaults stand once: whoever plays or plans without being told does so alike."""

from __future__ import annotations

import inspect

from abr import registry
from abr.link import SharedLink
from player.batch.abrkit.timeline import Options, config_of, options_of
from player.config import PlayerConfig
from player.shaping.proxy import Shaper


def test_a_batch_plays_as_the_player_does() -> None:
    assert Options() == options_of(PlayerConfig())
    assert config_of(Options()) == PlayerConfig()


def test_links_have_the_round_trip_of_the_player() -> None:
    for made in (SharedLink, Shaper):
        assert inspect.signature(made).parameters["rtt_s"].default == PlayerConfig().rtt_s


def test_who_plans_plans_for_the_player() -> None:
    config = PlayerConfig()
    for row in registry.describe():
        for name in ("max_buffer_s", "rtt_s", "response_overhead_bytes", "server_s"):
            if row.name in ("optimal", "clairvoyant") and name in row.params:
                assert row.params[name] == getattr(config, name), (row.name, name)
