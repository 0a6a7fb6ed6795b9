"""The multipliers of all formats on one input, against their definition."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from golden import named_format
from sim_tb.rtl.benches.common import PARAMETERS, fields, record, where

WEIGHT_BITS = 8


@cocotb.test()
async def every_product(dut: Any) -> None:
    """Each window, unsigned weight and shift; a format takes part where it has them."""
    names = PARAMETERS["formats"]
    formats = [named_format(name) for name in names]
    widths = [fmt.window_bits + WEIGHT_BITS + fmt.lane_shifts[-1] for fmt in formats]
    checks = 0
    for code in range(max(len(fmt.lane_shifts) for fmt in formats)):
        dut.shift.value = 1 << code
        for x in range(1 << max(fmt.window_bits for fmt in formats)):
            dut.x.value = x
            taking_part = [
                (index, fmt.lane_shifts[code])
                for index, fmt in enumerate(formats)
                if code < len(fmt.lane_shifts) and x < 1 << fmt.window_bits
            ]
            for weight in range(1 << WEIGHT_BITS) if taking_part else ():
                dut.weight.value = weight
                await Timer(1, "ns")
                got = fields(int(dut.outputs.value), widths)
                for index, shift in taking_part:
                    expected = (x * weight) << shift
                    assert got[index] == expected, where(
                        f"{names[index]}: {x} * {weight} << {shift}: "
                        f"expected {expected:#x}, got {got[index]:#x}"
                    )
                checks += len(taking_part)
    record(checks)
