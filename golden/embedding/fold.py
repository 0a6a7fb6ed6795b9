"""Codes of a table that meet weights: scale and bias of a row come after the product, exactly.

A row has the values ``scale * code + bias``, so its product with a column of weights is
``scale * (sum of code * weight) + bias * (sum of weights)``. The first sum is what an array
computes of the codes as activations; the second is known beforehand. Numbers of half precision are
multiples of ``2**-24``, so that all of it is an integer in that unit.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import ACTIVATION_MAX
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS

Int64Array = npt.NDArray[np.int64]

FRACTION_BITS = 24
"""Half precision has no bit below ``2**-24``."""
WIDE_BITS = 62 - MULTIPLIER_BITS
"""Bits of the magnitude of a sum that a multiplier still leaves exact."""


def in_fractions(values: npt.NDArray[np.float16]) -> Int64Array:
    """Numbers of half precision in units of ``2**-24``, exact."""
    halves = np.asarray(values)
    if halves.dtype != np.float16:
        raise TypeError(f"scales and biases must be float16, not {halves.dtype}")
    if not np.isfinite(halves).all():
        raise ValueError("scales and biases must be finite")
    scaled: Int64Array = np.ldexp(halves.astype(np.float64), FRACTION_BITS).astype(np.int64)
    return scaled


def fold(
    products: npt.NDArray[Any],
    scale: npt.NDArray[np.float16],
    bias: npt.NDArray[np.float16],
    column_sums: npt.NDArray[Any],
) -> Int64Array:
    """The products of the values of rows with weights, from those of their codes.

    ``products`` (M, N) int32: codes of row m times column n of the weights; ``scale`` and ``bias``
    (M,) float16 of the rows; ``column_sums`` (N,) int32 of the weights. Returns int64 (M, N) in
    units of ``2**-24`` of a weight's step. Raises ``OverflowError`` for sums beyond 47 bits.
    """
    factors, offsets = (in_fractions(each)[:, np.newaxis] for each in (scale, bias))
    sums = checks.integers("products", products, -(2**31), 2**31 - 1).astype(np.int64)
    totals = checks.integers("column_sums", column_sums, -(2**31), 2**31 - 1).astype(np.int64)
    # Beforehand in floating point, which does not wrap.
    largest = np.abs(factors).astype(np.float64) * np.abs(sums)
    largest += np.abs(offsets).astype(np.float64) * np.abs(totals)
    _require_narrow(largest)
    result: Int64Array = factors * sums + offsets * totals
    return result


def pool(
    codes: npt.NDArray[np.uint8],
    scale: npt.NDArray[np.float16],
    bias: npt.NDArray[np.float16],
    present: npt.NDArray[np.bool_],
) -> Int64Array:
    """The sum of the rows in each bag, int64 (M, width) in units of ``2**-24``.

    ``codes`` (M, L, width) and ``scale``, ``bias`` (M, L) of up to L rows; those count that are
    ``present`` (M, L).
    """
    factors, offsets = (
        np.where(present, in_fractions(each), 0)[..., np.newaxis] for each in (scale, bias)
    )
    result: Int64Array = (factors * codes.astype(np.int64) + offsets).sum(axis=1)
    return result


def requantize_wide(
    sums: npt.NDArray[Any],
    multiplier: npt.ArrayLike,
    shift: npt.ArrayLike,
) -> npt.NDArray[np.uint8]:
    """``clip(round_half_to_even(sums * multiplier / 2**shift), 0, 255)`` of wide sums, as uint8.

    As :func:`golden.requantize` with the ReLU, for int64 sums of up to 47 bits.
    """
    values = np.asarray(sums)
    if values.dtype != np.int64:
        raise TypeError(f"sums must be int64, not {values.dtype}")
    _require_narrow(np.abs(values).astype(np.float64))
    factor = checks.integers("multiplier", multiplier, 0, (1 << MULTIPLIER_BITS) - 1)
    places = checks.integers("shift", shift, 0, MAX_SHIFT).astype(np.int64)
    scaled = values * factor.astype(np.int64)
    whole = scaled >> places
    rest = scaled - (whole << places)
    half = (np.int64(1) << places) >> 1
    up = (rest > half) | ((rest == half) & (places > 0) & (whole & 1 == 1))
    result: npt.NDArray[np.uint8] = np.clip(whole + up, 0, ACTIVATION_MAX).astype(np.uint8)
    return result


def _require_narrow(magnitudes: npt.NDArray[np.float64]) -> None:
    largest = float(magnitudes.max(initial=0.0))
    if largest >= 2.0**WIDE_BITS:
        raise OverflowError(f"sums must be below 2**{WIDE_BITS}, not {largest:.6g}")
