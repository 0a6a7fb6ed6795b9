"""The multiplier of pairs that share one window, without a bias of the activations."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Const, Module, Value

from golden.format import SparqFormat
from hdl.broadcast.decoded_shared_window import DecodedSharedWindow
from hdl.broadcast.signed_rows import offset_sign, signed_pair_code, signed_sum
from hdl.multiplier.multiplier import Addend


class SignedSharedWindow(DecodedSharedWindow):
    """As :class:`DecodedSharedWindow`, with signed weights and their signed sums.

    For units whose activations differ, even in one row: the bias is the same in every cycle.
    """

    signed = True

    def __init__(self, fmt: SparqFormat, weight_bits: int, pairs: int = 1):
        super().__init__(fmt, weight_bits, pairs)
        self.row_scale = 0
        self.column_scale = 1 << (self.sum_bits - 1)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return signed_pair_code(weights, self.weight_bits)

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(1)  # half the range of the shifted sum

    def _sum(self, m: Module, platform: Any, rows: Sequence[Addend]) -> Value:
        return signed_sum(m, platform, "products", rows, self._total_bits)

    def _placed(self, m: Module, total: Value, shift: Value) -> Value:
        return offset_sign(super()._placed(m, total.as_signed(), shift))
