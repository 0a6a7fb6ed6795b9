"""Quantization: the integer network against loops in Python numbers, and against the float one."""

import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rich.progress import Progress

import golden
from gen.design.configuration import Configuration
from gen.design.expectation import MismatchError
from gen.simulation import compiled_array
from gen.simulation.demo import LayerRun, through_array
from networks.graph.attention import LayerNormalization, MatrixProduct, Softmax
from networks.graph.elementwise import (
    Affine,
    Function,
    Largest,
    Product,
    Quotient,
    Smallest,
    Sum,
)
from networks.graph.expression import Expression, X, apply, limited
from networks.graph.graph import Graph, Node
from networks.graph.lowering import Flat, Patch
from networks.graph.movement import (
    Concat,
    Expand,
    Interpolate,
    Pad,
    Rearrange,
    Slice,
    Spread,
    Take,
    Taps,
)
from networks.graph.operations import (
    JOINING,
    AveragePool,
    BatchNormalization,
    MatrixLayer,
    MaxPool,
)
from networks.quantization.arithmetic import (
    Arithmetic,
    Windows,
    exact,
    matrices,
    multiply,
    windowed,
    windowed_2_4,
)
from networks.quantization.attention_windows import window_attention
from networks.quantization.batch_norm import recalibrate
from networks.quantization.calibration import calibrate
from networks.quantization.equalization import equalize
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import (
    Alignment,
    Combine,
    Divide,
    IntegerAveragePool,
    IntegerInterpolate,
    IntegerMatrixLayer,
    IntegerNormalization,
    IntegerSoftmax,
    LookUp,
    Multiply,
    MultiplyMatrices,
    Requantization,
    UniformCodes,
    WideQuantization,
    WideRequantization,
)
from networks.quantization.pruning import prune_2_4
from networks.quantization.quantize import (
    quantize,
    require_quantizable,
    unsigned_values,
    windowing_exceptions,
)
from sim_tb.oracle import reference

SEED = 2021
Array = npt.NDArray[Any]
RELU = (0.0, math.inf)
FORMAT = "5opt"
RULE = reference.Rule(*reference.NAMED[FORMAT])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


