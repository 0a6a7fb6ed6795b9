"""Requantization against exact rational arithmetic."""

from dataclasses import FrozenInstanceError
from fractions import Fraction
from itertools import product
from math import inf, nextafter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import FixedPointScale, requantize, rescale
from sim_tb.oracle.reference import assert_same

SEED = 20211206

INT32 = (-(2**31), 2**31 - 1)
MULTIPLIER_MAX = 2**15 - 1
SHIFTS = range(47)

Case = tuple[int, int, int]


def exact(accumulator: int, multiplier: int, shift: int) -> int:
    """The definition: ``round`` of a ``Fraction`` takes ties to even."""
    return max(0, min(255, round(Fraction(accumulator * multiplier, 2**shift))))


def check(context: str, cases: list[Case]) -> None:
    """One call for all cases, compared one by one."""
    accumulators, multipliers, shifts = np.array(cases, np.int64).T
    got = requantize(accumulators, multipliers, shifts)
    assert got.dtype == np.uint8
    expected = [exact(*case) for case in cases]
    named = [f"accumulator {a}, multiplier {m}, shift {s}" for a, m, s in cases]
    assert_same(context, named, expected, got)


@pytest.mark.parametrize(
    ("accumulator", "multiplier", "shift", "result"),
    [
        (0, 0, 0, 0),
        (255, 1, 0, 255),
        (256, 1, 0, 255),  # clipped
        (-1, 1, 0, 0),  # ReLU
        (1, 1, 1, 0),  # 0.5, tie down to 0
        (3, 1, 1, 2),  # 1.5, tie up to 2
        (5, 1, 1, 2),  # 2.5, tie down to 2
        (-1, 1, 1, 0),
        (1, 3, 2, 1),  # 0.75
        (509, 1, 1, 254),  # 254.5, tie down to 254
        (511, 1, 1, 255),  # 255.5 rounds to 256, clipped
        (10, 16384, 14, 10),
        (2**31 - 1, 32767, 0, 255),
        (2**31 - 1, 32767, 46, 1),  # 0.99997
        (2**31 - 1, 16384, 46, 0),  # just below 0.5
        (-(2**31), 32767, 46, 0),
    ],
)
def test_by_hand(accumulator: int, multiplier: int, shift: int, result: int) -> None:
    assert requantize(accumulator, multiplier, shift) == result


def test_corners() -> None:
    """The ends of every range, and around powers of two, for every shift."""
    edges = [2**k + d for k in (0, 1, 7, 8, 15, 16, 23, 30) for d in (-1, 0, 1)]
    accumulators = sorted({*INT32, INT32[1] - 1, *edges, *(-e for e in edges)})
    multipliers = [0, 1, 2, 3, 16383, 16384, 16385, 24576, MULTIPLIER_MAX - 1, MULTIPLIER_MAX]
    check("corners", list(product(accumulators, multipliers, SHIFTS)))


def test_ties_and_their_neighbours() -> None:
    """Odd multiples of ``2**(shift - 1)`` for every shift, and the products next to them."""
    cases = []
    for shift, odd in product(SHIFTS[1:], (1, 3, 5, 7, 253, 507, 509, 511)):
        factor = min(14, shift - 1)
        accumulator = odd << (shift - 1 - factor)
        if accumulator <= INT32[1]:
            cases += [(accumulator + d, 2**factor, shift) for d in (-1, 0, 1)]
            cases += [(-accumulator, 2**factor, shift)]
    cases = [case for case in cases if case[0] <= INT32[1]]
    ties = sum(abs(a) * m % 2**s * 2 == 2**s for a, m, s in cases)
    assert ties > 400
    check("ties", cases)


def test_random() -> None:
    rng = np.random.default_rng(SEED)
    size = 20_000
    accumulators = rng.integers(*INT32, size, endpoint=True) >> rng.integers(0, 32, size)
    multipliers = rng.integers(0, MULTIPLIER_MAX, size, endpoint=True)
    # Shifts that put most results into 0 to 255.
    bits = np.log2(np.maximum(abs(accumulators) * multipliers, 1)).astype(int)
    shifts = np.clip(bits - rng.integers(-2, 10, size), 0, 46)
    cases = list(zip(accumulators.tolist(), multipliers.tolist(), shifts.tolist(), strict=True))
    inside = sum(0 < exact(*case) < 255 for case in cases)
    assert inside > size // 4, f"seed {SEED}: only {inside} results are neither 0 nor 255"
    check(f"seed {SEED}", cases)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4"])
def test_dtypes(dtype: str) -> None:
    got = requantize(np.array([0, 1, 100, 127], dtype), np.array(5, dtype), np.array(1, dtype))
    assert got.dtype == np.uint8
    assert got.tolist() == [0, 2, 250, 255]


