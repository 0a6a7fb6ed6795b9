"""Parts of the accelerator with what they are given: for their tests in every simulator."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.accelerator.layouts import EVENT_BITS, PIXEL_BITS, PIXELS, WAITS_BITS
from hdl.accelerator.turner import Turner
from hdl.accelerator.vector_lane import VectorLane
from hdl.accelerator.waits import have_ended
from hdl.placement import Component
from sim_tb.hdl.part_case import PartCase, Random, words
from sim_tb.oracle.accelerator_parts import COUNTS, EndedModel, TurnerModel, VectorLaneModel
from sim_tb.oracle.cycles import Agent, Chance, Fixed, Script, Series, Source, Word
from sim_tb.oracle.patches import pack_fields


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


MOST_SHORT = 100
"""Passes of a walk; longer ones have one tile in each, and come alone."""


def turner(rows: int, cols: int, steps: int, longest: int = 40) -> PartCase:
    """Pairs of walks of bytes, or of sums, whose last pass may not be full.

    One pair, of bytes, has ``longest`` passes where nothing stalls.
    """

    def walk(rng: Random, passes: int) -> list[Word]:
        tiles = 1 if passes > MOST_SHORT else rng.randint(1, 3)
        counts = [rng.randint(1, rows) for _ in range(tiles)]
        found = []
        pixel = rng.getrandbits(PIXEL_BITS)
        for own in range(passes):
            number = pixel
            for place, count in enumerate(counts, 1):
                ends = place == len(counts)
                values = (number, count, int(ends), int(ends and own == passes - 1))
                fields = dict(zip(dict(PIXELS), values, strict=True))
                found.append({"tile": pack_fields(PIXELS, fields)})
                number = (number + count) % (1 << PIXEL_BITS)
        return found

    def pair(rng: Random, passes: int, sums: int, before: float) -> list[Agent]:
        of_pass = cols // steps * (4 if sums else 1)
        walks = 1 if passes > MOST_SHORT else 2
        tiles = [tile for _ in range(walks) for tile in walk(rng, passes)]
        offered = words(rng, cols * ACTIVATION_BITS, len(tiles) * rows * (4 if sums else 1))
        return [
            Fixed(sums=sums, out_words=(passes - 1) * of_pass + rng.randint(1, of_pass)),
            Source(tiles, "tile_valid", ["tile_ready"], before / 2),
            Source([{"in_data": own} for own in offered], "in_valid", ["in_ready"], before),
        ]

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        long = [] if before or after else [longest]
        passes = [*(rng.randint(1, 4) for _ in range(5)), *long]
        pairs = [pair(rng, own, (place + 1) % 2, before) for place, own in enumerate(passes)]
        return [Series(pairs), Chance(out_ready=1 - after)]

    sizes = (rows, cols, steps)
    return PartCase(lambda: Turner(*sizes), lambda: TurnerModel(*sizes), agents)


def accelerator_cases() -> dict[str, PartCase]:
    """All of them, by name."""
    cases = {
        "waits": waits(),
        "vector_lane": vector_lane(),
        "vector_lane_of_bits": vector_lane(multiplies=False),
    }
    for sizes in ((2, 4, 2), (4, 4, 1)):
        cases[f"turner_{'_'.join(map(str, sizes))}"] = turner(*sizes)
    return cases


def long_cases() -> dict[str, PartCase]:
    """More of them, for compiled simulators: all bits of their counters are used."""
    return {"turner_long": turner(2, 16, 1, longest=2100)}
