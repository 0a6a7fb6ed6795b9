"""The multiplier of one SPARQ pair, without a bias that depends on the activations."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Const, Module, Value

from golden.format import SparqFormat
from hdl.broadcast.decoded_window_lanes import DecodedWindowLanes
from hdl.broadcast.signed_rows import offset_sign, signed_sum
from hdl.multiplier.multiplier import Addend


class SignedWindowLanes(DecodedWindowLanes):
    """As :class:`DecodedWindowLanes`, with signed weights.

    For units whose activations differ, even in one row: the bias is the same in every cycle.
    """

    def __init__(self, fmt: SparqFormat, weight_bits: int):
        super().__init__(fmt, weight_bits)
        self.row_scale = 0
        self.column_scale = 1 << (fmt.lane_shifts[-1] + fmt.window_bits + weight_bits - 1)

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(2)  # half the range of each lane's product

    def _words(self, weights: Value) -> list[Value]:
        return [weights.word_select(k, self.weight_bits).as_signed() for k in range(2)]

    def _number(self, bits: Value) -> Value:
        return bits.as_signed() if len(bits) else bits

    def _sum(self, m: Module, platform: Any, name: str, rows: Sequence[Addend], bits: int) -> Value:
        return signed_sum(m, platform, name, rows, bits)

    def _unsigned(self, product: Value) -> Value:
        return offset_sign(product)
