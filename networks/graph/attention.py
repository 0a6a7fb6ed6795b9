"""Operations of attention: products of values, softmax and normalization of features."""

from dataclasses import dataclass
from math import prod

import numpy as np

from networks import elementary
from networks.fixed_point import Float64Array, to_fixed_point
from networks.graph.lowering import Shape

_BELOW_ALL = -1e30
"""What an element becomes that a mask leaves out: its exponential is 0 beside any other."""


@dataclass(frozen=True)
class MatrixProduct:
    """``scale`` times the products of values (..., M, K) and (..., K, N), of equal leading axes."""

    scale: float = 1.0

    def output_shape(self, first: Shape, second: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs that do not fit each other."""
        if len(first) < 2 or first[:-2] != second[:-2] or first[-1:] != second[-2:-1]:
            raise ValueError(f"matrices of the shapes {first} and {second} do not fit each other")
        return (*first[:-1], second[-1])

    def __call__(self, x: Float64Array, y: Float64Array) -> Float64Array:
        result: Float64Array = to_fixed_point(x) @ to_fixed_point(y) * self.scale
        return result


@dataclass(frozen=True)
class Softmax:
    """Exponentials along the last axis over their sum, or the logarithm of that.

    With a second value, a mask that broadcasts to the first: where it is 0, not 1, an element
    counts nothing, and the result is 0.
    """

    logarithm: bool = False

    def output_shape(self, shape: Shape, mask: Shape | None = None) -> Shape:
        """Shape of the output; ``ValueError`` for a mask that does not fit."""
        if mask is not None:
            _require_mask(mask, shape)
        return shape

    def __call__(self, x: Float64Array, mask: Float64Array | None = None) -> Float64Array:
        if mask is not None:
            x = np.where(mask != 0, x, _BELOW_ALL)
        differences = x - x.max(axis=-1, keepdims=True)
        exponentials = to_fixed_point(elementary.exp(differences))
        sums = exponentials.sum(axis=-1, keepdims=True)
        result: Float64Array = (
            differences - elementary.log(sums) if self.logarithm else exponentials / sums
        )
        return result


@dataclass(frozen=True)
class MaskedMean:
    """The mean, along the last axis but one, of the elements of a value where a mask is 1, not 0.

    The mask broadcasts to the value, but is the same along the last axis, where it has size 1.
    """

    def output_shape(self, shape: Shape, mask: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for a mask that does not fit."""
        if len(shape) < 2 or mask[-1:] != (1,):
            raise ValueError(f"a mask of the shape {mask} does not fit a mean of {shape}")
        _require_mask(mask, shape)
        return (*shape[:-2], shape[-1])

    def __call__(self, x: Float64Array, mask: Float64Array) -> Float64Array:
        counts = np.broadcast_to(mask, (*x.shape[:-1], 1))
        sums = np.where(counts != 0, to_fixed_point(x), 0.0).sum(axis=-2)
        result: Float64Array = sums / np.maximum(counts.sum(axis=-2), 1)
        return result


def _require_mask(mask: Shape, shape: Shape) -> None:
    if len(mask) != len(shape) or any(
        size not in (1, other) for size, other in zip(mask, shape, strict=True)
    ):
        raise ValueError(f"a mask of the shape {mask} does not fit the shape {shape}")


@dataclass(frozen=True)
class LayerNormalization:
    """Values less their mean along the last axis, over their deviation; scaled and offset.

    ``scale`` and ``offset`` are float64 (C,); ``epsilon`` is added to the variance.
    """

    scale: Float64Array
    offset: Float64Array
    epsilon: float

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        if not shape or shape[-1:] != self.scale.shape:
            raise ValueError(f"{prod(self.scale.shape)} features do not fit the shape {shape}")
        return shape

    def __call__(self, x: Float64Array) -> Float64Array:
        # Sums of fixed-point numbers and of their squares are exact, in whatever order.
        x = to_fixed_point(x)
        count = x.shape[-1]
        sums, squares = x.sum(axis=-1, keepdims=True), (x * x).sum(axis=-1, keepdims=True)
        variance = np.maximum(squares / count - (sums / count) ** 2, 0)
        normalized = (x - sums / count) / np.sqrt(variance + self.epsilon)
        result: Float64Array = normalized * self.scale + self.offset
        return result
