"""Networks: lowering, quantization, exact training, and the shipped MNIST weights."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import golden
from networks import (
    Conv,
    Linear,
    MatrixLayer,
    MaxPool,
    Mnist,
    Network,
    Parameters,
    QuantizedNetwork,
    accuracy,
    load_mnist,
    load_mnist_network,
    load_quantized_mnist_network,
    quantize,
)
from networks.grid import on_grid
from networks.lowering import col2im, im2col
from networks.training import Adam, gradients, softmax

SEED = 2021
Array = npt.NDArray[Any]

SHAPES = [
    # height, width, channels, kernel, stride, padding
    (1, 1, 1, 1, 1, 0), (5, 7, 3, 3, 1, 1), (6, 5, 2, 3, 2, 1), (7, 7, 1, 7, 2, 3),
    (4, 4, 2, 2, 2, 0), (5, 5, 4, 1, 3, 0), (2, 3, 1, 3, 1, 2), (6, 6, 2, 3, 2, 0),
]  # fmt: skip
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))

LAYERS = (Conv("a", 2, 3, 3, padding=1), MaxPool(2), Conv("b", 3, 4, 2), Linear("c", 16, 5))
INPUT = (6, 6, 2)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return load_mnist()


@pytest.fixture
def network(rng: np.random.Generator) -> Network:
    """A small network of every kind of layer, its channels of very different ranges."""
    parameters = {}
    for layer in LAYERS:
        if not isinstance(layer, MaxPool):
            weights = rng.normal(size=(layer.depth, layer.width)) * 2.0 ** np.arange(layer.width)
            bias = rng.normal(size=layer.width)
            parameters[layer.name] = Parameters(weights.astype(np.float32), bias.astype(np.float32))
    return Network(INPUT, LAYERS, parameters)


def random_images(rng: np.random.Generator, count: int) -> npt.NDArray[np.uint8]:
    return rng.integers(0, 256, (count, *INPUT), np.uint8)


def exact(layer: MatrixLayer, x: Array, w: Array) -> npt.NDArray[np.int32]:
    return golden.exact_matmul(x, w)


# --- lowering


def pixel(image: Array, row: int, column: int, channel: int) -> Any:
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return image[row, column, channel].item() if inside else 0


@every_shape
def test_im2col_is_the_definition(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    height, width, channels, kernel, stride, padding = shape
    images = rng.integers(0, 256, (2, height, width, channels), np.uint8)
    expected = [
        [
            pixel(image, row + i, column + j, channel)
            for i in range(kernel)
            for j in range(kernel)
            for channel in range(channels)
        ]
        for image in images
        for row in range(-padding, height + padding - kernel + 1, stride)
        for column in range(-padding, width + padding - kernel + 1, stride)
    ]
    got = im2col(images, kernel, stride, padding)
    assert got.dtype == np.uint8
    assert got.tolist() == expected


@every_shape
def test_col2im_is_the_transpose(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """<im2col(x), y> equals <x, col2im(y)> for all x and y; small integers make it exact."""
    height, width, channels, kernel, stride, padding = shape
    images = rng.integers(-9, 10, (2, height, width, channels)).astype(np.float64)
    lowered = im2col(images, kernel, stride, padding)
    other = rng.integers(-9, 10, lowered.shape).astype(np.float64)
    back = col2im(other, images.shape, kernel, stride, padding)
    assert np.vdot(lowered, other) == np.vdot(images, back)


def test_a_pair_is_two_channels_of_one_pixel(rng: np.random.Generator) -> None:
    images = random_images(rng, 1)
    pairs = im2col(images, 3, 1, 0).reshape(-1, 2)
    pixels = images.reshape(-1, 2).tolist()
    assert all(pair in pixels for pair in pairs.tolist())


# --- forward passes, against loops in Python numbers


def convolve(layer: Conv, image: Any, weights: Any, bias: Any) -> list[list[list[Any]]]:
    """One image's sums before ReLU: ``image[row][column][channel]``, weights as (K, N)."""
    height, width = len(image), len(image[0])
    rows, columns, outputs = layer.output_shape((height, width, layer.in_channels))
    sums = [[list(bias) for _ in range(columns)] for _ in range(rows)]
    for r, c, o in np.ndindex(rows, columns, outputs):
        for i, j, k in np.ndindex(layer.kernel, layer.kernel, layer.in_channels):
            row = r * layer.stride + i - layer.padding
            column = c * layer.stride + j - layer.padding
            if 0 <= row < height and 0 <= column < width:
                weight = weights[(i * layer.kernel + j) * layer.in_channels + k][o]
                sums[r][c][o] += image[row][column][k] * weight
    return sums


