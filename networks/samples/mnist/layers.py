"""The layers of the network, as far as training needs them: shapes, lowering and its transpose."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from networks.graph.lowering import Array, Patch, Shape


class Parameters(NamedTuple):
    """Weights (K, N) and bias (N,) of one layer, floating point."""

    weights: npt.NDArray[np.floating[Any]]
    bias: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Conv:
    """A convolution with a square kernel and a bias, followed by ReLU."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def patch(self) -> Patch:
        """How it slides over an image."""
        side, step, margin = self.kernel, self.stride, self.padding
        return Patch((side, side), (step, step), (margin, margin, margin, margin))

    @property
    def depth(self) -> int:
        """K, the length of the reduction."""
        return self.kernel * self.kernel * self.in_channels

    @property
    def width(self) -> int:
        """N, the number of outputs per row."""
        return self.out_channels

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an image of ``shape`` (rows, columns, channels)."""
        return self.patch.output_shape(shape, self.out_channels)

    def lower(self, images: Array) -> Array:
        """``images`` (N, H, W, C) as the matrix (M, K) that meets the weights."""
        return self.patch.lower(images).reshape(-1, self.depth)

    def lower_transposed(self, lowered: Array, shape: Shape) -> Array:
        """The transpose of :meth:`lower`: each element is the sum of its copies in ``lowered``.

        ``shape`` is that of the images, (N, H, W, C). Copies are added in the order of the kernel's
        elements, so a floating-point result is the same on every machine.
        """
        count, height, width, channels = shape
        rows, columns, _ = self.output_shape(shape[1:])
        parts = lowered.reshape(count, rows, columns, -1, channels)
        margin = self.padding
        padded = np.zeros((count, height + 2 * margin, width + 2 * margin, channels), lowered.dtype)
        unpadded = Patch((self.kernel, self.kernel), (self.stride, self.stride))
        for index, tap in enumerate(unpadded.taps(padded, 0)):
            tap += parts[:, :, :, index]
        return padded[:, margin : margin + height, margin : margin + width]


@dataclass(frozen=True)
class Linear:
    """A fully connected layer with a bias and without ReLU: the logits.

    It takes an image flattened in the order (row, column, channel).
    """

    name: str
    in_features: int
    out_features: int

    @property
    def depth(self) -> int:
        """K, the length of the reduction."""
        return self.in_features

    @property
    def width(self) -> int:
        """N, the number of outputs per row."""
        return self.out_features

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an image of ``shape`` (rows, columns, channels)."""
        del shape
        return (self.out_features,)

    def lower(self, images: Array) -> Array:
        """``images`` (N, H, W, C) as the matrix (M, K) that meets the weights."""
        return images.reshape(len(images), self.depth)

    def lower_transposed(self, lowered: Array, shape: Shape) -> Array:
        """The transpose of :meth:`lower`, as images of ``shape`` (N, H, W, C)."""
        return lowered.reshape(shape)


@dataclass(frozen=True)
class MaxPool:
    """The largest of each ``size`` x ``size`` square of pixels, per channel."""

    name: str
    size: int

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an image of ``shape``, whose sides ``size`` must divide."""
        return shape[0] // self.size, shape[1] // self.size, shape[2]

    def pool(self, images: Array) -> Array:
        """``images`` (N, H, W, C) of any dtype, pooled."""
        count, height, width, channels = images.shape
        rows, columns = height // self.size, width // self.size
        squares = images.reshape(count, rows, self.size, columns, self.size, channels)
        pooled: Array = squares.max(axis=(2, 4))
        return pooled


Layer = Conv | Linear | MaxPool

MNIST_SHAPE = (28, 28, 1)

MNIST_LAYERS: tuple[Layer, ...] = (
    Conv("conv1", 1, 16, kernel=7, stride=2, padding=3),
    Conv("conv2", 16, 32, kernel=3, padding=1),
    MaxPool("pool", 2),
    Conv("conv3", 32, 32, kernel=3, padding=1),
    Linear("linear", 7 * 7 * 32, 10),
)
"""Reduction lengths K of 49, 144, 288 and 1568: every product fills a 16 x 16 array."""
