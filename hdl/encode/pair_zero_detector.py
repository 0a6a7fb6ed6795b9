"""Which activations of a pair are zero."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS


class PairZeroDetector(wiring.Component):
    """Tells which of two activations lends its lane, and to which weight both lanes then go.

    Combinational.

    Members
    -------
    first, second : In(8)
    alone : Out(1)
        At least one of the two is zero: the other one may use both lanes.
    mux0, mux1 : Out(1)
        MuxCtrl of each lane, 1 for the weight of the second activation. Both lanes follow the
        activation that is not zero (the first if both are).
    """

    module_name = "pair_zero_detector"

    def __init__(self) -> None:
        super().__init__(
            {
                "first": In(ACTIVATION_BITS),
                "second": In(ACTIVATION_BITS),
                "alone": Out(1),
                "mux0": Out(1),
                "mux1": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first_is_zero, second_is_zero = self.first == 0, self.second == 0
        m.d.comb += [
            self.alone.eq(first_is_zero | second_is_zero),
            self.mux0.eq(first_is_zero & ~second_is_zero),
            self.mux1.eq(~second_is_zero),
        ]
        return m
