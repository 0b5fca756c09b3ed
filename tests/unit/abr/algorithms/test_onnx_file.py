"""Networks from ONNX files answer as the same network of plain arrays does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr import registry
from abr.algorithms.files.onnx import OnnxPolicy
from abr.decision import begin
from abr.errors import AlgorithmError, ToolMissingError
from abr.media import constant_presentation
from abr.neural import Layer, build_layers, build_rule, vector_width
from abr.trace import Trace
from player import simulate

onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

RUNGS = 3
PRESENTATION = constant_presentation((1e6, 2e6, 4e6), segments=12, segment_s=2.0)
TRACE = Trace.from_periods([(7.0, 3e6, 0.05), (9.0, 8e6, 0.05), (5.0, 1e6, 0.05)])


def layers(rungs: int = RUNGS) -> tuple[Layer, ...]:
    rng = np.random.default_rng(12)
    width = vector_width(rungs)
    return build_layers(
        [
            (rng.standard_normal((8, width)), rng.standard_normal(8), "relu"),
            (rng.standard_normal((rungs, 8)), rng.standard_normal(rungs), "none"),
        ]
    )


def save(path: Path, made: tuple[Layer, ...]) -> str:
    """The same network as an ONNX model."""
    helper, numbers = onnx.helper, onnx.numpy_helper
    nodes, known, name = [], [], "seen"
    for k, layer in enumerate(made):
        weights, biases = layer.weights.astype(np.float32), layer.biases.astype(np.float32)
        known += [numbers.from_array(weights, f"w{k}"), numbers.from_array(biases, f"b{k}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{k}", f"b{k}"], [f"y{k}"], transB=1))
        name = f"y{k}"
        if layer.activation == "relu":
            nodes.append(helper.make_node("Relu", [name], [f"z{k}"]))
            name = f"z{k}"
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info("seen", floats, [1, made[0].weights.shape[1]])],
        [helper.make_tensor_value_info(name, floats, [1, made[-1].weights.shape[0]])],
        known,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return str(path)


def test_a_model_answers_as_the_network_does(tmp_path: Path) -> None:
    file = save(tmp_path / "mine.onnx", layers())
    by_model = simulate(PRESENTATION, trace=TRACE, algorithm=f"onnx:{file}")
    by_arrays = simulate(PRESENTATION, trace=TRACE, algorithm=build_rule(layers()))
    assert [r["rung"] for r in by_model.of("play")] == [r["rung"] for r in by_arrays.of("play")]
    assert len({r["rung"] for r in by_model.of("play")}) > 1
    assert by_model.provenance["algorithm"] == f"onnx:{file}"


def test_the_first_segment_is_at_the_highest_rung_within_what_is_known(tmp_path: Path) -> None:
    file = save(tmp_path / "mine.onnx", layers())
    for initial_bps, first in ((0.5e6, 0), (2.5e6, 1), (9e6, 2)):
        told = registry.load(f"onnx:{file}", initial_bps=initial_bps)
        log = simulate(PRESENTATION, trace=TRACE, algorithm=told)
        assert next(record["rung"] for record in log.of("play")) == first
        assert log.provenance["params"]["initial_bps"] == initial_bps
    with pytest.raises(AlgorithmError, match="initial_bps must be 0 or more"):
        registry.load(f"onnx:{file}", initial_bps=-1)


def test_a_model_for_another_ladder_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "two.onnx", layers(2))
    with pytest.raises(AlgorithmError, match="expected 24 numbers for 3 rungs"):
        simulate(PRESENTATION, trace=TRACE, algorithm=f"onnx:{file}")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AlgorithmError, match="not an ONNX model"):
        OnnxPolicy(str(tmp_path / "none.onnx"))
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(AlgorithmError, match="not an ONNX model"):
        registry.load(f"onnx:{tmp_path / 'junk.onnx'}")


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ToolMissingError, match=r"abrkit\[onnx\]"):
        begin(lambda: OnnxPolicy("mine.onnx"), PRESENTATION)
