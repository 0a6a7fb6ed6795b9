"""A part of the matrix engine, cycle by cycle, against its model."""

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from sim_tb.hdl.part_cases import CASES
from sim_tb.oracle.cycles import Cycle, LowBits
from sim_tb.rtl.benches.common import PARAMETERS, record, where

RATES = ((0, 0), (0.2, 0.5), (0.5, 0.2), (0, 0.9))
"""Of stalls before and behind it."""
RESETS = 0.03
"""The part of cycles with a reset, where there are any."""


async def play(dut: Any, cycles: list[Cycle]) -> None:
    """Drive all inputs that the part has, and compare all outputs that mean something."""
    inputs = [name for name in cycles[0].given if hasattr(dut, name)]
    outputs = {name for own in cycles for name in own.expected if hasattr(dut, name)}
    assert outputs
    for number, (given, expected) in enumerate(cycles):
        await FallingEdge(dut.clk)
        for name in inputs:
            port = getattr(dut, name)
            port.value = given[name] % 2 ** len(port)
        await ReadOnly()
        for name, must_be in expected.items():
            if name in outputs:
                got = getattr(dut, name).value
                if isinstance(must_be, LowBits):
                    got = got[must_be.bits - 1 : 0]
                found = f"{name} is {got} and must be {must_be}, with {given}"
                assert got.is_resolvable, where(f"cycle {number}: {found}")
                assert int(got) == must_be, where(f"cycle {number}: {found}")
    record(sum(len(own.expected) for own in cycles))


@cocotb.test()
async def every_rate(dut: Any) -> None:
    """From a reset: with and without stalls, then with resets in between."""
    Clock(dut.clk, 10, "ns").start()
    case, seed = CASES[PARAMETERS["case"]], PARAMETERS["seed"]
    for place, rates in enumerate(RATES):
        await restart(dut)
        await play(dut, case.cycles(seed + place, *rates))
    await restart(dut)
    await play(dut, case.cycles(seed + len(RATES), 0.2, 0.2, RESETS))


async def restart(dut: Any) -> None:
    """One cycle of reset."""
    await FallingEdge(dut.clk)
    dut.rst.value = 1
