"""Components in Amaranth's own simulator, and what tests of them share."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.hdl import Cat, ClockDomain, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

from golden import SparqFormat
from sim_tb.oracle.cycles import Agent, Conversation, Talk

SEED = 20
CUSTOM = (SparqFormat(4, (0, 5)), SparqFormat(8, (0,)), SparqFormat(3, (0, 3, 5)))
"""Formats other than the named ones."""

Word = dict[str, int]
"""Values of ports by name."""


def describe(fmt: SparqFormat) -> str:
    shifts = "_".join(map(str, fmt.shifts))
    mode = ("round" if fmt.rounding else "trim") + ("" if fmt.vsparq else "-novsparq")
    shared = "" if fmt.group == 1 else f"-group{fmt.group}"
    sign = "signed-" if fmt.signed else ""
    return f"{fmt.window_bits}b-s{shifts}-{sign}{mode}{shared}"


def grouped(fmt: SparqFormat, group: int, vsparq: bool = True) -> SparqFormat:
    """``fmt`` with shared windows."""
    return replace(fmt, group=group, vsparq=vsparq)


class Bench:
    """A component between one packed input and one packed output: few signals keep pysim fast."""

    def __init__(self, component: wiring.Component):
        self.ports: dict[bool, list[tuple[str, int]]] = {True: [], False: []}
        signals: dict[bool, list[Any]] = {True: [], False: []}
        for (name,), member, signal in component.signature.flatten(component):
            is_input = member.flow == wiring.In
            self.ports[is_input].append((name, len(Value.cast(signal))))
            signals[is_input].append(Value.cast(signal))
        self.stimulus = Signal(sum(width for _, width in self.ports[True]))
        self.response = Signal(sum(width for _, width in self.ports[False]))
        self.module = Module()
        self.module.domains.sync = self.domain = ClockDomain("sync")
        self.module.submodules.dut = component
        self.module.d.comb += Cat(*signals[True]).eq(self.stimulus)
        self.module.d.comb += self.response.eq(Cat(*signals[False]))

    def pack(self, values: Word) -> int:
        word, offset = 0, 0
        for name, width in self.ports[True]:
            word |= (values.get(name, 0) & ((1 << width) - 1)) << offset
            offset += width
        return word

    def unpack(self, word: int) -> Word:
        values = {}
        for name, width in self.ports[False]:
            values[name] = word & ((1 << width) - 1)
            word >>= width
        return values

    def run(self, inputs: Sequence[Word], clocked: bool) -> list[Word]:
        """The outputs that stand beside each of the inputs, one per cycle where clocked.

        Clocked components are reset where an input has ``rst``.
        """
        words = [self.pack(values) for values in inputs]
        outputs: list[int] = []

        async def testbench(ctx: Any) -> None:
            for word, values in zip(words, inputs, strict=True):
                ctx.set(self.stimulus, word)
                if clocked:
                    ctx.set(self.domain.rst, values.get("rst", 0))
                outputs.append(ctx.get(self.response))
                if clocked:
                    await ctx.tick()

        simulator = Simulator(self.module)
        if clocked:
            simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.run()
        return [self.unpack(word) for word in outputs]

    def converse(self, agents: Sequence[Agent], rng: random.Random) -> list[Word]:
        """All ports in each cycle, until no agent has more to do, and some cycles more."""
        talk = Talk(agents, rng)

        async def testbench(ctx: Any) -> None:
            while not talk.is_over:
                ctx.set(self.stimulus, self.pack(talk.inputs()))
                talk.observe(self.unpack(ctx.get(self.response)))
                await ctx.tick()

        simulator = Simulator(self.module)
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.run()
        return talk.cycles

    def hold(self, conversation: Conversation) -> list[Word]:
        """All ports in each cycle of a conversation."""
        return self.converse(conversation.agents, random.Random(conversation.seed))


def respond(component: wiring.Component, inputs: Sequence[Word]) -> list[Word]:
    """Outputs of a combinational component."""
    return Bench(component).run(inputs, clocked=False)


def clock(component: wiring.Component, inputs: Sequence[Word]) -> list[Word]:
    """Outputs of a clocked component in the cycle of each input."""
    return Bench(component).run(inputs, clocked=True)


def pack(values: Any, width: int) -> int:
    """Integers as one word, the first low."""
    mask = (1 << width) - 1
    return sum((int(value) & mask) << (width * i) for i, value in enumerate(np.ravel(values)))


def signed(value: int, width: int) -> int:
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value
