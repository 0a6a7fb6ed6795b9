"""The multiplier of pairs that share one window, without a bias of the activations."""

from typing import Any

from amaranth.hdl import Const, Module, Value

from golden.format import SparqFormat
from hdl.multiplier.contract import Addend, named, stage
from hdl.multiplier.partial_products import distributed_rows
from hdl.tensor.decoded_shared_window import DecodedSharedWindow
from hdl.tensor.signed_rows import offset_shifted, signed_pair, signed_pair_code, signed_sum


class SignedSharedWindow(DecodedSharedWindow):
    """As :class:`DecodedSharedWindow`, with signed weights and their signed sums.

    For units whose activations differ, even in one row: the bias is the same in every cycle.
    """

    def __init__(self, fmt: SparqFormat, weight_bits: int, pairs: int = 1):
        super().__init__(fmt, weight_bits, pairs)
        self.row_scale = 0
        self.column_scale = 1 << (self.sum_bits - 1)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return signed_pair_code(weights, self.weight_bits)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        bits = self.weight_bits
        rows = [
            row
            for index in range(self.pairs)
            for row in distributed_rows(
                m,
                f"products{index}",
                self._lanes(activation, index),
                signed_pair(weight.word_select(index, 3 * bits + 1), bits),
            )
        ]
        total = stage(
            m, "products", signed_sum(m, platform, "products", rows, self._total_bits), registered
        )
        selects = stage(m, "shift", self._selects(activation), registered)
        placed = offset_shifted(total, list(selects), self.fmt.lane_shifts)
        return [(named(m, "placed", placed), 0)]

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(1)  # half the range of the shifted sum
