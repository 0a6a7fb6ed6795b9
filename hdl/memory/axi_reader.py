"""An AXI4 master that reads for several destinations."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.bus.axi4 import Axi4Bus, axi4_meanings, axi4_read_members, has_failed
from hdl.memory.read_queue import ReadQueue, check_depth
from hdl.memory.transfer import transfer_layout
from hdl.placement import Component, place
from hdl.stream.stream import Stream
from hdl.stream.stream_fifo import StreamFifo

MEMORY = "m_axi_memory"
"""Prefix of the ports."""


class AxiReader(Component):
    """Reads what its destinations ask for, in bursts, several of which are under way.

    Each destination has a queue (:class:`ReadQueue`), and a burst goes only if that has room for
    all of it: the bus never waits for a destination, and none waits for what another one has not
    taken. Of those that have a burst to go, the one named first wins: it holds the others up as
    long as it takes beats as fast as they come, and no longer. The beats of a destination come in
    the order of its requests.

    Where nothing waits, a request is taken in cycle 0, its first burst is offered on the bus in
    cycle 2, one burst per cycle; a beat is offered to its destination two cycles after it came.

    A response that tells of an error is reported, and its beat delivered like any other. While
    ``stop`` is 1 no burst is begun, and those that are under way come to their ends: when ``busy``
    is 0 as well, nothing is left on the bus, and the reader may be reset by itself.

    Parameters
    ----------
    bus : Axi4Bus
    destinations : mapping
        Of each name the depth of its queue in beats; the more urgent one first.
    outstanding : int, from 2
        Bursts that may be under way.

    Raises ``ValueError`` for a depth or a number of bursts that is too small.

    Members
    -------
    NAME_request_valid : In(1)
        A request is offered.
    NAME_request_ready : Out(1)
        A request that is offered is taken.
    NAME_request : In(transfer_layout(bus.address_bits))
        The request.
    NAME_valid : Out(1)
        A beat is offered, until it is taken.
    NAME_ready : In(1)
        A beat that is offered is taken.
    NAME_data : Out(bus.data_bits)
        The beat.
    stop : In(1)
        No burst is begun.
    busy : Out(1)
        A burst is under way.
    error : Out(1)
        A beat comes in this cycle with a response that tells of an error.
    PREFIX_araddr, and so on
        The channels AR and R of the AXI4 master.
    """

    def __init__(self, bus: Axi4Bus, destinations: Mapping[str, int], outstanding: int = 8):
        self.bus = bus
        self.outstanding = outstanding
        if type(outstanding) is not int or outstanding < 2:
            raise ValueError(f"outstanding must be an integer from 2, not {outstanding!r}")
        self.destinations = dict(destinations)
        members: dict[str, Any] = {}
        for name, depth in destinations.items():
            check_depth(f"depth of {name}", depth, bus)
            members |= {
                f"{name}_request_valid": In(1),
                f"{name}_request_ready": Out(1),
                f"{name}_request": In(transfer_layout(bus.address_bits)),
                f"{name}_valid": Out(1),
                f"{name}_ready": In(1),
                f"{name}_data": Out(bus.data_bits),
            }
        members |= {"stop": In(1), "busy": Out(1), "error": Out(1)}
        super().__init__({**members, **axi4_read_members(bus, MEMORY)})

    @property
    def port_meanings(self) -> dict[str, str]:
        """What the ports of the bus are."""
        return axi4_meanings(self.bus, MEMORY)

    def _axi(self, name: str) -> Any:
        return getattr(self, f"{MEMORY}_{name}")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        queues = [ReadQueue(self.bus, depth) for depth in self.destinations.values()]
        for name, queue in zip(self.destinations, queues, strict=True):
            place(m, platform, f"{name}_queue", queue)
            m.d.comb += [
                queue.request_valid.eq(getattr(self, f"{name}_request_valid")),
                queue.request.eq(getattr(self, f"{name}_request")),
                getattr(self, f"{name}_request_ready").eq(queue.request_ready),
            ]
            Stream.of(queue, "out_").feed(m, Stream.of(self, f"{name}_"))

        # Of bursts under way, the destinations, in order.
        order = StreamFifo(max(1, (len(queues) - 1).bit_length()), self.outstanding)
        place(m, platform, "order", order)
        self._ask(m, queues, order)
        self._deliver(m, queues, order)
        m.d.comb += self.busy.eq(self._axi("arvalid") | order.out_valid)
        return m

    def _ask(self, m: Module, queues: Sequence[ReadQueue], order: StreamFifo) -> None:
        """The first queue that has a burst to go lets it go, if the bus can take one."""
        valid = Signal(name="ar_valid")
        address = Signal(self.bus.address_bits, name="ar_address", reset_less=True)
        length = Signal(len(self._axi("arlen")), name="ar_length", reset_less=True)
        m.d.comb += [
            self._axi("arvalid").eq(valid),
            self._axi("araddr").eq(address),
            self._axi("arlen").eq(length),
        ]
        may_go = Signal()
        m.d.comb += may_go.eq(~self.stop & order.in_ready & (~valid | self._axi("arready")))
        with m.If(self._axi("arready")):
            m.d.sync += valid.eq(0)
        is_free: Any = may_go
        for number, queue in enumerate(queues):
            m.d.comb += queue.burst_ready.eq(is_free)
            is_free &= ~queue.burst_valid
            with m.If(queue.burst_valid & queue.burst_ready):
                m.d.comb += [order.in_valid.eq(1), order.in_data.eq(number)]
                m.d.sync += [
                    valid.eq(1),
                    address.eq(queue.burst.address),
                    length.eq(queue.burst.length),
                ]

    def _deliver(self, m: Module, queues: Sequence[ReadQueue], order: StreamFifo) -> None:
        """Beats go to the destination of the oldest burst, up to its last one."""
        comes = Signal()
        m.d.comb += [
            self._axi("rready").eq(order.out_valid),
            comes.eq(self._axi("rvalid") & order.out_valid),
            order.out_ready.eq(comes & self._axi("rlast")),
            self.error.eq(comes & has_failed(self._axi("rresp"))),
        ]
        for number, queue in enumerate(queues):
            m.d.comb += [
                queue.beat_valid.eq(comes & (order.out_data == number)),
                queue.beat_data.eq(self._axi("rdata")),
            ]
