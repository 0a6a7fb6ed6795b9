"""An AXI4 master that writes a stream."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hdl.bus.axi4 import Axi4Bus, axi4_meanings, axi4_write_members, has_failed
from hdl.memory.axi_reader import MEMORY
from hdl.memory.burst_splitter import BurstSplitter
from hdl.memory.read_queue import check_depth
from hdl.memory.transfer import transfer_layout
from hdl.placement import Component, place
from hdl.stream.stream import Stream
from hdl.stream.stream_fifo import StreamFifo


class AxiWriter(Component):
    """Writes the beats of a stream where requests say, in bursts, several of which are under way.

    A burst goes only when all its beats are there: the bus never waits for them, and they leave in
    successive cycles as far as the bus takes them. Requests take their beats one after the other;
    ``done`` comes, once for each and in their order, with the response of its last burst. (All its
    others have come by then: of one ID they come in order.)

    Where nothing waits, the first burst is offered two cycles after the later one of its request
    and its last beat was taken, its first beat in the same cycle, and the others follow without a
    gap.

    A response that tells of an error is reported, not after ``done``. While ``stop`` is 1 no burst
    is begun, and those that are under way come to their ends: when ``busy`` is 0 as well, nothing
    is left on the bus, and the writer may be reset by itself.

    Parameters
    ----------
    bus : Axi4Bus
    depth : int
        Beats that wait: at least those of the longest burst, and 3; twice as many let one burst be
        gathered while another one goes.
    outstanding : int, from 2
        Bursts that may be under way.

    Raises ``ValueError`` for a depth or a number of bursts that is too small.

    Members
    -------
    request_valid : In(1)
        A request is offered.
    request_ready : Out(1)
        A request that is offered is taken.
    request : In(transfer_layout(bus.address_bits))
        The request.
    in_valid : In(1)
        A beat is offered.
    in_ready : Out(1)
        A beat that is offered is taken.
    in_data : In(bus.data_bits)
        The beat.
    stop : In(1)
        No burst is begun.
    busy : Out(1)
        A burst is under way.
    done : Out(1)
        The last response of a request comes in this cycle: all its beats have been written.
    error : Out(1)
        A response that tells of an error comes in this cycle.
    PREFIX_awaddr, and so on
        The channels AW, W and B of the AXI4 master.
    """

    def __init__(self, bus: Axi4Bus, depth: int, outstanding: int = 8):
        self.bus = bus
        self.depth = depth
        self.outstanding = outstanding
        check_depth("depth", depth, bus)
        if type(outstanding) is not int or outstanding < 2:
            raise ValueError(f"outstanding must be an integer from 2, not {outstanding!r}")
        super().__init__(
            {
                "request_valid": In(1),
                "request_ready": Out(1),
                "request": In(transfer_layout(bus.address_bits)),
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(bus.data_bits),
                "stop": In(1),
                "busy": Out(1),
                "done": Out(1),
                "error": Out(1),
                **axi4_write_members(bus, MEMORY),
            }
        )

    @property
    def port_meanings(self) -> dict[str, str]:
        """What the ports of the bus are."""
        return axi4_meanings(self.bus, MEMORY)

    def _axi(self, name: str) -> Any:
        return getattr(self, f"{MEMORY}_{name}")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        splitter = BurstSplitter(self.bus)
        queue = StreamFifo(self.bus.data_bits, self.depth)
        order = StreamFifo(1, self.outstanding)  # of bursts under way, whether they end a request
        for name, part in (("splitter", splitter), ("queue", queue), ("order", order)):
            place(m, platform, name, part)
        m.d.comb += [
            splitter.request_valid.eq(self.request_valid),
            splitter.request.eq(self.request),
            self.request_ready.eq(splitter.request_ready),
        ]
        Stream.of(self, "in_").feed(m, Stream.of(queue, "in_"))

        # A burst goes if its beats are there, and the ones of the burst before have left.
        burst = splitter.burst
        held = Signal(range(self.depth + 1))  # beats that belong to no burst that goes
        address_valid = Signal()
        beats_valid = Signal()
        ends = Signal()
        goes = Signal()
        m.d.comb += [
            goes.eq(
                splitter.burst_valid
                & (burst.length < held)
                & order.in_ready
                & ~self.stop
                & (~address_valid | self._axi("awready"))
                & (~beats_valid | ends)
            ),
            splitter.burst_ready.eq(goes),
            order.in_valid.eq(goes),
            order.in_data.eq(burst.last),
        ]
        m.d.sync += held.eq(held + queue.taken - Mux(goes, burst.length + 1, 0))

        # Its address, and beat after beat.
        address = Signal(self.bus.address_bits, reset_less=True)
        length, rest = (
            Signal(burst.length.shape(), name=name, reset_less=True) for name in ("length", "rest")
        )
        m.d.comb += [
            self._axi("awvalid").eq(address_valid),
            self._axi("awaddr").eq(address),
            self._axi("awlen").eq(length),
            self._axi("wvalid").eq(beats_valid),
            self._axi("wdata").eq(queue.out_data),
            self._axi("wlast").eq(rest == 0),
            queue.out_ready.eq(beats_valid & self._axi("wready")),
            ends.eq(queue.out_ready & self._axi("wlast")),
        ]
        with m.If(self._axi("awready")):
            m.d.sync += address_valid.eq(0)
        with m.If(queue.out_ready):
            m.d.sync += [rest.eq(rest - 1), beats_valid.eq(~self._axi("wlast"))]
        with m.If(goes):
            m.d.sync += [
                address_valid.eq(1),
                beats_valid.eq(1),
                address.eq(burst.address),
                length.eq(burst.length),
                rest.eq(burst.length),
            ]

        # Responses come in the order of the bursts.
        answered = Signal()
        m.d.comb += [
            self._axi("bready").eq(order.out_valid),
            answered.eq(self._axi("bvalid") & order.out_valid),
            order.out_ready.eq(answered),
            self.done.eq(answered & order.out_data),
            self.error.eq(answered & has_failed(self._axi("bresp"))),
            self.busy.eq(address_valid | order.out_valid),
        ]
        return m
