"""Counters that are frozen and cleared together."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.placement import Component

COUNTER_BITS = 64


class EventCounters(Component):
    """Adds up, in each cycle, how often each of several events happened in the cycle before.

    Parameters
    ----------
    events : mapping
        Of each counter's name, the most events per cycle.

    Members
    -------
    freeze : In(1)
        Nothing is counted.
    clear : In(1)
        All counters are 0 in the next cycle.
    count_NAME : In(range(most + 1))
        How many events happen in this cycle.
    NAME : Out(64)
        The counter.
    """

    def __init__(self, events: Mapping[str, int]):
        self.events = dict(events)
        inputs = {f"count_{name}": In(range(most + 1)) for name, most in events.items()}
        outputs = dict.fromkeys(events, Out(COUNTER_BITS))
        super().__init__({"freeze": In(1), "clear": In(1), **inputs, **outputs})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in self.events:
            happened = getattr(self, f"count_{name}")
            before = Signal(happened.shape(), name=f"{name}_before")
            counter = Signal(COUNTER_BITS, name=f"{name}_counter")
            m.d.sync += before.eq(happened)
            with m.If(self.clear):
                m.d.sync += counter.eq(0)
            with m.Elif(~self.freeze):
                m.d.sync += counter.eq(counter + before)
            m.d.comb += getattr(self, name).eq(counter)
        return m
