"""Attention against onnxruntime: products of values, softmax, normalization, batches that move."""

from typing import Any

import numpy as np
import pytest

from networks.graph.attention import LayerNormalization, MatrixProduct, Softmax
from networks.graph.elementwise import Affine, Function, Sum
from networks.graph.movement import Rearrange
from networks.graph.operations import MatrixLayer
from networks.quantization.arithmetic import exact
from networks.quantization.calibration import calibrate
from networks.quantization.quantize import quantize
from sim_tb.networks.onnx_models import NEWEST_OPSET, Builder, kinds, number

TOKENS, WIDTH, HEADS = 6, 8, 2


def spelled_out(b: Builder, x: str, axis: int = -1, square: str = "Pow") -> str:
    """As PyTorch writes a normalization before operator set 17."""

    def mean(value: str) -> str:
        if b.opset < 18:
            return b.op("ReduceMean", value, axes=[axis])
        return b.op("ReduceMean", value, b.constant([axis]))

    difference = b.op("Sub", x, mean(x))
    squared = (
        b.op("Pow", difference, number(2)) if square == "Pow" else b.op("Mul", *[difference] * 2)
    )
    deviation = b.op("Sqrt", b.op("Add", mean(squared), number(1e-5)))
    return b.op("Div", difference, deviation)


@pytest.mark.parametrize("opset", [11, NEWEST_OPSET])
@pytest.mark.parametrize("square", ["Pow", "Mul"])
def test_normalization_spelled_out(opset: int, square: str, check: Any) -> None:
    """One node, with the scale and the offset behind it."""
    b = Builder(TOKENS, WIDTH, opset=opset)
    x = spelled_out(b, b.op("MatMul", "x", b.random(WIDTH, WIDTH)), square=square)
    graph = check(b, b.op("Add", b.op("Mul", x, b.random(WIDTH)), b.random(WIDTH)))
    assert kinds(graph) == [MatrixLayer, LayerNormalization]


def test_normalization_of_channels(check: Any) -> None:
    b = Builder(5, 4, 3, opset=13)
    graph = check(b, b.op("Mul", spelled_out(b, "x", axis=1), b.random(5, 1, 1)))
    assert kinds(graph) == [LayerNormalization]


def test_what_is_no_normalization(check: Any) -> None:
    """Another axis, and the mean of another value."""
    b = Builder(TOKENS, WIDTH, opset=13)
    difference = b.op("Sub", "x", b.op("ReduceMean", "x", axes=[1]))
    squares = b.op("ReduceMean", b.op("Mul", difference, difference), axes=[2])
    graph = check(b, b.op("Div", difference, b.op("Sqrt", b.op("Add", squares, number(1)))))
    assert LayerNormalization not in kinds(graph)
    b = Builder(TOKENS, WIDTH, opset=13)
    other = b.op("Mul", "x", b.random(WIDTH))
    difference = b.op("Sub", "x", b.op("ReduceMean", other, axes=[2]))
    squares = b.op("ReduceMean", b.op("Mul", difference, difference), axes=[2])
    graph = check(b, b.op("Div", difference, b.op("Sqrt", b.op("Add", squares, number(1)))))
    assert LayerNormalization not in kinds(graph)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 7), (3, 2, 2, 4)], ids=str)
def test_instance_normalization(shape: Any, check: Any) -> None:
    b = Builder(*shape)
    x = b.op("InstanceNormalization", "x", b.random(3), b.random(3))
    assert LayerNormalization in kinds(check(b, x))


def test_group_normalization(check: Any) -> None:
    """As PyTorch writes it, by way of the pixels of each group."""
    b = Builder(6, 4, 3, opset=13)
    x = b.op("Reshape", "x", b.constant([0, 2, -1]))
    x = b.op("InstanceNormalization", x, np.ones(2, np.float32), np.zeros(2, np.float32))
    x = b.op("Reshape", x, b.constant([0, 6, 4, 3]))
    check(b, b.op("Add", b.op("Mul", x, b.random(6, 1, 1)), b.random(6, 1, 1)))


@pytest.mark.parametrize("shape", [(TOKENS, WIDTH), (WIDTH,), (3, TOKENS, WIDTH)], ids=str)
def test_layer_normalization(shape: Any, check: Any) -> None:
    for axis, offset in ((-1, True), (len(shape), False)):
        b = Builder(*shape)
        inputs = [b.random(WIDTH), b.random(WIDTH)][: 1 + offset]
        x = b.op("LayerNormalization", b.op("Mul", "x", number(3)), *inputs, axis=axis, epsilon=0.1)
        graph = check(b, x)
        assert LayerNormalization in kinds(graph)


@pytest.mark.parametrize("axis", [1, 2, 3, -2])
def test_layer_normalization_over_several_axes(axis: int, check: Any) -> None:
    shape = (4, 3, 5)
    b = Builder(*shape)
    features = shape[axis - 1 if axis > 0 else axis :]
    inputs = [b.random(*features), b.random(*features)]
    graph = check(b, b.op("LayerNormalization", "x", *inputs, axis=axis, epsilon=0.1))
    assert LayerNormalization in kinds(graph)


