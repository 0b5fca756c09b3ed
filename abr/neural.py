"""Small neural networks as plain arrays, and the vector of features they take.

A neural network is fully connected layers stored in flat float64 arrays, so it can be
part of the state of an algorithm and be compiled with it; no learning library is needed.
All learned algorithms share one feature vector: neural networks, ONNX models and the
environments of ``player.batch.run.environment`` fill it with the same function.

``vector``, for R rungs and P = ``PAST`` downloads, every number clipped to 0 ... ``MOST``:

=================  ==========================================================
index              number
=================  ==========================================================
0                  (last rung + 1) / R; 0 before the first segment
1                  buffer in seconds / 10
2                  share of the segments remaining, the next one included
3                  media seconds of the next segment / 10; 0 after the last
4                  1 while playing, 0 during startup and stalls
5 ... 4+P          square root of the Mbit/s of each of the last P downloads, waits for
                   first bytes included, newest last; 0 if there was none
5+P ... 4+2P       seconds of each of these downloads / 10
5+2P ... 4+2P+R    square root of the next segment's Mbit, per rung; 0 after the last
=================  ==========================================================

Square roots keep 0.3 and 300 Mbit/s distinguishable in one range and, unlike logarithms,
are correctly rounded on every machine.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Observation, Rule
from abr.errors import AlgorithmError
from abr.media import FloatArray, frozen_array

PAST = 8
"""Number of past downloads in the vector."""
MOST = 100.0
"""Largest number in the vector."""

Activation = Literal["none", "tanh", "relu"]
ACTIVATIONS: tuple[Activation, ...] = ("none", "tanh", "relu")
"""Activations, by their code in ``NeuralNetwork.shapes``."""


def vector_width(rungs: int) -> int:
    """Length of the vector for a ladder of ``rungs`` rungs."""
    return 5 + 2 * PAST + rungs


def fill_vector(vector: Any, seen: Observation) -> None:
    """Write the features of ``seen`` into ``vector``, shape (W,); see the module's docstring."""
    rungs, segments = len(seen.ladder_bps), len(seen.durations_s)
    is_more = seen.segment < segments
    fill_current(
        vector,
        (seen.last_rung + 1) / rungs,
        seen.buffer_s,
        (segments - seen.segment) / segments,
        seen.durations_s[seen.segment] if is_more else 0.0,
        seen.playing,
    )
    count = len(seen.downloads.end_s)
    for k in range(PAST):
        i = count - PAST + k
        rate, time = 0.0, 0.0
        if i >= 0:
            elapsed_s = seen.downloads.end_s[i] - seen.downloads.start_s[i]
            rate = encode_throughput(seen.downloads.size_bytes[i], elapsed_s)
            time = clip(elapsed_s / 10)
        vector[5 + k] = rate
        vector[5 + PAST + k] = time
    for rung in range(rungs):
        size_bytes = seen.sizes_bytes[rung, seen.segment] if is_more else 0.0
        vector[5 + 2 * PAST + rung] = encode_size(size_bytes)


def fill_current(
    vector: Any, rung: float, buffer_s: float, left: float, next_s: float, playing: bool
) -> None:
    """Write the first five numbers, those of the current state."""
    vector[0] = rung
    vector[1] = clip(buffer_s / 10)
    vector[2] = left
    vector[3] = clip(next_s / 10)
    vector[4] = 1.0 if playing else 0.0


def encode_throughput(size_bytes: float, elapsed_s: float) -> float:
    """Encode the throughput of a download as in the vector."""
    return clip(math.sqrt(8e-6 * size_bytes / max(elapsed_s, 1e-9)))


def encode_size(size_bytes: float) -> float:
    """Encode the size of a segment as in the vector."""
    return clip(math.sqrt(8e-6 * size_bytes))


