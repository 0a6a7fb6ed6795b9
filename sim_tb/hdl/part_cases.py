"""Parts of the matrix engine with what they are given: for their tests in every simulator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from golden import NAMED_FORMATS, SparqFormat, encode_pairs, named_format, store_pairs
from hdl.engine.column_parameters import COLUMN_PARAMETERS
from hdl.engine.event_counters import EventCounters
from hdl.engine.output_stage import OutputStage
from hdl.engine.pair_counter import PairCounter
from hdl.engine.parameter_buffer import ParameterBuffer
from hdl.engine.plane_splitter import PlaneSplitter
from hdl.engine.tile_walk import TileWalk
from hdl.engine.weight_buffer import WeightBuffer
from hdl.memory.narrowing_gearbox import NarrowingGearbox
from hdl.stream.downsizer import Downsizer
from hdl.stream.gearbox import Gearbox
from hdl.stream.stream_fifo import StreamFifo
from hdl.stream.stream_register import StreamRegister
from hdl.stream.upsizer import Upsizer
from sim_tb.hdl.accelerator_cases import accelerator_cases, long_cases
from sim_tb.hdl.memory_cases import memory_cases
from sim_tb.hdl.part_case import PartCase, Random, words
from sim_tb.oracle.cycles import Agent, Chance, Model, Source, Word
from sim_tb.oracle.engine_parts import (
    EventCountersModel,
    OutputStageModel,
    PairCounterModel,
    ParameterBufferModel,
    PlaneSplitterModel,
    TileWalkModel,
    WeightBufferModel,
    parameters_word,
)
from sim_tb.oracle.requantization import Case
from sim_tb.oracle.streams import (
    DownsizerModel,
    GearboxModel,
    NarrowingGearboxModel,
    QueueModel,
    RegisterModel,
    UpsizerModel,
)


def stage(component: Callable[[], Any], model: Callable[[], Model], width: int) -> PartCase:
    """A stage between two streams."""

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = [
            {"in_data": word, "in_last": rng.getrandbits(1)} for word in words(rng, width, 150)
        ]
        offered[-1]["in_last"] = 1  # nothing stays behind
        return [Source(offered, "in_valid", ["in_ready"], before), Chance(out_ready=1 - after)]

    return PartCase(component, model, agents)


def fifo(width: int, depth: int) -> PartCase:
    return stage(lambda: StreamFifo(width, depth), lambda: QueueModel(depth), width)


def upsizer(width: int, beats: int) -> PartCase:
    return stage(lambda: Upsizer(width, beats), lambda: UpsizerModel(width, beats), width)


def downsizer(width: int, beats: int) -> PartCase:
    model = DownsizerModel
    return stage(lambda: Downsizer(width, beats), lambda: model(width, beats), width * beats)


def gearbox(in_width: int, out_width: int) -> PartCase:
    widths = (in_width, out_width)
    return stage(lambda: Gearbox(*widths), lambda: GearboxModel(*widths), in_width)


def narrowing_gearbox(in_width: int, out_width: int) -> PartCase:
    """Ends with all words that are whole."""

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = [{"in_data": word} for word in words(rng, in_width, 150)]
        return [Source(offered, "in_valid", ["in_ready"], before), Chance(out_ready=1 - after)]

    widths = (in_width, out_width)
    return PartCase(
        lambda: NarrowingGearbox(*widths), lambda: NarrowingGearboxModel(*widths), agents
    )


def command(tiles_m: int, tiles_n: int, depth: int, exact: int, mode: int) -> int:
    """A command as it is packed; the mode is 0 of bytes, 1 of sums, 2 of stored pairs."""
    return tiles_m | tiles_n << 16 | depth << 32 | exact << 48 | mode << 49


def commands(rng: Random, depth: int) -> list[Word]:
    """The smallest and the deepest ones, and random ones."""
    shapes = [(1, 1, 1), (1, 1, depth), (3, 1, depth), (1, 3, 1), (4, 2, 1), (2, 3, depth)]
    for _ in range(10):
        shapes.append((rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, depth)))
    modes = [(rng.getrandbits(1), rng.randrange(3)) for _ in shapes]
    return [{"command": command(*own, *mode)} for own, mode in zip(shapes, modes, strict=True)]


def weight_buffer(width: int, depth: int) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = [{"in_data": word} for word in words(rng, width, 97)]
        return [
            Source(commands(rng, depth), "command_valid", ["command_ready"], before / 2),
            Source(offered, "in_valid", ["in_ready"], before, endless=True),
            Chance(out_ready=1 - after),
        ]

    return PartCase(lambda: WeightBuffer(width, depth), WeightBufferModel, agents)


class ParameterReader(Agent):
    """Reads any parts of what is full, and frees it at some time."""

    def __init__(self, parts: int, often: float):
        self.parts = parts
        self.often = often

    def inputs(self, model: Any, rng: Random) -> Word:
        """As the contract has it."""
        full = bool(model.full)
        return {
            "part": rng.randrange(self.parts),
            "read": int(full and rng.random() < self.often),
            "free_bank": int(full and rng.random() < 0.1 * self.often),
        }


def parameter_buffer(cols: int, lanes: int) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = [{"in_data": word} for word in words(rng, 32, 3 * cols * 9)]
        source = Source(offered, "in_valid", ["in_ready"], before)
        return [source, ParameterReader(cols // lanes, 1 - after)]

    return PartCase(
        lambda: ParameterBuffer(cols, lanes), lambda: ParameterBufferModel(cols, lanes), agents
    )


class Finisher(Agent):
    """Says at random that the results of a tile have left, if one is under way."""

    def __init__(self, often: float):
        self.often = often

    def inputs(self, model: Any, rng: Random) -> Word:
        """Never of a tile that there is not."""
        return {"finished": int(model.under_way > 0 and rng.random() < self.often)}


def tile_walk(room: int) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        goes = ("slice_valid", "slice_ready")
        slices = (
            Source([{}], f"{name}_valid", goes, before, endless=True)
            for name in ("activations", "weights")
        )
        source = Source(commands(rng, 4), "command_valid", ["command_ready"], before / 2)
        return [source, *slices, Finisher((1 - after) / 2), Chance(slice_ready=1 - after / 2)]

    return PartCase(lambda: TileWalk(room), lambda: TileWalkModel(room), agents)


def plane_splitter(group: int, masks: Sequence[int], fmt: SparqFormat | None = None) -> PartCase:
    activations, weight_bits = 2, 5
    width = fmt.activation_bits if fmt else 8

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = []
        for tile in range(24):
            exact = tile % 2 if tile < 8 else rng.getrandbits(1)
            count = 1 + tile // 2 if tile < 6 else rng.randint(1, 2 * group + 2)
            for place, word in enumerate(words(rng, width * activations + weight_bits, count)):
                last = int(place == count - 1)
                given = with_zeros(word, width, activations) if fmt else word
                offered.append({"in_data": given, "in_last": last, "in_exact": exact})
        source = Source(offered, "in_valid", ["in_ready"], before)
        return [source, Chance(out_ready=1 - after)]

    sizes: Any = (activations, weight_bits, masks, group, fmt)
    return PartCase(lambda: PlaneSplitter(*sizes), lambda: PlaneSplitterModel(*sizes), agents)


def with_zeros(word: int, width: int, count: int) -> int:
    """``word``, where a magnitude of 0 in its low ``count`` activations has no sign."""
    for place in range(count):
        activation = word >> width * place & (1 << width) - 1
        if activation == 1 << width - 1:
            word ^= activation << width * place
    return word


class Parameters(Agent):
    """Sets of parameters; what was read stands beside the next cycles."""

    def __init__(self, parts: int, lanes: int, often: float):
        self.parts = parts
        self.lanes = lanes
        self.often = often
        self._set: list[int] | None = None
        self._read = 0

    def inputs(self, model: Any, rng: Random) -> Word:
        """A new set comes some time after the one before is released."""
        if self._set is None and rng.random() < self.often:
            columns = [
                parameters_word(_case(rng), rng.choice((0, rng.randrange(8))))
                for _ in range(self.parts * self.lanes)
            ]
            parts = (columns[place * self.lanes :][: self.lanes] for place in range(self.parts))
            bits = COLUMN_PARAMETERS.size
            self._set = [sum(own << bits * k for k, own in enumerate(part)) for part in parts]
        return {"parameters_full": int(self._set is not None), "parameters": self._read}

    def observe(self, ports: Mapping[str, int]) -> None:
        """What is read, and whether it was the last time."""
        if ports["parameters_read"] and self._set is not None:
            self._read = self._set[ports.get("parameters_part", 0)]
        if ports["parameters_release"]:
            self._set = None


def _case(rng: Random) -> Case:
    """Scales that put sums of 16 bits into bytes, some of them exactly between two of these."""
    multiplier = rng.choice((1 << 14, rng.randrange(1, 1 << 15)))
    low = rng.choice((0, rng.randrange(100)))
    return Case(
        0,
        rng.randint(-(1 << 15), 1 << 15) >> rng.randrange(16),
        multiplier,
        rng.choice((rng.randrange(46), multiplier.bit_length() + rng.randrange(10))),
        rng.choice((0, rng.randrange(256))),
        low,
        rng.choice((255, rng.randint(low, 255))),
    )


def output_stage(
    rows: int,
    cols: int,
    lanes: int,
    acc_bits: int,
    fmt: SparqFormat | None = None,
    points: int | None = None,
) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered: list[Word] = []
        count = 40 // rows
        modes = [0, 1] if fmt is None else [8, 0, 8, 1]
        mode = 0
        for tile in range(count):
            # A command has one mode, and the last one ends.
            if not offered or offered[-1]["tile"] >> 2 & 1:
                mode = modes[0]
                modes = [*modes[1:], mode]
            ends = rng.getrandbits(1) | int(tile == count - 1)
            what = mode | rng.getrandbits(1) << 1 | ends << 2
            offered += [{"sums": word, "tile": what} for word in words(rng, cols * acc_bits, rows)]
        return [
            Source(offered, "rows_valid", ["rows_ready"], before),
            Parameters(cols // lanes, lanes, 1 - before),
            Chance(out_ready=1 - after),
        ]

    sizes = (rows, cols, lanes, acc_bits, fmt, points)
    return PartCase(lambda: OutputStage(*sizes), lambda: OutputStageModel(*sizes), agents)


class Slices(Agent):
    """Pairs of bytes, many of them zeros, for so many cycles."""

    def __init__(
        self,
        pairs: int,
        fmt: SparqFormat | None,
        split_format: SparqFormat | None,
        count: int,
        often: float,
    ):
        self.pairs = pairs
        self.fmt = fmt
        self.bits = split_format.activation_bits if split_format else 8
        self.left = count
        self.often = often

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All were there."""
        return self.left == 0

    def inputs(self, model: Any, rng: Random) -> Word:
        """One in each cycle, not all of them valid."""
        self.left = max(0, self.left - 1)
        bits = self.bits
        values = [rng.choice((0, 1 << rng.randrange(bits))) for _ in range(2 * self.pairs)]
        if self.fmt is not None:
            bits = self.fmt.stored_pair_bits
            values = store_pairs(encode_pairs(values, self.fmt), self.fmt).tolist()
        packed = sum(value << bits * place for place, value in enumerate(values))
        return {"valid": int(rng.random() < self.often), "activations": packed}


