"""Networks of plain arrays, and the vector that all learning looks at."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.checks import check_algorithm
from abr.decision import Download, Observation, begin, downloads_from
from abr.errors import AlgorithmError
from abr.media import FloatArray, constant_presentation
from abr.neural import (
    MOST,
    PAST,
    Layer,
    build_layers,
    build_network,
    build_rule,
    evaluate,
    fill_vector,
    vector_width,
)

PRESENTATION = constant_presentation((1e6, 4e6), segments=4, segment_s=2.0)


def seen(segment: int = 1, done: int = 1) -> Observation:
    finished = [Download(k, 0, 250e3, 10.0 * k, 10.0 * k + 1, 10.0 * k + 2) for k in range(done)]
    return Observation(
        20.0,
        segment,
        5.0,
        30.0,
        0 if done else -1,
        done > 0,
        PRESENTATION.bitrates_bps,
        PRESENTATION.sizes_bytes,
        PRESENTATION.durations_s,
        downloads_from(finished),
    )


def vector(what: Observation) -> FloatArray:
    filled = np.full(vector_width(2), np.nan)
    fill_vector(filled, what)
    return filled


def test_the_vector_is_as_documented() -> None:
    filled = vector(seen())
    assert len(filled) == 5 + 2 * 8 + 2
    # last rung 0 of 2; 5 s of buffer; 3 of 4 segments left; 2 s long; playing
    assert filled[:5].tolist() == [0.5, 0.5, 0.75, 0.2, 1.0]
    # 250 kB in 2 s are 1 Mbit/s, the newest stands last
    assert filled[5 : 5 + PAST].tolist() == [0.0] * 7 + [1.0]
    assert filled[5 + PAST : 5 + 2 * PAST].tolist() == [0.0] * 7 + [0.2]
    # 2 s at 1 and 4 Mbit/s are 2 and 8 megabits
    assert filled[-2:].tolist() == [math.sqrt(2.0), math.sqrt(8.0)]


def test_the_vector_before_the_first_segment_and_after_the_last() -> None:
    first = vector(seen(segment=0, done=0))
    assert first[0] == 0.0
    assert first[4] == 0.0
    assert not first[5 : 5 + 2 * PAST].any()
    last = vector(seen(segment=4))
    assert last[2] == last[3] == 0.0
    assert not last[-2:].any()


def test_only_the_newest_downloads_are_in_the_vector() -> None:
    assert (vector(seen(done=20))[5 : 5 + PAST] == 1.0).all()


def test_the_vector_is_bounded() -> None:
    wild = seen()._replace(
        buffer_s=1e9, downloads=downloads_from([Download(0, 0, 1e15, 0.0, 0.0, 0.0)])
    )
    filled = vector(wild)
    assert filled.max() == MOST
    assert filled.min() == 0.0


def test_a_network_worked_out_by_hand() -> None:
    layers = build_layers(
        [
            ([[1.0, -1.0], [2.0, 0.5], [-1.0, 0.0]], [0.0, -1.0, 0.5], "relu"),
            ([[1.0, 2.0, 3.0]], [0.25], "tanh"),
        ]
    )
    outputs = np.zeros(1)
    evaluate(build_network(layers), np.array([1.0, 2.0]), outputs)
    # hidden: max(-1, 0) = 0, max(2, 0) = 2, max(-0.5, 0) = 0; then tanh(4.25)
    assert outputs[0] == math.tanh(4.25)


def test_a_network_equals_the_same_sums_in_numpy() -> None:
    rng = np.random.default_rng(2)
    parts = [(rng.standard_normal((7, 5)), rng.standard_normal(7), "tanh")]
    parts.append((rng.standard_normal((9, 7)), rng.standard_normal(9), "relu"))
    parts.append((rng.standard_normal((3, 9)), rng.standard_normal(3), "none"))
    x = rng.standard_normal(5)
    outputs = np.zeros(3)
    evaluate(build_network(build_layers(parts)), x, outputs)
    hidden = np.maximum(parts[1][0] @ np.tanh(parts[0][0] @ x + parts[0][1]) + parts[1][1], 0)
    np.testing.assert_allclose(outputs, parts[2][0] @ hidden + parts[2][1], rtol=1e-12)


def random_layers(rungs: int, seed: int = 3) -> tuple[Layer, ...]:
    rng = np.random.default_rng(seed)
    width = vector_width(rungs)
    return build_layers(
        [
            (rng.standard_normal((6, width)), rng.standard_normal(6), "relu"),
            (rng.standard_normal((rungs, 6)), rng.standard_normal(rungs), "none"),
        ]
    )


def test_a_network_for_another_ladder_is_refused() -> None:
    with pytest.raises(AlgorithmError, match="takes 24 numbers and gives 3; expected 23 and 2"):
        begin(build_rule(random_layers(3)), PRESENTATION)


def test_the_highest_score_wins_and_the_lowest_rung_of_equals() -> None:
    width = vector_width(2)
    for scores, expected in (((0.0, 1.0), 1), ((1.0, 0.0), 0), ((1.0, 1.0), 0)):
        layers = build_layers([(np.zeros((2, width)), scores, "none")])
        assert begin(build_rule(layers), PRESENTATION).choose(seen()).rung == expected


def test_playbacks_share_nothing() -> None:
    rule = build_rule(random_layers(2))
    first, second = begin(rule, PRESENTATION), begin(rule, PRESENTATION)
    assert first.choose(seen()) == second.choose(seen())


class AnyLadder:
    """A network made for whatever ladder comes."""

    def choose(self, what: Observation) -> int:
        presentation = constant_presentation(
            what.ladder_bps.tolist(), segments=len(what.durations_s), segment_s=2.0
        )
        return (
            begin(build_rule(random_layers(len(what.ladder_bps))), presentation).choose(what).rung
        )


def test_networks_pass_the_checks() -> None:
    check_algorithm(AnyLadder)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([], "without layers"),
        ([([[1.0]], [0.0, 0.0], "none")], "biases of shape"),
        ([([1.0], [0.0], "none")], "weights of shape"),
        ([([[math.nan]], [0.0], "none")], "not finite"),
        ([([[1.0]], [0.0], "softplus")], "activation 'softplus'"),
        ([([["a"]], [0.0], "none")], "weights or biases of a layer"),
        ([([[1.0]], [0.0], "none"), ([[1.0, 2.0]], [0.0], "none")], "layer 1 takes 2"),
    ],
)
def test_layers_that_make_no_network(
    parts: list[tuple[list[float], list[float], str]], says: str
) -> None:
    with pytest.raises(AlgorithmError, match=says):
        build_network(build_layers(parts))
