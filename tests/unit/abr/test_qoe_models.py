"""Every QoE by hand, over one small playback."""

from __future__ import annotations

import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.errors import QoEError, ToolMissingError
from abr.log import SessionLog
from abr.media import Presentation
from abr.qoe import (
    NAMES,
    QOE_LIN,
    Additive,
    Viewing,
    hd,
    linear,
    log,
    named,
    own,
    p1203,
    qoe_lin,
    sabre,
    ssim,
    viewing_of,
    vmaf,
)
from abr.qoe.viewing import make_viewing

MBPS = 1e6


def seen(**more: Any) -> Viewing:
    """Segments of 4 s at 1, 4 and 2 Mbit/s, the last left after 1 s.

    Startup took 2 s; 1.5 s were stalled before the second segment, 0.5 s within the third.
    """
    known: dict[str, Any] = {
        "rungs": [0, 2, 1],
        "durations_s": [4.0, 4.0, 4.0],
        "played_s": 9.0,
        "stall_s": 2.0,
        "stalls": [[4.0, 1.5], [8.5, 0.5]],
        "ladder_bps": [1 * MBPS, 2 * MBPS, 4 * MBPS],
        "quality": [50.0, 90.0, 70.0],
        "quality_metric": "vmaf",
        "startup_s": 2.0,
        "ended": "complete",
        "algorithm": "bba-0",
        "presentation": "film",
        "trace": "bus",
    }
    return make_viewing(**{**known, **more})


def nothing() -> Viewing:
    return seen(rungs=[], durations_s=[], played_s=0.0, stall_s=0.0, stalls=[], quality=[])


def test_the_stall_weight_of_linear_is_the_top_rung() -> None:
    """Rates sum up to 7, changes to 3 + 2; 2 s stalled cost 4 each: (7 - 5 - 8) / 3."""
    assert linear().score(seen()) == pytest.approx(-2.0)
    assert linear().name == "linear"
    # A ladder up to 160 Mbit/s: rates 20 and 160, a change of 140, 1 s stalled.
    fast = seen(
        rungs=[0, 1], durations_s=[4.0, 4.0], played_s=8.0, stall_s=1.0, stalls=[[4.0, 1.0]],
        ladder_bps=[20 * MBPS, 160 * MBPS], quality=None, quality_metric=None,
    )  # fmt: skip
    assert linear().score(fast) == pytest.approx((180 - 140 - 160) / 2)
    assert QOE_LIN.score(fast) == pytest.approx((180 - 140 - 4.3) / 2)
    assert "− 160 · stalled s" in linear().formula(fast.ladder_bps)


def test_linear_takes_weights_of_other_papers() -> None:
    """Yin counts startup like stalls: (7 - 0.5 * 5 - 3 * 2 - 3 * 2) / 3."""
    found = linear(stall_weight=3, switch_weight=0.5, startup_weight=3)
    assert found.score(seen()) == pytest.approx(-7.5 / 3)
    assert found.name == "linear:stall_weight=3,switch_weight=0.5,startup_weight=3"
    assert named(found.name).score(seen()) == found.score(seen())


def test_the_published_weights_are_those_of_pensieve() -> None:
    """(7 - 5 - 4.3 * 2) / 3, as the function that rows are made with."""
    assert QOE_LIN.score(seen()) == pytest.approx(-6.6 / 3)
    assert QOE_LIN.score(seen()) == pytest.approx(qoe_lin([1e6, 4e6, 2e6], 2.0))
    top = np.array([0.3e6, 4.3e6])
    assert linear().weigh(top) == QOE_LIN.weigh(top)


def test_log_is_of_the_rate_over_the_lowest() -> None:
    """Utilities 0, ln 4 and ln 2 change by ln 4 and ln 2, and cancel: -2.66 * 2 / 3."""
    assert log().score(seen()) == pytest.approx(-2.66 * 2 / 3)
    assert log(switch_weight=0).score(seen()) == pytest.approx((math.log(8) - 5.32) / 3)
    # ln(4.3 / 0.3) is 2.66: the same rule as that of linear.
    assert math.log(4.3 / 0.3) == pytest.approx(2.66, abs=0.005)


def test_hd_has_levels_for_six_rungs_only() -> None:
    """Levels 1, 20 and 15 of rungs 0, 5 and 4: 36, changes of 19 and 5, stalls at 8."""
    six = [0.3e6, 0.75e6, 1.2e6, 1.85e6, 2.85e6, 4.3e6]
    assert hd().score(seen(rungs=[0, 5, 4], ladder_bps=six)) == pytest.approx((36 - 24 - 16) / 3)
    with pytest.raises(QoEError, match="film has 3 rungs and Pensieve's levels are for 6; use"):
        hd().score(seen())


def test_vmaf_gains_by_rises_and_loses_by_falls() -> None:
    """VMAF 50, 90, 70: sum 210, one rise of 40, one fall of 20, 2 s stalled."""
    expected = 0.8469011 * 210 + 0.29797156 * 40 - 1.06099887 * 20 - 28.79591348 * 2
    assert vmaf().score(seen()) == pytest.approx(expected / 3)
    assert "+ 0.297972 · Σ rises − 1.061 · Σ falls" in vmaf().formula(np.array([1e6]))


