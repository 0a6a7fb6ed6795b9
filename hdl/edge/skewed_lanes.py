"""One edge of the array: a lane for each row or column, each delayed by its place."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from hdl.edge.delay import Delay
from hdl.edge.edge_lane import EdgeLane
from hdl.placement import Component, place


class SkewedLanes(Component):
    """``lanes`` equal lanes, lane ``i`` delayed by ``i`` cycles more than lane 0.

    With ``reverse`` the last lane is the early one, which takes such a skew out again. Built of
    halves, the later half behind a common delay: as many registers as a triangle has, in text that
    grows with the logarithm of the lanes.

    Parameters
    ----------
    lanes : int
    lane : EdgeLane
        Lane 0; the others are its replicas.
    reverse : bool

    Members
    -------
    data_in, data_out : the lanes' inputs and outputs, lane 0 low
    """

    def __init__(self, lanes: int, lane: EdgeLane, reverse: bool = False):
        self.lanes = lanes
        self.reverse = reverse
        self._lane = lane
        super().__init__(
            {
                "data_in": In(lanes * len(lane.data_in)),
                "data_out": Out(lanes * len(lane.data_out)),
            }
        )

    @property
    def module_name(self) -> str:
        return f"{'reverse_' if self.reverse else ''}skewed_{self._lane.module_name}s_{self.lanes}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.lanes == 1:
            place(m, platform, "lane", self._lane)
            m.d.comb += self._lane.data_in.eq(self.data_in)
            m.d.comb += self.data_out.eq(self._lane.data_out)
            return m

        middle = (self.lanes + 1) // 2
        low = SkewedLanes(middle, self._lane, self.reverse)
        high = SkewedLanes(self.lanes - middle, self._lane.replica(), self.reverse)
        place(m, platform, "lane_0", low)
        place(m, platform, f"lane_{middle}", high)
        late, cycles = (low, high.lanes) if self.reverse else (high, low.lanes)
        delay = Delay(late.lanes, len(self._lane.data_in), cycles)
        place(m, platform, "delay", delay)

        m.d.comb += late.data_in.eq(delay.data_out)
        inputs = (delay.data_in, high.data_in) if self.reverse else (low.data_in, delay.data_in)
        m.d.comb += Cat(*inputs).eq(self.data_in)
        m.d.comb += self.data_out.eq(Cat(low.data_out, high.data_out))
        return m
