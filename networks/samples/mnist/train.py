"""Train the MNIST network: ``python -m networks.samples.mnist.train [--output PATH | --check]``."""

import argparse
import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from networks.importer import import_onnx
from networks.samples.mnist import MNIST_MODEL, LabelledImages, load_mnist
from networks.samples.mnist.layers import MNIST_LAYERS, MNIST_SHAPE, MaxPool, Parameters
from networks.samples.mnist.onnx_file import onnx_file
from networks.samples.mnist.training import Adam, gradients

SEED = 2021
EPOCHS = 50
BATCH = 50
PEAK_RATE = 3e-3
MAX_SHIFT = 2
"""Pixels by which an image is moved at random, in either direction."""
MAX_SHEAR = 5
"""Pixels by which its edges are moved against its middle."""


def initial_parameters(rng: np.random.Generator) -> dict[str, Parameters]:
    """Uniform weights of variance 2/K (He et al., ICCV 2015) and zero biases, float64."""
    parameters = {}
    for layer in MNIST_LAYERS:
        if not isinstance(layer, MaxPool):
            bound = math.sqrt(6 / layer.depth)
            weights = (2 * rng.random((layer.depth, layer.width)) - 1) * bound
            parameters[layer.name] = Parameters(weights, np.zeros(layer.width))
    return parameters


def distorted(images: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Each image (N, H, W) moved and sheared at random, pixel by pixel in whole numbers.

    Background moves in. Two shears in opposite directions come close to a rotation.
    """
    count, height, width = images.shape
    margin = MAX_SHIFT + MAX_SHEAR
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    down, right = rng.integers(-MAX_SHIFT, MAX_SHIFT, (2, count, 1, 1), endpoint=True)
    tilt, slant = rng.integers(-MAX_SHEAR, MAX_SHEAR, (2, count, 1, 1), endpoint=True)
    row, column = np.ogrid[:height, :width]
    rows = row + margin + down + (tilt * (2 * column + 1 - width) + width // 2) // width
    columns = column + margin + right + (slant * (2 * row + 1 - height) + height // 2) // height
    index = np.arange(count)[:, np.newaxis, np.newaxis]
    distorted_images: npt.NDArray[np.uint8] = padded[index, rows, columns]
    return distorted_images


def train(data: LabelledImages) -> Mapping[str, Parameters]:
    """Float32 parameters, trained on whole batches of ``data``; the same bits on every machine."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    parameters = initial_parameters(rng)
    optimizer = Adam(parameters)
    count = len(data.labels)
    per_epoch = count // BATCH
    steps = EPOCHS * per_epoch
    for step in track(range(steps), "training"):
        if step % per_epoch == 0:
            batches = rng.permutation(count).reshape(per_epoch, BATCH)
        batch = batches[step % per_epoch]
        part = LabelledImages(distorted(data.images[batch], rng), data.labels[batch])
        slopes = gradients(MNIST_LAYERS, parameters, part.inputs, part.labels)
        optimizer.step(slopes, PEAK_RATE * (1 - step / steps))
    return {
        name: Parameters(weights.astype(np.float32), bias.astype(np.float32))
        for name, (weights, bias) in parameters.items()
    }


def accuracy(model: bytes, data: LabelledImages) -> float:
    """Fraction of ``data`` that the network in an ONNX file of the bytes ``model`` gets right."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, MNIST_MODEL.name)
        path.write_bytes(model)
        return data.accuracy(import_onnx(path).forward(data.inputs))


def main() -> int:
    """Train, print the accuracy, and write the model or compare it; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m networks.samples.mnist.train", description=__doc__
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--output", type=Path, default=MNIST_MODEL, help="file to write")
    action.add_argument(
        "--check", action="store_true", help="compare with the shipped model; write nothing"
    )
    arguments = parser.parse_args()

    mnist = load_mnist()
    print(f"seed {SEED}, {EPOCHS} epochs of {len(mnist.train.labels)} images")
    content = onnx_file(MNIST_SHAPE, MNIST_LAYERS, train(mnist.train))
    correct = accuracy(content, mnist.test)
    print(f"FP32 accuracy on {len(mnist.test.labels)} test images: {correct:.2%}")
    if not arguments.check:
        arguments.output.write_bytes(content)
        print(f"wrote {arguments.output}")
        return 0
    if content == MNIST_MODEL.read_bytes():
        print(f"the result equals {MNIST_MODEL.name} byte for byte")
        return 0
    print(f"the result differs from {MNIST_MODEL.name}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
