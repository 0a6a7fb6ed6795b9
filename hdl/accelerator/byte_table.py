"""A table of bytes: a memory of its own."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.placement import Component

ENTRIES = 1 << ACTIVATION_BITS
LOAD_BITS = 32
ENTRIES_PER_LOAD = LOAD_BITS // ACTIVATION_BITS


class ByteTable(Component):
    """A byte for each byte: written some entries at a time, read one per cycle.

    Members
    -------
    write : In(1)
        Entries are written.
    write_address : In(6)
        Which four of them.
    write_data : In(32)
        The entries, the first one low.
    read : In(1)
        A byte is looked up, in what was written in cycles before.
    byte : In(8)
        The byte.
    found : Out(8)
        Latency: 1 cycle. What the last byte that was looked up is in the table.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "write": In(1),
                "write_address": In(range(ENTRIES // ENTRIES_PER_LOAD)),
                "write_data": In(LOAD_BITS),
                "read": In(1),
                "byte": In(ACTIVATION_BITS),
                "found": Out(ACTIVATION_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        memory = Memory(shape=LOAD_BITS, depth=ENTRIES // ENTRIES_PER_LOAD, init=[])
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port()
        low = Signal(range(ENTRIES_PER_LOAD), reset_less=True)
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.en.eq(self.read),
            read.addr.eq(self.byte[len(low) :]),
            self.found.eq(read.data.word_select(low, ACTIVATION_BITS)),
        ]
        with m.If(self.read):
            m.d.sync += low.eq(self.byte)
        return m
