"""The multiplier of one SPARQ pair, without a bias that depends on the activations."""

from typing import Any

from amaranth.hdl import Const, Module, Value

from golden.format import SparqFormat
from hdl.tensor.decoded_window_lanes import DecodedWindowLanes
from hdl.tensor.signed_shift_add_multiplier import SignedShiftAddMultiplier


class SignedWindowLanes(DecodedWindowLanes):
    """As :class:`DecodedWindowLanes`, with weights that travel as they are.

    For units whose activations differ, even in one row: the bias is the same in every cycle.
    """

    lane_multiplier = SignedShiftAddMultiplier

    def __init__(self, fmt: SparqFormat, weight_bits: int):
        super().__init__(fmt, weight_bits)
        self.row_scale = 0
        self.column_scale = 1 << (fmt.lane_shifts[-1] + fmt.window_bits + weight_bits - 1)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return weights

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(2)  # half the range of each lane's product