def pair_counter(
    pairs: int, fmt: SparqFormat | None = None, split_format: SparqFormat | None = None
) -> PartCase:
    formats = fmt, split_format

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        return [Slices(pairs, *formats, 300, 1 - before)]

    return PartCase(
        lambda: PairCounter(pairs, *formats), lambda: PairCounterModel(pairs, *formats), agents
    )


class Events(Agent):
    """So many cycles in which something may happen."""

    def __init__(self, events: Mapping[str, int], count: int):
        self.events = events
        self.left = count

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All are over."""
        return self.left == 0

    def inputs(self, model: Any, rng: Random) -> Word:
        """Any number of each."""
        self.left = max(0, self.left - 1)
        return {f"count_{name}": rng.randint(0, most) for name, most in self.events.items()}


def event_counters(**events: int) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        return [Events(events, 300), Chance(freeze=before / 2, clear=after / 20)]

    return PartCase(lambda: EventCounters(events), lambda: EventCountersModel(list(events)), agents)


def all_planes() -> list[tuple[int, ...]]:
    """The different ones that formats of a name have."""
    return list({named_format(name).exact_planes: None for name in NAMED_FORMATS})


SIGNED = {name: named_format(name) for name in ("s4opt", "s3:0,1,2,3,4,5")}
"""Formats of signed activations, of 7 and of 8 bits of magnitude."""

ENCODED_OUTPUTS = {
    "5opt": ((2, 4, 2, 16), named_format("5opt")),
    "7opt": ((1, 2, 2, 17), named_format("7opt", vsparq=False)),
    "3opt": ((3, 8, 4, 20), named_format("3opt", False, True, 4)),
    "2opt": ((2, 6, 6, 16), named_format("2opt", True, False, 2)),
}
"""Sizes of output stages that give stored pairs, and formats of these."""


def _cases() -> dict[str, PartCase]:
    cases = {"register": stage(lambda: StreamRegister(7), RegisterModel, 7)}
    for depth in (2, 3, 4, 9):
        cases[f"fifo_{depth}"] = fifo(7, depth)
    for beats in (2, 3, 4):
        cases[f"upsizer_{beats}"] = upsizer(5, beats)
        cases[f"downsizer_{beats}"] = downsizer(5, beats)
    for widths in ((1, 2), (2, 3), (4, 6), (5, 8), (7, 9), (12, 16)):
        name = "_".join(map(str, widths))
        cases[f"gearbox_{name}"] = gearbox(*widths)
        cases[f"narrowing_gearbox_{name}"] = narrowing_gearbox(*widths[::-1])
    for depth in (1, 2, 5, 8):
        cases[f"weight_buffer_{depth}"] = weight_buffer(6, depth)
    for cols, lanes in ((1, 1), (2, 1), (2, 2), (6, 2)):
        cases[f"parameter_buffer_{cols}_{lanes}"] = parameter_buffer(cols, lanes)
    for room in (2, 3, 4):
        cases[f"tile_walk_{room}"] = tile_walk(room)
    for group in (1, 2, 4, 8):
        for masks in all_planes():
            cases[f"plane_splitter_{group}_{len(masks)}"] = plane_splitter(group, masks)
        cases[f"plane_splitter_{group}_none"] = plane_splitter(group, ())
        for name, fmt in SIGNED.items():
            cases[f"plane_splitter_{group}_{name}"] = plane_splitter(group, fmt.exact_planes, fmt)
    for sizes4 in ((1, 1, 1, 16), (2, 2, 1, 16), (3, 2, 2, 32), (2, 6, 2, 20), (4, 3, 1, 17)):
        cases[f"output_stage_{'_'.join(map(str, sizes4))}"] = output_stage(*sizes4)
    for name, (sizes4, fmt) in ENCODED_OUTPUTS.items():
        cases[f"output_stage_{'_'.join(map(str, sizes4))}_{name}"] = output_stage(*sizes4, fmt)
    for sizes4 in ((2, 6, 2, 12), (2, 4, 4, 24)):
        name = f"output_stage_{'_'.join(map(str, sizes4))}_combines"
        cases[name] = output_stage(*sizes4, points=2)
    for pairs in (1, 2, 5):
        cases[f"pair_counter_{pairs}"] = pair_counter(pairs)
    for name, (_, fmt) in ENCODED_OUTPUTS.items():
        cases[f"pair_counter_8_{name}"] = pair_counter(8, fmt)
    for name, fmt in SIGNED.items():
        cases[f"pair_counter_3_{name}"] = pair_counter(3, split_format=fmt)
    cases["event_counters"] = event_counters(a=1, b=5)
    return cases | memory_cases() | accelerator_cases() | long_cases()


CASES = _cases()
"""All of them, by name."""
