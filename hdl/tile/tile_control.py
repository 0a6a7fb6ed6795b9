"""Control of a tensor core: where tiles start, end and drain."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Out

from hdl.placement import place
from hdl.tile.row_counter import RowCounter
from hdl.tile.tile_handshake import TileHandshake


class TileControl(TileHandshake):
    """Turns a stream of slices into the control that all units of a core see together.

    A tile's ``last`` hands every unit's sum to its result register; when it may, the handshake
    says.

    After reset ``last`` is high until the first slice can arrive, so that all sums start from zero;
    no results follow that.

    Parameters
    ----------
    rows : int
    delay : int, from 1
        Cycles from a slice to the ``last`` that ends it.

    Members
    -------
    in_valid, in_last, in_ready, hold, taken
        Of a :class:`TileHandshake`.
    last : Out(1)
        The sum of every unit ends.
    drain : Out(1)
        Every result register takes that of the unit above.
    out_valid : Out(1)
        A row of results leaves, two cycles past the last or one past the drain that brought it to
        the bottom.
    out_last : Out(1)
        That row is row 0.
    """

    measured_alone = True
    counts_rows = True

    module_name = "tile_control"

    def __init__(self, rows: int, delay: int):
        self.delay = delay
        outputs = ("last", "drain", "out_valid", "out_last")
        super().__init__(rows, dict.fromkeys(outputs, Out(1)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        last_sent = self._end_tiles(m)

        # As late as the slices.
        ends = Signal(self.delay)
        clears = Signal(self.delay, init=-1)
        m.d.sync += [ends.eq(Cat(last_sent, ends)), clears.eq(Cat(0, clears))]
        m.d.comb += self.last.eq(ends[-1] | clears[-1])

        # Drain, the bottom row first.
        ended = Signal()
        m.d.sync += ended.eq(ends[-1])
        row_counter = RowCounter(self.rows)
        place(m, platform, "row_counter", row_counter)
        m.d.comb += row_counter.start.eq(ended)
        m.d.comb += self.drain.eq(row_counter.valid & ~row_counter.last)
        m.d.sync += [self.out_valid.eq(row_counter.valid), self.out_last.eq(row_counter.last)]
        return m
