"""Processing elements side by side, against their contract in every cycle."""

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from gen.configuration import Configuration
from golden import encode_pairs, pack_pairs, sparq
from sim_tb.benches.common import PARAMETERS, fields, generator, record, where

CONTROL = ("first", "last", "shift")


class Element:
    """What one processing element must do with a sequence of pairs and weights."""

    def __init__(self, options: dict[str, Any], ports: Sequence[dict[str, Any]]):
        self.configuration = Configuration(**options)
        self.outputs = [(p["name"], p["width"]) for p in ports if p["direction"] == "output"]
        self.code_bits = next(p["width"] for p in ports if p["name"] == "activation_in")
        self.weight_bits = next(p["width"] for p in ports if p["name"] == "weight_in")

    def codes(self, x: Any) -> list[int]:
        """The activation codes of pairs ``x``, (cycles, 2); cycles follow each other along K."""
        pe = self.configuration.pe
        if pe == "sparq":
            fmt = self.configuration.sparq_format
            return pack_pairs(encode_pairs(x.ravel(), fmt), fmt).astype(int).tolist()
        first, second = x.astype(int).T
        code = {"8x8": first, "2x8x8": first | second << 8}
        return code.get(pe, (first & 15) | (second & 15) << 4).tolist()

    def dot_products(self, x: Any, w: Any) -> list[int]:
        """What each cycle adds."""
        pe = self.configuration.pe
        values = x
        if pe == "sparq":
            values = sparq(x.ravel(), self.configuration.sparq_format).reshape(x.shape)
        products = (values & 15 if pe == "2x4x8" else values).astype(int) * w
        return (products[:, 0] if pe == "8x8" else products.sum(axis=1)).tolist()


async def compare(dut: Any, what: str, x: Any, w: Any, control: Any) -> int:
    """Apply pairs, weights and control, one a cycle, and check every output in every cycle."""
    elements = [Element(*item) for item in PARAMETERS["elements"]]
    rng = generator(len(x))
    codes = list(zip(*(e.codes(x) for e in elements), strict=True))
    sums = list(zip(*(e.dot_products(x, w) for e in elements), strict=True))
    widths = [width for e in elements for _, width in e.outputs]
    accumulators: list[int] = [0] * len(elements)
    results: list[int | None] = [None] * len(elements)
    checks = 0
    for cycle in range(len(x)):
        first, last, shift = map(int, control[cycle])
        above = int(rng.integers(-(2**63), 2**63 - 1))
        weight = int(w[cycle, 0]) & 255 | (int(w[cycle, 1]) & 255) << 8
        packed = offset = 0
        for element, code in zip(elements, codes[cycle], strict=True):
            packed |= code << offset
            offset += element.code_bits
        dut.activation_in.value = packed
        dut.weight_in.value = weight
        dut.first_in.value, dut.last_in.value, dut.shift_in.value = first, last, shift
        dut.result_in.value = above & ((1 << len(dut.result_in)) - 1)
        await FallingEdge(dut.clk)
        got = iter(fields(int(dut.outputs.value), widths))
        for index, element in enumerate(elements):
            total = (0 if first else accumulators[index]) + sums[cycle][index]
            accumulators[index] = total
            if last or shift:
                results[index] = total if last else above
            expected = {
                "first_out": first,
                "last_out": last,
                "shift_out": shift,
                "activation_out": codes[cycle][index],
                "weight_out": weight,
                "result_out": results[index],
            }
            for name, width in element.outputs:
                value, want = next(got), expected[name]
                if want is None:
                    continue
                want &= (1 << width) - 1
                assert value == want, where(
                    f"{element.configuration.name}, {what}, cycle {cycle}, x {x[cycle].tolist()}, "
                    f"w {w[cycle].tolist()}, {name}: expected {want:#x}, got {value:#x}"
                )
                checks += 1
    return checks


async def start(dut: Any) -> None:
    """Start the clock and reset the elements."""
    for name in ("activation_in", "weight_in", "result_in", *(f"{c}_in" for c in CONTROL)):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, "ns").start()
    await FallingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test()
async def corners(dut: Any) -> None:
    """Every pair of extreme activations and weights, each its own sum."""
    await start(dut)
    x_values, w_values = (0, 1, 15, 16, 127, 128, 254, 255), (-128, -1, 0, 1, 127)
    mesh = np.meshgrid(x_values, x_values, w_values, w_values, indexing="ij")
    x0, x1, w0, w1 = (axis.ravel() for axis in mesh)
    x, w = np.stack([x0, x1], axis=1).astype(np.uint8), np.stack([w0, w1], axis=1)
    record(await compare(dut, "corners", x, w, np.tile([1, 1, 0], (len(x), 1))))


@cocotb.test()
async def full_scale(dut: Any) -> None:
    """Sums of extreme products, as long as an accumulator is sure to hold them, and longer.

    ``limit`` steps of K are half as many slices for an element that takes two: with as many slices
    as steps, the 8x8 element reaches its limit, and the others wrap.
    """
    await start(dut)
    limit = min(Configuration(**o).max_reduction for o, _ in PARAMETERS["elements"])
    checks = 0
    for weight in (-128, 127):
        for length in (limit // 2, limit):
            control = np.zeros((length, 3), int)
            control[0, 0] = control[:, 1] = 1
            x, w = np.full((length, 2), 255, np.uint8), np.full((length, 2), weight)
            checks += await compare(dut, f"full scale, weight {weight}", x, w, control)
    record(checks)


@cocotb.test()
async def random_sums(dut: Any) -> None:
    """Random pairs, weights and control; sums beyond an accumulator's range wrap."""
    await start(dut)
    rng = generator(0)
    x = rng.integers(0, 256, (1500, 2), dtype=np.uint8)
    x[rng.random(x.shape) < 0.3] = 0
    w = rng.integers(-128, 128, x.shape)
    control = rng.random((len(x), 3)) < (0.08, 0.3, 0.4)
    control[0, 0] = True
    record(await compare(dut, "random", x, w, control))
