"""Parameters of one column of tiles are used while those of the next one load."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hdl.engine.column_parameters import (
    COLUMN_PARAMETERS,
    PARAMETER_WORD_BITS,
    WORDS_PER_COLUMN,
)
from hdl.placement import Component


class ParameterBuffer(Component):
    """Two banks of :data:`COLUMN_PARAMETERS`, one set for each column of the machine.

    They come in word by word, those of column 0 first, and are read ``lanes`` columns at a time.

    Parameters
    ----------
    cols, lanes : int
        Columns of the machine, of which ``lanes`` is a divisor.

    Members
    -------
    in_valid : In(1)
        A word is offered.
    in_ready : Out(1)
        A word that is offered is taken.
    in_data : In(32)
        The word.
    full : Out(1)
        The bank to be read is full; otherwise nothing must be read.
    part : In(range(cols // lanes))
        Which ``lanes`` columns are read.
    read : In(1)
        They are given in the next cycle, until the next read.
    free_bank : In(1)
        The bank is free after this cycle; the other one is to be read next.
    parameters : Out(lanes * 96)
        Of the columns that were read, the first one low.
    """

    def __init__(self, cols: int, lanes: int):
        self.cols = cols
        self.lanes = lanes
        self.parts = cols // lanes
        super().__init__(
            {
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(PARAMETER_WORD_BITS),
                "full": Out(1),
                "part": In(range(self.parts)),
                "read": In(1),
                "free_bank": In(1),
                "parameters": Out(lanes * COLUMN_PARAMETERS.size),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        words = self.lanes * WORDS_PER_COLUMN
        m.submodules.memory = memory = Memory(
            shape=words * PARAMETER_WORD_BITS, depth=2 * self.parts, init=[]
        )
        is_full = Signal(2)
        filled = Signal(2)
        freed = Signal(2)
        m.d.sync += is_full.eq(is_full & ~freed | filled)

        # Load a bank that is free.
        loaded_bank = Signal()
        loaded_part = Signal(range(self.parts))
        word = Signal(range(words))
        write = memory.write_port(granularity=PARAMETER_WORD_BITS)
        m.d.comb += [
            self.in_ready.eq(~is_full.bit_select(loaded_bank, 1)),
            write.addr.eq(loaded_part + Mux(loaded_bank, self.parts, 0)),
            write.data.eq(self.in_data.replicate(words)),
        ]
        with m.If(self.in_valid & self.in_ready):
            m.d.comb += write.en.bit_select(word, 1).eq(1)
            m.d.sync += word.eq(word + 1)
            with m.If(word == words - 1):
                m.d.sync += [word.eq(0), loaded_part.eq(loaded_part + 1)]
                with m.If(loaded_part == self.parts - 1):
                    m.d.comb += filled.bit_select(loaded_bank, 1).eq(1)
                    m.d.sync += [loaded_part.eq(0), loaded_bank.eq(~loaded_bank)]

        # Read the other one.
        read_bank = Signal()
        read = memory.read_port()
        m.d.comb += [
            self.full.eq(is_full.bit_select(read_bank, 1)),
            read.addr.eq(self.part + Mux(read_bank, self.parts, 0)),
            read.en.eq(self.read),
            self.parameters.eq(read.data),
        ]
        with m.If(self.free_bank):
            m.d.comb += freed.bit_select(read_bank, 1).eq(1)
            m.d.sync += read_bank.eq(~read_bank)
        return m
