"""Learned policies as text and as arrays: a planner's numbers, or a network's layers.

``{"format": "abrkit-policy", "version": 1, "kind": "planner", "weights": {name: number}}``
or ``"kind": "network", "layers": [{"weights": [[…], …], "biases": […], "activation":
"relu"}, …]``. The arrays of an ``.npz`` file are ``weights_0``, ``biases_0``, ``weights_1``
and so on, optionally ``activations``, one word per layer; without it hidden layers are
``relu`` and the last is ``none``. Nothing here runs what it reads.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from abr.algorithms import policy
from abr.decision import Rule
from abr.errors import AlgorithmError
from abr.neural import Layer, build_layers, build_network, build_rule

FORMAT, VERSION = "abrkit-policy", 1
_EXPECTED = f"expected an object with format {FORMAT!r}, version {VERSION} and a kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What was learned: one of the two."""

    weights: Mapping[str, float] = field(default_factory=dict)
    """Of the planner in ``abr.algorithms.policy``."""
    layers: tuple[Layer, ...] = ()
    """Of a network that scores rungs."""

    def build_rule(self, name: str, params: policy.Params | None = None) -> Rule:
        """The algorithm; ``params`` are a planner's.

        Raises:
            AlgorithmError: the numbers make none.
        """
        if self.layers:
            return build_rule(self.layers, name, fingerprint=params.fingerprint if params else 0)
        return policy.build_rule(self.weights, params, name)


def read_policy(text: str, *, name: str) -> Policy:
    """The policy that ``text`` describes.

    Args:
        text: JSON.
        name: What errors call it.

    Raises:
        AlgorithmError: it describes none.
    """
    try:
        found: Any = json.loads(text)
    except ValueError as exc:
        raise AlgorithmError(f"{name}: no JSON ({exc}); {_EXPECTED}") from exc
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise AlgorithmError(f"{name}: no policy; {_EXPECTED}")
    if found.get("version") != VERSION:
        raise AlgorithmError(f"{name}: version {found.get('version')!r}; expected {VERSION}")
    try:
        if found.get("kind") == "planner":
            weights = {str(key): float(value) for key, value in found["weights"].items()}
            policy.order_weights(weights)
            return Policy(weights=weights)
        if found.get("kind") == "network":
            parts = [
                (each["weights"], each["biases"], str(each.get("activation", "none")))
                for each in found["layers"]
            ]
            return _policy_of_layers(build_layers(parts))
    except AlgorithmError as exc:
        raise AlgorithmError(f"{name}: {exc}") from exc
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise AlgorithmError(f"{name}: {type(exc).__name__}: {exc}; {_EXPECTED}") from exc
    raise AlgorithmError(f"{name}: kind {found.get('kind')!r}; expected planner or network")


def read_arrays(data: bytes, *, name: str) -> Policy:
    """The network whose layers an ``.npz`` file holds.

    Raises:
        AlgorithmError: it holds none.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {key: found[key] for key in found.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as exc:
        raise AlgorithmError(f"{name}: no .npz file of plain arrays ({exc})") from exc
    count = sum(key.startswith("weights_") for key in arrays)
    wrong = {f"{part}_{k}" for k in range(count) for part in ("weights", "biases")} - set(arrays)
    if not count or wrong:
        missing = ", ".join(sorted(wrong)) or "weights_0"
        raise AlgorithmError(f"{name}: no array {missing}; expected weights_0, biases_0, …")
    named = arrays.get("activations", np.array(["relu"] * (count - 1) + ["none"]))
    words = [str(word) for word in np.atleast_1d(named)]
    if len(words) != count:
        raise AlgorithmError(f"{name}: {len(words)} activations for {count} layers")
    try:
        return _policy_of_layers(
            build_layers(
                [(arrays[f"weights_{k}"], arrays[f"biases_{k}"], words[k]) for k in range(count)]
            )
        )
    except AlgorithmError as exc:
        raise AlgorithmError(f"{name}: {exc}") from exc


def write_policy(policy_: Policy) -> str:
    """Text that ``read_policy`` reads."""
    made: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if policy_.layers:
        made["kind"] = "network"
        made["layers"] = [
            {
                "weights": layer.weights.tolist(),
                "biases": layer.biases.tolist(),
                "activation": layer.activation,
            }
            for layer in policy_.layers
        ]
    else:
        made["kind"] = "planner"
        made["weights"] = dict(policy_.weights)
    return json.dumps(made, indent=1) + "\n"


def _policy_of_layers(layers: tuple[Layer, ...]) -> Policy:
    build_network(layers)  # refuses neighbours that do not fit
    return Policy(layers=layers)
