"""The form of the numbers that a multiplier adds: offset binary or two's complement."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from hdl.arithmetic.bit_heap import total_of
from hdl.multiplier.multiplier import Addend, named


class NumberForm(Enum):
    """How weights, and what is made of them, are written.

    In offset binary a weight is ``2**(weight_bits - 1)`` more than it is: nothing is signed, and
    sums carry a bias that depends on the activations.

    In two's complement the top bit of a number of ``b`` bits counts for ``-2**(b - 1)``. Inverted
    it counts for ``2**(b - 1)``, and the number has become ``2**(b - 1)`` more: unsigned, without a
    sign to extend. What that adds is the same in every cycle, whatever the operands: for units
    whose activations differ, even in one row.
    """

    OFFSET_BINARY = "offset binary"
    TWOS_COMPLEMENT = "two's complement"

    @property
    def is_signed(self) -> bool:
        """Whether numbers have a sign."""
        return self is NumberForm.TWOS_COMPLEMENT

    def words(self, weights: Value, weight_bits: int) -> list[Value]:
        """Signed weights side by side, each in this form."""
        words = [weights.word_select(k, weight_bits) for k in range(len(weights) // weight_bits)]
        if self.is_signed:
            return [word.as_signed() for word in words]
        top = 1 << (weight_bits - 1)
        return [(word ^ top)[:weight_bits] for word in words]

    def number(self, bits: Value) -> Value:
        """What bits of this form stand for."""
        return bits.as_signed() if self.is_signed and len(bits) else bits

    def unsigned(self, value: Value) -> Value:
        """A number as an unsigned addend: if it has a sign, half its range more than it is."""
        return Cat(value[:-1], ~value[-1]) if self.is_signed else value

    def addends(self, m: Module, name: str, rows: Sequence[Addend]) -> list[Addend]:
        """Rows of this form as unsigned addends, :meth:`excess` more than they are."""
        if not self.is_signed:
            return list(rows)
        return [
            (named(m, f"{name}_offset_row{index}", self.unsigned(row)), exponent)
            for index, (row, exponent) in enumerate(rows)
        ]

    def excess(self, rows: Sequence[Addend]) -> int:
        """What :meth:`addends` adds to the sum of the rows."""
        if not self.is_signed:
            return 0
        return sum(1 << (len(row) - 1 + exponent) for row, exponent in rows)

    def total(
        self, m: Module, platform: Any, name: str, rows: Sequence[Addend], bits: int
    ) -> Value:
        """The sum of rows of this form, which must fit a number of ``bits`` bits."""
        missing = -self.excess(rows) % (1 << bits)
        ones = [(Const(1, 1), exponent) for exponent in range(bits - 1) if missing >> exponent & 1]
        total = total_of(m, platform, name, [*self.addends(m, name, rows), *ones], bits)
        # In the top bit adding is inverting.
        return total ^ (missing & 1 << (bits - 1)) if missing >> (bits - 1) else total
