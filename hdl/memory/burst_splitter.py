"""Bursts of a request."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hdl.bus.axi4 import LENGTH_BITS, Axi4Bus
from hdl.memory.transfer import BEAT_COUNT_BITS, burst_layout, transfer_layout
from hdl.placement import Component


class BurstSplitter(Component):
    """Cuts a request into bursts that end where the next multiple of the longest one begins.

    So each is as long as it can be but for the first and the last one, and none goes on beyond a
    multiple of 4 KiB. Addresses go on with 0 behind the last one.

    The first burst is offered in the cycle after the request was taken, the next one in the cycle
    after it was taken. The next request is taken with the last burst.

    Parameters
    ----------
    bus : Axi4Bus

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
    """

    def __init__(self, bus: Axi4Bus):
        self.bus = bus
        super().__init__(
            {
                "request_valid": In(1),
                "request_ready": Out(1),
                "request": In(transfer_layout(bus.address_bits)),
                "burst_valid": Out(1),
                "burst_ready": In(1),
                "burst": Out(burst_layout(bus.address_bits)),
            }
        )

    @property
    def module_name(self) -> str:
        return f"burst_splitter_{self.bus.max_burst}_beats_of_{self.bus.data_bits}b"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # An address: bytes of a beat, beats of a block, blocks of as many bytes as a long burst.
        beat_bits = self.bus.size
        block_bits = self.bus.max_burst.bit_length() - 1
        first = Signal(block_bits, reset_less=True)
        block = Signal(self.bus.address_bits - beat_bits - block_bits, reset_less=True)
        rest = Signal(BEAT_COUNT_BITS, reset_less=True)  # beats that are left, but one

        # Up to the end of the block, or of the request.
        to_end = Signal(LENGTH_BITS)
        m.d.comb += [
            to_end.eq(Const(self.bus.max_burst - 1, LENGTH_BITS) ^ first),
            self.burst.address.eq(Cat(Const(0, beat_bits), first, block)),
            self.burst.last.eq(rest <= to_end),
            self.burst.length.eq(Mux(self.burst.last, rest, to_end)),
        ]
        with m.If(self.burst_valid & self.burst_ready):
            m.d.sync += [
                self.burst_valid.eq(~self.burst.last),
                rest.eq(rest - to_end - 1),
                first.eq(0),
                block.eq(block + 1),
            ]

        # The next one.
        request = self.request
        m.d.comb += self.request_ready.eq(~self.burst_valid | (self.burst_ready & self.burst.last))
        with m.If(self.request_valid & self.request_ready):
            m.d.sync += [
                self.burst_valid.eq(1),
                rest.eq(request.beats - 1),
                Cat(first, block).eq(request.address[beat_bits:]),
            ]
        return m
