"""The one-bit full adder, a module of its own so that synthesis can place a library's cell."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from hdl.placement import Component


class FullAdder(Component):
    """``2 * carry + total = a + b + c``. Combinational.

    Members
    -------
    a, b, c : In(1)
    total, carry : Out(1)
    """

    module_name = "full_adder"

    def __init__(self) -> None:
        super().__init__({"a": In(1), "b": In(1), "c": In(1), "total": Out(1), "carry": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.total.eq(self.a ^ self.b ^ self.c)
        m.d.comb += self.carry.eq((self.a & self.b) | (self.c & (self.a ^ self.b)))
        return m
