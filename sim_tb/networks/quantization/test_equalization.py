"""Networks whose channels are of very different ranges, before and after equalization."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from networks.evaluation.floating_point import logits
from networks.graph.graph import Graph
from networks.graph.lowering import Array
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
