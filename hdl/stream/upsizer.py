"""Words put together of narrower ones."""

from typing import Any

from amaranth.hdl import Module, Signal

from hdl.stream.stream_stage import StreamStage


class Upsizer(StreamStage):
    """Puts ``beats`` words of a stream, the first in the lowest bits, together to one word.

    The last of them passes through: the word is offered in the cycle in which it is, and taken with
    it. So no cycle is lost, and nothing is held back.

    Parameters
    ----------
    width : int
        Bits of a word that comes in.
    beats : int, from 2

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    """

    def __init__(self, width: int, beats: int):
        self.width = width
        self.beats = beats
        super().__init__(width, width * beats)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat = Signal(range(self.beats))
        held = Signal(self.width * (self.beats - 1), reset_less=True)
        is_last = beat == self.beats - 1
        m.d.comb += [
            self.in_ready.eq(self.out_ready | ~is_last),
            self.out_valid.eq(self.in_valid & is_last),
            self.out_data[: len(held)].eq(held),
            self.out_data[len(held) :].eq(self.in_data),
        ]
        with m.If(self.taken):
            m.d.sync += beat.eq(beat + 1)
            with m.If(is_last):
                m.d.sync += beat.eq(0)
            with m.Else():
                m.d.sync += held.word_select(beat, self.width).eq(self.in_data)
        return m
