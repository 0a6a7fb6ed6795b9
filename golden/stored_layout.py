"""The stored form of encoded pairs: what every window has anyway is left out.

A window above the lowest placement has a leading one, or it would stand lower. Without it, a lane
is a class and its rest, ``width - 1`` bits (:func:`lane_codes`). A stored word has the rests of
both lanes, lane 0 low, and above them a prefix: a code of both classes or, where one value has both
lanes (vSPARQ), a number that says all else of it, in a prefix that this leaves free.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """A window: its placement, as an index into the placements, and its bits."""

    placement: int
    bits: int


class Wide(NamedTuple):
    """A double window: whose it is, 0 or 1; its placement and bits."""

    owner: int
    window: Window


Pair = tuple[Window, Window] | Wide
"""What a pair is: two lanes of their own, or both of one value."""

ZERO = Window(0, 0)


def windows(width: int, placements: Sequence[int], value_bits: int) -> Iterator[Window]:
    """Every window of ``width`` bits that a value can have at ``placements``, ascending shifts."""
    least = 0
    for index, shift in enumerate(placements):
        for bits in range(least >> shift, 1 << min(width, value_bits - shift)):
            yield Window(index, bits)
        least = 1 << (width + shift)


def lane_codes(width: int, found: Iterable[Window]) -> dict[Window, int]:
    """Of each window its class, and in the lowest ``width - 1`` bits its rest.

    - Class ``p``: the window stands at placement ``p``, and its highest bit is 1; it is left out.
    - Where shifts are further apart, windows above the lowest placement may start with zeros. Those
      with one zero follow, then those with two and so on, as many in a class as there are rests.
    - The last class: the window stands at the lowest placement, and its highest bit is 0.
    """
    rests = 1 << (width - 1)
    ordered = sorted(found, key=lambda window: (width - window.bits.bit_length(), window))
    low = [window for window in ordered if window.bits < rests]
    later = [window for window in low if window.placement]
    codes = {window: window.placement * rests + window.bits % rests for window in ordered}
    behind = (1 + max((window.placement for window in ordered), default=0)) * rests
    codes |= {window: behind + index for index, window in enumerate(later)}
    last = behind + -(-len(later) // rests) * rests
    return codes | {window: last + window.bits for window in low if not window.placement}


class StoredLayout:
    """How the pairs of a format are stored, where activations do not share windows.

    The classes of the lanes have a field each, that of lane 0 above that of lane 1. If they are one
    more than a power of two from 4, fields are too small for the last one: a bit above them then
    says that a lane is of that class. The field of lane 0 is then 0 if lane 0 is, 1 if lane 1 is,
    and the other field has the class of the other lane; 2 and 0 if both are.

    A value that has both lanes has the number ``owner + 2 * top + 4 * class``: the class is that of
    its double window, whose rest is that of lane 0, ``top``, and that of lane 1. The number
    is the field of lane 1, under ones for lane 0; if it needs a bit more, the others are the field
    of lane 0, above ones for lane 1. Where ones are a class, it stands in both fields, under
    a bit more. Where that bit is there anyway, it counts from where both lanes are of the last
    class.

    One number may meet a prefix that is taken. Its values are stored as pairs of which one lane is
    zero, which none is by itself: the other value then has both lanes. Beside a zero in lane 1, the
    class of lane 0 is the rest of lane 1. If there are more rests than classes, it is so where the
    highest bit of the rest of lane 0 is 1, and that of lane 1 takes its place; elsewhere lane 0 is
    zero, and the class of lane 1 is the rest of lane 0.

    All words are inverted where that of two zeros would have ones, so that it is 0.

    Parameters
    ----------
    window_bits, value_bits : int
        Of a lane, and of an activation.
    placements, wide_placements : sequence of int
        As of a format; without vSPARQ there are no wide ones.

    Attributes
    ----------
    bits : int
        Of a word.
    fits : bool
        Whether there is room for all numbers.
    """

    def __init__(
        self,
        window_bits: int,
        placements: Sequence[int],
        wide_placements: Sequence[int],
        value_bits: int,
    ):
        self._rest_bits = window_bits - 1
        self._rests = 1 << self._rest_bits
        self._lanes = lane_codes(window_bits, windows(window_bits, placements, value_bits))
        self._wide_rest_bits = 2 * window_bits - 1
        double = windows(2 * window_bits, wide_placements, value_bits)
        self._wide = lane_codes(2 * window_bits, double)
        self._last = max(self._lanes.values()) >> self._rest_bits
        self._escapes = self._last >= 4 and not self._last & (self._last - 1)
        self._field_bits = (self._last - self._escapes).bit_length()
        self._ones = (1 << self._field_bits) - 1
        self._extra = self._escapes or (bool(self._wide) and self._last == self._ones)
        prefix_bits = 2 * self._field_bits + self._extra
        self.bits = prefix_bits + 2 * self._rest_bits
        numbers = {self._number(wide) for wide in self._wides}
        self.fits = all(
            self._one_sided or self._rests <= 2 * self._last
            if self._is_left_out(number)
            else self._prefix_of_number(number) >> prefix_bits == 0
            for number in numbers
        )

    def words(self) -> dict[Pair, int]:
        """The word of every pair."""
        words: dict[Pair, int] = {
            (first, second): self._own(lane0, lane1)
            for first, lane0 in self._lanes.items()
            for second, lane1 in self._lanes.items()
            if not (self._wide and ZERO in (first, second))
        }
        words |= {wide: self._both(wide) for wide in self._wides}
        inverted = words[Wide(0, ZERO) if self._wide else (ZERO, ZERO)]
        return {pair: word ^ inverted for pair, word in words.items()}

    @property
    def _wides(self) -> Iterator[Wide]:
        """Values that have both lanes; two zeros are the first one's."""
        for window in self._wide:
            yield Wide(0, window)
            if window != ZERO:
                yield Wide(1, window)

    @property
    def _one_sided(self) -> bool:
        """Whether a rest is a class other than the last one."""
        return self._rests <= self._last

    def _own(self, lane0: int, lane1: int) -> int:
        """The word of lanes, each its class above its rest."""
        (class0, rest0), (class1, rest1) = (divmod(lane, self._rests) for lane in (lane0, lane1))
        return self._word(rest0, rest1, self._prefix(class0, class1))

    def _both(self, wide: Wide) -> int:
        """The word of a value that has both lanes."""
        rest0 = self._wide[wide.window] >> (self._rest_bits + 1) & (self._rests - 1)
        rest1 = self._wide[wide.window] & (self._rests - 1)
        number = self._number(wide)
        if not self._is_left_out(number):
            return self._word(rest0, rest1, self._prefix_of_number(number))
        if self._one_sided:
            return self._word(rest0, 0, self._prefix(rest1, self._last))
        half = self._rests >> 1
        if rest0 < half:
            return self._word(0, rest1, self._prefix(self._last, rest0))
        moved = rest0 % half | (rest1 & half)
        return self._word(moved, 0, self._prefix(rest1 % half, self._last))

    def _word(self, rest0: int, rest1: int, prefix: int) -> int:
        return rest0 | rest1 << self._rest_bits | prefix << 2 * self._rest_bits

    def _prefix(self, class0: int, class1: int) -> int:
        """The code of two classes."""
        bits, escape = self._field_bits, 1 << 2 * self._field_bits
        if not self._escapes or max(class0, class1) < self._last:
            return class0 << bits | class1
        if class1 < self._last:
            return escape | class1
        return escape | (1 << bits | class0 if class0 < self._last else 2 << bits)

    def _number(self, wide: Wide) -> int:
        code = self._wide[wide.window]
        return wide.owner + 2 * (code >> self._rest_bits & 1) + 4 * (code >> self._wide_rest_bits)

    def _prefix_of_number(self, number: int) -> int:
        """Where a number stands, if it is not left out; too large where there is no room."""
        bits, ones = self._field_bits, self._ones
        if self._escapes:
            return self._prefix(self._last, self._last) + number
        if self._extra:
            return (1 << 2 * bits) + number
        if number <= ones:
            return ones << bits | number
        return (number - ones - 1) << bits | ones

    def _is_left_out(self, number: int) -> bool:
        """Whether the prefix is taken."""
        if self._escapes:
            return number == 0
        return not self._extra and number == 2 * self._ones + 1
