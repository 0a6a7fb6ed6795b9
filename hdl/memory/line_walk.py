"""The lines of commands, one after the other."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hdl.memory.line_encoding import LineEncoding
from hdl.memory.line_mover import LineMover
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.placement import place
from hdl.stream.stream_fifo import GAPLESS_DEPTH, StreamFifo

COMMANDS_AHEAD = GAPLESS_DEPTH
"""Commands whose beats may be asked for before their lines are done."""


class LineWalk(LineMover):
    """Says which lines are to be moved.

    The first line of a command is offered two cycles after the command was taken, the next one in
    the cycle after it was taken.

    Parameters
    ----------
    shape : ScratchpadShape
    address_bits : int
    encoding : LineEncoding, optional

    Members
    -------
    command_valid, command_ready, command, request_valid, request_ready, request
        Of a :class:`LineMover`.
    line_valid : Out(1)
        A line is offered, until it is taken.
    line_ready : In(1)
        A line that is offered is taken.
    line : Out(range(shape.lines))
        The line.
    line_last : Out(1)
        It is the last one of its command.
    line_encoded : Out(1)
        In memory it is stored pairs. Only with ``encoding``.
    """

    def __init__(
        self, shape: ScratchpadShape, address_bits: int, encoding: LineEncoding | None = None
    ):
        ports = {"line_valid": Out(1), "line_ready": In(1), "line_last": Out(1)}
        ports |= {"line": Out(range(shape.lines))}
        ports |= {"line_encoded": Out(1)} if encoding else {}
        super().__init__(shape, address_bits, ports, encoding)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = self.command
        about = Cat(command.line, command.lines)
        beats = command.lines * self.shape.beats_per_line
        if self.encoding:
            about = Cat(about, command.encoded)
            beats = Mux(command.encoded, self.encoding.beats(command.lines), beats)
        waiting = StreamFifo(len(about), COMMANDS_AHEAD)
        place(m, platform, "waiting", waiting)
        m.d.comb += [
            self.request_valid.eq(self.command_valid & waiting.in_ready),
            self.request.address.eq(command.address),
            self.request.beats.eq(beats),
            waiting.in_valid.eq(self.command_valid & self.request_ready),
            waiting.in_data.eq(about),
            self.command_ready.eq(waiting.in_ready & self.request_ready),
        ]

        first = waiting.out_data[: len(command.line)]
        lines = waiting.out_data[len(command.line) :][: len(command.lines)]
        number = Signal(len(command.lines), init=1)
        m.d.comb += [
            self.line_valid.eq(waiting.out_valid),
            self.line.eq(first + number - 1),
            self.line_last.eq(number == lines),
            waiting.out_ready.eq(self.line_ready & self.line_last),
        ]
        if self.encoding:
            m.d.comb += self.line_encoded.eq(waiting.out_data[-1])
        with m.If(self.line_valid & self.line_ready):
            m.d.sync += number.eq(number + 1)
            with m.If(self.line_last):
                m.d.sync += number.eq(1)
        return m


def place_walk(m: Module, platform: Any, mover: LineMover) -> LineWalk:
    """What takes the commands of ``mover`` in its place, and says which lines are to be moved."""
    walk = LineWalk(mover.shape, mover.address_bits, mover.encoding)
    place(m, platform, "walk", walk)
    m.d.comb += [
        walk.command_valid.eq(mover.command_valid),
        walk.command.eq(mover.command),
        mover.command_ready.eq(walk.command_ready),
        mover.request_valid.eq(walk.request_valid),
        mover.request.eq(walk.request),
        walk.request_ready.eq(mover.request_ready),
    ]
    return walk
