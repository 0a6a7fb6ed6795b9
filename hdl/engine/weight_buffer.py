"""Weights of one column of tiles are used while those of the next one load."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hdl.engine.command import COMMAND, COUNT_BITS
from hdl.stream.stream_stage import StreamStage


class WeightBuffer(StreamStage):
    """Takes the weights of a column of tiles once, and gives them once for each of its tiles.

    Two banks: one is read while the other one loads, or while it loads itself: its first tile needs
    no slice before that was taken. What comes in is ``tiles_n`` times ``depth`` slices for each
    command; what goes out is every one of these ``tiles_m`` times over, in the order in which a
    machine takes them. A bank is free when its last slice has gone out.

    Parameters
    ----------
    width : int
        Bits of a slice of weights.
    depth : int, from 1
        Slices that a bank holds; a command's must not be more.

    Members
    -------
    command_valid : In(1)
        A command waits.
    command_ready : Out(1)
        Its last slice is taken.
    command : In(COMMAND)
        The command.
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    """

    def __init__(self, width: int, depth: int):
        self.width = width
        self.depth = depth
        ports = {"command_valid": In(1), "command_ready": Out(1), "command": In(COMMAND)}
        super().__init__(width, width, ports)

    @property
    def module_name(self) -> str:
        return f"weight_buffer_{self.width}b_by_{self.depth}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=2 * self.depth, init=[])
        command = self.command
        bank_layout = data.StructLayout({"tiles": COUNT_BITS, "slices": COUNT_BITS})
        banks = [Signal(bank_layout, name=f"bank_{bank}", reset_less=True) for bank in range(2)]
        is_full = Signal(2)
        filled = Signal(2)
        freed = Signal(2)
        m.d.sync += is_full.eq(is_full & ~freed | filled)

        # Load a bank that is free.
        loaded_bank = Signal()
        loaded = Signal(range(self.depth))
        column = Signal(COUNT_BITS)
        write = memory.write_port()
        is_last = loaded == (command.depth - 1)[: len(loaded)]
        is_last_column = column == command.tiles_n - 1
        m.d.comb += [
            self.in_ready.eq(self.command_valid & ~is_full.bit_select(loaded_bank, 1)),
            self.command_ready.eq(self.taken & is_last & is_last_column),
            write.addr.eq(loaded + Mux(loaded_bank, self.depth, 0)),
            write.data.eq(self.in_data),
            write.en.eq(self.taken),
        ]
        with m.If(self.taken):
            m.d.sync += loaded.eq(loaded + 1)
            with m.If(is_last):
                m.d.comb += filled.bit_select(loaded_bank, 1).eq(1)
                m.d.sync += [loaded.eq(0), loaded_bank.eq(~loaded_bank), column.eq(column + 1)]
                with m.If(is_last_column):
                    m.d.sync += column.eq(0)
            for bank, own in enumerate(banks):
                with m.If(loaded_bank == bank):
                    m.d.sync += [own.tiles.eq(command.tiles_m), own.slices.eq(command.depth)]

        # Read what is there, tile after tile; the memory's output is the word offered.
        read_bank = Signal()
        slice_index = Signal(range(self.depth))
        tile = Signal(COUNT_BITS)
        read = memory.read_port()
        offered = Signal()
        is_there = Signal()
        reads = Signal()
        of_bank = Signal(bank_layout)
        with m.Switch(read_bank):
            for bank, own in enumerate(banks):
                with m.Case(bank):
                    m.d.comb += of_bank.eq(own)
        is_end = slice_index == (of_bank.slices - 1)[: len(slice_index)]
        m.d.comb += [
            is_there.eq(
                is_full.bit_select(read_bank, 1)
                | ((loaded_bank == read_bank) & (slice_index < loaded))
            ),
            reads.eq(is_there & (~offered | self.out_ready)),
            read.addr.eq(slice_index + Mux(read_bank, self.depth, 0)),
            read.en.eq(reads),
            self.out_valid.eq(offered),
            self.out_data.eq(read.data),
        ]
        with m.If(self.out_ready):
            m.d.sync += offered.eq(0)
        with m.If(reads):
            m.d.sync += [offered.eq(1), slice_index.eq(slice_index + 1)]
            with m.If(is_end):
                m.d.sync += [slice_index.eq(0), tile.eq(tile + 1)]
                with m.If(tile == of_bank.tiles - 1):
                    m.d.comb += freed.bit_select(read_bank, 1).eq(1)
                    m.d.sync += [tile.eq(0), read_bank.eq(~read_bank)]
        return m
