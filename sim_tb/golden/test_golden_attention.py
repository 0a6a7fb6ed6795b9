"""Products of values, softmax and normalization against Python's own integers."""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import golden

SEED = 17


@pytest.mark.parametrize("zero", [0, 100, 255])
def test_products_of_values(zero: int) -> None:
    rng = np.random.default_rng(SEED)
    x, y = (
        rng.integers(0, 256, (2, 3, 4, 7), np.uint8),
        rng.integers(0, 256, (2, 3, 7, 5), np.uint8),
    )
    found = golden.value_matmul(x, y, zero)
    assert found.dtype == np.int32
    for i, h, m, n in np.ndindex(2, 3, 4, 5):
        terms = zip(x[i, h, m].tolist(), y[i, h, :, n].tolist(), strict=True)
        assert found[i, h, m, n] == sum((a - zero) * (b - 128) for a, b in terms)
    weights = (y[0, 0].astype(int) - 128).astype(np.int8)
    exact = golden.exact_matmul(x[0, 0], weights) - zero * weights.sum(axis=0, dtype=np.int64)
    np.testing.assert_array_equal(found[0, 0], exact)


@pytest.mark.parametrize(("name", "zero"), [("5opt", 0), ("s5opt", 90), ("s4opt", 128)])
@pytest.mark.parametrize("group", [1, 4])
def test_windows_in_products_of_values(name: str, zero: int, group: int) -> None:
    """As those of a layer, of each matrix by itself; what is beyond the format saturates."""
    rng = np.random.default_rng(SEED)
    fmt = golden.named_format(name, group=group)
    x, y = rng.integers(0, 256, (2, 4, 7), np.uint8), rng.integers(0, 256, (2, 7, 5), np.uint8)
    x[rng.random(x.shape) < 0.3] = zero
    found = golden.value_matmul(x, y, zero, fmt)
    weights = (y.astype(int) - 128).astype(np.int8)
    most = fmt.magnitude_max
    limited = np.clip(x.astype(int), max(0, zero - most), min(255, zero + most))
    for one, own, made in zip(limited, weights, found, strict=True):
        np.testing.assert_array_equal(made, golden.sparq_matmul(one, own, fmt, zero_point=zero))
    assert (found != golden.value_matmul(x, y, zero)).any()


@pytest.mark.parametrize("length", [1, 2, 13])
def test_softmax(length: int) -> None:
    rng = np.random.default_rng(SEED)
    for step in (0.01, 0.08, 1.0):
        table = np.rint(65535 * np.exp(-step * np.arange(256))).astype(np.uint16)
        multiplier, shift = int(rng.integers(1 << 14, 1 << 15)), int(rng.integers(5, 9))
        x = rng.integers(0, 256, (20, length), np.uint8)
        found = golden.softmax(x, table, multiplier, shift)
        for row, made in zip(x.tolist(), found.tolist(), strict=True):
            entries = [int(table[max(row) - value]) for value in row]
            parts = [Fraction(e * multiplier, sum(entries) << shift) for e in entries]
            assert made == [min(round(part), 255) for part in parts]
        real = np.exp(step * x.astype(float))
        real *= multiplier / 2**shift / real.sum(axis=1, keepdims=True)
        assert (np.abs(found - np.minimum(real, 255)) < 0.6).all()


def test_masked_softmax() -> None:
    """As that of the elements that are left, and zeros; zeros alone where none is left."""
    rng = np.random.default_rng(SEED)
    table = np.rint(65535 * np.exp(-0.05 * np.arange(256))).astype(np.uint16)
    x = rng.integers(0, 256, (3, 40, 9), np.uint8)
    mask = rng.integers(0, 2, (3, 1, 9))
    mask[0], mask[1] = 1, [[1] + [0] * 8]
    found = golden.softmax(x, table, 20000, 7, mask)
    for each, left, made in zip(x, mask[:, 0] == 1, found, strict=True):
        np.testing.assert_array_equal(made[:, left], golden.softmax(each[:, left], table, 20000, 7))
        assert not made[:, ~left].any()
    np.testing.assert_array_equal(found[0], golden.softmax(x[0], table, 20000, 7))
    assert not golden.softmax(x, table, 20000, 7, 0).any()