def pool(image: list[list[list[Any]]]) -> list[list[list[Any]]]:
    """Maxima of 2 x 2 pixels, per channel."""
    return [
        [
            [max(*four) for four in zip(*above[c : c + 2], *below[c : c + 2], strict=True)]
            for c in range(0, len(above), 2)
        ]
        for above, below in zip(image[::2], image[1::2], strict=True)
    ]


def forward(image: Any, parameters: Any, activate: Callable[[str, int, Any], Any]) -> list[Any]:
    """LAYERS written out; ``activate(layer, channel, sum)`` is the next layer's activation."""
    for layer in LAYERS:
        if isinstance(layer, MaxPool):
            image = pool(image)
        elif isinstance(layer, Conv):
            sums = convolve(layer, image, *parameters[layer.name])
            image = [
                [[activate(layer.name, o, s) for o, s in enumerate(at)] for at in row]
                for row in sums
            ]
    features = [value for row in image for at in row for value in at]
    weights, bias = parameters["c"]
    return [
        start + sum(value * line[o] for value, line in zip(features, weights, strict=True))
        for o, start in enumerate(bias)
    ]


def test_float_forward_against_loops(network: Network, rng: np.random.Generator) -> None:
    images = random_images(rng, 3)
    parameters = {
        name: (layer.weights.tolist(), layer.bias.tolist())
        for name, layer in network.parameters.items()
    }
    expected = [
        forward((image / 255).tolist(), parameters, lambda name, channel, s: max(s, 0.0))
        for image in images
    ]
    got = network.forward(images)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("weight_bits", [8, 4, 2])
def test_integer_forward_against_loops(
    weight_bits: int, network: Network, rng: np.random.Generator
) -> None:
    """Equal, bit for bit, to the rule in Python's own integers and fractions."""
    images = random_images(rng, 4)
    quantized = quantize(network, images, weight_bits)
    parameters = {
        name: (layer.weights.tolist(), layer.bias.tolist())
        for name, layer in quantized.parameters.items()
    }

    def activate(name: str, channel: int, value: int) -> int:
        scale = quantized.parameters[name].requantization
        assert scale is not None
        factor = Fraction(int(scale.multiplier[channel]), 2 ** int(scale.shift[channel]))
        return min(max(round(value * factor), 0), 255)

    expected = [forward(image.tolist(), parameters, activate) for image in images]
    got = quantized.forward(images, exact)
    assert got.dtype == np.int32
    assert got.tolist() == expected


def test_matmul_gets_every_lowered_layer(network: Network, rng: np.random.Generator) -> None:
    seen = []

    def spy(layer: MatrixLayer, x: Array, w: Array) -> npt.NDArray[np.int32]:
        seen.append((layer.name, x.dtype, x.shape, w.dtype, w.shape))
        return golden.exact_matmul(x, w)

    images = random_images(rng, 2)
    assert quantize(network, images).forward(images, spy).shape == (2, 5)
    byte, signed = np.dtype(np.uint8), np.dtype(np.int8)
    assert seen == [
        ("a", byte, (72, 18), signed, (18, 3)),
        ("b", byte, (8, 12), signed, (12, 4)),
        ("c", byte, (2, 16), signed, (16, 5)),
    ]


def test_no_images(network: Network, rng: np.random.Generator) -> None:
    images = random_images(rng, 2)
    assert network.forward(images[:0]).shape == (0, 5)
    assert quantize(network, images).forward(images[:0], exact).shape == (0, 5)


