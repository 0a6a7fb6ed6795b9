"""Trained networks, their quantization to integers, and their accuracy."""

from networks.accuracy import accuracy
from networks.layers import Conv, Linear, MatrixLayer, MaxPool
from networks.mnist import LabelledImages, Mnist, load_mnist
from networks.mnist_network import load_mnist_network, load_quantized_mnist_network
from networks.network import Network, Parameters
from networks.quantized import (
    QuantizedNetwork,
    QuantizedParameters,
    Requantization,
    quantize,
)

__all__ = [
    "Conv",
    "LabelledImages",
    "Linear",
    "MatrixLayer",
    "MaxPool",
    "Mnist",
    "Network",
    "Parameters",
    "QuantizedNetwork",
    "QuantizedParameters",
    "Requantization",
    "accuracy",
    "load_mnist",
    "load_mnist_network",
    "load_quantized_mnist_network",
    "quantize",
]
