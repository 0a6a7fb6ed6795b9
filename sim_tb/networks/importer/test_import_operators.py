"""Every imported operator, and every combination of its attributes, against onnxruntime."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from networks.graph.elementwise import Affine, Function, Sum
from networks.graph.movement import Concat, Rearrange
from networks.graph.operations import STRUCTURAL, MatrixLayer
from networks.importer import import_onnx
from sim_tb.networks.onnx_models import NEWEST_OPSET, Builder, compare, kinds

OPSETS = (11, 13, 18, NEWEST_OPSET)
every_opset = pytest.mark.parametrize("opset", OPSETS)

IMAGE = (4, 9, 7)


CONVOLUTIONS: list[dict[str, Any]] = [
    {},
    {"strides": [2, 3]},
    {"pads": [1, 1, 1, 1]},
    {"pads": [0, 2, 1, 3], "strides": [2, 2]},
    {"dilations": [2, 1]},
    {"dilations": [2, 3], "pads": [2, 3, 1, 0], "strides": [1, 2]},
    {"group": 2},
    {"group": 4, "pads": [1, 1, 1, 1]},
    {"group": 4, "strides": [2, 1], "dilations": [1, 2]},
    {"auto_pad": "VALID"},
    *(
        {"auto_pad": auto, "strides": strides}
        for auto in ("SAME_UPPER", "SAME_LOWER")
        for strides in ([1, 1], [2, 2], [3, 2])
    ),
    {"auto_pad": "NOTSET", "pads": [3, 0, 0, 3]},
]


@pytest.mark.parametrize("attributes", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("kernel", [(3, 3), (2, 1), (1, 1), (4, 2)], ids=str)
def test_convolution(attributes: dict[str, Any], kernel: tuple[int, int], check: Any) -> None:
    b = Builder(*IMAGE)
    weights = b.random(8, 4 // attributes.get("group", 1), *kernel)
    graph = check(b, b.op("Conv", "x", weights, b.random(8), kernel_shape=kernel, **attributes))
    assert kinds(graph) == [MatrixLayer]


@every_opset
def test_convolution_without_its_defaults(opset: int, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    check(b, b.op("Conv", "x", b.random(5, 4, 3, 2)))


@every_opset
@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [None, (), (1,), (6,), (1, 6), (1, 1)], ids=str)
def test_gemm(opset: int, transposed: int, bias: tuple[int, ...] | None, check: Any) -> None:
    b = Builder(5, opset=opset)
    weights = b.random(6, 5) if transposed else b.random(5, 6)
    inputs = [weights] if bias is None else [weights, b.rng.normal(size=bias).astype(np.float32)]
    check(b, b.op("Gemm", "x", *inputs, alpha=1.5, beta=-0.5, transA=0, transB=transposed))


@pytest.mark.parametrize("shape", [(5,), (3, 5)], ids=str)
@pytest.mark.parametrize("bias", [(6,), (1, 6), (), (1,)], ids=str)
@pytest.mark.parametrize("constant_first", [False, True])
def test_matrix_product_with_a_bias(
    shape: tuple[int, ...], bias: tuple[int, ...], constant_first: bool, check: Any
) -> None:
    b = Builder(*shape)
    product_ = b.op("MatMul", "x", b.random(5, 6))
    offset = b.rng.normal(size=bias).astype(np.float32)
    graph = check(b, b.op("Add", *((offset, product_) if constant_first else (product_, offset))))
    assert kinds(graph) == [MatrixLayer]


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1), (1, 1, 1), (1, 1, 1, 1), ()], ids=str)
def test_addition_of_a_constant_per_channel(shape: tuple[int, ...], check: Any) -> None:
    b = Builder(*IMAGE)
    graph = check(b, b.op("Add", "x", b.rng.normal(size=shape).astype(np.float32)))
    assert kinds(graph) == [Affine]


@every_opset
def test_batch_normalization_is_folded_or_an_affine(opset: int, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    graph = check(b, b.norm(b.conv("x", 4, 6, 3), 6))
    assert kinds(graph) == [MatrixLayer]
    b = Builder(*IMAGE, opset=opset)
    assert kinds(check(b, b.norm("x", 4))) == [Affine]
    b = Builder(5, opset=opset)
    assert kinds(check(b, b.norm(b.gemm("x", 5, 6), 6))) == [MatrixLayer]
    b = Builder(*IMAGE, opset=opset)
    x = b.conv("x", 4, 6, 3, groups=2)
    graph = check(b, b.op("Add", b.norm(x, 6), x))
    assert kinds(graph) == [MatrixLayer]
    b = Builder(*IMAGE, opset=opset)
    x = b.conv("x", 4, 6, 3, groups=2)
    graph = check(b, b.op("Concat", b.norm(x, 6), x, axis=1))
    assert kinds(graph) == [MatrixLayer, Affine, Concat]


def test_what_is_folded_is_known_of_the_layer(check: Any) -> None:
    b = Builder(*IMAGE)
    x = b.norm(b.conv("x", 4, 6, 3), 6)
    scale, offset, _, variance = (numpy_helper.to_array(w) for w in b.weights[-4:])
    graph = check(b, b.op("Add", x, np.full((6, 1, 1), 0.5, np.float32)))
    [node] = graph.nodes
    assert node.name == b.nodes[0].name
    norm = node.operation.batch_norm
    np.testing.assert_array_equal(norm.scale, scale)
    np.testing.assert_array_equal(norm.offset, offset.astype(float) + 0.5)
    np.testing.assert_allclose(norm.deviation, np.sqrt(variance + 1e-5), rtol=1e-6)
    assert norm.epsilon == pytest.approx(1e-5)


@every_opset
def test_relu_is_part_of_the_node_before_it(opset: int, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    [node] = check(b, b.relu(b.conv("x", 4, 6, 3))).nodes
    assert node.clip == (0.0, np.inf)
    assert node.name == b.nodes[0].name
    b = Builder(*IMAGE, opset=opset)
    [node] = check(b, b.relu(b.pool("AveragePool", "x", 2, 2))).nodes
    assert node.clip == (0.0, np.inf)


def test_relu_is_a_node_of_its_own_where_it_must_be(check: Any) -> None:
    b = Builder(*IMAGE)
    assert kinds(check(b, b.relu("x"))) == [Sum]
    b = Builder(*IMAGE)
    x = b.conv("x", 4, 4, 1)
    assert kinds(check(b, b.op("Add", b.relu(x), x))) == [MatrixLayer, Function]
    b = Builder(*IMAGE)
    assert kinds(check(b, b.relu(b.op("Concat", "x", "x", axis=1)))) == [Concat, Sum]
    b = Builder(*IMAGE)
    graph = check(b, b.relu(b.pool("MaxPool", "x", 2, 2)))
    assert isinstance(graph.nodes[0].operation, STRUCTURAL)
    assert graph.nodes[0].clip is None
    b = Builder(*IMAGE)
    limits = (np.array(0, np.float32), np.array(2, np.float32))
    graph = check(b, b.op("Clip", b.relu(b.conv("x", 4, 4, 1)), *limits))
    assert [node.clip for node in graph.nodes] == [(0.0, np.inf), (0.0, 2.0)]


@every_opset
@pytest.mark.parametrize("limits", [(0.0, 0.5), (-0.25, 0.5), (None, 0.5), (-0.5, None), ()])
def test_clip(opset: int, limits: tuple[float | None, ...], check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    inputs = ["" if limit is None else np.array(limit, np.float32) for limit in limits]
    check(b, b.op("Clip", b.conv("x", 4, 5, 1), *inputs))


def test_additions_of_values(check: Any) -> None:
    b = Builder(*IMAGE)
    x = b.conv("x", 4, 4, 3, pad=1)
    assert kinds(check(b, b.op("Add", x, "x"))) == [MatrixLayer, Sum]
    b = Builder(*IMAGE)
    check(b, b.op("Add", "x", "x"))
    b = Builder(*IMAGE, opset=13)
    x = b.conv("x", 4, 4, 3, pad=1)
    check(b, b.relu(b.op("Add", b.relu(x), b.op("Add", x, "x"))))


@every_opset
@pytest.mark.parametrize("axis", [1, 2, 3, -1, -3])
def test_concat_of_images(opset: int, axis: int, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    check(b, b.op("Concat", "x", b.relu("x"), "x", axis=axis))


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concat_of_others(axis: int, check: Any) -> None:
    b = Builder(3, 5)
    check(b, b.op("Concat", "x", b.relu("x"), axis=axis))


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": kernel, "strides": strides, "pads": pads, "ceil_mode": ceil}
    for (kernel, pads), strides, ceil in product(
        [
            ([2, 2], [0, 0, 0, 0]),
            ([3, 3], [1, 1, 1, 1]),
            ([3, 2], [0, 1, 2, 0]),
            ([1, 1], [0, 0, 0, 0]),
            ([4, 5], [2, 0, 1, 3]),
        ],
        [[1, 1], [2, 2], [3, 2], [5, 4]],
        [0, 1],
    )
]
AUTO_POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [3, 2], "strides": strides, "auto_pad": auto}
    for strides in ([1, 1], [2, 2], [2, 3])
    for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
]


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (10, 11)], ids=str)
@pytest.mark.parametrize("opset", [11, NEWEST_OPSET])
def test_max_pool(size: tuple[int, int], opset: int, check: Any) -> None:
    for attributes in [*POOLS, *AUTO_POOLS]:
        b = Builder(3, *size, opset=opset)
        check(b, b.op("MaxPool", "x", **attributes))


@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1], [2, 0, 1, 2]], ids=str)
def test_max_pool_with_dilations(ceil: int, pads: list[int], check: Any) -> None:
    for dilations, strides in product([[2, 2], [1, 3]], [[1, 1], [2, 3]]):
        b = Builder(3, 10, 9)
        sides: dict[str, Any] = {
            "dilations": dilations,
            "strides": strides,
            "pads": pads,
            "ceil_mode": ceil,
        }
        check(b, b.op("MaxPool", "x", kernel_shape=[3, 3], **sides))


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (10, 11)], ids=str)
@pytest.mark.parametrize("opset", [11, 18, 19, NEWEST_OPSET])
@pytest.mark.parametrize("include", [0, 1])
def test_average_pool(size: tuple[int, int], opset: int, include: int, check: Any) -> None:
    for attributes in [*POOLS, *AUTO_POOLS]:
        b = Builder(3, *size, opset=opset)
        check(b, b.op("AveragePool", "x", count_include_pad=include, **attributes))


@pytest.mark.parametrize("include", [0, 1])
def test_average_pool_with_dilations(include: int, check: Any) -> None:
    b = Builder(3, 10, 9, opset=19)
    sides: dict[str, Any] = {"dilations": [2, 3], "strides": [2, 1], "pads": [1, 1, 2, 0]}
    check(b, b.op("AveragePool", "x", kernel_shape=[3, 2], count_include_pad=include, **sides))


def test_global_average_pool(check: Any) -> None:
    b = Builder(*IMAGE)
    check(b, b.op("GlobalAveragePool", "x"))
    b = Builder(*IMAGE)
    check(b, b.gemm(b.flatten(b.op("GlobalAveragePool", "x")), 4, 3))


@every_opset
@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [3], [-2]], ids=str)
@pytest.mark.parametrize("keep", [0, 1])
def test_mean_over_space(opset: int, axes: list[int], keep: int, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    if opset < 18:
        check(b, b.op("ReduceMean", "x", axes=axes, keepdims=keep))
    else:
        check(b, b.op("ReduceMean", "x", b.constant(axes), keepdims=keep))


@every_opset
@pytest.mark.parametrize("shape", [IMAGE, (4, 1, 1), (6,), (3, 5)], ids=str)
def test_flatten(opset: int, shape: tuple[int, ...], check: Any) -> None:
    b = Builder(*shape, opset=opset)
    check(b, b.op("Flatten", "x"))
    b = Builder(*shape, opset=opset)
    check(b, b.op("Flatten", b.relu("x"), axis=-len(shape)))


def test_a_flattened_image_keeps_its_order_before_a_layer(check: Any) -> None:
    for layer in ("Gemm", "MatMul"):
        b = Builder(*IMAGE)
        graph = check(b, b.op(layer, b.flatten("x"), b.random(252, 5)))
        assert graph.nodes[0].operation == Rearrange((0, 1, 2), (252,), (0,))
    b = Builder(*IMAGE)
    flat = b.flatten("x")
    graph = check(b, b.op("Concat", flat, b.gemm(flat, 252, 5), axis=1))
    assert graph.nodes[0].operation == Rearrange((2, 0, 1), (252,), (0,))


@every_opset
@pytest.mark.parametrize(
    "target",
    [[-1, 252], [0, -1], [1, -1], [0, 0, -1], [0, 2, 2, 9, 7], [-1, 6, 6, 7], [0, 9, 4, 7]],
    ids=str,
)
def test_reshape(opset: int, target: list[int], check: Any) -> None:
    b = Builder(*IMAGE, opset=opset, batch=1)
    check(b, b.op("Reshape", "x", b.constant(target)))


def test_reshape_from_another_rank_and_of_a_fixed_batch(check: Any) -> None:
    b = Builder(24)
    check(b, b.conv(b.op("Reshape", "x", b.constant([-1, 2, 3, 4])), 2, 5, 2))
    for target in ([5, 6, -1], [-1, 6, 4], [0, 0, 0]):
        b = Builder(6, 4, batch=5)
        check(b, b.relu(b.op("Reshape", "x", b.constant(target))))


@pytest.mark.parametrize("target", [[1, -1], [1, 4, 63]], ids=str)
def test_reshape_without_zeros(target: list[int], check: Any) -> None:
    b = Builder(*IMAGE, opset=18, batch=1)
    check(b, b.op("Reshape", "x", b.constant(target), allowzero=1))


def test_shuffled_channels(check: Any) -> None:
    b = Builder(*IMAGE)
    x = b.op("Reshape", "x", b.constant([0, 2, 2, 9, 7]))
    x = b.op("Transpose", x, perm=[0, 2, 1, 3, 4])
    check(b, b.conv(b.op("Reshape", x, b.constant([0, -1, 9, 7])), 4, 4, 1))


@every_opset
@pytest.mark.parametrize("axes", [[2], [-1], [2, 3]], ids=str)
def test_squeeze_and_unsqueeze(opset: int, axes: list[int], check: Any) -> None:
    for operator, shape in (("Squeeze", (5, 1, 1)), ("Unsqueeze", (5,)), ("Unsqueeze", (5, 6))):
        b = Builder(*shape, opset=opset)
        if opset < 13:
            check(b, b.relu(b.op(operator, "x", axes=axes)))
        else:
            check(b, b.relu(b.op(operator, "x", b.constant(axes))))


def test_squeeze_of_all_axes_with_a_fixed_batch(check: Any) -> None:
    b = Builder(1, 5, 1, batch=3)
    check(b, b.op("Squeeze", "x"))


@pytest.mark.parametrize(
    ("shape", "perm"),
    [(IMAGE, [0, 2, 3, 1]), (IMAGE, [0, 1, 3, 2]), (IMAGE, [0, 3, 1, 2]), ((3, 5), [0, 2, 1]),
     ((4, 1, 1), [0, 2, 3, 1]), (IMAGE, [0, 1, 2, 3])],
    ids=str,
)  # fmt: skip
def test_transpose(shape: tuple[int, ...], perm: list[int], check: Any) -> None:
    b = Builder(*shape)
    check(b, b.op("Transpose", "x", perm=perm))


@every_opset
@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([0, 1], [2**63 - 1, 5], [2, 3], [2, 1]),
        ([-3], [-1], [1], [1]),
        ([-1], [-(2**63)], [1], [-1]),
        ([6, 2], [1, 3], [-2, -3], [-2, 1]),
        ([0, 1], [2**63 - 1, 3], [0, 1], [1, 1]),
        ([100], [-100], [3], [-3]),
    ],
    ids=str,
)
def test_slice(opset: int, starts: Any, ends: Any, axes: Any, steps: Any, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    check(b, b.op("Slice", "x", *map(b.constant, (starts, ends, axes, steps))))


def test_slice_of_leading_axes_by_default(check: Any) -> None:
    b = Builder(6, 5, batch=3)
    check(b, b.op("Slice", "x", b.constant([0, 1]), b.constant([3, 4])))


@every_opset
@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize("pads", [[0, 0, 1, 2, 0, 0, 3, 0], [0, 1, 0, 0, 0, 2, 0, 1]], ids=str)
def test_pad(opset: int, mode: str, pads: list[int], check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    check(b, b.op("Pad", "x", b.constant(pads), mode=mode))
    if mode == "constant":
        b = Builder(*IMAGE, opset=opset)
        check(b, b.op("Pad", "x", b.constant(pads), b.constant(-0.5, np.float32)))
    if opset >= 18:
        b = Builder(*IMAGE, opset=opset)
        check(b, b.op("Pad", "x", b.constant([1, 0, 2, 3]), "", b.constant([-1, 2]), mode=mode))


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_at_the_end_is_left_out(opset: int, check: Any) -> None:
    b = Builder(5, opset=opset)
    graph = check(b, b.op("Softmax", b.gemm("x", 5, 6), axis=1))
    assert kinds(graph) == [MatrixLayer]


def test_logarithm_of_softmax_at_the_end_is_left_out(tmp_path: Path) -> None:
    b = Builder(5)
    path = tmp_path / "model.onnx"
    path.write_bytes(b.model(b.op("LogSoftmax", b.gemm("x", 5, 6), axis=1)).SerializeToString())
    assert kinds(import_onnx(path)) == [MatrixLayer]


def test_operators_that_do_nothing(check: Any) -> None:
    b = Builder(*IMAGE, opset=13)
    x = b.op("Identity", b.op("Dropout", b.conv("x", 4, 5, 1), outputs=2))
    graph = check(b, b.relu(b.op("Cast", b.op("Cast", x, to=TensorProto.DOUBLE), to=1)))
    assert [node.clip for node in graph.nodes] == [(0.0, np.inf)]
    b = Builder(*IMAGE)
    assert check(b, b.op("Identity", "x")).nodes == ()


@every_opset
def test_constant_subgraphs(opset: int, check: Any) -> None:
    b = Builder(*IMAGE, opset=opset)
    weights = b.op("Transpose", b.weight(b.random(3, 2, 4, 5)), perm=[3, 2, 0, 1])
    doubled = b.op("Mul", weights, b.op("Sqrt", b.constant(4.0, np.float32)))
    shape = b.op("ConstantOfShape", b.constant([1]), value=helper.make_tensor("v", 1, [1], [0.5]))
    bias = b.op("Expand", shape, b.op("Cast", b.constant([5.0], np.float32), to=7))
    numbers = b.op("Range", *(b.constant(v, np.float32) for v in (0, 5, 1)))
    bias = b.op("Div", b.op("Sub", b.op("Add", bias, numbers), b.op("Floor", bias)), bias)
    x = b.op("Conv", "x", doubled, bias)
    sizes = [b.op("Gather", b.op("Shape", x), b.constant([axis])) for axis in (0, 1)]
    check(b, b.op("Reshape", x, b.op("Concat", *sizes, b.constant([-1]), axis=0)))


@pytest.mark.parametrize("form", ["value_float", "value_floats"])
def test_short_constants(form: str, check: Any) -> None:
    b = Builder(*IMAGE, opset=13)
    value = 0.5 if form == "value_float" else [0.5]
    attributes: dict[str, Any] = {form: value}
    check(b, b.op("Add", "x", b.op("Constant", **attributes)))
    b = Builder(*IMAGE, opset=13)
    check(b, b.op("Reshape", "x", b.op("Constant", value_ints=[0, -1])))


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_weights_of_other_floats(dtype: type, check: Any) -> None:
    b = Builder(*IMAGE)
    weights = b.op("Cast", b.weight(b.random(6, 4, 3, 3).astype(dtype)), to=TensorProto.FLOAT)
    check(b, b.op("Conv", "x", weights))


def test_what_only_other_outputs_need_does_not_matter(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    x = b.conv("x", 4, 6, 3)
    b.op("Shape", b.norm(x, 6))
    compare(b.model(b.relu(x), b.op("Gelu" if b.opset >= 20 else "Erf", x)), tmp_path)


def test_nodes_without_names_and_with_the_same(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    model = b.model(b.conv(b.conv("x", 4, 6, 3), 6, 5, 3))
    path = tmp_path / "model.onnx"
    for name, expected in (("conv", ["conv", "conv_2"]), ("", [n.output[0] for n in b.nodes])):
        for node in model.graph.node:
            node.name = name
        path.write_bytes(model.SerializeToString())
        assert [node.name for node in import_onnx(path).nodes] == expected


def test_weights_in_a_file_beside_the_model(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    model = b.model(b.conv("x", 4, 6, 3))
    expected = compare(model, tmp_path).nodes[0].operation
    path = tmp_path / "external.onnx"
    onnx.save(model, path, save_as_external_data=True, location="data", size_threshold=0)
    imported = import_onnx(path).nodes[0].operation
    assert isinstance(expected, MatrixLayer)
    assert isinstance(imported, MatrixLayer)
    np.testing.assert_array_equal(imported.weights, expected.weights)
