"""A multiplier whose activations come encoded, as memories have them."""

from typing import Any

from amaranth.hdl import Module, Value

from hdl.elements import Elements
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier


class StoredActivations(Multiplier):
    """As another multiplier, but what enters a row is its activations' stored pairs.

    They are decoded where bytes would be encoded. Windows that several slices share have been found
    when the pairs were stored, so that no slice waits for its group.

    Parameters
    ----------
    multiplier : Multiplier
        One with a ``stored_format``.

    Raises
    ------
    ValueError
        For another one.
    """

    def __init__(self, multiplier: Multiplier):
        if multiplier.stored_format is None:
            raise ValueError(
                f"encoded activations need a multiplier of stored pairs, "
                f"not {type(multiplier).__name__}"
            )
        self.multiplier = multiplier
        self.stored_format = multiplier.stored_format
        self.style = multiplier.style
        self.k_per_cycle = multiplier.k_per_cycle
        self.weight_bits = multiplier.weight_bits
        self.activation_code_bits = multiplier.activation_code_bits
        self.weight_code_bits = multiplier.weight_code_bits
        self.sum_bits = multiplier.sum_bits
        self.row_scale = multiplier.row_scale
        self.column_scale = multiplier.column_scale
        self.row_bias_width = multiplier.row_bias_width
        self.column_bias_width = multiplier.column_bias_width

    @property
    def activations(self) -> Elements:
        return self.stored_activations

    @property
    def weights_bits(self) -> int:
        return self.multiplier.weights_bits

    @property
    def activation_elements(self) -> Elements:
        return self.multiplier.activation_elements

    @property
    def weight_elements(self) -> Elements:
        return self.multiplier.weight_elements

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return self.multiplier.addend_shapes

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        return self.multiplier.addends(m, platform, activation, weight, registered)

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        """The activation code of stored pairs."""
        return self.multiplier.load(m, platform, activations)

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        return self.multiplier.load(m, platform, stored)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return self.multiplier.recode(m, platform, weights)

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return self.multiplier.row_bias(m, platform, activation)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return self.multiplier.column_bias(m, platform, weight)
