"""Processing elements side by side, against their contract in every cycle."""

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from gen.design.configuration import Configuration
from hdl.multiplier.style import Style
from sim_tb.hdl.operands import (
    activation_codes,
    activation_range,
    bias,
    effective,
    weight_code,
)
from sim_tb.rtl.benches.common import PARAMETERS, fields, generator, record, where

OWN = ("activation_in", "weight_in", "last_in")
"""Inputs that each element has for itself."""


class Element:
    """What one processing element must do with a sequence of pairs and weights."""

    def __init__(self, options: dict[str, Any], multiplier: str, ports: Sequence[dict[str, Any]]):
        self.configuration = Configuration(**options)
        self.fmt = self.configuration.mac.sparq_format
        self.multiplier = multiplier
        self.outputs = [(p["name"], p["width"]) for p in ports if p["direction"] == "output"]
        self.own = {p["name"]: p["width"] for p in ports if p["name"] in OWN}
        self.k = 1 if self.configuration.pe == "8x8" else 2

    def codes(self, x: Any) -> list[int]:
        """The activation codes of pairs ``x``, (cycles, 2); cycles follow each other along K."""
        return activation_codes(self.configuration.pe, self.fmt, self._activations(x).ravel())

    def weights(self, w: Any) -> list[int]:
        """The weight codes of weights (cycles, 2)."""
        bits = self.configuration.mac.weight_bits
        return [weight_code(self.multiplier, row[: self.k], bits) for row in w]

    def sums(self, x: Any, w: Any) -> list[int]:
        """What each cycle adds: products and bias."""
        x, w = self._activations(x), w[:, : self.k]
        values = effective(self.configuration.pe, self.fmt, x.ravel())
        values = np.reshape(values, x.shape).astype(int)
        bits = self.configuration.mac.weight_bits
        return [
            int(row @ weights) + bias(self.multiplier, row, weights, bits)
            for row, weights in zip(values, w, strict=True)
        ]

    def _activations(self, x: Any) -> Any:
        """What pairs of bytes (cycles, 2) stand for: some are negative in a signed format."""
        x = x[:, : self.k]
        if self.fmt is None or not self.fmt.signed:
            return x
        low, high = activation_range(self.fmt)
        return np.where(x & 2, -x.astype(int), x.astype(int)).clip(low, high)


async def compare(dut: Any, what: str, x: Any, w: Any, control: Any) -> int:
    """Apply pairs, weights and control, one a cycle, and check every output in every cycle.

    ``control`` tells of last and drain; each element gets last as late as its pipeline demands. The
    sum that the first last ends is not known.
    """
    elements = [Element(*item) for item in PARAMETERS["elements"]]
    rng = generator(len(x))
    codes = [element.codes(x) for element in elements]
    weights = [element.weights(w) for element in elements]
    sums = [element.sums(x, w) for element in elements]
    widths = [width for e in elements for _, width in e.outputs]
    accumulators: list[int | None] = [None] * len(elements)
    results: list[int | None] = [None] * len(elements)
    above = [int(rng.integers(-(2**63), 2**63 - 1)) for _ in x]
    checks = 0
    for cycle in range(len(x)):
        words = dict.fromkeys(OWN, 0)
        offsets = dict.fromkeys(OWN, 0)
        for index, element in enumerate(elements):
            late = cycle - element.configuration.mac.pipeline
            values = {
                "activation_in": codes[index][cycle],
                "weight_in": weights[index][cycle],
                "last_in": int(late >= 0 and control[late][0]),
            }
            for name, width in element.own.items():
                words[name] |= values[name] << offsets[name]
                offsets[name] += width
        for name, word in words.items():
            getattr(dut, name).value = word
        drain = int(control[cycle][1])
        dut.drain_in.value = drain
        dut.result_in.value = above[cycle] & ((1 << len(dut.result_in)) - 1)
        await FallingEdge(dut.clk)

        got = iter(fields(int(dut.outputs.value), widths))
        for index, element in enumerate(elements):
            # Control acts one cycle after it came, on what had been added until then.
            pipeline = element.configuration.mac.pipeline
            late = cycle - 1 - pipeline
            total = accumulators[index]
            if late >= 0 and total is not None:
                total += sums[index][late]
            last = late >= 0 and bool(control[late][0])
            if last:
                results[index] = total
            elif cycle >= 1 and control[cycle - 1][1]:
                results[index] = above[cycle]
            accumulators[index] = 0 if last else total
            expected = {
                "last_out": int(cycle >= pipeline and control[cycle - pipeline][0]),
                "drain_out": drain,
                "activation_out": codes[index][cycle],
                "weight_out": weights[index][cycle],
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
    for name in (*OWN, "drain_in", "result_in"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, "ns").start()
    await FallingEdge(dut.clk)
    dut.rst.value = 0


def surrounded(x: Any, w: Any, last: Any) -> tuple[Any, Any, Any]:
    """Operands and control, after a cycle that ends what was before, and until all is seen."""
    around = (1, 2 + Style.BEHAVIORAL.max_pipeline)
    x, w = (np.pad(operands, (around, (0, 0))) for operands in (x, w))
    control = np.stack([np.pad(last, around), np.zeros(len(x), bool)], axis=1)
    control[0, 0] = True
    return x, w, control


@cocotb.test()
async def corners(dut: Any) -> None:
    """Every pair of extreme activations and weights, each its own sum."""
    await start(dut)
    x_values, w_values = (0, 1, 15, 16, 127, 128, 254, 255), (-128, -1, 0, 1, 127)
    mesh = np.meshgrid(x_values, x_values, w_values, w_values, indexing="ij")
    x0, x1, w0, w1 = (axis.ravel() for axis in mesh)
    x, w = np.stack([x0, x1], axis=1).astype(np.uint8), np.stack([w0, w1], axis=1)
    record(await compare(dut, "corners", *surrounded(x, w, np.ones(len(x), bool))))


@cocotb.test()
async def full_scale(dut: Any) -> None:
    """Sums of extreme products, as long as an accumulator is sure to hold them, and longer.

    ``limit`` steps of K are half as many slices for an element that takes two: with as many slices
    as steps, the 8x8 element reaches its limit, and the others wrap.
    """
    await start(dut)
    limit = min(Configuration(**o).max_reduction for o, *_ in PARAMETERS["elements"])
    checks = 0
    for weight in (-128, 127):
        for length in (limit // 2, limit):
            last = np.arange(length) == length - 1
            x, w = np.full((length, 2), 255, np.uint8), np.full((length, 2), weight)
            case = surrounded(x, w, last)
            checks += await compare(dut, f"full scale, weight {weight}", *case)
    record(checks)


@cocotb.test()
async def random_sums(dut: Any) -> None:
    """Random pairs, weights and control; sums beyond an accumulator's range wrap."""
    await start(dut)
    rng = generator(0)
    x = rng.integers(0, 256, (1500, 2), dtype=np.uint8)
    x >>= rng.integers(0, 8, (len(x), 1), dtype=np.uint8)  # windows stand low as often as high
    x[rng.random(x.shape) < 0.3] = 0
    w = rng.integers(-128, 128, x.shape)
    control = rng.random((len(x), 2)) < (0.1, 0.4)
    control[0, 0] = True
    record(await compare(dut, "random", x, w, control))
