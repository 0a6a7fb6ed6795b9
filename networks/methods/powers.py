"""Powers of magnitudes that are the same to the bit on every machine."""

import numpy as np

from networks.fixed_point import Float64Array

PARTS = 8
"""Exponents are multiples of one over this, a power of two."""


def power(magnitudes: Float64Array, exponent: float) -> Float64Array:
    """``magnitudes ** exponent``, of numbers that are not negative.

    Of square roots and products, which IEEE 754 lets round in one way only. Raises ``ValueError``
    for an exponent that is not a multiple of 1 / ``PARTS``, or not positive.
    """
    count = exponent * PARTS
    if count != int(count) or count <= 0:
        raise ValueError(f"exponent must be a positive multiple of 1/{PARTS}, not {exponent}")
    base = magnitudes
    for _ in range(PARTS.bit_length() - 1):
        base = np.sqrt(base)
    result = np.ones_like(base)
    left = int(count)
    while left:
        if left & 1:
            result = result * base
        base = base * base
        left >>= 1
    return result
