"""One accelerator with what it is told at run time."""

from dataclasses import dataclass

from gen.search.layers import Layers
from gen.search.machine import Machine
from gen.search.numbers import Numbers


@dataclass(frozen=True)
class Choice:
    """A machine, the numbers of its network, and the layers that it computes in windows.

    ``uniform`` is the name of a choice that is the same for all layers, else empty.
    """

    machine: Machine
    numbers: Numbers
    windowed: Layers
    uniform: str = ""

    @property
    def acc_bits(self) -> int:
        """The narrowest accumulators that hold its sums, whichever of its layers are windowed."""
        return self.machine.acc_bits(self.numbers.sum_bits)

    @property
    def key(self) -> tuple[Machine, Numbers, Layers]:
        """What makes it another choice."""
        return self.machine, self.numbers, self.windowed
