"""A bank of a scratchpad."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hdl.placement import Component


class ScratchpadBank(Component):
    """A memory with a port that reads and one that writes: the place of a macro, where there are.

    What is read of a word that is written in the same cycle is what it was before.

    Parameters
    ----------
    width : int
        Bits of a word.
    depth : int
        Words.
    parts : int
        A divisor of width: a word's parts, written each by itself.

    Members
    -------
    read : In(1)
        A word is read.
    read_address : In(range(depth))
        Which one.
    read_data : Out(width)
        The word that was read last, from the cycle after that.
    write : In(parts)
        Which parts of a word are written, the lowest bits first.
    write_address : In(range(depth))
        Which one.
    write_data : In(width)
        What is written.
    """

    def __init__(self, width: int, depth: int, parts: int):
        self.width = width
        self.depth = depth
        self.parts = parts
        super().__init__(
            {
                "read": In(1),
                "read_address": In(range(depth)),
                "read_data": Out(width),
                "write": In(parts),
                "write_address": In(range(depth)),
                "write_data": In(width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"scratchpad_bank_{self.width}b_by_{self.depth}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=[])
        read = memory.read_port()
        write = memory.write_port(granularity=self.width // self.parts)
        m.d.comb += [
            read.en.eq(self.read),
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
            write.en.eq(self.write),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]
        return m
