"""Tables, products and quotients of bytes against the rule in Python's own numbers."""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import golden

SEED = 16


def half_to_even(value: Fraction) -> int:
    """Python rounds fractions half to even."""
    return round(value)


@pytest.mark.parametrize("source", [(0.03125, 0), (0.0625, 100), (1.0, 255)])
@pytest.mark.parametrize("output", [(0.0078125, 0), (0.5, 7), (3.0, 128)])
def test_byte_table(source: tuple[float, int], output: tuple[float, int]) -> None:
    """Each entry of x * x - 2, of exact numbers."""
    table = golden.byte_table(lambda x: x * x - 2, source, output)
    assert table.shape == (256,)
    assert table.dtype == np.uint8
    for byte, entry in enumerate(table.tolist()):
        x = (byte - source[1]) * Fraction(source[0])
        scaled = half_to_even((x * x - 2) / Fraction(output[0])) + output[1]
        assert entry == min(max(scaled, 0), 255)


def test_byte_table_without_a_value() -> None:
    with np.errstate(all="ignore"):
        table = golden.byte_table(lambda x: np.sqrt(x) / x, (1.0, 2), (1.0, 9))
    assert table[:4].tolist() == [9, 9, 9, 10]
    table = golden.byte_table(lambda x: np.where(x > 0, np.inf, -np.inf), (1.0, 2), (1.0, 9))
    assert table[:4].tolist() == [0, 0, 0, 255]


def test_a_table_for_each_channel() -> None:
    rng = np.random.default_rng(SEED)
    slopes = np.array([[1.0], [-2.0], [0.5]])
    tables = golden.byte_table(lambda x: slopes * x, (1.0, 100), (1.0, 50))
    assert tables.shape == (3, 256)
    x = rng.integers(0, 256, (4, 5, 3), np.uint8)
    found = golden.look_up(tables, x)
    for place in np.ndindex(x.shape):
        assert found[place] == tables[place[-1], x[place]]
    np.testing.assert_array_equal(golden.look_up(tables[1], x), tables[1][x])


def test_products() -> None:
    rng = np.random.default_rng(SEED)
    x, y = rng.integers(0, 256, (2, 5, 1), np.uint8), rng.integers(0, 256, (2, 1, 4), np.uint8)
    for zeros in ((0, 0), (128, 0), (255, 3)):
        found = golden.multiply(x, y, *zeros)
        assert found.dtype == np.int32
        for i, j, k in np.ndindex(2, 5, 4):
            assert found[i, j, k] == (int(x[i, j, 0]) - zeros[0]) * (int(y[i, 0, k]) - zeros[1])


@pytest.mark.parametrize("zeros", [(0, 0, 0), (100, 0, 128), (13, 250, 30)])
def test_quotients(zeros: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(6):
        multiplier, shift = int(rng.integers(0, 1 << 15)), int(rng.integers(0, 20))
        x, y = rng.integers(0, 256, (2, 100), np.uint8)
        y[:5] = zeros[1]
        x[:2] = zeros[0]
        found = golden.divide(x, y, zeros[0], zeros[1], multiplier, shift, zeros[2])
        for n, d, byte in zip(x.tolist(), y.tolist(), found.tolist(), strict=True):
            numerator, divisor = (n - zeros[0]) * multiplier, (d - zeros[1]) << shift
            if divisor:
                scaled = half_to_even(Fraction(numerator, divisor)) + zeros[2]
            else:
                scaled = zeros[2] if numerator == 0 else 1000 * int(math.copysign(1, numerator))
            assert byte == min(max(scaled, 0), 255)


def test_ties_of_quotients() -> None:
    """Of an even and an odd number and a half."""
    x, y = np.array([1, 3, 5, 7]), np.full(4, 2)
    assert golden.divide(x, y, 0, 0, 1, 0).tolist() == [0, 2, 2, 4]
    assert golden.divide(x, y, 0, 4, 1, 0, 10).tolist() == [10, 8, 8, 6]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: golden.byte_table(np.abs, (0.0, 0), (1.0, 0)),
            "the step of source must be positive and finite, not 0.0",
        ),
        (
            lambda: golden.byte_table(np.abs, (1.0, 0), (1.0, 256)),
            "the zero point of output must be integers from 0 to 255, not 256 (at index [])",
        ),
        (
            lambda: golden.look_up(np.zeros(255, np.uint8), [0]),
            "table must have the shape (256,) or (C, 256), not (255,)",
        ),
        (
            lambda: golden.look_up(np.zeros((3, 256), np.uint8), np.zeros((3, 2), np.uint8)),
            "x must have the shape (..., 3) for as many tables, not (3, 2)",
        ),
        (
            lambda: golden.multiply([1], [256]),
            "y must be integers from 0 to 255, not 256 (at index [0])",
        ),
        (
            lambda: golden.divide([1], [2], 0, 0, 1 << 15, 0),
            "multiplier must be integers from 0 to 32767, not 32768 (at index [])",
        ),
    ],
)
def test_errors(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
