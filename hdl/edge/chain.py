"""A word that runs along an edge, built of halves."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.placement import Component, place


class Chain(Component):
    """Hands a word of ``width`` bits on along ``lanes`` lanes. Data only: it is not reset.

    Members
    -------
    data_in : In(width)
    data_out : Out(lanes * width)
        Lane 0 low; lane ``i`` is what data_in was ``i + 1`` cycles ago.
    """

    def __init__(self, lanes: int, width: int):
        self.lanes = lanes
        self.width = width
        self.measured_alone = lanes == 1  # longer ones are made of these
        super().__init__({"data_in": In(width), "data_out": Out(lanes * width)})

    @property
    def module_name(self) -> str:
        return f"chain_{self.lanes}x{self.width}b"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.lanes == 1:
            register = Signal(self.width, reset_less=True)
            m.d.sync += register.eq(self.data_in)
            m.d.comb += self.data_out.eq(register)
            return m

        middle = (self.lanes + 1) // 2
        near = Chain(middle, self.width)
        far = Chain(self.lanes - middle, self.width)
        place(m, platform, "lane_0", near)
        place(m, platform, f"lane_{middle}", far)
        m.d.comb += near.data_in.eq(self.data_in)
        m.d.comb += far.data_in.eq(near.data_out[-self.width :])
        m.d.comb += self.data_out.eq(Cat(near.data_out, far.data_out))
        return m
