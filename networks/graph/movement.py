"""Operations that move values, images channels-last."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.lowering import Array, Pair, Shape


@dataclass(frozen=True)
class Concat:
    """The values joined along ``axis``, an axis of the batch (1 is the first of an image)."""

    axis: int

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs that do not fit each other."""
        axis = self.axis - 1
        others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
        if len(others) != 1 or any(not 0 <= axis < len(shape) for shape in shapes):
            shown = ", ".join(map(str, shapes))
            raise ValueError(f"values to join must agree but for one axis, not have shapes {shown}")
        return (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])

    def __call__(self, *values: Array) -> Array:
        return np.concatenate(values, axis=self.axis)


@dataclass(frozen=True)
class Rearrange:
    """Transpose, reshape, transpose; all of one image's axes (0 is the first of the image)."""

    before: tuple[int, ...]
    shape: Shape
    after: tuple[int, ...]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        if prod(shape) != prod(self.shape):
            raise ValueError(f"{prod(shape)} elements do not fit the shape {self.shape}")
        return tuple(self.shape[axis] for axis in self.after)

    def __call__(self, x: Array) -> Array:
        x = x.transpose(0, *(axis + 1 for axis in self.before)).reshape(len(x), *self.shape)
        return np.ascontiguousarray(x.transpose(0, *(axis + 1 for axis in self.after)))


@dataclass(frozen=True)
class Slice:
    """Some of the positions along each of one image's axes."""

    slices: tuple[slice, ...]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        return tuple(len(range(size)[part]) for size, part in zip(shape, self.slices, strict=True))

    def __call__(self, x: Array) -> Array:
        return x[(slice(None), *self.slices)]


@dataclass(frozen=True)
class Pad:
    """(before, after) of each of one image's axes; ``mode`` as in ``numpy.pad``."""

    amounts: tuple[tuple[int, int], ...]
    mode: str = "constant"
    value: float = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        return tuple(size + sum(amount) for size, amount in zip(shape, self.amounts, strict=True))

    def __call__(self, x: Array) -> Array:
        options: Any = {"constant_values": self.value} if self.mode == "constant" else {}
        mode: Any = self.mode
        padded: Array = np.pad(x, ((0, 0), *self.amounts), mode=mode, **options)
        return padded


@dataclass(frozen=True)
class Take:
    """The positions ``indices`` along ``axis``, an axis of the batch (1: an image's first)."""

    axis: int
    indices: tuple[int, ...]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        return (*shape[: self.axis - 1], len(self.indices), *shape[self.axis :])

    def __call__(self, x: Array) -> Array:
        return np.take(x, np.array(self.indices, np.int64), axis=self.axis)


@dataclass(frozen=True)
class Expand:
    """An image repeated along its axes of size 1, up to the shape ``shape``."""

    shape: Shape

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        if len(shape) != len(self.shape) or any(
            old not in (1, new) for old, new in zip(shape, self.shape, strict=True)
        ):
            raise ValueError(f"a value of the shape {shape} cannot be repeated to {self.shape}")
        return self.shape

    def __call__(self, x: Array) -> Array:
        return np.ascontiguousarray(np.broadcast_to(x, (len(x), *self.shape)))


@dataclass(frozen=True)
class Spread:
    """An image (rows, columns, C) with its pixels ``strides`` apart, ``value`` between them."""

    strides: Pair
    value: float = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        rows, columns = (
            (size - 1) * stride + 1 for size, stride in zip(shape, self.strides, strict=False)
        )
        return rows, columns, shape[2]

    def __call__(self, x: Array) -> Array:
        result = np.full((len(x), *self.output_shape(x.shape[1:])), self.value, x.dtype)
        result[:, :: self.strides[0], :: self.strides[1]] = x
        return result


@dataclass(frozen=True)
class Taps:
    """For each position along an axis the two that it lies between, and the weight of the second.

    ``weight`` is float64, from 0 to 1; that of the first is what is missing to 1.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    weight: Float64Array


@dataclass(frozen=True)
class Interpolate:
    """Linear interpolation between the pixels of an image (rows, columns, C)."""

    rows: Taps
    columns: Taps

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        return len(self.rows.first), len(self.columns.first), shape[2]

    def sums(self, x: Array, row_weight: Array, column_weight: Array, one: Any) -> Array:
        """The sums of pixels by weights, of which those of two add up to ``one``."""
        rows, columns = row_weight[:, np.newaxis, np.newaxis], column_weight[:, np.newaxis]
        x = x[:, self.rows.first] * (one - rows) + x[:, self.rows.second] * rows
        result: Array = (
            x[:, :, self.columns.first] * (one - columns) + x[:, :, self.columns.second] * columns
        )
        return result

    def __call__(self, x: Float64Array) -> Float64Array:
        return self.sums(x, self.rows.weight, self.columns.weight, 1.0)
