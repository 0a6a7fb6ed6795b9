"""Inputs, outputs, operator sets, and weights that a model computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from networks.graph.operations import MatrixLayer
from networks.importer import ModelError, import_onnx
from sim_tb.networks.onnx_models import Builder, compare

IMAGE = (3, 8, 8)


def refusal(path: Path, *arguments: Any) -> str:
    with pytest.raises(ModelError) as caught:
        import_onnx(path, *arguments)
    return str(caught.value)


def test_one_of_several_outputs(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    x = b.relu(b.conv("x", 3, 4, 3))
    features, scores = b.op("GlobalAveragePool", x), b.conv(x, 4, 2, 1)
    model = b.model(features, scores)
    shapes = {name: compare(model, tmp_path, output_name=name) for name in (features, scores)}
    assert shapes[features].shapes[shapes[features].output] == (1, 1, 4)
    assert shapes[scores].shapes[shapes[scores].output] == (6, 6, 2)
    assert compare(model, tmp_path).shapes == shapes[features].shapes
    assert refusal(tmp_path / "model.onnx", "scores") == (
        f"model.onnx: the output must be one of {features}, {scores}, not scores"
    )


@pytest.mark.parametrize("shape", [(3, "H", "W"), (None, None, None), (3, 8, "W")], ids=str)
def test_symbolic_sizes(shape: Any, tmp_path: Path) -> None:
    b = Builder(*shape)
    x = b.op("GlobalAveragePool", b.relu(b.conv("x", 3, 4, 3, stride=2)))
    graph = compare(b.model(b.flatten(x)), tmp_path, input_shape=(2, 3, 8, 7))
    assert graph.input_shape == (8, 7, 3)
    shown = ", ".join("?" if size is None else str(size) for size in ("N", *shape))
    assert refusal(tmp_path / "model.onnx", None, (1, 3, 8)) == (
        f"model.onnx: the shape (1, 3, 8) does not fit input 'x', of ({shown})"
    )
    if shape[0] == 3:
        assert "(1, 4, 8, 8) does not fit" in refusal(tmp_path / "model.onnx", None, (1, 4, 8, 8))


def test_inputs_that_nothing_needs(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    model = b.model(b.relu(b.conv("x", 3, 4, 3)))
    unused = [
        helper.make_tensor_value_info(name, kind, ("N", 5))
        for name, kind in (("first", TensorProto.FLOAT), ("second", TensorProto.INT64))
    ]
    [image] = model.graph.input
    del model.graph.input[:]
    model.graph.input.extend([unused[0], image, unused[1]])
    assert compare(model, tmp_path).source == "x"


def test_several_inputs(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    model = b.model(b.op("Add", "x", "y"))
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", *IMAGE)))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert refusal(tmp_path / "model.onnx") == (
        "model.onnx: it must take one input, or several of integers, not 'x', 'y'"
    )


@pytest.mark.parametrize("opset", [7, 8, 9, 10])
def test_old_operator_sets(opset: int, tmp_path: Path) -> None:
    b = Builder(*IMAGE, opset=opset)
    x = b.op("Clip", b.norm(b.conv("x", 3, 4, 3, pad=1), 4), min=0.0, max=6.0)
    x = b.op("Dropout", x, ratio=0.5)
    x = b.op("Pad", b.pool("MaxPool", x, 2, 2), pads=[0, 0, 1, 1, 0, 0, 0, 0])
    scales = [1.0, 1.0, 2.0, 2.0]
    if opset == 10:
        x = b.op("Resize", x, b.constant(scales, np.float32), mode="nearest")
    elif opset == 9:
        x = b.op("Upsample", x, b.constant(scales, np.float32), mode="nearest")
    else:
        x = b.op("Slice", x, axes=[2], starts=[0], ends=[4])
    x = b.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2])
    shape = b.op("Concat", b.op("Unsqueeze", b.op("Gather", b.op("Shape", x), b.constant(0)),
                                axes=[0]), b.constant([-1]), axis=0)  # fmt: skip
    x = b.op("Reshape", x, shape)
    x = b.op("LeakyRelu", x, alpha=0.2)
    features = 64 if opset > 8 else 4 * 1 * 2
    x = b.op("Gemm", x, b.random(5, features), b.random(5), transB=1)
    compare(b.model(b.op("Softmax", x)), tmp_path)


def test_weights_that_a_model_computes(tmp_path: Path) -> None:
    """Weight normalization, weights of eight bits, and a product of two matrices."""
    b = Builder(*IMAGE, opset=13)
    v = b.weight(b.random(4, 3, 3, 3))
    norm = b.op("ReduceL2", v, axes=[1, 2, 3], keepdims=1)
    x = b.op("Conv", "x", b.op("Mul", b.random(4, 1, 1, 1), b.op("Div", v, norm)))
    bytes_ = b.rng.integers(-128, 128, (5, 4, 1, 1)).astype(np.int8)
    scales, zeros = b.rng.uniform(0.1, 1, 5).astype(np.float32), np.zeros(5, np.int8)
    x = b.op("Conv", x, b.op("DequantizeLinear", bytes_, scales, zeros, axis=0))
    x = b.op("Gemm", b.op("Flatten", b.op("GlobalMaxPool", x)),
             b.op("MatMul", b.random(5, 4), b.random(4, 3)))  # fmt: skip
    graph = compare(b.model(x), tmp_path)
    assert sum(isinstance(node.operation, MatrixLayer) for node in graph.nodes) == 3


def test_old_operators_that_cannot_be_converted(tmp_path: Path) -> None:
    b = Builder(*IMAGE, opset=7)
    path = tmp_path / "model.onnx"
    path.write_bytes(b.model(b.op("Gru", "x")).SerializeToString())
    assert refusal(path).startswith("model.onnx: ")
