"""A small network for real MNIST images: its data, its training, and its trained weights."""

from pathlib import Path

from networks.samples.mnist.data import LabelledImages, Mnist, load_mnist

MNIST_MODEL = Path(__file__).with_name("mnist.onnx")
"""The trained network, written by :mod:`networks.samples.mnist.train`."""

__all__ = ["MNIST_MODEL", "LabelledImages", "Mnist", "load_mnist"]