# --- quantization


@pytest.mark.parametrize("weight_bits", range(2, 9))
def test_weights_use_their_range(
    weight_bits: int, network: Network, rng: np.random.Generator
) -> None:
    """Symmetric; every channel of a convolution, and the last layer as a whole, reach the end."""
    quantized = quantize(network, random_images(rng, 4), weight_bits)
    largest = 2 ** (weight_bits - 1) - 1
    for name, layer in quantized.parameters.items():
        magnitude = np.abs(layer.weights.astype(int)).max(axis=0)
        assert (magnitude.max() if name == "c" else magnitude.min()) == largest, name
        assert magnitude.max() == largest, name


def test_quantization_by_hand() -> None:
    """Activations of 255 and 1.1 at most; weight scales 1/127, 1/508 and, for the logits, 1/127."""
    conv = Parameters(np.array([[1, 0.25]], np.float32), np.array([0.1, -0.05], np.float32))
    linear = Parameters(
        np.array([[1, -0.5], [0.3, 0.1]], np.float32), np.array([0, 0.5], np.float32)
    )
    layers = (Conv("conv", 1, 2, 1), Linear("linear", 2, 2))
    network = Network((1, 1, 1), layers, {"conv": conv, "linear": linear})
    quantized = quantize(network, np.array([[[0]], [[255]]], np.uint8)).parameters
    assert quantized["conv"].weights.tolist() == [[127, 127]]
    # 0.1 * 127 * 255 = 3238.5 (and float32's 0.1 is a little more), -0.05 * 508 * 255
    assert quantized["conv"].bias.tolist() == [3239, -6477]
    scale = quantized["conv"].requantization
    assert scale is not None
    expected = [1 / 127 / 1.1, 1 / 508 / 1.1]
    np.testing.assert_allclose(scale.multiplier / 2.0**scale.shift, expected, rtol=2**-15)
    # -63.5 is a tie; 38.1 and 12.7
    assert quantized["linear"].weights.tolist() == [[127, -64], [38, 13]]
    assert quantized["linear"].bias.tolist() == [0, round(0.5 * 127 * 255 / 1.1)]
    assert quantized["linear"].requantization is None


def test_integers_follow_the_float_network(network: Network, rng: np.random.Generator) -> None:
    images = random_images(rng, 50)
    real = network.forward(images)
    got = quantize(network, images).forward(images, exact)
    scale = np.vdot(got, real) / np.vdot(got, got.astype(np.float64))
    assert np.abs(got * scale - real).max() < 0.03 * np.abs(real).max()


def test_silent_channels() -> None:
    """Channels of zero weights, with and without a bias, and one whose bias dwarfs its weights."""
    weights = np.array([[0, 0, 1e-20, 0.5]], np.float32)
    bias = np.array([0, 0.5, 0.5, 0], np.float32)
    linear = Parameters(np.ones((4, 2), np.float32), np.zeros(2, np.float32))
    layers = (Conv("conv", 1, 4, 1), Linear("linear", 4, 2))
    network = Network((1, 1, 1), layers, {"conv": Parameters(weights, bias), "linear": linear})
    activations = []

    def spy(layer: MatrixLayer, x: Array, w: Array) -> npt.NDArray[np.int32]:
        activations.append(x.tolist())
        return golden.exact_matmul(x, w)

    images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    quantize(network, images).forward(images, spy)
    assert activations[1] == [[0, 255, 255, 0], [0, 255, 255, 255]]


def test_black_images_calibrate(network: Network) -> None:
    images = np.zeros((1, *INPUT), np.uint8)
    silent = {
        name: Parameters(layer.weights, np.zeros_like(layer.bias))
        for name, layer in network.parameters.items()
    }
    quantized = quantize(Network(INPUT, LAYERS, silent), images)
    assert quantized.forward(images, exact).tolist() == [[0] * 5]


# --- exact training


