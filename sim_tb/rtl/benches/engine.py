# amaranth: UnusedElaboratable=no
"""The matrix engine behind AXI models of others' making, every word and counter against golden."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from gen.design.configuration import Configuration
from gen.simulation.compiled_engine import engine_shape
from gen.simulation.engine_expectation import expected_results
from gen.verilog.generate import build
from gen.verilog.sidecar import make_sidecar
from golden.engine import Command, predicted_cycles
from hdl.bus.register_map import Access
from hdl.engine.engine_registers import COUNTERS, FIRST_COUNTER, ErrorCode
from hdl.engine.gemm_engine import CONTROL, STREAMS
from sim_tb.rtl.benches.common import PARAMETERS, generator, record, where
from sim_tb.rtl.engine_products import (
    Work,
    expected_counts,
    filled_up,
    longest_reduction,
    plan,
    random_work,
)

OPERANDS = ("activations", "weights", "parameters")
PERIOD = 10
STALLS = (0.0, 0.1, 0.5, 0.9)
"""Probabilities of a pause in a cycle."""
PRODUCTS: int = PARAMETERS.get("products", 6)
"""Of each test, more or less: how long it takes."""


class Watch:
    """Looks at all ports in the middle of each cycle: the protocol of streams, and what happens.

    A word that is offered stays, as it is, until it is taken; a soft reset takes results back, and
    ``withdraw`` says that the bench takes back what it offers. What is offered is known, and so is
    whether it is offered or taken.
    """

    def __init__(self, dut: Any, prefix: str, offsets: dict[str, int]):
        self.dut = dut
        self.checks = 0
        self.failure: str | None = None
        self.cycles = 0
        """Cycles with a command under way since counters were cleared: what CYCLES must show."""
        self.refuses = False
        """Commands that are started from now on are refused."""
        self.withdraw = False
        self.taken: Counter[str] = Counter()
        """Words of each stream."""
        self._offsets = offsets
        self._in_flight = 0
        self._prefix = prefix
        self._held: dict[str, tuple[int, ...]] = {}
        self._write: dict[str, int] = {}
        self._answered = False

    def _port(self, name: str) -> Any:
        return getattr(self.dut, self._prefix + name)

    def _known(self, name: str) -> int:
        value = self._port(name).value
        if not value.is_resolvable:
            self._fail(f"{name} is {value}")
            return 0
        return int(value)

    def _fail(self, text: str) -> None:
        self.failure = self.failure or text

    def _stream(self, name: str, forgiven: bool) -> bool:
        """Check a stream, and say whether a word moves that ends a packet."""
        prefix = STREAMS[name]
        valid, ready = self._known(f"{prefix}_tvalid"), self._known(f"{prefix}_tready")
        payloads = ["tdata", "tlast"] if name == "results" else ["tdata"]
        offered = tuple(self._known(f"{prefix}_{each}") for each in payloads) if valid else ()
        before = self._held.pop(name, None)
        if before is not None and not forgiven:
            self.checks += 1
            if before != offered:
                self._fail(f"{name}: {before} was offered, not taken, and became {offered}")
        if valid and not ready:
            self._held[name] = offered
        self.taken[name] += valid & ready
        return bool(valid and ready and offered[-1] and name == "results")

    def _written(self) -> tuple[int, int] | None:
        """The address and word of a write in the cycle in which it takes effect."""
        for channel, payload in (("aw", "awaddr"), ("w", "wdata")):
            signals = (f"{CONTROL}_{channel}valid", f"{CONTROL}_{channel}ready")
            if all(self._known(signal) for signal in signals):
                self._write[payload] = self._known(f"{CONTROL}_{payload}")
        answered, self._answered = self._answered, bool(self._known(f"{CONTROL}_bvalid"))
        if self._answered and not answered:
            return self._write["awaddr"], self._write["wdata"]
        return None

    async def run(self) -> None:
        """Watch from now on."""
        forgiven = False
        while True:
            await FallingEdge(self.dut.clk)
            address, word = self._written() or (-1, 0)
            done = False
            for name in STREAMS:
                withdrawn = forgiven if name == "results" else self.withdraw
                done |= self._stream(name, withdrawn)
            self.withdraw = False
            if address == self._offsets["COUNTER_CONTROL"] and word & 2:
                self.cycles = 0
            self.cycles += self._in_flight > 0
            starts = address == self._offsets["START"] and word & 1 and not self.refuses
            self._in_flight += bool(starts) - done
            forgiven = address == self._offsets["CONTROL"] and bool(word & 2)
            if forgiven:
                self._in_flight = 0


class Engine:
    """An engine, and what a system would have around it: a host and three sources, one sink."""

    def __init__(self, dut: Any, seed: int, options: dict[str, Any], prefix: str = ""):
        self.dut = dut
        self.rng = generator(seed)
        self.configuration = Configuration(**options)
        component = build(self.configuration)
        sidecar = make_sidecar(self.configuration, component, self.configuration.name)
        self.sidecar = sidecar["engine"]
        self.shape = engine_shape(sidecar)
        self.table = component.registers
        self.prefix = prefix
        clocked = dut.clk, dut.rst
        self.control = AxiLiteMaster(AxiLiteBus.from_prefix(dut, prefix + CONTROL), *clocked)
        self.sources = {
            name: AxiStreamSource(self._stream(name), *clocked, byte_lanes=1) for name in OPERANDS
        }
        self.sink = AxiStreamSink(self._stream("results"), *clocked, byte_lanes=1)
        for model in (self.control.read_if, self.control.write_if, self.sink):
            model.log.setLevel(logging.ERROR)
        for source in self.sources.values():
            source.log.setLevel(logging.ERROR)
        self.watch = Watch(dut, prefix, self.sidecar["registers"])
        self.checks = 0

    def _stream(self, name: str) -> AxiStreamBus:
        return AxiStreamBus.from_prefix(self.dut, self.prefix + STREAMS[name])

    @property
    def ports(self) -> dict[str, Any]:
        """What can stall, by the name of its stream."""
        return {**self.sources, "results": self.sink}

    # Registers

    async def read(self, name: str) -> int:
        """A register, or a field of one: ``STATUS.idle``."""
        register, _, field = name.partition(".")
        answer = await self.control.read(self.sidecar["registers"][register], 4)
        assert answer.resp == AxiResp.OKAY
        word = int.from_bytes(answer.data, "little")
        if not field:
            return word
        (own,) = (each for each in self.table[register].fields if each.name == field)
        return (word & own.mask) >> own.low_bit

    async def write(self, name: str, word: int) -> None:
        """Write a register."""
        data = word.to_bytes(4, "little")
        answer = await self.control.write(self.sidecar["registers"][name], data)
        assert answer.resp == AxiResp.OKAY

    async def expect(self, **words: int) -> None:
        """Registers, or fields ``REGISTER__field``, read as these."""
        for name, word in words.items():
            got = await self.read(name.replace("__", "."))
            assert got == word, where(f"{name}: {got}, not {word}")
            self.checks += 1

    async def counters(self) -> dict[str, int]:
        """All counters, by their names in lower case."""
        values = {}
        for index, name in enumerate(COUNTERS):
            answer = await self.control.read(FIRST_COUNTER + 8 * index, 8)
            values[name.lower()] = int.from_bytes(answer.data, "little")
        return values

    # Work

    async def describe(self, command: Command) -> None:
        """Write what the next command is."""
        await self.write("TILES_M", command.tiles_m)
        await self.write("TILES_N", command.tiles_n)
        await self.write("DEPTH", command.depth)
        mode = command.exact | command.sums << 1 | command.encoded << 2
        await self.write("MODE", mode)
        if self.shape.split_format:
            await self.write("ZERO_POINT", command.zero_point)

    async def start(self, command: Command) -> None:
        """Start a command as soon as there is room for it."""
        await self.describe(command)
        while await self.read("STATUS.command_full"):
            pass
        await self.write("START", 1)
        await self.expect(ERROR=0)

    def send(self, work: Work) -> None:
        """Offer the operands."""
        product = plan(self.configuration, self.shape, work)
        operands = (product.activations(), product.weights(), product.parameter_words())
        for source, words in zip(self.sources.values(), operands, strict=True):
            source.send_nowait(
                AxiStreamFrame([int.from_bytes(word.tobytes(), "little") for word in words])
            )

    def commands(self, works: Sequence[Work]) -> list[Command]:
        """Those of all works, in their order."""
        plans = [plan(self.configuration, self.shape, work) for work in works]
        return [each.command for product in plans for each in product.commands]

    def predicted(self, works: Sequence[Work]) -> int:
        """Cycles that the works take where nothing stalls."""
        return predicted_cycles(self.shape, self.commands(works))

    async def receive(self, work: Work, cycles: int) -> None:
        """Compare every word of the results, within so many cycles; packets are commands."""
        whole = filled_up(self.shape, work)
        product = plan(self.configuration, self.shape, whole)
        words: list[int] = []
        for count in product.packets:
            frame = await with_timeout(self.sink.recv(compact=False), cycles * PERIOD, "ns")
            words += frame.tdata
            assert len(frame.tdata) == count, where(f"TLAST after {len(frame.tdata)}")
        size = self.shape.result_bytes
        data = np.array([list(word.to_bytes(size, "little")) for word in words], np.uint8)
        got, expected = product.result(data), expected_results(self.configuration, *whole)
        wrong = np.argwhere(got != expected)
        assert not len(wrong), where(
            f"{work.x.shape} x {work.w.shape}, {work.mode}: "
            f"{len(wrong)} of {got.size} differ, the first one at {wrong[0]}"
        )
        self.checks += got.size

    async def perform(self, works: Sequence[Work], slow: float = 1) -> dict[str, int]:
        """Products one behind the other, and what the counters show of them.

        ``slow``: how much longer they may take than without stalls.
        """
        await self.write("COUNTER_CONTROL", 2)
        await self.write("CONTROL", 1)
        completed = await self.read("COMPLETED")
        for work in works:
            self.send(work)
        limit = round(slow * (3 * self.predicted(works) + 2000))
        receiving = cocotb.start_soon(self._receive_all(works, limit))
        for command in self.commands(works):
            await self.start(command)
        await receiving
        await self.expect(
            STATUS__idle=1,
            STATUS__commands_waiting=0,
            COMPLETED=completed + len(self.commands(works)),
        )
        counters = await self.counters()
        expected: Counter[str] = Counter(cycles=self.watch.cycles)
        for work in works:
            product = plan(self.configuration, self.shape, work)
            expected.update(expected_counts(self.shape, self.sidecar["planes"], product))
        got = {name: counters[name] for name in expected}
        assert got == dict(expected), where(f"counters: {got}, not {dict(expected)}")
        waits = sum(counters[f"wait_{name}"] for name in ("activations", "weights", "output"))
        assert counters["busy"] <= counters["cycles"]
        assert waits <= counters["cycles"]
        for source in self.sources.values():
            assert source.idle()
            assert not source.bus.tvalid.value
        assert self.sink.empty()
        self.checks += len(expected) + 2
        return counters

    async def _receive_all(self, works: Sequence[Work], limit: int) -> None:
        for work in works:
            await self.receive(work, limit)

    def works(self, count: int, **given: Any) -> list[Work]:
        """Random products."""
        return [
            random_work(self.configuration, self.shape, self.rng, **given) for _ in range(count)
        ]

    def stall(self, **chances: float) -> float:
        """Let ports stall in this share of the cycles, others never; how much slower that is."""
        for name, port in self.ports.items():
            chance = chances.get(name, 0)
            port.set_pause_generator(pauses(self.rng, chance) if chance else None)
            port.pause = False
        return 1 / (1 - max(chances.values(), default=0))

    async def soft_reset(self) -> None:
        """Empty the engine, and all that streams into it and out of it."""
        await RisingEdge(self.dut.clk)
        self.watch.withdraw = True
        for source in self.sources.values():
            source.clear()
            source.assert_reset()
        await self.write("CONTROL", 3)
        self.sink.assert_reset()
        self.sink.clear()

    def finish(self) -> None:
        """Fail if the protocol was broken, and report what was compared."""
        assert self.watch.failure is None, where(str(self.watch.failure))
        assert self.watch.taken["results"]
        record(self.checks + self.watch.checks)


def pauses(rng: np.random.Generator, chance: float) -> Iterator[bool]:
    while True:
        yield from (rng.random(256) < chance).tolist()


async def started(dut: Any, seed: int) -> list[Engine]:
    """The engines of the design after reset."""
    dut.rst.value = 1
    engines = [Engine(dut, seed + 100 * i, **own) for i, own in enumerate(PARAMETERS["engines"])]
    Clock(dut.clk, PERIOD, "ns").start()
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    for engine in engines:
        cocotb.start_soon(engine.watch.run())
    return engines


@cocotb.test()
async def products(dut: Any) -> None:
    """Random products by themselves, and some back to back; without stalls and with."""
    (engine,) = await started(dut, 1)
    ports = list(engine.ports)
    stalls: list[dict[str, float]] = [{}]
    stalls += [{port: chance} for chance in STALLS[1:] for port in ports]
    for index in range(PRODUCTS):
        chances = {port: float(engine.rng.choice(STALLS)) for port in ports}
        if index % 2 == 0:
            chances = stalls[index // 2 % len(stalls)]
        slow = engine.stall(**chances)
        await engine.perform(engine.works(int(engine.rng.choice([1, 1, 2, 4]))), slow)
    engine.finish()


@cocotb.test()
async def smallest_and_ragged(dut: Any) -> None:
    """One by one by one; a row or column or step more than tiles hold, or less; in every mode."""
    (engine,) = await started(dut, 2)
    shape = engine.shape
    engine.stall()
    sides = [
        [1, side - 1, side, side + 1, 2 * side + 1]
        for side in (shape.rows, shape.k_per_cycle, shape.cols)
    ]
    for exact in (False, True)[: 2 if shape.planes else 1]:
        for sums, encoded in ((False, False), (True, False), (False, shape.encoded_output)):
            m, k, n = (max(1, int(engine.rng.choice(side))) for side in sides)
            size = m, min(k, longest_reduction(engine.configuration, shape)), n
            works = [
                random_work(engine.configuration, shape, engine.rng, each, exact, sums, encoded)
                for each in ((1, 1, 1), size)
            ]
            await engine.perform(works)
    engine.finish()


@cocotb.test()
async def waits(dut: Any) -> None:
    """Each counter of waiting counts the cycles in which its port, and no other one, keeps the
    engine waiting; a consumer may stop for a thousand cycles.
    """
    (engine,) = await started(dut, 3)
    shape = engine.shape
    names = {"activations": "wait_activations", "weights": "wait_weights", "results": "wait_output"}
    # Enough tiles that all room for results is needed, also that in the stages of the output.
    tiles = shape.result_tiles + shape.output_stages + 5
    size = (shape.rows * tiles, shape.k_per_cycle, shape.cols)
    (work,) = engine.works(1, size=size, exact=False, sums=False, encoded=False)
    for port, counter in names.items():
        counts = []
        for cycles in (600, 1600):
            engine.stall()
            engine.ports[port].pause = True
            performing = cocotb.start_soon(engine.perform([work], 10))
            await ClockCycles(dut.clk, cycles)
            engine.ports[port].pause = False
            counts.append(await performing)
        longer = {name: counts[1][name] - counts[0][name] for name in counts[0]}
        expected = dict.fromkeys(longer, 0) | {"cycles": 1000, counter: 1000}
        assert longer == expected, where(f"{port}: {longer}")
        engine.checks += len(expected)
    engine.finish()


@cocotb.test()
async def soft_reset(dut: Any) -> None:
    """In the middle of a tile, of a command, of a packet: empty, and then as new."""
    (engine,) = await started(dut, 4)
    for _ in range(PRODUCTS):
        chances = {port: float(engine.rng.choice(STALLS[:3])) for port in engine.ports}
        engine.stall(**chances)
        await engine.write("CONTROL", 1)
        works = engine.works(2)
        for work in works:
            engine.send(work)
        for command in engine.commands(works)[:2]:
            await engine.start(command)
        await ClockCycles(dut.clk, int(engine.rng.integers(1, engine.predicted(works) + 10)))
        await engine.soft_reset()
        await engine.expect(STATUS__idle=1, STATUS__commands_waiting=0, STATUS__command_full=0)
        await engine.expect(TILES_N=works[-1].w.shape[1] and engine.commands(works)[1].tiles_n)
        completed = await engine.read("COMPLETED")
        await ClockCycles(dut.clk, 50)
        await FallingEdge(dut.clk)
        assert not engine.watch._port("m_axis_results_tvalid").value
        await engine.expect(COMPLETED=completed)
        await engine.perform(engine.works(1), engine.stall())
    engine.finish()


@cocotb.test()
async def registers_meanwhile(dut: Any) -> None:
    """Registers are read and written while it computes: what is under way does not change."""
    (engine,) = await started(dut, 5)
    constants = {
        register.name: sum(own.value << own.low_bit for own in register.fields)
        for register in engine.table.registers
        if all(own.access is Access.CONSTANT for own in register.fields)
    }
    high, low = divmod(int(engine.configuration.hash, 16), 1 << 32)
    assert (constants["HASH_HIGH"], constants["HASH_LOW"]) == (high, low)
    works = engine.works(3)
    slow = engine.stall(activations=0.8, results=0.8)
    performing = cocotb.start_soon(engine.perform(works, 3 * slow))
    count = len(engine.commands(works))
    before: dict[str, int] = {}
    seen = 0
    while not performing.done():
        seen += 1
        await engine.expect(**constants)
        # The clear at the beginning is the only reason for a counter to become less.
        counters = await engine.counters()
        if await engine.read("COMPLETED"):
            assert all(counters[name] >= before.get(name, 0) for name in counters)
            before = counters
        assert await engine.read("STATUS.commands_waiting") <= count
        await engine.write("INTERRUPT_ENABLE", int(engine.rng.integers(4)))
    await performing
    assert seen > 1
    # Counters that are frozen stand still.
    await engine.write("COUNTER_CONTROL", 1)
    frozen = await engine.counters()
    (work,) = engine.works(1)
    engine.send(work)
    for command in engine.commands([work]):
        await engine.start(command)
    await engine.write("TILES_M", 0)
    await engine.write("DEPTH", 0xFFFF)
    await engine.write("MODE", 3)
    await engine.receive(work, round(slow * (3 * engine.predicted([work]) + 2000)))
    assert await engine.counters() == frozen
    await engine.write("COUNTER_CONTROL", 0)
    engine.finish()


@cocotb.test()
async def refused(dut: Any) -> None:
    """Commands that cannot be done: an error, an interrupt, and nothing happens."""
    (engine,) = await started(dut, 6)
    shape = engine.shape
    engine.stall()
    await engine.write("INTERRUPT_ENABLE", 2)
    bad = {
        ErrorCode.NO_TILES: [Command(0, 1, 1), Command(1, 0, 1), Command(0, 0, 0)],
        ErrorCode.DEPTH: [Command(1, 1, 0)],
    }
    if shape.weight_depth:
        bad[ErrorCode.DEPTH].append(Command(1, 1, shape.weight_depth + 1))
    if not shape.planes:
        bad[ErrorCode.NO_EXACT_MODE] = [Command(1, 1, 1, exact=True)]
    bad[ErrorCode.NO_ENCODED_OUTPUT] = [Command(1, 1, 1, sums=True, encoded=True)]
    if not shape.encoded_output:
        bad[ErrorCode.NO_ENCODED_OUTPUT].append(Command(1, 1, 1, encoded=True))
    if shape.split_format and not shape.split_format.takes_zero_point:
        bad[ErrorCode.ZERO_POINT] = [Command(1, 1, 1, zero_point=each) for each in (1, 127, 192)]
    engine.watch.refuses = True
    for code, commands in bad.items():
        for command in commands:
            await engine.describe(command)
            await engine.write("START", 1)
            await engine.expect(ERROR=code, INTERRUPT=2, STATUS__idle=1)
            await engine.expect(STATUS__commands_waiting=0)
            assert engine.watch._port("irq").value
            # The first error stays.
            await engine.describe(Command(0, 1, 1) if code != 1 else Command(1, 1, 0))
            await engine.write("START", 1)
            await engine.expect(ERROR=code)
            await engine.write("ERROR", 0xFF)
            await engine.write("INTERRUPT", 2)
            await engine.expect(ERROR=0, INTERRUPT=0)
            assert not engine.watch._port("irq").value
    # A queue that is full, of an engine that waits.
    await engine.write("CONTROL", 0)
    await engine.write("COUNTER_CONTROL", 2)
    engine.watch.refuses = False
    works = engine.works(engine.sidecar["command_depth"], size=(1, 1, 1))
    for work in works:
        engine.send(work)
        await engine.expect(STATUS__command_full=0)
        await engine.start(engine.commands([work])[0])
    await engine.expect(STATUS__command_full=1, STATUS__commands_waiting=len(works))
    engine.watch.refuses = True
    await engine.write("START", 1)
    await engine.expect(ERROR=ErrorCode.QUEUE_FULL, INTERRUPT=2, STATUS__idle=0)
    await engine.expect(STATUS__commands_waiting=len(works))
    engine.watch.refuses = False
    assert engine.sink.empty()
    await engine.write("CONTROL", 1)
    for work in works:
        await engine.receive(work, 2000)
    await engine.expect(COMPLETED=len(works), STATUS__idle=1, INTERRUPT=3)
    counters = await engine.counters()
    assert counters["cycles"] == engine.watch.cycles
    await engine.write("ERROR", 0x08)  # any bit clears the whole code
    await engine.expect(ERROR=0)
    await engine.write("INTERRUPT", 3)
    await engine.perform(engine.works(1))
    engine.finish()


@cocotb.test()
async def interrupt(dut: Any) -> None:
    """It comes with the last word of a command, if that is asked for, and stays until cleared."""
    (engine,) = await started(dut, 7)
    irq = engine.watch._port("irq")
    engine.stall()
    await engine.perform(engine.works(1))
    await engine.expect(INTERRUPT=1)
    assert not irq.value
    await engine.write("INTERRUPT_ENABLE", 1)
    await ClockCycles(dut.clk, 2)
    assert irq.value
    await engine.write("INTERRUPT", 1)
    await engine.expect(INTERRUPT=0)
    assert not irq.value
    (work,) = engine.works(1)
    engine.send(work)
    await engine.start(engine.commands([work])[0])
    await engine.receive(work, 3 * engine.predicted([work]) + 2000)
    await ClockCycles(dut.clk, 3)
    assert irq.value
    await engine.expect(INTERRUPT=1)
    await engine.write("INTERRUPT", 1)
    await ClockCycles(dut.clk, 2)
    assert not irq.value
    engine.checks += 5
    engine.finish()


@cocotb.test()
async def side_by_side(dut: Any) -> None:
    """All engines of the design at the same time."""
    engines = await started(dut, 8)
    for _ in range(PRODUCTS):
        performing = []
        for engine in engines:
            slow = engine.stall(**{name: float(engine.rng.choice(STALLS)) for name in engine.ports})
            performing.append(cocotb.start_soon(engine.perform(engine.works(2), slow)))
        for each in performing:
            await each
    for engine in engines:
        engine.finish()
