"""The pair encoding that travels through the hardware: lanes, ShiftCtrl and MuxCtrl."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.checks import Array
from golden.format import ACTIVATION_BITS, ControlState, SparqFormat
from golden.quantize import (
    VALUES,
    as_pairs,
    lane_table,
    magnitudes_of,
    placed_table,
    shared_windows,
    wide_table,
    with_signs,
)


class EncodedPairs(NamedTuple):
    """Pairs as the hardware carries them; each array is uint8 of shape (..., P, 2), lane last.

    The pair contributes the sum over its lanes of
    ``(x * weight[mux_ctrl]) << fmt.lane_shifts[shift_ctrl]``. Of a signed format ``x`` is int16.
    """

    x: Array
    shift_ctrl: npt.NDArray[np.uint8]
    mux_ctrl: npt.NDArray[np.uint8]


def encode_pairs(x: npt.ArrayLike, fmt: SparqFormat, zero_point: int = 0) -> EncodedPairs:
    """Encode activations ``x`` (..., K), integers from 0 to 255, as ceil(K/2) pairs.

    Both non-zero (or vSPARQ off): lane 0 carries the first, lane 1 the second, each in its own
    window. One is zero: lane 0 carries the high and lane 1 the low bits of the other's double
    window, and both lanes select the other's weight. Both zero: as if the first were the other.
    With shared windows, "its own window" stands at the shift of its group. Of a signed format ``x``
    and ``zero_point`` are those of :func:`golden.sparq`.
    """
    checks.sparq_format(fmt)
    activations = checks.activations_of(x, fmt, zero_point)
    if activations.ndim < 1 or activations.shape[-1] == 0:
        raise ValueError(
            f"x must have the shape (..., K) with K at least 1, not {activations.shape}"
        )
    signed_pairs = as_pairs(activations)
    pairs = magnitudes_of(signed_pairs)
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
        low_bits = np.array([fmt.low_lane_bits(s) for s in range(8)], np.uint16)[placement]
        high = window >> low_bits
        lanes[alone] = np.stack([high, window - (high << low_bits)], axis=-1)
        shifts[alone] = np.stack([high_shift, placement], axis=-1)
        mux_ctrl[alone] = (is_zero[..., 0] & ~is_zero[..., 1])[alone, np.newaxis]
    shift_ctrl = np.searchsorted(fmt.lane_shifts, shifts).astype(np.uint8)
    if fmt.signed:
        owners = np.take_along_axis(signed_pairs, mux_ctrl.astype(np.intp), axis=-1)
        return EncodedPairs(with_signs(lanes, owners), shift_ctrl, mux_ctrl)
    return EncodedPairs(lanes, shift_ctrl, mux_ctrl)


def decode_pairs(encoded: EncodedPairs, fmt: SparqFormat) -> Array:
    """The effective activations (..., 2P) that the encoded pairs stand for, as uint8.

    Of a signed format as int16. The inverse of :func:`encode_pairs` up to quantization:
    ``decode_pairs(encode_pairs(x, fmt), fmt)`` equals ``sparq(x, fmt)`` (with the odd tail's zero).
    Raises ``ValueError`` for arrays that are not (..., P, 2), for fields that ``fmt`` does not have
    and for states that are not among ``fmt.control_states``.
    """
    checks.sparq_format(fmt)
    (x, shift_ctrl, mux_ctrl), _ = _checked(encoded, fmt)
    lane_values = x.astype(np.int32) << np.array(fmt.lane_shifts)[shift_ctrl]
    first = np.where(mux_ctrl == 0, lane_values, 0).sum(axis=-1)
    second = np.where(mux_ctrl == 1, lane_values, 0).sum(axis=-1)
    both = np.stack([first, second], axis=-1)
    values = checks.activations_of(both, fmt, name="decoded activations")
    return values.reshape(*x.shape[:-2], 2 * x.shape[-2])


def pack_pairs(encoded: EncodedPairs, fmt: SparqFormat) -> npt.NDArray[np.uint32]:
    """Encoded pairs as the words the hardware uses (``fmt.pair_layout``), uint32 (..., P).

    Raises ``ValueError`` for what :func:`decode_pairs` does not take either.
    """
    checks.sparq_format(fmt)
    pairs, words = _checked(encoded, fmt)
    magnitudes = magnitudes_of(pairs.x)
    for lane in (1, 0):
        words <<= np.uint32(fmt.window_bits)
        words |= magnitudes[..., lane]
    if fmt.signed:
        for lane in (0, 1):
            sign = (pairs.x[..., lane] < 0).astype(np.uint32)
            words |= sign << np.uint32(fmt.unsigned_pair_bits + lane)
    return words


def unpack_pairs(words: npt.ArrayLike, fmt: SparqFormat) -> EncodedPairs:
    """The inverse of :func:`pack_pairs`: words (..., P) of ``fmt.pair_bits`` bits, integers.

    Raises ``ValueError`` for words whose control code is not one of ``fmt.control_codes``, and for
    signs that no pair has: of a lane of 0, or different ones of one activation.
    """
    checks.sparq_format(fmt)
    array = checks.integers("words", words, 0, (1 << fmt.pair_bits) - 1).astype(np.uint32)
    if array.ndim < 1:
        raise ValueError(f"words must have the shape (..., P), not {array.shape}")
    shift_ctrl, mux_ctrl = _states_of_codes(fmt)
    control = (array & _mask(fmt.unsigned_pair_bits)) >> np.uint32(2 * fmt.window_bits)
    muxes = np.take(mux_ctrl, control)
    illegal = muxes == _NO_STATE
    if illegal.any():
        where = _first(illegal)
        raise ValueError(
            "the control code of words must be one of fmt.control_codes, "
            f"not {control[where]} (word {array[where]} at index {_shown(where)})"
        )
    x = np.empty((*array.shape, 2), np.uint8)
    lane_mask = _mask(fmt.window_bits)
    x[..., 0] = array & lane_mask
    x[..., 1] = (array >> np.uint32(fmt.window_bits)) & lane_mask
    shifts = np.take(shift_ctrl, control)
    fields = (field.view(np.uint8).reshape(x.shape) for field in (shifts, muxes))
    if not fmt.signed:
        return EncodedPairs(x, *fields)
    pairs = EncodedPairs(_signed(x, array, fmt), *fields)
    _check_signs(pairs)
    return pairs


def _signed(
    x: npt.NDArray[np.uint8], words: npt.NDArray[np.uint32], fmt: SparqFormat
) -> npt.NDArray[np.int16]:
    """The lanes of ``words`` with their signs."""
    positions = np.array([0, 1], np.uint32) + np.uint32(fmt.unsigned_pair_bits)
    negative = words[..., np.newaxis] >> positions & np.uint32(1) == 1
    minus_zero = (negative & (x == 0)).any(axis=-1)
    if minus_zero.any():
        where = _first(minus_zero)
        raise ValueError(
            "the sign of a lane of 0 in words must be 0, "
            f"not 1 (word {words[where]} at index {_shown(where)})"
        )
    lanes = x.astype(np.int16)
    return np.where(negative, -lanes, lanes)


def _mask(bits: int) -> np.uint32:
    """So many ones."""
    return np.uint32((1 << bits) - 1)


_NO_STATE = np.uint16(0xFFFF)


@lru_cache(maxsize=64)
def _states_of_codes(fmt: SparqFormat) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """ShiftCtrl and MuxCtrl for each number, those of both lanes as the two halves of one entry."""
    shift_ctrl, mux_ctrl = (np.full(1 << fmt.control_bits, _NO_STATE) for _ in range(2))
    for state, code in fmt.control_codes.items():
        shift_ctrl.view(np.uint8).reshape(-1, 2)[code] = state.shift0, state.shift1
        mux_ctrl.view(np.uint8).reshape(-1, 2)[code] = state.mux0, state.mux1
    return shift_ctrl, mux_ctrl


_NO_CODE = np.uint32(0xFFFF_FFFF)


@lru_cache(maxsize=64)
def _codes_of_states(fmt: SparqFormat) -> npt.NDArray[np.uint32]:
    """The code of each state, which is read as a number (:func:`_numbers`)."""
    codes = np.full(1 << 8, _NO_CODE)
    for state, code in fmt.control_codes.items():
        shifts, muxes = np.array([state[:2]], np.uint8), np.array([state[2:]], np.uint8)
        codes[_numbers(shifts, muxes)] = code
    return codes


def _numbers(
    shift_ctrl: npt.NDArray[np.uint8], mux_ctrl: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """States (..., 2) as numbers; there are no more than 8 shifts, so that 8 bits hold them."""
    lanes = shift_ctrl << np.uint8(1) | mux_ctrl
    return lanes[..., 0] << np.uint8(4) | lanes[..., 1]


def _checked(
    encoded: EncodedPairs, fmt: SparqFormat
) -> tuple[EncodedPairs, npt.NDArray[np.uint32]]:
    """The pairs as uint8 arrays, and their control codes (..., P)."""
    largest = (1 << fmt.window_bits) - 1
    x = checks.integers("x", encoded.x, -largest if fmt.signed else 0, largest)
    shift_ctrl = checks.integers("shift_ctrl", encoded.shift_ctrl, 0, len(fmt.lane_shifts) - 1)
    mux_ctrl = checks.integers("mux_ctrl", encoded.mux_ctrl, 0, 1)
    if x.ndim < 2 or x.shape[-1] != 2 or not x.shape == shift_ctrl.shape == mux_ctrl.shape:
        raise ValueError(
            "x, shift_ctrl and mux_ctrl must have one shape (..., P, 2), "
            f"not {x.shape}, {shift_ctrl.shape} and {mux_ctrl.shape}"
        )
    lanes = x.astype(np.int16 if fmt.signed else np.uint8)
    pairs = EncodedPairs(lanes, shift_ctrl.astype(np.uint8), mux_ctrl.astype(np.uint8))
    codes = _codes_of_states(fmt)[_numbers(pairs.shift_ctrl, pairs.mux_ctrl)]
    illegal = codes == _NO_CODE
    if illegal.any():
        where = _first(illegal)
        state = ControlState(*pairs.shift_ctrl[where].tolist(), *pairs.mux_ctrl[where].tolist())
        raise ValueError(
            "shift_ctrl and mux_ctrl must be one of fmt.control_states, "
            f"not {state} (at index {_shown(where)})"
        )
    if fmt.signed:
        _check_signs(pairs)
    return pairs, codes


def _check_signs(pairs: EncodedPairs) -> None:
    """Refuse lanes of one activation whose signs differ."""
    torn = (pairs.mux_ctrl[..., 0] == pairs.mux_ctrl[..., 1]) & (pairs.x.prod(axis=-1) < 0)
    if torn.any():
        where = _first(torn)
        raise ValueError(
            "both lanes of one activation must have one sign, "
            f"not {pairs.x[where].tolist()} (at index {_shown(where)})"
        )


def _first(wrong: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Where the first of them is."""
    return tuple(int(index) for index in np.unravel_index(int(wrong.argmax()), wrong.shape))


def _shown(position: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, position))}]"
