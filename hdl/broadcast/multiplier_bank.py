"""Several equal multipliers side by side, as one."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Value

from golden.format import ACTIVATION_BITS
from hdl.broadcast.multiplier_part import MultiplierPart, Step, result_shapes
from hdl.multiplier.multiplier import Addend, Multiplier, named
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
        self.activation_code_bits = count * multiplier.activation_code_bits
        self.weight_code_bits = count * multiplier.weight_code_bits
        self.sum_bits = (count * ((1 << multiplier.sum_bits) - 1)).bit_length()
        self.row_scale = multiplier.row_scale
        self.column_scale = multiplier.column_scale
        self.slices_per_group = max(1, slices // count)
        self._shapes: dict[str, list[tuple[int, int]]] = {}

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
            codes.append(self._one(m, platform, "encode", index, self._encode, operands))
        return Cat(codes)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        # In place: behind an output port, sums of what is part of the same word look like loops.
        return Cat(self.multiplier.recode(m, platform, part) for part in self._split(weights))

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        def step(m: Module, platform: Any, activation: Value, weight: Value) -> list[Addend]:
            return self.multiplier.addends(m, platform, activation, weight, registered)

        pairs = zip(self._split(activation), self._split(weight), strict=True)
        return [
            addend
            for index, operands in enumerate(pairs)
            for addend in self._part(m, platform, "multiply", index, step, list(operands)).results
        ]

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        biases = self._all(m, platform, "row_bias", self._row_bias, activation)
        return sum(biases[1:], start=biases[0])

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        biases = self._all(m, platform, "column_bias", self._column_bias, weight)
        return sum(biases[1:], start=biases[0])

    def _split(self, operand: Value) -> list[Value]:
        """The parts of an operand that each multiplier takes."""
        bits = len(operand) // self.count
        return [operand.word_select(index, bits) for index in range(self.count)]

    def _all(self, m: Module, platform: Any, name: str, step: Step, operand: Value) -> list[Value]:
        """The one result of each multiplier's ``step``."""
        return [
            self._one(m, platform, name, index, step, [part])
            for index, part in enumerate(self._split(operand))
        ]

    def _one(
        self, m: Module, platform: Any, name: str, index: int, step: Step, operands: list[Value]
    ) -> Value:
        return self._part(m, platform, name, index, step, operands).results[0][0]

    def _part(
        self, m: Module, platform: Any, name: str, index: int, step: Step, operands: list[Value]
    ) -> MultiplierPart:
        """A module for multiplier ``index``, wired to its operands."""
        widths = [len(operand) for operand in operands]
        if name not in self._shapes:
            self._shapes[name] = result_shapes(step, widths)
        part = MultiplierPart(name, step, widths, self._shapes[name])
        place(m, platform, f"{name}{index}", part)
        for number, operand in enumerate(operands):
            m.d.comb += getattr(part, f"operand{number}").eq(operand)
        return part

    def _encode(self, m: Module, platform: Any, activations: Value, *shared: Value) -> list[Addend]:
        together = shared[0] if shared else activations[:ACTIVATION_BITS]  # unread where none is
        return [(self.multiplier.encode(m, platform, activations, together), 0)]

    def _row_bias(self, m: Module, platform: Any, activation: Value) -> list[Addend]:
        return [(self.multiplier.row_bias(m, platform, activation), 0)]

    def _column_bias(self, m: Module, platform: Any, weight: Value) -> list[Addend]:
        return [(self.multiplier.column_bias(m, platform, weight), 0)]
