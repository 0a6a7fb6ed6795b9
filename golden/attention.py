"""What attention needs beside products with weights: products of values, softmax, normalization."""

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import ACTIVATION_MAX, SIGNED_ZERO_POINT, SparqFormat
from golden.quantize import sparq
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS

Int32Array = npt.NDArray[np.int32]

MAX_DEPTH = ((1 << 31) - 1) // (ACTIVATION_MAX * SIGNED_ZERO_POINT)
EXPONENTIAL_MAX = 65535
"""The largest entry of a table of exponentials, that of 0."""
NORMALIZED_BITS = 8
"""Fractional bits of normalized values."""
ROOT_BITS = 6
"""Fractional bits of a standard deviation, times the length of what it is of."""
MAX_NORMALIZED = 4096
"""Elements that are normalized together, at most."""
MAX_EPSILON = 1 << 38
WIDE_MAX = (1 << 15) - 1
"""The largest of the integers of 16 bits that a normalization may take."""
MAX_WIDE_EPSILON = 1 << 52
MAX_AVERAGED = 1 << 15
"""Elements that a masked mean is of, at most."""


def value_matmul(
    x: npt.ArrayLike, y: npt.ArrayLike, x_zero_point: int = 0, fmt: SparqFormat | None = None
) -> Int32Array:
    """The products (..., M, N) of bytes x (..., M, K) and y (..., K, N), of equal leading axes.

    ``y`` less ``SIGNED_ZERO_POINT`` are the weights, int8, of a product as :func:`exact_matmul`
    makes it; from it, ``x_zero_point`` times the sum of each column of weights is taken away. K is
    at most 65,793, so that sums fit an int32.

    With ``fmt``, ``x`` less its zero point is :func:`sparq` of it along K, in that format: from
    which magnitudes beyond the largest of the format saturate before.
    """
    first, second = checks.activations(x), checks.activations(y, "y")
    zero = int(checks.integers("x_zero_point", x_zero_point, 0, ACTIVATION_MAX))
    if (
        first.ndim < 2
        or first.shape[:-2] != second.shape[:-2]
        or first.shape[-1:] != (second.shape[-2:-1])
    ):
        raise ValueError(
            f"x (..., M, K) and y (..., K, N) must agree, not {first.shape} and {second.shape}"
        )
    depth = first.shape[-1]
    if depth > MAX_DEPTH:
        raise ValueError(f"K must be at most {MAX_DEPTH} for int32 sums, not {depth}")
    # Of integers below 2**53 the sums are exact, in whatever order.
    centred = first.astype(np.float64) - zero
    if fmt is not None:
        low, high = max(0, zero - fmt.magnitude_max), min(ACTIVATION_MAX, zero + fmt.magnitude_max)
        saturated = np.clip(first, np.uint8(low), np.uint8(high))
        centred = sparq(saturated, fmt, zero_point=zero).astype(np.float64)
    weights = second.astype(np.float64) - SIGNED_ZERO_POINT
    result: Int32Array = (centred @ weights).astype(np.int32)
    return result


def softmax(
    x: npt.ArrayLike,
    exponentials: npt.ArrayLike,
    multiplier: int,
    shift: int,
    mask: npt.ArrayLike | None = None,
) -> npt.NDArray[np.uint8]:
    """The softmax along the last axis of bytes ``x`` (..., K), as bytes that stand for 0 from 0.

    ``exponentials``, uint16 (256,), holds that of minus each difference from the largest element,
    in hardware a memory. With the entries e of a row and their sum S, elements are
    ``min(round_half_to_even(e * multiplier / (S * 2**shift)), 255)``, the quotient exact before it
    is rounded; ``multiplier`` has 15 bits, ``shift`` is from 0 to 46. S is an integer of 32 bits:
    K is at most 65,536.

    ``mask``, of integers 0 and 1, broadcasts against ``x``: where it is 0 an element counts
    nothing, neither as the largest nor in S, and its result is 0.
    """
    values = checks.activations(x)
    table = checks.integers("exponentials", exponentials, 0, EXPONENTIAL_MAX)
    factor = int(checks.integers("multiplier", multiplier, 0, (1 << MULTIPLIER_BITS) - 1))
    places = int(checks.integers("shift", shift, 0, MAX_SHIFT))
    if table.shape != (ACTIVATION_MAX + 1,) or table[0] == 0:
        raise ValueError("exponentials must have the shape (256,), the first not 0")
    if values.ndim < 1 or not 1 <= values.shape[-1] <= EXPONENTIAL_MAX + 1:
        raise ValueError(f"x must have the shape (..., K), K from 1 to 65536, not {values.shape}")
    if mask is None:
        entries = table[values.max(axis=-1, keepdims=True) - values].astype(np.float64)
    else:
        counts = _mask(mask, values.shape)
        largest = np.where(counts, values, 0).max(axis=-1, keepdims=True)
        # What the mask leaves out may lie above the largest; a byte wraps then.
        entries = np.where(counts, table[largest - values], 0).astype(np.float64)
    sums = np.maximum(entries.sum(axis=-1, keepdims=True), 1)
    # Of 31 bits by 32: far enough from a tie for the division's own rounding.
    quotient = np.rint(np.ldexp(entries * factor / sums, -places))
    result: npt.NDArray[np.uint8] = np.minimum(quotient, ACTIVATION_MAX).astype(np.uint8)
    return result


