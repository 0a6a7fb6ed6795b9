"""One step of a multiplier as a module, so that several multipliers can stand side by side."""

from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib.wiring import In, Out

from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier
from hdl.multiplier.style import Style
from hdl.placement import Component

ADDENDS = (
    *("addends", "registered_addends"),
    *("twice_registered_addends", "thrice_registered_addends"),
)
"""The step that makes addends, by how often they are registered."""


class MultiplierPart(Component):
    """What one step of a multiplier makes of its operands.

    A multiplier names what it places in a module, so a module holds one of a kind; here each has a
    module of its own.

    Parameters
    ----------
    multiplier : Multiplier
    step : str
        One of :data:`ADDENDS`, "encode", "load", "row_bias" or "column_bias"; of "load" the
        operand is a slice of stored pairs.

    Members
    -------
    operand0, operand1, ... : In
        Of addends both codes; of encode the bytes, and what a group shares if it has more than one
        slice; of a bias the code that it depends on.
    result0, result1, ... : Out
        As wide as the multiplier states.

    Raises
    ------
    ValueError
        On elaboration, if the multiplier makes anything else than it states.
    """

    def __init__(self, multiplier: Multiplier, step: str):
        self.multiplier = multiplier
        self.step = step
        operands = {f"operand{index}": In(bits) for index, bits in enumerate(self._operand_bits())}
        shapes = self._result_shapes()
        results = {f"result{index}": Out(shape) for index, (shape, _) in enumerate(shapes)}
        self._operands = list(operands)
        super().__init__(operands | results)

    @property
    def module_name(self) -> str:
        return f"multiplier_{self.step}"

    @property
    def results(self) -> list[Addend]:
        """The results and their exponents."""
        return [
            (getattr(self, f"result{index}"), exponent)
            for index, (_, exponent) in enumerate(self._result_shapes())
        ]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        made = self._make(m, platform)
        is_signed = self.step in ADDENDS and self.multiplier.style is Style.BEHAVIORAL
        shapes: list[AddendShape] = [
            (signed(len(value)) if is_signed else len(value), exponent) for value, exponent in made
        ]
        if shapes != self._result_shapes():
            raise ValueError(
                f"{type(self.multiplier).__name__} states (width, exponent) of its {self.step} as "
                f"{self._result_shapes()}, and makes {shapes}"
            )
        for (port, _), (value, _) in zip(self.results, made, strict=True):
            m.d.comb += port.eq(value)
        return m

    def _operand_bits(self) -> list[int]:
        multiplier = self.multiplier
        match self.step:
            case "encode":
                shared = [multiplier.shared_bits] if multiplier.slices_per_group > 1 else []
                return [multiplier.activations.width, *shared]
            case "load":
                return [multiplier.stored_activations.width]
            case "row_bias":
                return [multiplier.activation_code_bits]
            case "column_bias":
                return [multiplier.weight_code_bits]
            case _:
                return [multiplier.activation_code_bits, multiplier.weight_code_bits]

    def _result_shapes(self) -> list[AddendShape]:
        """As the multiplier states."""
        match self.step:
            case "encode" | "load":
                return [(self.multiplier.activation_code_bits, 0)]
            case "row_bias":
                return [(self.multiplier.row_bias_width, 0)]
            case "column_bias":
                return [(self.multiplier.column_bias_width, 0)]
            case _:
                return self.multiplier.addend_shapes

    def _make(self, m: Module, platform: Any) -> list[Addend]:
        """Unsigned numbers and their exponents."""
        operands = [getattr(self, name) for name in self._operands]
        match self.step:
            case _ if self.step in ADDENDS:
                activation, weight = operands
                registered = ADDENDS.index(self.step)
                return self.multiplier.addends(m, platform, activation, weight, registered)
            case "encode":
                activations, *shared = operands
                # Where nothing is shared, it is not read.
                together = shared[0] if shared else activations[: self.multiplier.shared_bits]
                return [(self.multiplier.encode(m, platform, activations, together), 0)]
            case _:
                return [(getattr(self.multiplier, self.step)(m, platform, *operands), 0)]
