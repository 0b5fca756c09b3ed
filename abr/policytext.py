"""Learned policies as text and arrays: the weights of a planner, or the layers of a network.

A policy is JSON text:

``{"format": "abrkit-policy", "version": 1, "kind": "planner", "weights": {name: number}}``
or ``"kind": "network", "layers": [{"weights": [[…], …], "biases": […], "activation":
"relu"}, …]``. A network may also be an ``.npz`` file of arrays ``weights_0``, ``biases_0``,
``weights_1`` and so on, and optionally ``activations``, one word per layer; without it
hidden layers are ``relu`` and the last is ``none``. Neither form can contain code.
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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Policy:
    """A learned policy; exactly one of the fields is set."""

    weights: Mapping[str, float] = field(default_factory=dict)
    """Weights of the planner in ``abr.algorithms.policy``, by name."""
    layers: tuple[Layer, ...] = ()
    """Layers of a neural network that scores rungs."""

    def __repr__(self) -> str:
        if self.layers:
            shapes = ", ".join(
                f"{w.shape[1]}x{w.shape[0]}" for w in (x.weights for x in self.layers)
            )
            return f"<Policy network {shapes}>"
        return f"<Policy planner, {len(self.weights)} weights>"

    def build_rule(self, name: str, params: policy.Params | None = None) -> Rule:
        """Build the algorithm; of ``params`` a network takes ``fingerprint`` and ``initial_bps``.

        Raises:
            AlgorithmError: the numbers do not make an algorithm, or a network is given
                parameters of a planner.
            ValueError: a parameter is out of range.
        """
        if self.layers:
            params = params or policy.Params()
            for key, default in policy.Params._field_defaults.items():
                if key not in ("fingerprint", "initial_bps") and getattr(params, key) != default:
                    raise AlgorithmError(
                        f"algorithm {name!r} is a neural network and has no {key}, which planners "
                        "have; expected initial_bps or fingerprint"
                    )
            return build_rule(
                self.layers, name, fingerprint=params.fingerprint, initial_bps=params.initial_bps
            )
        return policy.build_rule(self.weights, params, name)


def read_policy(text: str, *, name: str) -> Policy:
    """Parse a policy.

    Args:
        text: JSON.
        name: Name of the text in error messages.

    Raises:
        AlgorithmError: the text is not a valid policy.
    """
    try:
        found: Any = json.loads(text)
    except ValueError as exc:
        raise AlgorithmError(f"{name}: not JSON ({exc}); {_EXPECTED}") from exc
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise AlgorithmError(f"{name}: not a policy; {_EXPECTED}")
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
    """Read a neural network from the bytes of an ``.npz`` file.

    Raises:
        AlgorithmError: the bytes are not such a file, or the layers do not fit.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {key: found[key] for key in found.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as exc:
        raise AlgorithmError(f"{name}: not an .npz file of plain arrays ({exc})") from exc
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
    """Format a policy as text that ``read_policy`` reads."""
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
    build_network(layers)  # raises if neighbouring layers do not fit
    return Policy(layers=layers)
