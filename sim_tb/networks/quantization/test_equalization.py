"""Networks whose channels are of very different ranges, before and after equalization."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from networks.evaluation.floating_point import logits
from networks.graph.elementwise import Function, Product
from networks.graph.expression import X, apply, limited
from networks.graph.graph import Graph, Node
from networks.graph.lowering import Array, Patch
from networks.graph.movement import Rearrange
from networks.graph.operations import AveragePool, MatrixLayer
from networks.importer import import_onnx, reference_model
from networks.quantization.arithmetic import exact
from networks.quantization.batch_norm import recalibrate
from networks.quantization.calibration import calibrate
from networks.quantization.equalization import equalize
from networks.quantization.network import QuantizedNetwork
from networks.quantization.quantize import quantize
from sim_tb.networks.onnx_models import Builder

SEED = 3
WIDTH = 16


def depthwise_network(spread: float, norm: bool = False, limit: bool = False) -> onnx.ModelProto:
    """Three convolutions and a dense layer; its channels differ by ``spread``, the results do not.

    Powers of two, so that single precision makes the same of them.
    """
    b = Builder(3, 8, 8, seed=SEED)
    generator = np.random.default_rng(SEED)
    factors = 2.0 ** np.rint(np.log2(spread) * generator.random((2, WIDTH)))

    def act(x: str) -> str:
        return (
            b.op("Clip", x, np.array(0, np.float32), np.array(6, np.float32))
            if limit
            else b.relu(x)
        )

    first = b.norm(b.conv("x", 3, WIDTH, 3, pad=1), WIDTH) if norm else b.conv("x", 3, WIDTH, 3)
    second = b.conv(act(first), WIDTH, WIDTH, 3, groups=WIDTH)
    x = b.flatten(b.op("GlobalAveragePool", b.relu(b.conv(act(second), WIDTH, 24, 1))))
    model = b.model(b.gemm(x, 24, 10))
    weights = [numpy_helper.to_array(tensor) for tensor in b.weights]
    convolutions = [index for index, array in enumerate(weights) if array.ndim == 4]

    def scale(index: int, values: Array) -> None:
        changed = (weights[index] * values).astype(np.float32)
        model.graph.initializer[index].CopyFrom(
            numpy_helper.from_array(changed, model.graph.initializer[index].name)
        )
        weights[index] = changed

    own = convolutions[0] + 2 if norm else convolutions[0]  # the normalization's scale
    scale(own, factors[0] if norm else factors[0].reshape(-1, 1, 1, 1))
    scale(own + 1, factors[0])
    scale(convolutions[1], (factors[1] / factors[0]).reshape(-1, 1, 1, 1))
    scale(convolutions[1] + 1, factors[1])
    scale(convolutions[2], 1 / factors[1].reshape(1, -1, 1, 1))
    return model


def imported(model: onnx.ModelProto, folder: Path) -> tuple[Graph, Array, Array]:
    """The graph, images channels-last, and what single precision makes of them."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    images = np.random.default_rng(SEED).normal(size=(32, 3, 8, 8)).astype(np.float32)
    return (
        import_onnx(path),
        images.transpose(0, 2, 3, 1),
        logits(reference_model(path), "model", images),
    )


def noise(network: QuantizedNetwork, images: Array, expected: Array) -> float:
    """Of the logits in integers, relative to their deviation."""
    step, zero_point = network.quantizations[network.output]
    found = (network.forward(network.quantize_images(images), exact) - zero_point) * step
    return float(np.sqrt(((found - expected) ** 2).mean()) / expected.std())


@pytest.mark.parametrize("norm", [False, True])
def test_channels_of_very_different_ranges(norm: bool, tmp_path: Path) -> None:
    """At 8 bits, as good as a network of equal ranges; without equalization nothing is left."""
    plain, images, expected = imported(depthwise_network(1, norm), tmp_path)
    usual = noise(quantize(plain, calibrate(plain, [images], "max")), images, expected)
    graph, _, again = imported(depthwise_network(2.0**14, norm), tmp_path)
    np.testing.assert_allclose(again, expected, rtol=1e-4, atol=1e-5)
    better = equalize(graph, [images])
    before = noise(quantize(graph, calibrate(graph, [images], "max")), images, expected)
    after = noise(quantize(better, calibrate(better, [images], "max")), images, expected)
    assert before > 0.3
    assert after < 1.5 * usual < 0.1
    np.testing.assert_allclose(better.forward(images), expected, atol=2e-3 * expected.std())