def masked_mean(
    x: npt.ArrayLike,
    mask: npt.ArrayLike,
    x_zero_point: int,
    multiplier: int,
    shift: int,
    zero_point: int = 0,
) -> npt.NDArray[np.uint8]:
    """The mean of those of the bytes ``x`` (..., M, C) where ``mask`` (..., M, 1) is 1, (..., C).

    With n the sum of ``x - x_zero_point`` where the mask is 1, not 0, and c how many these are:
    ``clip(round_half_to_even(n * multiplier / (c * 2**shift)) + zero_point, 0, 255)``, the quotient
    exact before it is rounded, and 0 where c is. ``multiplier`` has 15 bits, ``shift`` is from 0 to
    46, M at most 32,768.
    """
    values = checks.activations(x).astype(np.int64)
    source = int(checks.integers("x_zero_point", x_zero_point, 0, ACTIVATION_MAX))
    factor = int(checks.integers("multiplier", multiplier, 0, (1 << MULTIPLIER_BITS) - 1))
    places = int(checks.integers("shift", shift, 0, MAX_SHIFT))
    zero = int(checks.integers("zero_point", zero_point, 0, ACTIVATION_MAX))
    if values.ndim < 2 or not 1 <= values.shape[-2] <= MAX_AVERAGED:
        raise ValueError(
            f"x must have the shape (..., M, C), M from 1 to {MAX_AVERAGED}, not {values.shape}"
        )
    counts = _mask(mask, (*values.shape[:-1], 1))
    sums = ((values - source) * counts).sum(axis=-2)
    divisor = np.maximum(counts.sum(axis=-2, dtype=np.int64), 1) << places
    quotient, rest = np.divmod(sums * factor, divisor)
    quotient += (2 * rest > divisor) | ((2 * rest == divisor) & (quotient % 2 == 1))
    result: npt.NDArray[np.uint8] = np.clip(quotient + zero, 0, ACTIVATION_MAX).astype(np.uint8)
    return result


def _mask(mask: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """``mask``, of 0 and 1, which broadcasts to ``shape``."""
    values = checks.integers("mask", mask, 0, 1)
    try:
        counts: npt.NDArray[np.bool_] = np.broadcast_to(values != 0, shape)
    except ValueError:
        raise ValueError(f"mask must broadcast to {shape}, not be {values.shape}") from None
    return counts


def normalize(x: npt.ArrayLike, epsilon: int, wide: bool = False) -> Int32Array:
    """Bytes ``x`` (..., C) less their mean along the last axis, over their standard deviation.

    In integers: with the sum S of the elements and Q of their squares, ``T`` is the largest integer
    of at most ``sqrt((C * Q - S**2 + epsilon) * 2**12)``, and elements are
    ``round_half_to_even((C * x - S) * 2**14 / T)``, 0 where T is: numbers of 8 fractional bits, of
    16 bits at most. A zero point of ``x`` does not matter; ``epsilon`` (0 to 2**38) is in units of
    the square of a step over C. C is at most 4096.

    ``wide`` elements are integers of 16 bits (-32768 to 32767), for which ``T`` has no fraction:
    ``T`` is of the root of ``C * Q - S**2 + epsilon`` (``epsilon`` up to 2**52), and elements are
    ``round_half_to_even((C * x - S) * 2**8 / T)``.
    """
    low, high = (-WIDE_MAX - 1, WIDE_MAX) if wide else (0, ACTIVATION_MAX)
    fraction, most = (0, MAX_WIDE_EPSILON) if wide else (ROOT_BITS, MAX_EPSILON)
    values = checks.integers("x", x, low, high).astype(np.int64)
    extra = int(checks.integers("epsilon", epsilon, 0, most))
    count = values.shape[-1] if values.ndim else 0
    if not 1 <= count <= MAX_NORMALIZED:
        raise ValueError(
            f"x must have the shape (..., C), C from 1 to {MAX_NORMALIZED}, not {values.shape}"
        )
    sums = values.sum(axis=-1, keepdims=True)
    squares = (values * values).sum(axis=-1, keepdims=True)
    under = (count * squares - sums * sums + extra) << (2 * fraction)
    root = np.sqrt(under.astype(np.float64)).astype(np.int64)
    root -= root * root > under
    root += (root + 1) ** 2 <= under  # of more than 53 bits
    scaled = ((count * values - sums) << (fraction + NORMALIZED_BITS)).astype(np.float64)
    result: Int32Array = np.rint(scaled / np.maximum(root, 1)).astype(np.int32)
    return np.where(root == 0, np.int32(0), result)
