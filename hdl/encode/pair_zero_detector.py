"""Which activations of a pair are zero."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.placement import Component


class PairZeroDetector(Component):
    """Tells whether one of two activations may use both lanes, and which.

    Combinational.

    Members
    -------
    first, second : In(8)
    alone : Out(1)
        At least one of the two is zero: the other one may use both lanes.
    owner : Out(1)
        Which one that is, 1 for the second; the first if both are zero. Where neither is, anything.
    """

    module_name = "pair_zero_detector"

    def __init__(self) -> None:
        super().__init__(
            {
                "first": In(ACTIVATION_BITS),
                "second": In(ACTIVATION_BITS),
                "alone": Out(1),
                "owner": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        second_is_zero = self.second == 0
        m.d.comb += [
            self.alone.eq((self.first == 0) | second_is_zero),
            self.owner.eq(~second_is_zero),
        ]
        return m
