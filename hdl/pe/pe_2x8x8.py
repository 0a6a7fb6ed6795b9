"""Two exact MACs on one accumulator."""

from typing import Any

from amaranth.hdl import Module, Value

from golden.format import ACTIVATION_BITS
from hdl.pe.contract import ProcessingElement


class Pe2x8x8(ProcessingElement):
    """Two 8-bit activations times two weights per cycle; equals ``golden.exact_matmul``.

    What SPARQ has to beat at equal throughput. Contract, members and latency as
    :class:`ProcessingElement`; the activation code is the two bytes, the lower k low.
    """

    k_per_cycle = 2

    def __init__(self, weight_bits: int = 8, acc_bits: int = 32):
        super().__init__(
            activation_bits=2 * ACTIVATION_BITS, weight_bits=weight_bits, acc_bits=acc_bits
        )

    def dot_product(self, m: Module, platform: Any) -> Value:
        (first, second), (weight0, weight1) = self.activations(), self.weights()
        return first * weight0 + second * weight1
