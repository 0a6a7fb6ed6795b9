"""The shift of a product to where its window stood, as a choice of words."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value, signed


def window_shift(m: Module, name: str, value: Value, index: Value, shifts: Sequence[int]) -> Signal:
    """A signed ``value``, left-shifted by ``shifts[index]``: ``shifts[-1]`` bits wider.

    An ``index`` beyond the last shift, which no encoder makes, shifts as the last one.
    """
    result = Signal(signed(len(value) + shifts[-1]), name=name)
    with m.Switch(index):
        for number, shift in enumerate(shifts[:-1]):
            with m.Case(number):
                m.d.comb += result.eq(value << shift)
        with m.Default():
            m.d.comb += result.eq(value << shifts[-1])
    return result
