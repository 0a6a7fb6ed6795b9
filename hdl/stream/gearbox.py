"""Words of another width, without gaps."""

from math import gcd
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hdl.stream.stream_stage import StreamStage


class Gearbox(StreamStage):
    """Puts the words of a packet one behind the other into wider ones, the first bits low.

    A word leaves in the cycle in which one is offered that fills it; one that fills none is taken
    at once. The end of a packet fills its last word up with zeros. Where the last one that comes
    fills a word and begins another, it is taken with the second of them.

    Parameters
    ----------
    in_width : int
        Bits of a word that comes in.
    out_width : int
        Bits of a word that goes out; more.

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    in_last : In(1)
        The word ends its packet.
    out_last : Out(1)
        The word ends its packet.
    """

    def __init__(self, in_width: int, out_width: int):
        self.in_width = in_width
        self.out_width = out_width
        super().__init__(in_width, out_width, {"in_last": In(1), "out_last": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # All places are multiples of a unit.
        unit = gcd(self.in_width, self.out_width)
        coming, whole = self.in_width // unit, self.out_width // unit
        held = Signal(range(whole))
        rest = Signal(self.out_width - unit, reset_less=True)
        ends = Signal()  # what is held is all that is left of a packet

        # What comes follows what is held.
        bits = Signal(len(rest) + self.in_width)
        comes = Mux(ends, 0, self.in_data)
        with m.Switch(held):
            for count in range(whole):
                with m.Case(count):
                    m.d.comb += bits.eq(Cat(rest[: count * unit], comes))
        total = held + coming
        fills = ends | self.in_last | (total >= whole)
        begins = ~ends & (total > whole)
        m.d.comb += [
            self.out_valid.eq(self.in_valid & fills),
            self.out_data.eq(bits),
            self.out_last.eq(self.in_last & ~begins),
            self.in_ready.eq(~fills | (self.out_ready & ~(self.in_last & begins))),
        ]

        # What does not leave is held.
        with m.If(self.given):
            m.d.sync += [
                held.eq(Mux(begins, total - whole, 0)),
                rest.eq(bits[self.out_width :]),
                ends.eq(self.in_last & begins),
            ]
        with m.Elif(self.taken):
            m.d.sync += [held.eq(total), rest.eq(bits)]
        return m
