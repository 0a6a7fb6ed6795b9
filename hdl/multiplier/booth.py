"""Classical modified Booth recoding."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value

from golden.format import ACTIVATION_BITS
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, named, staged

ROW_MAX = (2 << ACTIVATION_BITS) - 1
FLAGS = ("negative", "single", "double")
"""Of each digit: whether it is negative, 1 or -1, 2 or -2."""


class Booth(Multiplier):
    """Exact products, one row for each digit -2, -1, 0, 1 or 2 of a signed weight.

    The row of a negative digit is the complement of a positive one, which leaves a bias that
    depends on the weight alone.

    Parameters
    ----------
    weight_bits, k_per_cycle : int
    decoded : bool
        Flags of the digits travel, recoded once per column; otherwise weights travel as they are,
        and digits are recoded from three bits each where they are used.
    """

    def __init__(self, weight_bits: int, k_per_cycle: int, decoded: bool = False):
        self.weight_bits = weight_bits
        self.k_per_cycle = k_per_cycle
        self.decoded = decoded
        self._exponents = range(0, weight_bits, 2)
        digits = len(self._exponents)
        self.activation_code_bits = k_per_cycle * ACTIVATION_BITS
        self.weight_code_bits = k_per_cycle * (digits * len(FLAGS) if decoded else weight_bits)
        self.column_scale = ROW_MAX
        self.sum_bits = (k_per_cycle * ROW_MAX * ((4**digits - 1) // 3)).bit_length()
        self.column_bias_width = 2 * digits - 1 + k_per_cycle - 1

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return [(ACTIVATION_BITS + 1, exponent) for exponent in self._exponents] * self.k_per_cycle

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        if not self.decoded:
            return weights
        words = [weights.word_select(k, self.weight_bits) for k in range(self.k_per_cycle)]
        return Cat(_flags(word, exponent) for word in words for exponent in self._exponents)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        addends = []
        for k in range(self.k_per_cycle):
            x = activation.word_select(k, ACTIVATION_BITS)
            for exponent, flags in zip(self._exponents, self._digits(weight, k), strict=True):
                name = f"product{k}_{exponent}"
                negative, single, double = flags
                if not self.decoded:
                    single = named(m, f"{name}_single", single)
                    double = named(m, f"{name}_double", double)
                row = (Mux(single, x, 0) | Mux(double, x << 1, 0))[: ACTIVATION_BITS + 1]
                row = row ^ negative.replicate(ACTIVATION_BITS + 1)
                addends.append((named(m, f"{name}_row", row), exponent))
        return staged(m, addends, registered)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        """The sum of 4**p over the radix-4 digits p of the weights that are negative."""
        biases = [
            Cat(bit for negative, _, _ in self._digits(weight, k) for bit in (negative, 0))[:-1]
            for k in range(self.k_per_cycle)
        ]
        return sum(biases[1:], start=biases[0])

    def _digits(self, weight: Value, k: int) -> list[Value]:
        """The flags of each digit of weight ``k``, from a weight code."""
        count = len(self._exponents)
        if self.decoded:
            return [weight.word_select(k * count + i, len(FLAGS)) for i in range(count)]
        word = weight.word_select(k, self.weight_bits)
        return [_flags(word, exponent) for exponent in self._exponents]


def _flags(word: Value, exponent: int) -> Value:
    """The flags of the digit of a signed weight that counts for ``2**exponent``."""
    low, middle, high = Cat(0, word, word[-1])[exponent : exponent + 3]
    single = middle ^ low
    return Cat(high, single, (high ^ middle) & ~single)
