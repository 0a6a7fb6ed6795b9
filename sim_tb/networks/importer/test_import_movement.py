"""What moves, reduces and resizes values, in images and in lines, against onnxruntime."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from networks.graph.graph import Graph
from networks.graph.movement import Concat, Expand, Interpolate, Rearrange, Slice, Spread, Take
from networks.graph.operations import AveragePool, MatrixLayer, MaxPool
from networks.importer import import_onnx
from sim_tb.networks.onnx_models import NEWEST_OPSET, Builder, compare, kinds, number

IMAGE = (4, 6, 5)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_split(opset: int, axis: int, check: Any) -> None:
    b = Builder(6, 6, 6, opset=opset)
    more: dict[str, Any] = {"num_outputs": 3} if opset == 18 else {}
    b.op("Split", "x", outputs=3, axis=axis, **more)
    x = b.op("Concat", *(b.nodes[0].output[i] for i in (2, 0, 1)), axis=axis)
    assert kinds(check(b, x)) == [*[Slice] * 3, Concat]
    b = Builder(6, 6, 6, opset=opset)
    sizes = [1, 3, 2]
    if opset == 11:
        b.op("Split", "x", outputs=3, axis=axis, split=sizes)
    else:
        b.op("Split", "x", b.constant(sizes), outputs=3, axis=axis)
    graph = check(b, b.relu(b.nodes[-1].output[1]))
    assert kinds(graph)[0] == Slice


@pytest.mark.parametrize(
    ("shape", "axis", "indices"),
    [(IMAGE, 1, [3, 0, -1]), (IMAGE, 2, [5, 5]), (IMAGE, -1, 2), (IMAGE, 1, [[0, 1], [2, 3]]),
     ((3, 5), 1, 0), ((3, 5), 2, [4]), ((6,), 1, [[1, 2, 3]]), ((3, 5), -2, -1)],
    ids=str,
)  # fmt: skip
def test_gather(shape: Any, axis: int, indices: Any, check: Any) -> None:
    b = Builder(*shape)
    graph = check(b, b.op("Gather", "x", b.constant(indices), axis=axis))
    assert kinds(graph)[0] == Take


@pytest.mark.parametrize(
    ("image", "axis", "sizes"),
    [((5, 6), 1, (1, None)), ((5, 6), 2, (None, 2)), (IMAGE, 1, (2, None, None, 1)),
     (IMAGE, -1, (3, 1, None))],
    ids=str,
)  # fmt: skip
def test_concat_with_constants(image: Any, axis: int, sizes: Any, check: Any) -> None:
    """As a class token before those of an image."""
    b = Builder(*image, batch=1)
    inputs: list[Any] = []
    for size in sizes:
        shape = [1, *image]
        shape[axis] = size or 1
        constant = b.rng.normal(size=shape).astype(np.float32)
        inputs.append(b.relu("x") if size is None else constant)
    check(b, b.op("Concat", *inputs, axis=axis))


@pytest.mark.parametrize("batch", ["N", 3])
def test_a_class_token(batch: Any, check: Any) -> None:
    b = Builder(5, 6, opset=13, batch=batch)
    images = b.op("Slice", b.op("Shape", "x"), b.constant([0]), b.constant([1]))
    shape = b.op("Concat", images, b.constant([-1, -1]), axis=0)
    ones = b.op("Mul", b.op("ConstantOfShape", b.constant([3])), number(1))
    minus = b.op("Equal", b.op("Cast", shape, to=1), b.op("Sub", ones, number(1)))
    shape = b.op("Where", minus, b.constant([1, 1, 1]), shape)
    token = b.op("Expand", b.weight(b.random(1, 1, 6)), shape)
    x = b.op("Concat", token, "x", axis=1)
    check(b, b.op("Gather", b.op("Tanh", x), b.constant(0), axis=1))


def test_expand(check: Any) -> None:
    for target in ([1, 4, 6, 5], [4, 6, 1], [1, 1, 1, 1]):
        b = Builder(4, 1, 1)
        graph = check(b, b.op("Expand", "x", b.constant(target)))
        assert kinds(graph) == ([] if target[-2:] == [1, 1] else [Expand])
    b = Builder(1, 5)
    check(b, b.op("Expand", "x", b.constant([3, 1])))


NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("scales", [(2, 2), (1.5, 0.6), (0.5, 1), (3, 4), (1 / 6, 0.2)], ids=str)
def test_resize_by_scales(coordinates: str, scales: tuple[float, float], check: Any) -> None:
    for nearest in NEAREST:
        b = Builder(*IMAGE, opset=13)
        factors = b.constant([1, 1, *scales], np.float32)
        options: dict[str, Any] = {
            "coordinate_transformation_mode": coordinates,
            "nearest_mode": nearest,
        }
        graph = check(b, b.op("Resize", "x", "", factors, mode="nearest", **options))
        assert set(kinds(graph)) == {Take}
    b = Builder(*IMAGE, opset=13)
    factors = b.constant([1, 1, *scales], np.float32)
    graph = check(
        b,
        b.op(
            *("Resize", "x", "", factors),
            mode="linear",
            coordinate_transformation_mode=coordinates,
        ),
    )
    assert kinds(graph) == [Interpolate]


@pytest.mark.parametrize("opset", [11, 13, NEWEST_OPSET])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_to_sizes(opset: int, mode: str, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    nothing = b.constant([], np.float32)
    sizes = b.op("Concat", b.op("Slice", b.op("Shape", "x"), b.constant([0]), b.constant([2])),
                 b.constant([9, 10]), axis=0)  # fmt: skip
    inputs = (nothing, nothing) if opset == 11 else ("", "")
    check(b, b.op("Resize", "x", *inputs, sizes, mode=mode))
    if opset >= 18:
        b = Builder(*IMAGE, opset=opset)
        axes: dict[str, Any] = {"axes": [2, 3]}
        check(b, b.op("Resize", "x", "", "", b.constant([3, 7]), mode=mode, **axes))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(mode: str, check: Any) -> None:
    b = Builder(18, 3, 2)
    assert kinds(check(b, b.op("DepthToSpace", "x", blocksize=3, mode=mode))) == [Rearrange] * 2


def test_space_to_depth(check: Any) -> None:
    b = Builder(3, 4, 6)
    x = b.op("SpaceToDepth", "x", blocksize=2)
    check(b, b.op("DepthToSpace", b.conv(x, 12, 8, 1), blocksize=2))


TRANSPOSED: list[dict[str, Any]] = [
    {},
    {"strides": [2, 2]},
    {"strides": [2, 3], "pads": [1, 0, 1, 2]},
    {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    {"strides": [3, 2], "pads": [3, 3, 2, 3]},
    {"dilations": [2, 1], "pads": [1, 1, 1, 1]},
    {"group": 2, "strides": [2, 2]},
    {"group": 4, "strides": [1, 2]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"auto_pad": "VALID", "strides": [2, 2]},
    {"output_shape": [13, 10], "strides": [2, 2]},
]


@pytest.mark.parametrize("attributes", TRANSPOSED, ids=str)
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4)], ids=str)
def test_transposed_convolution(attributes: dict[str, Any], kernel: Any, check: Any) -> None:
    b = Builder(*IMAGE)
    groups = attributes.get("group", 1)
    x = b.op("ConvTranspose", "x", b.random(4, 3, *kernel), b.random(3 * groups), **attributes)
    graph = check(b, b.relu(b.norm(x, 3 * groups)))
    assert set(kinds(graph)) <= {Spread, Slice, MatrixLayer}
    assert graph.nodes[-1].clip is not None


# --- reductions


REDUCTIONS = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare"]


@pytest.mark.parametrize("operator", REDUCTIONS)
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions(operator: str, keep: int, check: Any) -> None:
    for opset, (shape, axes) in product(
        (11, NEWEST_OPSET),
        [
            (IMAGE, [2, 3]),
            (IMAGE, [1]),
            (IMAGE, [-1]),
            (IMAGE, [1, 3]),
            (IMAGE, [1, 2, 3]),
            ((3, 5), [1]),
            ((3, 5), [-1]),
            ((3, 5), [1, 2]),
            ((6,), [1]),
            ((2, 3, 4, 2), [2, 4]),
        ],
    ):
        b = Builder(*shape, opset=opset)
        if opset == 11:
            check(b, b.op(operator, "x", axes=axes, keepdims=keep))
        else:
            check(b, b.op(operator, "x", b.constant(axes), keepdims=keep))


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_normalization(size: int, check: Any) -> None:
    b = Builder(7, 4, 3)
    attributes: dict[str, Any] = {"size": size, "alpha": 0.5, "beta": 0.75, "bias": 2.0}
    check(b, b.op("LRN", "x", **attributes))


def test_global_max_pool(check: Any) -> None:
    for shape in (IMAGE, (4, 7)):
        b = Builder(*shape)
        assert kinds(check(b, b.op("GlobalMaxPool", "x")))[0] in (MaxPool, Rearrange)


# --- lines


LINES: list[dict[str, Any]] = [
    {},
    {"strides": [2], "pads": [1, 2]},
    {"dilations": [3], "group": 2},
    {"auto_pad": "SAME_UPPER", "strides": [2]},
    {"group": 4},
]


@pytest.mark.parametrize("attributes", LINES, ids=str)
def test_convolution_of_lines(attributes: dict[str, Any], check: Any) -> None:
    b = Builder(4, 12)
    weights = b.random(8, 4 // attributes.get("group", 1), 3)
    x = b.norm(b.op("Conv", "x", weights, b.random(8), **attributes), 8)
    graph = check(b, b.relu(x))
    assert kinds(graph) == [Rearrange, MatrixLayer, Rearrange]
    assert graph.nodes[1].clip is not None


def test_a_network_of_lines(check: Any) -> None:
    """Nothing is moved between its layers, and pools."""
    b = Builder(4, 20)
    x = b.relu(b.op("Conv", "x", b.random(6, 4, 3), pads=[1, 1]))
    x = b.op("MaxPool", x, kernel_shape=[3], strides=[2])
    x = b.op("AveragePool", b.op("Add", x, b.random(6, 1)), kernel_shape=[2], ceil_mode=1)
    x = b.op("ConvTranspose", x, b.random(6, 5, 2), strides=[2])
    graph = check(b, b.gemm(b.flatten(b.op("GlobalAveragePool", b.op("Tanh", x))), 5, 3))
    assert kinds(graph).count(Rearrange) == 2
    assert kinds(graph)[-2:] == [Rearrange, MatrixLayer]
    assert AveragePool in kinds(graph)


def test_lines_between_transpositions(check: Any) -> None:
    b = Builder(7, 4)
    x = b.op("Transpose", "x", perm=[0, 2, 1])
    x = b.op("Transpose", b.op("Conv", x, b.random(6, 4, 3)), perm=[0, 2, 1])
    x = b.op("Add", b.op("MatMul", x, b.random(6, 5)), b.random(5))
    assert kinds(check(b, x)) == [Rearrange, MatrixLayer, MatrixLayer, Rearrange]


def test_a_matrix_from_the_left(check: Any) -> None:
    b = Builder(4, 6)
    x = b.op("MatMul", b.random(3, 4), "x")
    assert kinds(check(b, b.op("Mul", x, b.random(3, 1))))[1] == MatrixLayer


# --- after a softmax


@pytest.mark.parametrize("move", ["Flatten", "Squeeze", "Reshape", "Unsqueeze", "Identity"])
def test_what_may_follow_a_softmax(move: str, tmp_path: Path) -> None:
    b = Builder(4, 3, 3, opset=13)
    x = b.op("Softmax", b.op("GlobalAveragePool", b.conv("x", 4, 5, 3)), axis=1)
    constants = {"Reshape": [0, -1], "Squeeze": [2, 3], "Unsqueeze": [1]}
    more = [b.constant(constants[move])] if move in constants else []
    graph = compare_ranking(b, b.op(move, x, *more), tmp_path)
    assert kinds(graph)[0] == MatrixLayer


def compare_ranking(b: Builder, output: str, folder: Path) -> Graph:
    """Without the softmax, against the model without it."""
    [softmax] = [node for node in b.nodes if node.op_type == "Softmax"]
    model = b.model(output)
    path = folder / "softmax.onnx"
    path.write_bytes(model.SerializeToString())
    graph = import_onnx(path)
    softmax.op_type = "Identity"
    del softmax.attribute[:]
    plain = compare(b.model(output), folder)
    x = np.random.default_rng(1).normal(size=(2, *graph.input_shape))
    np.testing.assert_array_equal(graph.forward(x), plain.forward(x))
    assert graph.ranking
    assert not plain.ranking
    return graph
