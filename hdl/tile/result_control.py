"""Says when the results of an array leave."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.placement import Component, place
from hdl.tile.row_counter import RowCounter


class ResultControl(Component):
    """Counts the rows of each tile as they leave, from the bottom one.

    The first ``last`` after reset ends no tile.

    Parameters
    ----------
    rows : int, from 1
    delay : int, from 1
        Cycles from the bottom row's last to its results.

    Members
    -------
    last : In(1)
        A tile's last passes the bottom row; at most once in ``rows`` cycles.
    out_valid : Out(1)
        A row of results leaves.
    out_last : Out(1)
        That row is row 0.
    """

    measured_alone = True
    counts_rows = True

    module_name = "result_control"

    def __init__(self, rows: int, delay: int):
        self.rows = rows
        self.delay = delay
        super().__init__({"last": In(1), "out_valid": Out(1), "out_last": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bottom_last = self.last
        for cycle in range(self.delay):
            earlier, bottom_last = bottom_last, Signal(name=f"bottom_last_{cycle}")
            m.d.sync += bottom_last.eq(earlier)
        cleared = Signal()
        with m.If(bottom_last):
            m.d.sync += cleared.eq(1)

        row_counter = RowCounter(self.rows)
        place(m, platform, "row_counter", row_counter)
        m.d.comb += [
            row_counter.start.eq(bottom_last & cleared),
            self.out_valid.eq(row_counter.valid),
            self.out_last.eq(row_counter.last),
        ]
        return m