def test_recalibration_of_an_equalized_network(tmp_path: Path) -> None:
    """The normalization that was folded is equalized with its layer."""
    graph, images, expected = imported(depthwise_network(2.0**14, True), tmp_path)
    better = equalize(graph, [images])
    network = quantize(better, calibrate(better, [images], "max"))
    plain, _, _ = imported(depthwise_network(1, True), tmp_path)
    usual = quantize(plain, calibrate(plain, [images], "max"))
    found = [
        noise(recalibrate(each, graph, exact, each.quantize_images(images)), images, expected)
        for each, graph in ((usual, plain), (network, better))
    ]
    assert found[1] == pytest.approx(found[0], rel=0.1)


def test_limits_and_branches_stay(tmp_path: Path) -> None:
    """Factors pass a ReLU alone; layers alone may take what it makes."""
    graph, images, _ = imported(depthwise_network(2.0**6, limit=True), tmp_path)
    better = equalize(graph, [images])
    for node, other in zip(graph.matrix_nodes, better.matrix_nodes, strict=True):
        np.testing.assert_array_equal(node.operation.weights, other.operation.weights)  # type: ignore[union-attr]


def test_a_channel_without_values_or_weights_stays(tmp_path: Path) -> None:
    model = depthwise_network(2.0**4)
    first = numpy_helper.to_array(model.graph.initializer[0]).copy()
    bias = numpy_helper.to_array(model.graph.initializer[1]).copy()
    first[3], bias[3] = 0, -1
    for index, array in enumerate((first, bias)):
        model.graph.initializer[index].CopyFrom(
            numpy_helper.from_array(array, model.graph.initializer[index].name)
        )
    graph, images, expected = imported(model, tmp_path)
    better = equalize(graph, [images])
    assert better.matrix_nodes[0].operation.bias[3] == -1  # type: ignore[union-attr]
    np.testing.assert_allclose(better.forward(images), expected, atol=2e-3 * expected.std())


def hard_swish(x: Any) -> Any:
    return apply("multiply", x, limited(apply("add", apply("divide", x, 6.0), 0.5), 0.0, 1.0))


