"""What range of each row of a table its codes span."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]

BINS = 200
RATIO = 0.16
"""Of the greedy search, as Caffe2 and PyTorch have them."""


class Ranges(NamedTuple):
    """The lower and the upper end of each row, float64 (rows,)."""

    low: Float64Array
    high: Float64Array


def asymmetric(rows: Float64Array, bits: int) -> Ranges:
    """From the smallest to the largest value of each row of ``rows`` (rows, width)."""
    del bits
    return Ranges(rows.min(axis=1), rows.max(axis=1))


def symmetric(rows: Float64Array, bits: int) -> Ranges:
    """As far below 0 as above it: the largest magnitude of each row."""
    del bits
    largest = np.abs(rows).max(axis=1)
    return Ranges(-largest, largest)


def greedy(rows: Float64Array, bits: int, bins: int = BINS, ratio: float = RATIO) -> Ranges:
    """The greedy range search (Guan et al., 2019; Caffe2's ``param_search_greedy``), row by row.

    It starts from :func:`asymmetric` and moves, in steps of the range over ``bins``, whichever end
    leaves the smaller L2 error, until the range is ``1 - ratio`` of what it was or less. The result
    is the best of the places where either move makes it worse; the start where there is none, or
    where they are worse. ``bins`` is at least 1, ``ratio`` from 0 to 1.
    """
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"bins must be an integer of at least 1, not {bins!r}")
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must be from 0 to 1, not {ratio}")
    start = asymmetric(rows, bits)
    low, high = (end.copy() for end in start)
    step = (high - low) / bins
    least = bins * (1 - ratio) * step
    loss = squared_error(rows, Ranges(low, high), bits)
    best_low, best_high, best = low.copy(), high.copy(), loss.copy()
    active = low + least < high
    while active.any():
        at = np.flatnonzero(active)
        own, down, up = rows[at], low[at], high[at]
        raised = squared_error(own, Ranges(down + step[at], up), bits)
        lowered = squared_error(own, Ranges(down, up - step[at]), bits)
        optimal = (loss[at] < raised) & (loss[at] < lowered) & (loss[at] < best[at])
        found = at[optimal]
        best_low[found], best_high[found], best[found] = low[found], high[found], loss[found]
        raise_low = raised < lowered
        low[at] = np.where(raise_low, down + step[at], down)
        high[at] = np.where(raise_low, up, up - step[at])
        loss[at] = np.minimum(raised, lowered)
        active[at] = low[at] + least[at] < high[at]
    return Ranges(best_low, best_high)


class Codes(NamedTuple):
    """Codes (rows, width), and what row ``r`` makes of code c: ``scale[r] * c + bias[r]``."""

    codes: npt.NDArray[np.uint8]
    scale: npt.NDArray[np.float16]
    bias: npt.NDArray[np.float16]


def quantize_rows(rows: Float64Array, ranges: Ranges, bits: int) -> Codes:
    """The nearest codes of ``bits`` bits, half to even, as FBGEMM makes them of a range.

    The lower end is rounded to half precision first; the scale is what then spans the range, or 1
    where that is 0.
    """
    bias = ranges.low.astype(np.float16)
    wide = bias.astype(np.float64)
    top = (1 << bits) - 1
    scale = ((ranges.high - wide) / top).astype(np.float16)
    scale = np.where(scale == 0, np.float16(1), scale)
    codes = np.rint((rows - wide[:, np.newaxis]) / scale.astype(np.float64)[:, np.newaxis])
    return Codes(np.clip(codes, 0, top).astype(np.uint8), scale, bias)


def squared_error(rows: Float64Array, ranges: Ranges, bits: int) -> Float64Array:
    """The squared error of each row, quantized in a range."""
    codes, scale, bias = quantize_rows(rows, ranges, bits)
    values = codes * scale.astype(np.float64)[:, np.newaxis]
    values += bias.astype(np.float64)[:, np.newaxis]
    error: Float64Array = np.square(values - rows).sum(axis=1)
    return error


ROW_RANGES: Mapping[str, Callable[..., Ranges]] = {
    "symmetric": symmetric,
    "asymmetric": asymmetric,
    "greedy": greedy,
}
"""The searches by name; each takes rows, bits and, of the greedy one, ``bins`` and ``ratio``."""


def checked_values(values: npt.ArrayLike) -> Float64Array:
    """``values`` as float64, checked to be a table that half precision can hold."""
    table: npt.NDArray[Any] = np.asarray(values)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"values must have the shape (rows, width), not {table.shape}")
    if table.dtype.kind != "f":
        raise TypeError(f"values must be floating-point numbers, not {table.dtype}")
    largest = float(np.finfo(np.float16).max)
    wrong = ~(np.abs(table) <= largest)
    if wrong.any():
        row, column = (int(index[0]) for index in np.nonzero(wrong))
        raise ValueError(
            f"values must be finite, of magnitudes up to {largest:g}, "
            f"not {table[row, column]} (at index [{row}, {column}])"
        )
    return table.astype(np.float64)


def checked_bits(bits: int) -> int:
    """``bits``, checked to be one that bytes hold a whole number of."""
    if bits not in (2, 4, 8) or isinstance(bits, bool):
        raise ValueError(f"bits must be 2, 4 or 8, not {bits!r}")
    return bits
