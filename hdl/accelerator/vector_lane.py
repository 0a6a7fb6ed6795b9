"""One multiply-accumulate of the vector unit."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.accelerator.layouts import WEIGHT_BITS
from hdl.engine.requantizer_lane import SUM_BITS
from hdl.placement import Component

OPERAND_BITS = ACTIVATION_BITS + 1
"""Of a byte less its zero point; signed."""


class VectorLane(Component):
    """Adds up products of operands and weights, multiplies two operands, or keeps the largest one.

    Latency: 1 cycle; an operand per cycle. The sum wraps as int32.

    Parameters
    ----------
    multiplies : bool
        Otherwise there is no multiplier: an operand is added if the lowest bit of its weight is 1,
        and ``product`` must be 0.

    Members
    -------
    enable : In(1)
        There is an operand; otherwise the sum holds.
    first : In(1)
        It is the first one of its sum.
    product : In(1)
        The first operand is kept, and multiplied by the second one.
    maximum : In(1)
        The sum is the largest operand.
    operand : In(signed(9))
        The operand.
    weight : In(signed(16))
        Its weight, where products are added up.
    sum : Out(signed(32))
        What the operands come to, as far as they have come.
    """

    def __init__(self, multiplies: bool = True):
        self.multiplies = multiplies
        super().__init__(
            {
                "enable": In(1),
                "first": In(1),
                "product": In(1),
                "maximum": In(1),
                "operand": In(signed(OPERAND_BITS)),
                "weight": In(signed(WEIGHT_BITS)),
                "sum": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        own = Signal.like(self.sum, name="so_far", reset_less=True)
        kept = own[:OPERAND_BITS].as_signed()
        factor = Signal.like(self.weight)
        m.d.comb += [
            self.sum.eq(own),
            factor.eq(Mux(self.product, kept, self.weight)),
        ]
        term = self.operand * factor if self.multiplies else Mux(self.weight[0], self.operand, 0)
        with m.If(self.enable):
            with m.If(self.maximum):
                m.d.sync += own.eq(Mux(self.first | (self.operand > kept), self.operand, own))
            with m.Elif(self.product & self.first):
                m.d.sync += own.eq(self.operand)
            with m.Else():
                before = Mux(self.first | self.product, 0, own)
                m.d.sync += own.eq(before + term)
        return m
