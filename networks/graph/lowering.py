"""How the input of a layer becomes the rows that meet its weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
"""Shape of one image's value; the leading axis of an array counts images."""
Pair = tuple[int, int]


@dataclass(frozen=True)
class Patch:
    """A patch that slides over rows and columns of images (N, H, W, C).

    ``padding`` is (top, left, bottom, right); ``groups`` splits the channels of a convolution.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def output_size(self, height: int, width: int) -> Pair:
        """Rows and columns of the output; ``ValueError`` if there are none."""
        top, left, bottom, right = self.padding
        sizes = []
        for axis, size in enumerate((height + top + bottom, width + left + right)):
            extent = (self.kernel[axis] - 1) * self.dilation[axis] + 1
            if size < extent:
                raise ValueError(
                    f"a padded image side of {size} must be at least the kernel's extent, {extent}"
                )
            sizes.append((size - extent) // self.stride[axis] + 1)
        return sizes[0], sizes[1]

    def output_shape(self, shape: Shape, width: int) -> Shape:
        """(rows, columns, ``width``) for an image of ``shape`` (rows, columns, channels)."""
        if len(shape) != 3:
            raise ValueError(f"an image must have rows, columns and channels, not shape {shape}")
        return (*self.output_size(*shape[:2]), width)

    def depth(self, channels: int) -> int:
        """K: elements of one group's reduction."""
        return self.kernel[0] * self.kernel[1] * (channels // self.groups)

    def taps(self, images: Array, fill: Any) -> list[Array]:
        """Views (N, rows, columns, C), one per element of the kernel in row order.

        Padding is ``fill``.
        """
        padded = self.pad(images, fill)
        rows, columns = self.output_size(*images.shape[1:3])
        return [
            padded[
                :,
                row * self.dilation[0] :: self.stride[0],
                column * self.dilation[1] :: self.stride[1],
            ][:, :rows, :columns]
            for row in range(self.kernel[0])
            for column in range(self.kernel[1])
        ]

    def lower(self, images: Array, fill: Any = 0) -> Array:
        """The rows that a convolution multiplies with its weights, one per output pixel and group.

        Returns (N, rows, columns, groups, K) of the same dtype, K ordered (kernel row, kernel
        column, channel): a pair along K is two neighbouring channels of one pixel, where a group
        has an even number of channels.
        """
        padded = np.ascontiguousarray(self.pad(images, fill))
        count, _, _, channels = padded.shape
        rows, columns = self.output_size(*images.shape[1:3])
        image, row, column, channel = padded.strides
        shape = (count, rows, columns, *self.kernel, channels)
        strides = (
            *(image, row * self.stride[0], column * self.stride[1]),
            *(row * self.dilation[0], column * self.dilation[1], channel),
        )
        patches = np.lib.stride_tricks.as_strided(padded, shape, strides, writeable=False)
        grouped = patches.reshape(
            *(count, rows, columns, self.kernel[0] * self.kernel[1]),
            *(self.groups, channels // self.groups),
        )
        return grouped.swapaxes(3, 4).reshape(
            count, rows, columns, self.groups, self.depth(channels)
        )

    def pad(self, images: Array, fill: Any) -> Array:
        """``images`` with ``padding`` of ``fill``."""
        top, left, bottom, right = self.padding
        if not any(self.padding):
            return images
        count, height, width, channels = images.shape
        padded = np.empty(
            (count, height + top + bottom, width + left + right, channels), images.dtype
        )
        padded[:, :top], padded[:, top + height :] = fill, fill
        middle = padded[:, top : top + height]
        middle[:, :, :left], middle[:, :, left + width :] = fill, fill
        middle[:, :, left : left + width] = images
        return padded


@dataclass(frozen=True)
class Flat:
    """A fully connected layer along the last axis: its input is its rows."""

    groups: int = 1

    def output_shape(self, shape: Shape, width: int) -> Shape:
        """``shape`` with the last axis replaced."""
        return (*shape[:-1], width)

    def depth(self, features: int) -> int:
        """K: elements of the reduction."""
        return features

    def lower(self, values: Array, fill: Any = 0) -> Array:
        """``values`` (N, ..., K) as (N, ..., 1, K)."""
        del fill
        return values[..., np.newaxis, :]


Lowering = Patch | Flat
