# amaranth: UnusedElaboratable=no
# The elements of a chain may stand for what is emitted once, and are then never elaborated.
"""Equal elements along an edge, each wired to the next, built of halves."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In

from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.row_bias import RowBias
from hdl.element.processing_element import ProcessingElement
from hdl.placement import Component, place

Link = RowBias | ColumnCorrection


class Chain(Component):
    """``count`` elements, each handing what its ``passed`` names to the next.

    Its ports are those of an element: one ``NAME_in`` and ``NAME_out`` for each ``NAME`` passed,
    and ``count`` times all others, the first element low. Its text grows with the logarithm of its
    size.

    Parameters
    ----------
    kind : the class of the elements
    pe : ProcessingElement
    count : int, from 2
    """

    def __init__(self, kind: type[Link], pe: ProcessingElement, count: int):
        self.kind = kind
        self.count = count
        self._pe = pe
        members: dict[str, Any] = {}
        for (name,), member, signal in (element := kind(pe)).signature.flatten(element):
            width = len(signal) * (1 if self._is_passed(name) else count)
            members[name] = member.flow(width)
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return f"{self.kind.module_name}_chain_{self.count}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        middle = (self.count + 1) // 2
        near = make_chain(self.kind, self._pe, middle)
        far = make_chain(self.kind, self._pe, self.count - middle)
        place(m, platform, "lane_0", near)
        place(m, platform, f"lane_{middle}", far)
        for (name,), member, own in self.signature.flatten(self):
            ports = Cat(getattr(near, name), getattr(far, name))
            if not self._is_passed(name):
                m.d.comb += ports.eq(own) if member.flow == In else own.eq(ports)
            elif member.flow == In:
                m.d.comb += getattr(near, name).eq(own)
                m.d.comb += getattr(far, name).eq(getattr(near, name.replace("_in", "_out")))
            else:
                m.d.comb += own.eq(getattr(far, name))
        return m

    def _is_passed(self, port: str) -> bool:
        return port.rpartition("_")[0] in self.kind.passed


def make_chain(kind: type[Link], pe: ProcessingElement, count: int) -> Chain | Link:
    """A chain of that many elements; a single element is its own chain."""
    return kind(pe) if count == 1 else Chain(kind, pe, count)
