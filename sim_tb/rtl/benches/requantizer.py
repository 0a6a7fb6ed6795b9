"""A requantizer lane with stalls, against golden."""

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from sim_tb.oracle.requantization import KINDS, Case, expected
from sim_tb.rtl.benches.common import PARAMETERS, fields, generator, record, where

WIDTHS = [32, 8]
"""Of the outputs: the biased sum and the byte."""

STALLS = 0.1
"""The part of cycles that are none."""


async def check(dut: Any, cases: list[Case], rng: np.random.Generator) -> None:
    """One case per enabled cycle; while it is not enabled, the lane sees another one."""
    latency = PARAMETERS["latency"]
    biased, activations = expected(cases)
    await FallingEdge(dut.clk)
    for place in range(len(cases) + latency - 1):
        while rng.random() < STALLS:
            dut.enable.value = 0
            _drive(dut, cases[rng.integers(len(cases))])
            before = int(dut.outputs.value) if place > latency else 0
            await FallingEdge(dut.clk)
            if place > latency:
                assert int(dut.outputs.value) == before, where(f"it moved before case {place}")
        dut.enable.value = 1
        _drive(dut, cases[min(place, len(cases) - 1)])
        await FallingEdge(dut.clk)
        number = place - latency + 1
        if 0 <= number < len(cases):
            got = fields(int(dut.outputs.value), WIDTHS)
            must_be = [int(biased[number]) % 2**32, int(activations[number])]
            assert got == must_be, where(f"{cases[number]}: expected {must_be}, got {got}")
    record(2 * len(cases))


def _drive(dut: Any, case: Case) -> None:
    for name, value in case._asdict().items():
        getattr(dut, name).value = value % 2 ** len(getattr(dut, name))


@cocotb.test()
async def every_kind(dut: Any) -> None:
    """Cases of all kinds, one kind behind the other."""
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value = 0
    rng = generator()
    for kind in PARAMETERS["kinds"]:
        await check(dut, list(KINDS[kind](rng)), rng)
