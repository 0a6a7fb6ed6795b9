"""One step of a multiplier as a module, so that several multipliers can stand side by side."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Fragment, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.multiplier.multiplier import Addend, Multiplier
from hdl.placement import Component


class MultiplierPart(Component):
    """What one step of a multiplier makes of its operands.

    A multiplier names what it places in a module, so a module holds one of a kind; here each has a
    module of its own.

    Parameters
    ----------
    multiplier : Multiplier
    step : "addends", "registered_addends", "encode", "row_bias" or "column_bias"
    operand_bits : sequence of int
    shapes : sequence of (width, exponent)
        Of what the step gives; see :func:`result_shapes`.

    Members
    -------
    operand0, operand1, ... : In
    result0, result1, ... : Out
    """

    def __init__(
        self,
        multiplier: Multiplier,
        step: str,
        operand_bits: Sequence[int],
        shapes: Sequence[tuple[int, int]],
    ):
        self.multiplier = multiplier
        self.step = step
        self._shapes = shapes
        operands = {f"operand{index}": In(bits) for index, bits in enumerate(operand_bits)}
        results = {f"result{index}": Out(bits) for index, (bits, _) in enumerate(shapes)}
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
            for index, (_, exponent) in enumerate(self._shapes)
        ]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        operands = [getattr(self, name) for name in self._operands]
        results = _results(self.multiplier, self.step, m, platform, operands)
        for (port, _), (value, _) in zip(self.results, results, strict=True):
            m.d.comb += port.eq(value)
        return m


def _results(
    multiplier: Multiplier, step: str, m: Module, platform: Any, operands: Sequence[Value]
) -> list[Addend]:
    """Unsigned numbers and their exponents."""
    match step:
        case "addends" | "registered_addends":
            activation, weight = operands
            return multiplier.addends(m, platform, activation, weight, step != "addends")
        case "encode":
            activations, *shared = operands
            # Where nothing is shared, it is not read.
            together = shared[0] if shared else activations[:ACTIVATION_BITS]
            return [(multiplier.encode(m, platform, activations, together), 0)]
        case _:
            return [(getattr(multiplier, step)(m, platform, *operands), 0)]


def result_shapes(
    multiplier: Multiplier, step: str, operand_bits: Sequence[int]
) -> list[tuple[int, int]]:
    """Widths and exponents of what a step gives, found by trying it."""
    trial = Module()
    operands = [Signal(bits) for bits in operand_bits]
    results = _results(multiplier, step, trial, None, operands)
    shapes = [(len(value), exponent) for value, exponent in results]
    Fragment.get(trial, None)  # what was placed counts as used
    return shapes
