"""What ``abr agree --browser`` prints, and what it calls beyond the bounds."""

from __future__ import annotations

import json

import pytest

from abr.errors import InputError, ResourceError
from abr.qoe import Interval
from bench.browser.apart import Case, Side
from bench.browser.run.cases import LIVE, SIMULATED, Calibration, configs_of, first_error
from bench.stack.cli import browsers
from player.config import PlayerConfig

AT = {"hls.js": Calibration(request_s=0.02, simulated_delay_s=0.15, live_delay_s=0.12)}


def side(source: str, *, startup_s: float = 1.0, rungs: tuple[int, ...] = (0, 1, 1)) -> Side:
    """A playback with one stall of 2 s."""
    stalls = (Interval(start_s=5.0, end_s=7.0),)
    return Side(source=source, startup_s=startup_s, stalls=stalls, rungs=rungs)


def case(*, simulated_s: float = 1.1, player: str = "hls.js") -> Case:
    """Two runs of the browser, and ours."""
    return Case(
        package="film",
        player=player,
        trace="train",
        pinned_rung=-1,
        browser=(side(player), side(player)),
        ours=(side(LIVE), side(SIMULATED, startup_s=simulated_s)),
    )


def test_every_playback_is_a_row_and_the_pairs_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The simulation began 0.4 s late: of its two pairs none is within the bounds."""
    browsers.print_table([case(simulated_s=1.4)], AT)
    said = capsys.readouterr().out
    assert said.count("hls.js ") >= 2
    assert "APART: startup" in said
    assert "abr play: 2 of 2 pairs" in said
    assert "abr simulate: 0 of 2 pairs" in said
    assert "20 ms for a request" in said
    assert "with itself agrees" in said


def test_as_json_every_pair_is_told() -> None:
    """Ours against both runs, and these against each other."""
    told = json.loads(json.dumps(browsers.as_dict([case()], AT)))
    only = told["cases"][0]
    assert [len(only["apart"][source]) for source in (LIVE, SIMULATED)] == [2, 2]
    assert only["apart"][SIMULATED][0]["startup_s"] == pytest.approx(0.1)
    assert len(only["spread"]) == 1
    assert only["rung"] is None
    assert told["calibrated"]["hls.js"]["request_s"] == 0.02


def test_only_hls_js_must_keep_the_bounds() -> None:
    """What is known of the others is shown as it is."""
    assert browsers.beyond([case()]) == []
    assert browsers.beyond([case(simulated_s=2.0)]) == [
        "abr simulate and hls.js agree in 0 of 2 pairs"
    ]
    assert browsers.beyond([case(simulated_s=2.0, player="native")]) == []


def test_players_are_named_in_a_list() -> None:
    """Blanks do not matter; what is not known is refused."""
    assert browsers.players_named("hls.js, native") == ("hls.js", "native")
    with pytest.raises(InputError, match="unknown player 'vlc'"):
        browsers.players_named("vlc")


def test_what_requests_take_in_the_browser_is_charged_to_both_of_ours() -> None:
    """30 ms a request: all of it simulated; live 26 ms more, for 4 ms pass there anyway."""
    config = PlayerConfig(rtt_s=0.04, server_s=0.004)
    live, simulated = configs_of(config, 0.03, 0.2, 0.1)
    assert live.rtt_s == pytest.approx(0.066)
    assert live.render_delay_s == 0.2
    assert (simulated.rtt_s, simulated.server_s, simulated.render_delay_s) == (0.04, 0.03, 0.1)


def test_of_many_errors_one_of_ours_is_told() -> None:
    """A group within a group holds it."""
    ours = ResourceError("no browser")
    group = ExceptionGroup("", [ValueError("x"), ExceptionGroup("", [ours])])
    assert first_error(group) is ours
