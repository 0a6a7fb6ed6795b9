"""The fixed point that makes sums and matrix products the same on every machine."""

from typing import Any

import numpy as np
import numpy.typing as npt

FIXED_POINT_BITS = 16

Float64Array = npt.NDArray[np.float64]


def to_fixed_point(values: npt.NDArray[Any]) -> Float64Array:
    """``values`` rounded to ``FIXED_POINT_BITS`` bits below their largest magnitude, as float64.

    All results are multiples of one power of two and at most ``2**FIXED_POINT_BITS`` times it. A
    sum of up to 2**21 products of two such values therefore fits the 53 bits of a float64: sums and
    matrix products are exact, and do not depend on the order in which a library, a vector unit or a
    number of threads adds. Rounding itself is IEEE arithmetic element by element, the same
    everywhere.
    """
    array = values.astype(np.float64, copy=False)
    _, exponent = np.frexp(max(array.max(initial=0.0), -array.min(initial=0.0)))
    # Multiplying by a power of two is exact, so only rint rounds.
    rounded: Float64Array = array * np.ldexp(1.0, FIXED_POINT_BITS - exponent)
    np.rint(rounded, out=rounded)
    rounded *= np.ldexp(1.0, exponent - FIXED_POINT_BITS)
    return rounded