def test_ssim_is_in_decibels_up_to_sixty() -> None:
    """SSIM 0.9, 0.99 and 1 are 10, 20 and 60 dB: 90 - (10 + 40) - 100 * 2."""
    measured = seen(quality=[0.9, 0.99, 1.0], quality_metric="ssim")
    assert ssim().score(measured) == pytest.approx((90 - 50 - 200) / 3)


@pytest.mark.parametrize(
    ("more", "has"),
    [({"quality": None, "quality_metric": None}, "none"), ({"quality_metric": "xpsnr"}, "xpsnr")],
)
def test_quality_that_was_not_measured_is_asked_for(more: dict[str, Any], has: str) -> None:
    with pytest.raises(QoEError, match=rf"film has .*{has}; play a package of `abr transcode"):
        vmaf().score(seen(**more))


def test_sabre_is_utility_over_time() -> None:
    """4 s at 0, 4 s at ln 4 and 1 s at ln 2, less 5 * 2 s, in 2 + 9 + 2 s."""
    assert sabre().score(seen()) == pytest.approx((math.log(4) * 4 + math.log(2) - 10) / 13)
    assert sabre(gamma=0).name == "sabre:gamma=0"


@pytest.mark.parametrize("model", [QOE_LIN, linear(), log(), vmaf()])
def test_parts_of_segments_add_up_to_the_score(model: Additive) -> None:
    """A stall belongs to the segment at whose start, or within which, it was."""
    assert model.parts(seen()).mean() == pytest.approx(model.score(seen()))
    assert seen().stalls_s.tolist() == [0.0, 1.5, 0.5]
    assert linear(startup_weight=1).parts(seen())[0] == pytest.approx(1 - 2)


def test_a_bound_qoe_has_the_utility_of_every_segment() -> None:
    """An environment's reward: what a segment is worth, and what waits and changes cost."""
    presentation = Presentation(
        bitrates_bps=np.array([1e6, 2e6]),
        sizes_bytes=np.full((2, 3), 1e6),
        durations_s=np.full(3, 4.0),
        quality=np.array([[50.0, 60.0, 70.0], [80.0, 90.0, 100.0]]),
        quality_metric="vmaf",
    )
    utility, weights = linear().bind(presentation)
    assert utility.tolist() == [[1.0] * 3, [2.0] * 3]
    assert weights.stall == 2.0
    utility, weights = vmaf().bind(presentation)
    assert utility[1].tolist() == [80.0, 90.0, 100.0]
    assert (weights.worth, weights.rise) == (0.8469011, -0.29797156)


def test_nothing_shown_scores_nothing() -> None:
    for model in (QOE_LIN, linear(), log(), sabre()):
        assert model.score(nothing()) == 0


def a_log() -> SessionLog:
    """Startup 2 s; 4 s of rung 0; a stall of 3 s; 4 s of rung 1, with a pause in them."""
    session = SessionLog({"rungs": 2, "ladder_bps": [1e6, 4e6], "algorithm": "bba-0"})
    session.add("start", 0.0)
    session.add("state", 2.0, **{"from": "startup", "to": "playing"}, why="media ready")
    session.add("play", 2.0, segment=0, rung=0, duration_s=4.0, bitrate_bps=1e6)
    session.add("state", 6.0, **{"from": "playing", "to": "stalled"}, why="media ran out")
    session.add("state", 9.0, **{"from": "stalled", "to": "playing"}, why="media ready")
    session.add("play", 9.0, segment=1, rung=1, duration_s=4.0, bitrate_bps=4e6)
    session.add("state", 10.0, **{"from": "playing", "to": "paused"}, why="paused by viewer")
    session.add("state", 20.0, **{"from": "paused", "to": "playing"}, why="resumed by viewer")
    session.add("state", 23.0, **{"from": "playing", "to": "ended"}, why="complete")
    session.add("ended", 23.0, why="complete", playhead_s=8.0)
    return session


def test_a_log_is_seen_as_results_are() -> None:
    """The stall is after 4 s of media; the pause is no wait."""
    viewing = viewing_of(a_log())
    assert viewing.stalls == ((4.0, 3.0),)
    assert viewing.stalls_s.tolist() == [0.0, 3.0]
    assert viewing.played_s.tolist() == [4.0, 4.0]
    assert (viewing.startup_s, viewing.stall_s, viewing.ended) == (2.0, 3.0, "complete")
    # (1 + 4 - 3 - 4 * 3) / 2
    assert linear().score(a_log()) == pytest.approx(-5.0)