@pytest.mark.parametrize("shape", [(6,), (TOKENS, WIDTH), (4, 3, 5)], ids=str)
def test_logarithm_of_softmax_in_between(shape: Any, check: Any) -> None:
    """Of operations that integers have; a limit behind it stays."""
    for axis in {1, len(shape)}:
        b = Builder(*shape)
        logarithms = b.op("LogSoftmax", "x", axis=axis)
        graph = check(b, b.op("Mul", b.op("Clip", logarithms, number(-3), ""), number(2)))
        assert Softmax not in kinds(graph)
        images = np.random.default_rng(5).normal(size=(20, *graph.input_shape))
        values, network = graph.forward(images), quantize(graph, calibrate(graph, [images], "max"))
        step, zero_point = network.quantizations[network.output]
        integers = network.forward(network.quantize_images(images), exact).astype(np.int64)
        found = (integers - zero_point) * step
        assert np.abs(found - values.reshape(found.shape)).max() < 0.2


@pytest.mark.parametrize(
    ("opset", "shape", "axis"),
    [(11, (4, 3, 5), 3), (13, (4, 3, 5), 1), (13, (4, 3, 5), -2), (13, (TOKENS, WIDTH), 1),
     (11, (TOKENS, WIDTH), 1), (11, (TOKENS, WIDTH), -1)],
    ids=str,
)  # fmt: skip
def test_softmax_in_between(opset: int, shape: Any, axis: int, check: Any) -> None:
    b = Builder(*shape, opset=opset)
    x = b.op("Mul", b.op("Softmax", "x", axis=axis), number(2))
    assert Softmax in kinds(check(b, x))


def test_products_of_values(check: Any) -> None:
    b = Builder(TOKENS, WIDTH)
    turned = b.op("Transpose", "x", perm=[0, 2, 1])
    x = b.op("Div", b.op("MatMul", "x", turned), number(WIDTH**0.5))
    graph = check(b, x)
    assert kinds(graph) == [Rearrange, MatrixProduct]
    b = Builder(3, TOKENS, WIDTH)
    x = b.op("MatMul", b.op("Transpose", "x", perm=[0, 1, 3, 2]), b.op("Tanh", "x"))
    check(b, b.op("Add", x, b.random(WIDTH)))


def attention(b: Builder, x: str, packed: bool) -> str:
    """Two heads; queries, keys and values of one layer whose result is split, or of three."""
    each = WIDTH // HEADS
    split = b.constant([0, TOKENS, HEADS, each])
    if packed:
        x = b.op("Add", b.op("MatMul", x, b.random(WIDTH, 3 * WIDTH)), b.random(3 * WIDTH))
        x = b.op("Reshape", x, b.constant([0, TOKENS, 3, HEADS, each]))
        x = b.op("Transpose", x, perm=[2, 0, 3, 1, 4])
        parts = [b.op("Gather", x, b.constant(i), axis=0) for i in range(2)]
        last = b.op("Slice", x, *map(b.constant, ([2], [3], [0])))
        parts.append(b.op("Squeeze", last, b.constant([0])))
    else:
        parts = [
            b.op(
                "Transpose",
                b.op("Reshape", b.op("MatMul", x, b.random(WIDTH, WIDTH)), split),
                perm=[0, 2, 1, 3],
            )
            for _ in range(3)
        ]
    query, key, value = parts
    scores = b.op("MatMul", query, b.op("Transpose", key, perm=[0, 1, 3, 2]))
    weights = b.op("Softmax", b.op("Mul", scores, number(each**-0.5)), axis=-1)
    x = b.op("Transpose", b.op("MatMul", weights, value), perm=[0, 2, 1, 3])
    x = b.op("Reshape", x, b.constant([0, TOKENS, WIDTH]))
    return b.op("Add", b.op("MatMul", x, b.random(WIDTH, WIDTH)), b.random(WIDTH))


@pytest.mark.parametrize("packed", [False, True])
def test_a_transformer_block(packed: bool, check: Any) -> None:
    b = Builder(TOKENS, WIDTH)
    x = b.op("Add", "x", b.random(1, TOKENS, WIDTH))
    x = b.op("Add", x, attention(b, b.op("LayerNormalization", x, b.random(WIDTH)), packed))
    y = b.op("Gelu" if b.opset >= 20 else "Tanh", b.op("MatMul", x, b.random(WIDTH, 2 * WIDTH)))
    x = b.op("Add", x, b.op("MatMul", y, b.random(2 * WIDTH, WIDTH)))
    graph = check(b, b.gemm(b.op("Gather", x, b.constant(0), axis=1), WIDTH, 3))
    assert kinds(graph).count(MatrixProduct) == 2
    assert [kinds(graph).count(k) for k in (Softmax, LayerNormalization, Function)] == [1, 1, 1]
    assert kinds(graph).count(Affine) == 1
    assert kinds(graph).count(Sum) == 2
