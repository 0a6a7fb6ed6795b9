"""Weights of two points: exact in every representable integer, and combined as they multiply."""

import re
from typing import Any

import numpy as np
import pytest

from golden import combine, exact_matmul, limits_of_points, points


@pytest.mark.parametrize(
    ("bits", "shift"),
    [(bits, shift) for bits in range(2, 9) for shift in range(1, min(bits, 7) + 1)],
)
def test_every_weight(bits: int, shift: int) -> None:
    """All integers between the limits, each of two signed integers of so many bits."""
    half = 2 ** (bits - 1)
    sums = {(a << shift) + b for a in range(-half, half) for b in range(-half, half)}
    low, high = limits_of_points(bits, shift)
    assert sums == set(range(low, high + 1))
    first, second = points(np.arange(low, high + 1), bits, shift)
    for each in (first, second):
        assert each.dtype == np.int8
        assert -half <= each.min() <= each.max() < half
    assert ((first.astype(int) << shift) + second).tolist() == list(range(low, high + 1))


def test_bytes_in_slices() -> None:
    """W8 on W4: every byte is exact, but 120 to 127, which are refused."""
    assert limits_of_points(4, 4) == (-136, 119)
    x = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    for byte in range(-128, 128):
        if byte > 119:
            with pytest.raises(ValueError, match=f"^weights must be .* not {byte} "):
                points([byte], 4, 4)
            continue
        columns = np.stack(points([byte], 4, 4), axis=1)
        expected = exact_matmul(x, np.array([[byte]], np.int8))
        result = combine(exact_matmul(x, columns, 4), [0, 4])
        assert (result[:, 1:] == expected).all()


def test_product() -> None:
    """Any columns side by side, some of them of two points: the product with whole weights."""
    rng = np.random.default_rng(5)
    for bits, shift in ((2, 2), (3, 3), (4, 4), (4, 1)):
        x = rng.integers(0, 256, (9, 31), dtype=np.uint8)
        low, high = limits_of_points(bits, shift)
        whole = rng.integers(max(low, -128), min(high, 127) + 1, (31, 2), dtype=np.int8)
        single = rng.integers(-2, 2, (31, 2), dtype=np.int8)
        pairs = [each for column in whole.T for each in points(column, bits, shift)]
        columns = np.stack([*pairs[:2], *single.T, *pairs[2:]], axis=1)
        sums = combine(exact_matmul(x, columns, bits), [0, shift, 0, 0, 0, shift])
        assert sums.dtype == np.int32
        np.testing.assert_array_equal(sums[:, [1, 5]], exact_matmul(x, whole))
        np.testing.assert_array_equal(sums[:, [2, 3]], exact_matmul(x, single))
        np.testing.assert_array_equal(sums[:, [0, 4]], exact_matmul(x, np.stack(pairs[::2], 1)))


def test_extremes() -> None:
    """The largest sums, by the largest shift, fit; without a combination all of int32 passes."""
    low, high = -(2**23), 2**23 - 1
    assert combine([[low, low], [high, high]], [0, 7]).tolist() == [
        [low, 129 * low],
        [high, 129 * high],
    ]
    assert combine([-(2**31), 2**31 - 1, 5], [0, 0, 0]).tolist() == [-(2**31), 2**31 - 1, 5]


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (
            *(points, ([3, -4, 6], 2, 2)),
            "weights must be integers from -10 to 5, not 6 (at index [2])",
        ),
        (points, ([1], 9, 2), "weight_bits must be an integer from 2 to 8, not 9"),
        (points, ([1], 3, 4), "shift must be integers from 1 to 3, not 4 (at index [])"),
        (combine, ([1, 2], [0, 8]), "shifts must be integers from 0 to 7, not 8 (at index [1])"),
        (combine, ([1, 2, 3], [0, 1, 2]), "shifts of even columns must be 0, not 2 of column 2"),
        (
            *(combine, ([1, 2], [0, 1, 0])),
            "shifts must be one for each of the 2 columns, not of the shape (3,)",
        ),
        (
            *(combine, ([1, 2**23], [0, 1])),
            "sums must be integers from -8388608 to 8388607, not 8388608 (at index [1])",
        ),
    ],
)
def test_errors(function: Any, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments)
