"""Models of channels-last images, as Keras and tf2onnx write them, against onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from networks.graph.elementwise import Affine, Function, Product, Sum
from networks.graph.movement import Concat, Rearrange
from networks.graph.operations import AveragePool, MatrixLayer
from networks.importer import import_onnx, reference_model
from sim_tb.networks.onnx_models import Builder, kinds

IMAGE = (8, 6, 3)


def first(b: Builder, x: str) -> str:
    return b.op("Transpose", x, perm=[0, 3, 1, 2])


def last(b: Builder, x: str) -> str:
    return b.op("Transpose", x, perm=[0, 2, 3, 1])


def test_a_network_of_channels_last(check: Any) -> None:
    """Transpositions cost nothing; a bias behind one is part of its layer."""
    b = Builder(*IMAGE, opset=13)
    x = last(b, b.conv(first(b, "x"), 3, 6, 3, pad=1, bias=False))
    x = b.relu(b.op("Add", x, b.random(6)))
    y = b.op("Mul", last(b, b.conv(first(b, x), 6, 6, 1)), b.random(6))
    x = b.op("Add", x, y)
    x = b.op("Concat", x, b.op("Sigmoid", x), axis=3)
    x = b.op("ReduceMean", x, axes=[1, 2], keepdims=0)
    x = b.op("Add", b.op("MatMul", x, b.random(12, 5)), b.random(5))
    graph = check(b, b.op("Softmax", x))
    assert graph.input_shape == IMAGE
    assert kinds(graph) == [
        *(MatrixLayer, MatrixLayer, Sum, Function, Concat, AveragePool, Rearrange, MatrixLayer)
    ]


def test_a_gate_of_channels_last(check: Any) -> None:
    b = Builder(*IMAGE, opset=13)
    x = b.op("Add", b.op("Div", "x", np.array(127.5, np.float32)), b.random(3))
    x = last(b, b.conv(first(b, x), 3, 6, 3))
    gate = b.op("ReduceMean", x, axes=[1, 2], keepdims=1)
    gate = b.op("Sigmoid", last(b, b.conv(first(b, gate), 6, 6, 1)))
    x = b.op("MatMul", b.op("Mul", x, gate), b.random(6, 4))
    graph = check(b, b.op("Flatten", b.op("Add", x, b.random(4))))
    assert kinds(graph) == [
        *(Affine, MatrixLayer, AveragePool, MatrixLayer, Function, Product, MatrixLayer, Rearrange)
    ]


def test_layouts_that_differ(check: Any) -> None:
    """What comes in another order is brought into that of the other value."""
    b = Builder(4, 6, 6)
    x = b.conv("x", 4, 6, 1)
    y = b.op("Transpose", x, perm=[0, 2, 3, 1])
    graph = check(b, b.op("Add", x, y))
    assert kinds(graph) == [MatrixLayer, Rearrange, Sum]
    b = Builder(4, 6, 6)
    x = b.op("Reshape", b.op("Transpose", "x", perm=[0, 2, 3, 1]), b.constant([0, 36, 4]))
    x = b.op("Transpose", b.op("MatMul", x, b.random(4, 8)), perm=[0, 2, 1])
    check(b, b.conv(b.op("Reshape", x, b.constant([0, 8, 6, 6])), 8, 3, 3))


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_axes_of_channels_last(axis: int, check: Any) -> None:
    for operator in ("ReduceMax", "Split", "Slice", "Concat", "Gather", "Pad", "Unsqueeze"):
        b = Builder(*IMAGE, opset=12)
        x = last(b, b.conv(first(b, "x"), 3, 6, 3))
        attributes: dict[str, Any] = {"axis": axis}
        inputs: list[Any] = [x]
        if operator == "Gather":
            inputs.append(b.constant([1, 0]))
        elif operator == "Slice":
            inputs += [b.constant([value]) for value in (1, 3, axis)]
            attributes = {}
        elif operator == "Pad":
            inputs.append(b.constant([0] * axis + [1] + [0] * 3 + [2] + [0] * (3 - axis)))
            attributes = {}
        elif operator == "Split":
            attributes = {"axis": axis, "split": [1, [6, 4, 6][axis - 1] - 1]}
        elif operator == "Concat":
            inputs.append(x)
        else:
            attributes = {"axes": [axis]}
        outputs = 2 if operator == "Split" else 1
        made = b.op(operator, *inputs, outputs=outputs, **attributes)
        check(b, b.op("Tanh", made))


def test_the_same_images_either_way(tmp_path: Path) -> None:
    """Two models of one network: the graph, and what onnxruntime gets, are the same."""
    paths = []
    for channels_last in (False, True):
        b = Builder(*(IMAGE if channels_last else (3, 8, 6)), opset=13)
        x = first(b, "x") if channels_last else "x"
        path = tmp_path / f"{channels_last}.onnx"
        path.write_bytes(b.model(b.conv(x, 3, 5, 3)).SerializeToString())
        paths.append(path)
        assert b"perm" not in reference_model(path) or channels_last
    graphs = [import_onnx(path) for path in paths]
    assert graphs[0].input_shape == graphs[1].input_shape == IMAGE
    images = np.random.default_rng(3).normal(size=(2, *IMAGE))
    np.testing.assert_array_equal(graphs[0].forward(images), graphs[1].forward(images))
