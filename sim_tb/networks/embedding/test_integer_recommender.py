"""The recommender in integers: exact where it says so, and close to floating point."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from golden import exact_matmul, named_format, sparq_matmul
from golden.embedding import CodebookTable, RowTable
from networks.embedding.integer_recommender import (
    IntegerRecommender,
    exact,
    quantize_recommender,
    row_table,
)
from sim_tb.oracle.small_recommenders import small_batch, small_recommender

COUNT = 40


def quantized(bits: int = 4) -> IntegerRecommender:
    model = small_recommender()
    tables = [RowTable.from_float(table, bits) for table in model.tables]
    bag = RowTable.from_float(model.bag, bits)
    return quantize_recommender(model, tables, bag, small_batch(200, seed=9))


def half_even(value: Fraction) -> int:
    return min(max(round(value), 0), 255)


def test_the_first_layer_of_the_top_in_fractions() -> None:
    """Its inputs are the values of rows, of bags as bytes and of the bottom; its sums are exact."""
    model, batch = quantized(), small_batch(COUNT)
    inputs: dict[str, npt.NDArray[np.uint8]] = {}

    def multiply(
        name: str, x: npt.NDArray[np.uint8], w: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int32]:
        inputs[name] = x
        return exact_matmul(x, w)

    model.forward(batch, multiply)
    first = model.top[0]
    after_first = model.requantizations[len(model.bottom)]
    unit = Fraction(1, 1 << 24)
    for sample in range(0, COUNT, 7):
        values: list[Fraction] = []
        for kind, table in enumerate(model.tables):
            values += map(Fraction, table.values()[batch.ids[sample, kind]].tolist())
        members = [member for member in batch.bags[sample] if member >= 0]
        own = model.bag_requantization
        for column in range(model.bag.codes.shape[1]):
            total = sum((Fraction(model.bag.values()[m, column]) for m in members), Fraction())
            scale = Fraction(int(own.multiplier[column]), 1 << int(own.shift[column]))
            byte = half_even(total / unit * scale)
            assert inputs["top0 bag"][sample, column] == byte
            values.append(byte * Fraction(float(model.bag_scale)))
        bottom = Fraction(float(model.bottom_scale))
        values += [int(byte) * bottom for byte in inputs["top0 dense"][sample]]
        for channel in range(first.weights.shape[1]):
            pairs = zip(values, first.weights[:, channel].tolist(), strict=True)
            total = sum((value * weight for value, weight in pairs), Fraction())
            total = total / unit + int(first.bias[channel])
            scale = Fraction(
                int(after_first.multiplier[channel]), 1 << int(after_first.shift[channel])
            )
            assert inputs["top1"][sample, channel] == half_even(total * scale)


def test_lookups_lose_nothing_in_windows() -> None:
    model, batch = quantized(), small_batch(COUNT)
    names = []

    def multiply(
        name: str, x: npt.NDArray[np.uint8], w: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int32]:
        sums = sparq_matmul(x, w, named_format("2opt"))
        if "lookup" in name:
            names.append(name)
            np.testing.assert_array_equal(sums, exact_matmul(x, w))
        return sums

    model.forward(batch, multiply)
    assert names == ["top0 lookup0", "top0 lookup1"]


@pytest.mark.parametrize("blocks", [0, 2])
def test_close_to_floating_point(blocks: int) -> None:
    """Of tables of 8 bits, and of codebooks, which go as bytes of one range."""
    model, batch = small_recommender(), small_batch(COUNT)

    def coded(values: npt.NDArray[np.float64]) -> RowTable | CodebookTable:
        if blocks:
            return CodebookTable.from_float(values, 4, blocks)
        return RowTable.from_float(values, 8, "asymmetric")

    tables = [coded(table) for table in model.tables]
    bag = coded(model.bag)
    integers = quantize_recommender(model, tables, bag, small_batch(200, seed=9))
    expected = model.forward(batch)
    error = integers.forward(batch, exact) - expected
    assert np.abs(error).max() < (0.15 if blocks else 0.05) * np.ptp(expected)
    for own, table in zip(integers.tables, tables, strict=True):
        step = float(row_table(table).scale.max())
        assert np.abs(own.values() - table.values()).max() <= 0.55 * step