@pytest.mark.parametrize(("zero", "output"), [(0, 0), (100, 30), (255, 200)])
def test_masked_mean(zero: int, output: int) -> None:
    rng = np.random.default_rng(SEED)
    x = rng.integers(0, 256, (12, 6, 5), np.uint8)
    mask = rng.integers(0, 2, (12, 6, 1))
    mask[0], mask[1], mask[2, :] = 0, 1, [[1]] + [[0]] * 5
    # With a factor of 2 to a power quotients are ties.
    for multiplier, shift in ((1 << 14, 14), (1 << 14, 15), (23456, 16), (32767, 46)):
        found = golden.masked_mean(x, mask, zero, multiplier, shift, output)
        assert found.shape == (12, 5)
        for i, c in np.ndindex(12, 5):
            left = [int(x[i, m, c]) - zero for m in range(6) if mask[i, m, 0]]
            mean = Fraction(sum(left) * multiplier, max(len(left), 1) << shift)
            assert found[i, c] == min(max(round(mean) + output, 0), 255)
    assert found.dtype == np.uint8


@pytest.mark.parametrize("epsilon", [0, 1, 1 << 52])
def test_wide_normalization(epsilon: int) -> None:
    rng = np.random.default_rng(SEED)
    rows = [
        *rng.integers(-32768, 32768, (10, 9)),
        np.full(9, -77),
        np.array([-32768] * 4 + [32767] * 5),
        np.array([100] * 8 + [101]),
    ]
    found = golden.normalize(np.array(rows), epsilon, wide=True)
    for row, made in zip(rows, found.tolist(), strict=True):
        values = row.tolist()
        total = sum(values)
        root = math.isqrt(9 * sum(value**2 for value in values) - total**2 + epsilon)
        parts = [Fraction((9 * v - total) << 8, root) if root else 0 for v in values]
        assert made == [round(part) for part in parts]
    halves = np.tile(np.array([-32768, 32767]), 2048)
    assert set(golden.normalize(halves, 0, wide=True).tolist()) == {-256, 256}


@pytest.mark.parametrize("epsilon", [0, 1, 12345, 1 << 38])
def test_normalization(epsilon: int) -> None:
    rng = np.random.default_rng(SEED)
    rows = [
        *rng.integers(0, 256, (10, 9), np.uint8),
        np.full(9, 77, np.uint8),
        np.array([0] * 8 + [255], np.uint8),
        np.array([100] * 8 + [101], np.uint8),
    ]
    found = golden.normalize(np.array(rows), epsilon)
    assert found.dtype == np.int32
    for row, made in zip(rows, found.tolist(), strict=True):
        values = row.tolist()
        total = sum(values)
        variance = 9 * sum(value**2 for value in values) - total**2 + epsilon
        root = math.isqrt(variance << 12)
        parts = [Fraction((9 * v - total) << 14, root) if root else 0 for v in values]
        assert made == [round(part) for part in parts]


def test_the_longest_normalization() -> None:
    """Of one that differs from all others: a number of 16 bits, at the limit of its root."""
    x = np.zeros((1, 4096), np.uint8)
    x[0, 7] = 255
    found = golden.normalize(x, 0)
    assert found[0, 7] == 16382
    assert found.min() == -4
    alternating = np.tile(np.array([0, 255], np.uint8), 2048)
    assert set(golden.normalize(alternating, 0).tolist()) == {-256, 256}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: golden.value_matmul(np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8)),
            "x (..., M, K) and y (..., K, N) must agree, not (2, 3) and (2, 3)",
        ),
        (
            lambda: golden.value_matmul(
                np.zeros((1, 65794), np.uint8), np.zeros((65794, 1), np.uint8)
            ),
            "K must be at most 65793 for int32 sums, not 65794",
        ),
        (
            lambda: golden.softmax([1, 2], np.zeros(256, np.uint16), 1, 0),
            "exponentials must have the shape (256,), the first not 0",
        ),
        (
            lambda: golden.softmax(np.zeros((3, 0), np.uint8), np.ones(256, np.uint16), 1, 0),
            "x must have the shape (..., K), K from 1 to 65536, not (3, 0)",
        ),
        (
            lambda: golden.normalize(np.zeros((1, 4097), np.uint8), 0),
            "x must have the shape (..., C), C from 1 to 4096, not (1, 4097)",
        ),
        (
            lambda: golden.normalize([1, 2], -1),
            "epsilon must be integers from 0 to 274877906944, not -1 (at index [])",
        ),
        (
            lambda: golden.normalize([1, 40000], 0, wide=True),
            "x must be integers from -32768 to 32767, not 40000 (at index [1])",
        ),
        (
            lambda: golden.softmax([1, 2], np.ones(256, np.uint16), 1, 0, [1, 0, 1]),
            "mask must broadcast to (2,), not be (3,)",
        ),
        (
            lambda: golden.softmax([1, 2], np.ones(256, np.uint16), 1, 0, [1, 2]),
            "mask must be integers from 0 to 1, not 2 (at index [1])",
        ),
        (
            lambda: golden.masked_mean([1, 2], [1, 1], 0, 1, 0),
            "x must have the shape (..., M, C), M from 1 to 32768, not (2,)",
        ),
    ],
)
def test_errors(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
