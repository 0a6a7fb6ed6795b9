"""The multiplier of two SPARQ lanes that share a window."""

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat
from hdl.pe.shift_add_multiplier import shifted


class SharedShiftMultiplier(wiring.Component):
    """Multiplies two windows by their weights, adds the products, and shifts the sum once.

    Combinational: ``product = (x0 * weight0 + x1 * weight1) << fmt.lane_shifts[shift_ctrl]``,
    exactly. A ShiftCtrl that the format does not have shifts as its last one.

    Parameters
    ----------
    fmt : SparqFormat
        One with ``shared_shift``.
    weight_bits : int

    Members
    -------
    x0, x1 : In(fmt.window_bits)
    weight0, weight1 : In(signed(weight_bits))
    shift_ctrl : In(fmt.shift_ctrl_bits)
        Left out where the format has a single shift.
    product : Out(signed(fmt.window_bits + weight_bits + 1 + fmt.lane_shifts[-1]))
    """

    module_name = "shared_shift_multiplier"

    def __init__(self, fmt: SparqFormat, weight_bits: int = 8):
        self.fmt = fmt
        self.sum_bits = fmt.window_bits + weight_bits + 1
        members = {
            "x0": In(fmt.window_bits),
            "x1": In(fmt.window_bits),
            "weight0": In(signed(weight_bits)),
            "weight1": In(signed(weight_bits)),
            "product": Out(signed(self.sum_bits + fmt.lane_shifts[-1])),
        }
        if fmt.shift_ctrl_bits:
            members["shift_ctrl"] = In(fmt.shift_ctrl_bits)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        total = Signal(signed(self.sum_bits))
        m.d.comb += total.eq(self.x0 * self.weight0 + self.x1 * self.weight1)
        m.d.comb += self.product.eq(shifted(total, self))
        return m
