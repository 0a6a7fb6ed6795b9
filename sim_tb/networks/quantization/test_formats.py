"""Formats of activations and weights in integer networks, against loops in Python numbers."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import golden
from golden import BLOCK_FORMATS, named_format
from networks.graph.elementwise import Function
from networks.graph.expression import X, apply
from networks.graph.graph import Graph
from networks.graph.lowering import Flat, Patch
from networks.graph.movement import Rearrange
from networks.quantization.arithmetic import (
    Arithmetic,
    CodedProducts,
    Whole,
    exact,
    windowed,
    windowed_2_4,
)
from networks.quantization.bias_correction import correct_biases, exact_means
from networks.quantization.blocks import Blocks, block_weights
from networks.quantization.calibration import calibrate
from networks.quantization.equalization import equalize
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import IntegerMatrixLayer, UniformCodes
from networks.quantization.pruning import prune_2_4
from networks.quantization.quantize import quantize, with_scales
from networks.quantization.statistics import pair_statistics, product_sqnr
from networks.quantization.weight_windows import window_weights
from sim_tb.networks.quantization.test_quantization import (
    RELU,
    SEED,
    Dot,
    every_operation,
    graph_of,
    matrix_layer,
    quantized,
    signed_images,
    sums_of,
)
from sim_tb.oracle import reference
from sim_tb.oracle.reference import Rule

Array = npt.NDArray[Any]
FORMATS = {
    "symmetric": ("5opt", "s4opt"),
    "affine": ("3opt", "s5opt"),
    "signed bytes": ("s4opt", "s4opt"),
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


def inputs_of(network: QuantizedNetwork, x: Array) -> list[tuple[IntegerMatrixLayer, Array]]:
    """Each layer and what it takes."""
    found: list[tuple[IntegerMatrixLayer, Array]] = []

    def arithmetic(layer: IntegerMatrixLayer, x: Array) -> Array:
        found.append((layer, x))
        return exact(layer, x)

    network.forward(x, arithmetic)
    return found


def rule_of(name: str, vsparq: bool, group: int) -> Rule:
    fmt = named_format(name)
    return Rule(fmt.window_bits, fmt.shifts, True, vsparq, group, fmt.signed)


def signed_dot(layer: IntegerMatrixLayer, rules: tuple[Rule, Rule], of: Callable[..., int]) -> Dot:
    """The product of a row less its zero point, and of the zero point."""
    zero = layer.fill

    def dot(row: Sequence[int], column: Sequence[int]) -> int:
        if not layer.windowed:
            return reference.dot(row, column)
        rule = rules[zero > 0]
        largest = 2 ** min(8, rule.window_bits + max(rule.shifts)) - 1
        values = [min(max(value - zero, -largest), largest) for value in row]
        return of(values, column, rule) + zero * sum(column)

    return dot


@pytest.mark.parametrize(("vsparq", "group"), [(True, 1), (False, 1), (True, 4), (False, 2)])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("mode", FORMATS)
def test_signed_windows_against_loops(
    mode: str, sparse: bool, vsparq: bool, group: int, rng: np.random.Generator
) -> None:
    graph = every_operation(rng)
    if sparse:
        graph = prune_2_4(graph, {node.name for node in graph.nodes})
    images = signed_images(graph, rng, 2)
    options = {"first_layer_windowed": True, "last_layer_windowed": True}
    network = quantized(graph, images, signed=mode, **options)
    assert all(layer.windowed for layer in network.layers)
    assert {layer.fill > 0 for layer in network.layers} == {False, True}
    names = FORMATS[mode]
    formats = [named_format(name, vsparq=vsparq, group=group) for name in names]
    rules = rule_of(names[0], vsparq, group), rule_of(names[1], vsparq, group)

    def windows(row: Sequence[int], column: Sequence[int], rule: Rule) -> int:
        return reference.dot(reference.effective_row(row, rule), column)

    arithmetic = (windowed_2_4 if sparse else windowed)(*formats)
    of = reference.dot_2_4 if sparse else windows
    for layer, x in inputs_of(network, network.quantize_images(images * 1.5)):
        got = layer.biased(arithmetic(layer, x)).reshape(len(x), -1)
        for index, image in enumerate(x):
            expected = sums_of(layer, image.astype(object), signed_dot(layer, rules, of))
            assert got[index].tolist() == expected.reshape(-1).tolist(), layer.name


def test_scales_of_signed_layers(rng: np.random.Generator) -> None:
    """Symmetric where a windowed layer takes the value, and 7 bits of unsigned ones if all are."""
    graph = every_operation(rng)
    images = signed_images(graph, rng)
    plain = quantized(graph, images)
    ranges = calibrate(graph, [images], "max")
    for mode in FORMATS:
        network = quantized(graph, images, signed=mode)
        reasons = {layer.name: layer.reason for layer in network.layers}
        assert reasons == {
            **dict.fromkeys(("stem", "grouped", "depthwise", "features", "hidden", "logits"), ""),
            **{"stem": "first layer", "logits": "last layer"},
        }
        changed = {
            name
            for name, found in network.quantizations.items()
            if found != plain.quantizations[name]
        } - {"logits"}
        by_name = {layer.name: layer for layer in network.layers}
        if mode == "affine":
            assert not changed
        else:
            # What "hidden" takes, and what is made in its scale.
            assert changed == {"all", "features"}
            step, zero_point = network.quantizations["all"]
            low, high = ranges["all"]
            assert zero_point == 128
            assert step == pytest.approx(max(high, -low) / 127)
        codes = by_name["features"].codes
        if mode == "signed bytes":
            assert codes is not None
            assert codes.tolist() == [min(127, round(value / 2)) for value in range(256)]
            assert by_name["features"].code_step == 2
        else:
            assert codes is None
    kept = quantized(graph, images, signed="affine", kept={"hidden": "why", "stem": "not this"})
    assert {layer.reason for layer in kept.layers} == {"first layer", "", "why", "last layer"}
    message = "signed must be None or one of affine, symmetric, signed bytes, not 'odd'"
    with pytest.raises(ValueError, match=f"^{message}$"):
        quantize(graph, ranges, signed="odd")


@pytest.mark.parametrize("name", BLOCK_FORMATS)
def test_block_products_against_loops(name: str, rng: np.random.Generator) -> None:
    """Of activations, of weights, and of both: the nearest integers to the true sums."""
    graph = every_operation(rng)
    images = signed_images(graph, rng, 2)
    network = quantized(graph, images, signed="affine", kept={"depthwise": "depthwise"})
    fmt = BLOCK_FORMATS[name]
    nodes = {node.name: node for node in graph.matrix_nodes}
    weights = {
        layer.name: block_weights(
            layer,
            nodes[layer.name].operation.weights,  # type: ignore[union-attr]
            network.quantizations[nodes[layer.name].inputs[0]].step,
            fmt,
        )
        for layer in network.layers
        if layer.windowed
    }
    for layer_weights, layer in ((weights.get(layer.name), layer) for layer in network.layers):
        if layer_weights is not None:
            real = nodes[layer.name].operation.weights  # type: ignore[union-attr]
            made = golden.block_values(real, fmt, axis=1, tensor_largest=float(np.abs(real).max()))
            step = network.quantizations[nodes[layer.name].inputs[0]].step
            got_real = layer_weights * (layer.steps / step).reshape(len(real), 1, -1)
            assert np.abs(got_real - made).max() < 2e-6 * np.abs(real).max()
    steps = {name: network.quantizations[node.inputs[0]].step for name, node in nodes.items()}
    blocks = Blocks(fmt, steps)
    choices: list[tuple[Any, Any]] = [(blocks, {}), (Whole(), weights), (blocks, weights)]
    for coding, by_layer in choices:
        arithmetic = CodedProducts(coding, by_layer)
        for layer, x in inputs_of(network, network.quantize_images(images)):
            got = arithmetic(layer, x).reshape(len(x), -1)
            zero = layer.fill
            own = by_layer.get(layer.name, layer.weights)
            column_sums = layer.weights.sum(axis=1, dtype=np.int64)
            lowered = layer.lowering.lower(x, zero).reshape(-1, layer.groups, layer.depth)
            sums = np.empty((len(lowered), layer.width))
            for group in range(layer.groups):
                values = lowered[:, group].astype(float) - zero
                if layer.windowed and isinstance(coding, Blocks):
                    step = steps[layer.name]
                    largest = float(max(zero, 255 - zero)) * step
                    values = golden.block_values(values * step, fmt, -1, largest) / step
                width = layer.width // layer.groups
                for i in range(width):
                    column = [float(weight) for weight in own[group, :, i]]
                    sums[:, group * width + i] = [
                        math.fsum(a * b for a, b in zip(row, column, strict=True))
                        + zero * int(column_sums[group, i])
                        for row in values.tolist()
                    ]
            error = np.abs(got.reshape(sums.shape) - sums).max()
            assert error < 0.5 + 1e-6, layer.name
            if not layer.windowed:
                assert error == 0


@pytest.mark.parametrize(("name", "group"), [("s4opt", 1), ("s4opt", 4), ("s3:0,2,4", 8)])
def test_windows_of_weights(name: str, group: int, rng: np.random.Generator) -> None:
    graph = every_operation(rng)
    network = quantized(graph, signed_images(graph, rng))
    fmt = named_format(name, vsparq=False, group=group)
    names = {"grouped", "depthwise", "hidden"}
    made = window_weights(network, names, fmt)
    rule = rule_of(name, False, group)
    for before, after in zip(network.layers, made.layers, strict=True):
        if before.name not in names:
            assert np.array_equal(before.weights, after.weights)
            assert np.array_equal(before.bias, after.bias)
            continue
        assert not np.array_equal(before.weights, after.weights)
        for row, column in np.ndindex(after.weights.shape[0], after.weights.shape[2]):
            expected = reference.effective_row(before.weights[row, :, column].tolist(), rule)
            assert after.weights[row, :, column].tolist() == expected
        offsets = np.rint(after.offset / after.steps)
        assert after.bias.tolist() == (offsets - after.fill * after.weights.sum(1).ravel()).tolist()
        assert after.weights.dtype == np.int8


def mean_errors(
    network: QuantizedNetwork, arithmetic: Arithmetic, exact_layers: Any, x: Array
) -> dict[str, Array]:
    """By layer, the mean of what each channel's sums differ by from exact ones, in its steps."""
    found = {}

    def compare(layer: IntegerMatrixLayer, x: Array) -> Array:
        products = arithmetic(layer, x)
        own = layer.biased(products.copy()).reshape(-1, layer.width) * layer.steps
        other = exact_layers[layer.name]
        expected = other.biased(exact(other, x)).reshape(-1, other.width) * other.steps
        found[layer.name] = (own - expected).mean(axis=0) / layer.steps
        return products

    network.forward(x, compare)
    return found


