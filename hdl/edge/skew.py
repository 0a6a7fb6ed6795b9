"""The skew of an edge: each lane delayed by its place."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from hdl.edge.delay import Delay
from hdl.placement import Component, place


class Skew(Component):
    """Delays lane ``i`` of ``lanes`` by ``i`` cycles. Data only: it is not reset.

    With ``reverse`` the last lane is the early one, which takes such a skew out again. Built of
    halves, the later half behind a common delay: as many registers as a triangle has, in text that
    grows with the logarithm of the lanes.

    Parameters
    ----------
    lanes, width : int
        Lanes, and bits of each.
    reverse : bool

    Members
    -------
    data_in, data_out : ``lanes * width`` bits, lane 0 low
    """

    def __init__(self, lanes: int, width: int, reverse: bool = False):
        self.lanes = lanes
        self.width = width
        self.reverse = reverse
        super().__init__({"data_in": In(lanes * width), "data_out": Out(lanes * width)})

    @property
    def module_name(self) -> str:
        return f"{'reverse_' if self.reverse else ''}skew_{self.lanes}x{self.width}b"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.lanes == 1:
            m.d.comb += self.data_out.eq(self.data_in)
            return m

        # Skew both halves, and delay the later one by the lanes of the earlier one.
        middle = (self.lanes + 1) // 2
        low = Skew(middle, self.width, self.reverse)
        high = Skew(self.lanes - middle, self.width, self.reverse)
        place(m, platform, "lane_0", low)
        place(m, platform, f"lane_{middle}", high)
        late, cycles = (low, high.lanes) if self.reverse else (high, low.lanes)
        delay = Delay(late.lanes, self.width, cycles)
        place(m, platform, "delay", delay)

        m.d.comb += late.data_in.eq(delay.data_out)
        inputs = (delay.data_in, high.data_in) if self.reverse else (low.data_in, delay.data_in)
        m.d.comb += Cat(*inputs).eq(self.data_in)
        m.d.comb += self.data_out.eq(Cat(low.data_out, high.data_out))
        return m