def clip(value: float) -> float:
    """Clip ``value`` to 0 ... ``MOST``."""
    return min(max(value, 0.0), MOST)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One fully connected layer: ``activation(weights @ inputs + biases)``.

    Raises:
        AlgorithmError: the shapes do not fit, a number is not finite, or the activation
            is unknown.
    """

    weights: FloatArray
    """Shape (outputs, inputs)."""
    biases: FloatArray
    """Shape (outputs,)."""
    activation: Activation = "none"

    def __post_init__(self) -> None:
        for name in ("weights", "biases"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        if self.weights.ndim != 2 or self.biases.shape != self.weights.shape[:1]:
            raise AlgorithmError(
                f"a layer with weights of shape {self.weights.shape} and biases of shape "
                f"{self.biases.shape}; expected (outputs, inputs) and (outputs,)"
            )
        if not (np.isfinite(self.weights).all() and np.isfinite(self.biases).all()):
            raise AlgorithmError("a layer with numbers that are not finite")
        if self.activation not in ACTIVATIONS:
            raise AlgorithmError(
                f"activation {self.activation!r}; expected one of {', '.join(ACTIVATIONS)}"
            )


class NeuralNetwork(NamedTuple):
    """Layers in flat arrays, with a workspace for the values between them."""

    shapes: FloatArray
    """Inputs, outputs and activation of each layer, shape (L, 3)."""
    numbers: FloatArray
    """For each layer, its weights row by row and then its biases, concatenated."""
    room: FloatArray
    """Workspace: inputs and outputs of a layer, alternating, shape (2, widest)."""


def build_network(layers: Sequence[Layer]) -> NeuralNetwork:
    """Build a neural network from its layers, the first one first.

    Raises:
        AlgorithmError: there is no layer, or neighbouring layers do not fit.
    """
    if not layers:
        raise AlgorithmError("a network without layers; expected one or more")
    for k in range(1, len(layers)):
        before, after = layers[k - 1].weights.shape[0], layers[k].weights.shape[1]
        if before != after:
            raise AlgorithmError(f"layer {k} takes {after} numbers; layer {k - 1} gives {before}")
    shapes = [(*layer.weights.shape[::-1], ACTIVATIONS.index(layer.activation)) for layer in layers]
    parts = [part for layer in layers for part in (layer.weights.ravel(), layer.biases)]
    widest = max(max(shape[:2]) for shape in shapes)
    return NeuralNetwork(
        np.array(shapes, dtype=np.float64), np.concatenate(parts), np.zeros((2, widest))
    )


def evaluate(network: NeuralNetwork, inputs: Any, outputs: Any) -> None:
    """Evaluate ``network`` on ``inputs`` and write the result to ``outputs``."""
    layers = network.shapes.shape[0]
    for i in range(int(network.shapes[0, 0])):
        network.room[0, i] = inputs[i]
    begin = 0
    for layer in range(layers):
        width, height = int(network.shapes[layer, 0]), int(network.shapes[layer, 1])
        kind = int(network.shapes[layer, 2])
        at, to = layer % 2, 1 - layer % 2
        for row in range(height):
            total = network.numbers[begin + height * width + row]
            for i in range(width):
                total += network.numbers[begin + row * width + i] * network.room[at, i]
            network.room[to, row] = _activate(total, kind)
        begin += height * (width + 1)
    for i in range(int(network.shapes[layers - 1, 1])):
        outputs[i] = network.room[layers % 2, i]


def _activate(value: float, kind: int) -> float:
    if kind == 1:
        return math.tanh(value)
    if kind == 2:
        return max(value, 0.0)
    return value


class Params(NamedTuple):
    """What a neural network can be told: its weights are part of its state."""

    fingerprint: int = 0
    """Checksum of the weights, as recorded in logs; 0 accepts any weights."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: as the network says."""


class State(NamedTuple):
    """A neural network, with a workspace for one decision."""

    network: NeuralNetwork
    vector: FloatArray
    """The feature vector, shape (W,)."""
    scores: FloatArray
    """The score of each rung, shape (R,)."""


def start_with(
    network: NeuralNetwork,
    name: str,
    params: Params,
    ladder_bps: FloatArray,
    durations_s: FloatArray,
) -> State:
    """The state of one playback.

    Raises:
        AlgorithmError: the network is for a different number of rungs.
    """
    rungs = len(ladder_bps)
    takes, gives = int(network.shapes[0, 0]), int(network.shapes[-1, 1])
    if (takes, gives) != (vector_width(rungs), rungs):
        raise AlgorithmError(
            f"algorithm {name!r}: its network takes {takes} numbers and gives {gives}; "
            f"expected {vector_width(rungs)} and {rungs} for a ladder of {rungs} rungs"
        )
    copied = NeuralNetwork(network.shapes.copy(), network.numbers.copy(), network.room.copy())
    return State(copied, np.zeros(takes), np.zeros(gives))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung with the highest score; ties go to the lower rung."""
    if len(seen.downloads.end_s) == 0 and params.initial_bps > 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, 0)
    fill_vector(state.vector, seen)
    evaluate(state.network, state.vector, state.scores)
    answer = 0
    for rung in range(1, len(state.scores)):
        if state.scores[rung] > state.scores[answer]:
            answer = rung
    return Decision(answer, 0.0, 0)


def check_fingerprint(numbers: FloatArray, expected: int = 0) -> int:
    """Checksum of learned numbers, never 0; compared with ``expected`` unless that is 0.

    Raises:
        AlgorithmError: the checksum is not the expected one.
    """
    found = zlib.crc32(np.ascontiguousarray(numbers, dtype="<f8").tobytes()) or 1
    if expected not in (0, found):
        raise AlgorithmError(
            f"learned numbers with fingerprint {found}; expected {expected}: they are not the "
            "ones used in the recording"
        )
    return found


def build_rule(
    layers: Sequence[Layer],
    name: str = "policy",
    *,
    fingerprint: int = 0,
    initial_bps: float = 0.0,
) -> Rule:
    """Build an algorithm that chooses the rung a neural network scores highest.

    Raises:
        AlgorithmError: the layers do not fit, or do not have the ``fingerprint``.
        ValueError: ``initial_bps`` is below 0.
    """
    if not initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    network = build_network(layers)
    return Rule(
        name=name,
        params=Params(check_fingerprint(network.numbers, fingerprint), initial_bps),
        start=partial(start_with, network, name),
        choose=choose,
    )


def build_layers(parts: Sequence[tuple[ArrayLike, ArrayLike, str]]) -> tuple[Layer, ...]:
    """Build layers from weights, biases and names of activations.

    Raises:
        AlgorithmError: they do not fit, or are not numbers.
    """
    made = []
    for weights, biases, activation in parts:
        try:
            both = frozen_array(weights), frozen_array(biases)
        except (TypeError, ValueError) as exc:
            raise AlgorithmError(f"weights or biases of a layer: {exc}") from exc
        made.append(Layer(weights=both[0], biases=both[1], activation=activation))  # type: ignore[arg-type]  # Layer checks the name
    return tuple(made)
