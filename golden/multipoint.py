"""Weights of two points: two columns whose sums are combined by a shift and an addition."""

import numpy as np
import numpy.typing as npt

from golden import checks

MAX_COMBINE_SHIFT = 7
"""By how many bits the first point's sums can be shifted."""
SUM_BITS = 32
"""Of what leaves."""
MAX_ACC_BITS = SUM_BITS - MAX_COMBINE_SHIFT - 1
"""Of sums whose combination fits ``SUM_BITS``, whatever they are: it takes shift + 1 bits more."""


def limits_of_points(weight_bits: int, shift: int) -> tuple[int, int]:
    """The least and the largest weight that two of ``weight_bits``, signed, combine to.

    With ``shift`` up to ``weight_bits`` they combine to every integer between; of 4 bits shifted by
    4 that is -136 to 119, and -119 to 119 if no point is -8.
    """
    first = 1 << shift
    half = 1 << (weight_bits - 1)
    return -half * (first + 1), (half - 1) * (first + 1)


def points(
    weights: npt.ArrayLike, weight_bits: int, shift: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Two int8 arrays of signed integers of ``weight_bits`` bits, first and second.

    ``(first << shift) + second`` is ``weights``, exactly; no points of smaller magnitude are looked
    for. ``weight_bits`` is 2 to 8, ``shift`` 1 to ``min(weight_bits, 7)``. Raises ``ValueError``
    for a weight beyond :func:`limits_of_points`.
    """
    checks.weights(np.zeros(0, np.int8), weight_bits)
    most = min(int(weight_bits), MAX_COMBINE_SHIFT)
    step = int(checks.integers("shift", shift, 1, most))
    whole = checks.integers("weights", weights, *limits_of_points(weight_bits, step))
    whole = whole.astype(np.int32)
    half = 1 << (weight_bits - 1)
    # The nearest multiple; what is left over then fits a point.
    first = np.clip((whole + (1 << (step - 1))) >> step, -half, half - 1)
    return first.astype(np.int8), (whole - (first << step)).astype(np.int8)


def combine(sums: npt.ArrayLike, shifts: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """``sums`` (..., N) of columns, those of second points combined with their left neighbours'.

    ``shifts`` (N,), 0 to 7: of a column of which it is k above 0, the result is ``(left << k) +
    own``; of others the column's own sum, of first points too: who takes the results drops it.
    Columns combine in pairs: an even one has no left neighbour, and its shift must be 0. int32;
    ``ValueError`` for sums of more than ``MAX_ACC_BITS`` bits where any column combines, so that
    nothing can overflow.
    """
    steps = checks.integers("shifts", shifts, 0, MAX_COMBINE_SHIFT).astype(np.int32)
    bits = MAX_ACC_BITS if steps.any() else SUM_BITS
    own = checks.integers("sums", sums, -(1 << bits - 1), (1 << bits - 1) - 1).astype(np.int32)
    if steps.ndim != 1 or own.shape[-1:] != steps.shape:
        raise ValueError(
            f"shifts must be one for each of the {own.shape[-1]} columns, not of the shape "
            f"{steps.shape}"
        )
    if steps[::2].any():
        column = 2 * int(steps[::2].argmax())
        raise ValueError(
            f"shifts of even columns must be 0, not {steps[column]} of column {column}"
        )
    left = np.zeros_like(own)
    left[..., 1::2] = own[..., : own.shape[-1] // 2 * 2 : 2]
    return own + np.where(steps > 0, left << steps, 0)
