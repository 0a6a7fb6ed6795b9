"""What the bits of a port are: elements side by side."""

from dataclasses import dataclass, replace
from math import prod


@dataclass(frozen=True)
class Elements:
    """A word made of equal elements, the first in its lowest bits.

    Parameters
    ----------
    bits : int
        Of one element.
    signed : bool
        Whether an element is a number in two's complement; otherwise it is unsigned.
    dimensions : tuple of (name, count)
        How elements are counted, outermost first: the last one runs fastest. None: one element.
    fields : tuple of (name, bits)
        What an element that is no number consists of, from its bit 0 upwards.
    """

    bits: int
    signed: bool = False
    dimensions: tuple[tuple[str, int], ...] = ()
    fields: tuple[tuple[str, int], ...] = ()

    @property
    def count(self) -> int:
        """How many elements the word has."""
        return prod(count for _, count in self.dimensions)

    @property
    def width(self) -> int:
        """Bits of the word."""
        return self.count * self.bits

    def repeated(self, name: str, count: int) -> "Elements":
        """``count`` such words, the first in the lowest bits, in a larger one."""
        return replace(self, dimensions=((name, count), *self.dimensions))


def side_by_side(parts: dict[str, Elements]) -> Elements:
    """A word of these parts, the first in the lowest bits: the only one, or one element of all."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    return structure(*((name, part.width) for name, part in parts.items()))


def structure(*fields: tuple[str, int]) -> Elements:
    """One element of these fields; those of no bits are left out."""
    kept = tuple((name, bits) for name, bits in fields if bits)
    return Elements(sum(bits for _, bits in kept), fields=kept)
