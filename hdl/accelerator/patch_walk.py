"""The output pixels that are computed together, tile after tile."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hdl.accelerator.layouts import (
    PATCHES,
    PIXELS,
    POSITION_BITS,
    SIZE_BITS,
    STEP_BITS,
    WORD_BITS,
)
from hdl.placement import Component


class PatchWalk(Component):
    """Fills the lanes of a machine with output pixels, ahead of their use.

    Lane r of a tile is one output pixel. Its patch begins in row ``iy`` and column ``ix`` of the
    input, at input pixel ``iy * width + ix``; its offset is that number less the one of lane 0. A
    tile takes output pixels in row-major order while there are some left, at most ``rows`` of them,
    and only those whose offsets are from 0 to 2 * ``rows`` - 1: so the same tap of all its pixels
    is in one line of each bank. A pass takes all output pixels; ``passes`` follow each other.

    The first lanes of a walk are computed 4 cycles after its start. A tile takes a cycle for each
    row of output pixels that it has a part of, and one more if it ends with such a row, but neither
    fills all lanes nor ends a pass. That is no more than ``rows``. It is offered in the cycle after
    these, and the next one begins in the cycle in which it is taken.

    Parameters
    ----------
    rows : int, a power of two up to 64
        Lanes; there are twice as many banks.
    lines : int, a power of two up to 65536
        Lines of a bank. Numbers of input pixels count modulo ``2 * rows * lines``.

    Members
    -------
    start : In(1)
        A walk begins; not before the last tile of the one before it was taken.
    patches : In(PATCHES)
        What is walked; it stays until the last tile is taken.
    tap_step : Out(log2(2 * rows * lines))
        Input pixels from a row of taps to the next one, once a tile is offered.
    tile_valid : Out(1)
        A tile is offered, until it is taken.
    tile_ready : In(1)
        A tile that is offered is taken.
    tile : Out(PIXELS)
        Its output pixels.
    base : Out(log2(2 * rows * lines))
        The input pixel of lane 0's first tap; before the image begins it is negative, and wraps.
    lane_rows, lane_columns : Out(rows * 16)
        ``iy`` and ``ix`` of each lane, signed, lane 0 low. Of lanes beyond the tile's count these
        and the next are unspecified.
    lane_offsets : Out(rows * log2(2 * rows))
        Its offset.
    """

    def __init__(self, rows: int, lines: int):
        self.rows = rows
        self.lines = lines
        self.offset_bits = exact_log2(2 * rows)
        self.pixel_bits = self.offset_bits + exact_log2(lines)
        super().__init__(
            {
                "start": In(1),
                "patches": In(PATCHES),
                "tap_step": Out(self.pixel_bits),
                "tile_valid": Out(1),
                "tile_ready": In(1),
                "tile": Out(PIXELS),
                "base": Out(self.pixel_bits),
                "lane_rows": Out(rows * POSITION_BITS),
                "lane_columns": Out(rows * POSITION_BITS),
                "lane_offsets": Out(rows * self.offset_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        patches = self.patches
        # Wide enough for every step from one output pixel to the next: no offset is taken for less.
        pixel = signed(max(self.pixel_bits, SIZE_BITS + STEP_BITS + 2))

        # Steps over whole rows of the input, by one multiplier.
        multiplies = Signal(3)
        factor = Signal(signed(POSITION_BITS))
        product = Signal(pixel)
        origin = Signal(pixel, reset_less=True)
        row_step = Signal(pixel, reset_less=True)
        tap_step = Signal(self.pixel_bits, name="step_of_taps", reset_less=True)
        m.d.sync += multiplies.eq(multiplies << 1 | self.start)
        m.d.comb += [
            factor.eq(patches.top),
            product.eq(factor * patches.width),
            self.tap_step.eq(tap_step),
        ]
        with m.If(multiplies[0]):
            m.d.sync += origin.eq(product + patches.left)
        with m.If(multiplies[1]):
            m.d.comb += factor.eq(patches.stride_y)
            m.d.sync += row_step.eq(product)
        with m.If(multiplies[2]):
            m.d.comb += factor.eq(patches.dilation_y)
            m.d.sync += tap_step.eq(product)

        # The row of output pixels from which lanes are filled: how many of it are left, and where
        # patches begin. Of lane 0 if it were filled from this row, too; ``lane`` is the next one.
        number = Signal(len(self.tile.pixel), reset_less=True)
        pixels = Signal(len(patches.pixels), reset_less=True)
        of_row = Signal(SIZE_BITS, reset_less=True)
        row, column = (
            Signal(signed(POSITION_BITS), name=axis, reset_less=True) for axis in ("row", "column")
        )
        begin, next_row = (Signal(pixel, name=name, reset_less=True) for name in ("begin", "next"))
        lane = Signal(range(self.rows))
        first = Signal(pixel, reset_less=True)
        is_first = lane == 0
        steps = [
            Signal(STEP_BITS + self.offset_bits, name=f"step_{i}") for i in range(self.rows + 1)
        ]
        for i in range(1, self.rows + 1):
            low = i & -i
            multiple = (
                patches.stride_x << exact_log2(low) if i == low else steps[i - low] + steps[low]
            )
            m.d.comb += steps[i].eq(multiple)
        farthest = self.rows * (1 << STEP_BITS) + 2 * self.rows
        offset = Signal(signed(farthest.bit_length() + 1), reset_less=True)
        is_far = Signal(reset_less=True)  # the first offset of the row is none of a bank

        # The lanes that it fills: up to its end, the end of the pass, and the last of the banks.
        active = Signal()
        offered = Signal()
        fills = Signal()
        offsets = [Signal(len(offset), name=f"offset_{index}") for index in range(self.rows)]
        m.d.comb += [own.eq(offset + step) for own, step in zip(offsets, steps, strict=False)]
        ends_of_row, ends_of_pass = (
            lane + Mux(own[exact_log2(self.rows) :].any(), self.rows, own[: exact_log2(self.rows)])
            for own in (of_row, pixels)
        )
        is_before = [*(index < lane for index in range(self.rows - 1)), Const(0, 1)]
        filled = []
        for index in range(self.rows):
            is_near = ~is_far & ~offsets[index][self.offset_bits :].any()
            is_there = (index < ends_of_row) & (index < ends_of_pass)
            filled.append(is_before[index] | (is_near & is_there))
        ends_here = [
            before & ~own
            for before, own in zip([Const(1), *filled], [*filled, Const(0, 1)], strict=True)
        ]
        end = Signal(range(self.rows + 1))
        step = Signal(len(steps[-1]))
        for signal, choices in ((end, range(self.rows + 1)), (step, steps)):
            chosen = (Mux(ends, own, 0) for ends, own in zip(ends_here, choices, strict=True))
            m.d.comb += signal.eq(reduce(or_, chosen))
        count = (end - lane)[: len(end)]
        ends_row = of_row == count
        ends_pass = pixels == count
        completes = ends_pass | ~ends_row | (end == self.rows)
        m.d.comb += fills.eq(active & (~offered | self.tile_ready))
        for port, values in (
            (self.lane_rows, [row] * self.rows),
            (self.lane_columns, [column + own for own in steps[:-1]]),
            (self.lane_offsets, offsets),
        ):
            register = Signal.like(port, reset_less=True)
            m.d.comb += port.eq(register)
            for index in range(self.rows):
                with m.If(fills & ~is_before[index] & filled[index]):
                    m.d.sync += register.word_select(index, len(port) // self.rows).eq(
                        values[index]
                    )

        # A complete tile is offered.
        passes = Signal(WORD_BITS)
        ends_walk = ends_pass & (passes + 1 == patches.passes)
        tile = Signal(PIXELS, name="offered_tile", reset_less=True)
        m.d.comb += [
            self.tile_valid.eq(offered),
            self.tile.eq(tile),
            self.base.eq(first),
        ]
        with m.If(self.tile_ready):
            m.d.sync += offered.eq(0)
        with m.If(fills):
            m.d.sync += [
                offered.eq(completes),
                tile.count.eq(end),
                tile.ends_pass.eq(ends_pass),
                tile.ends_walk.eq(ends_walk),
            ]
            with m.If(is_first):
                m.d.sync += [first.eq(begin), tile.pixel.eq(number)]

        # The next lane is from the same row, the next one, or the first one of the next pass.
        next_offset = next_row - Mux(is_first, begin, first)
        back = Mux(completes, 0, step)
        with m.If(fills):
            m.d.sync += [
                number.eq(number + count),
                pixels.eq(pixels - count),
                of_row.eq(Mux(ends_row, patches.out_width, of_row - count)),
                column.eq(Mux(ends_row, patches.left - back, column + step)),
                begin.eq(Mux(ends_row, next_row - back, begin + step)),
                lane.eq(Mux(completes, 0, end)),
                offset.eq(Mux(completes, 0, next_offset[: self.offset_bits] - back)),
                is_far.eq(~completes & next_offset[self.offset_bits :].any()),
            ]
            with m.If(ends_row):
                m.d.sync += [row.eq(row + patches.stride_y), next_row.eq(next_row + row_step)]
            with m.If(ends_pass):
                m.d.sync += passes.eq(passes + 1)
            with m.If(ends_walk):
                m.d.sync += active.eq(0)
        with m.If(multiplies[2]):
            m.d.sync += [active.eq(1), passes.eq(0)]
        with m.If(multiplies[2] | (fills & ends_pass)):
            m.d.sync += [
                number.eq(patches.first_pixel),
                pixels.eq(patches.pixels),
                of_row.eq(patches.out_width - patches.first_column),
                row.eq(patches.top),
                column.eq(patches.left + patches.skipped),
                begin.eq(origin + patches.skipped),
                next_row.eq(origin + row_step),
                lane.eq(0),
                offset.eq(0),
                is_far.eq(0),
            ]
        return m
