"""2:4 structured sparsity: the selection of the activations that meet non-zero weights."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value

from hdl.elements import Elements
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, named, stage

INDEX_BITS = 2
SLOTS = 3
"""Of four activations the first of two is never the last, and the second never the first."""


class StructuredSelection(Multiplier):
    """A multiplier behind 2:4 selection: of every four activations, the two that have weights.

    Pairs follow the weights, which differ from column to column, so activations travel as plain
    bytes, or signs and magnitudes, and are encoded here, in each unit, after the selection. A
    slice's weights are the non-zero ones, two of each block of four, and an index for each, its
    place in the block:

    - first index < second index: both weights count;
    - equal indices: the first one alone, and the activation of the second counts as zero;
    - first index > second index: none, and both activations count as zero.

    Where registered, the first register is between selection and multiplication.

    Parameters
    ----------
    multiplier : Multiplier
        Of the selected activations; an even number of them, a multiple of what shares a window. It
        must have no row bias, as there is no edge that knows the selected activations.

    Raises
    ------
    ValueError
        For a multiplier that is not like that.
    """

    def __init__(self, multiplier: Multiplier):
        selected = multiplier.k_per_cycle
        if selected % 2:
            raise ValueError(
                f"2:4 sparse weights come in pairs: a slice must have an even number of them, "
                f"not {selected}"
            )
        if multiplier.slices_per_group > 1:
            raise ValueError(
                f"group must be at most {selected}, the selected activations of a slice, "
                f"not {multiplier.slices_per_group * selected}"
            )
        if multiplier.row_scale:
            raise ValueError(
                f"{type(multiplier).__name__} has a bias that depends on the activations, which "
                "no edge knows after 2:4 selection"
            )
        self.multiplier = multiplier
        self.k_per_cycle = 2 * selected
        self.weight_bits = multiplier.weight_bits
        self.blocks = selected // 2
        self.signed_format = multiplier.signed_format
        self._bits = multiplier.activations.bits
        self.activation_code_bits = self.k_per_cycle * self._bits
        self.weight_code_bits = 2 * SLOTS * self.blocks + multiplier.weight_code_bits
        self.sum_bits = multiplier.sum_bits
        self.column_scale = multiplier.column_scale
        self.column_bias_width = multiplier.column_bias_width
        self.style = multiplier.style

    @property
    def activations(self) -> Elements:
        return Elements(self._bits).repeated("step", self.k_per_cycle)

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return self.multiplier.addend_shapes

    @property
    def weights_bits(self) -> int:
        return self.values_bits + self.indices_bits

    @property
    def values_bits(self) -> int:
        """Bits of a slice's non-zero weights."""
        return self.multiplier.k_per_cycle * self.weight_bits

    @property
    def indices_bits(self) -> int:
        """Bits of their indices."""
        return self.multiplier.k_per_cycle * INDEX_BITS

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        """The code of the non-zero weights, block after block, and above them their indices."""
        selects, values = [], []
        for block in range(self.blocks):
            index0, index1 = (
                weights[self.values_bits :].word_select(2 * block + slot, INDEX_BITS)
                for slot in range(2)
            )
            value0, value1 = (
                weights.word_select(2 * block + slot, self.weight_bits) for slot in range(2)
            )
            # A weight that is alone in the last place takes the second slot, which reaches it.
            moved = named(m, f"moved{block}", (index0 == SLOTS) & (index1 == SLOTS))
            any_, both = index0 <= index1, index0 < index1
            selects += [any_ & (index0 == slot) for slot in range(SLOTS)]
            selects += [(both | moved) & (index1 == slot + 1) for slot in range(SLOTS)]
            values += [value0, Mux(moved, value0, value1)]
        return Cat(*selects, self.multiplier.recode(m, platform, Cat(values)))

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        selected = [
            named(m, f"selected{2 * block + slot}", self._select(activation, weight, block, slot))
            for block in range(self.blocks)
            for slot in range(2)
        ]
        shared = Const(0, self.multiplier.shared_bits)
        code = self.multiplier.encode(m, platform, Cat(selected), shared)
        code = stage(m, "selected_code", code, registered)
        weight_code = stage(m, "weight_code", self._weight_code(weight), registered)
        within = max(0, registered - 1)
        return self.multiplier.addends(m, platform, code, weight_code, within)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return self.multiplier.column_bias(m, platform, self._weight_code(weight))

    def _select(self, activation: Value, weight: Value, block: int, slot: int) -> Value:
        """The activation that meets a weight, or 0."""
        selects = weight.word_select(2 * block + slot, SLOTS)
        result: Value = Const(0, self._bits)
        for distance, select in enumerate(selects):
            candidate = activation.word_select(4 * block + slot + distance, self._bits)
            result = result | Mux(select, candidate, 0)
        return result

    def _weight_code(self, weight: Value) -> Value:
        return weight[2 * SLOTS * self.blocks :]