@pytest.mark.parametrize("mode", ["affine", "signed bytes", "4 bits"])
def test_corrected_biases(mode: str, rng: np.random.Generator) -> None:
    """No channel is off on the mean by more than rounding of its bias; 8 bits stay as they are."""
    graph = every_operation(rng)
    images = signed_images(graph, rng, 6)
    arithmetic: Arithmetic
    if mode == "4 bits":
        reference_network = quantized(graph, images)
        codes = {
            layer.name: UniformCodes(11.0) for layer in reference_network.layers if layer.windowed
        }
        network, arithmetic = quantized(graph, images, activation_codes=codes), exact
    else:
        network = reference_network = quantized(graph, images, signed=mode)
        fmt = named_format("s5opt" if mode == "affine" else "s4opt", rounding=False)
        arithmetic = windowed(fmt, fmt)
    layers = {layer.name: layer for layer in reference_network.layers}
    x = network.quantize_images(images)
    before = mean_errors(network, arithmetic, layers, x)
    corrected = correct_biases(network, arithmetic, x, exact_means(layers))
    after = mean_errors(corrected, arithmetic, layers, x)
    windowed_layers = [layer.name for layer in network.layers if layer.windowed]
    assert all(np.abs(before[name]).max() > 2 for name in windowed_layers)
    # Half of a bias's unit, and as much in what 8 bits make of theirs.
    assert all(np.abs(error).max() <= 1.01 for error in after.values())
    same = correct_biases(reference_network, exact, x, exact_means(layers))
    for own, other in zip(reference_network.layers, same.layers, strict=True):
        assert own is other


