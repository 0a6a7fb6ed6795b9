"""Counts a tile's rows of results as they leave."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.placement import Component


class RowCounter(Component):
    """Says which rows of results leave: ``rows`` for each tile, one per cycle, row 0 last.

    Parameters
    ----------
    rows : int, from 1

    Members
    -------
    start : In(1)
        The bottom row leaves in this cycle; at most once in ``rows`` cycles.
    valid : Out(1)
        A row leaves: with ``start``, and in the ``rows - 1`` cycles after it.
    last : Out(1)
        Row 0 leaves.
    """

    measured_alone = True
    counts_rows = True

    def __init__(self, rows: int):
        self.rows = rows
        super().__init__({"start": In(1), "valid": Out(1), "last": Out(1)})

    @property
    def module_name(self) -> str:
        return f"row_counter_{self.rows}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows_above = Signal(range(self.rows))
        with m.If(self.start):
            m.d.sync += rows_above.eq(self.rows - 1)
        with m.Elif(rows_above != 0):
            m.d.sync += rows_above.eq(rows_above - 1)
        m.d.comb += self.valid.eq(self.start | (rows_above != 0))
        m.d.comb += self.last.eq(self.start if self.rows == 1 else rows_above == 1)
        return m