def test_on_grid_rounds_to_16_bits(rng: np.random.Generator) -> None:
    values = rng.normal(size=1000) * 10.0 ** rng.integers(-5, 5, 1000)
    largest = np.abs(values).max()
    step = Fraction(2) ** (int(np.frexp(largest)[1]) - 16)
    expected = [float(round(Fraction(value) / step) * step) for value in values.tolist()]
    assert on_grid(values).tolist() == expected
    assert on_grid(np.zeros(3)).tolist() == [0, 0, 0]


def test_softmax(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(50, 10)) * 5
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-4)


def double(network: Network) -> dict[str, Parameters]:
    return {
        name: Parameters(layer.weights.astype(float) / 8, layer.bias.astype(float))
        for name, layer in network.parameters.items()
    }


def test_gradients_are_slopes_of_the_loss(network: Network, rng: np.random.Generator) -> None:
    images, labels = random_images(rng, 6) / 255, np.array([0, 1, 2, 3, 4, 0], np.uint8)
    parameters = double(network)

    def loss() -> float:
        x = images
        for layer in LAYERS:
            if isinstance(layer, MaxPool):
                x = layer.pool(x)
                continue
            shape = layer.output_shape(x.shape[1:])
            weights, bias = parameters[layer.name]
            x = layer.lower(x) @ weights + bias
            x = np.maximum(x, 0 if isinstance(layer, Conv) else -np.inf).reshape(6, *shape)
        logits = x.reshape(6, 5)
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
    network: Network, rng: np.random.Generator
) -> None:
    """Reordered images reorder every sum; the new parameters have the same bits all the same."""
    images, labels = random_images(rng, 40) / 255, rng.integers(0, 5, 40).astype(np.uint8)
    results = []
    for _ in range(3):
        parameters = double(network)
        Adam(parameters).step(gradients(LAYERS, parameters, images, labels), 0.01)
        results.append([array.tobytes() for layer in parameters.values() for array in layer])
        order = rng.permutation(40)
        images, labels = images[order], labels[order]
    assert results[0] == results[1] == results[2]