def matrix_layer(rng: np.random.Generator, lowering: Any, channels: int, width: int) -> MatrixLayer:
    """Random weights, channels of very different ranges."""
    groups, depth = lowering.groups, lowering.depth(channels)
    shape = (groups, depth, width // groups)
    weights = rng.normal(size=shape) * 2.0 ** rng.integers(-3, 3, (groups, 1, shape[2]))
    return MatrixLayer(lowering, weights / math.sqrt(depth), rng.normal(size=width) / 4)


def graph_of(shape: tuple[int, ...], *nodes: tuple[Any, ...]) -> Graph:
    """A graph of (operation, inputs, output[, clip]); nodes are called as what they make."""
    made = tuple(
        Node(output, operation, inputs, output, *clip) for operation, inputs, output, *clip in nodes
    )
    return Graph("x", shape, made, made[-1].output)


def every_operation(rng: np.random.Generator) -> Graph:
    """Every operation, on signed and on non-negative values, with odd sizes throughout."""
    stem = Patch((3, 2), stride=(2, 1), padding=(1, 0, 2, 1))
    grouped = Patch((2, 3), padding=(1, 1, 0, 1), dilation=(1, 2), groups=2)
    depthwise = Patch((3, 3), padding=(1, 1, 1, 1), groups=6)
    pool = Patch((2, 3), stride=(1, 2), padding=(0, 1, 1, 1))
    divisors = AveragePool(pool, np.ones(1)).sums(np.ones((1, 4, 5, 1)), 0, np.float64)[0]
    return graph_of(
        (7, 5, 3),
        (matrix_layer(rng, stem, 3, 6), ("x",), "stem", RELU),
        (matrix_layer(rng, grouped, 6, 4), ("stem",), "grouped"),
        (matrix_layer(rng, depthwise, 6, 6), ("stem",), "depthwise", (0.0, 1.5)),
        (Affine(rng.normal(size=6), rng.normal(size=6)), ("depthwise",), "affine"),
        (Affine(rng.normal(size=6), rng.normal(size=6)), ("stem",), "limited", (-0.5, 1.0)),
        (Sum(), ("affine", "stem"), "sum"),
        (Sum(), ("sum",), "relu", RELU),
        (Slice((slice(0, 4), slice(3, None, -1), slice(0, None))), ("relu",), "slice"),
        (Pad(((0, 0), (0, 1), (0, 0)), "constant", 0.25), ("slice",), "padded"),
        (Pad(((0, 0), (1, 0), (0, 0)), "reflect"), ("slice",), "reflected"),
        (Pad(((0, 0), (1, 0), (0, 0)), "edge"), ("slice",), "edged"),
        (Concat(3), ("padded", "affine", "limited", "edged", "reflected"), "joined"),
        (MaxPool(pool), ("joined",), "largest"),
        (AveragePool(pool, divisors), ("joined",), "average"),
        (Sum(), ("largest", "average"), "pooled", RELU),
        (Rearrange((0, 1, 2), (360,), (0,)), ("pooled",), "flat"),
        (Rearrange((2, 0, 1), (48,), (0,)), ("grouped",), "moved"),
        (matrix_layer(rng, Flat(), 360, 7), ("flat",), "features", RELU),
        (Concat(1), ("features", "moved"), "all"),
        (matrix_layer(rng, Flat(), 55, 6), ("all",), "hidden", RELU),
        (matrix_layer(rng, Flat(), 6, 3), ("hidden",), "logits"),
    )


def attention_operations(rng: np.random.Generator) -> Graph:
    """A head of attention between normalizations."""
    return graph_of(
        (5, 6),
        (LayerNormalization(rng.normal(size=6), rng.normal(size=6), 1e-3), ("x",), "norm"),
        (matrix_layer(rng, Flat(), 6, 4), ("norm",), "query"),
        (matrix_layer(rng, Flat(), 6, 4), ("norm",), "key"),
        (matrix_layer(rng, Flat(), 6, 4), ("norm",), "value", RELU),
        (Rearrange((1, 0), (4, 5), (0, 1)), ("key",), "turned"),
        (MatrixProduct(0.5), ("query", "turned"), "scores"),
        (Softmax(), ("scores",), "weights"),
        (MatrixProduct(), ("weights", "value"), "mixed"),
        (matrix_layer(rng, Flat(), 4, 6), ("mixed",), "projected"),
        (Sum(), ("projected", "x"), "sum"),
        (LayerNormalization(np.ones(6), np.zeros(6), 0.0), ("sum",), "last norm"),
        (Softmax(), ("last norm",), "sharp"),
        (matrix_layer(rng, Flat(), 6, 3), ("sharp",), "logits"),
    )


def gelu() -> Expression:
    return apply("multiply", X, apply("add", apply("erf", apply("divide", X, 1.5)), 1.0))


def elementwise_operations(rng: np.random.Generator) -> Graph:
    """Functions, and what works on two values, with broadcasting; images resized and spread."""
    slopes = rng.normal(size=6)
    sloped = apply(
        "add", apply("maximum", X, 0.0), apply("multiply", apply("minimum", X, 0.0), slopes)
    )
    gate = limited(apply("add", apply("divide", X, 6.0), 0.5), 0.0, 1.0)
    rows = Taps((0, 0, 1, 2), (1, 1, 2, 2), np.array([0, 0.5, 0.3, 0.8]))
    columns = Taps((2, 0, 1), (2, 1, 2), np.array([0.25, 1, 0.7]))
    up = Patch((3, 3), padding=(2, 1, 0, 2))
    return graph_of(
        (4, 3, 2),
        (matrix_layer(rng, Patch((2, 1)), 2, 6), ("x",), "stem"),
        (Function(gelu()), ("stem",), "gelu"),
        (Function(sloped), ("gelu",), "sloped"),
        (AveragePool(Patch((3, 3)), np.linspace(5, 13, 6).reshape(1, 1, 6)), ("sloped",), "mean"),
        (Function(gate), ("mean",), "gate"),
        (Product(np.linspace(0.5, 2, 6)), ("sloped", "gate"), "gated"),
        (Sum((1.0, -0.5)), ("gate", "gelu"), "difference"),
        (Affine(rng.normal(size=(3, 3, 1)), rng.normal(size=(3, 3, 1))), ("gelu",), "by pixel"),
        (Function(apply("add", apply("absolute", X), 0.5)), ("difference",), "positive"),
        (Quotient(), ("by pixel", "positive"), "quotient"),
        (Quotient(), ("gate", "gated"), "wild", (-3.0, 4.0)),
        (Product(), ("positive", "positive"), "square"),
        (Largest(), ("gated", "gate", "quotient"), "largest"),
        (Smallest(), ("largest", "wild"), "smallest"),
        (Expand((3, 3, 6)), ("gate",), "expanded"),
        (Take(3, (5, 0, 0, 2)), ("expanded",), "taken"),
        (Take(3, (1, 2, 3, 4)), ("smallest",), "others"),
        (Sum(), ("taken", "others"), "sum", RELU),
        (Interpolate(rows, columns), ("sum",), "resized"),
        (Spread((2, 1)), ("by pixel",), "spread"),
        (matrix_layer(rng, up, 6, 4), ("spread",), "up", RELU),
        (Slice((slice(1, 5), slice(0, 3), slice(None))), ("up",), "cut"),
        (Product(), ("cut", "resized"), "product"),
        (Rearrange((0, 1, 2), (48,), (0,)), ("product",), "flat"),
        (matrix_layer(rng, Flat(), 48, 5), ("flat",), "logits"),
    )


def equalized_operations(rng: np.random.Generator) -> Graph:
    """The same with scales and offsets of channels, of layers, functions, means and products."""
    graph = elementwise_operations(rng)
    return equalize(graph, [signed_images(graph, rng)])


def signed_images(graph: Graph, rng: np.random.Generator, count: int = 3) -> Array:
    return rng.normal(size=(count, *graph.input_shape))


def quantized(graph: Graph, images: Array, **options: Any) -> QuantizedNetwork:
    return quantize(graph, calibrate(graph, [images], method="max"), **options)


# --- the integer network in Python numbers; a value is an array of them, of one image

Dot = Callable[[Sequence[int], Sequence[int]], int]


def finished(by: Requantization | WideRequantization | Alignment | None, sums: Array) -> Array:
    """Each sum times multiplier over 2**shift, rounded half to even; to bytes by requantization."""
    if by is None:
        return sums
    result = np.empty(sums.shape, object)
    multipliers, shifts = (np.broadcast_to(a, sums.shape) for a in (by.multiplier, by.shift))
    for place in np.ndindex(sums.shape):
        scaled = int(sums[place]) * int(multipliers[place])
        result[place] = reference.divide_half_even(scaled, int(shifts[place]))
        if isinstance(by, Requantization):
            result[place] = min(max(result[place] + by.zero_point, 0), 255)
        if isinstance(by, WideRequantization):
            result[place] = min(max(result[place], -32768), 32767)
    return result


def places(patch: Patch, shape: Any) -> list[list[list[tuple[int, int]]]]:
    """The pixels under the patch, padding among them, for each row and column of the output."""
    top, left, bottom, right = patch.padding
    (kernel_rows, kernel_columns), (down, across) = patch.kernel, patch.dilation
    rows = range(-top, shape[0] + bottom - (kernel_rows - 1) * down, patch.stride[0])
    columns = range(-left, shape[1] + right - (kernel_columns - 1) * across, patch.stride[1])
    return [
        [
            [
                (row + i * down, column + j * across)
                for i in range(kernel_rows)
                for j in range(kernel_columns)
            ]
            for column in columns
        ]
        for row in rows
    ]


def pixel(image: Array, place: tuple[int, int], channel: int, fill: int | None) -> Any:
    inside = 0 <= place[0] < image.shape[0] and 0 <= place[1] < image.shape[1]
    return image[*place, channel] if inside else fill


def sums_of(layer: IntegerMatrixLayer, x: Array, dot: Dot) -> Array:
    if layer.codes is not None:
        recoded = [int(layer.codes[value]) for value in x.flat]
        x = np.array(recoded, object).reshape(x.shape)
    if layer.channel_order is not None:
        x = np.stack([x[..., channel] for channel in layer.channel_order], axis=-1)
    groups, _, width = layer.weights.shape
    columns = [layer.weights[group, :, i].tolist() for group, i in np.ndindex(groups, width)]
    if isinstance(layer.lowering, Flat):
        rows = [[row.tolist()] for row in x.reshape(-1, x.shape[-1])]
    else:
        zero = layer.input_zero_point
        fill = zero if layer.codes is None else int(layer.codes[zero])
        each = x.shape[-1] // groups
        rows = [
            [
                [
                    pixel(x, place, channel, fill)
                    for place in under
                    for channel in range(group * each, (group + 1) * each)
                ]
                for group in range(groups)
            ]
            for line in places(layer.lowering, x.shape)
            for under in line
        ]
    sums = [
        [dot(row[i // width], column) + int(layer.bias[i]) for i, column in enumerate(columns)]
        for row in rows
    ]
    return np.array(sums, object)


def integer_value(node: IntegerNode, values: Sequence[Array], dot: Dot) -> Array:
    """What ``node`` makes of ``values``."""
    operation: Any = node.operation
    x = values[0]
    if isinstance(operation, IntegerMatrixLayer):
        sums = sums_of(operation, x, dot if operation.windowed else reference.dot)
        if isinstance(operation.lowering, Patch):
            lines = places(operation.lowering, x.shape)
            sums = sums.reshape(len(lines), len(lines[0]), -1)
        else:
            sums = sums.reshape(*x.shape[:-1], -1)
        return finished(operation.finish, sums)
    if isinstance(operation, Combine):
        shape = np.broadcast_shapes(*(value.shape for value in values))
        total = operation.bias.astype(object) + np.zeros(shape, int)
        for multiplier, value in zip(operation.multipliers, values, strict=True):
            total = total + multiplier.astype(object) * value
        return finished(operation.requantization, total)
    if isinstance(operation, LookUp):
        return table_of(operation.table, x)
    if isinstance(operation, Multiply | Divide):
        return of_two(operation, *values)
    if isinstance(operation, MultiplyMatrices):
        lines, columns = values[0].tolist(), (values[1].T - 128).tolist()
        zero = operation.zero_point
        products = [[dot([v - zero for v in row], column) for column in columns] for row in lines]
        return finished(operation.requantization, np.array(products, object))
    if isinstance(operation, IntegerSoftmax):
        return np.array([softmax_of(operation, row) for row in x.tolist()], object)
    if isinstance(operation, IntegerNormalization):
        normalized = [normalized_row(row, operation.epsilon, operation.wide) for row in x.tolist()]
        scale = IntegerNode("", operation.scale, (), "")
        return integer_value(scale, [np.array(normalized, object)], dot)
    if isinstance(operation, IntegerInterpolate):
        return interpolated(operation.interpolate, x)
    if isinstance(operation, IntegerAveragePool | MaxPool):
        patch = operation.patch if isinstance(operation, MaxPool) else operation.pool.patch
        lines = places(patch, x.shape)
        result = np.empty((len(lines), len(lines[0]), x.shape[-1]), object)
        for row, column, channel in np.ndindex(result.shape):
            under = [pixel(x, place, channel, None) for place in lines[row][column]]
            inside = [value for value in under if value is not None]
            if isinstance(operation, MaxPool):
                result[row, column, channel] = max(inside)
            else:
                zero = operation.input_zero_point
                result[row, column, channel] = sum(value - zero for value in inside)
        return (
            result if isinstance(operation, MaxPool) else finished(operation.requantization, result)
        )
    # What only moves values is as in the float network.
    moved: Array = operation(*(value[np.newaxis] for value in values))[0]
    return moved


def softmax_of(operation: IntegerSoftmax, row: Sequence[int]) -> list[int]:
    entries = [int(operation.exponentials[max(row) - value]) for value in row]
    divisor = sum(entries) << operation.shift
    return [min(round(Fraction(entry * operation.multiplier, divisor)), 255) for entry in entries]


def normalized_row(row: Sequence[int], epsilon: int, wide: bool) -> list[int]:
    count, total = len(row), sum(row)
    variance = count * sum(value * value for value in row) - total**2 + epsilon
    root = math.isqrt(variance if wide else variance << 12)
    bits = 8 if wide else 14
    return [round(Fraction((count * v - total) << bits, root)) if root else 0 for v in row]


def table_of(table: Array, x: Array) -> Array:
    result = np.empty(x.shape, object)
    for place in np.ndindex(x.shape):
        entries = table if table.ndim == 1 else table[place[-1]]
        result[place] = int(entries[x[place]])
    return result


def of_two(operation: Multiply | Divide, x: Array, y: Array) -> Array:
    """Element by element, without the zero points; the quotient of integers rounded once."""
    first, second = np.broadcast_arrays(x, y)
    result = np.empty(first.shape, object)
    for place in np.ndindex(first.shape):
        n, d = (
            int(value[place]) - zero
            for value, zero in zip((first, second), operation.zero_points, strict=True)
        )
        if isinstance(operation, Multiply):
            result[place] = n * d
        else:
            n, d = n * operation.multiplier, d << operation.shift
            rounded = round(Fraction(n, d)) if d else 1000 * ((n > 0) - (n < 0))
            result[place] = min(max(rounded + operation.zero_point, 0), 255)
    return finished(operation.requantization, result) if isinstance(operation, Multiply) else result


def interpolated(operation: Interpolate, x: Array) -> Array:
    """Of four pixels, by weights in 128ths of each axis."""
    rows, columns = operation.rows, operation.columns
    result = np.empty((len(rows.first), len(columns.first), x.shape[-1]), object)
    for i, j, channel in np.ndindex(result.shape):
        down, across = round(128 * float(rows.weight[i])), round(128 * float(columns.weight[j]))
        total = sum(
            row_weight * column_weight * int(x[row, column, channel])
            for row, row_weight in ((rows.first[i], 128 - down), (rows.second[i], down))
            for column, column_weight in (
                (columns.first[j], 128 - across),
                (columns.second[j], across),
            )
        )
        result[i, j, channel] = reference.divide_half_even(total, 14)
    return result


def integer_values(network: QuantizedNetwork, image: Array, dot: Dot) -> dict[str, Array]:
    """Every value of ``network`` for one image."""
    values = {network.source: image.astype(object)}
    for node in network.nodes:
        value = integer_value(node, [values[name] for name in node.inputs], dot)
        if node.clip is not None:
            low, high = node.clip
            value = np.minimum(np.maximum(value, low), high)
        values[node.output] = value
    return values


SPARQ = golden.named_format(FORMAT)
ARITHMETICS: list[tuple[Arithmetic, Dot]] = [
    (exact, reference.dot),
    (windowed(SPARQ), lambda row, w: reference.dot(reference.effective_row(row, RULE), w)),
    (windowed_2_4(SPARQ), lambda row, w: reference.dot_2_4(row, w, RULE)),
]


@pytest.mark.parametrize(("arithmetic", "dot"), ARITHMETICS, ids=["exact", "windowed", "2:4"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"first_layer_windowed": True, "last_layer_windowed": True, "weight_bits": 3},
        {"activation_codes": {"grouped": UniformCodes(17.0), "features": UniformCodes(9.5)}},
        {"channel_orders": {"features": np.arange(360)[::-1], "grouped": None}},
    ],
    ids=["default", "all layers", "4 bits", "channel order"],
)
def test_integers_against_loops(
    options: Any, arithmetic: Arithmetic, dot: Dot, rng: np.random.Generator
) -> None:
    """Every value equals, bit for bit, the rule in Python's own integers."""
    graph = every_operation(rng)
    graph = prune_2_4(graph, {node.name for node in graph.nodes})
    images = signed_images(graph, rng)
    network = quantized(graph, images, **options)
    assert any(layer.windowed for layer in network.layers)
    found: dict[str, Array] = {}
    x = network.quantize_images(images)
    logits = network.forward(x, arithmetic, lambda node, value: found.update({node.output: value}))
    for index, image in enumerate(x):
        for name, expected in integer_values(network, image, dot).items():
            if name != network.source:
                assert found[name][index].tolist() == expected.tolist(), name
    assert logits.tolist() == found["logits"].tolist()
    assert logits.dtype == np.int32


def test_signed_4_bits_against_loops(rng: np.random.Generator) -> None:
    """The code of the zero point is padding, and taken off; here of layers that have no ReLU."""
    graph = every_operation(rng)
    images = signed_images(graph, rng)
    options: Any = {"signed": "affine", "first_layer_windowed": True}
    layers = quantized(graph, images, **options).layers
    codes = {
        layer.name: UniformCodes(17.0, 9 if layer.fill else 0) for layer in layers if layer.windowed
    }
    options["activation_codes"] = codes
    network = quantized(graph, images, **options)
    signed = [layer for layer in network.layers if layer.windowed and layer.input_zero_point]
    assert {layer.fill for layer in signed} == {9}
    assert any(any(getattr(layer.lowering, "padding", ())) for layer in signed)
    test_integers_against_loops(options, exact, reference.dot, rng)


@pytest.mark.parametrize(
    "make", [elementwise_operations, equalized_operations, attention_operations]
)
def test_other_integers_against_loops(
    make: Callable[[np.random.Generator], Graph], rng: np.random.Generator
) -> None:
    graph = make(rng)
    images = signed_images(graph, rng)
    network = quantized(graph, images)
    found: dict[str, Array] = {}
    x = network.quantize_images(images)
    logits = network.forward(x, exact, lambda node, value: found.update({node.output: value}))
    for index, image in enumerate(x):
        for name, expected in integer_values(network, image, reference.dot).items():
            if name != network.source:
                assert found[name][index].tolist() == expected.tolist(), name
    assert network.forward(x, exact, compiled=False).tolist() == logits.tolist()


def test_tables_of_functions(rng: np.random.Generator) -> None:
    """What each byte stands for, through the function, as the nearest byte of the output."""
    graph = elementwise_operations(rng)
    network = quantized(graph, signed_images(graph, rng))
    tables = {n.output: n for n in network.nodes if isinstance(n.operation, LookUp)}
    assert set(tables) == {"gelu", "sloped", "gate", "positive"}
    for name, node in tables.items():
        source, output = network.quantizations[node.inputs[0]], network.quantizations[name]
        real = (np.arange(256) - source.zero_point) * source.step
        [function] = [n.operation for n in graph.nodes if n.output == name]
        assert isinstance(function, Function)
        assert isinstance(node.operation, LookUp)
        many = node.operation.table.reshape(-1, 256)
        assert len(many) == (6 if name == "sloped" else 1)
        values = function(np.repeat(real[:, np.newaxis], len(many), axis=1))
        nearest = np.clip(np.rint(values.T / output.step) + output.zero_point, 0, 255)
        assert many.tolist() == nearest.tolist()


def test_second_operands_are_signed(rng: np.random.Generator) -> None:
    """Those of products of values, and what they are moved from; a softmax is not."""
    graph = attention_operations(rng)
    network = quantized(graph, signed_images(graph, rng))
    for name in ("key", "turned", "value"):
        assert network.quantizations[name].zero_point == 128
    assert network.quantizations["weights"].zero_point == 0
    reasons = windowing_exceptions(graph, {"x": (-1.0, 1.0)}, first=False, last=False)
    assert reasons["projected"] == "signed input"
    assert reasons["logits"] == ""


def test_too_many_features() -> None:
    norm = LayerNormalization(np.ones(4097), np.zeros(4097), 0.0)
    expect(
        lambda: require_quantizable(graph_of((4097,), (norm, ("x",), "norm"))),
        "at most 4096 features can be normalized, not 4097 in norm",
    )
    turned = Rearrange((1, 0), (32897, 1), (0, 1))
    graph = graph_of((1, 32897), (turned, ("x",), "y"), (MatrixProduct(), ("x", "y"), "product"))
    expect(
        lambda: require_quantizable(graph),
        "K must be at most 32896 for int32 sums, not 32897 in product",
    )


def test_what_functions_make_negative(rng: np.random.Generator) -> None:
    graph = elementwise_operations(rng)
    unsigned = unsigned_values(graph, {"x": (-1.0, 1.0)})
    assert {"gate", "positive", "square", "sum", "up"} <= unsigned
    assert not {"gelu", "sloped", "gated", "difference", "quotient", "largest"} & unsigned
    for name, source, expected in (
        ("exp", False, True), ("tanh", False, False), ("tanh", True, True), ("log", True, False),
        ("softplus", False, True), ("floor", True, True),
    ):  # fmt: skip
        assert apply(name, X).never_negative(source) == expected
    assert apply("power", X, 2.0).never_negative(False)
    assert not apply("power", X, 3.0).never_negative(False)
    assert apply("power", X, 3.0).never_negative(True)
    assert not apply("subtract", X, 1.0).never_negative(True)
    assert apply("maximum", X, 0.0).never_negative(False)
    assert not apply("minimum", X, 1.0).never_negative(False)


# --- integers against the float network


def dequantized(network: QuantizedNetwork, name: str, value: Array) -> Array:
    step, zero_point = network.quantizations[name]
    real: Array = (value.astype(np.float64) - zero_point) * step
    return real


@pytest.mark.parametrize("make", [every_operation, elementwise_operations, attention_operations])
def test_every_node_is_within_half_a_step(
    make: Callable[[np.random.Generator], Graph], rng: np.random.Generator
) -> None:
    """Of what the float node makes of the same inputs; a layer's weights may add half a step each.

    A tenth of a step is left to the multipliers' 15 bits.
    """
    graph = make(rng)
    images = signed_images(graph, rng, 8)
    network = quantized(graph, images)
    values = {network.source: network.quantize_images(images)}
    network.forward(
        values[network.source], exact, lambda node, value: values.update({node.output: value})
    )
    layers = {layer.name: layer for layer in network.layers}
    for node in graph.nodes:
        inputs = [dequantized(network, name, values[name]) for name in node.inputs]
        expected = node(*inputs)
        got = dequantized(network, node.output, values[node.output])
        quantization = network.quantizations[node.output]
        bound: Any = 0.6 * quantization.step
        if isinstance(node.operation, Interpolate):  # of weights within a 256th, twice
            bound = bound + 2 / 256 * 255 * quantization.step
        if isinstance(node.operation, LayerNormalization):  # of 8 bits behind the point
            bound = bound + np.abs(node.operation.scale) / 256
        if isinstance(node.operation, JOINING):  # from other scales
            bound = bound + 0.5 * quantization.step
        if isinstance(node.operation, MatrixLayer):
            layer, rows = layers[node.name], node.operation.lowering.lower(np.abs(inputs[0]))
            weight_steps = layer.steps / network.quantizations[node.inputs[0]].step
            magnitudes = np.repeat(rows.sum(axis=-1), layer.width // layer.groups, axis=-1)
            bound = bound + magnitudes * weight_steps / 2 + layer.steps / 2
        wide = isinstance(quantization, WideQuantization)
        if wide:  # multipliers of 15 bits, fewer in sums, are no tenth of a step
            terms = [expected] if isinstance(node.operation, MatrixLayer) else inputs
            bound = bound + sum(np.abs(term) for term in terms) / 2**11
        if node.name != "logits":
            bytes_or_more = [-32768, 32767] if wide else [0, 255]
            ends = (np.array(bytes_or_more) - quantization.zero_point) * quantization.step
            expected = np.clip(expected, *ends)
        assert (np.abs(got - expected) <= bound).all(), node.name


def test_logits_follow_the_float_network(rng: np.random.Generator) -> None:
    graph = every_operation(rng)
    images = signed_images(graph, rng, 64)
    network = quantized(graph, images)
    real = graph.forward(images)
    got = dequantized(network, "logits", network.forward(network.quantize_images(images), exact))
    assert np.sqrt(((got - real) ** 2).mean() / real.var()) < 0.05


@pytest.mark.parametrize(
    ("method", "expected"),
    [("mean", (-2.5, 60)), ("max", (-5, 100)), ("percentile", (12.5, 50))],
)
def test_ranges(method: str, expected: tuple[float, float]) -> None:
    """Of -5, 0, 5, 15, 20 a quarter is at most 0, and a quarter at least 15; and so on."""
    graph = graph_of((5,), (Sum(), ("x",), "copy"))
    first, second = np.array([-5.0, 0, 5, 15, 20]), np.array([0.0, 25, 50, 85, 100])
    ranges = calibrate(graph, [first[np.newaxis], second[np.newaxis]], method, 75)
    assert ranges["x"] == (-5, 100)
    assert ranges["copy"] == expected


def test_limits_hold_in_a_shared_scale() -> None:
    """A ReLU, and one up to 1, joined with values beyond what they let through."""
    identity = Affine(np.ones(3), np.zeros(3))
    graph = graph_of(
        (3,),
        (identity, ("x",), "relu", RELU),
        (identity, ("x",), "up to 1", (0.0, 1.0)),
        (identity, ("x",), "signed"),
        (Concat(1), ("relu", "up to 1", "signed"), "joined"),
    )
    images = np.array([[-2.0, 0.5, 3.0]])
    network = quantized(graph, images)
    got = dequantized(network, "joined", network.forward(network.quantize_images(images), exact))
    step, _ = network.quantizations["joined"]
    np.testing.assert_allclose(got, [[0, 0.5, 3, 0, 0.5, 1, -2, 0.5, 3]], rtol=0, atol=step)


def small(rng: np.random.Generator) -> Graph:
    """conv, linear: the conv with ReLU."""
    return graph_of(
        (4, 4, 2),
        (matrix_layer(rng, Patch((3, 3), groups=2), 2, 4), ("x",), "conv", RELU),
        (Rearrange((0, 1, 2), (16,), (0,)), ("conv",), "flat"),
        (matrix_layer(rng, Flat(), 16, 5), ("flat",), "linear"),
    )


@pytest.mark.parametrize("weight_bits", range(2, 9))
def test_weights_use_their_range(weight_bits: int, rng: np.random.Generator) -> None:
    """Symmetric, and the largest of every channel at the end."""
    graph = small(rng)
    network = quantized(graph, signed_images(graph, rng), weight_bits=weight_bits)
    for layer in network.layers:
        largest = np.abs(layer.weights.astype(int)).max(axis=1)
        assert (largest == 2 ** (weight_bits - 1) - 1).all(), layer.name


def test_quantization_by_hand() -> None:
    """Activations of 1 and 1.1 at most; weight steps of 1/127 and 1/508, and of 1/127 and 1/254."""
    conv = MatrixLayer(Patch((1, 1)), np.array([[[1, 0.25]]]), np.array([0.1, -0.05]))
    linear = MatrixLayer(Flat(), np.array([[[1, -0.5], [0.3, 0.1]]]), np.array([0, 0.5]))
    graph = graph_of(
        (1, 1, 1),
        (conv, ("x",), "conv", RELU),
        (Rearrange((0, 1, 2), (2,), (0,)), ("conv",), "flat"),
        (linear, ("flat",), "linear"),
    )
    images = np.array([0.0, 1.0]).reshape(2, 1, 1, 1)
    network = quantized(graph, images)
    first, last = network.layers
    assert network.quantize_images(images).ravel().tolist() == [0, 255]
    assert first.weights.tolist() == [[[127, 127]]]
    # 0.1 * 127 * 255 = 3238.5, a tie; -0.05 * 508 * 255
    assert first.bias.tolist() == [3238, -6477]
    assert isinstance(first.finish, Requantization)
    factors = first.finish.multiplier / 2.0**first.finish.shift
    np.testing.assert_allclose(factors, [1 / 127 / 1.1, 1 / 508 / 1.1], rtol=2**-15)
    # 38.1 and 25.4
    assert last.weights.tolist() == [[[127, -127], [38, 25]]]
    assert last.bias.tolist() == [0, round(0.5 * 254 * 255 / 1.1)]
    assert isinstance(last.finish, Alignment)
    assert (last.finish.multiplier / 2.0**last.finish.shift).tolist() == [1, 0.5]


def test_silent_channels() -> None:
    """Channels of zero weights, with and without a bias, and one whose bias dwarfs its weights."""
    conv = MatrixLayer(Patch((1, 1)), np.array([[[0, 0, 1e-20, 0.5]]]), np.array([0, 0.5, 0.5, 0]))
    graph = graph_of((1, 1, 1), (conv, ("x",), "conv", RELU), (Sum(), ("conv",), "copy"))
    images = np.array([0.0, 1.0]).reshape(2, 1, 1, 1)
    network = quantized(graph, images)
    got = network.forward(network.quantize_images(images), exact)
    assert got.tolist() == [[0, 255, 255, 0], [0, 255, 255, 255]]


def test_black_images_calibrate(rng: np.random.Generator) -> None:
    conv = MatrixLayer(Patch((1, 1)), np.ones((1, 1, 2)), np.zeros(2))
    graph = graph_of((2, 2, 1), (conv, ("x",), "conv", RELU), (Sum(), ("conv",), "copy"))
    network = quantized(graph, np.zeros((1, 2, 2, 1)))
    assert not network.forward(np.zeros((1, 2, 2, 1), np.uint8), exact).any()


def test_no_images(rng: np.random.Generator) -> None:
    graph = small(rng)
    network = quantized(graph, signed_images(graph, rng))
    assert network.forward(np.zeros((0, 4, 4, 2), np.uint8), exact).shape == (0, 5)


@pytest.mark.parametrize("signed", [False, True])
def test_windowing_reasons(signed: bool, rng: np.random.Generator) -> None:
    """The first and the last layer unless asked for, and those whose input can be negative."""
    graph = every_operation(rng)
    ranges = {graph.source: (-1.0 if signed else 0.0, 1.0)}
    reasons = {
        "stem": "first layer",
        **dict.fromkeys(("grouped", "depthwise", "features"), ""),
        "hidden": "signed input",
        "logits": "last layer",
    }
    assert windowing_exceptions(graph, ranges, first=True, last=True) == reasons
    reasons |= {"stem": "signed input" if signed else "", "logits": ""}
    assert windowing_exceptions(graph, ranges, first=False, last=False) == reasons


def test_moved_images_are_still_the_input(rng: np.random.Generator) -> None:
    graph = graph_of(
        (2, 2, 1),
        (Rearrange((0, 1, 2), (4,), (0,)), ("x",), "flat"),
        (matrix_layer(rng, Flat(), 4, 4), ("flat",), "first", RELU),
        (matrix_layer(rng, Flat(), 4, 4), ("first",), "last"),
    )
    reasons = windowing_exceptions(graph, {"x": (0.0, 1.0)}, first=True, last=False)
    assert reasons == {"first": "first layer", "last": ""}


# --- pruning, batch normalization, products


def test_pruning_keeps_the_two_largest(rng: np.random.Generator) -> None:
    """Of each four along K, the last group of two included; of equal ones the earlier."""
    weights = np.array([3, -4, 1, 2, 1, -1, 1, 1, 0.5, -0.25])
    layer = MatrixLayer(Flat(), np.stack([weights, 2 * weights], axis=-1)[np.newaxis], np.zeros(2))
    graph = graph_of(
        (10,), (layer, ("x",), "first"), (matrix_layer(rng, Flat(), 2, 3), ("first",), "last")
    )
    pruned = prune_2_4(graph, {"first"})
    expected = np.array([3, -4, 0, 0, 1, -1, 0, 0, 0.5, -0.25])
    operations: Any = [node.operation for node in pruned.matrix_nodes]
    assert operations[0].weights[0].T.tolist() == [expected.tolist(), (2 * expected).tolist()]
    assert operations[1].weights.all()


@pytest.mark.parametrize("arithmetic", [exact, windowed(golden.named_format("7opt"))])
def test_recalibrated_batch_norm(arithmetic: Arithmetic, rng: np.random.Generator) -> None:
    """Each channel's outputs have the mean and the deviation that its normalization asks for."""
    offset, scale = rng.normal(size=(2, 6))
    scale[2] = 0
    deviation = rng.uniform(0.5, 2, 6)

    def normalized(channels: int) -> MatrixLayer:
        """A convolution normalized by the statistics of some other data."""
        weights = rng.normal(size=(1, 9 * channels, 6)) * scale / deviation
        norm = BatchNormalization(scale, offset, 1e-5, deviation)
        return MatrixLayer(Patch((3, 3)), weights, rng.normal(size=6), norm)

    graph = graph_of(
        (9, 9, 2),
        (normalized(2), ("x",), "first", RELU),
        (normalized(6), ("first",), "second", RELU),
        (Sum(), ("second",), "copy"),
    )
    images = np.abs(signed_images(graph, rng, 20))
    before = quantized(graph, images)
    x = before.quantize_images(images)
    network = recalibrate(before, graph, arithmetic, x)
    measured = []

    def measure(layer: IntegerMatrixLayer, x: Array) -> Array:
        products = arithmetic(layer, x)
        measured.append((layer.biased(products.copy()) * layer.steps).reshape(-1, 6))
        return products

    network.forward(x, measure)
    used = scale != 0
    for node, outputs in zip(graph.matrix_nodes, measured, strict=True):
        operation: Any = node.operation
        np.testing.assert_allclose(outputs.mean(axis=0)[used], offset[used], atol=1e-2)
        np.testing.assert_allclose(outputs.std(axis=0)[used], np.abs(scale)[used], rtol=1e-2)
        np.testing.assert_allclose(outputs.mean(axis=0)[~used], operation.bias[~used], atol=1e-2)


def test_products_are_those_of_the_matrices(rng: np.random.Generator) -> None:
    graph = every_operation(rng)
    network = quantized(graph, signed_images(graph, rng))

    def check(layer: IntegerMatrixLayer, x: Array) -> Array:
        products = exact(layer, x)
        assert np.array_equal(products, multiply(layer, x, golden.exact_matmul))
        parts = [golden.exact_matmul(rows, weights) for rows, weights in matrices(layer, x)]
        assert np.array_equal(products.reshape(-1, layer.width), np.concatenate(parts, axis=1))
        return products

    network.forward(network.quantize_images(signed_images(graph, rng)), check)


class StandIn:
    """An array that computes with golden: a tile per product, a cycle per step of K."""

    def tiles(self, m: int, n: int) -> int:
        return 1

    def matmul(
        self, x: Array, w: Array, zero_point: int, on_tiles: Callable[[int], None]
    ) -> compiled_array.Product:
        assert zero_point == 0
        return compiled_array.Product(golden.exact_matmul(x, w).astype(np.int64), 1, len(w))


def test_windowed_layers_run_on_the_array(rng: np.random.Generator) -> None:
    """A grouped one as a product for each group; those that are not named do not."""
    graph = every_operation(rng)
    images = signed_images(graph, rng, 2)
    network = quantized(graph, images)
    array: Any = StandIn()
    layers = ["grouped", "depthwise", "features"]
    x = network.quantize_images(images)
    runs = through_array(network, x, Configuration(pe="8x8"), array, Progress(), layers)
    assert runs == {
        "grouped": LayerRun(2 * 4 * 3, 18, 4, 2, 36),
        "depthwise": LayerRun(2 * 4 * 5, 9, 6, 6, 54),
        "features": LayerRun(2, 360, 7, 1, 360),
    }


def test_products_of_values_run_on_the_array(rng: np.random.Generator) -> None:
    """In exact elements, a product for each image; a wrong sum is noticed."""
    graph = attention_operations(rng)
    images = signed_images(graph, rng, 2)
    network = window_attention(quantized(graph, images), Windows(golden.named_format("5opt")))
    array: Any = StandIn()
    x = network.quantize_images(images)
    configuration, layers = Configuration(pe="8x8"), ["scores", "mixed"]
    runs = through_array(network, x, configuration, array, Progress(), layers)
    assert runs == {"scores": LayerRun(5, 4, 10, 2, 8), "mixed": LayerRun(5, 5, 8, 2, 10)}
    array.matmul = lambda *given: compiled_array.Product(
        StandIn().matmul(*given).sums + 1, tiles=1, cycles=1
    )
    with pytest.raises(MismatchError, match=r"^mixed on the 8x8 array: row 0, column 0: expected"):
        through_array(network, x, configuration, array, Progress(), ["mixed"])


# --- errors


def expect(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("weight_bits", [1, 9, 8.0, "8"])
def test_wrong_weight_bits(weight_bits: Any, rng: np.random.Generator) -> None:
    graph = small(rng)
    expect(
        lambda: quantized(graph, signed_images(graph, rng), weight_bits=weight_bits),
        f"weight_bits must be an integer from 2 to 8, not {weight_bits!r}",
    )


def test_sums_that_could_leave_int32() -> None:
    layer = MatrixLayer(Flat(), np.ones((1, 32897, 1)), np.zeros(1))
    graph = graph_of((32897,), (layer, ("x",), "linear"))
    expect(
        lambda: require_quantizable(graph),
        "K must be at most 32896 for int32 sums, not 32897 in linear",
    )


def test_deepest_sums_stay_in_int32() -> None:
    """Full-scale weights, activations and bias at the longest K; neither sum nor logit wraps."""
    layer = MatrixLayer(Flat(), np.full((1, 32896, 2), [1.0, -1.0]), np.array([1e9, -1e9]))
    graph = graph_of((32896,), (layer, ("x",), "linear"))
    images = np.ones((1, 32896))
    network = quantized(graph, images)
    [[high, low]] = network.forward(network.quantize_images(images), exact)
    assert 0 < high < 2**31
    assert high == -low


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "median"}, "method must be one of mean, max, percentile, not 'median'"),
        ({"percentile": 50.0}, "percentile must be above 50 and at most 100, not 50.0"),
        ({}, "images must hold at least 1 image to calibrate with, not 0"),
    ],
)
def test_wrong_calibration(options: Any, message: str, rng: np.random.Generator) -> None:
    graph = small(rng)
    expect(lambda: calibrate(graph, [], **options), message)
