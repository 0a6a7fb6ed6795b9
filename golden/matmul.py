"""Exact integer matrix products at the speed of the floating-point library.

A float32 product is exact while every partial sum stays within 2**24, in whatever order the library
adds. Products of bytes and 8-bit weights are below 2**15, so a K of 514 is exact. For a larger one,
activations minus 128 have products of at most 2**14, so blocks of 1024 in K are exact; the 128 that
was taken away is given back per column, in integers. Signed activations, of at most 8 bits of
magnitude, are added in blocks of 514.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.checks import Array
from golden.format import ACTIVATION_BITS, ACTIVATION_MAX, SparqFormat
from golden.quantize import as_pairs, effective_rows, magnitudes_of, pair_table, with_signs
from golden.structured import blocks_of_four, select

OFFSET = 128
BLOCK = (1 << 24) // (OFFSET * 128)
"""Longest K whose centred products (at most 128 * 128 each) sum exactly in float32."""
PLAIN_BLOCK = (1 << 24) // (ACTIVATION_MAX * 128)
"""Longest K whose products (at most 255 * 128 each) do."""

INT32 = np.iinfo(np.int32)
_BLOCK_ELEMENTS = 1 << 18
_BLOCK_ROWS = 1024
"""Activations, and least number of rows, per call of the floating-point library: few enough for the
second-level cache, but enough rows to be worth its preparation of the weights."""
_CACHED_ELEMENTS = 1 << 16
"""Elements per element-wise step, few enough to stay in the second-level cache."""
_SHORT_ROW = 256
"""Rows below this make inner loops that are too short, where one row is added to many."""

_ANY_SIGNED = SparqFormat(ACTIVATION_BITS, (0,), signed=True)
"""Of whose activations none is changed."""

_workspace = threading.local()

Int32Array = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]


def exact_matmul(
    x: npt.ArrayLike, w: npt.ArrayLike, weight_bits: int = 8, signed: bool = False
) -> Int32Array:
    """``x @ w`` in exact integers: what an 8-bit array computes.

    Shapes, dtypes and errors as in :func:`sparq_matmul`; ``signed`` ones of ``x`` are integers from
    -255 to 255.
    """
    fmt = _ANY_SIGNED if signed else None
    activations, weights = checks.matmul_operands(x, w, weight_bits, fmt)
    return _blocked(activations, weights, _copy, signed)


def sparq_matmul(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    fmt: SparqFormat,
    weight_bits: int = 8,
    zero_point: int = 0,
) -> Int32Array:
    """``sparq(x, fmt) @ w`` in exact integers: what a SPARQ array computes.

    Parameters
    ----------
    x : integers from 0 to 255, shape (..., K)
        Activations, paired along K; an odd tail is paired with zero. Of a signed format as of
        :func:`golden.sparq`.
    w : signed integers of ``weight_bits`` bits, shape (K, N)
    fmt : SparqFormat
    weight_bits : int, 2 to 8
    zero_point : int, 0 to 255
        Of a signed format: what is subtracted from ``x`` first.

    Returns
    -------
    int32 array of shape (..., N), the true integer sums.

    Raises
    ------
    TypeError
        For dtypes that are not integers.
    ValueError
        For values out of range, shapes that do not match, K = 0.
    OverflowError
        If a sum does not fit int32.
    """
    checks.sparq_format(fmt)
    activations, weights = checks.matmul_operands(x, w, weight_bits, fmt, zero_point)
    given = np.asarray(x)
    if fmt.signed and fmt.group <= 2 and given.dtype.itemsize == 1:
        table = _float_pair_table(fmt, given.dtype.kind == "i", int(zero_point))
        return _looked_up_matmul(given.view(np.uint8), weights, table, int(zero_point), True)
    return _effective_matmul(activations, weights, fmt)


def _effective_matmul(
    activations: Array, weights: npt.NDArray[np.int8], fmt: SparqFormat
) -> Int32Array:
    """As :func:`sparq_matmul`, of operands that are checked."""
    if fmt.signed or fmt.group > 2:
        return _blocked(effective_rows(activations, fmt), weights, _copy, fmt.signed)
    return _looked_up_matmul(activations, weights, _float_pair_table(fmt), 0, False)


def _looked_up_matmul(
    x: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.int8],
    table: npt.NDArray[np.complex64],
    zero: int,
    signed: bool,
) -> Int32Array:
    """The product of what a :func:`_float_pair_table` makes of the bytes ``x``."""

    def effective(x: Array, out: FloatArray) -> None:
        words = as_pairs(x, zero).view(np.uint16)[..., 0]
        np.take(table, words, out=out.view(np.complex64), mode="clip")

    return _blocked(x, weights, effective, signed)


def sparq_matmul_2_4(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    fmt: SparqFormat,
    weight_bits: int = 8,
    zero_point: int = 0,
) -> Int32Array:
    """The product with 2:4 sparse weights, pairs formed after the selection (paper, section 4.3).

    Of each column's four consecutive weights along K at most two are non-zero; the two activations
    that meet them are a pair, for this column. With fewer than two, the missing partner counts as
    zero. Windows are shared by the selected activations. Arguments, result and errors as in
    :func:`sparq_matmul`; a block of four with over two non-zero weights is a ``ValueError`` with
    its position.
    """
    checks.sparq_format(fmt)
    activations, weights = checks.matmul_operands(x, w, weight_bits, fmt, zero_point)
    depth, columns = weights.shape
    in_blocks = blocks_of_four(weights)
    blocks = len(in_blocks)
    used = in_blocks != 0
    if not fmt.vsparq and fmt.group == 1:
        return _effective_matmul(activations, weights, fmt)
    if fmt.group > 2:
        return _selected_matmul(activations, weights, fmt)

    # An activation's value depends on its partner alone. So each one appears up to four times in a
    # longer, dense product: with each partner in its block, and with none; a column's weight stands
    # in the row of the partner that this column gives it.
    padded = np.zeros((*activations.shape[:-1], blocks * 4), activations.dtype)
    padded[..., :depth] = activations
    signed_members = padded.reshape(-1, blocks, 4)
    members = magnitudes_of(signed_members)
    # By activation and partner, which are read as one word.
    values_of = np.ascontiguousarray(pair_table(fmt)[:, 0])
    expanded_x, expanded_w = [], []
    for position in range(4):
        own = members[:, :, position].astype(np.uint16)
        for partner in range(4):
            if partner == position:
                others = [p for p in range(4) if p != position]
                selected = used[:, position] & ~used[:, others].any(axis=1)
                values = values_of[own]
            else:
                selected = used[:, position] & used[:, partner]
                values = values_of[own | members[:, :, partner].astype(np.uint16) << 8]
            rows = selected.any(axis=1)
            values = with_signs(values, signed_members[:, :, position])
            expanded_x.append(values[:, rows])
            expanded_w.append(np.where(selected, in_blocks[:, position], 0)[rows])
    long_x, long_w = np.concatenate(expanded_x, axis=1), np.concatenate(expanded_w, axis=0)
    if long_w.shape[0] == 0:
        return np.zeros((*activations.shape[:-1], columns), np.int32)
    sums = _blocked(long_x, long_w, _copy, fmt.signed, depth)
    return sums.reshape(*activations.shape[:-1], columns)


def _selected_matmul(
    activations: Array, weights: npt.NDArray[np.int8], fmt: SparqFormat
) -> Int32Array:
    """The 2:4 product column by column, for windows that are shared beyond a pair."""
    rows = activations.reshape(-1, activations.shape[-1])
    result = np.empty((len(rows), weights.shape[1]), np.int32)
    for column in range(weights.shape[1]):
        selected, values = select(rows, weights[:, column])
        result[:, column] = _effective_matmul(selected, values[:, np.newaxis], fmt)[:, 0]
    return result.reshape(*activations.shape[:-1], weights.shape[1])


def _blocked(
    x: Array,
    w: npt.NDArray[np.int8],
    effective: Callable[[Array, FloatArray], None],
    signed: bool,
    reported_depth: int | None = None,
) -> Int32Array:
    """The exact product of effective activations, unsigned or ``signed``, and ``w``.

    ``effective`` writes the effective activations of some rows into its second argument, whose rows
    are of even length. ``reported_depth`` is the caller's K, where it is not that of
    ``w``.
    """
    depth, columns = w.shape
    rows = x.reshape(-1, depth)
    fits_int32 = depth * ACTIVATION_MAX * OFFSET <= INT32.max
    total = np.empty((len(rows), columns), np.int32 if fits_int32 else np.int64)
    # Signed activations are centred as they are.
    centred = depth > PLAIN_BLOCK and not signed
    block_depth = PLAIN_BLOCK if signed else BLOCK
    for start in range(0, depth, block_depth):
        width = min(block_depth, depth - start)
        weights = _scratch("weights", (width, columns))
        np.copyto(weights, w[start : start + width])
        correction = (np.full(width, OFFSET, np.float32) @ weights).astype(total.dtype)
        step = min(len(rows), _CACHED_ELEMENTS // max(1, columns) + 1)
        corrections = np.broadcast_to(correction, (step, columns))
        if columns < _SHORT_ROW:
            corrections = np.ascontiguousarray(corrections)
        for block_rows in _row_slices(len(rows), width, max(_BLOCK_ELEMENTS, _BLOCK_ROWS * width)):
            block = rows[block_rows, start : start + width]
            values = _scratch("values", (len(block), width + width % 2))
            for part in _row_slices(len(block), width, _CACHED_ELEMENTS):
                effective(block[part], values[part])
                if centred:
                    values[part] -= OFFSET
            product = _scratch("product", (len(block), columns))
            np.matmul(values[:, :width], weights, out=product)
            for part in _row_slices(len(block), columns, _CACHED_ELEMENTS):
                sums = total[block_rows][part]
                if start == 0:
                    np.copyto(sums, product[part], casting="unsafe")
                else:
                    sums += product[part].astype(total.dtype)
                if centred:
                    sums += corrections[: len(sums)]
    if not fits_int32 and total.size and (total.min() < INT32.min or total.max() > INT32.max):
        outside = (total < INT32.min) | (total > INT32.max)
        row, column = np.unravel_index(int(outside.argmax()), total.shape)
        raise OverflowError(
            f"a sum must fit int32, not {total[row, column]} "
            f"(row {int(row)}, column {int(column)}, K = {reported_depth or depth})"
        )
    return total.astype(np.int32, copy=False).reshape(*x.shape[:-1], columns)


def _scratch(name: str, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """A float32 buffer of this thread, kept between calls: fresh pages cost more than the sums."""
    size = shape[0] * shape[1]
    buffer = getattr(_workspace, name, None)
    if buffer is None or buffer.size < size:
        buffer = np.empty(size, np.float32)
        setattr(_workspace, name, buffer)
    return buffer[:size].reshape(shape)


def _row_slices(rows: int, columns: int, elements: int) -> list[slice]:
    """Slices of a matrix's rows with about so many ``elements`` each."""
    step = max(1, elements // max(1, columns))
    return [slice(top, min(top + step, rows)) for top in range(0, rows, step)]


def _copy(x: Array, out: FloatArray) -> None:
    np.copyto(out[:, : x.shape[1]], x)


@lru_cache(maxsize=32)
def _float_pair_table(
    fmt: SparqFormat, signed_bytes: bool = False, zero_point: int = 0
) -> npt.NDArray[np.complex64]:
    """Both effective values of each pair of bytes, as the two halves of one 64-bit entry.

    Of a signed format the bytes are signed, or less their zero point; those that are no activations
    may have any value.
    """
    if not fmt.signed:
        return pair_table(fmt).astype(np.float32).view(np.complex64)[:, 0]
    every_byte = np.arange(1 << 8, dtype=np.uint8)
    values = every_byte.view(np.int8 if signed_bytes else np.uint8).astype(np.int16) - zero_point
    pairs = values[np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)]
    pairs = pairs.clip(-fmt.magnitude_max, fmt.magnitude_max)
    return effective_rows(pairs, fmt).astype(np.float32).view(np.complex64)[:, 0]
