"""Plain delay, built of halves so that its text grows with the logarithm of its size."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.placement import Component, place


class Delay(Component):
    """Delays ``lanes`` lanes of ``width`` bits by ``cycles`` cycles. Data only: it is not reset.

    Members
    -------
    data_in, data_out : ``lanes * width`` bits, lane 0 low
    """

    def __init__(self, lanes: int, width: int, cycles: int):
        self.lanes = lanes
        self.width = width
        self.cycles = cycles
        self.measured_alone = lanes == cycles == 1  # larger ones are made of these
        super().__init__({"data_in": In(lanes * width), "data_out": Out(lanes * width)})

    @property
    def module_name(self) -> str:
        return f"delay_{self.lanes}x{self.width}b_by_{self.cycles}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.lanes == self.cycles == 1:
            register = Signal(self.width, reset_less=True)
            m.d.sync += register.eq(self.data_in)
            m.d.comb += self.data_out.eq(register)
        elif self.lanes >= self.cycles:
            upper = (self.lanes + 1) // 2
            low = Delay(upper, self.width, self.cycles)
            high = Delay(self.lanes - upper, self.width, self.cycles)
            place(m, platform, "lane_0", low)
            place(m, platform, f"lane_{upper}", high)
            m.d.comb += Cat(low.data_in, high.data_in).eq(self.data_in)
            m.d.comb += self.data_out.eq(Cat(low.data_out, high.data_out))
        else:
            early = (self.cycles + 1) // 2
            first = Delay(self.lanes, self.width, early)
            second = Delay(self.lanes, self.width, self.cycles - early)
            place(m, platform, "cycle_0", first)
            place(m, platform, f"cycle_{early}", second)
            m.d.comb += first.data_in.eq(self.data_in)
            m.d.comb += second.data_in.eq(first.data_out)
            m.d.comb += self.data_out.eq(second.data_out)
        return m
