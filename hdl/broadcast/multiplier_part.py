"""One step of a multiplier as a module, so that several multipliers can stand side by side."""

from collections.abc import Callable, Sequence
from typing import Any

from amaranth.hdl import Fragment, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.multiplier.multiplier import Addend

Step = Callable[..., list[Addend]]
"""Called with a module, a platform and operands, it gives unsigned numbers and their places."""


class MultiplierPart(wiring.Component):
    """What ``step`` makes of its operands.

    A multiplier names what it places in a module, so a module holds one of a kind; here each has a
    module of its own.

    Parameters
    ----------
    name : str
        Of the module.
    step : Step
    operand_bits : sequence of int
    result_shapes : sequence of (width, place)
        Of what ``step`` gives; see :func:`result_shapes`.

    Members
    -------
    operand0, operand1, ... : In
    result0, result1, ... : Out
    """

    def __init__(
        self,
        name: str,
        step: Step,
        operand_bits: Sequence[int],
        shapes: Sequence[tuple[int, int]],
    ):
        self.module_name = f"multiplier_{name}"
        self._step = step
        self._shapes = shapes
        operands = {f"operand{index}": In(bits) for index, bits in enumerate(operand_bits)}
        results = {f"result{index}": Out(bits) for index, (bits, _) in enumerate(shapes)}
        self._operands = list(operands)
        super().__init__(operands | results)

    @property
    def results(self) -> list[Addend]:
        """The results and their places."""
        return [
            (getattr(self, f"result{index}"), offset)
            for index, (_, offset) in enumerate(self._shapes)
        ]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        results = self._step(m, platform, *(getattr(self, name) for name in self._operands))
        for (port, _), (value, _) in zip(self.results, results, strict=True):
            m.d.comb += port.eq(value)
        return m


def result_shapes(step: Step, operand_bits: Sequence[int]) -> list[tuple[int, int]]:
    """Widths and places of what ``step`` gives, found by trying it."""
    trial = Module()
    results = step(trial, None, *(Signal(bits) for bits in operand_bits))
    shapes = [(len(value), offset) for value, offset in results]
    Fragment.get(trial, None)  # what was placed counts as used
    return shapes
