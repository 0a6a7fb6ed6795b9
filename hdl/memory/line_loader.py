"""Lines of a scratchpad from memory."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.memory.line_encoding import LineEncoding
from hdl.memory.line_mover import LineMover
from hdl.memory.line_walk import place_walk
from hdl.memory.scratchpad_shape import ScratchpadShape


class LineLoader(LineMover):
    """Writes lines that it reads from memory into a scratchpad, beat by beat.

    It stands between a destination of an :class:`~hdl.memory.axi_reader.AxiReader` and the loads of
    a :class:`~hdl.memory.scratchpad.Scratchpad`. A beat passes through in the cycle in which it is
    offered, if the scratchpad takes it, from two cycles after its command was taken.

    Parameters
    ----------
    shape : ScratchpadShape
    address_bits : int
    encoding : LineEncoding, optional

    Members
    -------
    command_valid, command_ready, command, request_valid, request_ready, request
        Of a :class:`LineMover`.
    done : Out(1)
        The last beat of a command is written: accesses of the next cycle read it.
    in_valid : In(1)
        A beat is offered.
    in_ready : Out(1)
        A beat that is offered is taken.
    in_data : In(shape.beat_bits)
        The beat.
    loads_valid : Out(1)
        A beat is to be written, until it is.
    loads_ready : In(1)
        It is, if it is to be.
    loads_line : Out(range(shape.lines))
        The line that it is of.
    loads_beat : Out(range(shape.beats_per_line))
        Which beat of that it is.
    loads_data : Out(shape.beat_bits)
        The beat.
    encoded : Out(1)
        In memory what is taken next is stored pairs, which come as bytes here nevertheless. Only
        with ``encoding``.
    """

    def __init__(
        self, shape: ScratchpadShape, address_bits: int, encoding: LineEncoding | None = None
    ):
        super().__init__(
            shape,
            address_bits,
            {
                "done": Out(1),
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(shape.beat_bits),
                "loads_valid": Out(1),
                "loads_ready": In(1),
                "loads_line": Out(range(shape.lines)),
                "loads_beat": Out(range(shape.beats_per_line)),
                "loads_data": Out(shape.beat_bits),
                **({"encoded": Out(1)} if encoding else {}),
            },
            encoding,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        walk = place_walk(m, platform, self)

        beat = Signal(range(self.shape.beats_per_line))
        goes = Signal()
        m.d.comb += [
            self.loads_valid.eq(self.in_valid & walk.line_valid),
            self.in_ready.eq(self.loads_ready & walk.line_valid),
            self.loads_line.eq(walk.line),
            self.loads_beat.eq(beat),
            self.loads_data.eq(self.in_data),
            goes.eq(self.loads_valid & self.loads_ready),
            walk.line_ready.eq(goes & (beat == self.shape.beats_per_line - 1)),
            self.done.eq(walk.line_ready & walk.line_last),
        ]
        if self.encoding:
            m.d.comb += self.encoded.eq(walk.line_encoded)
        # Beats of a line are a power of two: behind the last one comes 0.
        m.d.sync += beat.eq(beat + goes)
        return m