def test_parameters_are_read_from_text() -> None:
    assert named("linear:stall_weight=20").score(seen()) == pytest.approx((7 - 5 - 40) / 3)
    assert named("linear", params={"stall_weight": 20}).name == "linear:stall_weight=20"
    assert named("log", label="QoE").label == "QoE"
    assert set(NAMES) >= {"qoe_lin", "linear", "log", "hd", "vmaf", "ssim", "sabre", "p1203"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("liner", "unknown QoE 'liner'; did you mean 'linear'"),
        ("linear:stal_weight=3", "no parameter 'stal_weight'; did you mean 'stall_weight'"),
        ("linear:stall_weight=much", "stall_weight is 'much'; expected a finite number"),
        ("linear:stall_weight=-1", "stall_weight is -1.0; expected 0 or more"),
        ("linear:switch_weight=nan", "expected a finite number"),
        ("linear:stall_weight=nan", "expected a finite number"),
        ("linear:stall_weight=3,stall_weight=4", "each name once"),
        ("qoe_lin:stall_weight=3", "linear:stall_weight=… does"),
        ("nowhere.py:score", "nowhere.py: no such file"),
        ("math:no_such", "math has no 'no_such'"),
        ("math:sqr", "did you mean 'sqrt'?"),
        ("math:pi", "float cannot be called; name a function"),
        ("no_such_module_xyz:score", "there is no module 'no_such_module_xyz' here"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(text: str, said: str) -> None:
    with pytest.raises(QoEError) as caught:
        named(text)
    assert said in str(caught.value)


def test_a_function_of_ones_own_is_a_qoe(tmp_path: Path) -> None:
    """It may import what lies beside it, and takes parameters."""
    (tmp_path / "weights_beside.py").write_text("STALL = 10\n")
    (tmp_path / "mine.py").write_text(
        "from weights_beside import STALL\n"
        "def score(viewing, scale=1):\n"
        '    """Mean rate, less stalls."""\n'
        "    return scale * (viewing.bitrates_bps.mean() / 1e6 - STALL * viewing.stall_s)\n"
    )
    found = named("mine.py:score", folder=tmp_path)
    assert found.score(seen()) == pytest.approx(7 / 3 - 20)
    assert found.formula(np.array([1e6])) == "Mean rate, less stalls"
    twice = named("mine.py:score:scale=2", folder=tmp_path)
    assert twice.score(seen()) == pytest.approx(14 / 3 - 40)
    assert twice.name == "mine.py:score:scale=2"
    with pytest.raises(QoEError, match="unexpected keyword argument 'sale'"):
        named("mine.py:score:sale=2", folder=tmp_path)


def test_a_module_of_the_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "module_of_mine.py").write_text("def score(viewing):\n    return 7\n")
    assert named("module_of_mine:score", folder=tmp_path).score(seen()) == 7


def test_what_does_not_load_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def score(viewing:\n")
    with pytest.raises(QoEError, match=r"QoE 'mine.py:score': mine.py does not load: SyntaxError"):
        named("mine.py:score", folder=tmp_path)


def test_an_edited_function_is_another(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("def score(viewing):\n    return 1\n")
    before = named("mine.py:score", folder=tmp_path)
    mine.write_text("def score(viewing):\n    return 2\n")
    after = named("mine.py:score", folder=tmp_path)
    assert (before.score(seen()), after.score(seen())) == (1, 2)
    assert before.source != after.source
    assert before.source.startswith("mine.py, SHA-256 ")  # wherever it lies


def broken(viewing: Viewing) -> float:
    return 1 / 0


def wordy(viewing: Viewing) -> Any:
    return "good"


def absent(viewing: Viewing) -> Any:
    return None


def endless(viewing: Viewing) -> float:
    return math.inf


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (broken, "ZeroDivisionError: division by zero"),
        (endless, "it returned inf; expected a finite number"),
        (wordy, "it returned 'good'; expected a finite number"),
        (absent, "it returned None; expected a finite number"),
    ],
)
def test_a_function_that_fails_is_named_with_its_session(function: Any, said: str) -> None:
    with pytest.raises(QoEError) as caught:
        own(function).score(seen())
    assert f"session of bba-0, film, bus: {said}" in str(caught.value)


def test_p1203_calls_the_implementation_where_there_is_one(monkeypatch: Any) -> None:
    """It is not installed here: what stands in for it scores by the stalls it was given."""
    monkeypatch.setitem(sys.modules, "itu_p1203", None)
    with pytest.raises(ToolMissingError, match="pip install git"):
        p1203()

    class Standalone:
        def __init__(self, report: dict[str, Any], *, quiet: bool) -> None:
            assert quiet
            self.report = report

        def calculate_complete(self) -> dict[str, float]:
            return {"O46": 5.0 - sum(length for _, length in self.report["I23"]["stalling"])}

    monkeypatch.setitem(sys.modules, "itu_p1203", types.SimpleNamespace(P1203Standalone=Standalone))
    # Startup of 2 s and two stalls, 2 s in all.
    assert p1203().score(seen()) == pytest.approx(1.0)
    assert named("p1203:device=mobile").name == "p1203:device=mobile"

    class Ends(Standalone):
        def calculate_complete(self) -> dict[str, float]:
            raise SystemExit("no duration")

    monkeypatch.setitem(sys.modules, "itu_p1203", types.SimpleNamespace(P1203Standalone=Ends))
    with pytest.raises(QoEError, match="session of bba-0: SystemExit: no duration"):
        p1203().score(seen())
    with pytest.raises(QoEError, match="device is 'tv'; expected pc or mobile"):
        p1203(device="tv")
