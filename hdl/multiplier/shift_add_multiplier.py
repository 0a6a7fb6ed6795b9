"""The multiplier of one SPARQ lane."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Value
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat
from hdl.arithmetic.bit_heap import total_of
from hdl.multiplier.multiplier import stage
from hdl.multiplier.partial_products import and_rows
from hdl.placement import Component


def shifted(value: Value, selects: Sequence[Value], shifts: Sequence[int]) -> Value:
    """``value``, left-shifted as the one of ``selects`` that is 1 says: AND and OR alone."""
    result: Value = Mux(selects[0], value << shifts[0], 0)
    for select, shift in zip(selects[1:], shifts[1:], strict=True):
        result = result | Mux(select, value << shift, 0)
    return result[: len(value) + shifts[-1]]


class ShiftAddMultiplier(Component):
    """Multiplies a window by a weight and shifts the product to where the window stood.

    ``product = (x * weight) << fmt.lane_shifts[i]``, exactly, where bit ``i`` of ``shift`` is the
    one that is set. Combinational, or with one register between product and shift.

    Parameters
    ----------
    fmt : SparqFormat
    weight_bits : int
    registered : bool

    Members
    -------
    x : In(fmt.window_bits)
    weight : In(weight_bits)
        Unsigned: a weight in offset form.
    shift : In(len(fmt.lane_shifts))
        One-hot.
    product : Out(fmt.window_bits + weight_bits + fmt.lane_shifts[-1])
    """

    module_name = "shift_add_multiplier"

    def __init__(self, fmt: SparqFormat, weight_bits: int = 8, registered: bool = False):
        self.fmt = fmt
        self.registered = registered
        self.product_bits = fmt.window_bits + weight_bits
        super().__init__(
            {
                "x": In(fmt.window_bits),
                "weight": In(weight_bits),
                "shift": In(len(fmt.lane_shifts)),
                "product": Out(self.product_bits + fmt.lane_shifts[-1]),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = and_rows(m, "product", self.x, self.weight)
        total = total_of(m, platform, "product", rows, self.product_bits)
        product = stage(m, "product_sum", total, self.registered)
        shift = stage(m, "shift_select", self.shift, self.registered)
        m.d.comb += self.product.eq(shifted(product, list(shift), self.fmt.lane_shifts))
        return m
