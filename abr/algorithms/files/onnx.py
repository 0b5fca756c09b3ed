"""A neural network from an ONNX file, run by onnxruntime.

``onnx:FILE`` is short for ``onnx`` with ``weights=FILE``. The model takes one float32
tensor of shape (1, W) or (W,), the vector of ``abr.neural``, and its first output has R
scores; the rung with the highest score is chosen, the lower one of equals. The algorithm is
an object, not a ``Rule``, so it always runs as plain Python. Requires the extra ``onnx``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Observation
from abr.errors import AlgorithmError, ToolMissingError
from abr.neural import fill_vector, vector_width


class OnnxPolicy:
    """The rung that an ONNX model scores highest.

    Args:
        weights: Path of the file.
        initial_bps: Throughput taken for granted before the first download: it comes at the
            highest rung within this; 0: as the model says.

    Raises:
        AlgorithmError: the file is not an ONNX model.
        ToolMissingError: onnxruntime is not installed.
        ValueError: ``initial_bps`` is below 0.
    """

    def __init__(self, weights: str, *, initial_bps: float = 0.0) -> None:
        if not initial_bps >= 0:
            raise ValueError("initial_bps must be 0 or more")
        try:
            import onnxruntime
        except ImportError as exc:
            raise ToolMissingError(
                "ONNX models need onnxruntime, which is not installed: pip install 'abrkit[onnx]'"
            ) from exc
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.name = f"onnx:{weights}"
        self._initial_bps = initial_bps
        try:
            self._model: Any = onnxruntime.InferenceSession(
                weights, options, providers=["CPUExecutionProvider"]
            )
        # The errors of onnxruntime have no base class of their own.
        except Exception as exc:
            raise AlgorithmError(
                f"{weights}: not an ONNX model ({type(exc).__name__}: {exc})"
            ) from exc
        self._input: Any = self._model.get_inputs()[0]

    def __repr__(self) -> str:
        return f"<OnnxPolicy {self.name} input={self._input.shape}>"

    def choose(self, seen: Observation) -> Decision:
        """Ask the model.

        Raises:
            AlgorithmError: the model has inputs or outputs of a different size.
        """
        if len(seen.downloads.end_s) == 0 and self._initial_bps > 0:
            return Decision(highest_within(seen.ladder_bps, self._initial_bps))
        rungs = len(seen.ladder_bps)
        vector = np.zeros(vector_width(rungs), dtype=np.float32)
        fill_vector(vector, seen)
        shaped = vector if len(self._input.shape) == 1 else vector[None, :]
        try:
            scores = np.ravel(self._model.run(None, {self._input.name: shaped})[0])
        # The errors of onnxruntime have no base class of their own.
        except Exception as exc:
            raise AlgorithmError(
                f"{self.name}: the model takes {self._input.shape}; expected "
                f"{len(vector)} numbers for {rungs} rungs ({exc})"
            ) from exc
        if len(scores) != rungs:
            raise AlgorithmError(f"{self.name}: {len(scores)} scores; expected {rungs}")
        return Decision(int(np.argmax(scores)))


def make(weights: str, *, initial_bps: float = 0.0) -> OnnxPolicy:
    """Create an object for the model in the file ``weights``.

    Raises:
        AlgorithmError: the file is not an ONNX model.
        ToolMissingError: onnxruntime is not installed.
        ValueError: ``initial_bps`` is below 0.
    """
    return OnnxPolicy(weights, initial_bps=initial_bps)
