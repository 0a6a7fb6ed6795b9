"""Classical modified Booth recoding, inside the multiplier."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value

from golden.format import ACTIVATION_BITS
from hdl.multiplier.multiplier import Addend, Multiplier, named, staged

ROW_MAX = (2 << ACTIVATION_BITS) - 1


class Booth(Multiplier):
    """Exact products, one row for each digit -2, -1, 0, 1 or 2 of a signed weight.

    Weights travel as they are; the digits are recoded from three bits each where they are used. The
    row of a negative digit is the complement of a positive one, which leaves a bias that depends on
    the weight alone.
    """

    def __init__(self, weight_bits: int, k_per_cycle: int):
        self.weight_bits = weight_bits
        self.k_per_cycle = k_per_cycle
        self.activation_code_bits = k_per_cycle * ACTIVATION_BITS
        self.weight_code_bits = k_per_cycle * weight_bits
        self.column_scale = ROW_MAX
        digits = (weight_bits + 1) // 2
        self.sum_bits = (k_per_cycle * ROW_MAX * ((4**digits - 1) // 3)).bit_length()

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return weights

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        addends = []
        for k in range(self.k_per_cycle):
            x = activation.word_select(k, ACTIVATION_BITS)
            for exponent, (high, middle, low) in self._digits(weight, k):
                name = f"product{k}_{exponent}"
                single = named(m, f"{name}_single", middle ^ low)
                double = named(m, f"{name}_double", (high ^ middle) & ~(middle ^ low))
                row = Mux(single, x, 0) | Mux(double, x << 1, 0)
                row = row[: ACTIVATION_BITS + 1] ^ high.replicate(ACTIVATION_BITS + 1)
                addends.append((named(m, f"{name}_row", row), exponent))
        return staged(m, addends, registered)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        biases = [
            Cat(bit for _, (high, _, _) in self._digits(weight, k) for bit in (high, 0))[:-1]
            for k in range(self.k_per_cycle)
        ]
        return sum(biases[1:], start=biases[0])

    def _digits(self, weight: Value, k: int) -> list[tuple[int, tuple[Value, Value, Value]]]:
        """Of each digit: its exponent, and the bits it is recoded from, the highest first."""
        word = weight.word_select(k, self.weight_bits)
        bits = Cat(0, word, word[-1])
        return [
            (exponent, (bits[exponent + 2], bits[exponent + 1], bits[exponent]))
            for exponent in range(0, self.weight_bits, 2)
        ]
