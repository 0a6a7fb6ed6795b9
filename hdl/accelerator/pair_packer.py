"""From beats of a scratchpad to those of memory, of which some are stored pairs."""

from typing import Any

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import In

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.engine.result_encoder import ResultEncoder
from hdl.memory.line_encoding import LineEncoding
from hdl.placement import place
from hdl.stream.gearbox import Gearbox
from hdl.stream.stream_stage import StreamStage


class PairPacker(StreamStage):
    """Lets beats of bytes through, or makes stored pairs of them, which leave as beats, too.

    Pairs follow each other without gaps, the first one low. A beat of them leaves in the cycle in
    which the bytes of its last pair are offered.

    Parameters
    ----------
    fmt : SparqFormat
    encoding : LineEncoding
        Of beats that hold whole groups of the format.

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`, both of a beat.
    encoded : In(1)
        What comes leaves as stored pairs; all of a transfer does, and that is whole beats.
    """

    def __init__(self, fmt: SparqFormat, encoding: LineEncoding):
        self.fmt = fmt
        self.encoding = encoding
        bits = encoding.shape.beat_bits
        super().__init__(bits, bits, {"encoded": In(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.encoding.shape.beat_bits
        encoder = ResultEncoder(self.fmt, bits // ACTIVATION_BITS)
        gearbox = Gearbox(self.encoding.beat_bits, bits)
        place(m, platform, "encoder", encoder)
        place(m, platform, "gearbox", gearbox)
        m.d.comb += [
            encoder.results.eq(self.in_data),
            gearbox.in_valid.eq(self.in_valid & self.encoded),
            gearbox.in_data.eq(encoder.pairs),
            gearbox.out_ready.eq(self.out_ready),
            self.in_ready.eq(Mux(self.encoded, gearbox.in_ready, self.out_ready)),
            self.out_valid.eq(Mux(self.encoded, gearbox.out_valid, self.in_valid)),
            self.out_data.eq(Mux(self.encoded, gearbox.out_data, self.in_data)),
        ]
        return m
