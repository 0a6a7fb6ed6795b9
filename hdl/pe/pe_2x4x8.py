"""Two 4-bit lanes without a window: the floor of what two lanes can cost."""

from typing import Any

from amaranth.hdl import Cat, Module, Value

from golden.format import ACTIVATION_BITS
from hdl.pe.contract import ProcessingElement

LANE_BITS = 4


class Pe2x4x8(ProcessingElement):
    """Two 4-bit activations times two weights per cycle; equals ``golden.exact_matmul(x & 15, w)``.

    For activations that are 4-bit numbers (uniform A4W8): the upper half of each byte is ignored.
    Contract, members and latency as :class:`ProcessingElement`; the activation code is the lower
    halves of the two bytes, the lower k low.
    """

    k_per_cycle = 2

    def __init__(self, weight_bits: int = 8, acc_bits: int = 32):
        super().__init__(activation_bits=2 * LANE_BITS, weight_bits=weight_bits, acc_bits=acc_bits)

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        first, second = activations[:ACTIVATION_BITS], activations[ACTIVATION_BITS:]
        return Cat(first[:LANE_BITS], second[:LANE_BITS])

    def dot_product(self, m: Module, platform: Any) -> Value:
        first, second = self.activation_in[:LANE_BITS], self.activation_in[LANE_BITS:]
        weight0, weight1 = self.weights()
        return first * weight0 + second * weight1
