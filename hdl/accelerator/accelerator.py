"""The accelerator: what a system is given to run whole networks."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Out

from golden.descriptor import Error, Opcode
from hdl.accelerator.accelerator_registers import COUNTERS, accelerator_registers
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.compute_unit import ComputeUnit
from hdl.accelerator.descriptor_fields import DESCRIPTOR_BITS, DescriptorFields
from hdl.accelerator.join import join
from hdl.accelerator.layouts import EVENT_BITS, STREAM, WAITS_BITS
from hdl.accelerator.pair_packer import PairPacker
from hdl.accelerator.pair_unpacker import PairUnpacker
from hdl.accelerator.program_reader import ProgramReader
from hdl.accelerator.waits import have_ended
from hdl.bus.axi4 import axi4_meanings, axi4_read_members, axi4_write_members
from hdl.bus.axi4_lite import axi4_lite_meanings, axi4_lite_members
from hdl.bus.register_file import RegisterFile
from hdl.elements import Elements
from hdl.engine.event_counters import EventCounters
from hdl.memory.axi_reader import MEMORY, AxiReader
from hdl.memory.axi_writer import AxiWriter
from hdl.memory.line_loader import LineLoader
from hdl.memory.line_storer import LineStorer
from hdl.memory.scratchpad import Scratchpad
from hdl.placement import Component, place
from hdl.stream.stream import Stream
from hdl.stream.stream_fifo import GAPLESS_DEPTH, StreamFifo

CONTROL = "s_axi_control"
MOVE_BITS = DESCRIPTOR_BITS // 4
"""Of a LOAD or STORE, whose fields are the first ones."""
MOVES_WAITING = 4
"""LOADs and STOREs that wait, each."""


class Accelerator(Component):
    """Runs programs: networks, layer after layer, from memory to memory.

    A program is a list of descriptors (``golden.descriptor``) in memory, and does what
    ``golden.accelerator.program.Machine`` does. It is started by the AXI4-Lite port, and reads and
    writes memory by the AXI4 port, within windows that registers hold. When it ends, for whatever
    reason, nothing of it is left on the bus, and the next one can be started.

    Parameters
    ----------
    unit : AcceleratorUnit
    configuration_hash : str
        16 hexadecimal digits, which software reads.
    version : tuple of three int
        Of the generator.

    Members
    -------
    PREFIX_NAME
        Of the AXI4-Lite slave ``s_axi_control`` (:class:`RegisterFile` of
        :func:`accelerator_registers`), and the AXI4 master ``m_axi_memory``.
    irq : Out(1)
        High while something has happened that INTERRUPT_ENABLE asks for.
    """

    def __init__(
        self, unit: AcceleratorUnit, configuration_hash: str, version: tuple[int, int, int]
    ):
        self.unit = unit
        self.compute = ComputeUnit(unit)
        engine = unit.engine
        self.registers = accelerator_registers(
            rows=engine.rows,
            cols=engine.cols,
            k_per_cycle=unit.k_per_cycle,
            weight_bits=engine.unit.weight_bits,
            acc_bits=engine.unit.acc_bits,
            planes=len(engine.planes),
            weight_depth=engine.weight_depth,
            lines=unit.scratchpad.lines,
            beat_bytes=unit.bus.beat_bytes,
            encoded_memory=unit.encoded_memory,
            configuration_hash=configuration_hash,
            version=version,
            format=engine.unit.format,
        )
        super().__init__(
            {
                **axi4_lite_members(self.registers.address_bits, CONTROL),
                **axi4_read_members(unit.bus, MEMORY),
                **axi4_write_members(unit.bus, MEMORY),
                "irq": Out(1),
            }
        )
        self.elements = {
            name: Elements(len(getattr(self, name))) for name in self.signature.members
        }

    @property
    def k_per_cycle(self) -> int:
        """Steps of the reduction per slice of the machine."""
        return self.unit.k_per_cycle

    @property
    def port_meanings(self) -> dict[str, str]:
        """What each port is."""
        return {
            **axi4_lite_meanings(CONTROL),
            **axi4_meanings(self.unit.bus, MEMORY),
            "irq": "Something has happened that INTERRUPT_ENABLE asks for.",
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        reset = Signal()
        parts = self._place(m, platform, reset)
        starts = self._start(m, parts)
        ended = self._count_ended(m, parts, starts)
        self._compute(m, parts)
        self._move(m, parts, ended)
        self._access(m, parts)
        self._stop(m, parts, reset)
        self._count(m, parts, starts)
        return m

    def _place(self, m: Module, platform: Any, reset: Signal) -> "_Parts":
        """All parts, and the ports of those that have some outside; ``reset`` is for what runs a
        program.
        """
        bus, shape, encoding = self.unit.bus, self.unit.scratchpad, self.unit.encoding
        fmt = self.unit.engine.unit.sparq_format
        queues = {"loads": 2 * bus.max_burst, "stream": 2 * bus.max_burst, "fetch": bus.max_burst}
        parts = _Parts(
            registers=RegisterFile(self.registers, CONTROL),
            memory_reader=AxiReader(bus, queues),
            memory_writer=AxiWriter(bus, 2 * bus.max_burst),
            program_reader=ProgramReader(self.unit),
            scratchpad=Scratchpad(shape),
            loader=LineLoader(shape, bus.address_bits, encoding),
            storer=LineStorer(shape, bus.address_bits, encoding),
            compute=self.compute,
            streams=StreamFifo(STREAM.size, GAPLESS_DEPTH),
            loads_queue=StreamFifo(MOVE_BITS + WAITS_BITS, MOVES_WAITING),
            stores_queue=StreamFifo(MOVE_BITS + WAITS_BITS, MOVES_WAITING),
            counters=EventCounters({name.lower(): 1 for name in COUNTERS}),
            unpacker=PairUnpacker(fmt, encoding) if fmt and encoding else None,
            packer=PairPacker(fmt, encoding) if fmt and encoding else None,
        )
        stay = ("registers", "scratchpad", "counters")
        for name, part in parts._asdict().items():
            if part is not None:
                place(m, platform, name, part, None if name in stay else reset)
        join(m, parts.registers, CONTROL, self)
        join(m, parts.memory_reader, MEMORY, self)
        join(m, parts.memory_writer, MEMORY, self)
        return parts

    def _start(self, m: Module, parts: "_Parts") -> Signal:
        """A program starts, if none runs, and its descriptors are fetched; when it starts."""
        registers, program = parts.registers, parts.program_reader
        starts = Signal()
        m.d.comb += [
            starts.eq(registers.start_start & ~program.running),
            program.start.eq(starts),
            program.program.eq(registers.program_value),
            program.reads_start.eq(parts.reads_start),
            program.reads_size.eq(registers.reads_size_value),
            program.writes_size.eq(registers.writes_size_value),
        ]
        join(m, program, "fetch_", parts.memory_reader)
        return starts

    def _count_ended(self, m: Module, parts: "_Parts", starts: Signal) -> Sequence[Signal]:
        """How many LOADs, STOREs and computations of the program have ended."""
        program, compute = parts.program_reader, parts.compute
        loads, stores = (
            Signal(EVENT_BITS, name=f"{name}_ended", reset_less=True)
            for name in ("loads", "stores")
        )
        for count, event in ((loads, parts.loader.done), (stores, parts.memory_writer.done)):
            with m.If(starts):
                m.d.sync += count.eq(0)
            with m.Elif(event):
                m.d.sync += count.eq(count + 1)
        m.d.comb += [
            program.loads_ended.eq(loads),
            program.stores_ended.eq(stores),
            program.computes_ended.eq(compute.ended),
            compute.clear.eq(starts),
            compute.loads_ended.eq(loads),
            compute.stores_ended.eq(stores),
        ]
        return loads, stores, compute.ended

    def _compute(self, m: Module, parts: "_Parts") -> None:
        """Descriptors that compute go to their unit, and so do their parameters and weights."""
        program, compute, streams = parts.program_reader, parts.compute, parts.streams
        m.d.comb += [
            compute.in_valid.eq(program.computes_valid),
            compute.in_data.eq(program.descriptor),
            compute.in_waits.eq(program.waits),
            compute.in_weights.eq(program.weights),
            program.computes_ready.eq(compute.in_ready),
        ]
        join(m, program, "stream_request", parts.memory_reader)
        join(m, compute, "beats_", parts.memory_reader, "stream_")
        Stream(program.stream_valid, program.stream_ready, program.stream, None).feed(
            m, Stream.of(streams, "in_")
        )
        Stream.of(streams, "out_").feed(
            m, Stream(compute.stream_valid, compute.stream_ready, compute.stream, None)
        )

    def _move(self, m: Module, parts: "_Parts", ended: Sequence[Signal]) -> None:
        """LOADs and STOREs wait for what must have ended, and then move their lines."""
        program, loader, storer = parts.program_reader, parts.loader, parts.storer
        reader, writer = parts.memory_reader, parts.memory_writer
        unpacker, packer = parts.unpacker, parts.packer
        for name, opcode, queue, mover, start in (
            ("loads", Opcode.LOAD, parts.loads_queue, loader, parts.reads_start),
            ("stores", Opcode.STORE, parts.stores_queue, storer, parts.writes_start),
        ):
            own = DescriptorFields(queue.out_data, opcode, self.unit.encoded_memory)
            may_start = have_ended(queue.out_data[MOVE_BITS:], ended)
            m.d.comb += [
                queue.in_valid.eq(getattr(program, f"{name}_valid")),
                queue.in_data.eq(Cat(program.descriptor[:MOVE_BITS], program.waits)),
                getattr(program, f"{name}_ready").eq(queue.in_ready),
                mover.command_valid.eq(queue.out_valid & may_start),
                queue.out_ready.eq(mover.command_ready & may_start),
                mover.command.address.eq(start + own.address),
                mover.command.line.eq(own.line),
                mover.command.lines.eq(own.lines),
            ]
            if self.unit.encoded_memory:
                m.d.comb += mover.command.encoded.eq(own.encoded)
        join(m, loader, "request", reader, "loads_request")
        if unpacker is None:
            join(m, loader, "in_", reader, "loads_")
        else:
            m.d.comb += unpacker.encoded.eq(loader.encoded)
            join(m, unpacker, "in_", reader, "loads_")
            join(m, unpacker, "out_", loader, "in_")
        join(m, storer, "request", writer)
        if packer is None:
            join(m, storer, "out_", writer, "in_")
        else:
            m.d.comb += packer.encoded.eq(storer.encoded)
            join(m, storer, "out_", packer, "in_")
            join(m, packer, "out_", writer, "in_")

    def _access(self, m: Module, parts: "_Parts") -> None:
        """What reads and writes the scratchpad."""
        scratchpad, storer, compute = parts.scratchpad, parts.storer, parts.compute
        join(m, parts.loader, "loads_", scratchpad)
        join(m, storer, "stores_", scratchpad)
        join(m, scratchpad, "patches_", compute, "read_")
        join(m, scratchpad, "results_", compute, "write_")
        for reads in (storer, compute):
            m.d.comb += reads.read_data.eq(scratchpad.read_data)

    def _stop(self, m: Module, parts: "_Parts", reset: Signal) -> None:
        """A program ends, or is stopped, by the bus, by a wrong count of tiles or as nothing moves:
        then bursts come to their ends, all that runs it is reset, and software is told why.
        """
        registers, program, compute = parts.registers, parts.program_reader, parts.compute
        reader, writer, scratchpad = parts.memory_reader, parts.memory_writer, parts.scratchpad
        is_stopping = Signal()
        code = Signal(8)
        still = Signal(32)
        limit = registers.watchdog_value
        moves = Signal()
        m.d.comb += [
            moves.eq(
                compute.moves
                | (reader.fetch_valid & reader.fetch_ready)
                | (scratchpad.loads_valid & scratchpad.loads_ready)
                | (scratchpad.stores_valid & scratchpad.stores_ready)
                | self._moves("w")
            ),
            reader.stop.eq(is_stopping),
            writer.stop.eq(is_stopping),
            reset.eq(is_stopping & ~reader.busy & ~writer.busy),
        ]
        m.d.sync += still.eq(Mux(moves | ~program.running, 0, still + 1))
        hangs = (limit != 0) & (still == limit)
        with m.If(program.running & ~is_stopping):
            with m.If(reader.error | writer.error):
                m.d.sync += [is_stopping.eq(1), code.eq(Error.BUS)]
            with m.Elif(compute.fails):
                m.d.sync += [is_stopping.eq(1), code.eq(Error.TILES)]
            with m.Elif(hangs):
                m.d.sync += [is_stopping.eq(1), code.eq(Error.TIMEOUT)]
            with m.Elif(program.ended):
                m.d.sync += code.eq(program.error)
        with m.If(reset):
            m.d.sync += is_stopping.eq(0)

        has_ended = Signal()
        has_failed = Signal()
        m.d.comb += [
            has_ended.eq(reset | (program.ended & ~is_stopping)),
            has_failed.eq(reset | (program.error != 0)),
            registers.status_running.eq(program.running),
            registers.locked.eq(program.running),
            registers.error_code.eq(code),
            registers.done_count.eq(program.done),
            registers.set_interrupt_done.eq(has_ended & ~has_failed),
            registers.set_interrupt_error.eq(has_ended & has_failed),
        ]
        m.d.sync += self.irq.eq(
            (registers.interrupt_done & registers.interrupt_enable_done)
            | (registers.interrupt_error & registers.interrupt_enable_error)
        )

    def _count(self, m: Module, parts: "_Parts", starts: Signal) -> None:
        """Cycles and beats of the program."""
        counters = parts.counters
        m.d.comb += [
            counters.clear.eq(starts),
            counters.count_cycles.eq(parts.program_reader.running),
            counters.count_busy.eq(parts.compute.busy),
            counters.count_beats_read.eq(self._moves("r")),
            counters.count_beats_written.eq(self._moves("w")),
        ]
        counters.show(m, parts.registers)

    def _moves(self, channel: str) -> Value:
        """A beat goes by on a channel of the memory port."""
        valid, ready = (getattr(self, f"{MEMORY}_{channel}{name}") for name in ("valid", "ready"))
        return valid & ready


class _Parts(NamedTuple):
    """What it is made of, by the names of the submodules."""

    registers: Any
    memory_reader: Any
    memory_writer: AxiWriter
    program_reader: ProgramReader
    scratchpad: Scratchpad
    loader: LineLoader
    storer: LineStorer
    compute: ComputeUnit
    streams: StreamFifo
    loads_queue: StreamFifo
    stores_queue: StreamFifo
    counters: Any
    unpacker: PairUnpacker | None
    packer: PairPacker | None

    @property
    def reads_start(self) -> Value:
        """The address of the window that may be read."""
        return Cat(self.registers.reads_low_value, self.registers.reads_high_value)

    @property
    def writes_start(self) -> Value:
        """The address of the window that may be written."""
        return Cat(self.registers.writes_low_value, self.registers.writes_high_value)