def test_one_scale_per_output_channel() -> None:
    """Multiplier and shift broadcast along the last axis; any shape, empty ones too."""
    accumulators = np.arange(-12, 12).reshape(2, 4, 3) * 1001
    multipliers, shifts = [16384, 20000, 32767], [20, 18, 15]
    got = requantize(accumulators, multipliers, shifts)
    assert got.shape == accumulators.shape
    for index, accumulator in np.ndenumerate(accumulators):
        expected = exact(int(accumulator), multipliers[index[-1]], shifts[index[-1]])
        assert got[index] == expected, f"{accumulator} at {index}"
    assert requantize(accumulators[:0], multipliers, shifts).shape == (0, 4, 3)


def test_inputs_stay_as_they_are() -> None:
    arrays = [np.array(values) for values in ([5, -7, 99], [16384, 2, 3], [14, 1, 0])]
    before = [array.copy() for array in arrays]
    requantize(arrays[0], arrays[1], arrays[2])
    assert all(np.array_equal(a, b) for a, b in zip(before, arrays, strict=True))


@pytest.mark.parametrize("zero_point", [0, 1, 100, 254, 255])
@pytest.mark.parametrize("shape", [(5,), (3, 5), (40, 7, 16)])
def test_zero_point(zero_point: int, shape: tuple[int, ...]) -> None:
    """What rescaling gives, moved and clipped; rescaling is the exact quotient, ties to even."""
    rng = np.random.default_rng(SEED)
    accumulators = rng.integers(-(2**20), 2**20, shape, dtype=np.int32)
    multipliers, shifts = rng.integers(0, 2**15, shape[-1:]), rng.integers(20, 34, shape[-1:])
    got = requantize(accumulators, multipliers, shifts, zero_point)
    rescaled = rescale(accumulators, multipliers, shifts)
    assert got.dtype == np.uint8
    assert rescaled.dtype == np.int64
    for index in np.ndindex(shape):
        multiplier, shift = int(multipliers[index[-1]]), int(shifts[index[-1]])
        quotient = round(Fraction(int(accumulators[index]) * multiplier, 2**shift))
        where = f"{accumulators[index]} at {index}, seed {SEED}"
        assert rescaled[index] == quotient, where
        assert got[index] == max(0, min(255, quotient + zero_point)), where


@pytest.mark.parametrize("zero_point", [-1, 256])
def test_zero_point_out_of_range(zero_point: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^zero_point must be integers from 0 to 255, not {zero_point} "
    ):
        requantize([1], 1, 0, zero_point)


LIMITS: dict[str, tuple[Any, Any]] = {
    "one byte": (77, 77),
    "no limit": (0, 255),
    "by channel": ([0, 10, 100, 255, 20], [0, 200, 255, 255, 20]),
    "by row": ([[0], [3], [100]], 250),
    "each its own": (np.arange(15).reshape(3, 5), np.arange(255, 240, -1).reshape(3, 5)),
    "more than sums": (np.zeros((2, 1, 1), np.uint8), np.array([[[9]], [[99]]], np.uint64)),
}


@pytest.mark.parametrize("case", LIMITS)
def test_limits(case: str) -> None:
    """Clipped to what they allow, wherever they differ; all results that they cut are met."""
    rng = np.random.default_rng(SEED)
    low, high = LIMITS[case]
    accumulators = rng.integers(-(2**9), 2**9, (3, 5), dtype=np.int32)
    got = requantize(accumulators, 1, 1, 10, low, high)
    assert got.dtype == np.uint8
    every = np.broadcast_arrays(accumulators, low, high)
    assert got.shape == every[0].shape
    for index in np.ndindex(got.shape):
        accumulator, own_low, own_high = (int(values[index]) for values in every)
        moved = round(Fraction(accumulator, 2)) + 10
        expected = max(own_low, min(own_high, moved))
        assert got[index] == expected, f"{accumulator} at {index}, seed {SEED}"


def test_limits_of_long_rows() -> None:
    """More rows than are clipped in one step, each with limits of its own."""
    rng = np.random.default_rng(SEED)
    accumulators = rng.integers(-600, 600, (300, 200), dtype=np.int32)
    low = rng.integers(0, 256, (300, 1))
    high = np.maximum(low, rng.integers(0, 256, (300, 200)))
    got = requantize(accumulators, 1, 1, 0, low, high)
    expected = np.clip(rescale(accumulators, 1, 1), low, high)
    assert np.array_equal(got, expected), f"seed {SEED}"


