"""A register file against its contract, cycle by cycle, whoever drives its AXI4-Lite port."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from hdl.bus.axi4_lite import OKAY, SIGNALS, SLVERR, WORD_BYTES
from hdl.bus.register_map import LOCK_PORT, Access, Field, Register, RegisterMap
from sim_tb.hdl.register_maps import TABLES
from sim_tb.rtl.benches.common import PARAMETERS, generator, record, where

PREFIX = "s_axi_control"
TABLE: RegisterMap = TABLES[PARAMETERS["table"] if PARAMETERS else "engine"]()
REGISTERS = {register.offset: register for register in TABLE.registers}
FIELDS = [(register, own) for register in TABLE.registers for own in register.fields]
SPACE = 1 << TABLE.address_bits
RANDOM_CYCLES = 4000

Key = tuple[str, str]
"""A field: the names of its register and of itself."""


def has(own: Field, *kinds: Access) -> bool:
    return own.access in kinds


HELD = {
    (register.name, own.name): own.value
    for register, own in FIELDS
    if has(own, Access.READ_WRITE, Access.WRITE_ONE_TO_CLEAR)
}
"""What fields hold after reset."""
INPUTS = [
    register.port(own) if has(own, Access.READ) else register.set_port(own)
    for register, own in FIELDS
    if has(own, Access.READ, Access.WRITE_ONE_TO_CLEAR)
] + [LOCK_PORT] * TABLE.locks


@dataclass
class Contract:
    """What the register file must do, from what is seen of it in each cycle."""

    held: dict[Key, int] = field(default_factory=lambda: dict(HELD))
    strobes: set[str] = field(default_factory=set)
    read: tuple[int, int] | None = None
    address: int | None = None
    word: tuple[int, int] | None = None
    response: int | None = None
    awake: bool = False
    seen: Counter[str] = field(default_factory=Counter)

    def outputs(self) -> dict[str, int]:
        """What the outputs must be in this cycle, but for responses that are not valid."""
        expected = {
            "arready": int(self.awake and self.read is None),
            "rvalid": int(self.read is not None),
            "awready": int(self.awake and self.address is None),
            "wready": int(self.awake and self.word is None),
            "bvalid": int(self.response is not None),
        }
        if self.read is not None:
            expected |= {"rdata": self.read[0], "rresp": self.read[1]}
        if self.response is not None:
            expected["bresp"] = self.response
        expected = {f"{PREFIX}_{name}": value for name, value in expected.items()}
        for register, own in FIELDS:
            port = register.port(own)
            if has(own, Access.PULSE):
                expected[port] = int(port in self.strobes)
            elif has(own, Access.READ_WRITE, Access.WRITE_ONE_TO_CLEAR):
                expected[port] = self.held[register.name, own.name]
        for register in TABLE.registers:
            if register.strobe:
                expected[register.strobe_port] = int(register.strobe_port in self.strobes)
        return expected

    def step(self, inputs: dict[str, int]) -> None:
        """Go over to the next cycle."""
        if inputs["rst"]:
            self.seen["reset with a response"] += self.read is not None or self.response is not None
            self.seen["reset with half a write"] += (self.address is None) != (self.word is None)
            vars(self).update(vars(Contract(seen=self.seen)))
            return
        ready, axi = self.outputs(), {name: inputs[f"{PREFIX}_{name}"] for name in INPUT_SIGNALS}
        taken = {
            channel: axi[f"{channel}valid"] and ready[f"{PREFIX}_{channel}ready"]
            for channel in ("ar", "aw", "w")
        }
        self.awake = True
        self.strobes = set()

        if self.read is not None:
            self.read = None if axi["rready"] else self.read
        elif taken["ar"]:
            self.read = self._read(axi["araddr"], inputs)

        answered = self.response is not None and axi["bready"]
        cleared: set[Key] = set()
        if self.address is not None and self.word is not None and self.response is None:
            cleared = self._write(self.address, *self.word, inputs.get(LOCK_PORT, 0))
        for register, own in FIELDS:
            key = register.name, own.name
            if has(own, Access.WRITE_ONE_TO_CLEAR) and (not self.held[key] or key in cleared):
                self.seen["set while cleared"] += key in cleared and inputs[register.set_port(own)]
                self.held[key] = inputs[register.set_port(own)]
        if answered:
            self.address = self.word = self.response = None
        if taken["aw"] and taken["w"]:
            self.seen["both at once"] += 1
        elif taken["aw"] or taken["w"]:
            waits = self.word if taken["aw"] else self.address
            first, last = ("word", "address") if taken["aw"] else ("address", "word")
            self.seen[f"{first if waits is not None else last} first"] += 1
        if taken["aw"]:
            self.address = axi["awaddr"]
        if taken["w"]:
            self.word = axi["wdata"], axi["wstrb"]

    def _read(self, address: int, inputs: dict[str, int]) -> tuple[int, int]:
        register = REGISTERS.get(address & -WORD_BYTES)
        self.seen[f"read {register and register.name}"] += 1
        if register is None:
            return 0, SLVERR
        word = 0
        for own in register.fields:
            value = own.value if has(own, Access.CONSTANT) else 0
            value = self.held.get((register.name, own.name), value)
            if has(own, Access.READ):
                value = inputs[register.port(own)]
            word |= value << own.low_bit
        return word, OKAY

    def _write(self, address: int, word: int, strobes: int, is_locked: int) -> set[Key]:
        """Write a word; returns the fields that it clears."""
        register = REGISTERS.get(address & -WORD_BYTES)
        is_open = register and register.is_writable and not (register.locks and is_locked)
        self.response = OKAY if is_open else SLVERR
        name = register and register.name
        self.seen[f"write {name} {'done' if self.response == OKAY else 'refused'}"] += 1
        cleared = set()
        if register and self.response == OKAY:
            mask = int("".join("FF" if strobes >> byte & 1 else "00" for byte in (3, 2, 1, 0)), 16)
            if register.strobe:
                self.strobes.add(register.strobe_port)
            for own in register.fields:
                key = register.name, own.name
                bits, written = (
                    value >> own.low_bit & (1 << own.bits) - 1 for value in (word, mask)
                )
                if has(own, Access.READ_WRITE):
                    self.held[key] = bits & written | self.held[key] & ~written
                elif has(own, Access.WRITE_ONE_TO_CLEAR) and bits & written:
                    cleared.add(key)
                elif has(own, Access.PULSE) and bits & written:
                    self.strobes.add(register.port(own))
        return cleared


INPUT_SIGNALS = [name for name, signal in SIGNALS.items() if signal.flow.name == "In"]


class Bench:
    """The clock, what hardware gives, and the contract, looked at in the middle of each cycle."""

    def __init__(self, dut: Any, rng: np.random.Generator):
        self.dut = dut
        self.rng = rng
        self.contract = Contract()
        self.checks = 0
        self.failure: str | None = None

    async def start(self) -> None:
        """Start the clock, reset for a cycle, and look at every cycle from then on."""
        for name in [*INPUTS, *(f"{PREFIX}_{name}" for name in INPUT_SIGNALS)]:
            getattr(self.dut, name).value = 0
        self.dut.rst.value = 1
        Clock(self.dut.clk, 10, "ns").start()
        await RisingEdge(self.dut.clk)
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        cocotb.start_soon(self._give())
        cocotb.start_soon(self._watch())

    async def _give(self) -> None:
        """Anything as what hardware gives, and nothing often enough."""
        while True:
            for name in INPUTS:
                handle = getattr(self.dut, name)
                if self.rng.random() < 0.5:
                    some = int(self.rng.integers(1 << len(handle)))
                    handle.value = some if self.rng.random() < 0.3 else 0
            await RisingEdge(self.dut.clk)

    def _held(self, before: dict[str, int], now: dict[str, int]) -> None:
        """A response that was not taken stays as it was, but for a reset."""
        for channel, payloads in (("r", ("rdata", "rresp")), ("b", ("bresp",))):
            valid, ready = (f"{PREFIX}_{channel}{name}" for name in ("valid", "ready"))
            if before[valid] and not before[ready] and not before["rst"]:
                for name in (valid, *(f"{PREFIX}_{payload}" for payload in payloads)):
                    if now[name] != before[name] and self.failure is None:
                        self.failure = f"{name} went from {before[name]:#x} to {now[name]:#x}"
                    self.checks += 1

    def _value(self, name: str) -> int:
        """Outputs must be known; what a master offers may not be, where it offers nothing."""
        value = getattr(self.dut, name).value
        return int(value) if value.is_resolvable or name not in OFFERED else 0

    async def _watch(self) -> None:
        cycle = 0
        ports = [*INPUTS, *(f"{PREFIX}_{name}" for name in SIGNALS)]
        before: dict[str, int] | None = None
        while True:
            await FallingEdge(self.dut.clk)
            cycle += 1
            now = {name: self._value(name) for name in ("rst", *ports)}
            if before is not None:
                self._held(before, now)
            before = now
            for name, expected in self.contract.outputs().items():
                got = int(getattr(self.dut, name).value)
                if got != expected and self.failure is None:
                    self.failure = f"cycle {cycle}: {name} is {got:#x}, not {expected:#x}"
                self.checks += 1
            self.contract.step(now)

    def finish(self, *seen: str) -> None:
        """Fail if the contract was broken, or never met one of what should have been ``seen``."""
        assert self.failure is None, where(str(self.failure))
        for what in seen:
            assert self.contract.seen[what], where(f"never met: {what}")
        record(self.checks)


REGISTERS_MET = [
    "read None",
    "write None refused",
    *(f"read {register.name}" for register in TABLE.registers),
    *(
        f"write {register.name} {how}"
        for register in TABLE.registers
        for how, is_met in (
            ("done", register.is_writable),
            ("refused", register.locks or not register.is_writable),
        )
        if is_met
    ),
]


PAYLOADS = {"ar": ("araddr", "arprot"), "aw": ("awaddr", "awprot"), "w": ("wdata", "wstrb")}
OFFERED = [f"{PREFIX}_{name}" for names in PAYLOADS.values() for name in names]


class AnyMaster:
    """Offers and takes anything at any time; what it offers it holds until that is taken."""

    def __init__(self, dut: Any, rng: np.random.Generator):
        self.dut = dut
        self.rng = rng
        self.eager = dict.fromkeys(("ar", "aw", "w", "r", "b"), 0.5)

    def axi(self, name: str) -> Any:
        return getattr(self.dut, f"{PREFIX}_{name}")

    async def cycle(self) -> None:
        """One cycle, from edge to edge."""
        await FallingEdge(self.dut.clk)
        waits = {
            channel: int(self.axi(f"{channel}valid").value)
            and not int(self.axi(f"{channel}ready").value)
            for channel in PAYLOADS
        }
        await RisingEdge(self.dut.clk)
        if self.rng.random() < 0.02:
            self.eager = {name: float(self.rng.choice([0.1, 0.5, 1])) for name in self.eager}
        for channel, payloads in PAYLOADS.items():
            if waits[channel]:
                continue
            self.axi(f"{channel}valid").value = int(self.rng.random() < self.eager[channel])
            for payload in payloads:
                self.axi(payload).value = int(self.rng.integers(1 << len(self.axi(payload))))
        for channel in ("r", "b"):
            self.axi(f"{channel}ready").value = int(self.rng.random() < self.eager[channel])

    async def reset(self) -> None:
        """Reset the register file; a master that is reset too withdraws what it offers."""
        self.dut.rst.value = 1
        for channel in PAYLOADS:
            self.axi(f"{channel}valid").value = 0
        for _ in range(int(self.rng.integers(1, 3))):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def anything(dut: Any) -> None:
    """Any addresses, words and bytes, in any order, with waits and resets anywhere."""
    rng = generator(1)
    bench = Bench(dut, rng)
    await bench.start()
    master = AnyMaster(dut, rng)
    for _ in range(RANDOM_CYCLES):
        await master.cycle()
        if rng.random() < 0.01:
            await master.reset()
    await FallingEdge(dut.clk)
    orders = ("address first", "word first", "both at once")
    resets = ("reset with a response", "reset with half a write")
    bench.finish(*REGISTERS_MET, *orders, "set while cleared", *resets)


def pauses(rng: np.random.Generator, probability: float) -> Iterator[bool]:
    while True:
        yield bool(rng.random() < probability)


def answers(register: Register | None) -> set[AxiResp]:
    """How a write may be answered, whether it is locked or not."""
    if register is None or not register.is_writable:
        return {AxiResp.SLVERR}
    return {AxiResp.OKAY, AxiResp.SLVERR} if register.locks else {AxiResp.OKAY}


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def standard_master(dut: Any) -> None:
    """A master of others' making, without pauses and with some on all channels."""
    rng = generator(2)
    bench = Bench(dut, rng)
    await bench.start()
    bus = AxiLiteBus.from_prefix(dut, PREFIX)
    master = AxiLiteMaster(bus, dut.clk, dut.rst)
    reading, writing = master.read_if, master.write_if
    channels = [reading.ar_channel, reading.r_channel]
    channels += [writing.aw_channel, writing.w_channel, writing.b_channel]
    for probability in (0.0, 0.5, 0.9):
        for channel in channels:
            channel.set_pause_generator(pauses(rng, probability))
        for address in range(0, SPACE, WORD_BYTES):
            register = REGISTERS.get(address)
            written = await master.write(address, rng.bytes(WORD_BYTES))
            assert written.resp in answers(register)
            read = await master.read(address, WORD_BYTES)
            assert read.resp == (AxiResp.OKAY if register else AxiResp.SLVERR)
            if register is None:
                continue
            for own in register.fields:
                if has(own, Access.CONSTANT, Access.READ_WRITE):
                    got = (int.from_bytes(read.data, "little") & own.mask) >> own.low_bit
                    held = bench.contract.held.get((register.name, own.name), own.value)
                    assert got == held, where(f"{register.name}.{own.name}: {got:#x}")
        # Parts of words, and several writes and reads under way.
        for _ in range(60):
            address = int(rng.integers(SPACE - WORD_BYTES))
            count = int(rng.integers(1, WORD_BYTES + 1))
            pending = [cocotb.start_soon(master.write(address, rng.bytes(count)))]
            pending.append(cocotb.start_soon(master.read(address, count)))
            for transfer in pending[:: int(rng.choice([1, -1]))]:
                await transfer
    await FallingEdge(dut.clk)
    bench.finish(*REGISTERS_MET)
