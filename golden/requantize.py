"""Requantization of accumulators to the next layer's activations, in integers as in hardware."""

from dataclasses import dataclass
from math import frexp
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import ACTIVATION_MAX

MULTIPLIER_BITS = 15
MAX_SHIFT = 46
_CACHED_ELEMENTS = 1 << 15
"""Elements per step, few enough to stay in the first-level cache."""


@dataclass(frozen=True)
class FixedPointScale:
    """A positive real scale as ``multiplier / 2**shift``.

    ``multiplier`` is an unsigned integer of 15 bits with its top bit set (or 0: the scale is too
    small to matter), ``shift`` an integer from 0 to 46, so that a 32-bit accumulator times the
    multiplier fits 47 bits.
    """

    multiplier: int
    shift: int

    @classmethod
    def nearest(cls, scale: float) -> "FixedPointScale":
        """The nearest such number to ``scale``, which must be finite, at least 0, below 2**15."""
        if isinstance(scale, bool) or not isinstance(scale, Real):
            raise TypeError(f"scale must be a real number, not {scale!r}")
        if not 0 <= scale < 1 << MULTIPLIER_BITS:
            raise ValueError(f"scale must be from 0 to below {1 << MULTIPLIER_BITS}, not {scale}")
        mantissa, exponent = frexp(scale)
        multiplier = round(mantissa * (1 << MULTIPLIER_BITS))
        if multiplier == 1 << MULTIPLIER_BITS:
            multiplier, exponent = multiplier >> 1, exponent + 1
        shift = MULTIPLIER_BITS - exponent
        if multiplier == 0 or shift > MAX_SHIFT:
            return cls(0, 0)
        if shift < 0:
            return cls((1 << MULTIPLIER_BITS) - 1, 0)
        return cls(multiplier, shift)


def rescale(
    accumulators: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike
) -> npt.NDArray[np.int64]:
    """``round_half_to_even(accumulators * multiplier / 2**shift)`` as int64.

    ``accumulators``: int32 values, any shape; ``multiplier`` (0 to 2**15 - 1) and ``shift`` (0 to
    46) broadcast against them, one per output channel as a rule. Raises ``ValueError`` or
    ``TypeError`` for what is out of range.
    """
    values, factors = _operands(accumulators, multiplier, shift)
    return np.rint(values * factors).astype(np.int64)


def requantize(
    accumulators: npt.ArrayLike,
    multiplier: npt.ArrayLike,
    shift: npt.ArrayLike,
    zero_point: int = 0,
    low: npt.ArrayLike = 0,
    high: npt.ArrayLike = ACTIVATION_MAX,
) -> npt.NDArray[np.uint8]:
    """``clip(rescale(accumulators, multiplier, shift) + zero_point, low, high)`` as uint8.

    Arguments and errors as in :func:`rescale`; ``accumulators`` include the bias. ``zero_point`` (0
    to 255) is the byte that stands for 0. ``low`` and ``high`` (0 to 255) broadcast as
    ``multiplier`` does; ``ValueError`` where ``low`` is above ``high``. Where ``low`` is the zero
    point, clipping is the ReLU.
    """
    values, factors = _operands(accumulators, multiplier, shift)
    zero = int(checks.integers("zero_point", zero_point, 0, ACTIVATION_MAX))
    limits = _limits(low, high)
    shape = np.broadcast_shapes(values.shape, factors.shape, limits[0].shape)
    values, factors, lows, highs = (
        np.atleast_1d(np.broadcast_to(a, shape)) for a in (values, factors, *limits)
    )
    result = np.empty(values.shape, np.uint8)
    rows = min(max(1, _CACHED_ELEMENTS // max(1, values[:1].size)), len(values))
    scaled = np.empty((rows, *values.shape[1:]))
    same_for_all_rows = factors.strides[0] == 0
    if same_for_all_rows:
        factors = np.ascontiguousarray(factors[:rows])
    for top in range(0, len(values), max(1, rows)):
        count = min(rows, len(values) - top)
        part, first = scaled[:count], 0 if same_for_all_rows else top
        np.copyto(part, values[top : top + count])
        part *= factors[first : first + count]
        np.rint(part, out=part)
        if zero:
            part += zero
        if limits[0].ndim:
            np.clip(part, lows[top : top + count], highs[top : top + count], out=part)
        else:
            np.clip(part, int(limits[0]), int(limits[1]), out=part)
        np.copyto(result[top : top + count], part, casting="unsafe")
    return result.reshape(shape)


def _limits(low: npt.ArrayLike, high: npt.ArrayLike) -> list[npt.NDArray[Any]]:
    """Both limits, of one shape."""
    lows = checks.integers("low", low, 0, ACTIVATION_MAX)
    highs = checks.integers("high", high, 0, ACTIVATION_MAX)
    limits = np.broadcast_arrays(lows, highs)
    wrong = limits[0] > limits[1]
    if wrong.any():
        first, second = (limit[wrong][0] for limit in limits)
        raise ValueError(f"low must be at most high, not {first} where high is {second}")
    return list(limits)


def _operands(
    accumulators: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """The accumulators, and the factors.

    A float64 holds their product too, of 47 bits: what follows rounds once, half to even.
    """
    values = checks.integers("accumulators", accumulators, -(2**31), 2**31 - 1)
    return values, factors_of(multiplier, shift)


def factors_of(multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """``multiplier / 2**shift``, which a float64 holds exactly; errors as in :func:`rescale`."""
    factors = checks.integers("multiplier", multiplier, 0, (1 << MULTIPLIER_BITS) - 1)
    shifts = checks.integers("shift", shift, 0, MAX_SHIFT)
    return np.ldexp(factors.astype(np.float64), -shifts.astype(np.int32))
