"""The MNIST network: its data, its training in exact arithmetic, and the shipped model."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

import golden
from networks import MNIST_MODEL, load_mnist
from networks.evaluation.data import load_data
from networks.evaluation.preprocessing import Preprocessing, load_preprocessing
from networks.fixed_point import to_fixed_point
from networks.importer import import_onnx
from networks.quantization.arithmetic import exact, windowed
from networks.quantization.calibration import calibrate
from networks.quantization.quantize import quantize
from networks.samples.mnist import Mnist
from networks.samples.mnist.files import write_files
from networks.samples.mnist.layers import Conv, Layer, Linear, MaxPool, Parameters
from networks.samples.mnist.onnx_file import onnx_file
from networks.samples.mnist.training import Adam, gradients, softmax

SEED = 2021

SHAPES = [
    # height, width, channels, kernel, stride, padding
    (1, 1, 1, 1, 1, 0), (5, 7, 3, 3, 1, 1), (6, 5, 2, 3, 2, 1), (7, 7, 1, 7, 2, 3),
    (4, 4, 2, 2, 2, 0), (5, 5, 4, 1, 3, 0), (2, 3, 1, 3, 1, 2), (6, 6, 2, 3, 2, 0),
]  # fmt: skip
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))

LAYERS: tuple[Layer, ...] = (
    Conv("a", 2, 3, 3, padding=1),
    MaxPool("pool", 2),
    Conv("b", 3, 4, 2),
    Linear("c", 16, 5),
)
INPUT = (6, 6, 2)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return load_mnist()


@pytest.fixture
def parameters(rng: np.random.Generator) -> dict[str, Parameters]:
    """Of ``LAYERS``; channels of very different ranges."""
    return {
        layer.name: Parameters(
            rng.normal(size=(layer.depth, layer.width)) * 2.0 ** (np.arange(layer.width) - 3),
            rng.normal(size=layer.width),
        )
        for layer in LAYERS
        if not isinstance(layer, MaxPool)
    }


def random_images(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    return rng.integers(0, 256, (count, *INPUT)) / 255


def forward(
    parameters: dict[str, Parameters], images: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Logits of ``LAYERS``."""
    x = images
    for layer in LAYERS:
        if isinstance(layer, MaxPool):
            x = layer.pool(x)
            continue
        shape = layer.output_shape(x.shape[1:])
        weights, bias = parameters[layer.name]
        x = (layer.lower(x) @ weights + bias).reshape(len(x), *shape)
        x = np.maximum(x, 0 if isinstance(layer, Conv) else -np.inf)
    return x


# --- exact training


@every_shape
def test_lowering_and_its_transpose(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """<lower(x), y> equals <x, lower_transposed(y)>; small integers make both exact."""
    height, width, channels, kernel, stride, padding = shape
    images = rng.integers(-9, 10, (2, height, width, channels)).astype(np.float64)
    layer = Conv("conv", channels, 1, kernel, stride, padding)
    lowered = layer.lower(images)
    other = rng.integers(-9, 10, lowered.shape).astype(np.float64)
    back = layer.lower_transposed(other, images.shape)
    assert np.vdot(lowered, other) == np.vdot(images, back)


def test_to_fixed_point_rounds_to_16_bits(rng: np.random.Generator) -> None:
    values = rng.normal(size=1000) * 10.0 ** rng.integers(-5, 5, 1000)
    largest = np.abs(values).max()
    step = Fraction(2) ** (int(np.frexp(largest)[1]) - 16)
    expected = [float(round(Fraction(value) / step) * step) for value in values.tolist()]
    assert to_fixed_point(values).tolist() == expected
    assert to_fixed_point(np.zeros(3)).tolist() == [0, 0, 0]


def test_softmax(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(50, 10)) * 5
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-4)


def test_gradients_are_slopes_of_the_loss(
    parameters: dict[str, Parameters], rng: np.random.Generator
) -> None:
    images, labels = random_images(rng, 6), np.array([0, 1, 2, 3, 4, 0], np.uint8)

    def loss() -> float:
        logits = forward(parameters, images)
        logits = logits - logits.max(axis=1, keepdims=True)
        normal = np.log(np.exp(logits).sum(axis=1))
        return float(np.mean(normal - logits[np.arange(6), labels]))

    slopes = gradients(LAYERS, parameters, images, labels)
    for name, layer in parameters.items():
        for array, slope in zip(layer, slopes[name], strict=True):
            for flat in rng.choice(array.size, min(array.size, 6), replace=False):
                index = np.unravel_index(flat, array.shape)
                kept, ends = array[index], []
                for shift in (-1e-5, 1e-5):
                    array[index] = kept + shift
                    ends.append(loss())
                array[index] = kept
                expected = (ends[1] - ends[0]) / 2e-5
                assert slope[index] == pytest.approx(expected, rel=1e-3, abs=1e-4), (name, index)


