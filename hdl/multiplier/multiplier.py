"""What all multipliers have in common."""

from abc import ABC, abstractmethod
from typing import Any

from amaranth.hdl import Cat, Const, Module, ShapeLike, Signal, Value

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.elements import Elements
from hdl.identity import Identified
from hdl.multiplier.style import Style

Addend = tuple[Value, int]
"""A number and the power of two it counts for."""

AddendShape = tuple[ShapeLike, int]
"""The shape of an addend, or its width if it is unsigned, and its power of two."""


class Multiplier(Identified, ABC):
    """The product of a few activations with as many weights, as addends.

    A multiplier is part of a processing element or a dot-product unit, which adds the addends to an
    accumulator. What the edge of an array can do once per row or column is stated here as well:
    operands may travel as any code, and the sum may carry a bias, which accumulates at the edge and
    is subtracted where results leave::

        sum of addends = sum of products
                         + row_scale * row_bias(activation code)
                         + column_scale * column_bias(weight code)

    Addends are unsigned in structural style, and signed in behavioral style.

    Attributes
    ----------
    k_per_cycle : int
        Activations, and MACs, per cycle.
    weight_bits : int
        Width of a signed weight.
    activation_code_bits, weight_code_bits : int
        Width of the codes of ``k_per_cycle`` operands.
    sum_bits : int
        Width that holds the sum of the addends, which is signed if they are.
    row_scale, column_scale : int
        What the biases count for; 0 where there is none.
    row_bias_width, column_bias_width : int
        Width of what :meth:`row_bias` and :meth:`column_bias` give.
    slices_per_group : int
        Slices whose activations share a window, and are encoded together.
    shared_bits : int
        Width of what :meth:`shares` gives.
    stored_format : SparqFormat or None
        The format of stored pairs that :meth:`load` takes, if it takes any.
    signed_format : SparqFormat or None
        The format of the signs and magnitudes that :meth:`encode` takes, if it takes no bytes.
    style : Style
    """

    k_per_cycle: int
    weight_bits: int
    activation_code_bits: int
    weight_code_bits: int
    sum_bits: int
    row_scale: int = 0
    column_scale: int = 0
    row_bias_width: int = 0
    column_bias_width: int = 0
    slices_per_group: int = 1
    shared_bits: int = ACTIVATION_BITS
    stored_format: SparqFormat | None = None
    signed_format: SparqFormat | None = None
    style: Style = Style.STRUCTURAL

    @property
    def activations(self) -> Elements:
        """What :meth:`encode` takes: the activations of a slice."""
        return Elements(ACTIVATION_BITS).repeated("step", self.k_per_cycle)

    @property
    def stored_activations(self) -> Elements:
        """What :meth:`load` takes: the stored pairs of a slice."""
        if self.stored_format is None:
            raise ValueError(f"{type(self).__name__} takes no stored pairs")
        pair = Elements(self.stored_format.stored_pair_bits)
        return pair.repeated("pair", self.k_per_cycle // 2)

    @property
    def weights_bits(self) -> int:
        """Width of what :meth:`recode` takes: a slice's weights, and what belongs to them."""
        return self.k_per_cycle * self.weight_bits

    @property
    def activation_elements(self) -> Elements:
        """What an activation code consists of."""
        bits = self.activation_code_bits // self.k_per_cycle
        return Elements(bits).repeated("step", self.k_per_cycle)

    @property
    def weight_elements(self) -> Elements:
        """What a weight code consists of."""
        return Elements(self.weight_bits).repeated("step", self.k_per_cycle)

    @property
    @abstractmethod
    def addend_shapes(self) -> list[AddendShape]:
        """Of each of the :meth:`addends`, in their order."""

    @abstractmethod
    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        """The addends of two codes, ``registered`` as many times: 0, 1 or, of operators, to 3."""

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        """The activation code of ``k_per_cycle`` :attr:`activations`, the lower k low.

        ``shared`` is the OR of :meth:`shares` over the slices of the group.
        """
        return activations

    def shares(self, activations: Value) -> Value:
        """What ``k_per_cycle`` activations contribute to the OR of their group."""
        return Const(0, self.shared_bits)

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        """The activation code of stored pairs, the lower k low: as :meth:`encode` makes it."""
        raise ValueError(f"{type(self).__name__} takes no stored pairs")

    @abstractmethod
    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        """The weight code of ``k_per_cycle`` signed weights, the lower k low."""

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        """The unsigned bias of an activation code, in units of ``row_scale``."""
        return Const(0, 0)

    def row_bias_bits(self, acc_bits: int) -> int:
        """Width of a sum of row biases that wraps as ``acc_bits`` bits of their products do.

        Its unit is the largest power of two in ``row_scale``.
        """
        return acc_bits - ((self.row_scale & -self.row_scale).bit_length() - 1)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        """The unsigned bias of a weight code, in units of ``column_scale``."""
        return Const(0, 0)


def named(m: Module, name: str, value: Value) -> Signal:
    """A signal of that name with that value: values are trees, and signals share what they hold."""
    signal = Signal(len(value), name=name)
    m.d.comb += signal.eq(value)
    return signal


def scaled(value: Value, factor: int) -> Value:
    """An unsigned ``value`` times ``factor``, from 1: its power of two takes no multiplier."""
    zeros = (factor & -factor).bit_length() - 1
    odd = factor >> zeros
    return Cat(Const(0, zeros), value if odd == 1 else value * odd)


def stage(m: Module, name: str, value: Value, registered: int) -> Signal:
    """A signal of that name with that value; ``registered``, one cycle later."""
    if not registered:
        return named(m, name, value)
    register = Signal(len(value), name=f"{name}_register", reset_less=True)
    m.d.sync += register.eq(value)
    return register


def delayed(m: Module, name: str, value: Value, cycles: int) -> Value:
    """``value``, so many cycles later."""
    for cycle in range(cycles):
        value = stage(m, f"{name}_{cycle}", value, registered=True)
    return value


def staged(m: Module, addends: list[Addend], registered: int) -> list[Addend]:
    """The addends; ``registered``, one cycle later."""
    return [
        (stage(m, f"addend{index}", value, registered), exponent)
        if registered
        else (value, exponent)
        for index, (value, exponent) in enumerate(addends)
    ]


def signed_words(weights: Value, weight_bits: int) -> list[Value]:
    """Signed weights that stand side by side."""
    count = len(weights) // weight_bits
    return [weights.word_select(k, weight_bits).as_signed() for k in range(count)]


def product(m: Module, name: str, x: Value, weight: Value, registered: int) -> Value:
    """``x * weight``, of an unsigned number, or a sign and a magnitude, and a signed number.

    ``x`` may be signed if it is never the least number of its bits: the product then has one bit
    less than both have. The first register follows the multiplication, the second precedes it:
    where multipliers of FPGAs have theirs. The third follows the first: a multiplier can be far
    from what takes its product, and the way between them then has a cycle of its own.
    """
    is_signed = x.shape().signed
    x = stage(m, f"{name}_x", x, registered > 1)
    weight = stage(m, f"{name}_weight", weight, registered > 1).as_signed()
    result: Value = (x.as_signed() * weight)[:-1] if is_signed else x * weight
    result = stage(m, name, result, registered > 0)
    return stage(m, f"{name}_brought", result, registered > 2).as_signed()
