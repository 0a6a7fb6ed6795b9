"""Control at the array's left edge: where tiles start, end and drain."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Out

from hdl.tile.tile_handshake import TileHandshake


class TileSequencer(TileHandshake):
    """Turns a stream of slices into the control that enters each row of the array.

    A tile's ``last`` hands every element's sum to its result register; when it may,
    the handshake says.

    ``last`` runs down the rows, one per cycle, ``delay`` cycles late as what it ends may be. When
    it reaches the bottom row, all rows start to ``drain``, and row ``r`` stops after ``r + 1``
    cycles, before its next result. One more runs down after reset, one cycle ahead of the first
    slice and as late as it, so that all sums start from zero; it is followed by no drain.

    Parameters
    ----------
    rows : int
    delay : int

    Members
    -------
    in_valid, in_last, in_ready, hold, taken
        Of a :class:`TileHandshake`.
    last : Out(rows + 1)
        Bit r ends the sums of row r, 1 + ``delay`` + r cycles after a tile's last slice was taken,
        or later by as long as the handshake holds it back; bit ``rows`` is for what is below the
        last row.
    drain : Out(rows)
        Bit r makes the result registers of row r take those of the row above.
    """

    measured_alone = True
    counts_rows = True

    module_name = "tile_sequencer"
    latency = 1

    def __init__(self, rows: int, delay: int = 0):
        self.delay = delay
        super().__init__(rows, {"last": Out(rows + 1), "drain": Out(rows)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        last_sent = self._end_tiles(m)

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
            self.drain.eq(Cat(0, self.drain) | Mux(bottom & cleared, -1, 0)),
        ]
        return m
