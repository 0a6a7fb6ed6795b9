"""Layers of a small convolutional network, and the one walk through them that everything shares."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from networks.lowering import im2col, output_size

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]
"""Rows, columns and channels of one image."""


def _require_at_least(least: int, layer: object, *fields: str) -> None:
    for field in fields:
        value = getattr(layer, field)
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{field} must be an integer of at least {least}, not {value!r}")


@dataclass(frozen=True)
class Conv:
    """A convolution with a square kernel and a bias, followed by ReLU.

    Its weights are a matrix (``depth``, ``width``), rows in the order of
    :func:`networks.lowering.im2col`.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        _require_at_least(1, self, "in_channels", "out_channels", "kernel", "stride")
        _require_at_least(0, self, "padding")

    @property
    def depth(self) -> int:
        """K, the length of the reduction."""
        return self.kernel * self.kernel * self.in_channels

    @property
    def width(self) -> int:
        """N, the number of outputs per row."""
        return self.out_channels

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        if shape[2] != self.in_channels:
            raise ValueError(f"{self.name} takes {self.in_channels} channels, not {shape[2]}")
        rows, columns = (
            output_size(size, self.kernel, self.stride, self.padding) for size in shape[:2]
        )
        return rows, columns, self.out_channels

    def lower(self, images: Array) -> Array:
        """``images`` (N, H, W, C) as the matrix (M, K) that meets the weights."""
        return im2col(images, self.kernel, self.stride, self.padding)


@dataclass(frozen=True)
class Linear:
    """A fully connected layer with a bias and without ReLU: the logits.

    It takes an image flattened in the order (row, column, channel).
    """

    name: str
    in_features: int
    out_features: int

    def __post_init__(self) -> None:
        _require_at_least(1, self, "in_features", "out_features")

    @property
    def depth(self) -> int:
        """K, the length of the reduction."""
        return self.in_features

    @property
    def width(self) -> int:
        """N, the number of outputs per row."""
        return self.out_features

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        if math.prod(shape) != self.in_features:
            raise ValueError(
                f"{self.name} takes {self.in_features} features, not {math.prod(shape)} {shape}"
            )
        return 1, 1, self.out_features

    def lower(self, images: Array) -> Array:
        """``images`` (N, H, W, C) as the matrix (M, K) that meets the weights."""
        return images.reshape(len(images), self.in_features)


@dataclass(frozen=True)
class MaxPool:
    """The largest of each ``size`` x ``size`` square of pixels, per channel."""

    size: int

    def __post_init__(self) -> None:
        _require_at_least(1, self, "size")

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not divide."""
        if shape[0] % self.size or shape[1] % self.size:
            raise ValueError(f"max pooling by {self.size} must divide the image {shape[:2]}")
        return shape[0] // self.size, shape[1] // self.size, shape[2]

    def pool(self, images: Array) -> Array:
        """``images`` (N, H, W, C) of any dtype, pooled."""
        count, height, width, channels = images.shape
        rows, columns = height // self.size, width // self.size
        squares = images.reshape(count, rows, self.size, columns, self.size, channels)
        pooled: Array = squares.max(axis=(2, 4))
        return pooled


MatrixLayer = Conv | Linear
Layer = MatrixLayer | MaxPool


def propagate(
    layers: Sequence[Layer], images: Array, apply: Callable[[MatrixLayer, Array], Array]
) -> Array:
    """Send ``images`` (N, H, W, C) through ``layers``; returns the last layer's output (N, F).

    ``apply(layer, x)`` is called with each lowered input (M, K) and returns the layer's output
    (M, N) after bias and ReLU, in whatever arithmetic the caller wants.
    """
    for layer in layers:
        if isinstance(layer, MaxPool):
            images = layer.pool(images)
        else:
            shape = layer.output_shape(images.shape[1:])
            images = apply(layer, layer.lower(images)).reshape(len(images), *shape)
    return images.reshape(len(images), math.prod(images.shape[1:]))
