"""Exact products of 8-bit activations."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from golden.format import ACTIVATION_BITS, ACTIVATION_MAX
from hdl.elements import Elements, structure
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, named, staged
from hdl.multiplier.number_form import NumberForm
from hdl.multiplier.partial_products import and_rows
from hdl.multiplier.selected_rows import (
    LINES,
    pair_code,
    pair_lines,
    pair_multiples,
    pair_of,
    pair_rows,
    select_lines,
    selected_row,
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
        self.row_bias_width = lane_bits + k_per_cycle - 1

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        bytes_ = [activations.word_select(k, ACTIVATION_BITS) for k in range(self.k_per_cycle)]
        return Cat(byte[: self.lane_bits] for byte in bytes_)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return Cat(NumberForm.OFFSET_BINARY.words(weights, self.weight_bits))

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

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return [
            (self.weight_bits, exponent) for exponent in range(self.lane_bits)
        ] * self.k_per_cycle

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        lanes = zip(self.lanes(activation), self.weights(weight), strict=True)
        rows = [row for k, lane in enumerate(lanes) for row in and_rows(m, f"product{k}", *lane)]
        return staged(m, rows, registered)


class Radix4(ExactMultiplier):
    """One row for each radix-4 digit of a weight: half as many rows as bits.

    The digits -1, 0, 1 and 2 make a weight, plus a third of ``4**digits - 1``, out of the very bits
    of its offset form: so the recoding that saves the rows costs nothing, and leaves biases that
    the edges know.

    Parameters
    ----------
    weight_bits, k_per_cycle : int
    decoded : bool
        A line for each value of a digit travels, decoded once per column; otherwise its bits do.
    """

    def __init__(self, weight_bits: int, k_per_cycle: int, decoded: bool = False):
        super().__init__(weight_bits, k_per_cycle)
        self.decoded = decoded
        self._digits_per_weight = (weight_bits + 1) // 2
        if decoded:
            self.weight_code_bits = k_per_cycle * self._digits_per_weight * LINES
        ones = (4**self._digits_per_weight - 1) // 3
        self.row_scale -= ones
        self.column_scale = ACTIVATION_MAX
        largest = k_per_cycle * ones * 2 * ACTIVATION_MAX
        self.sum_bits = largest.bit_length()
        self.column_bias_width = 2 * self._digits_per_weight - 1 + k_per_cycle - 1

    @property
    def addend_shapes(self) -> list[AddendShape]:
        rows = [(self.lane_bits + 1, 2 * index) for index in range(self._digits_per_weight)]
        return rows * self.k_per_cycle

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        code = super().recode(m, platform, weights)
        return Cat(map(self._decoded, self.weights(code))) if self.decoded else code

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        rows: list[Addend] = []
        for k, x in enumerate(self.lanes(activation)):
            for index, lines in enumerate(self._digits(m, weight, k)):
                # The row of -1 is ~x, which is -x plus 2**len(x) - 1.
                row = selected_row(lines, x, x << 1, ~x)[: len(x) + 1]
                rows.append((named(m, f"product{k}_row{2 * index}", row), 2 * index))
        return staged(m, rows, registered)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        """The sum of 4**p over the radix-4 digits p of the weights in offset form that are 0."""
        biases = [
            Cat(bit for lines in self._digits(m, weight, k) for bit in (~lines[2], 0))[:-1]
            for k in range(self.k_per_cycle)
        ]
        return sum(biases[1:], start=biases[0])

    def _digits(self, m: Module, weight: Value, k: int) -> list[Value]:
        """The lines of each digit of weight ``k``, from a weight code: of 1, 2 and -1."""
        count = self._digits_per_weight
        if self.decoded:
            return [weight.word_select(k * count + index, LINES) for index in range(count)]
        lines = named(m, f"digits{k}", self._decoded(self.weights(weight)[k]))
        return [lines.word_select(index, LINES) for index in range(count)]

    def _decoded(self, word: Value) -> Value:
        """The lines of all digits of a weight in offset form."""
        bits = [*word, *[Const(0, 1)] * (len(word) % 2)]
        pairs = zip(bits[::2], bits[1::2], strict=True)
        return Cat(select_lines(high & ~low, high & low, ~(low | high)) for low, high in pairs)


class DistributedArithmetic(ExactMultiplier):
    """Two products as one: each pair of activation bits selects none, one or both weights.

    The sum of the two weights travels with them, made once per column; inverted, unless they are
    forwarded as they are, as a :func:`selected_row` likes it.

    Parameters
    ----------
    weight_bits, lane_bits : int
    decoded : bool
        Lines that select weights travel, decoded once per row; otherwise the activations do.
    form : NumberForm
        Of the weights and their sum.
    """

    def __init__(
        self,
        weight_bits: int,
        lane_bits: int = ACTIVATION_BITS,
        decoded: bool = False,
        form: NumberForm = NumberForm.OFFSET_BINARY,
    ):
        super().__init__(weight_bits, 2, lane_bits)
        self.decoded = decoded
        self.form = form
        self.inverted = decoded or form.is_signed
        self.weight_code_bits = 3 * weight_bits + 1
        if decoded:
            self.activation_code_bits = LINES * lane_bits
        if form.is_signed:
            # The inverted top bits of one row per activation bit, in every cycle.
            self.row_scale, self.column_scale = 0, ((1 << lane_bits) - 1) << weight_bits
            self.row_bias_width, self.column_bias_width = 0, 1

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return [(self.weight_bits + 1, exponent) for exponent in range(self.lane_bits)]

    @property
    def weight_elements(self) -> Elements:
        bits = self.weight_bits
        return structure(("weight0", bits), ("weight1", bits), ("sum", bits + 1))

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        code = super().encode(m, platform, activations, shared)
        return pair_lines(*self.lanes(code)) if self.decoded else code

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        first, second = self.form.words(weights, self.weight_bits)
        return pair_code(first, second, self.inverted)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        lines = activation
        if not self.decoded:
            lines = named(m, "lines", pair_lines(*self.lanes(activation)))
        multiples = map(self.form.number, pair_multiples(weight, self.inverted))
        rows = pair_rows(m, "products", lines, *multiples)
        return staged(m, self.form.addends(m, "products", rows), registered)

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        if self.form.is_signed:
            return Const(0, 0)
        first, second = pair_of(activation) if self.decoded else self.lanes(activation)
        return first + second

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(1) if self.form.is_signed else super().column_bias(m, platform, weight)
