"""Grids of equal parts, built of halves."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Member

from hdl.identity import snake_case
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import EVERYWHERE, MacPart, Route
from hdl.placement import Component, halves, place


class Grid(Component):
    """``rows`` x ``cols`` parts, each wired to its neighbours, or to what is broadcast to it.

    Its ports are those of a part, as many times as it has rows or columns, the first one low, as
    the routes of the parts say; so a grid is two smaller grids side by side, and one part is the
    smallest of them. Its text grows with the logarithm of its size. Blocks are named after their
    offset: the part of row 5 and column 2 of a 8x8 grid is found by following
    ``row_4.row_0.row_1`` and ``col_0.col_2.col_0``.

    Parameters
    ----------
    rows, cols : int
        At least 2 parts together.
    kind : subclass of MacPart
    mac : Mac
        Of all parts.
    broadcast : sequence of str
        Ports that all parts have in common, whatever their routes.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        kind: type[MacPart],
        mac: Mac,
        broadcast: Sequence[str] = (),
    ):
        self.rows = rows
        self.cols = cols
        self.kind = kind
        self.mac = mac
        self.broadcast = broadcast
        counts = {"row": rows, "col": cols, "": 1}
        members: dict[str, Member] = {}
        for name, member in kind.members(mac).items():
            members[name] = member.flow(counts[self._route(name).along] * member.shape)
        super().__init__(members)

    @property
    def module_name(self) -> str:
        name = self.kind.module_name
        part = name if isinstance(name, str) else snake_case(self.kind.__name__)
        return f"{part}_grid_{self.rows}x{self.cols}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        axis, middle, near_size, far_size = halves(self.rows, self.cols)
        near = make_grid(*near_size, self.kind, self.mac, self.broadcast)
        far = make_grid(*far_size, self.kind, self.mac, self.broadcast)
        place(m, platform, f"{axis}_0", near)
        place(m, platform, f"{axis}_{middle}", far)

        for (name,), member, own in self.signature.flatten(self):
            route = self._route(name)
            into = member.flow == In
            first, second = getattr(near, name), getattr(far, name)
            if route.along == axis:
                both = Cat(first, second)
                m.d.comb += both.eq(own) if into else own.eq(both)
            elif not route.passed:
                m.d.comb += [first.eq(own), second.eq(own)]
            elif into:
                handed_on = getattr(near, name.removesuffix("_in") + "_out")
                m.d.comb += [first.eq(own), second.eq(handed_on)]
            else:
                m.d.comb += own.eq(second)
        return m

    def _route(self, port: str) -> Route:
        return EVERYWHERE if port in self.broadcast else self.kind.route(port)


def make_grid(
    rows: int, cols: int, kind: type[MacPart], mac: Mac, broadcast: Sequence[str] = ()
) -> Grid | MacPart:
    """A grid of that size; a single part is its own grid."""
    return kind.build(mac) if rows == cols == 1 else Grid(rows, cols, kind, mac, broadcast)
