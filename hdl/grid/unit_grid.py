"""The grid of dot-product units, built of halves."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from hdl.element.dot_product_unit import DotProductUnit
from hdl.placement import Component, halves, place

CONTROL = ("last", "drain")


class UnitGrid(Component):
    """``rows`` x ``cols`` dot-product units; operands are broadcast, results run down the columns.

    Its ports are those of a unit, activations as many times as it has rows, weights and results as
    many times as it has columns, the first one low; so a grid is two smaller grids side by side,
    and one unit is the smallest of them. Blocks are named after their offset, as in a ``PeGrid``.

    Parameters
    ----------
    rows, cols : int
        At least 2 units together.
    unit : DotProductUnit
        The unit of row 0 and column 0; the others are its replicas.
    """

    def __init__(self, rows: int, cols: int, unit: DotProductUnit):
        self.rows = rows
        self.cols = cols
        self._unit = unit
        super().__init__(
            {
                "last": In(1),
                "drain": In(1),
                "activation": In(rows * len(unit.activation)),
                "weight": In(cols * len(unit.weight)),
                "result_in": In(cols * unit.acc_bits),
                "result_out": Out(cols * unit.acc_bits),
            }
        )

    @property
    def module_name(self) -> str:
        return f"unit_grid_{self.rows}x{self.cols}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        axis, middle, near_size, far_size = halves(self.rows, self.cols)
        by_columns = axis == "col"
        near = make_grid(*near_size, self._unit)
        far = make_grid(*far_size, self._unit.replica())
        place(m, platform, f"{axis}_0", near)
        place(m, platform, f"{axis}_{middle}", far)

        common, split = ("activation", "weight") if by_columns else ("weight", "activation")
        for name in (*CONTROL, common):
            m.d.comb += getattr(near, name).eq(getattr(self, name))
            m.d.comb += getattr(far, name).eq(getattr(self, name))
        m.d.comb += Cat(getattr(near, split), getattr(far, split)).eq(getattr(self, split))
        if by_columns:
            m.d.comb += Cat(near.result_in, far.result_in).eq(self.result_in)
            m.d.comb += self.result_out.eq(Cat(near.result_out, far.result_out))
        else:
            m.d.comb += near.result_in.eq(self.result_in)
            m.d.comb += far.result_in.eq(near.result_out)
            m.d.comb += self.result_out.eq(far.result_out)
        return m


def make_grid(rows: int, cols: int, unit: DotProductUnit) -> UnitGrid | DotProductUnit:
    """A grid of that size around ``unit``; a single unit is its own grid."""
    return unit if rows == cols == 1 else UnitGrid(rows, cols, unit)
