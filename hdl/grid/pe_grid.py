"""The grid of processing elements, built of halves."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from hdl.element.processing_element import ProcessingElement
from hdl.placement import Component, halves, place

RIGHTWARDS: tuple[str, ...] = ("last", "drain", "activation")
DOWNWARDS: tuple[str, ...] = ("weight", "result")


class PeGrid(Component):
    """``rows`` x ``cols`` processing elements, each wired to its neighbours.

    Its ports are those of a processing element, as many times as it has rows (control and
    activations) or columns (weights and results), the first row or column low; so a grid is two
    smaller grids side by side, and one processing element is the smallest of them. Blocks are named
    after their offset: the element of row 5 and column 2 of a 8x8 grid is found by following
    ``row_4.row_0.row_1`` and ``col_0.col_2.col_0``.

    Parameters
    ----------
    rows, cols : int
        At least 2 elements together.
    pe : ProcessingElement
        The element of row 0 and column 0; the others are its replicas.
    """

    def __init__(self, rows: int, cols: int, pe: ProcessingElement):
        self.rows = rows
        self.cols = cols
        self._pe = pe
        members: dict[str, Any] = {}
        for names, count in ((RIGHTWARDS, rows), (DOWNWARDS, cols)):
            for name in names:
                width = count * len(getattr(pe, f"{name}_in"))
                members |= {f"{name}_in": In(width), f"{name}_out": Out(width)}
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return f"pe_grid_{self.rows}x{self.cols}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        axis, middle, near_size, far_size = halves(self.rows, self.cols)
        through, split = (RIGHTWARDS, DOWNWARDS) if axis == "col" else (DOWNWARDS, RIGHTWARDS)
        near = make_grid(*near_size, self._pe)
        far = make_grid(*far_size, self._pe.replica())
        place(m, platform, f"{axis}_0", near)
        place(m, platform, f"{axis}_{middle}", far)

        for name in through:
            source, sink = f"{name}_out", f"{name}_in"
            m.d.comb += getattr(near, sink).eq(getattr(self, sink))
            m.d.comb += getattr(far, sink).eq(getattr(near, source))
            m.d.comb += getattr(self, source).eq(getattr(far, source))
        for name in split:
            source, sink = f"{name}_out", f"{name}_in"
            m.d.comb += Cat(getattr(near, sink), getattr(far, sink)).eq(getattr(self, sink))
            m.d.comb += getattr(self, source).eq(Cat(getattr(near, source), getattr(far, source)))
        return m


def make_grid(rows: int, cols: int, pe: ProcessingElement) -> PeGrid | ProcessingElement:
    """A grid of that size around ``pe``; a single element is its own grid."""
    return pe if rows == cols == 1 else PeGrid(rows, cols, pe)
