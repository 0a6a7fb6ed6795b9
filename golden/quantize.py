"""Run-time quantization of activations: bSPARQ of every value, vSPARQ of every pair."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.checks import Array
from golden.format import ACTIVATION_BITS, SparqFormat

VALUES = 1 << ACTIVATION_BITS
_CACHED_WORDS = 1 << 14
"""Pairs per look-up, few enough to stay in the first-level cache."""


class WindowTable(NamedTuple):
    """What becomes of each of the 256 magnitudes: ``value = window << shift``.

    Unsigned activations are magnitudes. Of those beyond a format's largest it may say anything.
    """

    window: npt.NDArray[np.uint8]
    shift: npt.NDArray[np.uint8]

    @property
    def value(self) -> npt.NDArray[np.uint8]:
        """The windowed activations, back at their place."""
        return self.window << self.shift


def _window_table(fmt: SparqFormat, bits: int, placements: tuple[int, ...]) -> WindowTable:
    value = np.arange(VALUES, dtype=np.int64)
    thresholds = [1 << (bits + shift) for shift in placements[:-1]]
    shift = np.array(placements)[np.searchsorted(thresholds, value, side="right")]
    return _placed(fmt, bits, shift)


def _placed(fmt: SparqFormat, bits: int, shift: npt.NDArray[np.int64]) -> WindowTable:
    """The windows of ``bits`` bits of all magnitudes, each at its ``shift``."""
    value = np.arange(VALUES, dtype=np.int64)
    window = value >> shift
    if fmt.rounding:
        remainder = value - (window << shift)
        half = (1 << shift) >> 1
        window += (remainder > half) | ((remainder == half) & (shift > 0) & (window & 1 == 1))
        # The window never moves after rounding: it saturates, within its bits and the magnitude's.
        window = np.minimum(window, np.minimum((1 << bits) - 1, fmt.magnitude_max >> shift))
    return WindowTable(window.astype(np.uint8), shift.astype(np.uint8))


@lru_cache(maxsize=64)
def lane_table(fmt: SparqFormat) -> WindowTable:
    """The window of one lane (``fmt.window_bits`` bits) for each activation."""
    return _window_table(fmt, fmt.window_bits, fmt.placements)


@lru_cache(maxsize=64)
def wide_table(fmt: SparqFormat) -> WindowTable:
    """The double window, of both lanes together, for each activation with a zero partner."""
    return _window_table(fmt, 2 * fmt.window_bits, fmt.wide_placements)


@lru_cache(maxsize=64)
def placed_table(fmt: SparqFormat, shift: int) -> WindowTable:
    """The window of one lane at ``shift``, for each activation (those that fit into it)."""
    return _placed(fmt, fmt.window_bits, np.full(VALUES, shift, np.int64))


class SharedWindows(NamedTuple):
    """How the activations of some pairs share windows; all of the pairs' shape (..., P, 2)."""

    alone: npt.NDArray[np.bool_]
    """Whether an activation uses both lanes, its partner being zero."""
    shift: npt.NDArray[np.uint8]
    """The shift of its group, for one that does not."""


