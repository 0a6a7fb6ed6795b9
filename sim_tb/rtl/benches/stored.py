"""Pairs through all encoders and decoders of stored pairs, against golden."""

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from golden import encode_pairs, named_format, pack_pairs, store_pairs
from sim_tb.rtl.benches.common import PARAMETERS, fields, generator, record, where

FORMATS = [named_format(*mode) for mode in PARAMETERS["formats"]]


PAIRS = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
ENCODED = [encode_pairs(PAIRS, fmt) for fmt in FORMATS]
WIDTHS = [width for fmt in FORMATS for width in (fmt.stored_pair_bits, fmt.pair_bits)]


async def check(dut: Any, numbers: Sequence[int]) -> None:
    """Of some of ``PAIRS``: the stored word of each format, and the pair that this decodes to."""
    columns = [
        convert(encoded, fmt)[numbers, 0]
        for encoded, fmt in zip(ENCODED, FORMATS, strict=True)
        for convert in (store_pairs, pack_pairs)
    ]
    expected = np.stack(columns, axis=-1).tolist()
    for number, want in zip(numbers, expected, strict=True):
        dut.activations.value = number
        await Timer(1, "ns")
        got = fields(int(dut.outputs.value), WIDTHS)
        pair = PAIRS[number].tolist()
        assert got == want, where(f"pair {pair}: expected {want}, got {got}")
    record(len(expected) * len(WIDTHS))


@cocotb.test()
async def every_pair(dut: Any) -> None:
    """Each of the 65,536 pairs in each format."""
    await check(dut, range(len(PAIRS)))


@cocotb.test()
async def every_code(dut: Any) -> None:
    """Of each pair that bytes are encoded as, in each format, one pair of bytes; in any order."""
    numbers: set[int] = set()
    for encoded, fmt in zip(ENCODED, FORMATS, strict=True):
        _, first = np.unique(pack_pairs(encoded, fmt)[:, 0], return_index=True)
        numbers |= {*first.tolist()}
    await check(dut, generator().permutation(sorted(numbers)).tolist())
