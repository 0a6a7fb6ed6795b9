"""The one-bit half adder, a module of its own so that synthesis can place a library's cell."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from hdl.placement import Component


class HalfAdder(Component):
    """``2 * carry + total = a + b``. Combinational.

    Members
    -------
    a, b : In(1)
    total, carry : Out(1)
    """

    module_name = "half_adder"

    def __init__(self) -> None:
        super().__init__({"a": In(1), "b": In(1), "total": Out(1), "carry": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.total.eq(self.a ^ self.b)
        m.d.comb += self.carry.eq(self.a & self.b)
        return m
