"""Exact products with radix-4 digits that are decoded where they are broadcast from."""

from typing import Any

from amaranth.hdl import Cat, Module, Value

from hdl.broadcast.selected_rows import LINES, select_lines, selected_row
from hdl.multiplier.exact import Radix4
from hdl.multiplier.multiplier import Addend, named, staged


class DecodedRadix4(Radix4):
    """As :class:`Radix4`; a line for each value of a digit travels instead of its bits.

    What is broadcast costs wires, not registers in every unit: so digits are decoded once per
    column.
    """

    def __init__(self, weight_bits: int, k_per_cycle: int):
        super().__init__(weight_bits, k_per_cycle)
        self._digits_per_weight = self.digit_bits // 2
        self.weight_code_bits = k_per_cycle * self._digits_per_weight * LINES

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        lines = []
        for offset in self.weights(super().recode(m, platform, weights)):
            digits = self._digits(offset)
            for exponent in range(0, self.digit_bits, 2):
                low, high = digits[exponent], digits[exponent + 1]
                lines.append(select_lines(high & ~low, high & low, ~(low | high)))
        return Cat(lines)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        rows: list[Addend] = []
        for k, x in enumerate(self.lanes(activation)):
            for digit in range(self._digits_per_weight):
                row = selected_row(self._lines(weight, k, digit), x, x << 1, ~x)
                name = f"product{k}_row{2 * digit}"
                rows.append((named(m, name, row[: len(x) + 1]), 2 * digit))
        return staged(m, rows, registered)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        biases = []
        for k in range(self.k_per_cycle):
            negative = [
                ~self._lines(weight, k, digit)[2] for digit in range(self._digits_per_weight)
            ]
            biases.append(Cat(bit for flag in negative for bit in (flag, 0))[:-1])
        return sum(biases[1:], start=biases[0])

    def _lines(self, weight: Value, k: int, digit: int) -> Value:
        """The lines of one digit of weight ``k``."""
        return weight.word_select(k * self._digits_per_weight + digit, LINES)
