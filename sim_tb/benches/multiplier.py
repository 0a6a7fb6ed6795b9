"""The multipliers of all formats on one input, against their definition."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from golden import named_format
from sim_tb.benches.common import PARAMETERS, fields, generator, record, where

WEIGHT_BITS = 8


@cocotb.test()
async def every_product(dut: Any) -> None:
    """Each window, weight and legal ShiftCtrl; a format takes part where it has them."""
    names = PARAMETERS["formats"]
    formats = [named_format(name) for name in names]
    widths = [fmt.window_bits + WEIGHT_BITS + fmt.lane_shifts[-1] for fmt in formats]
    checks = 0
    for code in range(max(len(fmt.lane_shifts) for fmt in formats)):
        dut.shift_ctrl.value = code
        for x in range(1 << max(fmt.window_bits for fmt in formats)):
            dut.x.value = x
            taking_part = [
                (index, fmt.lane_shifts[code])
                for index, fmt in enumerate(formats)
                if code < len(fmt.lane_shifts) and x < 1 << fmt.window_bits
            ]
            for weight in range(-128, 128) if taking_part else ():
                dut.weight.value = weight & 255
                await Timer(1, "ns")
                got = fields(int(dut.outputs.value), widths)
                for index, shift in taking_part:
                    expected = ((x * weight) << shift) & ((1 << widths[index]) - 1)
                    assert got[index] == expected, where(
                        f"{names[index]}: {x} * {weight} << {shift}: "
                        f"expected {expected:#x}, got {got[index]:#x}"
                    )
                checks += len(taking_part)
    record(checks)


@cocotb.test()
async def every_product_and_another(dut: Any) -> None:
    """Each window and weight of lane 0 and legal ShiftCtrl, with random ones in lane 1."""
    names = PARAMETERS["formats"]
    formats = [named_format(name, vsparq=False, group=2) for name in names]
    widths = [fmt.window_bits + WEIGHT_BITS + 1 + fmt.lane_shifts[-1] for fmt in formats]
    windows = 1 << max(fmt.window_bits for fmt in formats)
    rng = generator()
    checks = 0
    for code in range(max(len(fmt.lane_shifts) for fmt in formats)):
        dut.shift_ctrl.value = code
        taking_part = [
            (index, (1 << fmt.window_bits) - 1, fmt.lane_shifts[code])
            for index, fmt in enumerate(formats)
            if code < len(fmt.lane_shifts)
        ]
        for x0 in range(windows):
            others = zip(rng.integers(0, windows, 256), rng.integers(-128, 128, 256), strict=True)
            dut.x0.value = x0
            for weight0, (x1, weight1) in zip(range(-128, 128), others, strict=True):
                x1, weight1 = int(x1), int(weight1)
                dut.weight0.value, dut.x1.value = weight0 & 255, x1
                dut.weight1.value = weight1 & 255
                await Timer(1, "ns")
                got = fields(int(dut.outputs.value), widths)
                for index, mask, shift in taking_part:
                    total = (x0 & mask) * weight0 + (x1 & mask) * weight1
                    expected = (total << shift) & ((1 << widths[index]) - 1)
                    assert got[index] == expected, where(
                        f"{names[index]}: ({x0 & mask} * {weight0} + {x1 & mask} * {weight1}) "
                        f"<< {shift}: expected {expected:#x}, got {got[index]:#x}"
                    )
                checks += len(taking_part)
    record(checks)
