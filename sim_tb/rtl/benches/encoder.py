"""All encoders on one input, against the golden encoding."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from golden import SparqFormat, encode_pairs, named_format, pack_pairs
from golden.format import GROUPS
from sim_tb.rtl.benches.common import PARAMETERS, fields, generator, record, where

FORMATS = [named_format(*mode) for mode in PARAMETERS.get("formats", [])]
SHARED_BITS = 8


def outputs(columns: Sequence[Any]) -> list[int]:
    """What stands on the outputs of all encoders together, each with a column of codes."""
    words, low = np.zeros(len(columns[0]), object), 0
    for fmt, column in zip(FORMATS, columns, strict=True):
        words += column.astype(object) << low
        low += fmt.pair_bits
    return words.tolist()


def compare(dut: Any, expected: int, what: str) -> None:
    """The encoders' outputs."""
    word = int(dut.outputs.value)
    if word == expected:
        return
    widths = [fmt.pair_bits for fmt in FORMATS]
    for mode, got, want in zip(
        PARAMETERS["formats"], fields(word, widths), fields(expected, widths), strict=True
    ):
        assert got == want, where(f"{what}, {mode}: expected {want:#x}, got {got:#x}")


@cocotb.test()
async def every_pair(dut: Any) -> None:
    """Each of the 65,536 pairs in each format, alone in its group."""
    words = np.arange(1 << 16)
    pairs = np.stack([words & 255, words >> 8], axis=-1).astype(np.uint8)
    columns = [pack_pairs(encode_pairs(pairs, fmt), fmt)[:, 0] for fmt in FORMATS]
    for word, expected in enumerate(outputs(columns)):
        dut.activations.value = word
        await Timer(1, "ns")
        compare(dut, expected, f"pair {pairs[word].tolist()}")
    record(len(words) * len(FORMATS))


@cocotb.test()
async def signed_pairs(dut: Any) -> None:
    """Random pairs of signed bytes, or of affine ones with every zero point; many are near 0."""
    rng = generator()
    zero_points = np.zeros(1, int)
    if FORMATS[0].takes_zero_point:
        zero_points = rng.permutation(256)
    low, high = (0, 256) if FORMATS[0].takes_zero_point else (-127, 128)
    count = PARAMETERS.get("pairs", 1 << 13) // len(zero_points)
    for zero_point in zero_points.tolist():
        pairs = rng.integers(low, high, (count, 2))
        near = rng.random(pairs.shape) < 0.3
        pairs[near] = (zero_point + pairs[near] // 32).clip(low, high - 1)
        columns = [pack_pairs(encode_pairs(pairs, f, zero_point), f)[:, 0] for f in FORMATS]
        if FORMATS[0].takes_zero_point:
            dut.zero_point.value = zero_point
        for (a, b), expected in zip(pairs.tolist(), outputs(columns), strict=True):
            dut.bytes.value = (a & 255) | (b & 255) << 8
            await Timer(1, "ns")
            compare(dut, expected, f"pair {[a, b]}, zero point {zero_point}")
    record(count * len(zero_points) * len(FORMATS))


def shared(row: Sequence[int], fmt: SparqFormat) -> list[int]:
    """For each pair of ``row``, the OR of its group, without those with a zero if vSPARQ."""
    values: list[int] = []
    for start in range(0, len(row), fmt.group):
        group = row[start : start + fmt.group]
        pairs = zip(group[::2], group[1::2], strict=True)
        counted = (a | b for a, b in pairs if not (fmt.vsparq and 0 in (a, b)))
        values += [reduce(or_, counted, 0)] * (fmt.group // 2)
    return values


@cocotb.test()
async def random_groups(dut: Any) -> None:
    """Every pair of random groups, of small and of large activations."""
    rng = generator()
    rows = rng.integers(0, 256, (600, max(GROUPS))) >> rng.integers(0, 8, (600, 1))
    rows[rng.random(rows.shape) < 0.25] = 0
    columns = [pack_pairs(encode_pairs(rows, fmt), fmt).ravel() for fmt in FORMATS]
    largest = [[word for row in rows.tolist() for word in shared(row, fmt)] for fmt in FORMATS]
    expected = outputs(columns)
    for step, (ors, (a, b)) in enumerate(
        zip(zip(*largest, strict=True), rows.reshape(-1, 2).tolist(), strict=True)
    ):
        dut.activations.value = a | b << 8
        dut.shared.value = sum(word << SHARED_BITS * i for i, word in enumerate(ors))
        await Timer(1, "ns")
        row = rows[step * 2 // rows.shape[1]].tolist()
        compare(dut, expected[step], f"pair {[a, b]} of {row}")
    record(len(expected) * len(FORMATS))