def test_a_training_step_does_not_depend_on_the_order(
    parameters: dict[str, Parameters], rng: np.random.Generator
) -> None:
    """Reordered images reorder every sum; the new parameters have the same bits all the same."""
    images, labels = random_images(rng, 40), rng.integers(0, 5, 40).astype(np.uint8)
    results = []
    for _ in range(3):
        trained = {name: Parameters(*map(np.copy, layer)) for name, layer in parameters.items()}
        Adam(trained).step(gradients(LAYERS, trained, images, labels), 0.01)
        results.append([array.tobytes() for layer in trained.values() for array in layer])
        order = rng.permutation(40)
        images, labels = images[order], labels[order]
    assert results[0] == results[1] == results[2]


STEPS = """
import hashlib
import numpy as np
from networks.samples.mnist.layers import MNIST_LAYERS
from networks.samples.mnist.train import distorted, initial_parameters
from networks.samples.mnist.training import Adam, gradients

rng = np.random.Generator(np.random.PCG64(1))
parameters = initial_parameters(rng)
optimizer = Adam(parameters)
for _ in range(3):
    images = distorted(rng.integers(0, 256, (20, 28, 28), np.uint8), rng)[..., np.newaxis] / 255
    labels = rng.integers(0, 10, 20, np.uint8)
    optimizer.step(gradients(MNIST_LAYERS, parameters, images, labels), 0.01)
digest = hashlib.sha256()
for layer in parameters.values():
    for array in layer:
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_training_does_not_depend_on_the_blas_kernel() -> None:
    """Three steps with the library's own choice, and with one thread and the oldest kernels."""
    old = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"}
    digests = [
        subprocess.run(
            [sys.executable, "-c", STEPS],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **setting},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for setting in ({}, old)
    ]
    assert len(digests[0]) == 65
    assert digests[0] == digests[1]


# --- MNIST


def test_split(mnist: Mnist) -> None:
    for part, count in ((mnist.train, 4000), (mnist.test, 1000)):
        assert part.images.shape == (count, 28, 28)
        assert part.labels.shape == (count,)
        assert part.images.dtype == part.labels.dtype == np.uint8
        assert np.bincount(part.labels).tolist() == [count // 10] * 10
        assert part.images.max() == 255
    train, test = ({image.tobytes() for image in part.images} for part in mnist)
    assert not train & test


def test_exported_network(
    parameters: dict[str, Parameters], rng: np.random.Generator, tmp_path: Path
) -> None:
    """The file of a network computes the same, here and in onnxruntime, and is the same again."""
    single = {
        name: Parameters(layer.weights.astype(np.float32), layer.bias.astype(np.float32))
        for name, layer in parameters.items()
    }
    content = onnx_file(INPUT, LAYERS, single)
    assert content == onnx_file(INPUT, LAYERS, single)
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    graph = import_onnx(path)
    assert [node.name for node in graph.matrix_nodes] == ["a", "b", "c"]
    for node in graph.matrix_nodes:
        operation: Any = node.operation
        assert np.array_equal(operation.weights[0], single[node.name].weights)
        assert np.array_equal(operation.bias, single[node.name].bias)
    images = random_images(rng, 4)
    expected = forward(parameters, images)
    np.testing.assert_allclose(graph.forward(images), expected, atol=1e-3)
    session = onnxruntime.InferenceSession(content)
    channels_first = np.moveaxis(images, 3, 1).astype(np.float32)
    [logits] = session.run(None, {"images": channels_first})
    np.testing.assert_allclose(logits, expected, atol=1e-3)


@pytest.mark.slow
def test_shipped_model(mnist: Mnist) -> None:
    """FP32 at least 97 %; 8 bits within half a point of it; 5opt within one."""
    graph = import_onnx(MNIST_MODEL)
    ranges = calibrate(graph, [mnist.calibration.inputs], method="max")
    network = quantize(graph, ranges, first_layer_windowed=True, last_layer_windowed=True)
    assert all(layer.windowed for layer in network.layers)
    images = network.quantize_images(mnist.test.inputs)
    assert np.array_equal(images[..., 0], mnist.test.images)
    single = mnist.test.accuracy(graph.forward(mnist.test.inputs))
    eight = mnist.test.accuracy(network.forward(images, exact))
    sparq = mnist.test.accuracy(network.forward(images, windowed(golden.named_format("5opt"))))
    assert single >= 0.97
    assert abs(eight - single) <= 0.005
    assert abs(sparq - single) <= 0.01


def test_files_for_an_evaluation(mnist: Mnist, tmp_path: Path) -> None:
    write_files(tmp_path)
    first = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_files(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == first
    assert (tmp_path / "mnist.onnx").read_bytes() == MNIST_MODEL.read_bytes()
    preprocessing = Preprocessing(**load_preprocessing(tmp_path / "mnist.toml"))
    for name, part, count in (("test", mnist.test, 1000), ("calibration", mnist.calibration, 500)):
        data = load_data(tmp_path / f"{name}.npz", (1, 28, 28), preprocessing)
        assert len(data) == count
        assert np.array_equal(data.labels, part.labels)
        batch = data.select(np.arange(50)).batch()
        np.testing.assert_allclose(batch[:, 0], part.inputs[:50, ..., 0], rtol=1e-6)
