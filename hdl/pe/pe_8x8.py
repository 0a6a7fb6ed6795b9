"""The conventional processing element."""

from typing import Any

from amaranth.hdl import Module, Value

from golden.format import ACTIVATION_BITS
from hdl.pe.contract import ProcessingElement


class Pe8x8(ProcessingElement):
    """One 8-bit activation times one weight per cycle; equals ``golden.exact_matmul``.

    The baseline. Contract, members and latency as :class:`ProcessingElement`; the activation code
    is the byte itself.
    """

    k_per_cycle = 1

    def __init__(self, weight_bits: int = 8, acc_bits: int = 32):
        super().__init__(
            activation_bits=ACTIVATION_BITS, weight_bits=weight_bits, acc_bits=acc_bits
        )

    def dot_product(self, m: Module, platform: Any) -> Value:
        (activation,), (weight,) = self.activations(), self.weights()
        return activation * weight
