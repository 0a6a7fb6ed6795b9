"""From rows of results, one pixel each, to channel words of all pixels of a tile."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.accelerator.layouts import PIXELS, PLACE, WORD_BITS
from hdl.engine.output_stage import BYTES_PER_SUM
from hdl.placement import Component


class Turner(Component):
    """Collects the results of a tile, and gives them channel word by channel word.

    What comes are the words of a :class:`GemmCore` whose ``lanes`` are its ``cols``: of each tile
    ``rows`` rows of a byte for each column. What leaves are ``cols / steps`` words for the tile, of
    ``steps`` channels of all its pixels. With ``sums`` a row is four words, int32 little-endian;
    each of them leaves by itself, as ``cols / steps`` words of one pixel, in lane 0. The channel
    words of a pixel follow each other through all passes; what is beyond ``out_words``, and rows
    beyond the count of the tile, are dropped. The last word of a walk leaves when all others were
    taken or dropped: nothing of the walk is left behind it.

    The first word is offered in the cycle after the last row of its tile was taken. While it gives,
    it takes nothing until the cycle of the last word: a tile of w words takes ``rows`` + w - 1
    cycles, with ``sums`` each word that comes takes w, or 1 if it is dropped; a walk that ends with
    words that are dropped takes one more.

    Parameters
    ----------
    rows, cols : int
        Of the machine.
    steps : int
        Bytes of a channel word; a divisor of ``cols``.

    Members
    -------
    sums : In(1)
        Results come as int32. This and the next stay until ``finished``.
    out_words : In(16)
        Channel words of an output pixel, all passes together; at least 1 for each pass.
    tile_valid : In(1)
        The output pixels of a tile are offered; not later than its results.
    tile_ready : Out(1)
        All its results were taken and have left.
    tile : In(PIXELS)
        The output pixels.
    in_valid : In(1)
        A word of results is offered.
    in_ready : Out(1)
        A word that is offered is taken.
    in_data : In(cols * 8)
        The word, column 0 low.
    out_valid : Out(1)
        A word is offered, until it is taken.
    out_ready : In(1)
        A word that is offered is taken.
    out_data : Out(rows * steps * 8)
        The word, lane 0 low; lanes beyond its count are unspecified.
    out_place : Out(PLACE)
        Where it belongs.
    finished : Out(1)
        With ``tile_ready``: the tile was the last one of its walk.
    """

    def __init__(self, rows: int, cols: int, steps: int):
        self.rows = rows
        self.cols = cols
        self.steps = steps
        self.words = cols // steps
        super().__init__(
            {
                "sums": In(1),
                "out_words": In(WORD_BITS),
                "tile_valid": In(1),
                "tile_ready": Out(1),
                "tile": In(PIXELS),
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(cols * ACTIVATION_BITS),
                "out_valid": Out(1),
                "out_ready": In(1),
                "out_data": Out(rows * steps * ACTIVATION_BITS),
                "out_place": Out(PLACE),
                "finished": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tile = self.tile

        # Take rows, or one word of a row of sums.
        gives = Signal()
        ends = Signal()
        row = Signal(range(self.rows))
        takes = Signal()
        skips = Signal()  # what comes is dropped at once
        m.d.comb += [
            self.in_ready.eq(~gives | ends | skips),
            takes.eq(self.in_valid & (~gives | ends)),
        ]
        lane = Mux(self.sums, 0, row)
        with m.If(ends):
            m.d.sync += gives.eq(0)
        with m.If(takes & (self.sums | (row == self.rows - 1))):
            m.d.sync += gives.eq(1)

        # Give what they have of a channel word, the lowest one first.
        word = Signal(range(self.words))
        part = Signal(range(BYTES_PER_SUM))
        channel, first_of_part, first_of_pass = (
            Signal(WORD_BITS, name=name) for name in ("channel", "first_of_part", "first_of_pass")
        )
        drops = Signal()
        leaves = Signal()
        advances = Signal()
        holds_last = Signal()
        is_last = channel + 1 == self.out_words
        ends_row = ~self.sums | (part == BYTES_PER_SUM - 1)
        ends_tile = ends_row & (~self.sums | (row == self.rows - 1))
        own_row = Mux(holds_last, tile.count - 1, row)
        ends_walk = tile.ends_walk & is_last & (~self.sums | (own_row + 1 == tile.count))
        must_wait = ends_walk & ~ends_tile
        there = gives & self.tile_valid & ~drops
        m.d.comb += [
            drops.eq((channel >= self.out_words) | (self.sums & (own_row >= tile.count))),
            self.out_valid.eq(there & ~must_wait),
            self.out_place.pixel.eq(tile.pixel + Mux(self.sums, own_row, 0)),
            self.out_place.count.eq(Mux(self.sums, 1, tile.count)),
            self.out_place.channel.eq(channel),
            self.out_place.last.eq(ends_walk),
            leaves.eq(self.out_valid & self.out_ready),
            ends.eq(
                (gives & self.tile_valid & drops) | (leaves & (is_last | (word == self.words - 1)))
            ),
            skips.eq(holds_last & ~ends_tile),
            advances.eq(self.sums & (ends | (skips & self.in_valid))),
            self.tile_ready.eq(ends & ends_tile),
            self.finished.eq(self.tile_ready & tile.ends_walk),
        ]
        with m.If(there & must_wait):
            m.d.sync += holds_last.eq(1)
        with m.If(ends):
            m.d.sync += holds_last.eq(0)
        with m.If(leaves):
            m.d.sync += [word.eq(word + 1), channel.eq(channel + 1)]
        next_first = Mux(
            ends_row & ~(ends_tile & tile.ends_pass), first_of_pass, first_of_part + self.words
        )
        with m.If(ends):
            m.d.sync += [word.eq(0), channel.eq(next_first), first_of_part.eq(next_first)]
            with m.If(ends_tile):
                m.d.sync += first_of_pass.eq(next_first)
                with m.If(tile.ends_walk):
                    m.d.sync += [own.eq(0) for own in (channel, first_of_part, first_of_pass)]
        with m.If(advances):
            m.d.sync += part.eq(part + 1)
        with m.If(Mux(self.sums, advances & ends_row, takes)):
            m.d.sync += row.eq(Mux(row == self.rows - 1, 0, row + 1))

        # What was given makes room for what is next.
        bits = self.steps * ACTIVATION_BITS
        lowest = []
        for index in range(self.rows):
            held = Signal(self.cols * ACTIVATION_BITS, name=f"held_{index}", reset_less=True)
            with m.If(leaves):
                m.d.sync += held.eq(held >> bits)
            with m.If(takes & (lane == index)):
                m.d.sync += held.eq(self.in_data)
            lowest.append(held[:bits])
        m.d.comb += self.out_data.eq(Cat(lowest))
        return m