def test_every_element_has_its_own_scale() -> None:
    """Multipliers and shifts that differ along the leading axes."""
    rng = np.random.default_rng(SEED)
    accumulators = rng.integers(-(2**20), 2**20, (300, 200), dtype=np.int32)
    multipliers, shifts = rng.integers(0, 2**15, (300, 200)), rng.integers(20, 34, (300, 1))
    got = requantize(accumulators, multipliers, shifts)
    for row, column in rng.integers(0, 200, (500, 2)):
        case = accumulators[row, column], multipliers[row, column], shifts[row, 0]
        assert got[row, column] == exact(*(int(value) for value in case)), f"seed {SEED}"


# FixedPointScale


def fraction(multiplier: int, shift: int) -> Fraction:
    return multiplier / Fraction(2) ** shift


def scales() -> npt.NDArray[np.float64]:
    """Scales over the whole range, powers of two and their neighbours among them."""
    rng = np.random.default_rng(SEED)
    powers = [2.0**exponent for exponent in range(-32, 15)]
    below = [nextafter(power, 0) for power in powers[1:]]
    above = [nextafter(power, inf) for power in powers]
    top = [32767.0, 32767.25, 32767.5, 32767.75, nextafter(2.0**15, 0)]
    return np.array([*powers, *below, *above, *top, *2.0 ** rng.uniform(-32, 15, 5000)])


@pytest.mark.parametrize(
    ("scale", "multiplier", "shift"),
    [
        (1, 16384, 14),
        (0.5, 16384, 15),
        (0.75, 24576, 15),
        (1 / 3, 21845, 16),
        (0.1, 26214, 18),
        (16384, 16384, 0),
        (32767, 32767, 0),
        (nextafter(1, 0), 16384, 14),  # rounds up to the next power of two
        (1 + 2**-15, 16384, 14),  # 16384.5, tie to even
        (1 + 3 * 2**-15, 16386, 14),  # 16385.5, tie to even
        (2.0**-32, 16384, 46),  # the smallest
        (nextafter(2.0**15, 0), 32767, 0),  # the largest
        (32767.5, 32767, 0),
    ],
)
def test_nearest_by_hand(scale: float, multiplier: int, shift: int) -> None:
    assert FixedPointScale.nearest(scale) == FixedPointScale(multiplier, shift)


def test_nearest_is_normalized_and_close() -> None:
    """A multiplier with its top bit set, a relative error of at most 2**-15."""
    for scale in scales():
        nearest = FixedPointScale.nearest(scale)
        assert 2**14 <= nearest.multiplier <= MULTIPLIER_MAX, f"{scale!r}: {nearest}, seed {SEED}"
        assert 0 <= nearest.shift <= 46, f"{scale!r}: {nearest}, seed {SEED}"
        error = abs(fraction(nearest.multiplier, nearest.shift) / Fraction(float(scale)) - 1)
        assert error <= Fraction(1, 2**15), f"{scale!r}: {nearest}, seed {SEED}"


def test_nearest_is_nearest() -> None:
    """Neither the next smaller nor the next larger such number is closer."""
    for scale in scales():
        nearest = FixedPointScale.nearest(scale)
        multiplier, shift = nearest.multiplier, nearest.shift
        below = (multiplier - 1, shift) if multiplier > 2**14 else (MULTIPLIER_MAX, shift + 1)
        above = (multiplier + 1, shift)
        error = abs(fraction(multiplier, shift) - Fraction(float(scale)))
        for other in (below, above):
            if other[0] <= MULTIPLIER_MAX and other[1] <= 46:
                distance = abs(fraction(*other) - Fraction(float(scale)))
                assert error <= distance, f"{scale!r}: {nearest}, closer {other}, seed {SEED}"


@pytest.mark.parametrize("scale", [0, 0.0, -0.0, 5e-324, 1e-300, 2.0**-34, 2.0**-33])
def test_zero_and_scales_next_to_it(scale: float) -> None:
    assert FixedPointScale.nearest(scale) == FixedPointScale(0, 0)


@pytest.mark.parametrize("scale", [0, 2.0**-33, 1.5 * 2.0**-33, nextafter(2.0**-32, 0), 2.0**-32])
def test_scales_too_small_to_matter(scale: float) -> None:
    """No accumulator times such a scale exceeds one half."""
    nearest = FixedPointScale.nearest(scale)
    assert requantize(INT32, nearest.multiplier, nearest.shift).tolist() == [0, 0]


def test_scales_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        FixedPointScale.nearest(0.5).shift = 0  # type: ignore[misc]


@pytest.mark.parametrize("kind", [np.float32, np.float64, Fraction])
def test_nearest_takes_any_real_number(kind: type) -> None:
    assert FixedPointScale.nearest(kind(0.375)) == FixedPointScale(24576, 16)
