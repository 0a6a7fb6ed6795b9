"""A queue of words."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.fifo import SyncFIFOBuffered

from hdl.stream.stream_stage import StreamStage

GAPLESS_DEPTH = 3
"""Of a queue that takes words as long as there is room."""


class StreamFifo(StreamStage):
    """Holds up to ``depth`` words between two streams; a memory that is read synchronously.

    A word that is taken while the queue is empty is offered two cycles later. A queue of
    :data:`GAPLESS_DEPTH` words or more takes a word in every cycle in which it holds fewer than
    ``depth``; one of two words only where it holds none, or only the one that is offered.

    Parameters
    ----------
    width : int
    depth : int, from 2

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    """

    def __init__(self, width: int, depth: int):
        self.width = width
        self.depth = depth
        super().__init__(width, width)

    @property
    def module_name(self) -> str:
        return f"fifo_{self.width}b_by_{self.depth}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=self.width, depth=self.depth)
        m.d.comb += [
            fifo.w_en.eq(self.in_valid),
            fifo.w_data.eq(self.in_data),
            self.in_ready.eq(fifo.w_rdy),
            self.out_valid.eq(fifo.r_rdy),
            self.out_data.eq(fifo.r_data),
            fifo.r_en.eq(self.out_ready),
        ]
        return m
