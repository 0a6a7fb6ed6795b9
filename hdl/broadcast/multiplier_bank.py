"""Several equal multipliers side by side, as one."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Value

from hdl.broadcast.multiplier_part import ADDENDS, MultiplierPart
from hdl.elements import Elements
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, named
from hdl.placement import place


class MultiplierBank(Multiplier):
    """``count`` multipliers, for consecutive activations and weights of one slice.

    Codes stand side by side, the first multiplier's low; addends are those of all. Windows that the
    activations of several slices of one multiplier share are shared by neighbours here: by whole
    groups of multipliers, or by all of them and several slices.

    Parameters
    ----------
    multiplier : Multiplier
    count : int, from 1

    Raises
    ------
    ValueError
        If neither the group of a window is a multiple of the slice, nor the slice of the group.
    """

    def __init__(self, multiplier: Multiplier, count: int):
        slices = multiplier.slices_per_group
        if slices % count and count % slices:
            raise ValueError(
                f"{count * multiplier.k_per_cycle} activations per slice must be a divisor or a "
                f"multiple of the {slices * multiplier.k_per_cycle} that share a window"
            )
        self.multiplier = multiplier
        self.count = count
        self.k_per_cycle = count * multiplier.k_per_cycle
        self.weight_bits = multiplier.weight_bits
        self.stored_format = multiplier.stored_format
        self.signed_format = multiplier.signed_format
        self.shared_bits = multiplier.shared_bits
        self.activation_code_bits = count * multiplier.activation_code_bits
        self.weight_code_bits = count * multiplier.weight_code_bits
        self.sum_bits = (count * ((1 << multiplier.sum_bits) - 1)).bit_length()
        self.row_scale = multiplier.row_scale
        self.column_scale = multiplier.column_scale
        self.row_bias_width = multiplier.row_bias_width + count - 1
        self.column_bias_width = multiplier.column_bias_width + count - 1
        self.slices_per_group = max(1, slices // count)
        self.style = multiplier.style

    @property
    def activations(self) -> Elements:
        return Elements(self.multiplier.activations.bits).repeated("step", self.k_per_cycle)

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return self.multiplier.addend_shapes * self.count

    def shares(self, activations: Value) -> Value:
        return reduce(or_, map(self.multiplier.shares, self._split(activations)))

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        slices = self._split(activations)
        group = self.multiplier.slices_per_group
        codes = []
        for index, own in enumerate(slices):
            if 1 < group <= self.count and index % group == 0:
                members = slices[index : index + group]
                together = reduce(or_, map(self.multiplier.shares, members))
                shared = named(m, f"shared{index}", together)
            operands = [own, shared] if group > 1 else [own]
            codes.append(self._one(m, platform, "encode", index, operands))
        return Cat(codes)

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        return Cat(self._all(m, platform, "load", stored))

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        # In place: behind an output port, sums of what is part of the same word look like loops.
        return Cat(self.multiplier.recode(m, platform, part) for part in self._split(weights))

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        step = ADDENDS[registered]
        pairs = zip(self._split(activation), self._split(weight), strict=True)
        return [
            addend
            for index, operands in enumerate(pairs)
            for addend in self._part(m, platform, step, index, operands).results
        ]

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        biases = self._all(m, platform, "row_bias", activation)
        return sum(biases[1:], start=biases[0])

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        biases = self._all(m, platform, "column_bias", weight)
        return sum(biases[1:], start=biases[0])

    def _split(self, operand: Value) -> list[Value]:
        """The parts of an operand that each multiplier takes."""
        bits = len(operand) // self.count
        return [operand.word_select(index, bits) for index in range(self.count)]

    def _all(self, m: Module, platform: Any, step: str, operand: Value) -> list[Value]:
        """The one result of each multiplier's step."""
        parts = enumerate(self._split(operand))
        return [self._one(m, platform, step, index, [part]) for index, part in parts]

    def _one(
        self, m: Module, platform: Any, step: str, index: int, operands: Sequence[Value]
    ) -> Value:
        return self._part(m, platform, step, index, operands).results[0][0]

    def _part(
        self, m: Module, platform: Any, step: str, index: int, operands: Sequence[Value]
    ) -> MultiplierPart:
        """A module for multiplier ``index``, wired to its operands."""
        part = MultiplierPart(self.multiplier, step)
        place(m, platform, f"{step.rpartition('registered_')[2]}{index}", part)
        for number, operand in enumerate(operands):
            m.d.comb += getattr(part, f"operand{number}").eq(operand)
        return part
