"""Parts of the accelerator with what they are given: for their tests in every simulator."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from hdl.accelerator.layouts import EVENT_BITS, WAITS_BITS
from hdl.accelerator.vector_lane import VectorLane
from hdl.accelerator.waits import have_ended
from hdl.placement import Component
from sim_tb.hdl.part_case import PartCase, Random
from sim_tb.oracle.accelerator_parts import COUNTS, EndedModel, VectorLaneModel
from sim_tb.oracle.cycles import Agent, Script, Word


class Ended(Component):
    """Whether all that is waited for has ended, a cycle later."""

    def __init__(self) -> None:
        ended = {f"ended_{index}": In(EVENT_BITS) for index in range(COUNTS)}
        super().__init__({"waits": In(WAITS_BITS), **ended, "have_ended": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ended = [getattr(self, f"ended_{index}") for index in range(COUNTS)]
        m.d.sync += self.have_ended.eq(have_ended(self.waits, ended))
        return m


def waits() -> PartCase:
    """All others have ended, so that each count is seen: just so, or by half of the way around."""

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        around = 1 << EVENT_BITS
        near = (0, 1, -1, around // 2 - 1, around // 2)
        found = []
        for number in range(300):
            ended = [rng.randrange(around) for _ in range(COUNTS)]
            ahead = [rng.choice((0, 1, rng.randrange(around // 2))) for _ in range(COUNTS)]
            power = rng.choice((1, -1)) << rng.randrange(EVENT_BITS - 1)
            ahead[number % COUNTS] = rng.choice((*near, power, power - 1))
            waited = [(own - more) % around for own, more in zip(ended, ahead, strict=True)]
            packed = sum(own << EVENT_BITS * index for index, own in enumerate(waited))
            counts = {f"ended_{index}": own for index, own in enumerate(ended)}
            found.append({"waits": packed, **counts})
        return [Script(found)]

    return PartCase(Ended, EndedModel, agents)


def vector_lane(multiplies: bool = True) -> PartCase:
    """Sums of every kind, one after the other, idle cycles in between.

    With a multiplier two of them wrap.
    """
    lengths = {"sum": 9, "maximum": 6} | ({"product": 2} if multiplies else {})

    def operands(rng: Random, kind: str, count: int, end: int) -> list[Word]:
        found = []
        for place in range(count):
            operand, weight = rng.randint(-255, 255), rng.randrange(-(1 << 15), 1 << 15)
            if end or rng.random() < 0.2:
                operand, weight = (end or rng.choice((1, -1))) * 255, -(1 << 15) + (not multiplies)
            modes = {name: int(name == kind) for name in ("product", "maximum")}
            values = {"operand": operand, "weight": weight, "first": int(place == 0)}
            found.append({"enable": 1, **values, **modes})
        return found

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        found: list[Word] = []
        wraps = {20: 1, 50: -1}
        for number in range(80):
            kind = rng.choice(list(lengths))
            count = 2 if kind == "product" else rng.randint(1, lengths[kind])
            end = wraps.get(number, 0)
            if end:
                kind, count = "sum", 300
            for word in operands(rng, kind, count, end):
                while rng.random() < min(before, 0.5):
                    other = {name: rng.getrandbits(1) for name in ("first", "product", "maximum")}
                    found.append({**word, **other, "enable": 0})
                found.append(word)
        return [Script(found)]

    return PartCase(lambda: VectorLane(multiplies), lambda: VectorLaneModel(multiplies), agents)


def accelerator_cases() -> dict[str, PartCase]:
    """All of them, by name."""
    return {
        "waits": waits(),
        "vector_lane": vector_lane(),
        "vector_lane_of_bits": vector_lane(multiplies=False),
    }
