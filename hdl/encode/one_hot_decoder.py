"""One of several lines, by its index."""

from typing import Any

from amaranth.hdl import Cat, Module, Value
from amaranth.lib.wiring import In, Out

from hdl.placement import Component, place


class OneHotDecoder(Component):
    """Raises the line that an index selects, and none for an index beyond the last. Combinational.

    A module of its own, for lines that leave a module both as they are and as parts of others: read
    back from an output port they would look like a loop.

    Parameters
    ----------
    count : int, from 1
        How many lines there are.

    Members
    -------
    index : In(ceil(log2(count)))
        Not there where there is one line.
    lines : Out(count)
    """

    module_name = "one_hot_decoder"

    def __init__(self, count: int):
        self.count = count
        bits = (count - 1).bit_length()
        index = {"index": In(bits)} if bits else {}
        super().__init__(index | {"lines": Out(count)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.count == 1:
            m.d.comb += self.lines.eq(1)
        else:
            m.d.comb += self.lines.eq(Cat(self.index == line for line in range(self.count)))
        return m


def one_hot(m: Module, platform: Any, name: str, index: Value, count: int) -> Value:
    """The ``count`` lines of a decoder of ``index``, which is placed in ``m`` by that name."""
    decoder = OneHotDecoder(count)
    place(m, platform, f"{name}_decoder", decoder)
    if count > 1:
        m.d.comb += decoder.index.eq(index)
    return decoder.lines
