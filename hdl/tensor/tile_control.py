"""Control of a tensor core: where tiles start, end and drain."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class TileControl(wiring.Component):
    """Turns a stream of slices into the control that all units of a core see together.

    A tile's ``last`` hands every unit's sum to its result register, which must be free: the one
    before it has left ``rows`` cycles after its own ``last``. The ``last`` of a shorter tile
    therefore follows alone, as soon as that is so, and until then ``in_ready`` is low: never inside
    a tile, and never at all if tiles have at least ``rows`` slices.

    After reset ``last`` is high until the first slice can arrive, so that all sums start from zero;
    no results follow that.

    Parameters
    ----------
    rows : int
    delay : int, from 1
        Cycles from a slice to the ``last`` that ends it.

    Members
    -------
    in_valid, in_last : In(1), in_ready : Out(1)
        A slice is taken in a cycle in which valid and ready are 1.
    hold : In(1)
        No slice may be taken.
    taken : Out(1)
        A slice is taken; combinational. Otherwise the cycle is a bubble, and its activations must
        be made zero.
    last, shift : Out(1)
        Of all units.
    out_valid, out_last : Out(1)
        A row of results is two cycles past the ``last`` or one past the ``shift`` that brought it
        to the bottom; last with row 0.
    """

    module_name = "tile_control"

    def __init__(self, rows: int, delay: int):
        self.rows = rows
        self.delay = delay
        inputs = dict.fromkeys(("in_valid", "in_last", "hold"), In(1))
        outputs = ("in_ready", "taken", "last", "shift", "out_valid", "out_last")
        super().__init__(inputs | dict.fromkeys(outputs, Out(1)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Take slices, except while a tile's last is held back.
        last_held = Signal()
        m.d.comb += self.in_ready.eq(~last_held & ~self.hold)
        m.d.comb += self.taken.eq(self.in_valid & self.in_ready)

        # Send last when the result registers are free: at most once in `rows` cycles.
        cycles_to_wait = Signal(range(self.rows))
        last_due = Signal()
        last_sent = Signal()
        m.d.comb += last_due.eq((self.taken & self.in_last) | last_held)
        m.d.comb += last_sent.eq(last_due & (cycles_to_wait == 0))
        m.d.sync += last_held.eq(last_due & ~last_sent)
        with m.If(last_sent):
            m.d.sync += cycles_to_wait.eq(self.rows - 1)
        with m.Elif(cycles_to_wait != 0):
            m.d.sync += cycles_to_wait.eq(cycles_to_wait - 1)

        # As late as the slices.
        ends = Signal(self.delay)
        clears = Signal(self.delay, init=-1)
        m.d.sync += [ends.eq(Cat(last_sent, ends)), clears.eq(Cat(0, clears))]
        m.d.comb += self.last.eq(ends[-1] | clears[-1])

        # Drain, the bottom row first.
        rows_left = Signal(range(self.rows + 1))
        with m.If(ends[-1]):
            m.d.sync += rows_left.eq(self.rows)
        with m.Elif(rows_left != 0):
            m.d.sync += rows_left.eq(rows_left - 1)
        m.d.comb += self.shift.eq(rows_left[1:].any())  # more than one
        m.d.sync += [self.out_valid.eq(rows_left != 0), self.out_last.eq(rows_left == 1)]
        return m
