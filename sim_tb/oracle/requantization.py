"""Inputs of requantization that reach all that can go wrong, and what golden makes of them."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden import requantize
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS

INT32 = (-(2**31), 2**31 - 1)
MULTIPLIERS = np.arange(1, 1 << MULTIPLIER_BITS)


class Case(NamedTuple):
    """The inputs of one requantization, by the names of a lane's ports."""

    sum: int
    bias: int
    multiplier: int
    shift: int
    zero_point: int
    low: int
    high: int


def wrapped(value: int) -> int:
    """As int32."""
    return (value + 2**31) % 2**32 - 2**31


def expected(cases: list[Case]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """The sum with its bias, and golden's byte, of each case."""
    biased = np.array([wrapped(case.sum + case.bias) for case in cases], np.int32)
    _, _, multipliers, shifts, zero_points, lows, highs = np.array(cases, np.int64).T
    bytes_out = np.empty(len(cases), np.uint8)
    for zero_point in np.unique(zero_points):
        own = zero_points == zero_point
        operands = (biased[own], multipliers[own], shifts[own])
        bytes_out[own] = requantize(*operands, int(zero_point), lows[own], highs[own])
    return biased, bytes_out


def random_cases(rng: np.random.Generator, count: int = 4000) -> Iterator[Case]:
    """Of all magnitudes; shifts that put most results near a byte."""
    for _ in range(count):
        biased = int(rng.integers(*INT32, endpoint=True) >> rng.integers(0, 32))
        multiplier = int(rng.choice(MULTIPLIERS) >> rng.integers(0, MULTIPLIER_BITS))
        bits = (abs(biased) * multiplier).bit_length()
        shift = int(np.clip(bits - rng.integers(-2, 12), 0, MAX_SHIFT))
        yield _case(rng, biased, multiplier, shift)


def extremes(rng: np.random.Generator) -> Iterator[Case]:
    """The ends of all ranges, at every shift, with everything that they are clipped to."""
    sums = (INT32[0], INT32[0] + 1, -1, 0, 1, INT32[1] - 1, INT32[1])
    for biased, multiplier, shift in product(
        sums, (0, 1, 2**14, 2**15 - 2, 2**15 - 1), range(MAX_SHIFT + 1)
    ):
        yield _case(rng, biased, multiplier, shift)
        yield _case(rng, biased, multiplier, shift, int(rng.choice([0, 255])), 0, 255)
    for value, bias in product(sums, sums):
        yield Case(value, bias, 2**14, 14 + int(rng.integers(0, 32)), 100, 0, 255)


def ties(rng: np.random.Generator) -> Iterator[Case]:
    """Every tie between two numbers near a byte, at every shift at which there is one."""
    for shift, quotient in product(range(1, MAX_SHIFT + 1), range(-256, 256)):
        factor = min(14, shift - 1)
        biased = (2 * quotient + 1) << (shift - 1 - factor)
        if INT32[0] <= biased <= INT32[1]:
            zero_point = int(rng.integers(max(0, -1 - quotient), min(255, 256 - quotient) + 1))
            yield _case(rng, biased, 1 << factor, shift, zero_point, 0, 255)


def next_to_ties(rng: np.random.Generator) -> Iterator[Case]:
    """Products above a tie by one bit, each, that keeps them from being rounded down to even."""
    for shift in range(2, MAX_SHIFT + 1):
        for place in range(shift - 1):
            for quotient in (2 * int(half) for half in rng.permutation(np.arange(-4, 12))):
                exact = (quotient << shift) + (1 << (shift - 1)) + (1 << place)
                if found := _operands(rng, exact, exact):
                    yield _case(rng, *found, shift, 20, 0, 255)
                    break


def out_of_range(rng: np.random.Generator) -> Iterator[Case]:
    """Products that one bit alone, each, tells from those that become a byte between the limits."""
    for shift in range(MAX_SHIFT + 1):
        for place in range(shift + 8, 46):
            above, step = 1 << place, 1 << shift
            if found := _operands(rng, above, above + 64 * step):
                yield _case(rng, *found, shift, int(rng.integers(0, 100)), 0, 255)
            if found := _operands(rng, -above - 64 * step, -above - 1):
                yield _case(rng, *found, shift, 255, 0, 255)


def limits(rng: np.random.Generator) -> Iterator[Case]:
    """Results at both limits, beside them, and far away, moved there by any zero point."""
    pairs = [(0, 255), (0, 0), (255, 255), (0, 127), (128, 255), (1, 254), (100, 101)]
    pairs += [(low, int(rng.integers(low, 256))) for low in map(int, rng.integers(0, 256, 24))]
    for low, high in pairs:
        near = [limit + step for limit in (low, high) for step in (-1, 0, 1)]
        for zero_point in (0, 1, 127, 128, 254, 255, int(rng.integers(0, 256))):
            far = [zero_point + step for step in (-258, -257, -256, -255, 254, 255, 256, 257)]
            for moved in (*near, *far, zero_point, int(rng.integers(0, 256))):
                yield _case(rng, moved - zero_point, 1, 0, zero_point, low, high)


KINDS: dict[str, Callable[[np.random.Generator], Iterator[Case]]] = {
    "random": random_cases,
    "extremes": extremes,
    "next to ties": next_to_ties,
    "out of range": out_of_range,
    "limits": limits,
    "ties": ties,
}
"""By what they try."""


def _case(
    rng: np.random.Generator,
    biased: int,
    multiplier: int,
    shift: int,
    zero_point: int | None = None,
    low: int | None = None,
    high: int | None = None,
) -> Case:
    """With a random bias, that mostly wraps, and random values of what is not given."""
    bias = 0 if rng.random() < 0.1 else int(rng.integers(*INT32, endpoint=True))
    zero_point = int(rng.integers(0, 256)) if zero_point is None else zero_point
    low = int(rng.integers(0, 256) >> rng.integers(0, 8)) if low is None else low
    high = int(rng.integers(low, 256)) if high is None else high
    return Case(wrapped(biased - bias), bias, multiplier, shift, zero_point, low, high)


def _operands(rng: np.random.Generator, first: int, last: int) -> tuple[int, int] | None:
    """A sum and a multiplier whose product is from ``first`` to ``last``; or None."""
    sums = last // MULTIPLIERS
    found = (sums * MULTIPLIERS >= first) & (sums >= INT32[0]) & (sums <= INT32[1])
    places = np.flatnonzero(found)
    if not len(places):
        return None
    place = rng.choice(places)
    return int(sums[place]), int(MULTIPLIERS[place])
