"""The output pixels that are computed together, tile after tile."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
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
    """Fills the lanes of a machine with output pixels, one lane per cycle, ahead of their use.

    Lane r of a tile is one output pixel. Its patch begins in row ``iy`` and column ``ix`` of the
    input, at input pixel ``iy * width + ix``; its offset is that number less the one of lane 0. A
    tile takes output pixels in row-major order while there are some left, at most ``rows`` of them,
    and only those whose offsets are from 0 to 2 * ``rows`` - 1: so the same tap of all its pixels
    is in one line of each bank. A pass takes all output pixels; ``passes`` follow each other.

    The first lane of a walk is computed 4 cycles after its start. A tile of n lanes then takes n
    cycles if its pixel is the last one of a pass or its lanes are all filled, otherwise n + 1,
    which is no more than ``rows``. It is offered in the cycle after these, and the next one begins
    in the cycle in which it is taken: tiles follow each other every ``rows`` cycles or faster.

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

        # The next output pixel: its number, its place in the output, where its patch begins.
        number = Signal(len(self.tile.pixel), reset_less=True)
        left = Signal(len(patches.pixels), reset_less=True)
        out_column = Signal(SIZE_BITS, reset_less=True)
        row, column = (
            Signal(signed(POSITION_BITS), name=axis, reset_less=True) for axis in ("row", "column")
        )
        first_of_row, begin = (
            Signal(pixel, name=name, reset_less=True) for name in ("first_of_row", "begin")
        )
        ends_row = out_column + 1 == patches.out_width
        ends_pass = left == 1

        # It fills a lane, unless it is too far from lane 0, and the tile is complete.
        active = Signal()
        offered = Signal()
        fills = Signal()
        lane = Signal(range(self.rows))
        passes = Signal(WORD_BITS)
        first = Signal(pixel, reset_less=True)
        tile = Signal(PIXELS, name="offered_tile", reset_less=True)
        offset = Signal(pixel)
        accepts = Signal()
        completes = Signal()
        is_first = lane == 0
        m.d.comb += [
            fills.eq(active & (~offered | self.tile_ready)),
            offset.eq(Mux(is_first, 0, begin - first)),
            accepts.eq(fills & ~offset[self.offset_bits :].any()),
            completes.eq(fills & (~accepts | ends_pass | (lane == self.rows - 1))),
            self.tile_valid.eq(offered),
            self.tile.eq(tile),
            self.base.eq(first),
        ]
        with m.If(self.tile_ready):
            m.d.sync += offered.eq(0)
        with m.If(completes):
            m.d.sync += offered.eq(1)
        with m.If(accepts):
            m.d.sync += [
                tile.count.eq(lane + 1),
                tile.ends_pass.eq(ends_pass),
                tile.ends_walk.eq(ends_pass & (passes + 1 == patches.passes)),
            ]
            with m.If(is_first):
                m.d.sync += [first.eq(begin), tile.pixel.eq(number)]
        with m.If(fills):
            m.d.sync += lane.eq(Mux(completes, 0, lane + 1))
        for port, value in (
            (self.lane_rows, row),
            (self.lane_columns, column),
            (self.lane_offsets, offset),
        ):
            register = Signal.like(port, reset_less=True)
            m.d.comb += port.eq(register)
            with m.If(accepts):
                m.d.sync += register.word_select(lane, len(port) // self.rows).eq(value)

        # Then comes the one beside it, the first one of the next row, or that of the next pass.
        with m.If(accepts):
            m.d.sync += [
                number.eq(number + 1),
                left.eq(left - 1),
                out_column.eq(out_column + 1),
                column.eq(column + patches.stride_x),
                begin.eq(begin + patches.stride_x),
            ]
            with m.If(ends_row):
                m.d.sync += [
                    out_column.eq(0),
                    row.eq(row + patches.stride_y),
                    column.eq(patches.left),
                    first_of_row.eq(first_of_row + row_step),
                    begin.eq(first_of_row + row_step),
                ]
        with m.If(multiplies[1] | (accepts & ends_pass)):
            m.d.sync += [
                number.eq(patches.first_pixel),
                left.eq(patches.pixels),
                out_column.eq(patches.first_column),
                row.eq(patches.top),
                column.eq(patches.left + patches.skipped),
                first_of_row.eq(origin),
                begin.eq(origin + patches.skipped),
            ]
        with m.If(multiplies[2]):
            m.d.sync += [active.eq(1), passes.eq(0)]
        with m.If(accepts & ends_pass):
            m.d.sync += passes.eq(passes + 1)
            with m.If(passes + 1 == patches.passes):
                m.d.sync += active.eq(0)
        return m
