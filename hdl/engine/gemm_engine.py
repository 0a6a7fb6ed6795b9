"""The matrix engine: what a system is given."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.bus.axi4_lite import axi4_lite_meanings, axi4_lite_members
from hdl.bus.axi4_stream import axi4_stream_meanings, axi4_stream_members
from hdl.bus.register_file import RegisterFile
from hdl.elements import Elements, side_by_side
from hdl.engine.column_parameters import PARAMETER_WORD_BITS
from hdl.engine.engine_registers import COUNTERS, ErrorCode, engine_registers
from hdl.engine.engine_unit import EngineUnit
from hdl.engine.event_counters import EventCounters
from hdl.engine.gemm_core import GemmCore
from hdl.placement import Component, place
from hdl.stream.downsizer import Downsizer
from hdl.stream.stream import Stream
from hdl.stream.upsizer import Upsizer

CONTROL = "s_axi_control"
STREAMS = {
    "activations": "s_axis_activations",
    "weights": "s_axis_weights",
    "parameters": "s_axis_parameters",
    "results": "m_axis_results",
}
"""Of each stream of a :class:`GemmCore`, the prefix of its ports."""
IN_FLIGHT_BITS = 8


class GemmEngine(Component):
    """Multiplies matrices, command by command: tiles by a machine, results as sums or bytes.

    Commands come by an AXI4-Lite port, operands and results by AXI4-Stream ports. A command is the
    work of a layer: ``TILES_N`` columns of ``TILES_M`` tiles each, every tile ``DEPTH`` slices of
    the reduction long. For each column of tiles come the weights of its slices, once, and the
    parameters of its columns; for each tile its slices of activations, and its results leave, row
    by row. Nothing has to be in step: each stream is taken as far as there is room. Whatever the
    consumer does, no result is lost.

    Streams have a word for each slice or word of results, or words of ``stream_bits``: as many as
    it takes, that of the lowest bits first, the last one filled up with bits that are not read, or
    zeros.

    A soft reset empties the engine in the next cycle: commands, all words that were taken, and
    those of the results that are offered; registers and counters keep their values.

    Parameters
    ----------
    engine : EngineUnit
    configuration_hash : str
        16 hexadecimal digits, which software reads.
    version : tuple of three int
        Of the generator.

    Members
    -------
    PREFIX_NAME
        Of the AXI4-Lite slave ``s_axi_control`` (:class:`RegisterFile` of
        :func:`engine_registers`), the AXI4-Stream slaves ``s_axis_activations``,
        ``s_axis_weights`` and ``s_axis_parameters``, and the master ``m_axis_results``.
    irq : Out(1)
        High while something has happened that INTERRUPT_ENABLE asks for.
    """

    def __init__(self, engine: EngineUnit, configuration_hash: str, version: tuple[int, int, int]):
        self.engine = engine
        self.core = core = GemmCore(engine)
        unit = engine.unit
        self.registers = engine_registers(
            rows=engine.rows,
            cols=engine.cols,
            k_per_cycle=core.machine.k_per_cycle,
            weight_bits=unit.weight_bits,
            acc_bits=unit.acc_bits,
            weight_depth=engine.weight_depth,
            lanes=engine.lanes,
            planes=len(engine.planes),
            result_tiles=core.result_tiles,
            command_depth=engine.command_depth,
            stream_bits=engine.stream_bits,
            configuration_hash=configuration_hash,
            version=version,
            format=unit.format,
            encoded_input=unit.encoded_input,
            encoded_output=engine.encoded_output,
        )
        self._control = axi4_lite_members(self.registers.address_bits, CONTROL)
        members = dict(self._control)
        self.stream_parts = {
            "activations": core.activation_parts,
            "weights": core.weight_parts,
            "parameters": {"parameters": Elements(PARAMETER_WORD_BITS)},
            "results": {"results": Elements(8).repeated("lane", engine.lanes)},
        }
        """Of each stream, what a slice or a byte of each lane consists of, the lowest first."""
        elements = {name: side_by_side(parts) for name, parts in self.stream_parts.items()}
        self.stream_words = dict.fromkeys(elements, 1)
        if engine.stream_bits:
            for name in ("activations", "weights", "results"):
                self.stream_words[name] = -(-elements[name].width // engine.stream_bits)
                elements[name] = Elements(8).repeated("byte", engine.stream_bits // 8)
        for name, prefix in STREAMS.items():
            flow = Out if name == "results" else In
            width = elements[name].width
            members |= axi4_stream_members(prefix, flow, width, last=name == "results")
        super().__init__({**members, "irq": Out(1)})
        self.elements = {
            name: Elements(len(getattr(self, name))) for name in self.signature.members
        } | {f"{prefix}_tdata": elements[name] for name, prefix in STREAMS.items()}

    @property
    def k_per_cycle(self) -> int:
        """Steps of the reduction per slice."""
        return self.core.machine.k_per_cycle

    @property
    def port_meanings(self) -> dict[str, str]:
        """What each port is."""
        words = {
            "activations": "A slice: rows in the order in which their results leave.",
            "weights": "A slice: column 0 low, within a column the lower step low.",
            "parameters": "A word of the parameters of a column, those of column 0 first.",
            "results": (
                "Results, the lowest column low: a byte of each lane, or in four words a sum of 32 "
                "bits."
            ),
        }
        if self.engine.unit.encoded_input:
            words["activations"] = (
                "A slice: stored pairs, rows in the order in which their results leave."
            )
        if self.engine.zero_point_bits:
            words["activations"] += " ZERO_POINT is subtracted from each byte."
        if self.engine.encoded_output:
            words["results"] = (
                "Results, the lowest column low: a byte of each lane, or in four words a sum of 32 "
                "bits, or stored pairs without gaps."
            )
        if self.engine.stream_bits:
            for name in ("activations", "weights", "results"):
                whole = "Such a word" if name == "results" else "It"
                count = self.stream_words[name]
                taken = f"{count} of the stream, the lowest bytes first"
                words[name] += f" {whole} takes {taken}."
        meanings = axi4_lite_meanings(CONTROL)
        for name, prefix in STREAMS.items():
            meanings |= axi4_stream_meanings(prefix, words[name], last=name == "results")
        return {
            **meanings,
            "irq": "Something has happened that INTERRUPT_ENABLE asks for.",
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core = self.core

        # Registers.
        registers = RegisterFile(self.registers, CONTROL)
        place(m, platform, "registers", registers)
        for name, member in self._control.items():
            ours, theirs = getattr(self, name), getattr(registers, name)
            m.d.comb += theirs.eq(ours) if member.flow == In else ours.eq(theirs)

        # The data path.
        soft_reset = registers.control_soft_reset
        place(m, platform, "core", core, soft_reset)
        for name, prefix in STREAMS.items():
            outside, inside = Stream.of(self, f"{prefix}_t"), Stream.of(core, f"{name}_")
            source, sink = (inside, outside) if name == "results" else (outside, inside)
            count = self.stream_words[name]
            if count > 1:
                kind = Downsizer if name == "results" else Upsizer
                adapter = kind(len(outside.data), count)
                place(m, platform, f"{name}_adapter", adapter, soft_reset)
                source.feed(m, Stream.of(adapter, "in_"))
                source = Stream.of(adapter, "out_")
            source.feed(m, sink)

        # Commands are checked before they wait.
        error = Signal(ErrorCode)
        tiles_m, tiles_n = registers.tiles_m_count, registers.tiles_n_count
        depth = registers.depth_slices
        zero_point_bits = self.engine.zero_point_bits
        is_deep = depth > self.engine.weight_depth if self.engine.weight_depth else 0
        with m.If((tiles_m == 0) | (tiles_n == 0)):
            m.d.comb += error.eq(ErrorCode.NO_TILES)
        with m.Elif((depth == 0) | is_deep):
            m.d.comb += error.eq(ErrorCode.DEPTH)
        with m.Elif(registers.mode_exact & (not self.engine.planes)):
            m.d.comb += error.eq(ErrorCode.NO_EXACT_MODE)
        with m.Elif(
            registers.mode_encoded & (registers.mode_sums | (not self.engine.encoded_output))
        ):
            m.d.comb += error.eq(ErrorCode.NO_ENCODED_OUTPUT)
        if zero_point_bits and zero_point_bits < ACTIVATION_BITS:
            with m.Elif(registers.zero_point_value[:-zero_point_bits].any()):
                m.d.comb += error.eq(ErrorCode.ZERO_POINT)
        with m.Elif(~core.command_ready):
            m.d.comb += error.eq(ErrorCode.QUEUE_FULL)
        if zero_point_bits:
            m.d.comb += core.zero_point.eq(registers.zero_point_value[-zero_point_bits:])
        starts = registers.start_start
        m.d.comb += [
            core.enable.eq(registers.control_enable),
            core.command_valid.eq(starts & (error == 0)),
            core.command.tiles_m.eq(tiles_m),
            core.command.tiles_n.eq(tiles_n),
            core.command.depth.eq(depth),
            core.command.exact.eq(registers.mode_exact),
            core.command.sums.eq(registers.mode_sums),
            core.command.encoded.eq(registers.mode_encoded),
            registers.set_error_code.eq(Mux(starts, error, 0)),
            registers.set_interrupt_error.eq(starts & (error != 0)),
            registers.set_interrupt_done.eq(core.done),
        ]
        m.d.sync += self.irq.eq(
            (registers.interrupt_done & registers.interrupt_enable_done)
            | (registers.interrupt_error & registers.interrupt_enable_error)
        )

        # What is under way.
        in_flight = Signal(IN_FLIGHT_BITS)
        m.d.sync += in_flight.eq(in_flight + core.command_valid - core.done)
        with m.If(core.done):
            m.d.sync += registers.completed_count.eq(registers.completed_count + 1)
        with m.If(soft_reset):
            m.d.sync += in_flight.eq(0)
        idle = in_flight == 0
        m.d.comb += [
            registers.status_idle.eq(idle),
            registers.status_command_full.eq(~core.command_ready),
            registers.status_commands_waiting.eq(core.commands_waiting),
        ]

        # Counters.
        pairs = core.pairs
        events = {name.lower(): 1 for name in COUNTERS}
        events |= {"pairs": pairs, "pairs_with_zero": pairs, "zero_pairs": pairs}
        counters = EventCounters({name: most for name, most in events.items() if most})
        place(m, platform, "counters", counters)
        m.d.comb += [
            counters.freeze.eq(registers.counter_control_freeze),
            counters.clear.eq(registers.counter_control_clear),
            counters.count_cycles.eq(~idle),
            counters.count_busy.eq(core.busy),
            counters.count_wait_activations.eq(core.waits_for_activations),
            counters.count_wait_weights.eq(core.waits_for_weights),
            counters.count_wait_output.eq(core.waits_for_output),
        ]
        if pairs:
            m.d.comb += [
                counters.count_pairs.eq(Mux(core.busy, pairs, 0)),
                counters.count_pairs_with_zero.eq(core.pairs_with_zero),
                counters.count_zero_pairs.eq(core.zero_pairs),
            ]
        counters.show(m, registers)
        return m
