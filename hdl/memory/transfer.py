"""What is moved: beats of the bus, lines of the scratchpad."""

from amaranth.lib import data

from hdl.bus.axi4 import LENGTH_BITS
from hdl.memory.scratchpad_shape import ScratchpadShape

OFFSET_BITS = 32
"""Of addresses inside a window of memory: nothing that is moved at once is larger."""


def beat_count_bits(address_bits: int) -> int:
    """Bits of a number of beats, of four bytes or more each."""
    return min(OFFSET_BITS, address_bits) - 2


def transfer_layout(address_bits: int) -> data.StructLayout:
    """A request: ``beats``, from 1, of which the first is at ``address``.

    The address is that of a byte; those of its bits that point into a beat are not read.
    """
    return data.StructLayout({"address": address_bits, "beats": beat_count_bits(address_bits)})


def burst_layout(address_bits: int) -> data.StructLayout:
    """A burst: ``length`` beats and one more; ``last``: it ends its request."""
    return data.StructLayout({"address": address_bits, "length": LENGTH_BITS, "last": 1})


def line_transfer_layout(
    shape: ScratchpadShape, address_bits: int, encodes: bool = False
) -> data.StructLayout:
    """A command: ``lines``, from 1, of which the first is ``line``, and lies at ``address``; where
    something ``encodes``, whether they are stored pairs in memory.

    In memory lines follow each other, bank 0 low; in the scratchpad the first follows the last.
    """
    return data.StructLayout(
        {
            "address": address_bits,
            "line": range(shape.lines),
            "lines": range(shape.lines + 1),
            **({"encoded": 1} if encodes else {}),
        }
    )
