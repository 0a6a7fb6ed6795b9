"""What computes: descriptors one after the other, from the scratchpad back into it."""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from golden.descriptor import MOST_WEIGHTS, Opcode
from golden.descriptor import PATCHES as PATCH_OPCODES
from golden.descriptor import VECTOR as VECTOR_OPCODES
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.byte_tables import ByteTables
from hdl.accelerator.descriptor_fields import DESCRIPTOR_BITS, DescriptorFields
from hdl.accelerator.join import join, ports
from hdl.accelerator.layouts import (
    EVENT_BITS,
    PIXELS,
    POSITION_BITS,
    STREAM,
    VECTOR_LOAD,
    WAITS_BITS,
    WORD_BITS,
)
from hdl.accelerator.patch_reader import PatchReader
from hdl.accelerator.result_writer import ResultWriter
from hdl.accelerator.stream_router import StreamRouter
from hdl.accelerator.turner import Turner
from hdl.accelerator.vector_unit import VectorUnit
from hdl.accelerator.waits import have_ended
from hdl.engine.gemm_core import GemmCore
from hdl.placement import Component, place
from hdl.stream.stream import Stream
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
    in_weights : In(16)
        Of a vector operation: the weights of each channel.
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
                "in_weights": In(WORD_BITS),
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
                **ports(self._reader, "read_"),
                **ports(self._writer, "write_"),
                "busy": Out(1),
                "moves": Out(1),
                "fails": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        parts = self._place(m, platform)
        own = self._take(m, parts)
        self._read(m, own, parts.patch_reader)
        self._load(m, own, parts)
        self._compute(m, own, parts)
        self._write(m, own, parts)
        return m

    def _place(self, m: Module, platform: Any) -> "_Parts":
        """All parts, in the order in which descriptors and data pass through them."""
        rows, steps, _ = self._sizes
        parts = _Parts(
            queue=StreamFifo(DESCRIPTOR_BITS + WAITS_BITS, WAITING),
            core=self.core,
            patch_reader=self._reader,
            vector=VectorUnit(rows, steps, MOST_WEIGHTS, self.unit.multiplies),
            tables=ByteTables(rows, steps),
            router=StreamRouter(self.unit, len(self.core.weights_data)),
            vector_loads=StreamFifo(VECTOR_LOAD.size, WAITING + 1),
            pixels=StreamFifo(PIXELS.size, self.core.result_tiles + 4),
            turner=Turner(rows, self.unit.engine.cols, steps),
            writer=self._writer,
        )
        for name, part in parts._asdict().items():
            place(m, platform, name, part)
        return parts

    def _take(self, m: Module, parts: "_Parts") -> "_Computed":
        """Descriptors wait, and the oldest one is computed when it has nothing to wait for."""
        queue, core, loads = parts.queue, parts.core, parts.vector_loads

        # Machine and vector unit know at once of what is to come, so that their weights load.
        coming = DescriptorFields(self.in_data, Opcode.MATRIX)
        is_product = coming.opcode == Opcode.MATRIX
        zero_point = self.unit.engine.zero_point_bits
        takes = self.in_valid & self.in_ready
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
            loads.in_valid.eq(takes & coming.is_one_of(*VECTOR_OPCODES)),
            loads.in_data.eq(Cat(self.in_weights, coming.out_words)),
        ]

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
        m.d.comb += [queue.out_ready.eq(ends), self.ended.eq(ended), self.busy.eq(running)]
        return _Computed(DescriptorFields(queue.out_data, Opcode.MATRIX), running, ends)

    def _read(self, m: Module, own: "_Computed", reader: PatchReader) -> None:
        """Its patches are read, once: as many tiles as the machine was told, or it fails."""
        fields = own.fields
        join(m, reader, "read_", self)
        has_read = Signal()
        with m.If(reader.patches_valid & reader.patches_ready):
            m.d.sync += has_read.eq(1)
        with m.If(own.ends):
            m.d.sync += has_read.eq(0)
        m.d.comb += [
            reader.patches_valid.eq(own.running & own.is_patches & ~has_read & ~own.ends),
            *self._patches(reader.patches, fields, own.is_matrix),
        ]

        tiles = Signal(len(fields.tiles_m), reset_less=True)
        fails = Signal()
        ends_pass = reader.tile.ends_pass
        with m.If(reader.tile_valid & reader.tile_ready):
            m.d.sync += tiles.eq(Mux(ends_pass, 0, tiles + 1))
            with m.If(own.is_matrix & ((tiles + 1 == fields.tiles_m) != ends_pass)):
                m.d.sync += fails.eq(1)
        with m.If(~own.running):
            m.d.sync += tiles.eq(0)
        m.d.comb += self.fails.eq(fails)

    def _load(self, m: Module, own: "_Computed", parts: "_Parts") -> None:
        """Parameters, weights and tables come, each where it is taken."""
        core, router, tables, vector = parts.core, parts.router, parts.tables, parts.vector
        join(m, router, "stream", self)
        join(m, router, "in_", self, "beats_")
        join(m, core, "weights_", router)
        load = Stream(vector.load_valid, vector.load_ready, vector.load, None)
        Stream.of(parts.vector_loads, "out_").feed(m, load)
        words = router.words_data
        of_core = Stream(router.parameters_valid, router.parameters_ready, words, None)
        of_core.feed(m, Stream.of(core, "parameters_"))
        Stream(router.vector_valid, router.vector_ready, words, None).feed(
            m, Stream.of(vector, "words_")
        )
        m.d.comb += [
            tables.load_valid.eq(router.table_valid & own.loads_table),
            tables.load_data.eq(words),
            router.table_ready.eq(own.loads_table),
        ]

    def _compute(self, m: Module, own: "_Computed", parts: "_Parts") -> None:
        """Slices go to the machine, and its results to the turner; or to the vector unit. Turner
        and vector unit are told what the pixels of each tile are.
        """
        core, reader, fields = parts.core, parts.patch_reader, own.fields
        pixels, turner, vector = parts.pixels, parts.turner, parts.vector
        is_matrix, is_vector = own.is_matrix, own.is_vector
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
        with m.If(own.ends):
            m.d.sync += has_left.eq(0)
        is_product = fields.opcode == Opcode.PRODUCT
        m.d.comb += [
            vector.command_valid.eq(own.running & is_vector & ~has_left),
            vector.command.product.eq(is_product),
            vector.command.maximum.eq(fields.opcode == Opcode.MAX),
            vector.command.uniform.eq(fields.uniform),
            vector.command.sums.eq(fields.sums),
            vector.command.zero_a.eq(Mux(is_product, fields.zero_point, 0)),
            vector.command.zero_b.eq(fields.other_zero_point),
            turner.sums.eq(fields.sums),
            turner.out_words.eq(Mux(fields.sums, fields.out_words << 2, fields.out_words)),
        ]
        Stream.of(core, "results_").feed(m, Stream.of(turner, "in_"))

    def _write(self, m: Module, own: "_Computed", parts: "_Parts") -> None:
        """Results are looked up, and written."""
        fields, reader, writer = own.fields, parts.patch_reader, parts.writer
        tables, turner, vector = parts.tables, parts.turner, parts.vector
        is_matrix, is_vector = own.is_matrix, own.is_vector
        join(m, writer, "write_", self)
        join(m, writer, "in_", tables, "out_")
        m.d.comb += [
            tables.applies.eq(fields.table & ~fields.sums & own.is_patches),
            tables.in_valid.eq(Mux(is_matrix, turner.out_valid, vector.out_valid)),
            tables.in_data.eq(Mux(is_matrix, turner.out_data, vector.out_data)),
            tables.in_place.eq(Mux(is_matrix, turner.out_place, vector.out_place)),
            turner.out_ready.eq(is_matrix & tables.in_ready),
            vector.out_ready.eq(is_vector & tables.in_ready),
            writer.base.eq(fields.out_line),
            writer.pitch.eq(fields.out_pitch),
            own.ends.eq(own.running & (writer.done | (own.loads_table & tables.loaded))),
            self.moves.eq(
                (reader.slice_valid & reader.slice_ready)
                | (self.beats_valid & self.beats_ready)
                | (writer.write_valid & writer.write_ready)
            ),
        ]

    @staticmethod
    def _patches(patches: Any, own: DescriptorFields, is_matrix: Value) -> list[Any]:
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


class _Computed(NamedTuple):
    """The descriptor that is computed."""

    fields: DescriptorFields
    running: Signal
    ends: Signal

    @property
    def is_matrix(self) -> Value:
        """The machine computes it."""
        return self.fields.opcode == Opcode.MATRIX

    @property
    def is_vector(self) -> Value:
        """The vector unit computes it."""
        return self.fields.is_one_of(*VECTOR_OPCODES)

    @property
    def is_patches(self) -> Value:
        """It reads patches."""
        return self.fields.is_one_of(*PATCH_OPCODES)

    @property
    def loads_table(self) -> Value:
        """It loads a table."""
        return self.running & (self.fields.opcode == Opcode.TABLE)


class _Parts(NamedTuple):
    """What it is made of, by the names of the submodules."""

    queue: StreamFifo
    core: GemmCore
    patch_reader: PatchReader
    vector: VectorUnit
    tables: ByteTables
    router: StreamRouter
    vector_loads: StreamFifo
    pixels: StreamFifo
    turner: Turner
    writer: ResultWriter
