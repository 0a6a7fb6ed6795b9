"""Lines of a scratchpad in and out of an AXI4 memory of others' making, beside a stream."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Combine, FallingEdge, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiRam

from hdl.memory.axi_reader import MEMORY
from sim_tb.oracle.memory_parts import LineCommand, Request
from sim_tb.rtl.benches.common import PARAMETERS, generator, record, where
from sim_tb.rtl.line_system import SYSTEMS

PERIOD = 10
RAM_BYTES = 1 << 16
LIMIT = 20_000 * PERIOD
STALLS = (0.0, 0.3, 0.8)
CHANNELS = ("ar", "r", "aw", "w", "b")
ROUNDS = 2
INPUTS = ("stop", "patches_valid", "results_valid", "stream_ready")


def pauses(rng: np.random.Generator, chance: float) -> Iterator[bool]:
    while True:
        yield from (rng.random(256) < chance).tolist()


class System:
    """The design between a memory and what commands it, and what both must hold."""

    def __init__(self, dut: Any, seed: int):
        self.dut = dut
        self.rng = generator(seed)
        self.sizes = SYSTEMS[PARAMETERS["system"]]
        self.shape, self.bus = self.sizes.shape, self.sizes.bus
        self.line_bytes = self.shape.line_bits // 8
        self.ram = AxiRam(AxiBus.from_prefix(dut, MEMORY), dut.clk, dut.rst, size=RAM_BYTES)
        self.memory = self.rng.integers(0, 256, RAM_BYTES, np.uint8)
        self.ram.write(0, self.memory.tobytes())
        self.lines = np.zeros((self.shape.lines, self.line_bytes), np.uint8)
        self.counts: Counter[str] = Counter()
        self.stream: list[int] = []
        self.givers: list[Any] = []
        self.broken: set[int] = set()
        """Pages that answer with an error."""
        self.checks = 0
        for side, name in ((self.ram.read_if, "_read"), (self.ram.write_if, "_write")):
            side.log.setLevel(logging.ERROR)
            setattr(side, name, self._guarded(getattr(side, name)))

    def _guarded(self, access: Any) -> Any:
        async def guarded(address: int, what: Any) -> Any:
            if address // 4096 in self.broken:
                raise ValueError("an error")
            return await access(address, what)

        return guarded

    async def start(self) -> None:
        """Reset, then watch, and let other accesses hold up those that are compared."""
        for name in (*INPUTS, *(f"{own}_valid" for own in COMMANDS)):
            getattr(self.dut, name).value = 0
        self.dut.rst.value = 1
        Clock(self.dut.clk, PERIOD, "ns").start()
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        self.stall(0)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        names = ("load_done", "store_done", "read_error", "write_error")
        axi = {name: getattr(self.dut, f"{MEMORY}_{name}") for name in ("arvalid", "awvalid")}
        before: dict[str, tuple[int, ...]] = {}
        while True:
            await FallingEdge(self.dut.clk)
            self.dut.stream_ready.value = int(self.rng.random() >= self.slow)
            self.dut.patches_valid.value = int(self.rng.random() < 0.5)
            self.dut.results_valid.value = int(self.rng.random() < self.slow)
            await ReadOnly()
            for name in names:
                self.counts[name] += int(getattr(self.dut, name).value)
            if self.dut.stream_valid.value and self.dut.stream_ready.value:
                self.stream.append(int(self.dut.stream_data.value))
            # What is offered stays until it is taken.
            now = {}
            for channel in ("ar", "aw", "w"):
                payloads = ("data", "last") if channel == "w" else ("addr", "len")
                ports = [f"{MEMORY}_{channel}{own}" for own in ("valid", "ready", *payloads)]
                valid, ready, *payload = (getattr(self.dut, own).value for own in ports)
                if channel in before:
                    offered = (int(valid), *map(int, payload)) if valid else ()
                    assert offered == before[channel], where(f"{channel} was taken back")
                    self.checks += 1
                if valid and not ready and not self.dut.rst.value:
                    now[channel] = (1, *map(int, payload))
            before = now
            for name, port in axi.items():
                self.counts[name] += int(port.value)

    def stall(self, chance: float) -> None:
        """Let everything wait in this share of the cycles."""
        self.slow = chance
        reads, writes = self.ram.read_if, self.ram.write_if
        for channel in (reads.ar_channel, reads.r_channel):
            channel.set_pause_generator(pauses(self.rng, chance))
        for channel in (writes.aw_channel, writes.w_channel, writes.b_channel):
            channel.set_pause_generator(pauses(self.rng, chance))

    async def send(self, name: str, word: int) -> None:
        """Offer a command or a request until it is taken."""
        valid, ready = (getattr(self.dut, f"{name}_{own}") for own in ("valid", "ready"))
        getattr(self.dut, name).value = word
        valid.value = 1
        await ReadOnly()
        while not ready.value:
            await RisingEdge(self.dut.clk)
            await ReadOnly()
        await RisingEdge(self.dut.clk)
        valid.value = 0

    async def until(self, name: str, count: int) -> None:
        """Wait for so many of what is counted."""

        async def wait() -> None:
            while self.counts[name] < count:
                await RisingEdge(self.dut.clk)

        await with_timeout(wait(), LIMIT, "ns")

    def places(self, count: int, most: int, size: int) -> list[tuple[int, int]]:
        """Disjoint parts of so many places: where each begins, and how many of them it has."""
        starts = self.rng.permutation(size // most)[:count] * most
        return [(int(start), int(self.rng.integers(1, most + 1))) for start in starts]

    def plan(self, count: int) -> tuple[list[LineCommand], list[LineCommand], list[Request]]:
        """Loads, stores and requests of a stream that have nothing in common."""
        lines = self.places(2 * count, self.shape.lines // (2 * count), self.shape.lines)
        page = 4096
        most = min(page, self.shape.lines // (2 * count) * self.line_bytes)
        # Memory likewise, at any line, and across the borders of pages.
        shift = int(self.rng.integers(0, page // self.line_bytes)) * self.line_bytes
        regions = RAM_BYTES // most - -(-page // most)
        starts = [int(own) * most + shift for own in self.rng.permutation(regions)[: 3 * count]]
        commands = [
            LineCommand(start, *own) for start, own in zip(starts[: 2 * count], lines, strict=True)
        ]
        beats = most // self.bus.beat_bytes
        requests = [
            Request(start, int(self.rng.integers(1, beats + 1))) for start in starts[2 * count :]
        ]
        return commands[:count], commands[count:], requests

    async def perform(self, count: int) -> None:
        """Loads, stores and reads of a stream at the same time; then all must be in its place."""
        loads, stores, requests = self.plan(count)
        before = self.counts.copy()
        self.stream.clear()
        bits = self.bus.address_bits

        async def give(name: str, words: list[int]) -> None:
            for word in words:
                await self.send(name, word)

        givers = [
            give("load_command", [own.packed(self.shape, bits) for own in loads]),
            give("store_command", [own.packed(self.shape, bits) for own in stores]),
            give("stream_request", [own.packed(bits) for own in requests]),
        ]
        self.givers = [cocotb.start_soon(own) for own in givers]
        await Combine(*self.givers)
        expected = [
            int.from_bytes(self.memory[place : place + self.bus.beat_bytes].tobytes(), "little")
            for own in requests
            for place in range(own.address, self._end(own), self.bus.beat_bytes)
        ]
        await self.until("load_done", before["load_done"] + count)
        await self.until("store_done", before["store_done"] + count)

        async def all_came() -> None:
            while len(self.stream) < len(expected):
                await RisingEdge(self.dut.clk)

        await with_timeout(all_came(), LIMIT, "ns")
        await ClockCycles(self.dut.clk, 10)
        for own in loads:
            for number in range(own.lines):
                at = own.address + number * self.line_bytes
                line = self.memory[at : at + self.line_bytes]
                self.lines[(own.line + number) % self.shape.lines] = line
        for own in stores:
            for number in range(own.lines):
                at = own.address + number * self.line_bytes
                line = self.lines[(own.line + number) % self.shape.lines]
                self.memory[at : at + self.line_bytes] = line
        self.compare()
        assert self.stream == expected, where("the stream")
        assert not self.dut.busy.value
        self.checks += len(expected)

    def _end(self, request: Request) -> int:
        return request.address + request.beats * self.bus.beat_bytes

    def compare(self) -> None:
        """All of the memory."""
        got = np.frombuffer(self.ram.read(0, RAM_BYTES), np.uint8)
        wrong = np.argwhere(got != self.memory)
        assert not len(wrong), where(f"{len(wrong)} bytes, the first one at {wrong[0]}")
        self.checks += RAM_BYTES

    async def store_all(self) -> None:
        """What the scratchpad holds, known by what a store of all of it writes."""
        done = self.counts["store_done"]
        await self.move("store", LineCommand(0, 0, self.shape.lines))
        await self.until("store_done", done + 1)
        self.memory[: self.lines.size] = self.lines.ravel()
        self.compare()

    async def load_all(self) -> None:
        """All lines of the scratchpad, so that they are known."""
        done = self.counts["load_done"]
        start = RAM_BYTES // 2
        await self.move("load", LineCommand(start, 0, self.shape.lines))
        await self.until("load_done", done + 1)
        lines = self.memory[start : start + self.lines.size]
        self.lines = lines.reshape(self.lines.shape).copy()

    async def move(self, name: str, command: LineCommand) -> None:
        """Give a command."""
        await self.send(f"{name}_command", command.packed(self.shape, self.bus.address_bits))

    def finish(self) -> None:
        """Report what was compared."""
        record(self.checks)


COMMANDS = ("load_command", "store_command", "stream_request")


@cocotb.test()
async def lines(dut: Any) -> None:
    """In and out, at all rates, beside a stream and accesses of others."""
    system = System(dut, 1)
    await system.start()
    await system.load_all()
    for stall in STALLS:
        system.stall(stall)
        for _ in range(ROUNDS):
            await system.perform(int(system.rng.integers(1, 5)))
        await system.store_all()
    assert system.counts["read_error"] == system.counts["write_error"] == 0
    system.finish()


@cocotb.test()
async def errors(dut: Any) -> None:
    """They are reported, each beat and each burst; all commands come to their ends."""
    system = System(dut, 2)
    await system.start()
    await system.load_all()
    system.stall(0.3)
    system.broken = {3}
    page, done = 4096, system.counts["load_done"]
    count = page // system.line_bytes
    lines = min(system.shape.lines, count)
    # A quarter of the lines in the page before, then as many as there are in this one.
    start = 3 * page - lines // 4 * system.line_bytes
    await system.move("load", LineCommand(start, 0, lines))
    await system.until("load_done", done + 1)
    broken = (lines - lines // 4) * system.shape.beats_per_line
    assert system.counts["read_error"] == broken, where(f"{system.counts}, not {broken}")
    # Those of the page before were loaded, and those behind them are of no use.
    good = slice(start, 3 * page)
    system.lines[: lines // 4] = system.memory[good].reshape(-1, system.line_bytes)
    system.lines[lines // 4 : lines] = 0
    done = system.counts["store_done"]
    await system.move("store", LineCommand(start, 0, lines))
    await system.until("store_done", done + 1)
    assert system.counts["write_error"] > 0
    system.broken = set()
    await system.store_all()
    await system.perform(3)
    system.finish()


@cocotb.test()
async def stops(dut: Any) -> None:
    """No burst is begun; what is under way ends. It goes on, or is reset and begins anew."""
    system = System(dut, 3)
    await system.start()
    await system.load_all()
    system.stall(0.3)
    for is_reset in (False, True, False, True):
        performing = cocotb.start_soon(system.perform(2))
        await ClockCycles(dut.clk, int(system.rng.integers(20, 90)))
        await FallingEdge(dut.clk)
        dut.stop.value = 1
        # A burst that was offered is still taken.
        await ClockCycles(dut.clk, 2)
        while dut.busy.value:
            await RisingEdge(dut.clk)
            await ReadOnly()
        counts = system.counts.copy()
        await ClockCycles(dut.clk, 50)
        await FallingEdge(dut.clk)
        for name in ("arvalid", "awvalid", "read_error"):
            assert system.counts[name] == counts[name], where(f"{name} while stopped")
            system.checks += 1
        if not is_reset:
            dut.stop.value = 0
            await performing
            continue
        for task in (performing, *system.givers):
            task.cancel()
        for name in COMMANDS:
            getattr(dut, f"{name}_valid").value = 0
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        await FallingEdge(dut.clk)
        dut.rst.value = 0
        dut.stop.value = 0
        system.memory = np.frombuffer(system.ram.read(0, RAM_BYTES), np.uint8).copy()
        await system.load_all()
        await system.perform(3)
        await system.store_all()
    system.finish()
