"""From beats of memory to those of a scratchpad, of which some are stored pairs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In

from golden.format import SparqFormat
from hdl.accelerator.pair_bytes import PairBytes
from hdl.memory.line_encoding import LineEncoding
from hdl.memory.narrowing_gearbox import NarrowingGearbox
from hdl.placement import place
from hdl.stream.stream_stage import StreamStage


class PairUnpacker(StreamStage):
    """Lets beats of bytes through, and makes such beats of those that are stored pairs.

    Pairs follow each other without gaps, the first one low. A beat of bytes leaves in the cycle in
    which its last pair is offered: of each transfer one in every cycle, if neither side waits.

    Parameters
    ----------
    fmt : SparqFormat
    encoding : LineEncoding

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`, both of a beat.
    encoded : In(1)
        What leaves next comes as stored pairs; all of a transfer does, and that is whole beats.
    """

    def __init__(self, fmt: SparqFormat, encoding: LineEncoding):
        self.fmt = fmt
        self.encoding = encoding
        bits = encoding.shape.beat_bits
        super().__init__(bits, bits, {"encoded": In(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.encoding.shape.beat_bits
        gearbox = NarrowingGearbox(bits, self.encoding.beat_bits)
        place(m, platform, "gearbox", gearbox)
        m.d.comb += [
            gearbox.in_valid.eq(self.in_valid & self.encoded),
            gearbox.in_data.eq(self.in_data),
            gearbox.out_ready.eq(self.out_ready & self.encoded),
        ]
        decoded = Signal(bits)
        for index in range(self.encoding.beat_bits // self.encoding.pair_bits):
            pair = PairBytes(self.fmt)
            place(m, platform, f"pair_{index}", pair)
            m.d.comb += [
                pair.stored.eq(gearbox.out_data.word_select(index, self.encoding.pair_bits)),
                decoded.word_select(index, len(pair.activations)).eq(pair.activations),
            ]
        m.d.comb += [
            self.in_ready.eq(Mux(self.encoded, gearbox.in_ready, self.out_ready)),
            self.out_valid.eq(Mux(self.encoded, gearbox.out_valid, self.in_valid)),
            self.out_data.eq(Mux(self.encoded, decoded, self.in_data)),
        ]
        return m
