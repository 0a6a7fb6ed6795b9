"""A register between two streams."""

from typing import Any

from amaranth.hdl import Module, Signal

from hdl.stream.stream_stage import StreamStage


class StreamRegister(StreamStage):
    """Cuts every combinational path between two streams; a word per cycle passes.

    It holds two words: the one that is offered, and the one that came in the cycle in which the
    first was not taken. Latency: 1 cycle.

    Parameters
    ----------
    width : int

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    """

    def __init__(self, width: int):
        self.width = width
        super().__init__(width, width)

    @property
    def module_name(self) -> str:
        return f"stream_register_{self.width}b"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spare = Signal(self.width, reset_less=True)
        spare_valid = Signal()
        offered = Signal(self.width, name="offered", reset_less=True)
        offered_valid = Signal()
        m.d.comb += [
            self.in_ready.eq(~spare_valid),
            self.out_valid.eq(offered_valid),
            self.out_data.eq(offered),
        ]
        with m.If(~offered_valid | self.out_ready):
            with m.If(spare_valid):
                m.d.sync += offered.eq(spare)
            with m.Else():
                m.d.sync += offered.eq(self.in_data)
            m.d.sync += [offered_valid.eq(self.in_valid | spare_valid), spare_valid.eq(0)]
        with m.Elif(self.in_valid & ~spare_valid):
            m.d.sync += [spare.eq(self.in_data), spare_valid.eq(1)]
        return m
