"""The operations of a network in integers, as hardware computes them.

Activations are unsigned bytes; the byte ``zero_point`` stands for 0, and is 0 where none is
negative.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

import golden
from golden.attention import WIDE_MAX
from networks.graph.elementwise import Largest, Smallest
from networks.graph.lowering import Array, Lowering
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
from networks.graph.operations import AveragePool, MaxPool

Bytes = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

LEVELS_4_BIT = 15
"""The largest of the uniform 4-bit activation codes."""


class UniformCodes(NamedTuple):
    """Evenly spaced 4-bit codes: their distance, in steps of the byte, and which stands for 0."""

    step: float
    zero: int = 0


CACHED_ELEMENTS = 1 << 16
"""Elements per step of an element-wise operation."""


class Quantization(NamedTuple):
    """What an integer of a tensor stands for: ``(integer - zero_point) * step``."""

    step: float
    zero_point: int


class WideQuantization(Quantization):
    """That of integers of 16 bits, with sign: of values that only normalizations are made of."""

    __slots__ = ()


@dataclass(frozen=True)
class Requantization:
    """Sums to bytes: ``golden.requantize`` with these arguments, which broadcast against them."""

    dtype: ClassVar = np.uint8
    multiplier: Int64Array
    shift: Int64Array
    zero_point: int

    def __call__(self, sums: Int32Array) -> Bytes:
        return golden.requantize(sums, self.multiplier, self.shift, self.zero_point)


@dataclass(frozen=True)
class WideRequantization:
    """Sums to integers of 16 bits: ``golden.rescale`` with these arguments, saturated."""

    dtype: ClassVar = np.int16
    multiplier: Int64Array
    shift: Int64Array

    def __call__(self, sums: Int32Array) -> npt.NDArray[np.int16]:
        scaled = golden.rescale(sums, self.multiplier, self.shift)
        return np.clip(scaled, -WIDE_MAX - 1, WIDE_MAX).astype(np.int16)


@dataclass(frozen=True)
class Alignment:
    """The last layer's sums to logits of one scale: ``golden.rescale``, int32."""

    multiplier: Int64Array
    shift: Int64Array

    def __call__(self, sums: Int32Array) -> Int32Array:
        return golden.rescale(sums, self.multiplier, self.shift).astype(np.int32)


@dataclass(frozen=True)
class IntegerMatrixLayer:
    """A convolution or fully connected layer on bytes.

    Its output is ``finish(products + bias)``, the products being those of the lowered input and the
    weights, in whatever arithmetic a network is given (:mod:`networks.quantization.arithmetic`).

    Parameters
    ----------
    name : str
    lowering : how the input becomes rows; padding is ``input_zero_point``
    weights : int8 (groups, K, N / groups), rows in the order of ``channel_order``
    bias : int32 (N,), which takes the zero point of the input into account
    finish : Requantization, WideRequantization before a normalization, Alignment in the last layer
    windowed : whether the products run in a window format; ``reason`` says why not, else is empty
    codes : uint8 (256,) or None: what the multiplier takes for each byte, in place of it
    channel_order : int64 (C,) or None: the input's channels are taken in this order
    steps : float64 (N,), what a unit of each sum stands for
    offset : float64 (N,), what is added to the products
    code_step : what a unit of ``codes`` stands for, in steps of the bytes
    """

    name: str
    lowering: Lowering
    weights: npt.NDArray[np.int8]
    bias: Int32Array
    input_zero_point: int
    finish: Requantization | WideRequantization | Alignment
    windowed: bool
    reason: str
    codes: Bytes | None
    channel_order: Int64Array | None
    steps: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    code_step: float = 1.0

    @property
    def groups(self) -> int:
        """Groups of a convolution, each a product of its own."""
        return int(self.weights.shape[0])

    @property
    def depth(self) -> int:
        """K, the length of the reduction."""
        return int(self.weights.shape[1])

    @property
    def width(self) -> int:
        """N, the number of outputs per row, of all groups together."""
        return int(self.weights.shape[0] * self.weights.shape[2])

    def operand(self, x: Bytes) -> Bytes:
        """``x`` as the multipliers take it: recoded, its channels in order; not yet lowered."""
        if self.codes is not None:
            x = self.codes[x]
        # Many times as fast as indexing.
        return x if self.channel_order is None else np.take(x, self.channel_order, axis=-1)

    @property
    def is_depthwise(self) -> bool:
        """Whether each output channel takes one input channel, of several."""
        return self.groups > 1 and self.lowering.depth(self.groups) == self.depth

    def biased(self, products: Int32Array) -> Int32Array:
        """``products`` (..., N) with the bias added, in their place."""
        # A row of pixels at a time: single pixels would make short inner loops.
        pixels = products.shape[-2] if products.ndim > 2 else 1
        rows = products.reshape(-1, pixels * self.width)
        rows += np.tile(self.bias, pixels)
        return products

    @property
    def fill(self) -> int:
        """What padding is to the multipliers."""
        return (
            self.input_zero_point if self.codes is None else int(self.codes[self.input_zero_point])
        )


def rows_in_order(weights: npt.NDArray[Any], order: Int64Array) -> npt.NDArray[Any]:
    """``weights`` (groups, K, N / groups) of channels in their own order, taken in ``order``."""
    groups, _, width = weights.shape
    taps = weights.reshape(groups, -1, len(order), width)
    return np.ascontiguousarray(taps[:, :, order].reshape(weights.shape))


