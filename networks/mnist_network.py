"""The MNIST network and its shipped weights."""

from pathlib import Path

import numpy as np

from networks.layers import Conv, Layer, Linear, MaxPool, Shape
from networks.mnist import Mnist
from networks.network import Network, Parameters
from networks.quantized import QuantizedNetwork, quantize

MNIST_SHAPE: Shape = (28, 28, 1)

MNIST_LAYERS: tuple[Layer, ...] = (
    Conv("conv1", 1, 16, kernel=7, stride=2, padding=3),
    Conv("conv2", 16, 32, kernel=3, padding=1),
    MaxPool(2),
    Conv("conv3", 32, 32, kernel=3, padding=1),
    Linear("linear", 7 * 7 * 32, 10),
)
"""Reduction lengths K of 49, 144, 288 and 1568: every product fills a 16 x 16 array."""

MNIST_WEIGHTS = Path(__file__).with_name("mnist_weights.npz")
"""Written by :mod:`networks.train_mnist`: arrays ``NAME.weights`` and ``NAME.bias``, float32."""

CALIBRATION_STRIDE = 8


def load_mnist_network(path: Path = MNIST_WEIGHTS) -> Network:
    """The trained float network, with the shipped weights or those of another file."""
    with np.load(path) as arrays:
        parameters = {
            layer.name: Parameters(arrays[f"{layer.name}.weights"], arrays[f"{layer.name}.bias"])
            for layer in MNIST_LAYERS
            if not isinstance(layer, MaxPool)
        }
    return Network(MNIST_SHAPE, MNIST_LAYERS, parameters)


def load_quantized_mnist_network(mnist: Mnist, weight_bits: int = 8) -> QuantizedNetwork:
    """The shipped network in integers, calibrated on every eighth training image: 50 per digit."""
    images = mnist.train.images[::CALIBRATION_STRIDE]
    return quantize(load_mnist_network(), images, weight_bits)
