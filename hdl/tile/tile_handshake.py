"""The handshake of machines that drain one tile while they compute the next."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

HANDSHAKE = {
    "in_valid": In(1),
    "in_last": In(1),
    "in_ready": Out(1),
    "hold": In(1),
    "taken": Out(1),
}
"""Members that :func:`end_tiles` takes.

A slice is taken in a cycle in which valid and ready are 1; ``hold`` forbids it. ``taken`` is
combinational: other cycles are bubbles, and their operands must be made zero.
"""


def end_tiles(m: Module, control: wiring.Component, rows: int) -> Value:
    """Take slices; where a tile's ``last`` is sent, at most once in ``rows`` cycles.

    The result registers must be free: a tile's results have left them ``rows`` cycles after its
    ``last``. The ``last`` of a shorter tile therefore follows alone, as soon as that is so, and
    until then ``in_ready`` is low: never inside a tile, and never at all if tiles have at least
    ``rows`` slices. ``control`` has the members of :data:`HANDSHAKE`.
    """
    # Take slices, except while a tile's last is held back.
    last_held = Signal()
    m.d.comb += control.in_ready.eq(~last_held & ~control.hold)
    m.d.comb += control.taken.eq(control.in_valid & control.in_ready)

    # Send last when the result registers are free.
    cycles_to_wait = Signal(range(rows))
    last_due = Signal()
    last_sent = Signal()
    m.d.comb += last_due.eq((control.taken & control.in_last) | last_held)
    m.d.comb += last_sent.eq(last_due & (cycles_to_wait == 0))
    m.d.sync += last_held.eq(last_due & ~last_sent)
    with m.If(last_sent):
        m.d.sync += cycles_to_wait.eq(rows - 1)
    with m.Elif(cycles_to_wait != 0):
        m.d.sync += cycles_to_wait.eq(cycles_to_wait - 1)
    return last_sent
