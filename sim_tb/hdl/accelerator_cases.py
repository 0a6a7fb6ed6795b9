"""Parts of the accelerator with what they are given: for their tests in every simulator."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from golden import encode_pairs, named_format, store_pairs
from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.accelerator.layouts import EVENT_BITS, PIXEL_BITS, PIXELS, WAITS_BITS
from hdl.accelerator.pair_packer import PairPacker
from hdl.accelerator.pair_unpacker import PairUnpacker
from hdl.accelerator.turner import Turner
from hdl.accelerator.vector_lane import VectorLane
from hdl.accelerator.waits import have_ended
from hdl.memory.line_encoding import LineEncoding
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.placement import Component
from sim_tb.hdl.part_case import PartCase, Random, words
from sim_tb.oracle.accelerator_parts import (
    COUNTS,
    EndedModel,
    PairPackerModel,
    PairUnpackerModel,
    TurnerModel,
    VectorLaneModel,
)
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


FORMATS = {
    "5opt": named_format("5opt"),
    "3opt": named_format("3opt", rounding=False),
    "7opt": named_format("7opt", vsparq=False, group=4),
}
"""Of stored pairs."""
BEAT_BITS = 64


def _encoding(fmt: SparqFormat) -> LineEncoding:
    return LineEncoding(ScratchpadShape(4, 4, 16, BEAT_BITS), fmt.stored_pair_bits)


def _transfers(rng: Random, fmt: SparqFormat, stores: bool) -> list[Word]:
    """Beats of some transfers, each of bytes or of stored pairs, of these as many as are whole."""
    found = []
    for _ in range(30):
        encoded, beats = rng.getrandbits(1), 2 * _encoding(fmt).lines * rng.randint(1, 2)
        data = words(rng, BEAT_BITS, beats)
        if encoded and not stores:
            values = [word >> 8 * n & 255 for word in data for n in range(BEAT_BITS // 8)]
            bits = fmt.stored_pair_bits
            stored = store_pairs(encode_pairs(values, fmt), fmt)
            whole = sum(int(pair) << bits * n for n, pair in enumerate(stored))
            beats = beats * bits // 16
            data = [whole >> BEAT_BITS * n & (1 << BEAT_BITS) - 1 for n in range(beats)]
        found += [{"in_data": word, "encoded": encoded} for word in data]
    return found


def pair_packer(fmt: SparqFormat) -> PartCase:
    """Bytes come, with what they are to be in memory."""

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = _transfers(rng, fmt, stores=True)
        return [Source(offered, "in_valid", ["in_ready"], before), Chance(out_ready=1 - after)]

    return PartCase(
        lambda: PairPacker(fmt, _encoding(fmt)), lambda: PairPackerModel(fmt, BEAT_BITS), agents
    )


class Taking(Agent):
    """Takes all that leaves of some transfers, knowing what they come as: one after the other."""

    def __init__(self, fmt: SparqFormat, offered: list[Word], stall: float):
        self.size = BEAT_BITS // 16 * fmt.stored_pair_bits
        self.kinds = [own["encoded"] for own in offered]
        self.stall = stall
        self.bits = 0
        self.place = 0

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All has left."""
        return self.place == len(self.kinds) and self.bits < self.size

    def inputs(self, model: Any, rng: Random) -> Word:
        """What is held is of the transfer before."""
        place = self.place - (self.bits > 0)
        encoded = self.kinds[min(place, len(self.kinds) - 1)]
        return {"encoded": encoded, "out_ready": int(rng.random() >= self.stall)}

    def observe(self, ports: Word) -> None:  # type: ignore[override]  # it is one
        """A beat comes, one leaves."""
        comes = ports["in_valid"] and ports["in_ready"]
        self.place += comes
        if ports["rst"]:
            self.bits = 0
        elif ports["encoded"]:
            self.bits += BEAT_BITS * comes
            self.bits -= self.size * (ports["out_valid"] and ports["out_ready"])


def pair_unpacker(fmt: SparqFormat) -> PartCase:
    """Beats come; what takes them says whether they are stored pairs."""

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = _transfers(rng, fmt, stores=False)
        beats = [{"in_data": own["in_data"]} for own in offered]
        return [Source(beats, "in_valid", ["in_ready"], before), Taking(fmt, offered, after)]

    return PartCase(
        lambda: PairUnpacker(fmt, _encoding(fmt)), lambda: PairUnpackerModel(fmt, BEAT_BITS), agents
    )


def accelerator_cases() -> dict[str, PartCase]:
    """All of them, by name."""
    cases = {
        "waits": waits(),
        "vector_lane": vector_lane(),
        "vector_lane_of_bits": vector_lane(multiplies=False),
    }
    for sizes in ((2, 4, 2), (4, 4, 1)):
        cases[f"turner_{'_'.join(map(str, sizes))}"] = turner(*sizes)
    for name, fmt in FORMATS.items():
        cases[f"pair_packer_{name}"] = pair_packer(fmt)
        cases[f"pair_unpacker_{name}"] = pair_unpacker(fmt)
    return cases


def long_cases() -> dict[str, PartCase]:
    """More of them, for compiled simulators: all bits of their counters are used."""
    return {"turner_long": turner(2, 16, 1, longest=2100)}
