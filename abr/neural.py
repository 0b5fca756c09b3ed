"""Small networks of plain arrays, and the vector of numbers they look at.

A network is fully connected layers laid flat in float64 arrays, so that it can lie in the
state of a rule and be compiled with it; nothing here needs a learning library. The vector
is one description for all that learns: networks, ONNX models and the environments of
``player.batch.run.environment`` fill it with the same function.

``vector``, R rungs, P = ``PAST`` downloads, every number clip to 0 ... ``MOST``:

=================  ==========================================================
place              number
=================  ==========================================================
0                  (last rung + 1) / R; 0 before the first segment
1                  buffer in seconds / 10
2                  share of the segments that are left, the next one included
3                  media seconds of the next segment / 10; 0 after the last
4                  1 while playing, 0 in startup and in a stall
5 ... 4+P          square root of Mbit/s of each of the last P downloads, waits for first
                   bytes included, newest last; 0 where there was none
5+P ... 4+2P       seconds of each of them / 10
5+2P ... 4+2P+R    square root of the next segment's megabits, per rung; 0 after the last
=================  ==========================================================

Square roots keep 0.3 and 300 Mbit/s apart in one range, and are exact everywhere.
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

from abr.decision import Decision, Observation, Rule
from abr.errors import AlgorithmError
from abr.media import FloatArray, frozen_array

PAST = 8
"""Downloads that the vector tells of."""
MOST = 100.0
"""The largest number in it."""

Activation = Literal["none", "tanh", "relu"]
ACTIVATIONS: tuple[Activation, ...] = ("none", "tanh", "relu")
"""By the code that ``NeuralNetwork.shapes`` holds."""


def vector_width(rungs: int) -> int:
    """How many numbers the vector has for a ladder."""
    return 5 + 2 * PAST + rungs


def fill_vector(vector: Any, seen: Observation) -> None:
    """Write what the module's docstring says of ``seen`` into ``vector``, shape (W,)."""
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
    """Write the first five numbers."""
    vector[0] = rung
    vector[1] = clip(buffer_s / 10)
    vector[2] = left
    vector[3] = clip(next_s / 10)
    vector[4] = 1.0 if playing else 0.0


def encode_throughput(size_bytes: float, elapsed_s: float) -> float:
    """What the vector holds of a download's throughput."""
    return clip(math.sqrt(8e-6 * size_bytes / max(elapsed_s, 1e-9)))


def encode_size(size_bytes: float) -> float:
    """What it holds of a segment's size."""
    return clip(math.sqrt(8e-6 * size_bytes))


def clip(value: float) -> float:
    """``value`` within 0 ... ``MOST``."""
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
    """Layers laid flat, with room for what passes between them."""

    shapes: FloatArray
    """Inputs, outputs and activation of each layer, shape (L, 3)."""
    numbers: FloatArray
    """Per layer its weights, row by row, and its biases, one after the other."""
    room: FloatArray
    """What goes into a layer and what comes out, in turn, shape (2, widest)."""


def build_network(layers: Sequence[Layer]) -> NeuralNetwork:
    """A network of ``layers``, first one first.

    Raises:
        AlgorithmError: no layer, or neighbours that do not fit.
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
    """Pass ``inputs`` through ``network``; the last layer's numbers go into ``outputs``."""
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
    """A network has no parameters: its numbers are its state."""

    fingerprint: int = 0
    """Of its numbers, as logs record it; 0 takes them as they are."""


class State(NamedTuple):
    """A network, and room for one question."""

    network: NeuralNetwork
    vector: FloatArray
    """What it looks at, shape (W,)."""
    scores: FloatArray
    """What it answers, shape (R,)."""


def start_with(
    network: NeuralNetwork,
    name: str,
    params: Params,
    ladder_bps: FloatArray,
    durations_s: FloatArray,
) -> State:
    """The state of one playback.

    Raises:
        AlgorithmError: the network is for another number of rungs.
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
    """The rung with the highest score, the lowest of equals."""
    fill_vector(state.vector, seen)
    evaluate(state.network, state.vector, state.scores)
    answer = 0
    for rung in range(1, len(state.scores)):
        if state.scores[rung] > state.scores[answer]:
            answer = rung
    return Decision(answer, 0.0, 0)


def check_fingerprint(numbers: FloatArray, expected: int = 0) -> int:
    """A number that tells learned numbers from others.

    Raises:
        AlgorithmError: it is not the ``expected`` one, if one is.
    """
    found = zlib.crc32(np.ascontiguousarray(numbers, dtype="<f8").tobytes()) or 1
    if expected not in (0, found):
        raise AlgorithmError(
            f"learned numbers of fingerprint {found}; expected {expected}: they are not those "
            "of the recording"
        )
    return found


def build_rule(layers: Sequence[Layer], name: str = "policy", *, fingerprint: int = 0) -> Rule:
    """An algorithm that takes the rung a network scores highest.

    Raises:
        AlgorithmError: the layers do not fit, or are not those of ``fingerprint``.
    """
    network = build_network(layers)
    return Rule(
        name=name,
        params=Params(check_fingerprint(network.numbers, fingerprint)),
        start=partial(start_with, network, name),
        choose=choose,
    )


def build_layers(parts: Sequence[tuple[ArrayLike, ArrayLike, str]]) -> tuple[Layer, ...]:
    """Layers from weights, biases and the names of activations.

    Raises:
        AlgorithmError: they do not fit, or are no numbers.
    """
    made = []
    for weights, biases, activation in parts:
        try:
            both = frozen_array(weights), frozen_array(biases)
        except (TypeError, ValueError) as exc:
            raise AlgorithmError(f"a layer's numbers: {exc}") from exc
        made.append(Layer(weights=both[0], biases=both[1], activation=activation))  # type: ignore[arg-type]  # Layer checks the name
    return tuple(made)
