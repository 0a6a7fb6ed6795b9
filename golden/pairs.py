"""The pair encoding that travels through the hardware: lanes, ShiftCtrl and MuxCtrl."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import ACTIVATION_BITS, SparqFormat
from golden.quantize import (
    VALUES,
    as_pairs,
    lane_table,
    placed_table,
    shared_windows,
    wide_table,
)


class EncodedPairs(NamedTuple):
    """Pairs as the hardware carries them; each array is uint8 of shape (..., P, 2), lane last.

    The pair contributes the sum over its lanes of
    ``(x * weight[mux_ctrl]) << fmt.lane_shifts[shift_ctrl]``.
    """

    x: npt.NDArray[np.uint8]
    shift_ctrl: npt.NDArray[np.uint8]
    mux_ctrl: npt.NDArray[np.uint8]


def encode_pairs(x: npt.ArrayLike, fmt: SparqFormat) -> EncodedPairs:
    """Encode activations ``x`` (..., K), integers from 0 to 255, as ceil(K/2) pairs.

    Both non-zero (or vSPARQ off): lane 0 carries the first, lane 1 the second, each in its own
    window. One is zero: lane 0 carries the high and lane 1 the low bits of the other's double
    window, and both lanes select the other's weight. Both zero: as if the first were the other.
    With shared windows, "its own window" stands at the shift of its group.
    """
    checks.sparq_format(fmt)
    activations = checks.activations(x)
    if activations.ndim < 1 or activations.shape[-1] == 0:
        raise ValueError(
            f"x must have the shape (..., K) with K at least 1, not {activations.shape}"
        )
    pairs = as_pairs(activations)
    if fmt.group > 1:
        shifts = shared_windows(pairs, fmt).shift
        windows = np.zeros((ACTIVATION_BITS, VALUES), np.uint8)
        for placement in fmt.placements:
            windows[placement] = placed_table(fmt, placement).window
        lanes = windows[shifts, pairs]
    else:
        own = lane_table(fmt)
        lanes, shifts = own.window[pairs], own.shift[pairs]
    mux_ctrl = np.broadcast_to(np.array([0, 1], np.uint8), pairs.shape).copy()
    if fmt.vsparq:
        is_zero = pairs == 0
        alone = is_zero.any(axis=-1)
        value = pairs[alone].max(axis=-1)
        wide = wide_table(fmt)
        window, placement = wide.window[value].astype(np.uint16), wide.shift[value]
        high_shift = np.array([fmt.high_lane_shift(s) for s in range(8)], np.uint8)[placement]
        lanes[alone] = np.stack(
            [window >> fmt.window_bits, window & ((1 << fmt.window_bits) - 1)], axis=-1
        )
        shifts[alone] = np.stack([high_shift, placement], axis=-1)
        mux_ctrl[alone] = (is_zero[..., 0] & ~is_zero[..., 1])[alone, np.newaxis]
    shift_ctrl = np.searchsorted(fmt.lane_shifts, shifts).astype(np.uint8)
    return EncodedPairs(lanes, shift_ctrl, mux_ctrl)


def decode_pairs(encoded: EncodedPairs, fmt: SparqFormat) -> npt.NDArray[np.uint8]:
    """The effective activations (..., 2P) that the encoded pairs stand for, as uint8.

    The inverse of :func:`encode_pairs` up to quantization:
    ``decode_pairs(encode_pairs(x, fmt), fmt)`` equals ``sparq(x, fmt)`` (with the odd tail's zero).
    Raises ``ValueError`` for arrays that are not (..., P, 2) or fields that ``fmt`` does not have.
    """
    checks.sparq_format(fmt)
    x, shift_ctrl, mux_ctrl = _fields(encoded, fmt)
    lane_values = x.astype(np.uint16) << np.array(fmt.lane_shifts, np.uint16)[shift_ctrl]
    first = np.where(mux_ctrl == 0, lane_values, 0).sum(axis=-1)
    second = np.where(mux_ctrl == 1, lane_values, 0).sum(axis=-1)
    values = checks.activations(np.stack([first, second], axis=-1), "decoded activations")
    return values.reshape(*x.shape[:-2], 2 * x.shape[-2])


def pack_pairs(encoded: EncodedPairs, fmt: SparqFormat) -> npt.NDArray[np.uint32]:
    """Encoded pairs as the words the hardware uses (``fmt.pair_layout``), uint32 (..., P)."""
    checks.sparq_format(fmt)
    x, shift_ctrl, mux_ctrl = _fields(encoded, fmt)
    arrays = dict(zip(("x", "shift", "mux"), (x, shift_ctrl, mux_ctrl), strict=True))
    words = np.zeros(x.shape[:-1], np.uint32)
    offset = 0
    for name, width in fmt.pair_layout:
        field, lanes = _lanes(name)
        words |= arrays[field][..., lanes[0]].astype(np.uint32) << np.uint32(offset)
        offset += width
    return words


def unpack_pairs(words: npt.ArrayLike, fmt: SparqFormat) -> EncodedPairs:
    """The inverse of :func:`pack_pairs`: words (..., P) of ``fmt.pair_bits`` bits, integers."""
    checks.sparq_format(fmt)
    array = checks.integers("words", words, 0, (1 << fmt.pair_bits) - 1).astype(np.uint32)
    if array.ndim < 1:
        raise ValueError(f"words must have the shape (..., P), not {array.shape}")
    arrays = {name: np.zeros((*array.shape, 2), np.uint8) for name in ("x", "shift", "mux")}
    arrays["mux"][..., 1] = 1
    offset = 0
    for name, width in fmt.pair_layout:
        field, lanes = _lanes(name)
        value = (array >> np.uint32(offset)) & np.uint32((1 << width) - 1)
        arrays[field][..., lanes] = value[..., np.newaxis]
        offset += width
    encoded = EncodedPairs(arrays["x"], arrays["shift"], arrays["mux"])
    return EncodedPairs(*_fields(encoded, fmt))


def _lanes(name: str) -> tuple[str, list[int]]:
    """What a field of the layout is of, and which lanes it is for: both if it has no number."""
    return (name[:-1], [int(name[-1])]) if name[-1].isdigit() else (name, [0, 1])


def _fields(
    encoded: EncodedPairs, fmt: SparqFormat
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    x = checks.integers("x", encoded.x, 0, (1 << fmt.window_bits) - 1)
    shift_ctrl = checks.integers("shift_ctrl", encoded.shift_ctrl, 0, len(fmt.lane_shifts) - 1)
    mux_ctrl = checks.integers("mux_ctrl", encoded.mux_ctrl, 0, 1)
    if x.ndim < 2 or x.shape[-1] != 2 or not x.shape == shift_ctrl.shape == mux_ctrl.shape:
        raise ValueError(
            "x, shift_ctrl and mux_ctrl must have one shape (..., P, 2), "
            f"not {x.shape}, {shift_ctrl.shape} and {mux_ctrl.shape}"
        )
    if not fmt.vsparq and (mux_ctrl != [0, 1]).any():
        raise ValueError("mux_ctrl must be 0 in lane 0 and 1 in lane 1 in a format without vSPARQ")
    if fmt.shared_shift and (shift_ctrl[..., 0] != shift_ctrl[..., 1]).any():
        raise ValueError("shift_ctrl must be the same in both lanes of a pair that share a window")
    return x.astype(np.uint8), shift_ctrl.astype(np.uint8), mux_ctrl.astype(np.uint8)