def gated_network(spread: float) -> Graph:
    """Two layers, each with a hard swish, a gate and what it is a product of, a dense layer.

    Channels of what is between differ by ``spread``, those of what functions take have offsets as
    large beside; the results are the same.
    """
    rng = np.random.default_rng(SEED)
    stem, first, deep, second = spread ** rng.random((4, WIDTH))
    offset = np.rint(4 * rng.normal(size=WIDTH)) * (spread > 1)

    def layer(lowering: Any, channels: int, width: int, scale: Any, taken: Any = 1.0) -> Any:
        depth = lowering.depth(channels)
        weights = rng.normal(size=(lowering.groups, depth, width // lowering.groups))
        weights *= 2 / np.sqrt(depth)
        if np.ndim(taken):
            per_group = taken.reshape(lowering.groups, 1, -1)
            repeated = np.tile(per_group, (1, depth // per_group.shape[2], 1))
            weights /= repeated.reshape(lowering.groups, depth, 1)
        scales = np.broadcast_to(scale, width)
        bias = rng.normal(size=width) * scales
        return MatrixLayer(lowering, weights * scales.reshape(lowering.groups, 1, -1), bias)

    def swish(name: str, source: str, taken: Array, scale: Array) -> Node:
        inner = apply("subtract", apply("divide", X, taken), offset)
        return Node(name, Function(apply("multiply", hard_swish(inner), scale)), (source,), name)

    def shifted(made: MatrixLayer, scale: Array) -> MatrixLayer:
        return replace(made, bias=made.bias + offset * scale)

    around = Patch((3, 3), padding=(1, 1, 1, 1))
    each = replace(around, groups=WIDTH)
    all_pixels, one = Patch((8, 8)), Patch((1, 1))
    mean = AveragePool(all_pixels, np.full((1, 1, 1), 64.0))
    nodes = (
        Node("stem", shifted(layer(around, 3, WIDTH, stem), stem), ("x",), "stem"),
        swish("first", "stem", stem, first),
        Node("deep", shifted(layer(each, WIDTH, WIDTH, deep, first), deep), ("first",), "deep"),
        swish("second", "deep", deep, second),
        Node("mean", mean, ("second",), "mean"),
        Node("squeeze", layer(one, WIDTH, 4, 1, second), ("mean",), "squeeze", (0.0, np.inf)),
        Node("gate", layer(one, 4, WIDTH, 1), ("squeeze",), "gate", (0.0, 1.0)),
        Node("gated", Product(), ("second", "gate"), "gated"),
        Node("dense", layer(one, WIDTH, 24, 1, second), ("gated",), "dense", (0.0, np.inf)),
        Node("last", mean, ("dense",), "last"),
        Node("flat", Rearrange((0, 1, 2), (24,), (0,)), ("last",), "flat"),
    )
    return Graph("x", (8, 8, 3), nodes, "flat")


def test_scales_of_channels_of_everything_that_can_have_them() -> None:
    """At 8 bits as good as a network of equal ranges; plain loops say what the ranges become."""
    images = np.random.default_rng(SEED).normal(size=(16, 8, 8, 3))
    plain, graph = gated_network(1), gated_network(2.0**10)
    expected = plain.forward(images)
    # In floating point, too, small channels are less precise before.
    np.testing.assert_allclose(graph.forward(images), expected, atol=0.1 * expected.std())
    better, usual = (equalize(each, [images]) for each in (graph, plain))
    values: dict[str, Array] = {}
    again = better.forward(images, lambda name, value: values.update({name: value}))
    np.testing.assert_allclose(again, expected, atol=2e-3 * expected.std())
    for name in ("first", "second"):  # of the depthwise layer; of a mean and a product
        for channel in range(WIDTH):
            largest = max(abs(float(value)) for value in values[name][..., channel].flat)
            assert largest == pytest.approx(1, abs=0.01)
    assert better.parts == {"stem": (-1, 1), "deep": (-1, 1)}
    before, after, least = (
        noise(quantize(each, calibrate(each, [images], "max")), images, expected)
        for each in (graph, better, usual)
    )
    assert before > 0.3
    assert after < 1.2 * least < 0.05


def test_the_part_that_matters_to_a_function() -> None:
    """A hard swish is 0 below -3: that has no bytes, in no channel, whatever the others' ranges."""
    images = np.random.default_rng(SEED).normal(size=(16, 8, 8, 3))
    better = equalize(gated_network(2.0**10), [images])
    values: dict[str, Array] = {}
    better.forward(images, lambda name, value: values.update({name: value}))
    ranges = calibrate(better, [images], "max")
    functions = {node.inputs[0]: node for node in better.nodes if node.name in ("first", "second")}
    for name, node in functions.items():
        assert ranges[name] == (-1, 1)
        assert values[name].min() < -1.5
        assert isinstance(node.operation, Function)
        [low], [high] = (node.operation(np.full((1, WIDTH), end)) for end in (-1.0, 1.0))
        for channel in range(WIDTH):
            made = [float(value) for value in values[node.output][..., channel].flat]
            byte = (max(*made, 0) - min(*made, 0)) / 255
            for value, result in zip(values[name][..., channel].flat, made, strict=True):
                end = low if value < 0 else high
                assert abs(value) <= 1 or abs(result - end[channel]) < 0.6 * byte


def test_a_mean_that_makes_the_logits_keeps_its_sums() -> None:
    graph = gated_network(2.0**12)
    better = equalize(graph, [np.random.default_rng(SEED).normal(size=(2, 8, 8, 3))])
    nodes = {node.name: node.operation for node in better.nodes}
    assert (nodes["last"].divisors == 64).all()  # type: ignore[union-attr]
    assert nodes["mean"].divisors.shape == (1, 1, WIDTH)  # type: ignore[union-attr]