STEPS = """
import hashlib
import numpy as np
from networks.mnist_network import MNIST_LAYERS
from networks.train_mnist import distorted, initial_parameters
from networks.training import Adam, gradients

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


def test_shipped_weights(mnist: Mnist) -> None:
    """FP32 at least 97 %; 8 bits within half a point of it; 5opt within one."""
    images, labels = mnist.test
    single = accuracy(load_mnist_network().forward(images), labels)
    quantized = load_quantized_mnist_network(mnist)
    eight = accuracy(quantized.forward(images, exact), labels)
    fmt = golden.named_format("5opt")
    sparq = accuracy(
        quantized.forward(images, lambda layer, x, w: golden.sparq_matmul(x, w, fmt)), labels
    )
    assert single >= 0.97
    assert abs(eight - single) <= 0.005
    assert abs(sparq - single) <= 0.01


# --- errors


def quantized_small(network: Network) -> QuantizedNetwork:
    return quantize(network, np.zeros((1, *INPUT), np.uint8))


def expect(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((1, *INPUT)), TypeError, "images must be a uint8 array, not float64"),
        (np.zeros((1, *INPUT), np.int8), TypeError, "images must be a uint8 array, not int8"),
        ([[0]], TypeError, "images must be a uint8 array, not list"),
        (
            np.zeros(INPUT, np.uint8),
            ValueError,
            "images must have the shape (N, 6, 6, 2), not (6, 6, 2)",
        ),
        (
            np.zeros((1, 6, 6), np.uint8),
            ValueError,
            "images must have the shape (N, 6, 6, 2), not (1, 6, 6)",
        ),
    ],
)
def test_wrong_images(images: Any, error: type[Exception], message: str, network: Network) -> None:
    expect(lambda: network.forward(images), error, message)
    expect(lambda: quantize(network, images), error, message)
    expect(lambda: quantized_small(network).forward(images, exact), error, message)


def test_one_channel_may_be_left_out(mnist: Mnist) -> None:
    network, images = load_mnist_network(), mnist.test.images[:2]
    assert np.array_equal(network.forward(images), network.forward(images[..., np.newaxis]))


def test_wrong_products(network: Network) -> None:
    quantized = quantized_small(network)
    images = np.zeros((1, *INPUT), np.uint8)
    expect(
        lambda: quantized.forward(images, lambda layer, x, w: np.zeros((3, 36), np.int32)),
        ValueError,
        "matmul must return the shape (36, 3) for a, not (3, 36)",
    )
    wide: Any = lambda layer, x, w: np.zeros((36, 3), np.int64)  # noqa: E731
    expect(
        lambda: quantized.forward(images, wide),
        TypeError,
        "matmul must return int32 for a, not int64",
    )


@pytest.mark.parametrize("weight_bits", [1, 9, 8.0, "8"])
def test_wrong_weight_bits(weight_bits: Any, network: Network) -> None:
    expect(
        lambda: quantize(network, np.zeros((1, *INPUT), np.uint8), weight_bits),
        ValueError,
        f"weight_bits must be an integer from 2 to 8, not {weight_bits!r}",
    )


def test_nothing_to_calibrate_with(network: Network) -> None:
    expect(
        lambda: quantize(network, np.zeros((0, *INPUT), np.uint8)),
        ValueError,
        "images must hold at least 1 image to calibrate with, not 0",
    )


def test_sums_that_could_leave_int32() -> None:
    parameters = {"c": Parameters(np.ones((40000, 1), np.float32), np.zeros(1, np.float32))}
    network = Network((200, 200, 1), (Linear("c", 40000, 1),), parameters)
    expect(
        lambda: quantize(network, np.zeros((1, 200, 200, 1), np.uint8)),
        ValueError,
        "K must be at most 32896 for int32 sums, not 40000 in c",
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "layers must end with the only Linear layer"),
        (LAYERS[:2], "layers must end with the only Linear layer"),
        ((*LAYERS, LAYERS[-1]), "layers must end with the only Linear layer"),
        ((LAYERS[0], LAYERS[0], LAYERS[-1]), "a takes 2 channels, not 3"),
        ((LAYERS[0], LAYERS[-1]), "c takes 16 features, not 108 (6, 6, 3)"),
        ((MaxPool(4), LAYERS[-1]), "max pooling by 4 must divide the image (6, 6)"),
        (
            (Conv("a", 2, 1, 7), Linear("c", 1, 5)),
            "an image side of 6 with padding 0 must be at least the kernel, 7",
        ),
        (
            (Linear("d", 72, 5),),
            "parameters must be those of the layers d, each name once, not of a, b, c",
        ),
        (
            (*LAYERS[:2], Conv("b", 3, 4, 3, padding=1), Linear("c", 36, 5)),
            "weights and bias of b must have the shapes (27, 4) and (4,), not (12, 4) and (4,)",
        ),
    ],
)
def test_wrong_layers(layers: Any, message: str, network: Network) -> None:
    expect(lambda: Network(INPUT, layers, network.parameters), ValueError, message)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Conv("a", 0, 1, 1), "in_channels must be an integer of at least 1, not 0"),
        (
            lambda: Conv("a", 1, 1, 1.5),  # type: ignore[arg-type]
            "kernel must be an integer of at least 1, not 1.5",
        ),
        (lambda: Conv("a", 1, 1, 1, 0), "stride must be an integer of at least 1, not 0"),
        (lambda: Conv("a", 1, 1, 1, 1, -1), "padding must be an integer of at least 0, not -1"),
        (lambda: Linear("a", 1, 0), "out_features must be an integer of at least 1, not 0"),
        (lambda: MaxPool(0), "size must be an integer of at least 1, not 0"),
        (
            lambda: accuracy(np.zeros((0, 10)), np.zeros(0, int)),
            "logits and labels must have one length of at least 1, not 0 and 0",
        ),
        (
            lambda: accuracy(np.zeros((2, 10)), np.zeros(3, int)),
            "logits and labels must have one length of at least 1, not 2 and 3",
        ),
    ],
)
def test_wrong_values(call: Callable[[], object], message: str) -> None:
    expect(call, ValueError, message)
