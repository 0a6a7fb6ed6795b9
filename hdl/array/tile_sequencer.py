"""Control at the array's left edge: where tiles start, end and drain."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class TileSequencer(wiring.Component):
    """Turns a stream of slices into the control that enters each row of the array.

    A tile's ``last`` hands every element's sum to its result register, which must be free: the one
    before it has left ``rows`` cycles after its own ``last``. The ``last`` of a shorter tile
    therefore follows alone, as soon as that is so, and until then ``in_ready`` is low: never inside
    a tile, and never at all if tiles have at least ``rows`` slices.

    ``last`` runs down the rows, one per cycle, ``delay`` cycles late as what it ends may be. When
    it reaches the bottom row, all rows start to ``shift``, and row ``r`` stops after ``r + 1``
    cycles, before its next result. One more runs down after reset, one cycle ahead of the first
    slice and as late as it, so that all sums start from zero; it is followed by no shift.

    Parameters
    ----------
    rows : int
    delay : int

    Members
    -------
    in_valid, in_last : In(1), in_ready : Out(1)
        A slice is taken in a cycle in which valid and ready are 1.
    hold : In(1)
        No slice may be taken.
    taken : Out(1)
        A slice is taken; combinational. Otherwise the cycle is a bubble, and its activations must
        be made zero.
    last : Out(rows + 1), shift : Out(rows)
        Control of row r at bit r, 1 + delay + r cycles after a slice was taken; bit ``rows`` of
        last is for what is below the last row.
    """

    module_name = "tile_sequencer"
    latency = 1

    def __init__(self, rows: int, delay: int = 0):
        self.rows = rows
        self.delay = delay
        super().__init__(
            {
                "in_valid": In(1),
                "in_last": In(1),
                "in_ready": Out(1),
                "hold": In(1),
                "taken": Out(1),
                "last": Out(rows + 1),
                "shift": Out(rows),
            }
        )

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

        # As late as the slices; after reset, as if one had been sent in the cycle before.
        last_arrives = last_sent
        for cycle in range(self.delay):
            delayed = Signal(name=f"last_delayed_{cycle}", init=int(cycle == 0))
            m.d.sync += delayed.eq(last_arrives)
            last_arrives = delayed

        # Down the rows.
        last = Signal(self.rows + 1, init=int(self.delay == 0))
        cleared = Signal()
        bottom = last[self.rows - 1]
        with m.If(bottom):
            m.d.sync += cleared.eq(1)
        m.d.comb += self.last.eq(last)
        m.d.sync += [
            last.eq(Cat(last_arrives, last)),
            self.shift.eq(Cat(0, self.shift) | Mux(bottom & cleared, -1, 0)),
        ]
        return m
