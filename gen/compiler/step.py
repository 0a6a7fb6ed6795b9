"""What the accelerator computes for a layer, before it is known where."""

from dataclasses import dataclass

from gen.compiler.values import Value
from golden.accelerator.shape import Bytes
from golden.descriptor import Opcode
from networks.graph.lowering import Patch

PIXEL = Patch((1, 1))
"""A patch of one pixel."""


@dataclass
class Step:
    """A descriptor that computes, or one for each stripe of pixels.

    It makes ``output`` of one or two inputs, those under ``patch``; ``stream`` are its parameters
    and weights, the other fields those of the descriptor.
    """

    name: str
    opcode: Opcode
    inputs: tuple[Value, ...]
    output: Value
    stream: Bytes
    patch: Patch = PIXEL
    pad_byte: int = 0
    zero_point: int = 0
    other_zero_point: int = 0
    exact: bool = False
    sums: bool = False
    uniform: bool = False
    broadcast: bool = False
    table: Bytes | None = None
    words_before: int = 0
    """Channel words of results before that of the first word of the input."""

    @property
    def depth(self) -> int:
        """Slices of a patch, of MATRIX."""
        if self.opcode is not Opcode.MATRIX:
            return 0
        return self.patch.kernel[0] * self.patch.kernel[1] * self.inputs[0].words