def test_pairs_are_counted_one_by_one(rng: np.random.Generator) -> None:
    """The odd tail of a depthwise layer's rows is paired with what stands for 0."""
    graph = every_operation(rng)
    images = signed_images(graph, rng)
    network = quantized(graph, images)
    x = network.quantize_images(images)
    found = pair_statistics(network, x)
    odd_tails = set()

    def count(layer: IntegerMatrixLayer, x: Array) -> None:
        operand = layer.operand(x)
        rows = operand.reshape(-1, operand.shape[-1])
        if operand.shape[-1] // layer.groups % 2:
            rows = layer.lowering.lower(operand, layer.fill).reshape(-1, layer.depth)
            odd_tails.add((layer.depth % 2, layer.fill > 0))
        expected = np.zeros((256, 256), np.int64)
        for row in rows.tolist():
            filled = [*row, layer.fill][: len(row) + len(row) % 2]
            for first, second in zip(filled[::2], filled[1::2], strict=True):
                expected[second, first] += 1
        np.testing.assert_array_equal(found[layer.name], expected)

    network.forward(x, exact, before=count)
    assert (1, True) in odd_tails


def test_noise_of_products(rng: np.random.Generator) -> None:
    graph = every_operation(rng)
    images = signed_images(graph, rng)
    network = quantized(graph, images, signed="affine")
    x = network.quantize_images(images)
    fmt = named_format("s5opt", group=4)
    found = product_sqnr(network, windowed(fmt, fmt), x)
    assert list(found) == [layer.name for layer in network.layers if layer.windowed]
    for layer, own in inputs_of(network, x):
        if layer.windowed:
            plain = with_scales(
                # Without an offset sums are what the layer adds up.
                type(layer)(**{**vars(layer), "offset": np.zeros(layer.width)}),
                None,
            )
            true = plain.biased(exact(plain, own)) * layer.steps
            made = plain.biased(windowed(fmt, fmt)(plain, own)) * layer.steps
            ratio = (true**2).sum() / ((made - true) ** 2).sum()
            assert found[layer.name] == pytest.approx(10 * math.log10(ratio))
    assert set(product_sqnr(network, exact, x).values()) == {math.inf}


