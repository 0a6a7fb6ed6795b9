"""Lines of a scratchpad to memory."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.memory.line_encoding import LineEncoding
from hdl.memory.line_mover import LineMover
from hdl.memory.line_walk import place_walk
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.placement import place
from hdl.stream.downsizer import Downsizer
from hdl.stream.stream import Stream
from hdl.stream.stream_register import StreamRegister

LINES_HELD = 2
"""Lines that a :class:`StreamRegister` holds."""


class LineStorer(LineMover):
    """Reads lines of a scratchpad, and gives them, beat by beat, to be written to memory.

    It stands between the stores of a :class:`~hdl.memory.scratchpad.Scratchpad` and an
    :class:`~hdl.memory.axi_writer.AxiWriter`, which says when a command is done. A line is read
    only if there is room for it, at most once in as many cycles as it has beats, but for two that
    are read ahead. The first line is read two cycles after its command was taken, the first beat
    offered two cycles later, and beats follow without a gap as long as neither the scratchpad nor
    what takes them makes it wait.

    Parameters
    ----------
    shape : ScratchpadShape
    address_bits : int
    encoding : LineEncoding, optional

    Members
    -------
    command_valid, command_ready, command, request_valid, request_ready, request
        Of a :class:`LineMover`.
    stores_valid : Out(1)
        A line is to be read.
    stores_ready : In(1)
        It is, if it is to be.
    stores_line : Out(range(shape.lines))
        The line.
    read_data : In(shape.line_bits)
        The line, in the cycle after that.
    out_valid : Out(1)
        A beat is offered, until it is taken.
    out_ready : In(1)
        A beat that is offered is taken.
    out_data : Out(shape.beat_bits)
        The beat.
    encoded : Out(1)
        In memory the beat, which is bytes here, is to be stored pairs. Only with ``encoding``.
    """

    def __init__(
        self, shape: ScratchpadShape, address_bits: int, encoding: LineEncoding | None = None
    ):
        super().__init__(
            shape,
            address_bits,
            {
                "stores_valid": Out(1),
                "stores_ready": In(1),
                "stores_line": Out(range(shape.lines)),
                "read_data": In(shape.line_bits),
                "out_valid": Out(1),
                "out_ready": In(1),
                "out_data": Out(shape.beat_bits),
                **({"encoded": Out(1)} if encoding else {}),
            },
            encoding,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        walk = place_walk(m, platform, self)

        # Read a line if it will find room behind those that were read and have not left.
        lines = StreamRegister(self.shape.line_bits + (self.encoding is not None))
        place(m, platform, "lines", lines)
        under_way = Signal(range(LINES_HELD + 1))
        was_read = Signal()
        goes = Signal()
        m.d.comb += [
            self.stores_valid.eq(walk.line_valid & ((under_way != LINES_HELD) | lines.given)),
            self.stores_line.eq(walk.line),
            goes.eq(self.stores_valid & self.stores_ready),
            walk.line_ready.eq(goes),
            lines.in_valid.eq(was_read),
            lines.in_data.eq(self.read_data),
        ]
        if self.encoding:
            was_encoded = Signal()
            m.d.sync += was_encoded.eq(walk.line_encoded)
            m.d.comb += lines.in_data[-1].eq(was_encoded)
            m.d.comb += self.encoded.eq(lines.out_data[-1])
        m.d.sync += [was_read.eq(goes), under_way.eq(under_way + goes - lines.given)]

        # Its beats.
        beats: Any = lines
        if self.shape.beats_per_line > 1:
            beats = Downsizer(self.shape.beat_bits, self.shape.beats_per_line)
            place(m, platform, "beats", beats)
            Stream.of(lines, "out_").feed(m, Stream.of(beats, "in_"))
        Stream.of(beats, "out_").feed(m, Stream.of(self, "out_"))
        return m
