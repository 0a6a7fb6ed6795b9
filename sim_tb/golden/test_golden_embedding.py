"""Embedding tables of few bits, against statements of their rules in exact numbers."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import exact_matmul, named_format, sparq, sparq_matmul
from golden.embedding import (
    FRACTION_BITS,
    ROW_RANGES,
    CodebookTable,
    RowTable,
    fold,
    greedy,
    pool,
    requantize_wide,
)

SEED = 18
UNIT = Fraction(1, 1 << FRACTION_BITS)


def random_table(rows: int, width: int, seed: int = SEED) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)) * rng.uniform(0.01, 2, (rows, 1))


def test_layout() -> None:
    """Element 0 in the low nibble; then the scale 0.5 and the bias -1, low bytes first."""
    halves = np.array([0.5], np.float16), np.array([-1], np.float16)
    table = RowTable(np.array([[1, 2, 15]], np.uint8), *halves, 4)
    assert table.pack().tolist() == [[0x21, 0x0F, 0x00, 0x38, 0x00, 0xBC]]
    table = RowTable(np.array([[1, 2, 3, 0, 2]], np.uint8), *halves, 2)
    assert table.pack().tolist() == [[0b00_11_10_01, 0b10, 0x00, 0x38, 0x00, 0xBC]]
    assert table.values().tolist() == [[-0.5, 0, 0.5, -1, 0]]


@pytest.mark.parametrize("width", [1, 7, 16])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packing_is_undone(bits: int, width: int) -> None:
    table = RowTable.from_float(random_table(9, width), bits, "asymmetric")
    packed = table.pack()
    again = RowTable.unpack(packed, width, bits)
    for name in ("codes", "scale", "bias"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name))
    assert packed.nbytes == table.nbytes == 9 * (-(-width * bits // 8) + 4)


def half(value: float) -> float:
    return float(np.float16(value))


def row_loss(row: list[float], low: float, high: float, bits: int) -> float:
    bias = half(low)
    scale = half((high - bias) / (2**bits - 1)) or 1.0
    codes = [min(max(round((x - bias) / scale), 0), 2**bits - 1) for x in row]
    return float(np.square([scale * c + bias - x for c, x in zip(codes, row, strict=True)]).sum())


def search(row: list[float], bits: int, bins: int, ratio: float) -> tuple[float, float]:
    """The search as its authors tell it, of one row."""
    low, high = min(row), max(row)
    step = (high - low) / bins
    found = [(row_loss(row, low, high, bits), low, high)]
    least = bins * (1 - ratio) * step
    while low + least < high:
        raised = row_loss(row, low + step, high, bits)
        lowered = row_loss(row, low, high - step, bits)
        loss = row_loss(row, low, high, bits)
        if loss < raised and loss < lowered:
            found.append((loss, low, high))
        low, high = (low + step, high) if raised < lowered else (low, high - step)
    return min(found)[1:]


@pytest.mark.parametrize(("bits", "bins", "ratio"), [(4, 200, 0.16), (2, 50, 0.5), (4, 7, 1.0)])
def test_greedy_search(bits: int, bins: int, ratio: float) -> None:
    table = random_table(12, 24)
    ranges = greedy(table, bits, bins, ratio)
    expected = [search(row.tolist(), bits, bins, ratio) for row in table]
    np.testing.assert_array_equal(np.stack(ranges, axis=1), expected)


def test_errors_of_the_searches() -> None:
    """The greedy range is never worse than that from the smallest to the largest value."""
    table = random_table(200, 32)

    def errors(method: str, bits: int) -> npt.NDArray[np.float64]:
        values = RowTable.from_float(table, bits, method).values()
        result: npt.NDArray[np.float64] = np.square(values - table).sum(axis=1)
        return result

    for bits in (2, 4, 8):
        assert (errors("greedy", bits) <= errors("asymmetric", bits)).all()
    assert (errors("greedy", 4) < errors("asymmetric", 4)).any()
    assert errors("asymmetric", 4).sum() < errors("symmetric", 4).sum()


@pytest.mark.parametrize("method", ROW_RANGES)
def test_rows_of_one_value(method: str) -> None:
    table = RowTable.from_float(np.array([[0.5, 0.5], [0, 0]]), 4, method)
    values = table.values()
    assert values[1].tolist() == [0, 0]
    assert np.abs(values[0] - 0.5).max() < 0.001
    assert (table.scale > 0).all()


@pytest.mark.parametrize("rounding", [True, False])
@pytest.mark.parametrize("group", [1, 2, 16])
@pytest.mark.parametrize("name", ["5opt", "3opt", "2opt"])
def test_codes_of_four_bits_are_exact_in_every_window(
    name: str, group: int, rounding: bool
) -> None:
    codes = np.stack(np.meshgrid(*[np.arange(16, dtype=np.uint8)] * 2), axis=-1).reshape(16, 32)
    for vsparq in (True, False):
        fmt = named_format(name, rounding, vsparq, group)
        np.testing.assert_array_equal(sparq(codes, fmt), codes)


def test_scale_and_bias_fold_out() -> None:
    """What the array makes of the codes of a row, folded, is the product of its values: exactly."""
    rng = np.random.default_rng(SEED)
    table = RowTable.from_float(random_table(20, 24))
    weights = rng.integers(-128, 128, (24, 5), dtype=np.int8)
    ids = rng.integers(0, 20, 11)
    codes, scale, bias = table.lookup(ids)
    products = sparq_matmul(codes, weights, named_format("2opt"))
    np.testing.assert_array_equal(products, exact_matmul(codes, weights))
    folded = fold(products, scale, bias, weights.sum(axis=0, dtype=np.int32))
    for row, got in zip(table.values()[ids], folded.tolist(), strict=True):
        for column, value in enumerate(got):
            terms = zip(row.tolist(), weights[:, column].tolist(), strict=True)
            assert sum(Fraction(x) * w for x, w in terms) == value * UNIT


def test_bags_are_summed_exactly() -> None:
    rng = np.random.default_rng(SEED)
    table = RowTable.from_float(random_table(20, 6))
    ids = rng.integers(0, 20, (7, 4))
    present = rng.random((7, 4)) < 0.6
    present[0] = False
    sums = pool(*table.lookup(ids), present)
    for own, counted, got in zip(ids, present, sums.tolist(), strict=True):
        rows = table.values()[own[counted]]
        expected = [sum((Fraction(x) for x in column), Fraction()) for column in rows.T.tolist()]
        assert (expected or [Fraction(0)] * 6) == [value * UNIT for value in got]


def test_requantization_of_wide_sums() -> None:
    """Half to even, from ties, negative sums, and sums of 46 bits."""
    rng = np.random.default_rng(SEED)
    sums = np.concatenate([rng.integers(-(2**46), 2**46, 200), np.arange(-20, 600)])
    for multiplier, shift in ((20000, 46), (1 << 14, 15), (1 << 14, 16), (3, 0), (0, 4)):
        got = requantize_wide(sums, multiplier, shift)
        exact = [round(Fraction(value * multiplier, 1 << shift)) for value in sums.tolist()]
        assert got.tolist() == [min(max(value, 0), 255) for value in exact]


@pytest.mark.parametrize("bits", [2, 4])
def test_codebooks(bits: int) -> None:
    """Each code is that of the nearest value; rows of few values are exact to half precision."""
    table = random_table(30, 20)
    for blocks in (None, 1, 5):
        coded = CodebookTable.from_float(table, bits, blocks)
        books = coded.codebooks[coded.block].astype(np.float64)
        distances = np.abs(table[:, :, np.newaxis] - books[:, np.newaxis])
        chosen = np.take_along_axis(distances, coded.codes[..., np.newaxis].astype(int), axis=2)
        np.testing.assert_allclose(chosen[..., 0], distances.min(axis=2), atol=1e-12)
        count = 30 if blocks is None else len(coded.codebooks)
        assert blocks is None or 1 <= count <= blocks
        rows = 30 * (20 * bits // 8 + (count != 30))
        assert coded.nbytes == rows + count * 2**bits * 2
        assert coded.pack().shape == (30, 20 * bits // 8)
        np.testing.assert_array_equal(coded.values()[[3, 4]], coded.lookup([3, 4]))
    few = np.repeat(random_table(6, 2**bits), 3, axis=1)
    error = np.abs(CodebookTable.from_float(few, bits).values() - few)
    assert (error <= np.abs(few) * 2.0**-11 + 2.0**-24).all()


def test_codebooks_of_rows_are_better_than_ranges() -> None:
    table = random_table(100, 32)
    tables = [CodebookTable.from_float(table), RowTable.from_float(table)]
    own, ranges = (np.square(each.values() - table).sum() for each in tables)
    assert own < ranges


HALVES: Any = np.ones(1), np.ones(1, np.float16)

REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: RowTable.from_float(np.ones((2, 2)), 3), "bits must be 2, 4 or 8, not 3"),
    (lambda: RowTable.from_float(np.ones(3)), "values must have the shape (rows, width), not (3,)"),
    (
        lambda: RowTable.from_float(np.ones((1, 1), int)),
        "values must be floating-point numbers, not int64",
    ),
    (
        lambda: RowTable.from_float(np.array([[0, np.nan]])),
        "values must be finite, of magnitudes up to 65504, not nan (at index [0, 1])",
    ),
    (
        lambda: RowTable.from_float(np.ones((1, 1)), 4, "best"),
        "method must be one of symmetric, asymmetric, greedy, not 'best'",
    ),
    (
        lambda: RowTable.from_float(np.ones((1, 1)), bins=0),
        "bins must be an integer of at least 1, not 0",
    ),
    (lambda: RowTable.from_float(np.ones((1, 1)), ratio=2), "ratio must be from 0 to 1, not 2"),
    (
        lambda: RowTable.from_float(np.ones((2, 1))).lookup([2]),
        "ids must be integers from 0 to 1, not 2 (at index [0])",
    ),
    (
        lambda: RowTable.unpack(np.zeros((2, 5), np.uint8), 4),
        "packed must have the shape (rows, 6), not (2, 5)",
    ),
    (
        lambda: CodebookTable.from_float(np.ones((2, 2)), 8),
        "bits of codebooks must be 2 or 4, not 8",
    ),
    (
        lambda: CodebookTable.from_float(np.ones((2, 2)), 4, 3),
        "blocks must be an integer from 1 to 2, not 3",
    ),
    (
        lambda: requantize_wide(np.array([2**47]), 1, 0),
        "sums must be below 2**47, not 1.40737e+14",
    ),
    (lambda: requantize_wide(np.array([1], np.int32), 1, 0), "sums must be int64, not int32"),
    (
        lambda: fold(np.ones((1, 1), int), HALVES[0], HALVES[1], np.ones(1, int)),
        "scales and biases must be float16, not float64",
    ),
    (
        lambda: fold(
            np.ones((1, 1), int),
            np.full(1, np.inf, np.float16),
            np.ones(1, np.float16),
            np.ones(1, int),
        ),
        "scales and biases must be finite",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError), match=f"^{re.escape(message)}$"):
        call()
