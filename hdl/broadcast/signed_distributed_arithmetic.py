"""Two products as one, without a bias that depends on the activations."""

from typing import Any

from amaranth.hdl import Const, Module, Value

from golden.format import ACTIVATION_BITS
from hdl.broadcast.selected_rows import pair_lines, pair_rows
from hdl.broadcast.signed_rows import offset_rows, signed_pair_code
from hdl.multiplier.exact import DistributedArithmetic
from hdl.multiplier.multiplier import Addend, staged


class SignedDistributedArithmetic(DistributedArithmetic):
    """As :class:`DistributedArithmetic`, with signed weights and their signed sum.

    For units whose activations differ, even in one row: the bias is the same in every cycle.
    """

    def __init__(self, weight_bits: int, lane_bits: int = ACTIVATION_BITS):
        super().__init__(weight_bits, lane_bits)
        self.row_scale = 0
        self.column_scale = ((1 << lane_bits) - 1) << weight_bits
        self.sum_bits = weight_bits + 1 + lane_bits

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return signed_pair_code(weights, self.weight_bits)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        rows = pair_rows(m, "products", pair_lines(*self.lanes(activation)), weight, signed=True)
        addends, _ = offset_rows(m, "products", rows)
        return staged(m, addends, registered)

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(1)  # the inverted top bits of one sum bit per activation bit