def shared_windows(pairs: npt.NDArray[np.uint8], fmt: SparqFormat) -> SharedWindows:
    """The windows of magnitudes (..., P, 2), uint8, in groups that are filled with zeros."""
    length = 2 * pairs.shape[-2]
    counted = pairs.reshape(*pairs.shape[:-2], length)
    alone = np.zeros(pairs.shape, bool)
    if fmt.vsparq:
        np.equal(pairs[..., ::-1], 0, out=alone)
        counted = np.where(alone.reshape(counted.shape), np.uint8(0), counted)
    groups = -(-length // fmt.group)
    if length % fmt.group:
        missing = [(0, 0)] * (counted.ndim - 1) + [(0, groups * fmt.group - length)]
        counted = np.pad(counted, missing)
    # The OR of values needs the window that the largest of them needs.
    together = counted
    while together.shape[-1] > groups:
        together = together[..., ::2] | together[..., 1::2]
    shift = np.repeat(lane_table(fmt).shift[together], fmt.group, axis=-1)[..., :length]
    return SharedWindows(alone, shift.reshape(pairs.shape))


def _shared_values(pairs: npt.NDArray[np.uint8], fmt: SparqFormat) -> npt.NDArray[np.uint8]:
    """Effective magnitudes of ``pairs`` (..., P, 2) in a format with shared windows."""
    tables = np.zeros((ACTIVATION_BITS + 1, VALUES), np.uint8)
    for placement in fmt.placements:
        tables[placement] = placed_table(fmt, placement).value
    tables[ACTIVATION_BITS] = wide_table(fmt).value
    rows = pairs.reshape(-1, *pairs.shape[-2:])
    values = np.empty_like(rows)
    count = max(1, _CACHED_WORDS // max(1, pairs.shape[-2]))
    for top in range(0, len(rows), count):
        part = rows[top : top + count]
        alone, shift = shared_windows(part, fmt)
        index = np.where(alone, ACTIVATION_BITS, shift).astype(np.uint16)
        index <<= ACTIVATION_BITS
        index |= part
        np.take(tables.reshape(-1), index, out=values[top : top + count], mode="clip")
    return values.reshape(pairs.shape)


@lru_cache(maxsize=32)
def pair_table(fmt: SparqFormat) -> npt.NDArray[np.uint8]:
    """Effective magnitudes of each pair, shape (65536, 2): its two bytes read as one uint16.

    ``fmt.group`` must be at most 2: larger groups look beyond the pair.
    """
    pairs = np.arange(VALUES * VALUES, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    if fmt.group > 1:
        return _shared_values(pairs[:, np.newaxis], fmt)[:, 0]
    values = lane_table(fmt).value[pairs]
    if fmt.vsparq:
        partner_is_zero = pairs[:, ::-1] == 0
        values = np.where(partner_is_zero, wide_table(fmt).value[pairs], values)
    return values


def magnitudes_of(activations: Array) -> npt.NDArray[np.uint8]:
    """Magnitudes of activations; those of unsigned ones are the activations."""
    if activations.dtype.kind == "u":
        return activations
    return np.abs(activations).astype(np.uint8)


def with_signs(magnitudes: npt.NDArray[np.uint8], activations: Array) -> Array:
    """``magnitudes``, int16 with the signs of as many signed ``activations``, or as they are."""
    if activations.dtype.kind == "u":
        return magnitudes
    values = magnitudes.astype(np.int16)
    # All ones where negative: -x is the complement of x, plus 1. Faster than a choice of two.
    negative = -np.asarray(activations < 0).astype(np.int16)
    result: Array = np.asarray((values ^ negative) - negative)
    return result


def as_pairs(x: Array, filler: int = 0) -> Array:
    """``x`` (..., K) as contiguous pairs (..., ceil(K/2), 2).

    An odd tail is paired with ``filler``: 0, or the byte that stands for 0.
    """
    if x.shape[-1] % 2:
        x = np.concatenate([x, np.full_like(x[..., :1], filler)], axis=-1)
    return np.ascontiguousarray(x).reshape(*x.shape[:-1], x.shape[-1] // 2, 2)


def low_bits(x: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint8]:
    """The low ``bits`` bits of every element: what a lane without a window multiplies.

    A 2x4x8 element takes the low four of each byte (uniform A4W8), one of 8 bits takes all. ``x``:
    integers from 0 to 255, any shape; ``bits``: 1 to 8. Returns uint8 of the same shape.
    """
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer):
        raise TypeError(f"bits must be an integer from 1 to {ACTIVATION_BITS}, not {bits!r}")
    if not 1 <= bits <= ACTIVATION_BITS:
        raise ValueError(f"bits must be an integer from 1 to {ACTIVATION_BITS}, not {bits}")
    return checks.activations(x) & np.uint8((1 << bits) - 1)


def trim(x: npt.ArrayLike, fmt: SparqFormat, zero_point: int = 0) -> Array:
    """bSPARQ of every element, each on its own (paper, section 3.1).

    ``x``: integers from 0 to 255, any shape and integer dtype. Returns uint8 of the same shape, the
    windowed values shifted back to their place; rounded or trimmed as ``fmt`` says. Of a signed
    format ``x`` and ``zero_point`` are those of :func:`sparq`, and the result is int16.
    """
    checks.sparq_format(fmt)
    activations = checks.activations_of(x, fmt, zero_point)
    return with_signs(lane_table(fmt).value[magnitudes_of(activations)], activations)


def sparq(x: npt.ArrayLike, fmt: SparqFormat, axis: int = -1, zero_point: int = 0) -> Array:
    """Effective activations after pairing neighbours along ``axis`` (paper, section 3.2).

    ``x``: integers from 0 to 255. An odd tail is paired with zero. Returns uint8 of the same shape.
    Of a signed format ``x`` are integers of which each less ``zero_point`` (from 0 to 255) is an
    activation: its magnitude at most ``fmt.magnitude_max``. So signed bytes have a zero point of 0,
    affine ones their own; the result, without zero point, is int16. Raises ``ValueError`` if
    ``axis`` does not exist or has no elements.
    """
    checks.sparq_format(fmt)
    activations = checks.activations_of(x, fmt, zero_point)
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise TypeError(f"axis must be an integer, not {axis!r}")
    if not -activations.ndim <= axis < activations.ndim:
        raise ValueError(f"axis {axis} does not exist in an array of shape {activations.shape}")
    if activations.shape[axis] == 0:
        raise ValueError(f"K must be at least 1, not 0 (axis {axis} of shape {activations.shape})")
    moved = np.moveaxis(activations, axis, -1)
    return np.ascontiguousarray(np.moveaxis(effective_rows(moved, fmt), -1, axis))


def effective_rows(activations: Array, fmt: SparqFormat) -> Array:
    """As :func:`sparq` along the last axis, of activations that are checked."""
    pairs = as_pairs(magnitudes_of(activations))
    length = activations.shape[-1]
    padded = (*activations.shape[:-1], length + length % 2)
    if fmt.group > 2:
        values = _shared_values(pairs, fmt).reshape(padded)
    else:
        values = _paired_values(pairs, fmt).reshape(padded)
    return with_signs(values[..., :length], activations)


def _paired_values(pairs: npt.NDArray[np.uint8], fmt: SparqFormat) -> npt.NDArray[np.uint8]:
    """Effective magnitudes of ``pairs`` (..., P, 2) in a format whose windows stay in the pair."""
    words = pairs.view(np.uint16).reshape(-1)
    effective = np.empty_like(words)
    table = pair_table(fmt).view(np.uint16)[:, 0]
    for start in range(0, len(words), _CACHED_WORDS):
        part = slice(start, start + _CACHED_WORDS)
        np.take(table, words[part], out=effective[part], mode="clip")
    return effective.view(np.uint8)
