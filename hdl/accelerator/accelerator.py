"""The accelerator: what a system is given to run whole networks."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from golden.descriptor import Error, Opcode
from hdl.accelerator.accelerator_registers import COUNTERS, accelerator_registers
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.compute_unit import ComputeUnit
from hdl.accelerator.descriptor_fields import DESCRIPTOR_BITS, DescriptorFields
from hdl.accelerator.layouts import EVENT_BITS, STREAM, WAITS_BITS
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
from hdl.stream.stream_fifo import GAPLESS_DEPTH, StreamFifo

CONTROL = "s_axi_control"
MOVE_BITS = DESCRIPTOR_BITS // 4
"""Of a LOAD or STORE, whose fields are the first ones."""
MOVES_WAITING = 4
"""LOADs and STOREs that wait, each."""


class Accelerator(Component):
    """Runs programs: networks, layer after layer, from memory to memory.

    A program is a list of descriptors (``golden.descriptor``) in memory, and does what
    ``golden.program.Machine`` does. It is started by the AXI4-Lite port, and reads and writes
    memory by the AXI4 port, within windows that registers hold. When it ends, for whatever reason,
    nothing of it is left on the bus, and the next one can be started.

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
            configuration_hash=configuration_hash,
            version=version,
            format=engine.unit.format,
        )
        self._control = axi4_lite_members(self.registers.address_bits, CONTROL)
        self._reads = axi4_read_members(unit.bus, MEMORY)
        self._writes = axi4_write_members(unit.bus, MEMORY)
        super().__init__({**self._control, **self._reads, **self._writes, "irq": Out(1)})
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
        unit = self.unit
        bus, shape = unit.bus, unit.scratchpad

        # Registers.
        registers = RegisterFile(self.registers, CONTROL)
        place(m, platform, "registers", registers)
        for name, member in self._control.items():
            ours, theirs = getattr(self, name), getattr(registers, name)
            m.d.comb += theirs.eq(ours) if member.flow == In else ours.eq(theirs)

        # Memory outside. When a program is stopped, bursts come to their ends, and all is reset.
        reset = Signal()
        stops = Signal()
        queues = {"loads": 2 * bus.max_burst, "stream": 2 * bus.max_burst, "fetch": bus.max_burst}
        reader = AxiReader(bus, queues)
        writer = AxiWriter(bus, 2 * bus.max_burst)
        for name, part, members in (
            ("memory_reader", reader, self._reads),
            ("memory_writer", writer, self._writes),
        ):
            place(m, platform, name, part, reset)
            m.d.comb += part.stop.eq(stops)
            for port, member in members.items():
                ours, theirs = getattr(self, port), getattr(part, port)
                m.d.comb += theirs.eq(ours) if member.flow == In else ours.eq(theirs)

        # The program.
        program = ProgramReader(unit)
        place(m, platform, "program_reader", program, reset)
        starts = Signal()
        reads_start = Cat(registers.reads_low_value, registers.reads_high_value)
        writes_start = Cat(registers.writes_low_value, registers.writes_high_value)
        m.d.comb += [
            starts.eq(registers.start_start & ~program.running),
            program.start.eq(starts),
            program.program.eq(registers.program_value),
            program.reads_start.eq(reads_start),
            program.reads_size.eq(registers.reads_size_value),
            program.writes_size.eq(registers.writes_size_value),
            reader.fetch_request_valid.eq(program.fetch_request_valid),
            reader.fetch_request.eq(program.fetch_request),
            program.fetch_request_ready.eq(reader.fetch_request_ready),
            program.fetch_valid.eq(reader.fetch_valid),
            program.fetch_data.eq(reader.fetch_data),
            reader.fetch_ready.eq(program.fetch_ready),
            reader.stream_request_valid.eq(program.stream_request_valid),
            reader.stream_request.eq(program.stream_request),
            program.stream_request_ready.eq(reader.stream_request_ready),
        ]

        # What each unit does, and how much of it has ended.
        scratchpad = Scratchpad(shape)
        place(m, platform, "scratchpad", scratchpad)
        loader, storer = LineLoader(shape, bus.address_bits), LineStorer(shape, bus.address_bits)
        compute = self.compute
        streams = StreamFifo(STREAM.size, GAPLESS_DEPTH)
        for name, part in (
            ("loader", loader),
            ("storer", storer),
            ("compute", compute),
            ("streams", streams),
        ):
            place(m, platform, name, part, reset)
        ended = {
            name: Signal(EVENT_BITS, name=f"{name}_ended", reset_less=True)
            for name in ("loads", "stores")
        }
        for name, event in (("loads", loader.done), ("stores", writer.done)):
            with m.If(starts):
                m.d.sync += ended[name].eq(0)
            with m.Elif(event):
                m.d.sync += ended[name].eq(ended[name] + 1)
        counts = ended["loads"], ended["stores"], compute.ended
        m.d.comb += [
            program.loads_ended.eq(ended["loads"]),
            program.stores_ended.eq(ended["stores"]),
            program.computes_ended.eq(compute.ended),
            compute.clear.eq(starts),
            compute.loads_ended.eq(ended["loads"]),
            compute.stores_ended.eq(ended["stores"]),
            compute.in_valid.eq(program.computes_valid),
            compute.in_data.eq(program.descriptor),
            compute.in_waits.eq(program.waits),
            program.computes_ready.eq(compute.in_ready),
            streams.in_valid.eq(program.stream_valid),
            streams.in_data.eq(program.stream),
            program.stream_ready.eq(streams.in_ready),
            compute.stream_valid.eq(streams.out_valid),
            compute.stream.eq(streams.out_data),
            streams.out_ready.eq(compute.stream_ready),
            compute.beats_valid.eq(reader.stream_valid),
            compute.beats_data.eq(reader.stream_data),
            reader.stream_ready.eq(compute.beats_ready),
        ]

        # Lines move.
        for name, mover, start, opcode in (
            ("loads", loader, reads_start, Opcode.LOAD),
            ("stores", storer, writes_start, Opcode.STORE),
        ):
            queue = StreamFifo(MOVE_BITS + WAITS_BITS, MOVES_WAITING)
            place(m, platform, f"{name}_queue", queue, reset)
            own = DescriptorFields(queue.out_data, opcode)
            may_start = have_ended(queue.out_data[MOVE_BITS:], counts)
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
        m.d.comb += [
            reader.loads_request_valid.eq(loader.request_valid),
            reader.loads_request.eq(loader.request),
            loader.request_ready.eq(reader.loads_request_ready),
            loader.in_valid.eq(reader.loads_valid),
            loader.in_data.eq(reader.loads_data),
            reader.loads_ready.eq(loader.in_ready),
            writer.request_valid.eq(storer.request_valid),
            writer.request.eq(storer.request),
            storer.request_ready.eq(writer.request_ready),
            writer.in_valid.eq(storer.out_valid),
            writer.in_data.eq(storer.out_data),
            storer.out_ready.eq(writer.in_ready),
            scratchpad.loads_valid.eq(loader.loads_valid),
            scratchpad.loads_line.eq(loader.loads_line),
            scratchpad.loads_beat.eq(loader.loads_beat),
            scratchpad.loads_data.eq(loader.loads_data),
            loader.loads_ready.eq(scratchpad.loads_ready),
            scratchpad.stores_valid.eq(storer.stores_valid),
            scratchpad.stores_line.eq(storer.stores_line),
            storer.stores_ready.eq(scratchpad.stores_ready),
            storer.read_data.eq(scratchpad.read_data),
            scratchpad.patches_valid.eq(compute.read_valid),
            scratchpad.patches_low.eq(compute.read_low),
            scratchpad.patches_high.eq(compute.read_high),
            scratchpad.patches_remainder.eq(compute.read_remainder),
            compute.read_ready.eq(scratchpad.patches_ready),
            compute.read_data.eq(scratchpad.read_data),
            scratchpad.results_valid.eq(compute.write_valid),
            scratchpad.results_bank.eq(compute.write_bank),
            scratchpad.results_count.eq(compute.write_count),
            scratchpad.results_low.eq(compute.write_low),
            scratchpad.results_high.eq(compute.write_high),
            scratchpad.results_data.eq(compute.write_data),
            compute.write_ready.eq(scratchpad.results_ready),
        ]

        # It ends, or is stopped: by the bus, or as nothing moves.
        still = Signal(32)
        limit = registers.watchdog_value
        moves = Signal()
        code = Signal(8)
        is_stopping = Signal()
        m.d.comb += [
            moves.eq(
                compute.moves
                | (reader.fetch_valid & reader.fetch_ready)
                | (scratchpad.loads_valid & scratchpad.loads_ready)
                | (scratchpad.stores_valid & scratchpad.stores_ready)
                | (getattr(self, f"{MEMORY}_wvalid") & getattr(self, f"{MEMORY}_wready"))
            ),
            stops.eq(is_stopping),
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
            registers.error_code.eq(code),
            registers.done_count.eq(program.done),
            registers.set_interrupt_done.eq(has_ended & ~has_failed),
            registers.set_interrupt_error.eq(has_ended & has_failed),
        ]
        m.d.sync += self.irq.eq(
            (registers.interrupt_done & registers.interrupt_enable_done)
            | (registers.interrupt_error & registers.interrupt_enable_error)
        )

        # What is counted.
        counters = EventCounters({name.lower(): 1 for name in COUNTERS})
        place(m, platform, "counters", counters)
        m.d.comb += [
            counters.clear.eq(starts),
            counters.count_cycles.eq(program.running),
            counters.count_busy.eq(compute.busy),
            counters.count_beats_read.eq(
                getattr(self, f"{MEMORY}_rvalid") & getattr(self, f"{MEMORY}_rready")
            ),
            counters.count_beats_written.eq(
                getattr(self, f"{MEMORY}_wvalid") & getattr(self, f"{MEMORY}_wready")
            ),
        ]
        counters.show(m, registers)
        return m
