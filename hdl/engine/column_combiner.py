"""The sums of two columns as those of one column of wider weights."""

from typing import Any

from amaranth.hdl import Module, Mux, signed
from amaranth.lib.wiring import In, Out

from hdl.placement import Component

SHIFT_BITS = 3
MAX_SHIFT = (1 << SHIFT_BITS) - 1


class ColumnCombiner(Component):
    """Adds the sum of the column to the left, shifted left, to that of a column, or does not.

    ``sum`` is ``golden.combine`` of both columns: exact, as it has as many bits as it takes. Not
    clocked.

    Parameters
    ----------
    acc_bits : int
        Of the sums of both columns.

    Members
    -------
    left : In(signed(acc_bits))
        The sum of the column to the left, of first points.
    own : In(signed(acc_bits))
        The sum of the column.
    shift : In(3)
        Of the column to the left; 0: it does not count.
    sum : Out(signed(acc_bits + 8))
        ``left * 2**shift + own``, or ``own``.
    """

    def __init__(self, acc_bits: int):
        self.acc_bits = acc_bits
        super().__init__(
            {
                "left": In(signed(acc_bits)),
                "own": In(signed(acc_bits)),
                "shift": In(SHIFT_BITS),
                "sum": Out(signed(acc_bits + MAX_SHIFT + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shifted = Mux(self.shift == 0, 0, self.left << self.shift)
        m.d.comb += self.sum.eq(shifted + self.own)
        return m