@dataclass(frozen=True)
class Combine:
    """Weighted sum of bytes or wider integers, to such: addition, rescaling, scales of channels.

    ``requantization(sum(multiplier * value) + bias)``; multipliers and bias are int32, scalars or
    one per channel, or whatever broadcasts. So may the values.
    """

    multipliers: tuple[Int32Array, ...]
    bias: Int32Array
    requantization: Requantization | WideRequantization

    def __call__(self, *values: npt.NDArray[np.uint8 | np.int16 | np.int32]) -> Array:
        shape = np.broadcast_shapes(*(value.shape for value in values))
        result = np.empty(shape, self.requantization.dtype)
        # Few images at a time, whose sums stay in the cache.
        count = max(1, CACHED_ELEMENTS // max(1, result[:1].size))
        for top in range(0, len(result), count):
            total = np.broadcast_to(self.bias, result[top : top + count].shape).copy()
            for multiplier, value in zip(self.multipliers, values, strict=True):
                total += multiplier * value[top : top + count]
            result[top : top + count] = self.requantization(total)
        return result


@dataclass(frozen=True)
class IntegerAveragePool:
    """Sums under a patch, requantized; the sums themselves where ``requantization`` is None."""

    pool: AveragePool
    input_zero_point: int
    requantization: Requantization | None

    def __call__(self, x: Bytes) -> Bytes | Int32Array:
        taps = self.pool.patch.kernel[0] * self.pool.patch.kernel[1]
        sums = self.pool.sums(x, self.input_zero_point, np.int32)
        sums -= np.int32(self.input_zero_point * taps)
        return sums if self.requantization is None else self.requantization(sums)


@dataclass(frozen=True)
class LookUp:
    """A table for each byte: ``golden.look_up``; ``table`` is uint8 (256,) or (C, 256)."""

    table: Bytes

    def __call__(self, x: Bytes) -> Bytes:
        return golden.look_up(self.table, x)


@dataclass(frozen=True)
class Multiply:
    """Products of bytes, to bytes: ``golden.multiply``, requantized."""

    zero_points: tuple[int, int]
    requantization: Requantization

    def __call__(self, x: Bytes, y: Bytes) -> Bytes:
        return self.requantization(golden.multiply(x, y, *self.zero_points))


@dataclass(frozen=True)
class Divide:
    """Quotients of bytes, to bytes: ``golden.divide`` with these arguments."""

    zero_points: tuple[int, int]
    multiplier: int
    shift: int
    zero_point: int

    def __call__(self, x: Bytes, y: Bytes) -> Bytes:
        return golden.divide(x, y, *self.zero_points, self.multiplier, self.shift, self.zero_point)


@dataclass(frozen=True)
class MultiplyMatrices:
    """Products of two matrices of bytes, to bytes: ``golden.value_matmul``, requantized.

    The zero point of the second one is ``golden.format.SIGNED_ZERO_POINT``. The first is taken
    in windows of ``fmt``, and ``codes`` (256,) of its bytes, where these are not None.
    """

    zero_point: int
    requantization: Requantization
    fmt: golden.SparqFormat | None = None
    codes: Bytes | None = None

    def __call__(self, x: Bytes, y: Bytes) -> Bytes:
        sums = golden.value_matmul(self.operand(x), y, self.zero_point, self.fmt)
        return self.requantization(sums)

    def operand(self, x: Bytes) -> Bytes:
        """``x`` as the multipliers take it: recoded."""
        return x if self.codes is None else self.codes[x]


@dataclass(frozen=True)
class IntegerSoftmax:
    """``golden.softmax`` with these arguments."""

    exponentials: npt.NDArray[np.uint16]
    multiplier: int
    shift: int

    def __call__(self, x: Bytes, mask: Array | None = None) -> Bytes:
        return golden.softmax(x, self.exponentials, self.multiplier, self.shift, mask)


@dataclass(frozen=True)
class IntegerMaskedMean:
    """``golden.masked_mean`` with these arguments."""

    input_zero_point: int
    multiplier: int
    shift: int
    zero_point: int

    def __call__(self, x: Bytes, mask: Array) -> Bytes:
        return golden.masked_mean(
            x, mask, self.input_zero_point, self.multiplier, self.shift, self.zero_point
        )


@dataclass(frozen=True, eq=False)
class LookUpRow:
    """A row of ``table``, uint8 (rows, features), for each integer."""

    table: Bytes

    def __call__(self, x: Array) -> Bytes:
        return self.table[x]


@dataclass(frozen=True)
class IntegerNormalization:
    """``golden.normalize``, then a multiplication and an addition per feature, to bytes."""

    epsilon: int
    scale: Combine
    wide: bool = False

    def __call__(self, x: Array) -> Array:
        return self.scale(golden.normalize(x, self.epsilon, self.wide))


INTERPOLATION_BITS = 7
"""Of the weights of one axis."""


@dataclass(frozen=True)
class IntegerInterpolate:
    """Sums of two by two pixels by weights in 128ths, over 128 * 128, rounded half to even."""

    interpolate: Interpolate

    def __call__(self, x: Bytes) -> Bytes:
        one = 1 << INTERPOLATION_BITS
        rows, columns = (
            np.rint(taps.weight * one).astype(np.int32)
            for taps in (self.interpolate.rows, self.interpolate.columns)
        )
        sums = self.interpolate.sums(x.astype(np.int32), rows, columns, np.int32(one))
        return golden.requantize(sums, 1, 2 * INTERPOLATION_BITS)


IntegerOperation = (
    IntegerMatrixLayer
    | Combine
    | IntegerAveragePool
    | LookUp
    | Multiply
    | Divide
    | IntegerInterpolate
    | MultiplyMatrices
    | IntegerSoftmax
    | IntegerNormalization
    | IntegerMaskedMean
    | LookUpRow
    | Largest
    | Smallest
    | Concat
    | MaxPool
    | Rearrange
    | Slice
    | Pad
    | Take
    | Expand
    | Spread
)
