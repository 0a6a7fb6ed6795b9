"""Where slices wait until all activations that share a window are there."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hdl.placement import Component


class GroupBuffer(Component):
    """Holds the slices of a group until it is complete, and lets them go one per cycle.

    A group that a tile's last slice leaves incomplete is filled with empty slices, one per cycle,
    during which none may be taken. A slice leaves ``slices`` cycles after it was taken, later by as
    many bubbles as came before the end of its group; a tile's last exactly ``slices`` cycles after.
    Two groups are held at most: one comes in while the one before it leaves.

    Parameters
    ----------
    slices : int, from 2
        Slices of a group.
    width : int
        Bits of a slice; all zeros is an empty one.
    largest_bits : int
        Bits of what each slice contributes to its group's OR.

    Members
    -------
    taken : In(1)
        A slice is taken.
    last : In(1)
        That slice ends its tile.
    filling : Out(1)
        No slice may be taken in this cycle.
    data_in : In(width)
        The slice that is taken.
    data_out : Out(width)
        The slice that leaves; all zeros when there is none.
    largest_in : In(largest_bits)
        What the slice that is taken contributes to its group's OR.
    largest_out : Out(largest_bits)
        With the slice that leaves: the OR over its whole group.
    """

    measured_alone = True

    def __init__(self, slices: int, width: int, largest_bits: int):
        self.slices = slices
        self.width = width
        self.largest_bits = largest_bits
        super().__init__(
            {
                "taken": In(1),
                "last": In(1),
                "filling": Out(1),
                "data_in": In(width),
                "data_out": Out(width),
                "largest_in": In(largest_bits),
                "largest_out": Out(largest_bits),
            }
        )

    @property
    def module_name(self) -> str:
        return f"group_buffer_{self.slices}x{self.width}b"

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Count slices, and the empty ones that complete a group.
        position = Signal(range(self.slices))
        filling = Signal()
        step = Signal()
        complete = Signal()
        m.d.comb += self.filling.eq(filling)
        m.d.comb += step.eq(self.taken | filling)
        m.d.comb += complete.eq(step & (position == self.slices - 1))
        with m.If(step):
            m.d.sync += position.eq(Mux(complete, 0, position + 1))
            m.d.sync += filling.eq((filling | self.last) & ~complete)

        # Collect all slices but the last one of a group.
        data = Signal(self.width)
        largest = Signal(self.largest_bits)
        m.d.comb += data.eq(Mux(self.taken, self.data_in, 0))
        m.d.comb += largest.eq(Mux(self.taken, self.largest_in, 0))
        waiting = [
            Signal(self.width, name=f"waiting_{i}", reset_less=True) for i in range(self.slices - 1)
        ]
        so_far = Signal(self.largest_bits, reset_less=True)
        for index, slot in enumerate(waiting):
            with m.If(step & (position == index)):
                m.d.sync += slot.eq(data)
        with m.If(step):
            m.d.sync += so_far.eq(Mux(position == 0, 0, so_far) | largest)

        # Let the complete group go, its first slice first; empty slices follow.
        leaving = [Signal(self.width, name=f"leaving_{i}") for i in range(self.slices)]
        group_largest = Signal(self.largest_bits, reset_less=True)
        for slot, behind, collected in zip(
            leaving, [*leaving[1:], None], [*waiting, data], strict=True
        ):
            m.d.sync += slot.eq(Mux(complete, collected, 0 if behind is None else behind))
        with m.If(complete):
            m.d.sync += group_largest.eq(so_far | largest)
        m.d.comb += self.data_out.eq(leaving[0])
        m.d.comb += self.largest_out.eq(group_largest)
        return m