def test_equalized_functions() -> None:
    """Behind a function of one value depthwise layers get channels of one range, too."""
    gains = [_gain_of_equalization(np.random.default_rng(SEED + i)) for i in range(7)]
    assert np.exp(np.log(gains).mean()) > 2


def _gain_of_equalization(rng: np.random.Generator) -> float:
    """How many times smaller the noise of a random network becomes."""
    spread = 2.0 ** rng.integers(-4, 5, 8)
    first = matrix_layer(rng, Patch((1, 1)), 3, 8)
    first = type(first)(first.lowering, first.weights * spread, first.bias * spread)
    swish = Function(apply("multiply", X, apply("sigmoid", X)))
    depthwise = matrix_layer(rng, Patch((3, 3), groups=8), 8, 8)
    dense = matrix_layer(rng, Flat(), 8 * 4, 5)
    graph: Graph = graph_of(
        (4, 4, 3),
        (first, ("x",), "first"),
        (swish, ("first",), "swish"),
        (depthwise, ("swish",), "depthwise"),
        (Function(apply("tanh", X)), ("depthwise",), "tanh"),
        (Rearrange((0, 1, 2), (32,), (0,)), ("tanh",), "flat"),
        (dense, ("flat",), "hidden", RELU),
        (matrix_layer(rng, Flat(), 5, 3), ("hidden",), "logits"),
    )
    images = signed_images(graph, rng, 16)
    better = equalize(graph, [images])
    expected = graph.forward(images)
    np.testing.assert_allclose(better.forward(images), expected, atol=3e-2 * expected.std())
    largest: list[Array] = []
    for each in (graph, better):
        each.forward(
            images,
            lambda name, value: (
                largest.append(np.abs(value).max(axis=(0, 1, 2))) if name == "swish" else None
            ),
        )
    assert largest[0].max() / largest[0].min() > 16
    assert largest[1].max() / largest[1].min() < 2.1

    def noise(each: Graph) -> float:
        network = quantize(each, calibrate(each, [images], "max"))
        step, zero_point = network.quantizations[network.output]
        got = network.forward(network.quantize_images(images), exact)
        return float((((got - zero_point) * step - expected) ** 2).mean())

    return noise(graph) / noise(better)
