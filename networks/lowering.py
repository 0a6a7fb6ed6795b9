"""Lowering of a convolution to a matrix product, and its transpose."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """Rows (or columns) that a convolution makes of ``size``; ``ValueError`` if there are none."""
    if size + 2 * padding < kernel:
        raise ValueError(
            f"an image side of {size} with padding {padding} must be at least the kernel, {kernel}"
        )
    return (size + 2 * padding - kernel) // stride + 1


def im2col(images: Array, kernel: int, stride: int, padding: int) -> Array:
    """The rows that a convolution multiplies with its weights, one row per output pixel.

    ``images`` (N, H, W, C) of any dtype, padded with zeros. Returns the same dtype, shape (M, K):
    M = N * output rows * output columns in that order, K = kernel * kernel * C ordered (kernel row,
    kernel column, channel). The channel is fastest, so a pair is two neighbouring channels of one
    pixel (in an even number of channels). Raises ``ValueError`` if no output pixel exists.
    """
    count, height, width, channels = images.shape
    rows = output_size(height, kernel, stride, padding)
    columns = output_size(width, kernel, stride, padding)
    margin = (padding, padding)
    padded = np.pad(images, ((0, 0), margin, margin, (0, 0)))
    lowered = np.empty((count, rows, columns, kernel, kernel, channels), images.dtype)
    for row in range(kernel):
        for column in range(kernel):
            lowered[:, :, :, row, column] = padded[
                :, row : row + stride * rows : stride, column : column + stride * columns : stride
            ]
    return lowered.reshape(count * rows * columns, kernel * kernel * channels)


def col2im(
    lowered: Array, shape: tuple[int, int, int, int], kernel: int, stride: int, padding: int
) -> Array:
    """The transpose of :func:`im2col`: each image element is the sum of its copies in ``lowered``.

    ``shape`` is that of the images, (N, H, W, C). Copies are added in the order of the kernel's
    elements, so a floating-point result is the same on every machine.
    """
    count, height, width, channels = shape
    rows = output_size(height, kernel, stride, padding)
    columns = output_size(width, kernel, stride, padding)
    parts = lowered.reshape(count, rows, columns, kernel, kernel, channels)
    padded = np.zeros((count, height + 2 * padding, width + 2 * padding, channels), lowered.dtype)
    for row in range(kernel):
        for column in range(kernel):
            padded[
                :, row : row + stride * rows : stride, column : column + stride * columns : stride
            ] += parts[:, :, :, row, column]
    return padded[:, padding : padding + height, padding : padding + width]
