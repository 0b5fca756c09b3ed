"""A network of one's own, from an ONNX file, run by onnxruntime.

``onnx:FILE`` is short for ``onnx`` with ``weights=FILE``. The model takes one float32
tensor of shape (1, W) or (W,), the vector of ``abr.neural``, and its first output has R
scores; the rung with the highest is taken, the lowest of equals. It is an object, not a
rule: it runs as plain Python. Needs the extra ``onnx``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from abr.decision import Decision, Observation
from abr.errors import AlgorithmError, ToolMissingError
from abr.neural import fill_vector, vector_width


class OnnxPolicy:
    """The rung that an ONNX model scores highest.

    Args:
        weights: The file.

    Raises:
        AlgorithmError: there is no such model.
        ToolMissingError: onnxruntime is not installed.
    """

    def __init__(self, weights: str) -> None:
        try:
            import onnxruntime
        except ImportError as exc:
            raise ToolMissingError(
                "onnxruntime is not installed, which ONNX models need: pip install 'abrkit[onnx]'"
            ) from exc
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.name = f"onnx:{weights}"
        try:
            self._model: Any = onnxruntime.InferenceSession(
                weights, options, providers=["CPUExecutionProvider"]
            )
        # Its errors derive from nothing in common.
        except Exception as exc:
            raise AlgorithmError(f"{weights}: no ONNX model ({type(exc).__name__}: {exc})") from exc
        self._input: Any = self._model.get_inputs()[0]

    def choose(self, seen: Observation) -> Decision:
        """Ask the model.

        Raises:
            AlgorithmError: the model takes or gives another number of numbers.
        """
        rungs = len(seen.ladder_bps)
        vector = np.zeros(vector_width(rungs), dtype=np.float32)
        fill_vector(vector, seen)
        shaped = vector if len(self._input.shape) == 1 else vector[None, :]
        try:
            scores = np.ravel(self._model.run(None, {self._input.name: shaped})[0])
        # Its errors derive from nothing in common.
        except Exception as exc:
            raise AlgorithmError(
                f"{self.name}: the model takes {self._input.shape}; expected "
                f"{len(vector)} numbers for {rungs} rungs ({exc})"
            ) from exc
        if len(scores) != rungs:
            raise AlgorithmError(f"{self.name}: {len(scores)} scores; expected {rungs}")
        return Decision(int(np.argmax(scores)))


def make(weights: str) -> OnnxPolicy:
    """A fresh object for the model of the file ``weights``.

    Raises:
        AlgorithmError: there is no such model.
        ToolMissingError: onnxruntime is not installed.
    """
    return OnnxPolicy(weights)
