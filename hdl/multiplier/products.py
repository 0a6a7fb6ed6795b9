"""Exact products by the operator ``*``."""

from typing import Any

from amaranth.hdl import Cat, Module, Value, signed

from golden.format import ACTIVATION_BITS
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, product, signed_words
from hdl.multiplier.style import Style


class Products(Multiplier):
    """``k_per_cycle`` activations of ``lane_bits`` bits times as many weights, one addend each.

    Activations and weights travel as they are, and there is no bias. A tool makes of ``*`` what it
    has: a multiplier of an FPGA, or one of its own adders.

    Parameters
    ----------
    weight_bits, k_per_cycle : int
    lane_bits : int
        The low bits of an activation that are multiplied.
    """

    style = Style.BEHAVIORAL

    def __init__(self, weight_bits: int, k_per_cycle: int, lane_bits: int = ACTIVATION_BITS):
        self.weight_bits = weight_bits
        self.k_per_cycle = k_per_cycle
        self.lane_bits = lane_bits
        self.activation_code_bits = k_per_cycle * lane_bits
        self.weight_code_bits = k_per_cycle * weight_bits
        largest = k_per_cycle * ((1 << lane_bits) - 1) << (weight_bits - 1)
        self.sum_bits = (largest - 1).bit_length() + 1

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return [(signed(self.lane_bits + self.weight_bits), 0)] * self.k_per_cycle

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        bytes_ = [activations.word_select(k, ACTIVATION_BITS) for k in range(self.k_per_cycle)]
        return Cat(byte[: self.lane_bits] for byte in bytes_)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return weights

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        lanes = [activation.word_select(k, self.lane_bits) for k in range(self.k_per_cycle)]
        pairs = zip(lanes, signed_words(weight, self.weight_bits), strict=True)
        return [
            (product(m, f"product{k}", x, word, registered), 0) for k, (x, word) in enumerate(pairs)
        ]
