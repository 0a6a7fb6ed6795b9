"""Counters that are frozen and cleared together."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.bus.register_map import Access, Field, Register
from hdl.placement import Component

COUNTER_BITS = 64


def counter_registers(counters: Mapping[str, str], offset: int) -> list[Register]:
    """Two registers for each of ``counters``, from ``offset`` on: the low half of its count, then
    the high one. By its name, in upper case, each says what it counts.
    """
    registers = []
    for index, (name, counted) in enumerate(counters.items()):
        for half, bits in enumerate(("LOW", "HIGH")):
            field = Field("count", 0, 32, Access.READ, f"{bits.capitalize()} 32 bits of the count.")
            place = offset + 8 * index + 4 * half
            registers.append(Register(f"{name}_{bits}", place, counted, (field,)))
    return registers


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

    def show(self, m: Module, registers: Any) -> None:
        """Give the counts to a register file that has :func:`counter_registers`."""
        for name in self.events:
            value = getattr(self, name)
            m.d.comb += [
                getattr(registers, f"{name}_low_count").eq(value[:32]),
                getattr(registers, f"{name}_high_count").eq(value[32:]),
            ]

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
