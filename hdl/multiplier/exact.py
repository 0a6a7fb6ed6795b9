"""Exact products of 8-bit activations."""

from typing import Any

from amaranth.hdl import Cat, Module, Value

from golden.format import ACTIVATION_BITS, ACTIVATION_MAX
from hdl.elements import Elements, structure
from hdl.multiplier.multiplier import Addend, Multiplier, offset_binary, staged
from hdl.multiplier.partial_products import (
    and_rows,
    distributed_rows,
    negative_digits,
    radix_4_rows,
)


class ExactMultiplier(Multiplier):
    """``k_per_cycle`` activations of ``lane_bits`` bits times as many weights.

    Activations travel as plain numbers, weights in offset form: ``2**(weight_bits - 1)`` more than
    they are, so that nothing in a processing element is signed.
    """

    def __init__(self, weight_bits: int, k_per_cycle: int, lane_bits: int = ACTIVATION_BITS):
        self.weight_bits = weight_bits
        self.k_per_cycle = k_per_cycle
        self.lane_bits = lane_bits
        self.activation_code_bits = k_per_cycle * lane_bits
        self.weight_code_bits = k_per_cycle * weight_bits
        self.row_scale = 1 << (weight_bits - 1)
        largest = k_per_cycle * ((1 << lane_bits) - 1) * ((1 << weight_bits) - 1)
        self.sum_bits = largest.bit_length()

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        bytes_ = [activations.word_select(k, ACTIVATION_BITS) for k in range(self.k_per_cycle)]
        return Cat(byte[: self.lane_bits] for byte in bytes_)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return Cat(offset_binary(weights, self.weight_bits))

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        """The sum of the activations."""
        return sum(self.lanes(activation)[1:], start=self.lanes(activation)[0])

    def lanes(self, activation: Value) -> list[Value]:
        """The activations in their code."""
        return [activation.word_select(k, self.lane_bits) for k in range(self.k_per_cycle)]

    def weights(self, weight: Value) -> list[Value]:
        """The weights in their code, in offset form."""
        return [weight.word_select(k, self.weight_bits) for k in range(self.k_per_cycle)]


class AndArray(ExactMultiplier):
    """One row of AND gates for each bit of an activation."""

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        lanes = zip(self.lanes(activation), self.weights(weight), strict=True)
        rows = [row for k, lane in enumerate(lanes) for row in and_rows(m, f"product{k}", *lane)]
        return staged(m, rows, registered)


class Radix4(ExactMultiplier):
    """One row for each radix-4 digit of a weight: half as many rows as bits.

    The digits -1, 0, 1 and 2 make a weight, plus a third of ``4**digits - 1``, out of the very bits
    of its offset form: so the recoding that saves the rows costs nothing, and leaves biases that
    the edges know.
    """

    def __init__(self, weight_bits: int, k_per_cycle: int):
        super().__init__(weight_bits, k_per_cycle)
        self.digit_bits = weight_bits + weight_bits % 2
        ones = ((1 << self.digit_bits) - 1) // 3
        self.row_scale -= ones
        self.column_scale = ACTIVATION_MAX
        largest = k_per_cycle * ones * 2 * ACTIVATION_MAX
        self.sum_bits = largest.bit_length()

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        lanes = zip(self.lanes(activation), self.weights(weight), strict=True)
        rows = [
            row
            for k, (x, digits) in enumerate(lanes)
            for row in radix_4_rows(m, f"product{k}", x, self._digits(digits))
        ]
        return staged(m, rows, registered)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        """The sum of 4**p over the radix-4 digits p of the weights in offset form that are 0."""
        biases = [negative_digits(self._digits(digits)) for digits in self.weights(weight)]
        return sum(biases[1:], start=biases[0])

    def _digits(self, weight: Value) -> Value:
        return Cat(weight, 0)[: self.digit_bits]


class DistributedArithmetic(ExactMultiplier):
    """Two products as one: each pair of activation bits selects none, one or both weights.

    The sum of the two weights travels with them, made once per column.
    """

    def __init__(self, weight_bits: int, lane_bits: int = ACTIVATION_BITS):
        super().__init__(weight_bits, 2, lane_bits)
        self.weight_code_bits = 3 * weight_bits + 1

    @property
    def weight_elements(self) -> Elements:
        bits = self.weight_bits
        return structure(("weight0", bits), ("weight1", bits), ("sum", bits + 1))

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        first, second = offset_binary(weights, self.weight_bits)
        return Cat(first, second, first + second)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        first, second = self.lanes(activation)
        weight0, weight1 = self.weights(weight)
        both = weight[2 * self.weight_bits :]
        rows = distributed_rows(m, "products", (first, second), (weight0, weight1, both))
        return staged(m, rows, registered)
