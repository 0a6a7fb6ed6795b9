"""All encoders on one input, against the golden encoding of every pair."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from golden import encode_pairs, named_format, pack_pairs
from sim_tb.benches.common import PARAMETERS, fields, record, where


@cocotb.test()
async def every_pair(dut: Any) -> None:
    """Each of the 65,536 pairs in each format."""
    formats = [named_format(*mode) for mode in PARAMETERS["formats"]]
    widths = [fmt.pair_bits for fmt in formats]
    words = np.arange(1 << 16)
    pairs = np.stack([words & 255, words >> 8], axis=-1).astype(np.uint8)
    columns = [pack_pairs(encode_pairs(pairs, fmt), fmt)[:, 0].tolist() for fmt in formats]
    for word, expected in enumerate(zip(*columns, strict=True)):
        dut.activations.value = word
        await Timer(1, "ns")
        got = fields(int(dut.outputs.value), widths)
        if got != list(expected):
            index = next(i for i, fmt in enumerate(formats) if got[i] != expected[i])
            raise AssertionError(
                where(
                    f"pair {pairs[word].tolist()}, {PARAMETERS['formats'][index]}: "
                    f"expected {expected[index]:#x}, got {got[index]:#x}"
                )
            )
    record(len(words) * len(formats))
