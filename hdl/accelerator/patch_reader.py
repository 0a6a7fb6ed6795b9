"""Slices of patches, read from banks of activations as a machine takes them."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.format import ACTIVATION_BITS
from hdl.accelerator.layouts import (
    KERNEL_BITS,
    MARKS,
    PATCHES,
    PIXELS,
    POSITION_BITS,
    WORD_BITS,
)
from hdl.accelerator.patch_walk import PatchWalk
from hdl.placement import Component, place
from hdl.stream.stream_register import StreamRegister


class PatchReader(Component):
    """Reads the patches of a layer, tile after tile, as a :class:`PatchWalk` gives them.

    A slice is one tap of all lanes: one channel word of ``steps`` bytes for each. Those of a tile
    come row of taps by row, tap by tap, and for each tap all channel words, or both operands, or
    the one word of the pass. Each needs one access to all banks: they are read at the line ``low``,
    those before bank ``remainder`` at the line ``high``. A lane takes the bank of its pixel; where
    the tap lies outside of the image, ``pad_byte`` instead; a lane beyond the tile's count is 0.

    A slice per cycle, as long as it is taken. The first one of a layer is offered n + 8 cycles
    after its patches are, where its first tile takes n cycles of the walk; the first access 2
    cycles before its slice. Tiles follow each other without a gap where each has at least as many
    slices as the walk takes cycles for the tile after it; otherwise a tile takes that many cycles.
    After the last slice of a layer was taken the patches of the next one count.

    Parameters
    ----------
    rows : int, a power of two from 2 to 64
        Lanes; there are twice as many banks.
    steps : int
        Bytes of a channel word.
    lines : int, a power of two up to 65536
        Lines of a bank.

    Members
    -------
    patches_valid : In(1)
        There is a layer.
    patches_ready : Out(1)
        Its last slice is taken.
    patches : In(PATCHES)
        What is read.
    tile_valid : Out(1)
        The output pixels of a tile are offered, until they are taken, before its first access.
    tile_ready : In(1)
        Those that are offered are taken.
    tile : Out(PIXELS)
        The output pixels.
    read_valid : Out(1)
        An access is offered, until it is taken. Its data come in the cycle after that, and count in
        no other.
    read_ready : In(1)
        An access that is offered is taken.
    read_low, read_high : Out(log2(lines))
        Lines.
    read_remainder : Out(range(2 * rows))
        How many banks, the first ones, are read at the line ``read_high``, all others at
        ``read_low``.
    read_data : In(2 * rows * steps * 8)
        What the access before this cycle gave, bank 0 low.
    slice_valid : Out(1)
        A slice is offered, until it is taken.
    slice_ready : In(1)
        A slice that is offered is taken. ``read_valid`` depends on it in the same cycle.
    slice_data : Out(rows * steps * 8)
        The slice, lane 0 low; within a lane the lower channel low.
    slice_marks : Out(MARKS)
        What it is.
    """

    def __init__(self, rows: int, steps: int, lines: int):
        self.rows = rows
        self.steps = steps
        self.lines = lines
        self.word_bits = steps * ACTIVATION_BITS
        self.line_bits = exact_log2(lines)
        super().__init__(
            {
                "patches_valid": In(1),
                "patches_ready": Out(1),
                "patches": In(PATCHES),
                "tile_valid": Out(1),
                "tile_ready": In(1),
                "tile": Out(PIXELS),
                "read_valid": Out(1),
                "read_ready": In(1),
                "read_low": Out(self.line_bits),
                "read_high": Out(self.line_bits),
                "read_remainder": Out(range(2 * rows)),
                "read_data": In(2 * rows * self.word_bits),
                "slice_valid": Out(1),
                "slice_ready": In(1),
                "slice_data": Out(rows * self.word_bits),
                "slice_marks": Out(MARKS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        patches, rows = self.patches, self.rows

        # Tiles are prepared.
        walk = PatchWalk(rows, self.lines)
        place(m, platform, "walk", walk)
        bank_bits = walk.offset_bits
        running = Signal()
        m.d.sync += running.eq(self.patches_valid & ~self.patches_ready)
        m.d.comb += [
            walk.start.eq(self.patches_valid & ~running),
            walk.patches.eq(patches),
            self.tile.eq(walk.tile),
        ]

        # A tile is read when the one before it was.
        advance = Signal()
        active = Signal()
        takes_tile = Signal()
        ends_tile = Signal()
        m.d.comb += [
            self.tile_valid.eq(walk.tile_valid & (~active | (advance & ends_tile))),
            takes_tile.eq(self.tile_valid & self.tile_ready),
            walk.tile_ready.eq(takes_tile),
        ]
        ends = Signal(2)
        is_idle = Signal(rows, reset_less=True)
        ports = {
            "row": walk.lane_rows,
            "column": walk.lane_columns,
            "offset": walk.lane_offsets,
        }
        lanes = {
            name: Signal.like(port, name=f"lane_{name}s", reset_less=True)
            for name, port in ports.items()
        }
        with m.If(takes_tile):
            m.d.sync += [
                ends.eq(Cat(walk.tile.ends_pass, walk.tile.ends_walk)),
                is_idle.eq(Cat(walk.tile.count <= index for index in range(rows))),
                *(lanes[name].eq(port) for name, port in ports.items()),
            ]

        # Each tap of it, and each channel word or operand of a tap.
        tap_row, tap_column = (
            Signal(KERNEL_BITS, name=f"tap_{axis}", reset_less=True) for axis in ("row", "column")
        )
        word = Signal(WORD_BITS, reset_less=True)
        pass_number = Signal(WORD_BITS)
        first_of_row, tap = (
            Signal(walk.pixel_bits, name=name, reset_less=True) for name in ("first_of_row", "tap")
        )
        last_word = Mux(patches.by_matrix, patches.words, Mux(patches.two_operands, 2, 1))
        ends_tap = word + 1 == last_word
        ends_row = ends_tap & (tap_column + 1 == patches.kernel_w)
        vertical, horizontal = (
            _Range(m, axis, size)
            for axis, size in (("row", patches.height), ("column", patches.width))
        )
        goes = Signal()
        m.d.comb += [
            goes.eq(active & advance),
            ends_tile.eq(ends_row & (tap_row + 1 == patches.kernel_h)),
        ]
        with m.If(goes):
            m.d.sync += word.eq(word + 1)
            with m.If(ends_tap):
                m.d.sync += [
                    word.eq(0),
                    tap_column.eq(tap_column + 1),
                    tap.eq(tap + patches.dilation_x),
                ]
                horizontal.step(m, patches.dilation_x)
            with m.If(ends_row):
                next_row = first_of_row + walk.tap_step
                m.d.sync += [
                    tap_row.eq(tap_row + 1),
                    tap_column.eq(0),
                    first_of_row.eq(next_row),
                    tap.eq(next_row),
                ]
                horizontal.begin(m)
                vertical.step(m, patches.dilation_y)
            with m.If(ends_tile):
                m.d.sync += active.eq(0)
                with m.If(ends[0]):
                    m.d.sync += pass_number.eq(Mux(ends[1], 0, pass_number + 1))
        with m.If(takes_tile):
            m.d.sync += [
                active.eq(1),
                word.eq(0),
                tap_row.eq(0),
                tap_column.eq(0),
                first_of_row.eq(walk.base),
                tap.eq(walk.base),
            ]
            horizontal.begin(m)
            vertical.begin(m)

        # Where it is read, and what the lanes take.
        is_b = Signal()
        is_shared = Signal()
        pixel = Signal(walk.pixel_bits)
        offered = Signal()
        lines, origin, pitch = (
            Signal(self.line_bits, name=name, reset_less=True)
            for name in ("lines", "origin", "pitch")
        )
        remainder = Signal(bank_bits, reset_less=True)
        choices = Signal(rows * (bank_bits + 2), reset_less=True)
        marks = Signal(MARKS, reset_less=True)
        own_pitch = Mux(is_b, patches.pitch_b, patches.pitch)[: self.line_bits]
        own_choices = []
        for index in range(rows):
            row, column, offset = (
                own.word_select(index, len(own) // rows) for own in lanes.values()
            )
            bank = pixel[:bank_bits] + Mux(is_shared, 0, offset)
            is_inside = vertical.contains(row) & horizontal.contains(column)
            own_choices.append(Cat(bank[:bank_bits], is_inside, is_idle[index]))
        m.d.comb += [
            is_b.eq(~patches.by_matrix & word[0]),
            is_shared.eq(is_b & patches.broadcast),
            pixel.eq(Mux(is_shared, 0, tap)),
        ]
        with m.If(advance):
            m.d.sync += [
                offered.eq(active),
                lines.eq((pixel >> bank_bits) * own_pitch),
                origin.eq(
                    Mux(is_b, patches.base_b, patches.base)
                    + Mux(patches.by_matrix, word, pass_number)
                ),
                pitch.eq(own_pitch),
                remainder.eq(pixel),
                choices.eq(Cat(*own_choices)),
                marks.operand_b.eq(is_b),
                marks.ends_tile.eq(ends_tile),
                marks.ends_pass.eq(ends_tile & ends[0]),
                marks.ends_walk.eq(ends_tile & ends[1]),
            ]

        # It is read if its slice will have room.
        has_room = Signal()
        accepted = Signal()
        low = (lines + origin)[: self.line_bits]
        m.d.comb += [
            self.read_valid.eq(offered & has_room),
            accepted.eq(self.read_valid & self.read_ready),
            advance.eq(~offered | accepted),
            self.read_low.eq(low),
            self.read_high.eq(low + pitch),
            self.read_remainder.eq(remainder),
        ]

        # The lanes choose among what comes.
        comes = Signal()
        choices_of_data = Signal.like(choices, name="choices_of_data")
        marks_of_data = Signal(MARKS, name="marks_of_data", reset_less=True)
        m.d.sync += comes.eq(accepted)
        with m.If(accepted):
            m.d.sync += [choices_of_data.eq(choices), marks_of_data.eq(marks)]
        words = []
        for index in range(rows):
            choice = choices_of_data.word_select(index, bank_bits + 2)
            bank, is_inside, idle = choice[:bank_bits], choice[-2], choice[-1]
            read = Mux(
                is_inside,
                self.read_data.word_select(bank, self.word_bits),
                patches.pad_byte.replicate(self.steps),
            )
            words.append(Mux(idle, Const(0, self.word_bits), read))

        # Two slices wait: one that comes has room, unless two are there and none is taken.
        slices = StreamRegister(rows * self.word_bits + MARKS.size)
        place(m, platform, "slices", slices)
        m.d.comb += [
            slices.in_valid.eq(comes),
            slices.in_data.eq(Cat(*words, marks_of_data)),
            slices.out_ready.eq(self.slice_ready),
            has_room.eq((slices.in_ready & ~(comes & slices.out_valid)) | self.slice_ready),
            self.slice_valid.eq(slices.out_valid),
            Cat(self.slice_data, self.slice_marks).eq(slices.out_data),
            self.patches_ready.eq(slices.given & self.slice_marks.ends_walk),
        ]
        return m


class _Range:
    """Rows or columns of first taps for which the present tap lies inside of the image."""

    def __init__(self, m: Module, axis: str, size: Value):
        self._size = size
        self._low, self._high = (
            Signal(signed(POSITION_BITS), name=f"{end}_{axis}", reset_less=True)
            for end in ("lowest", "end")
        )

    def begin(self, m: Module) -> None:
        """The first tap."""
        m.d.sync += [self._low.eq(0), self._high.eq(self._size)]

    def step(self, m: Module, dilation: Value) -> None:
        """The next one."""
        m.d.sync += [self._low.eq(self._low - dilation), self._high.eq(self._high - dilation)]

    def contains(self, position: Value) -> Value:
        """Whether it is among them."""
        own = position.as_signed()
        return (own >= self._low) & (own < self._high)
