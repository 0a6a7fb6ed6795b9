"""Argument checks that every public function of the golden model shares."""

from typing import Any

import numpy as np
import numpy.typing as npt

from golden.format import ACTIVATION_MAX, SparqFormat

Array = npt.NDArray[Any]


def integers(name: str, values: npt.ArrayLike, low: int, high: int) -> Array:
    """``values`` as an integer array, every element from ``low`` to ``high``.

    Raises ``TypeError`` for any dtype that is not an integer one (floats, NaN and bool among them)
    and ``ValueError`` for the first value out of range, with its position.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size:
        first = array.flat[0]
        raise TypeError(
            f"{name} must be integers from {low} to {high}, not {array.dtype} (first value {first})"
        )
    info = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
    if array.size and info and (info.min < low or info.max > high):
        outside = (array < low) | (array > high)
        if outside.any():
            position = np.unravel_index(int(outside.argmax()), array.shape)
            where = ", ".join(str(int(index)) for index in position)
            raise ValueError(
                f"{name} must be integers from {low} to {high}, "
                f"not {array[position]} (at index [{where}])"
            )
    return array


def activations(values: npt.ArrayLike, name: str = "x") -> npt.NDArray[np.uint8]:
    """``values`` as uint8, checked to be integers from 0 to 255."""
    return integers(name, values, 0, ACTIVATION_MAX).astype(np.uint8, copy=False)


def activations_of(
    values: npt.ArrayLike, fmt: SparqFormat, zero_point: int = 0, name: str = "x"
) -> Array:
    """``values`` less their ``zero_point``, checked to be activations of a format.

    uint8, from 0 to 255 with a zero point of 0; of a signed format int16, whose magnitudes are at
    most ``fmt.magnitude_max``, with a zero point from 0 to 255.
    """
    allowed = f"an integer from 0 to {ACTIVATION_MAX}" if fmt.signed else "0 of an unsigned format"
    if isinstance(zero_point, bool) or not isinstance(zero_point, int | np.integer):
        raise TypeError(f"zero_point must be {allowed}, not {zero_point!r}")
    if not 0 <= zero_point <= (ACTIVATION_MAX if fmt.signed else 0):
        raise ValueError(f"zero_point must be {allowed}, not {zero_point}")
    if not fmt.signed:
        return activations(values, name)
    low, high = int(zero_point) - fmt.magnitude_max, int(zero_point) + fmt.magnitude_max
    return integers(name, values, low, high).astype(np.int16) - np.int16(zero_point)


def weights(values: npt.ArrayLike, weight_bits: int, name: str = "w") -> npt.NDArray[np.int8]:
    """``values`` as int8, checked to be signed integers of ``weight_bits`` bits."""
    if isinstance(weight_bits, bool) or not isinstance(weight_bits, int | np.integer):
        raise TypeError(f"weight_bits must be an integer from 2 to 8, not {weight_bits!r}")
    if not 2 <= weight_bits <= 8:
        raise ValueError(f"weight_bits must be an integer from 2 to 8, not {weight_bits}")
    half = 1 << (int(weight_bits) - 1)
    return integers(name, values, -half, half - 1).astype(np.int8, copy=False)


def sparq_format(fmt: object) -> SparqFormat:
    """``fmt`` itself, checked to be a :class:`SparqFormat`."""
    if not isinstance(fmt, SparqFormat):
        raise TypeError(f"fmt must be a SparqFormat, not {fmt!r}")
    return fmt


def matmul_operands(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    weight_bits: int,
    fmt: SparqFormat | None = None,
    zero_point: int = 0,
) -> tuple[Array, npt.NDArray[np.int8]]:
    """``x`` (..., K) and ``w`` (K, N) as int8, with shapes that match and K at least 1.

    ``x`` as :func:`activations_of` a format, or without one as :func:`activations`.
    """
    activation = activations(x) if fmt is None else activations_of(x, fmt, zero_point)
    weight = weights(w, weight_bits)
    if activation.ndim < 1:
        raise ValueError(f"x must have the shape (..., K), not {activation.shape}")
    if weight.ndim != 2:
        raise ValueError(f"w must have the shape (K, N), not {weight.shape}")
    if activation.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"x (..., K) and w (K, N) must agree in K, not {activation.shape} and {weight.shape}"
        )
    if weight.shape[0] == 0:
        raise ValueError(
            f"K must be at least 1, not 0 (x is {activation.shape}, w is {weight.shape})"
        )
    return activation, weight
