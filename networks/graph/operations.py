"""The operations of a network, each on a batch of images, channels-last.

Called with float64 arrays they are the floating-point reference, the same bits on every machine;
those that only move or compare values (``STRUCTURAL``) serve integer networks as they are.
"""

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array, to_fixed_point
from networks.graph.lowering import Array, Lowering, Patch, Shape


class BatchNormalization(NamedTuple):
    """A normalization that was folded into a layer, per output channel.

    It was ``scale * (x - mean) / deviation + offset``, with ``deviation`` (``epsilon`` included)
    and mean those of the layer's results over the training data.
    """

    scale: Float64Array
    offset: Float64Array
    epsilon: float
    deviation: Float64Array


@dataclass(frozen=True)
class MatrixLayer:
    """A convolution or a fully connected layer: ``lower(x) @ weights + bias``.

    ``weights`` float64 (groups, K, N / groups), ``bias`` float64 (N,). ``batch_norm`` is the
    normalization that was folded into them, if any.
    """

    lowering: Lowering
    weights: Float64Array
    bias: Float64Array
    batch_norm: BatchNormalization | None = None

    @property
    def depth(self) -> int:
        """K, the length of the reduction."""
        return int(self.weights.shape[1])

    @property
    def width(self) -> int:
        """N, the number of outputs per row, of all groups together."""
        return int(self.weights.shape[0] * self.weights.shape[2])

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        channels = shape[-1] if shape else 0
        groups = len(self.weights)
        if (
            groups != self.lowering.groups
            or channels % groups
            or self.lowering.depth(channels) != self.depth
        ):
            raise ValueError(f"weights of depth {self.depth} do not fit an input of shape {shape}")
        return self.lowering.output_shape(shape, self.width)

    def __call__(self, x: Float64Array) -> Float64Array:
        lowered, weights = self.lowering.lower(to_fixed_point(x)), to_fixed_point(self.weights)
        sums = np.stack(
            [lowered[..., group, :] @ weights[group] for group in range(len(weights))], axis=-2
        )
        result: Float64Array = sums.reshape(*lowered.shape[:-2], self.width) + self.bias
        return result


@dataclass(frozen=True)
class Affine:
    """``scale * x + offset`` per channel (the last axis); both float64 (C,)."""

    scale: Float64Array
    offset: Float64Array

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        if not shape or shape[-1] != len(self.scale):
            raise ValueError(f"{len(self.scale)} channels do not fit an input of shape {shape}")
        return shape

    def __call__(self, x: Float64Array) -> Float64Array:
        return x * self.scale + self.offset


@dataclass(frozen=True)
class Sum:
    """The sum of one or more values of one shape; of one, that value."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs of different shapes."""
        if len(set(shapes)) != 1:
            shown = ", ".join(map(str, shapes))
            raise ValueError(f"values to add must have one shape, not {shown}")
        return shapes[0]

    def __call__(self, *values: Array) -> Array:
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total


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
class MaxPool:
    """The largest value under each position of ``patch``, padding left out."""

    patch: Patch

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        return self.patch.output_shape(shape, shape[-1])

    def __call__(self, x: Array) -> Array:
        lowest = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
        taps = self.patch.taps(x, lowest)
        result = taps[0].copy()
        for tap in taps[1:]:
            np.maximum(result, tap, out=result)
        return result


@dataclass(frozen=True)
class AveragePool:
    """The sum under each position of ``patch`` over ``divisors``, float64 (rows, columns, 1)."""

    patch: Patch
    divisors: Float64Array

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        return self.patch.output_shape(shape, shape[-1])

    def sums(self, x: Array, fill: Any, dtype: npt.DTypeLike) -> Array:
        """The sums, in ``dtype``, with padding of ``fill``."""
        if self.patch.kernel == x.shape[1:3] and not any(self.patch.padding):
            total: Array = x.sum(axis=(1, 2), keepdims=True, dtype=dtype)
            return total
        taps = self.patch.taps(x, fill)
        result = taps[0].astype(dtype)
        for tap in taps[1:]:
            result += tap
        return result

    def __call__(self, x: Float64Array) -> Float64Array:
        result: Float64Array = self.sums(to_fixed_point(x), 0, np.float64) / self.divisors
        return result


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


Operation = MatrixLayer | Affine | Sum | Concat | MaxPool | AveragePool | Rearrange | Slice | Pad
STRUCTURAL = (MaxPool, Rearrange, Slice, Pad)
"""Operations whose outputs are values of their one input (or a pad), in any arithmetic."""
