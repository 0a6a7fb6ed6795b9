"""Products and quotients of bytes, element by element."""

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import ACTIVATION_MAX
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS


def multiply(
    x: npt.ArrayLike, y: npt.ArrayLike, x_zero_point: int = 0, y_zero_point: int = 0
) -> npt.NDArray[np.int32]:
    """``(x - x_zero_point) * (y - y_zero_point)`` as int32, for bytes of shapes that broadcast.

    A signed product of 9 bits by 9; :func:`golden.requantize` makes bytes of it.
    """
    return _signed(x, x_zero_point, "x") * _signed(y, y_zero_point, "y")


def divide(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    x_zero_point: int,
    y_zero_point: int,
    multiplier: int,
    shift: int,
    zero_point: int = 0,
) -> npt.NDArray[np.uint8]:
    """The quotient of bytes as bytes, of shapes that broadcast.

    With ``n = (x - x_zero_point) * multiplier`` and ``d = (y - y_zero_point) * 2**shift``:
    ``clip(round_half_to_even(n / d) + zero_point, 0, 255)``, the quotient exact before it is
    rounded. Where d is 0, the result is that of an n / d without end: 0 or 255 by the sign of n,
    and ``zero_point`` where n is 0 too. ``multiplier`` has 15 bits, ``shift`` is from 0 to 46.
    """
    factor = int(checks.integers("multiplier", multiplier, 0, (1 << MULTIPLIER_BITS) - 1))
    places = int(checks.integers("shift", shift, 0, MAX_SHIFT))
    zero = int(checks.integers("zero_point", zero_point, 0, ACTIVATION_MAX))
    numerator = _signed(x, x_zero_point, "x").astype(np.float64) * factor
    divisor = _signed(y, y_zero_point, "y").astype(np.float64)
    # A quotient of 23 bits by 8 that is no tie differs from one by 2**-25 of itself at least, so
    # the division's own rounding, to 53 bits, does not change what rint makes of it.
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.rint(np.ldexp(numerator / divisor, -places))
    infinite = np.copysign(np.inf, numerator)
    quotient = np.where(divisor == 0, np.where(numerator == 0, 0.0, infinite), quotient)
    result: npt.NDArray[np.uint8] = np.clip(quotient + zero, 0, ACTIVATION_MAX).astype(np.uint8)
    return result


def _signed(values: npt.ArrayLike, zero_point: int, name: str) -> npt.NDArray[np.int32]:
    zero = checks.integers(f"{name}_zero_point", zero_point, 0, ACTIVATION_MAX)
    result: npt.NDArray[np.int32] = checks.activations(values, name).astype(np.int32) - np.int32(
        zero
    )
    return result
