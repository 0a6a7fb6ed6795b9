"""A part of the accelerator in the conversations of its tests."""

from collections.abc import Mapping
from random import Random
from typing import Any

import cocotb
from amaranth.lib.wiring import In
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from sim_tb.hdl.conversation_cases import CONVERSATIONS
from sim_tb.oracle.cycles import Talk
from sim_tb.rtl.benches.common import PARAMETERS, record, where

MOST_ABANDONED = 200
"""Cycles of a conversation that a reset ends."""


async def hold(dut: Any, ports: Mapping[str, bool], talk: Talk, most: float = float("inf")) -> None:
    """All of a conversation, or its first cycles; of each port it is known if it is an input."""
    while not talk.is_over and len(talk.cycles) < most:
        await FallingEdge(dut.clk)
        given = talk.inputs()
        for name, is_input in ports.items():
            if is_input:
                port = getattr(dut, name)
                port.value = given.get(name, 0) % 2 ** len(port)
        dut.rst.value = 0
        await ReadOnly()
        talk.observe({name: int(getattr(dut, name).value) for name in ports if not ports[name]})


async def restart(dut: Any) -> None:
    """One cycle of reset."""
    await FallingEdge(dut.clk)
    dut.rst.value = 1


@cocotb.test()
async def every_conversation(dut: Any) -> None:
    """Each from a reset, which ends it somewhere the first time."""
    Clock(dut.clk, 10, "ns").start()
    case = CONVERSATIONS[PARAMETERS["case"]]
    rng = Random(PARAMETERS["seed"])
    members = case.component().signature.members
    # No port of no bits is emitted.
    ports = {name: own.flow == In for name, own in members.items() if hasattr(dut, name)}
    pairs = zip(case.conversations(), case.conversations(), strict=True)
    for place, (abandoned, own) in enumerate(pairs):
        await restart(dut)
        await hold(dut, ports, abandoned.talk(), rng.randrange(MOST_ABANDONED))
        await restart(dut)
        talk = own.talk()
        try:
            await hold(dut, ports, talk)
            record(own.check(talk.cycles))
        except AssertionError as error:
            raise AssertionError(where(f"conversation {place}: {error}")) from None
