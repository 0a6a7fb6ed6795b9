"""Words cut into narrower ones."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.stream.stream_stage import StreamStage


class Downsizer(StreamStage):
    """Cuts each word of a stream into ``beats`` words, that of the lowest bits first.

    Combinational: the word must be offered until its last part is taken, and is taken with it.

    Parameters
    ----------
    width : int
        Bits of a word that goes out.
    beats : int, from 2

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    in_last : In(1)
        The word is the last one of its packet.
    out_last : Out(1)
        The part is the last one of its packet.
    """

    def __init__(self, width: int, beats: int):
        self.width = width
        self.beats = beats
        super().__init__(width * beats, width, {"in_last": In(1), "out_last": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat = Signal(range(self.beats))
        is_last = beat == self.beats - 1
        m.d.comb += [
            self.in_ready.eq(self.out_ready & is_last),
            self.out_valid.eq(self.in_valid),
            self.out_data.eq(self.in_data.word_select(beat, self.width)),
            self.out_last.eq(self.in_last & is_last),
        ]
        with m.If(self.given):
            m.d.sync += beat.eq(beat + 1)
            with m.If(is_last):
                m.d.sync += beat.eq(0)
        return m
