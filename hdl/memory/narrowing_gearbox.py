"""Words cut into narrower ones, without gaps."""

from math import gcd
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal

from hdl.stream.stream_stage import StreamStage


class NarrowingGearbox(StreamStage):
    """Cuts words, one behind the other, into narrower ones, the first bits low.

    A word leaves in the cycle in which one is offered that completes it, or at once where a whole
    one is held. What is held after the last one stays until more comes.

    Parameters
    ----------
    in_width : int
        Bits of a word that comes in.
    out_width : int
        Bits of a word that goes out; fewer.

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    """

    def __init__(self, in_width: int, out_width: int):
        self.in_width = in_width
        self.out_width = out_width
        super().__init__(in_width, out_width)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # All places are multiples of a unit.
        unit = gcd(self.in_width, self.out_width)
        coming, part = self.in_width // unit, self.out_width // unit
        held = Signal(range(coming))
        rest = Signal(self.in_width - unit, reset_less=True)

        # What comes follows what is held, if that is no whole word: then nothing is taken.
        bits = Signal(self.out_width - unit + self.in_width)
        needs = Signal()
        m.d.comb += [needs.eq(held < part), bits.eq(rest)]
        with m.Switch(held):
            for count in range(part):
                with m.Case(count):
                    m.d.comb += bits.eq(Cat(rest[: count * unit], self.in_data))
        m.d.comb += [
            self.out_valid.eq(self.in_valid | ~needs),
            self.out_data.eq(bits),
            self.in_ready.eq(self.out_ready & needs),
        ]

        # What does not leave is held.
        with m.If(self.given):
            m.d.sync += [
                held.eq(held - part + Mux(needs, coming, 0)),
                rest.eq(bits[self.out_width :]),
            ]
        return m
