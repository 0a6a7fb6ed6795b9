"""Trained networks: imported, quantized to integers, and evaluated."""

from networks.samples.mnist import MNIST_MODEL, load_mnist

__all__ = ["MNIST_MODEL", "load_mnist"]
