"""A function of a byte, applied to results."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.accelerator.byte_table import ENTRIES, ENTRIES_PER_LOAD, LOAD_BITS, ByteTable
from hdl.accelerator.layouts import PLACE
from hdl.placement import place
from hdl.stream.stream_stage import StreamStage


class ByteTables(StreamStage):
    """Looks every byte of a word up in a table, one byte of each lane per cycle; or lets it pass.

    Each lane has a memory of the 256 bytes of the table, of entries 0 to 3 in the lowest word. They
    are loaded by the 64 words of a stream, all memories at once. Where the table does not apply
    words pass in the same cycle. Otherwise a word takes ``steps`` cycles: it must be offered until
    its last byte is read, is taken with it, and leaves in the next cycle or later. A word leaves
    every ``steps`` cycles, as long as it is taken.

    Parameters
    ----------
    rows : int
        Lanes.
    steps : int
        Bytes of a lane in each word.

    Members
    -------
    load_valid : In(1)
        A word of the table is offered; not while words are looked up.
    load_data : In(32)
        The word. The first one after a reset, or after 64 others, has the entries 0 to 3, the first
        of them low.
    loaded : Out(1)
        The word that is offered ends the table. It is always taken.
    applies : In(1)
        Words are looked up. This changes only where no word is on its way.
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`; lane 0 low.
    in_place : In(PLACE)
        Where the word belongs.
    out_place : Out(PLACE)
        The same of the word that leaves.
    """

    def __init__(self, rows: int, steps: int):
        self.rows = rows
        self.steps = steps
        width = rows * steps * ACTIVATION_BITS
        more = {
            "load_valid": In(1),
            "load_data": In(LOAD_BITS),
            "loaded": Out(1),
            "applies": In(1),
            "in_place": In(PLACE),
            "out_place": Out(PLACE),
        }
        super().__init__(width, width, more)

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Load all memories alike.
        entry = Signal(range(ENTRIES // ENTRIES_PER_LOAD))
        m.d.comb += self.loaded.eq(self.load_valid & entry.all())
        with m.If(self.load_valid):
            m.d.sync += entry.eq(entry + 1)

        # Read one byte of each lane; the last one of a word is the memory's output.
        step = Signal(range(self.steps))
        is_last = step == self.steps - 1
        offered = Signal()
        reads = Signal()
        offered_place = Signal(PLACE, reset_less=True)
        m.d.comb += reads.eq(self.applies & self.in_valid & (~offered | self.out_ready))
        with m.If(self.out_ready):
            m.d.sync += offered.eq(0)
        with m.If(reads):
            m.d.sync += step.eq(Mux(is_last, 0, step + 1))
            with m.If(is_last):
                m.d.sync += [offered.eq(1), offered_place.eq(self.in_place)]
        looked_up = []
        for index in range(self.rows):
            table = ByteTable()
            place(m, platform, f"table_{index}", table)
            lane = self.in_data.word_select(index, self.steps * ACTIVATION_BITS)
            before = Signal(
                (self.steps - 1) * ACTIVATION_BITS, name=f"before_{index}", reset_less=True
            )
            m.d.comb += [
                table.write.eq(self.load_valid),
                table.write_address.eq(entry),
                table.write_data.eq(self.load_data),
                table.read.eq(reads),
                table.byte.eq(lane.word_select(step, ACTIVATION_BITS)),
            ]
            with m.If(reads):
                m.d.sync += before.eq(Cat(before, table.found)[ACTIVATION_BITS:])
            looked_up += [before, table.found]

        # It leaves, or what came does.
        m.d.comb += [
            self.in_ready.eq(Mux(self.applies, reads & is_last, self.out_ready)),
            self.out_valid.eq(Mux(self.applies, offered, self.in_valid)),
            self.out_data.eq(Mux(self.applies, Cat(looked_up), self.in_data)),
            self.out_place.eq(Mux(self.applies, offered_place, self.in_place)),
        ]
        return m
