"""What moves lines, all of it together: for a bench with a memory of others' making."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from hdl.bus.axi4 import Axi4Bus, axi4_read_members, axi4_write_members
from hdl.memory.axi_reader import MEMORY, AxiReader
from hdl.memory.axi_writer import AxiWriter
from hdl.memory.line_loader import LineLoader
from hdl.memory.line_storer import LineStorer
from hdl.memory.scratchpad import Scratchpad
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.memory.transfer import line_transfer_layout, transfer_layout
from hdl.placement import Component, place
from hdl.stream.stream import Stream


@dataclass(frozen=True)
class Sizes:
    """Of a :class:`LineSystem`."""

    bus: Axi4Bus
    shape: ScratchpadShape
    depth: int
    outstanding: int


SYSTEMS = {
    "32b": Sizes(Axi4Bus(32, 16, 4), ScratchpadShape(4, 2, 32, 32), 8, 2),
    "64b": Sizes(Axi4Bus(64, 64, 16), ScratchpadShape(16, 1, 32, 64), 32, 4),
    "256b": Sizes(Axi4Bus(256, 40, 128), ScratchpadShape(16, 2, 64, 256), 128, 3),
}
"""A line has two beats, two beats, and one."""


class LineSystem(Component):
    """Loads and stores lines, and reads a stream; what else uses the scratchpad is outside.

    Members
    -------
    load_command, store_command, and so on
        Of a line loader and of a line storer; ``store_done`` of a writer.
    stream_request, stream_data, and so on
        Of a destination of a reader.
    stop, busy, read_error, write_error
        Of reader and writer.
    patches_valid, results_valid
        Accesses that hold others up, and change nothing.
    """

    def __init__(self, sizes: Sizes):
        self.sizes = sizes
        bus = sizes.bus
        command = line_transfer_layout(sizes.shape, bus.address_bits)
        members = {
            "stream_request_valid": In(1),
            "stream_request_ready": Out(1),
            "stream_request": In(transfer_layout(bus.address_bits)),
            "stream_valid": Out(1),
            "stream_ready": In(1),
            "stream_data": Out(bus.data_bits),
        }
        for name in ("load", "store"):
            members |= {
                f"{name}_command_valid": In(1),
                f"{name}_command_ready": Out(1),
                f"{name}_command": In(command),
                f"{name}_done": Out(1),
            }
        flags = ("busy", "read_error", "write_error")
        inputs = ("stop", "patches_valid", "results_valid")
        self.port = {**axi4_read_members(bus, MEMORY), **axi4_write_members(bus, MEMORY)}
        super().__init__(
            {
                **members,
                **dict.fromkeys(flags, Out(1)),
                **dict.fromkeys(inputs, In(1)),
                **self.port,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bus, shape, depth = self.sizes.bus, self.sizes.shape, self.sizes.depth
        reader = AxiReader(bus, {"stream": depth, "loads": depth}, self.sizes.outstanding)
        writer = AxiWriter(bus, depth, self.sizes.outstanding)
        scratchpad = Scratchpad(shape)
        loader = LineLoader(shape, bus.address_bits)
        storer = LineStorer(shape, bus.address_bits)
        parts = (reader, writer, scratchpad, loader, storer)
        for part in parts:
            place(m, platform, part.module_name, part)
        for part in (reader, writer):
            for name in part.signature.members:
                if name.startswith(MEMORY):
                    ours, theirs = getattr(self, name), getattr(part, name)
                    is_input = self.port[name].flow == In
                    m.d.comb += theirs.eq(ours) if is_input else ours.eq(theirs)

        # Commands and requests.
        for name, mover in (("load", loader), ("store", storer)):
            m.d.comb += [
                mover.command_valid.eq(getattr(self, f"{name}_command_valid")),
                mover.command.eq(getattr(self, f"{name}_command")),
                getattr(self, f"{name}_command_ready").eq(mover.command_ready),
            ]
        m.d.comb += [
            reader.stream_request_valid.eq(self.stream_request_valid),
            reader.stream_request.eq(self.stream_request),
            self.stream_request_ready.eq(reader.stream_request_ready),
            reader.loads_request_valid.eq(loader.request_valid),
            reader.loads_request.eq(loader.request),
            loader.request_ready.eq(reader.loads_request_ready),
            writer.request_valid.eq(storer.request_valid),
            writer.request.eq(storer.request),
            storer.request_ready.eq(writer.request_ready),
        ]

        # Beats and lines.
        Stream.of(reader, "stream_").feed(m, Stream.of(self, "stream_"))
        Stream.of(reader, "loads_").feed(m, Stream.of(loader, "in_"))
        Stream.of(loader, "loads_").feed(m, Stream.of(scratchpad, "loads_"))
        Stream.of(storer, "out_").feed(m, Stream.of(writer, "in_"))
        m.d.comb += [
            scratchpad.loads_line.eq(loader.loads_line),
            scratchpad.loads_beat.eq(loader.loads_beat),
            scratchpad.stores_valid.eq(storer.stores_valid),
            scratchpad.stores_line.eq(storer.stores_line),
            storer.stores_ready.eq(scratchpad.stores_ready),
            storer.read_data.eq(scratchpad.read_data),
            scratchpad.patches_valid.eq(self.patches_valid),
            scratchpad.results_valid.eq(self.results_valid),
        ]

        # How it goes.
        m.d.comb += [
            reader.stop.eq(self.stop),
            writer.stop.eq(self.stop),
            self.busy.eq(reader.busy | writer.busy),
            self.read_error.eq(reader.error),
            self.write_error.eq(writer.error),
            self.load_done.eq(loader.done),
            self.store_done.eq(writer.done),
        ]
        return m
