"""What one destination of an AXI4 master reads: never more than it has room for."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hdl.bus.axi4 import Axi4Bus
from hdl.memory.burst_splitter import BurstSplitter
from hdl.memory.transfer import burst_layout, transfer_layout
from hdl.placement import Component, place
from hdl.stream.stream import Stream
from hdl.stream.stream_fifo import GAPLESS_DEPTH, StreamFifo


def check_depth(name: str, depth: object, bus: Axi4Bus) -> None:
    """Raise ``ValueError`` in one line if a queue of beats could not hold the longest burst."""
    least = max(bus.max_burst, GAPLESS_DEPTH)
    if type(depth) is not int or depth < least:
        raise ValueError(
            f"{name} must be an integer from {least} with bursts of {bus.max_burst}, not {depth!r}"
        )


class ReadQueue(Component):
    """Turns requests into bursts, and holds the beats that they bring.

    A burst is offered only while there is room for all of its beats, beside those that are held and
    those that are to come: so a beat is taken whenever it comes.

    The first burst of a request is offered in the cycle after that was taken, or when there is
    room; a beat is offered two cycles after it came, or after the one before it.

    Parameters
    ----------
    bus : Axi4Bus
    depth : int
        Beats that it holds: at least those of the longest burst, and 3.

    Raises ``ValueError`` for a depth that is too small.

    Members
    -------
    request_valid : In(1)
        A request is offered.
    request_ready : Out(1)
        A request that is offered is taken.
    request : In(transfer_layout(bus.address_bits))
        The request.
    burst_valid : Out(1)
        A burst is offered, until it is taken.
    burst_ready : In(1)
        A burst that is offered is taken.
    burst : Out(burst_layout(bus.address_bits))
        The burst.
    beat_valid : In(1)
        A beat comes: one that was asked for.
    beat_data : In(bus.data_bits)
        The beat.
    out_valid : Out(1)
        A beat is offered, until it is taken.
    out_ready : In(1)
        A beat that is offered is taken.
    out_data : Out(bus.data_bits)
        The beat.
    """

    def __init__(self, bus: Axi4Bus, depth: int):
        self.bus = bus
        self.depth = depth
        check_depth("depth", depth, bus)
        super().__init__(
            {
                "request_valid": In(1),
                "request_ready": Out(1),
                "request": In(transfer_layout(bus.address_bits)),
                "burst_valid": Out(1),
                "burst_ready": In(1),
                "burst": Out(burst_layout(bus.address_bits)),
                "beat_valid": In(1),
                "beat_data": In(bus.data_bits),
                "out_valid": Out(1),
                "out_ready": In(1),
                "out_data": Out(bus.data_bits),
            }
        )

    @property
    def module_name(self) -> str:
        return f"read_queue_{self.bus.data_bits}b_by_{self.depth}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Bursts, as far as there is room.
        splitter = BurstSplitter(self.bus)
        place(m, platform, "splitter", splitter)
        room = Signal(range(self.depth + 1), init=self.depth)
        has_room = Signal()
        m.d.comb += [
            splitter.request_valid.eq(self.request_valid),
            splitter.request.eq(self.request),
            self.request_ready.eq(splitter.request_ready),
            has_room.eq(splitter.burst.length < room),
            self.burst_valid.eq(splitter.burst_valid & has_room),
            self.burst.eq(splitter.burst),
            splitter.burst_ready.eq(self.burst_ready & has_room),
        ]

        # What they bring.
        queue = StreamFifo(self.bus.data_bits, self.depth)
        place(m, platform, "queue", queue)
        m.d.comb += [
            queue.in_valid.eq(self.beat_valid),
            queue.in_data.eq(self.beat_data),
        ]
        Stream.of(queue, "out_").feed(m, Stream.of(self, "out_"))
        promised = Mux(self.burst_valid & self.burst_ready, self.burst.length + 1, 0)
        m.d.sync += room.eq(room - promised + queue.given)
        return m
