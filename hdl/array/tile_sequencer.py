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

    Slices may be delayed on their way to the array, ``delay`` cycles where no bubble comes between
    them, the last of a tile exactly so; ``starts`` goes with them, and comes back as ``arrives``.

    ``first`` and ``last`` run down the rows, one per cycle. When ``last`` reaches the bottom, all
    rows start to ``shift``, and row ``r`` stops after ``r + 1`` cycles, before its next result.

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
    starts : Out(1)
        The slice taken is the first of its tile; combinational.
    arrives : In(1)
        ``starts``, with the delay of its slice.
    first, last, shift : Out(rows)
        Control of row r at bit r, 1 + r cycles after the arrival of the slice it belongs to.
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
                "starts": Out(1),
                "arrives": In(1),
                "first": Out(rows),
                "last": Out(rows),
                "shift": Out(rows),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Take slices, except while a tile's last is held back.
        between_tiles = Signal(init=1)
        last_held = Signal()
        m.d.comb += self.in_ready.eq(~last_held & ~self.hold)
        m.d.comb += self.taken.eq(self.in_valid & self.in_ready)
        with m.If(self.taken):
            m.d.sync += between_tiles.eq(self.in_last)
        m.d.comb += self.starts.eq(self.taken & between_tiles)

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
        last_arrives = last_sent
        for cycle in range(self.delay):
            earlier, last_arrives = last_arrives, Signal(name=f"last_delayed_{cycle}")
            m.d.sync += last_arrives.eq(earlier)

        # Down the rows.
        bottom = self.last[-1]
        m.d.sync += [
            self.first.eq(Cat(self.arrives, self.first)),
            self.last.eq(Cat(last_arrives, self.last)),
            self.shift.eq(Cat(0, self.shift) | Mux(bottom, -1, 0)),
        ]
        return m
