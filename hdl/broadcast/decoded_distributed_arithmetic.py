"""Two products as one, with pairs of bits that are decoded where they are broadcast from."""

from typing import Any

from amaranth.hdl import Module, Value

from golden.format import ACTIVATION_BITS
from hdl.broadcast.selected_rows import LINES, pair_code, pair_lines, pair_of, pair_rows
from hdl.multiplier.exact import DistributedArithmetic
from hdl.multiplier.multiplier import Addend, offset_binary, staged


class DecodedDistributedArithmetic(DistributedArithmetic):
    """As :class:`DistributedArithmetic`; lines that select weights travel instead of activations.

    What is broadcast costs wires, not registers in every unit: so pairs of bits are decoded once
    per row. The sum of two weights travels inverted.
    """

    def __init__(self, weight_bits: int, lane_bits: int = ACTIVATION_BITS):
        super().__init__(weight_bits, lane_bits)
        self.activation_code_bits = LINES * lane_bits

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        return pair_lines(*self.lanes(super().encode(m, platform, activations, shared)))

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return pair_code(*offset_binary(weights, self.weight_bits))

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        return staged(m, pair_rows(m, "products", activation, weight), registered)

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        first, second = pair_of(activation)
        return first + second
