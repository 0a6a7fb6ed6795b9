"""The operations of a network, each on a batch of images, channels-last.

Called with float64 arrays they are the floating-point reference, the same bits on every machine;
those that only move or compare values (``STRUCTURAL``) serve integer networks as they are.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array, to_fixed_point
from networks.graph.attention import LayerNormalization, MaskedMean, MatrixProduct, Softmax
from networks.graph.elementwise import (
    Affine,
    Function,
    Largest,
    Product,
    Quotient,
    Smallest,
    Sum,
)
from networks.graph.embedding import Embedding
from networks.graph.lowering import Array, Lowering, Patch, Shape
from networks.graph.movement import (
    Concat,
    Expand,
    Interpolate,
    Pad,
    Rearrange,
    Slice,
    Spread,
    Take,
)


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
        x, weights = to_fixed_point(x), to_fixed_point(self.weights)
        groups, depth, _ = weights.shape
        # Sums are exact, in whatever order they are made.
        if isinstance(self.lowering, Patch) and 1 < groups == x.shape[-1]:
            return self._depthwise(self.lowering, x, weights)
        lowered = self.lowering.lower(x)
        rows = lowered.reshape(-1, groups, depth)
        parts = [rows[:, group] @ weights[group] for group in range(groups)]
        sums = parts[0] if groups == 1 else np.stack(parts, axis=1)
        result: Float64Array = sums.reshape(*lowered.shape[:-2], self.width) + self.bias
        return result

    def _depthwise(self, patch: Patch, x: Float64Array, weights: Float64Array) -> Float64Array:
        """An element of the kernel for all channels at once, image by image: these fit a cache."""
        result = np.zeros((len(x), *self.output_shape(x.shape[1:])))
        for image, total in zip(x[:, np.newaxis], result, strict=True):
            sums = total.reshape(*total.shape[:2], *weights.shape[::2])
            for k, tap in enumerate(patch.taps(image, 0)):
                sums += tap[0, ..., np.newaxis] * weights[:, k]
        result += self.bias
        return result


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
    """The sum under each position of ``patch`` over ``divisors``.

    These are float64 (rows, columns, 1), or (rows, columns, C).
    """

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


Operation = (
    MatrixLayer
    | Affine
    | Sum
    | Product
    | Quotient
    | Largest
    | Smallest
    | Function
    | Concat
    | MaxPool
    | AveragePool
    | Rearrange
    | Slice
    | Pad
    | Take
    | Expand
    | Spread
    | Interpolate
    | MatrixProduct
    | Softmax
    | LayerNormalization
    | MaskedMean
    | Embedding
)
STRUCTURAL = (MaxPool, Rearrange, Slice, Pad, Take, Expand, Spread)
"""Operations whose outputs are values of their one input (or a pad), in any arithmetic."""
SCALED_ALIKE = (*STRUCTURAL, Interpolate)
"""Operations whose outputs lie in the range of their one input."""
JOINING = (Concat, Largest, Smallest)
"""Operations whose outputs are values of their inputs, which must have one scale."""
