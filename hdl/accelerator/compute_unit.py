"""What computes: descriptors one after the other, from the scratchpad back into it."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from golden.descriptor import MOST_WEIGHTS, Opcode
from golden.descriptor import PATCHES as PATCH_OPCODES
from golden.descriptor import VECTOR as VECTOR_OPCODES
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.byte_tables import ByteTables
from hdl.accelerator.descriptor_fields import DESCRIPTOR_BITS, DescriptorFields
from hdl.accelerator.layouts import (
    EVENT_BITS,
    PIXELS,
    POSITION_BITS,
    STREAM,
    VECTOR_LOAD,
    WAITS_BITS,
)
from hdl.accelerator.patch_reader import PatchReader
from hdl.accelerator.result_writer import ResultWriter
from hdl.accelerator.stream_router import StreamRouter
from hdl.accelerator.turner import Turner
from hdl.accelerator.vector_unit import VectorUnit
from hdl.accelerator.waits import have_ended
from hdl.engine.gemm_core import GemmCore
from hdl.placement import Component, place
from hdl.stream.stream_fifo import StreamFifo

WAITING = 2
"""Descriptors that wait while one is computed."""


class ComputeUnit(Component):
    """Computes descriptors, each when the one before has written its last result.

    A descriptor that is taken waits until what it depends on has ended. Its parameters and weights
    come meanwhile, as far as there is room for them.

    Parameters
    ----------
    unit : AcceleratorUnit

    Members
    -------
    in_valid : In(1)
        A descriptor is offered.
    in_ready : Out(1)
        A descriptor that is offered is taken.
    in_data : In(512)
        The descriptor, which is known to be right.
    in_waits : In(48)
        What must have ended before it starts.
    loads_ended, stores_ended : In(16)
        LOADs and STOREs that have ended, modulo 65536.
    ended : Out(16)
        Descriptors that have ended here since ``clear``, modulo 65536.
    clear : In(1)
        A program begins.
    stream_valid : In(1), stream_ready : Out(1), stream : In(STREAM)
    beats_valid : In(1), beats_ready : Out(1), beats_data : In(data_bits)
        Of a :class:`StreamRouter`.
    read_valid : Out(1), read_ready : In(1), read_low, read_high : Out(log2(lines))
    read_remainder : Out(range(2 * rows)), read_data : In(2 * rows * k_per_cycle * 8)
        Of a :class:`PatchReader`.
    write_valid : Out(1), write_ready : In(1), write_bank : Out(range(2 * rows))
    write_count : Out(7), write_low, write_high : Out(log2(lines))
    write_data : Out(rows * k_per_cycle * 8)
        Of a :class:`ResultWriter`.
    busy : Out(1)
        A descriptor is computed.
    moves : Out(1)
        A slice or a result goes on in this cycle.
    fails : Out(1)
        A MATRIX has not as many tiles as it says: until reset. It may never end.
    """

    def __init__(self, unit: AcceleratorUnit):
        self.unit = unit
        self.core = GemmCore(unit.engine)
        shape, engine = unit.scratchpad, unit.engine
        self._sizes = engine.rows, unit.k_per_cycle, shape.lines
        self._reader, self._writer = PatchReader(*self._sizes), ResultWriter(*self._sizes)
        super().__init__(
            {
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(DESCRIPTOR_BITS),
                "in_waits": In(WAITS_BITS),
                "loads_ended": In(EVENT_BITS),
                "stores_ended": In(EVENT_BITS),
                "ended": Out(EVENT_BITS),
                "clear": In(1),
                "stream_valid": In(1),
                "stream_ready": Out(1),
                "stream": In(STREAM),
                "beats_valid": In(1),
                "beats_ready": Out(1),
                "beats_data": In(unit.bus.data_bits),
                **_ports(self._reader, "read_"),
                **_ports(self._writer, "write_"),
                "busy": Out(1),
                "moves": Out(1),
                "fails": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        unit, core = self.unit, self.core
        rows, steps, _ = self._sizes

        # Descriptors wait; the machine knows of a product at once, so its weights load.
        queue = StreamFifo(DESCRIPTOR_BITS + WAITS_BITS, WAITING)
        place(m, platform, "queue", queue)
        place(m, platform, "core", core)
        coming = DescriptorFields(self.in_data, Opcode.MATRIX)
        is_product = coming.opcode == Opcode.MATRIX
        zero_point = unit.engine.zero_point_bits
        m.d.comb += [
            queue.in_data.eq(Cat(self.in_data, self.in_waits)),
            queue.in_valid.eq(self.in_valid & (core.command_ready | ~is_product)),
            self.in_ready.eq(queue.in_ready & (core.command_ready | ~is_product)),
            core.enable.eq(1),
            core.command_valid.eq(self.in_valid & queue.in_ready & is_product),
            core.command.tiles_m.eq(coming.tiles_m),
            core.command.tiles_n.eq(coming.tiles_n),
            core.command.depth.eq(coming.depth),
            core.command.exact.eq(coming.exact),
            core.command.sums.eq(coming.sums),
            *([core.zero_point.eq(coming.zero_point[-zero_point:])] if zero_point else []),
        ]

        # One is computed when it has nothing to wait for.
        own = DescriptorFields(queue.out_data, Opcode.MATRIX)
        running = Signal()
        ends = Signal()
        ended = Signal(EVENT_BITS, reset_less=True)
        counts = self.loads_ended, self.stores_ended, ended
        with m.If(ends):
            m.d.sync += [running.eq(0), ended.eq(ended + 1)]
        with m.Elif(queue.out_valid & have_ended(queue.out_data[DESCRIPTOR_BITS:], counts)):
            m.d.sync += running.eq(1)
        with m.If(self.clear):
            m.d.sync += ended.eq(0)
        is_matrix = own.opcode == Opcode.MATRIX
        is_vector = own.is_one_of(*VECTOR_OPCODES)
        is_patches = own.is_one_of(*PATCH_OPCODES)
        m.d.comb += [queue.out_ready.eq(ends), self.ended.eq(ended), self.busy.eq(running)]

        # Its patches are read.
        reader = self._reader
        place(m, platform, "patch_reader", reader)
        _join(m, self, reader, "read_")
        has_read = Signal()
        with m.If(reader.patches_valid & reader.patches_ready):
            m.d.sync += has_read.eq(1)
        with m.If(ends):
            m.d.sync += has_read.eq(0)
        m.d.comb += [
            reader.patches_valid.eq(running & is_patches & ~has_read & ~ends),
            *self._patches(reader.patches, own, is_matrix),
        ]

        # They are as many tiles as the machine was told.
        tiles = Signal(len(own.tiles_m), reset_less=True)
        fails = Signal()
        ends_pass = reader.tile.ends_pass
        with m.If(reader.tile_valid & reader.tile_ready):
            m.d.sync += tiles.eq(Mux(ends_pass, 0, tiles + 1))
            with m.If(is_matrix & ((tiles + 1 == own.tiles_m) != ends_pass)):
                m.d.sync += fails.eq(1)
        with m.If(~running):
            m.d.sync += tiles.eq(0)
        m.d.comb += self.fails.eq(fails)

        # Parameters and weights come, each where it is taken.
        vector = VectorUnit(rows, steps, MOST_WEIGHTS)
        tables = ByteTables(rows, steps)
        router = StreamRouter(unit, len(core.weights_data))
        for name, component in (("vector", vector), ("tables", tables), ("router", router)):
            place(m, platform, name, component)
        m.d.comb += [
            router.stream_valid.eq(self.stream_valid),
            router.stream.eq(self.stream),
            self.stream_ready.eq(router.stream_ready),
            router.in_valid.eq(self.beats_valid),
            router.in_data.eq(self.beats_data),
            self.beats_ready.eq(router.in_ready),
            core.parameters_valid.eq(router.parameters_valid),
            core.parameters_data.eq(router.words_data),
            router.parameters_ready.eq(core.parameters_ready),
            core.weights_valid.eq(router.weights_valid),
            core.weights_data.eq(router.weights_data),
            router.weights_ready.eq(core.weights_ready),
            vector.words_valid.eq(router.vector_valid),
            vector.words_data.eq(router.words_data),
            router.vector_ready.eq(vector.words_ready),
        ]
        loads_table = running & (own.opcode == Opcode.TABLE)
        m.d.comb += [
            tables.load_valid.eq(router.table_valid & loads_table),
            tables.load_data.eq(router.words_data),
            router.table_ready.eq(loads_table),
        ]

        # What loads into the vector unit is known as early.
        loads = StreamFifo(VECTOR_LOAD.size, WAITING + 1)
        place(m, platform, "vector_loads", loads)
        takes = self.in_valid & self.in_ready
        taps = (coming.kernel_height * coming.kernel_width)[:16]
        m.d.comb += [
            loads.in_valid.eq(takes & coming.is_one_of(*VECTOR_OPCODES)),
            loads.in_data.eq(Cat(coming.weights(taps)[:16], coming.out_words)),
            vector.load_valid.eq(loads.out_valid),
            vector.load.eq(loads.out_data),
            loads.out_ready.eq(vector.load_ready),
        ]

        # Slices go to the machine, or to the vector unit; what their pixels are, to what is behind.
        pixels = StreamFifo(PIXELS.size, core.result_tiles + 4)
        place(m, platform, "pixels", pixels)
        turner = Turner(rows, unit.engine.cols, steps)
        place(m, platform, "turner", turner)
        m.d.comb += [
            pixels.in_valid.eq(reader.tile_valid),
            pixels.in_data.eq(reader.tile),
            reader.tile_ready.eq(pixels.in_ready),
            turner.tile_valid.eq(pixels.out_valid & is_matrix),
            turner.tile.eq(pixels.out_data),
            vector.tile_valid.eq(pixels.out_valid & is_vector),
            vector.tile.eq(pixels.out_data),
            pixels.out_ready.eq(Mux(is_matrix, turner.tile_ready, vector.tile_ready)),
            core.activations_valid.eq(reader.slice_valid & is_matrix),
            core.activations_data.eq(reader.slice_data),
            vector.slice_valid.eq(reader.slice_valid & is_vector),
            vector.slice_data.eq(reader.slice_data),
            vector.slice_marks.eq(reader.slice_marks),
            reader.slice_ready.eq(Mux(is_matrix, core.activations_ready, vector.slice_ready)),
        ]
        has_left = Signal()
        with m.If(vector.command_ready & vector.command_valid):
            m.d.sync += has_left.eq(1)
        with m.If(ends):
            m.d.sync += has_left.eq(0)
        m.d.comb += [
            vector.command_valid.eq(running & is_vector & ~has_left),
            vector.command.product.eq(own.opcode == Opcode.PRODUCT),
            vector.command.maximum.eq(own.opcode == Opcode.MAX),
            vector.command.uniform.eq(own.uniform),
            vector.command.sums.eq(own.sums),
            vector.command.zero_a.eq(Mux(own.opcode == Opcode.PRODUCT, own.zero_point, 0)),
            vector.command.zero_b.eq(own.other_zero_point),
            turner.in_valid.eq(core.results_valid),
            turner.in_data.eq(core.results_data),
            core.results_ready.eq(turner.in_ready),
            turner.sums.eq(own.sums),
            turner.out_words.eq(Mux(own.sums, own.out_words << 2, own.out_words)),
        ]

        # Results are looked up, and written.
        writer = self._writer
        place(m, platform, "writer", writer)
        _join(m, self, writer, "write_")
        m.d.comb += [
            tables.applies.eq(own.table & ~own.sums & is_patches),
            tables.in_valid.eq(Mux(is_matrix, turner.out_valid, vector.out_valid)),
            tables.in_data.eq(Mux(is_matrix, turner.out_data, vector.out_data)),
            tables.in_place.eq(Mux(is_matrix, turner.out_place, vector.out_place)),
            turner.out_ready.eq(is_matrix & tables.in_ready),
            vector.out_ready.eq(is_vector & tables.in_ready),
            writer.in_valid.eq(tables.out_valid),
            writer.in_data.eq(tables.out_data),
            writer.in_place.eq(tables.out_place),
            tables.out_ready.eq(writer.in_ready),
            writer.base.eq(own.out_line),
            writer.pitch.eq(own.out_pitch),
            ends.eq(running & (writer.done | (loads_table & tables.loaded))),
            self.moves.eq(
                (reader.slice_valid & reader.slice_ready)
                | (self.beats_valid & self.beats_ready)
                | (writer.write_valid & writer.write_ready)
            ),
        ]
        return m

    def _patches(self, patches: Any, own: DescriptorFields, is_matrix: Value) -> list[Any]:
        """What is read, of the fields of a descriptor."""
        top = Signal(signed(POSITION_BITS + 4))
        left = Signal(signed(POSITION_BITS))
        is_of_two = own.is_one_of(Opcode.COMBINE, Opcode.PRODUCT)
        return [
            top.eq(own.first_row * own.stride_y - own.pad_top),
            left.eq(-own.pad_left),
            patches.height.eq(own.in_height),
            patches.width.eq(own.in_width),
            patches.pixels.eq(own.pixels),
            patches.out_width.eq(own.out_width),
            patches.first_column.eq(own.first_column),
            patches.top.eq(top),
            patches.left.eq(left),
            patches.skipped.eq(own.first_column * own.stride_x),
            patches.first_pixel.eq(own.first_pixel),
            patches.kernel_h.eq(own.kernel_height),
            patches.kernel_w.eq(own.kernel_width),
            patches.stride_y.eq(own.stride_y),
            patches.stride_x.eq(own.stride_x),
            patches.dilation_y.eq(own.dilation_y),
            patches.dilation_x.eq(own.dilation_x),
            patches.passes.eq(Mux(is_matrix, own.tiles_n, own.out_words)),
            patches.words.eq(own.in_words),
            patches.by_matrix.eq(is_matrix),
            patches.two_operands.eq(is_of_two),
            patches.broadcast.eq(own.broadcast),
            patches.base.eq(own.in_line),
            patches.pitch.eq(own.in_pitch),
            patches.base_b.eq(own.other_line),
            patches.pitch_b.eq(own.other_pitch),
            patches.pad_byte.eq(own.pad_byte),
        ]


def _ports(part: Component, prefix: str) -> dict[str, Any]:
    """The members of ``part`` that begin so."""
    members = part.signature.members
    return {name: members[name] for name in members if name.startswith(prefix)}


def _join(m: Module, outer: Component, inner: Component, prefix: str) -> None:
    """Connect the ports of ``inner`` that begin so with those of the same names of ``outer``."""
    for name, member in _ports(inner, prefix).items():
        inside, outside = getattr(inner, name), getattr(outer, name)
        m.d.comb += inside.eq(outside) if member.flow == In else outside.eq(inside)
