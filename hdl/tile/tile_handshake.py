"""The handshake of machines that drain one tile while they compute the next."""

from collections.abc import Mapping

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from hdl.placement import Component


class TileHandshake(Component):
    """Takes the slices of tiles, as fast as the result registers become free.

    Parameters
    ----------
    rows : int
        Of the machine: for so many cycles a tile occupies the result registers.
    outputs : mapping
        What else a kind of control has.

    Members
    -------
    in_valid : In(1)
        A slice is offered.
    in_last : In(1)
        That slice is the last one of its tile.
    in_ready : Out(1)
        A slice that is offered in this cycle is taken.
    hold : In(1)
        No slice may be taken in this cycle.
    taken : Out(1)
        A slice is offered and taken, combinationally; any other cycle is a bubble, whose operands
        must be made zero.
    """

    def __init__(self, rows: int, outputs: Mapping[str, Member]):
        self.rows = rows
        members = {
            "in_valid": In(1),
            "in_last": In(1),
            "in_ready": Out(1),
            "hold": In(1),
            "taken": Out(1),
        }
        super().__init__({**members, **outputs})

    def _end_tiles(self, m: Module) -> Value:
        """Take slices; where a tile's ``last`` is sent, at most once in ``rows`` cycles.

        The result registers must be free: a tile's results have left them ``rows`` cycles after
        its ``last``. The ``last`` of a shorter tile therefore follows alone, as soon as that is so,
        and until then ``in_ready`` is low: never inside a tile, and never at all if tiles have at
        least ``rows`` slices.
        """
        # Take slices, except while a tile's last is held back.
        last_held = Signal()
        m.d.comb += self.in_ready.eq(~last_held & ~self.hold)
        m.d.comb += self.taken.eq(self.in_valid & self.in_ready)

        # Send last when the result registers are free.
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
        return last_sent
