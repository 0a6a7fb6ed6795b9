"""Requantization of accumulators to the next layer's activations, in integers as in hardware."""

from dataclasses import dataclass
from math import frexp
from numbers import Real

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import ACTIVATION_MAX

MULTIPLIER_BITS = 15
MAX_SHIFT = 46


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


def requantize(
    accumulators: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike
) -> npt.NDArray[np.uint8]:
    """``clip(round_half_to_even(accumulators * multiplier / 2**shift), 0, 255)`` as uint8.

    ``accumulators``: int32 values (bias included), any shape; ``multiplier`` (0 to 2**15 - 1) and
    ``shift`` (0 to 46) broadcast against them, one per output channel as a rule. The product is
    exact in 47 bits; clipping at 0 is the ReLU. Raises ``ValueError``/``TypeError`` out of range.
    """
    values = checks.integers("accumulators", accumulators, -(2**31), 2**31 - 1).astype(np.int64)
    factors = checks.integers("multiplier", multiplier, 0, (1 << MULTIPLIER_BITS) - 1)
    shifts = checks.integers("shift", shift, 0, MAX_SHIFT).astype(np.int64)
    product = values * factors.astype(np.int64)
    quotient = product >> shifts
    remainder = product - (quotient << shifts)
    half = (np.int64(1) << shifts) >> 1
    odd = (quotient & 1) == 1
    quotient += (remainder > half) | ((remainder == half) & (shifts > 0) & odd)
    result: npt.NDArray[np.uint8] = np.clip(quotient, 0, ACTIVATION_MAX).astype(np.uint8)
    return result
