"""Modified Booth recoding where weights are broadcast from."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value

from golden.format import ACTIVATION_BITS
from hdl.multiplier.booth import Booth
from hdl.multiplier.multiplier import Addend, named, staged

FLAGS = 3
"""Of each digit: whether it is negative, 1 or -1, 2 or -2."""


class DecodedBooth(Booth):
    """As :class:`Booth`; flags of the digits travel instead of the bits they are recoded from.

    What is broadcast costs wires, not registers in every unit: so weights are recoded once per
    column.
    """

    def __init__(self, weight_bits: int, k_per_cycle: int):
        super().__init__(weight_bits, k_per_cycle)
        self._exponents = range(0, weight_bits, 2)
        self.weight_code_bits = k_per_cycle * len(self._exponents) * FLAGS

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        flags = []
        for k in range(self.k_per_cycle):
            for _, (high, middle, low) in self._digits(weights, k):
                single = middle ^ low
                flags += [high, single, (high ^ middle) & ~single]
        return Cat(flags)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        addends = []
        for k in range(self.k_per_cycle):
            x = activation.word_select(k, ACTIVATION_BITS)
            for exponent in self._exponents:
                negative, single, double = self._flags(weight, k, exponent)
                row = (Mux(single, x, 0) | Mux(double, x << 1, 0))[: ACTIVATION_BITS + 1]
                row = row ^ negative.replicate(ACTIVATION_BITS + 1)
                addends.append((named(m, f"product{k}_{exponent}_row", row), exponent))
        return staged(m, addends, registered)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        biases = []
        for k in range(self.k_per_cycle):
            negative = [self._flags(weight, k, exponent)[0] for exponent in self._exponents]
            biases.append(Cat(bit for flag in negative for bit in (flag, 0))[:-1])
        return sum(biases[1:], start=biases[0])

    def _flags(self, weight: Value, k: int, exponent: int) -> Value:
        """The flags of the digit of weight ``k`` at ``exponent``."""
        return weight.word_select(k * len(self._exponents) + exponent // 2, FLAGS)
