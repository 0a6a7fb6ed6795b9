"""What is chosen once, when an accelerator is built."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gen.compiler.accelerator import accelerator_shape
from gen.design.configuration import Configuration, least_acc_bits
from gen.search.element import Element
from gen.synthesis.units import Unit
from golden.accelerator.shape import SUM_BITS, AcceleratorShape


@dataclass(frozen=True)
class Machine:
    """An accelerator with an array of ``rows`` x ``cols`` elements, but for its accumulators.

    ``more`` are further options of its configuration, by name.
    """

    element: Element
    weight_bits: int
    rows: int
    cols: int
    more: tuple[tuple[str, int], ...] = ()

    def options(self, acc_bits: int = SUM_BITS) -> dict[str, Any]:
        """The options of its configuration."""
        sides = {"rows": self.rows, "cols": self.cols}
        widths = {"weight_bits": self.weight_bits, "acc_bits": acc_bits}
        return {"top": "accelerator", **sides, **self.element.options, **widths, **dict(self.more)}

    def configuration(self, acc_bits: int = SUM_BITS) -> Configuration:
        """Its configuration; raises ``ConfigurationError`` for one that cannot be."""
        return Configuration(**self.options(acc_bits))

    @cached_property
    def shape(self) -> AcceleratorShape:
        """What its programs see, with the widest accumulators."""
        return accelerator_shape(self.configuration())

    def acc_bits(self, sum_bits: int) -> int:
        """The narrowest accumulators that it can have for sums of so many bits."""
        return max(sum_bits, least_acc_bits(self.weight_bits, None))

    def array(self, acc_bits: int) -> Unit:
        """Its array, to be mapped."""
        return Unit("array", self.configuration(acc_bits).mac, None, self.rows, self.cols)

    def processing_element(self, acc_bits: int) -> Unit:
        """One of its elements, to be mapped."""
        return Unit("pe", self.configuration(acc_bits).mac)

    @property
    def passes(self) -> int:
        """How often the array takes each slice of a layer at 8 bits."""
        return len(self.shape.format.exact_planes) if self.shape.format is not None else 1

    @property
    def timing(self) -> tuple[AcceleratorShape, int, int]:
        """What cycles depend on: machines of equal ones take as many for the same layers."""
        fmt = self.shape.format
        return replace(self.shape, format=None), self.passes, 1 if fmt is None else fmt.group
