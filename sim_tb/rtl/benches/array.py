"""An array or a tensor core against the golden products, cycle by cycle."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from gen.design.configuration import Configuration
from gen.design.expectation import expected_product, random_operands
from gen.simulation.tiling import WORD_BYTES, ArrayShape
from sim_tb.rtl.benches.common import PARAMETERS, generator, record, where

SIDECAR: dict[str, Any] = (
    json.loads(Path(PARAMETERS["sidecar"]).read_text()) if PARAMETERS else {"ports": []}
)
CONFIGURATION = Configuration(
    **{name: value for name, value in SIDECAR.get("configuration", {}).items() if value is not None}
)
GROUP = CONFIGURATION.format.group if CONFIGURATION.format else 1
SLICES_PER_GROUP = max(1, GROUP // SIDECAR.get("k_per_cycle", 1))
WIDTHS = {port["name"]: port["width"] for port in SIDECAR["ports"]}

Slice = tuple[int, ...]
"""The operands of one slice, in the order of ``ArrayShape.operands``."""


@dataclass
class Tile:
    """One product for the array."""

    x: Any
    w: Any
    slices: list[Slice]
    expected: Any

    @classmethod
    def random(cls, depth: int, rng: np.random.Generator) -> "Tile":
        """Operands of every kind of pair."""
        x, w, zero_point = random_operands(CONFIGURATION, depth, rng)
        packed = [
            [int.from_bytes(row.tobytes(), "little") for row in words]
            for words in ArrayShape.of(SIDECAR).slices(x, w, zero_point)
        ]
        expected = expected_product(CONFIGURATION, x, w, zero_point)
        return cls(x, w, list(zip(*packed, strict=True)), expected)


@dataclass
class Driver:
    """Feeds slices in and collects rows of results, all at falling edges of the clock.

    Cycle ``n`` ends with the rising edge after the ``n``-th falling one. :attr:`sent` says when, by
    the machine's contract, a tile's last went in: at least ``rows`` cycles after the one before.
    """

    dut: Any
    rng: np.random.Generator
    cycle: int = 0
    sent: list[int] = field(default_factory=list)
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    checks: int = 0

    async def start(self) -> None:
        """Start the clock and reset the machine."""
        Clock(self.dut.clk, 10, "ns").start()
        await self.reset()

    async def reset(self) -> None:
        """Some cycles of reset, whatever is at the inputs; forgets what was seen before."""
        self.dut.rst.value = 1
        for _ in range(int(self.rng.integers(1, 4))):
            self._drive(int(self.rng.integers(2)), *self._garbage())
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.cycle, self.sent, self.rows = 0, [], []
        self._drive(0, *self._garbage())
        self._sample()

    async def bubble(self, cycles: int = 1) -> None:
        """Cycles without a slice, and with anything else at the inputs."""
        for _ in range(cycles):
            self._drive(0, *self._garbage())
            await self._next()

    async def feed(self, slices: Sequence[Slice], bubbles: float, ends: bool) -> None:
        """Offer slices of one tile, with that probability of a bubble in each cycle."""
        for index, operands in enumerate(slices):
            while self.rng.random() < bubbles:
                await self.bubble()
            last = int(ends and index == len(slices) - 1)
            for _ in range(SIDECAR["rows"] + SLICES_PER_GROUP):
                self._drive(1, operands, last)
                taken, cycle = self.ready, self.cycle
                await self._next()
                if taken:
                    break
                if index > 0:
                    raise AssertionError(where(f"in_ready fell in a tile, cycle {cycle}"))
            else:
                raise AssertionError(where(f"in_ready still low in cycle {cycle}"))
            if last:
                earliest = self.sent[-1] + SIDECAR["drain_cycles"] if self.sent else cycle
                self.sent.append(max(cycle, earliest))

    async def run(self, tiles: Sequence[Tile], bubbles: float, name: str) -> None:
        """Multiply ``tiles`` and check every row of results and its cycle."""
        for tile in tiles:
            await self.feed(tile.slices, bubbles, True)
        await self.bubble(SIDECAR["latency"] + 3 * SIDECAR["rows"] + 2)
        self.check(tiles, name)

    def check(self, tiles: Sequence[Tile], name: str) -> None:
        """Compare what was collected since the reset with ``tiles``."""
        shape = ArrayShape.of(SIDECAR)
        timing = [
            (sent + SIDECAR["latency"] + row, int(row == shape.rows - 1))
            for sent in self.sent
            for row in range(shape.rows)
        ]
        got_timing = [(cycle, last) for cycle, last, _ in self.rows]
        for index, (expected, got) in enumerate(zip(timing, got_timing, strict=False)):
            number, row = divmod(index, shape.rows)
            assert expected == got, where(
                f"{name}, tile {number} (K = {tiles[number].x.shape[1]}), "
                f"row {shape.rows - 1 - row}: "
                f"expected (cycle, out_last) {expected}, got {got}"
            )
        assert len(timing) == len(self.rows), where(
            f"{name}: expected {len(timing)} rows of results, got {len(self.rows)}"
        )
        size = -(-WIDTHS["out_acc"] // (8 * WORD_BYTES)) * WORD_BYTES
        for index, tile in enumerate(tiles):
            rows = self.rows[index * shape.rows : (index + 1) * shape.rows]
            words = np.array([list(acc.to_bytes(size, "little")) for _, _, acc in rows], np.uint8)
            sums = shape.results(words)
            for row, column in np.argwhere(sums != tile.expected)[:1]:
                raise AssertionError(
                    where(
                        f"{name}, tile {index} (K = {tile.x.shape[1]}), row {row}, column {column}:"
                        f" expected {tile.expected[row, column]}, got {sums[row, column]}"
                    )
                )
            self.checks += sums.size
        self.checks += 2 * len(timing)

    def _garbage(self) -> tuple[Slice, int]:
        """Anything at all as operands, and as last."""
        operands = []
        for name in ArrayShape.of(SIDECAR).operands:
            bits = int.from_bytes(self.rng.bytes(WIDTHS[name] // 8 + 1), "little")
            operands.append(bits & ((1 << WIDTHS[name]) - 1))
        return tuple(operands), int(self.rng.integers(2))

    def _drive(self, valid: int, operands: Slice, last: int) -> None:
        self.dut.in_valid.value = valid
        for name, word in zip(ArrayShape.of(SIDECAR).operands, operands, strict=True):
            getattr(self.dut, name).value = word
        self.dut.in_last.value = last

    async def _next(self) -> None:
        await FallingEdge(self.dut.clk)
        self.cycle += 1
        self._sample()

    def _sample(self) -> None:
        """What the outputs say in this cycle; ``int`` refuses unknown bits."""
        self.ready = int(self.dut.in_ready.value)
        last = int(self.dut.out_last.value)
        if int(self.dut.out_valid.value):
            self.rows.append((self.cycle, last, int(self.dut.out_acc.value)))
        elif last:
            raise AssertionError(where(f"out_last without out_valid, cycle {self.cycle}"))
        self.checks += 1


def depth_of(slices: int, rng: np.random.Generator) -> int:
    """A K of that many slices, odd or even."""
    per_cycle = SIDECAR["k_per_cycle"]
    return max(1, slices * per_cycle - int(rng.integers(per_cycle)))


async def started(dut: Any, stream: int) -> Driver:
    """A driver after reset, and its own random numbers."""
    driver = Driver(dut, generator(stream))
    await driver.start()
    return driver


def limited(depths: Sequence[int]) -> list[int]:
    """Depths that cannot overflow the accumulator."""
    return [min(depth, SIDECAR["max_reduction"]) for depth in depths]


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def tiles_with_bubbles(dut: Any) -> None:
    """Short, odd, long and random K; bubbles full of garbage, rare and frequent."""
    driver = await started(dut, 1)
    for bubbles in (0.1, 0.6):
        depths = [1, 2, 3, 1, 7, 150, *driver.rng.integers(1, 40, 6).tolist()]
        tiles = [Tile.random(depth, driver.rng) for depth in limited(depths)]
        await driver.run(tiles, bubbles, f"bubbles {bubbles}")
        await driver.reset()
    record(driver.checks)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def back_to_back(dut: Any) -> None:
    """No bubble: a tile takes as many cycles as it has slices, or the array rows."""
    driver = await started(dut, 2)
    rows = SIDECAR["rows"]
    cases = [[1] * 6, [rows] * 4, [rows + 3] * 3, [max(1, rows - 1)] * 4, [1, rows + 9, 1, 2, 1, 1]]
    for counts in cases:
        depths = limited([depth_of(count, driver.rng) for count in counts])
        tiles = [Tile.random(depth, driver.rng) for depth in depths]
        await driver.run(tiles, 0, f"slices {counts}")
        # The next tile starts when the last is sent, and its group complete.
        taken = expected = 0
        for before, tile in pairwise(tiles):
            taken = max(expected, taken + -len(before.slices) % SLICES_PER_GROUP) + len(tile.slices)
            expected = max(taken, expected + rows)
        spent = driver.sent[-1] - driver.sent[0]
        assert spent == expected, where(f"slices {counts}: expected {expected} cycles, got {spent}")
        await driver.reset()
    record(driver.checks)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def reset_anywhere(dut: Any) -> None:
    """Reset inside a tile, while a tile is held back and inside a drain; then a correct tile."""
    driver = await started(dut, 3)
    latency, rows = SIDECAR["latency"], SIDECAR["rows"]
    points = {0, 1, latency - 1, latency, latency + rows // 2, latency + rows - 1}
    points |= set(driver.rng.integers(0, latency + rows, 4).tolist())
    for short in (False, True):
        for wait in sorted(points):
            unfinished = Tile.random(depth_of(rows + 2, driver.rng), driver.rng)
            for tile in [Tile.random(1, driver.rng)] * (2 if short else 1):
                await driver.feed(tile.slices, 0, True)
            if short:
                await driver.bubble(wait)
            else:
                await driver.feed(unfinished.slices[: min(wait, rows + 1)], 0, False)
            await driver.reset()
            assert driver.ready, where(f"in_ready is low after a reset, {wait} cycles after last")
            if wait % 2:
                await driver.bubble(latency + 2 * rows)
                driver.check([], "after reset")
            tile = Tile.random(depth_of(3, driver.rng), driver.rng)
            await driver.run([tile], 0, f"reset {wait} cycles after last")
            await driver.reset()
    record(driver.checks)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def known_after_reset(dut: Any) -> None:
    """With inputs that never move no output but the data is unknown, and one tile is correct."""
    dut.rst.value = 1
    for name in ("in_valid", "in_last", *ArrayShape.of(SIDECAR).operands):
        getattr(dut, name).value = 0
    Clock(dut.clk, 10, "ns").start()
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    driver = Driver(dut, generator(4))
    for _ in range(2 * SIDECAR["latency"] + SIDECAR["rows"]):
        await driver._next()
        for name, expected in (("in_ready", 1), ("out_valid", 0), ("out_last", 0)):
            value = getattr(dut, name).value
            assert value.is_resolvable, where(f"{name} is {value} in cycle {driver.cycle}")
            assert int(value) == expected, where(f"{name} is {value} in cycle {driver.cycle}")
            driver.checks += 1
    await driver.run([Tile.random(min(9, SIDECAR["max_reduction"]), driver.rng)], 0, "first tile")
    record(driver.checks)
