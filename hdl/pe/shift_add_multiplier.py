"""The multiplier of one SPARQ lane."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat


def shifted(value: Value, multiplier: Any) -> Value:
    """``value`` at the place that the ShiftCtrl of ``multiplier``, in its format, selects."""
    shifts = multiplier.fmt.lane_shifts
    result = value << shifts[-1]
    for code, shift in reversed(list(enumerate(shifts[:-1]))):
        result = Mux(multiplier.shift_ctrl == code, value << shift, result)
    return result


class ShiftAddMultiplier(wiring.Component):
    """Multiplies a window by a signed weight and shifts the product to the window's place.

    Combinational: ``product = (x * weight) << fmt.lane_shifts[shift_ctrl]``, exactly. A ShiftCtrl
    that the format does not have shifts as its last one.

    Parameters
    ----------
    fmt : SparqFormat
    weight_bits : int

    Members
    -------
    x : In(fmt.window_bits)
    weight : In(signed(weight_bits))
    shift_ctrl : In(fmt.shift_ctrl_bits)
        Left out where the format has a single shift.
    product : Out(signed(fmt.window_bits + weight_bits + fmt.lane_shifts[-1]))
    """

    module_name = "shift_add_multiplier"

    def __init__(self, fmt: SparqFormat, weight_bits: int = 8):
        self.fmt = fmt
        self.product_bits = fmt.window_bits + weight_bits + fmt.lane_shifts[-1]
        members = {
            "x": In(fmt.window_bits),
            "weight": In(signed(weight_bits)),
            "product": Out(signed(self.product_bits)),
        }
        if fmt.shift_ctrl_bits:
            members["shift_ctrl"] = In(fmt.shift_ctrl_bits)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        product = Signal(signed(len(self.x) + len(self.weight)))
        m.d.comb += product.eq(self.x * self.weight)

        m.d.comb += self.product.eq(shifted(product, self))
        return m
