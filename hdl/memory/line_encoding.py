"""Lines of a scratchpad that are stored pairs in memory."""

from dataclasses import dataclass
from math import gcd

from amaranth.hdl import Value
from amaranth.utils import exact_log2

from hdl.memory.scratchpad_shape import ScratchpadShape

PAIR_BYTES_BITS = 16
"""Of a pair as two bytes."""


@dataclass(frozen=True)
class LineEncoding:
    """How much of memory lines take, each two bytes of which are a stored pair there.

    Pairs follow each other without gaps, so that some lines together are whole beats.

    Attributes
    ----------
    shape : ScratchpadShape
        Of beats of whole pairs.
    pair_bits : int
        Of a stored pair.
    """

    shape: ScratchpadShape
    pair_bits: int

    @property
    def beat_bits(self) -> int:
        """Bits of the pairs of a beat of bytes."""
        return self.shape.beat_bits // PAIR_BYTES_BITS * self.pair_bits

    @property
    def lines(self) -> int:
        """The fewest lines that are whole beats: a power of two, up to 16."""
        size = self.shape.beats_per_line * self.pair_bits
        return PAIR_BYTES_BITS // gcd(PAIR_BYTES_BITS, size)

    def beats(self, lines: Value) -> Value:
        """The beats of ``lines``, a multiple of :attr:`lines`."""
        own = self.lines * self.shape.beats_per_line * self.pair_bits // PAIR_BYTES_BITS
        return (lines >> exact_log2(self.lines)) * own
