"""The multiplier of one SPARQ lane with a signed weight."""

from typing import Any

from amaranth.hdl import Module, Signal

from hdl.multiplier.contract import stage
from hdl.multiplier.partial_products import and_rows
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier
from hdl.tensor.signed_rows import offset_shifted, signed_sum


class SignedShiftAddMultiplier(ShiftAddMultiplier):
    """Multiplies a window by a signed weight and shifts the product to the window's place.

    ``product = ((x * weight) << fmt.lane_shifts[i]) + 2**(len(product) - 1)``, where bit ``i`` of
    ``shift`` is the one that is set. Combinational, or with one register between product and shift.

    Parameters
    ----------
    fmt : SparqFormat
    weight_bits : int
    registered : bool

    Members
    -------
    x : In(fmt.window_bits)
        Unsigned.
    weight : In(weight_bits)
        Signed.
    shift : In(len(fmt.lane_shifts))
        One-hot.
    product : Out(fmt.window_bits + weight_bits + fmt.lane_shifts[-1])
        Unsigned.
    """

    module_name = "signed_shift_add_multiplier"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = and_rows(m, "product", self.x, self.weight)
        total = signed_sum(m, platform, "product", rows, self.product_bits)
        product: Signal = stage(m, "product_sum", total, self.registered)
        shift = stage(m, "shift_select", self.shift, self.registered)
        m.d.comb += self.product.eq(offset_shifted(product, list(shift), self.fmt.lane_shifts))
        return m
