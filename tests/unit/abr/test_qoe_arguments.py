"""Whatever ``abr.qoe`` is given that it cannot use, it says so, and what to give."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pytest

from abr import qoe
from abr.errors import ArgumentError, InputError, LogFormatError, QoEError
from abr.log import SessionLog
from abr.media import constant_presentation
from abr.trace import Trace
from player import simulate, simulate_many

PRESENTATION = constant_presentation([1e6, 2e6], segments=5, segment_s=4.0)
LOG = simulate(PRESENTATION, trace=Trace.constant(3e6))
VIEWING = qoe.viewing_of(LOG)


def own_score(viewing: qoe.Viewing, alpha: float = 1.0) -> float:
    return alpha * viewing.stall_s


async def later(viewing: qoe.Viewing) -> float:
    return viewing.stall_s


no_logs = (None, "session.jsonl", [LOG], 3, VIEWING)
no_models = (None, "linear", ["linear"], qoe.linear(), [qoe.linear], [None], 3)
no_numbers = (None, "3", True, float("nan"), float("inf"), -1.0, [1.0])


def calls(use: Callable[[Any], Any], wrong: Iterable[Any]) -> list[Callable[[], Any]]:
    """``use`` of each."""
    return [partial(use, each) for each in wrong]


Q: Any = qoe
WRONG: dict[str, list[Callable[[], Any]]] = {
    "as_dict": calls(Q.as_dict, no_logs) + calls(lambda x: Q.as_dict(LOG, x), no_models),
    "check_distinct": calls(Q.check_distinct, no_models),
    "hd": calls(lambda x: Q.hd(stall_weight=x), no_numbers),
    "linear": calls(lambda x: Q.linear(stall_weight=x), no_numbers[1:])
    + calls(lambda x: Q.linear(switch_weight=x), no_numbers),
    "log": calls(lambda x: Q.log(startup_weight=x), no_numbers),
    "named": calls(Q.named, (None, 3, b"log", ["log"], qoe.linear(), own_score))
    + calls(lambda x: Q.named("linear", params=x), ([1], "a=1", 3, {3: 1}, {"a": 1}))
    + calls(lambda x: Q.named("log", label=x), (3, None, ["a"]))
    + calls(lambda x: Q.named("log", folder=x), (3, b"x", ["a"]))
    + calls(Q.named, ("", "lin", "linear:", "linear:20", "linear:a=b=c"))
    + calls(Q.named, ("mine.py:score", "mine.py:f:a", "no.module:f")),
    "own": calls(Q.own, (None, 3, "mine.py:score", [own_score], later))
    + calls(lambda x: Q.own(own_score, params=x), ([1], "a", {3: 1}, {"beta": 1}))
    + calls(lambda x: Q.own(own_score, name=x), (None, 3))
    + calls(lambda x: Q.own(own_score, where=x), (None, 3)),
    "p1203": calls(lambda x: Q.p1203(fps=x), (*no_numbers, 0))
    + calls(lambda x: Q.p1203(device=x), (None, "tv", ["pc"])),
    "played_of_each_s": calls(lambda x: Q.played_of_each_s(x, 3.0), (None, 3, ["a", "b"]))
    + calls(lambda x: Q.played_of_each_s([4.0], x), (None, "3")),
    "qoe_lin": calls(lambda x: Q.qoe_lin(x, 1.0), (None, 3, ["1e6"], "abc", LOG))
    + calls(lambda x: Q.qoe_lin([1e6], x), (None, "3")),
    "sabre": calls(lambda x: Q.sabre(gamma=x), no_numbers),
    "scores": calls(lambda x: Q.scores(x, [qoe.linear()]), no_logs)
    + calls(lambda x: Q.scores(LOG, x), no_models),
    "shortfall": calls(Q.shortfall, no_logs),
    "ssim": calls(lambda x: Q.ssim(switch_weight=x), no_numbers),
    "stalls": calls(Q.stalls, no_logs),
    "summary": calls(Q.summary, no_logs),
    "view_quality": calls(lambda x: Q.view_quality(x, [1.0], [1.0]), (None, 3))
    + calls(lambda x: Q.view_quality("vmaf", x, [1.0]), (None, 3, [1, 2], ["a"])),
    "viewing_of": calls(Q.viewing_of, no_logs),
    "vmaf": calls(lambda x: Q.vmaf(fall_weight=x), no_numbers),
}
METHODS = (
    ("score", no_logs[:-1]),
    ("parts", no_logs[:-1]),
    ("bind", (None, "folder", LOG, [PRESENTATION])),
    ("formula", (None, "abc", 3, [[1e6]], [-1.0], [float("nan")])),
    ("score_all", (None, [LOG], VIEWING)),
)


@pytest.mark.parametrize(
    "name", sorted(n for n in qoe.__all__ if inspect.isfunction(getattr(qoe, n)))
)
def test_every_function_refuses_what_it_cannot_use(name: str) -> None:
    """By an error of abrkit that says what was expected or what there is."""
    for call in WRONG[name]:
        with pytest.raises(InputError, match=r"expected|takes|give|no such|no module|cannot be"):
            call()


@pytest.mark.parametrize("model", [qoe.linear(), qoe.log(), qoe.sabre(), qoe.own(own_score)])
@pytest.mark.parametrize("method", METHODS, ids=lambda each: each[0])
def test_every_method_refuses_what_it_cannot_use(
    model: qoe.Model, method: tuple[str, tuple[Any, ...]]
) -> None:
    name, wrong = method
    if not hasattr(model, name) or (name == "formula" and not isinstance(model, qoe.Additive)):
        return
    for each in wrong:
        with pytest.raises(ArgumentError, match=rf"{model.name}: {name}\(.*found .*; expected"):
            getattr(model, name)(each)


def test_an_argument_error_is_a_type_error_that_says_where() -> None:
    with pytest.raises(TypeError, match=r"^QoE linear: score\(of=\.\.\.\): found None; expected"):
        qoe.linear().score(None)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("linear:stall_weight", "'stall_weight' after 'linear'; .* linear takes stall_weight"),
        ("qoe_lin:4.3", "'4.3' after 'qoe_lin'; .* qoe_lin takes none"),
        ("mine.py:score:alpha", "'alpha' after 'mine.py:score'; .*name=value"),
        ("nowhere:score", "no module 'nowhere'.* FILE.py:NAME"),
    ],
)
def test_a_parameter_without_a_value_is_no_module(text: str, says: str) -> None:
    with pytest.raises(QoEError, match=says):
        qoe.named(text)


def test_numbers_of_numpy_are_numbers() -> None:
    found = [Q.linear(stall_weight=x).score(LOG) for x in (3, 3.0, np.float32(3), np.int64(3))]
    assert len(set(found)) == 1


@pytest.mark.parametrize("lacking", ["rung", "bitrate_bps", "to", "duration_s", "why"])
def test_a_log_that_lacks_something_is_no_session(lacking: str) -> None:
    records = [{k: v for k, v in each.items() if k != lacking} for each in LOG.records]
    for judge in (qoe.summary, qoe.viewing_of, qoe.as_dict, qoe.linear().score):
        with pytest.raises(LogFormatError, match=r"cannot be scored .*play again"):
            judge(SessionLog(LOG.provenance, records))


def test_a_log_without_a_start_is_no_session() -> None:
    with pytest.raises(LogFormatError, match=r"no start record.*expected the log of a session"):
        qoe.summary(SessionLog({}))


@pytest.mark.parametrize("utility", [None, 3.0, np.zeros(2), np.zeros((2, 5, 1))])
def test_a_utility_has_a_number_for_each_segment(utility: Any) -> None:
    """One of its own, that is; a single number would count for all without a word."""
    mine = qoe.Additive(
        name="mine",
        label="mine",
        utility=lambda _: utility,
        utility_text="mine",
        weigh=lambda _: qoe.Weights(1.0, 1.0, 1.0),
        source="here",
    )
    for use in (lambda: mine.score(LOG), lambda: mine.bind(PRESENTATION), lambda: mine.parts(LOG)):
        with pytest.raises(QoEError, match=r"mine: its utility has the shape .* for each segment"):
            use()


@pytest.mark.parametrize("wrong", [3, None, qoe.linear, ["log", 3], [own_score]])
def test_many_sessions_are_scored_by_qoes_only(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match=r"simulate_many\(qoe.*expected the name of a QoE"):
        simulate_many(PRESENTATION, traces=Trace.constant(3e6), algorithms="rate", qoe=wrong)
