"""Trained networks: imported, quantized to integers, and evaluated."""

from networks.mnist import MNIST_MODEL, load_mnist

__all__ = ["MNIST_MODEL", "load_mnist"]
