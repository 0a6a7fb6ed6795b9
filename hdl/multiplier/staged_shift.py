"""A shift by one of few distances, in one stage or two."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Value

from hdl.multiplier.multiplier import named
from hdl.multiplier.shift_add_multiplier import shifted


class StagedShift:
    """Left-shifts by one of ``shifts``, as one-hot lines say, decoded where they come from.

    Where that takes fewer gates, lines select an odd or even shift, by which one stage shifts, and
    the even rest, by which the next does. The two stages invert twice, and so need no inverters.

    Parameters
    ----------
    shifts : sequence of int
        Ascending, the first 0.
    stages : 1 or 2
        At most so many.

    Attributes
    ----------
    lines : int
        How many lines there are.
    """

    def __init__(self, shifts: Sequence[int], stages: int = 2):
        self._shifts = tuple(shifts)
        self._evens = sorted({shift & ~1 for shift in shifts})
        self._two_stages = stages > 1 and len(self._evens) + 1 < len(shifts)
        self.lines = 2 + len(self._evens) if self._two_stages else len(shifts)

    def select(self, one_hot: Value) -> Value:
        """The lines, from the one-hot index of the shift."""
        if not self._two_stages:
            return one_hot
        choices = list(zip(one_hot, self._shifts, strict=True))
        odds = [Cat(bit for bit, shift in choices if shift & 1 == odd).any() for odd in (0, 1)]
        evens = [
            Cat(bit for bit, shift in choices if shift & ~1 == even).any() for even in self._evens
        ]
        return Cat(odds, evens)

    def shifted(self, m: Module, name: str, value: Value, lines: Value) -> Value:
        """``value``, shifted: ``shifts[-1]`` bits wider, with its sign if it has one."""
        width = len(value) + self._shifts[-1]
        if not self._two_stages:
            return shifted(value, list(lines), self._shifts)
        first = named(m, f"{name}_by_one", shifted(value, list(lines[:2]), (0, 1)))
        signed = first.as_signed() if value.shape().signed else first
        return shifted(signed, list(lines[2:]), self._evens)[:width]
