"""Descriptors, and the parameters and weights that come with them, in Amaranth's own simulator."""

import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from gen.compiler.accelerator import shape_of
from golden.accelerator.program import Machine, Outcome, Window, stream_beats, weights_per_channel
from golden.accelerator.shape import (
    COLUMN_PARAMETERS,
    AcceleratorShape,
    pack_channels,
    pack_columns,
    pack_weights,
)
from golden.descriptor import (
    COMPUTE,
    DESCRIPTOR_BYTES,
    LAYOUT,
    MOST_SUM_WORDS,
    MOST_WEIGHTS,
    PATCHES,
    TABLE_BYTES,
    VECTOR,
    Descriptor,
    Error,
    Opcode,
    decode,
    layout,
)
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.layouts import STREAM, StreamKind
from hdl.accelerator.program_reader import ProgramReader
from hdl.accelerator.stream_router import StreamRouter
from hdl.catalogue import MacUnit, sparq_mac
from hdl.engine.engine_unit import EngineUnit
from hdl.memory.transfer import transfer_layout
from sim_tb.hdl.pysim import SEED, Bench, Word
from sim_tb.oracle.cycles import Agent, Conversation, Fixed, Source, Until
from sim_tb.oracle.patches import pack_fields

Bytes = npt.NDArray[np.uint8]


def accelerator(rows: int, cols: int, pe: str, weight_bits: int, data_bits: int) -> AcceleratorUnit:
    """A small one, with room for few slices of weights; one of sparq moves stored pairs, too."""
    encodes = pe == "sparq"
    mac = (
        sparq_mac("5opt", weight_bits=weight_bits)
        if encodes
        else MacUnit(pe, weight_bits=weight_bits)
    )
    engine = EngineUnit("array", rows, cols, mac, weight_depth=16)
    return AcceleratorUnit(engine, 4, data_bits, encoded_memory=encodes)


class Piece(NamedTuple):
    """A stream: what it is, its bytes, and what leaves of it, each with where it goes."""

    fields: dict[str, int]
    data: Bytes
    words: list[tuple[str, int]]


def random_parameters(rng: np.random.Generator, count: int) -> npt.NDArray[np.void]:
    """Any bits."""
    raw = rng.integers(0, 256, count * COLUMN_PARAMETERS.itemsize, np.uint8)
    return raw.view(COLUMN_PARAMETERS)


def words_of(name: str, data: Bytes) -> list[tuple[str, int]]:
    """Words of 32 bits, in order."""
    return [(name, int(word)) for word in np.ascontiguousarray(data).view("<u4")]


def slice_word(columns: npt.NDArray[np.int8], weight_bits: int) -> int:
    """Weights (cols, steps) of a slice: column 0 low, within a column the lower step."""
    mask = (1 << weight_bits) - 1
    return sum(
        (int(weight) & mask) << place * weight_bits for place, weight in enumerate(columns.flat)
    )


def matrix_piece(
    shape: AcceleratorShape, rng: np.random.Generator, size: tuple[int, int] | None = None
) -> Piece:
    """Columns of tiles: parameters, then slices, each of both filling up its last beat.

    ``size`` is how many columns there are, and slices of each; by default a few.
    """
    tiles_n, depth = size or (int(each) for each in rng.integers(1, [4, 8]))
    half = 1 << shape.weight_bits - 1
    parts: list[Bytes] = []
    words: list[tuple[str, int]] = []
    for _ in range(tiles_n):
        parameters = random_parameters(rng, shape.cols)
        slices = rng.integers(-half, half, (depth, shape.cols, shape.k_per_cycle), np.int8)
        weights = slices.swapaxes(1, 2).reshape(-1, shape.cols)
        parts += [pack_columns(shape, parameters), pack_weights(shape, weights)]
        words += words_of("parameters", parameters.view(np.uint8))
        words += [("weights", slice_word(own, shape.weight_bits)) for own in slices]
    fields = {"kind": StreamKind.MATRIX, "tiles_n": tiles_n, "depth": depth}
    return Piece(fields, np.concatenate(parts), words)


def vector_piece(
    shape: AcceleratorShape, rng: np.random.Generator, size: tuple[int, int] | None = None
) -> Piece:
    """Channels, of each its parameters and then its weights, two in a word.

    ``size`` is how many channel words there are, and weights of each; by default a few.
    """
    words_n, weights = size or (int(each) for each in rng.integers([1, 0], [4, 6]))
    channels = shape.k_per_cycle * words_n
    parameters = random_parameters(rng, channels)
    values = rng.integers(-(1 << 15), 1 << 15, (channels, weights), np.int16)
    words: list[tuple[str, int]] = []
    for own, row in zip(parameters, np.pad(values, ((0, 0), (0, weights % 2))), strict=True):
        words += words_of("vector", np.frombuffer(own.tobytes(), np.uint8))
        words += words_of("vector", row.astype("<i2").view(np.uint8))
    fields = {"kind": StreamKind.VECTOR, "words": len(words)}
    return Piece(fields, pack_channels(shape, parameters, values), words)


def table_piece(shape: AcceleratorShape, rng: np.random.Generator) -> Piece:
    """A table."""
    table = rng.integers(0, 256, TABLE_BYTES, np.uint8)
    fields = {"kind": StreamKind.TABLE, "words": TABLE_BYTES // 4}
    return Piece(fields, table, words_of("table", table))


PLACES = ("parameters", "vector", "table", "weights")


def beats_of(shape: AcceleratorShape, data: Bytes) -> list[int]:
    """Words of memory."""
    rows = data.reshape(-1, shape.beat_bytes)
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def left(ports: Sequence[Word]) -> list[tuple[int, str, int]]:
    """What leaves: the cycle, where it goes, and its value."""
    return [
        (cycle, name, own["weights_data" if name == "weights" else "words_data"])
        for cycle, own in enumerate(ports)
        for name in PLACES
        if own[f"{name}_valid"] and own[f"{name}_ready"]
    ]


SLICES = [(2, "8x8", 5), (4, "2x8x8", 5), (8, "2x8x8", 8), (20, "8x8", 8)]
"""Of 2, 5, 16 and 20 bytes: some in a beat, or some beats of one."""


def router(unit: AcceleratorUnit) -> StreamRouter:
    """Of that accelerator, whose slices are whole bytes."""
    shape = shape_of(unit)
    return StreamRouter(unit, -(-shape.cols * shape.k_per_cycle * shape.weight_bits // 8) * 8)


def routing(unit: AcceleratorUnit, stalls: Sequence[float], are_long: bool = False) -> Conversation:
    """Streams of all kinds, one after the other: every word and slice where it belongs, in order.

    One leaves in every cycle, but in those in which more beats of a slice come.
    """
    shape = shape_of(unit)
    rng = np.random.default_rng((SEED, shape.cols, shape.weight_bits, 8 * shape.beat_bytes))
    pieces = [make(shape, rng) for make in (matrix_piece, vector_piece, table_piece) * 2]
    if are_long:
        sizes = ((3, 1), (4, 2), (1031, 1), (1, 1022), (1, 1023))
        pieces += [matrix_piece(shape, rng, size) for size in sizes]
        pieces += [vector_piece(shape, rng, (16, 256))]
    pieces = [pieces[place] for place in rng.permutation(len(pieces))]
    expected = [word for piece in pieces for word in piece.words]
    counts = Counter(name for name, _ in expected)
    streams = [{"stream": pack_fields(STREAM, piece.fields)} for piece in pieces]
    beats = [{"in_data": beat} for piece in pieces for beat in beats_of(shape, piece.data)]
    agents = [
        Source(streams, "stream_valid", ["stream_ready"], stalls[0]),
        Source(beats, "in_valid", ["in_ready"], stalls[0]),
        *(Until(name, counts[name], stalls[1]) for name in PLACES),
    ]

    def check(ports: Sequence[Word]) -> int:
        found = left(ports)
        assert [word for _, *word in found] == [[*word] for word in expected]
        if not any(stalls):
            more = max(1, shape.slice_bytes // shape.beat_bytes) - 1
            first, last = found[0][0], found[-1][0]
            assert last - first + 1 == len(expected) + more * counts["weights"]
        return len(found)

    return Conversation(agents, check, SEED)


@pytest.mark.slow
def test_long_streams(checks: Any) -> None:
    unit = accelerator(4, 2, "8x8", 8, 64)
    own = routing(unit, (0, 0), are_long=True)
    checks(own.check(Bench(router(unit)).hold(own)))


@pytest.mark.every(14)
@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.4, 0.3)], ids=str)
@pytest.mark.parametrize("data_bits", [32, 64, 128, 256])
@pytest.mark.parametrize(("cols", "pe", "weight_bits"), SLICES)
def test_stream_router(
    cols: int, pe: str, weight_bits: int, data_bits: int, stalls: tuple[float, float], checks: Any
) -> None:
    unit = accelerator(16, cols, pe, weight_bits, data_bits)
    own = routing(unit, stalls)
    checks(own.check(Bench(router(unit)).hold(own)))


def routing_the_first(unit: AcceleratorUnit, kind: StreamKind, bit: int) -> Conversation:
    """The first words of a stream whose length is a large power of two, and one more.

    A reset must follow.
    """
    shape = shape_of(unit)
    rng = np.random.default_rng((SEED, kind, bit))
    # Odd, so that it ends amid a beat.
    large, most = (1 << bit) + 1, 40
    fields: dict[str, int] = {"kind": kind, "words": large}
    if kind is StreamKind.MATRIX:
        depth = 1 if bit % 2 else large
        fields = {"kind": kind, "tiles_n": large if bit % 2 else 2, "depth": depth}
        slices = rng.integers(0, 2, (most, shape.cols, shape.k_per_cycle), np.int8)
        parameters = random_parameters(rng, shape.cols)
        first = words_of("parameters", parameters.view(np.uint8))
        head = pack_columns(shape, parameters)
        parts: list[Bytes] = []
        words: list[tuple[str, int]] = []
        for start in range(0, most, depth):
            own = slices[start : start + depth]
            weights = own.swapaxes(1, 2).reshape(-1, shape.cols)
            parts += [head, pack_weights(shape, weights)]
            words += first + [("weights", slice_word(each, shape.weight_bits)) for each in own]
        data = np.concatenate(parts)
    else:
        data = rng.integers(0, 256, 4 * most, np.uint8)
        words = words_of(kind.name.lower(), data)
    expected = words[: most // 2]
    last = expected[-1][0]
    agents = [
        Source([{"stream": pack_fields(STREAM, fields)}], "stream_valid", ["stream_ready"], 0,
               endless=True),
        Source([{"in_data": beat} for beat in beats_of(shape, data)], "in_valid", ["in_ready"], 0,
               endless=True),
        Fixed(**{f"{name}_ready": 1 for name in PLACES}),
        Until(last, sum(name == last for name, _ in expected), 0),
    ]  # fmt: skip

    def check(ports: Sequence[Word]) -> int:
        found = left(ports)[: len(expected)]
        assert [(name, word) for _, name, word in found] == expected
        assert not any(own["stream_ready"] for own in ports[: found[-1][0] + 1])
        return len(found)

    return Conversation(agents, check, SEED)


LONG_STREAMS = [
    *((StreamKind.MATRIX, bit) for bit in range(5, 16)),
    *((kind, bit) for kind in (StreamKind.VECTOR, StreamKind.TABLE) for bit in range(5, 32)),
]
"""Of each a bit of its length."""


@pytest.mark.every(30)
@pytest.mark.parametrize(("kind", "bit"), LONG_STREAMS)
def test_the_first_words_of_long_streams(kind: StreamKind, bit: int, checks: Any) -> None:
    unit = accelerator(4, 2, "8x8", 8, 64)
    own = routing_the_first(unit, kind, bit)
    checks(own.check(Bench(router(unit)).hold(own)))


class Checker(Machine):
    """What a program's outcome is, and nothing of what it computes.

    Its memory is repeated, so that windows can be larger.
    """

    def _read(self, address: int, count: int) -> Bytes:
        return super()._read(address % len(self.memory), count)

    def has_other_tiles(self, d: Descriptor) -> bool:
        """Found behind the reader."""
        return False

    def _load(self, d: Descriptor) -> None:
        return

    _store = _matrix = _vector = _load


STARTED = ("wait_loads", "wait_stores", "wait_computes")
"""Fields of what must have ended."""
MEMORY_BYTES = 1 << 15
MOST_BYTES = (1 << 32) - 1
"""Of a window."""


class Program(NamedTuple):
    """Where it starts, and the bytes of both windows."""

    start: int
    reads_size: int
    writes_size: int


def random_window(rng: random.Random) -> int:
    """Bytes of a window: those of the memory, nearly as many as there may be, or any."""
    near = MOST_BYTES - rng.choice([0, 3, 63, 64, 1000])
    return rng.choice([MEMORY_BYTES, near, rng.randint(MEMORY_BYTES, 1 << rng.randint(16, 32)) - 1])


def random_right(
    shape: AcceleratorShape,
    rng: random.Random,
    program: Program,
    started: Mapping[str, int],
    is_outside: bool = False,
) -> Descriptor:
    """Any descriptor but an END that is right, if its window has room.

    With ``is_outside`` it leaves its window, if addresses can say so.
    """
    opcode = rng.choice([own for own in Opcode if own is not Opcode.END])
    size = program.writes_size if opcode is Opcode.STORE else program.reads_size
    values = {
        name: place.largest if rng.random() < 0.1 else rng.getrandbits(place.bits)
        for name, place in LAYOUT[opcode].items()
        if name != "opcode"
    }
    for name, count in started.items():
        values[name] = (count - rng.choice([0, 0, 1, 127, rng.randrange(128)])) % 256
    if opcode in PATCHES:
        values |= random_sizes(shape, rng, opcode, values, size > 1 << 24)
        values["beats"] = stream_beats(shape, Descriptor(opcode, values))
        length, unit = values["beats"] * shape.beat_bytes, shape.beat_bytes
    elif opcode is Opcode.TABLE:
        length, unit = TABLE_BYTES, shape.beat_bytes
    else:
        most = rng.choice([5, shape.lines])
        values["lines"], values["encoded"] = (
            rng.randint(1, most),
            shape.encodes and rng.getrandbits(1),
        )
        unit = shape.line_bytes
        if values["encoded"]:
            values["lines"] = shape.encoded_lines * rng.randint(1, most // shape.encoded_lines or 1)
            unit = shape.beat_bytes
        length = shape.memory_bytes(values["lines"], bool(values["encoded"]))
    last = max(0, (size - length) // unit)
    if is_outside:
        farthest = MOST_BYTES // unit
        place = min(farthest, rng.choice([last + 1, last + 1, rng.randint(last, farthest)]))
    else:
        place = rng.choice([0, last, rng.randint(0, last)])
    return Descriptor(opcode, {**values, "address": unit * place})


def random_sizes(
    shape: AcceleratorShape,
    rng: random.Random,
    opcode: Opcode,
    values: Mapping[str, int],
    are_large: bool,
) -> dict[str, int]:
    """Sizes of what reads patches that fit each other; of the others of ``values`` none is 0."""
    sizes = {name: max(1, values[name]) for name in SIZES}
    sizes |= {"in_words": rng.randint(1, 3), "first_column": rng.randrange(sizes["out_width"])}
    kernel = (rng.randint(1, 2), rng.randint(1, 2))
    if opcode in (Opcode.SUM, Opcode.MAX):
        kernel = rng.choice([kernel, (16, 16), (1, 255), (1, 1)])
    elif opcode is not Opcode.MATRIX:
        kernel = (1, 1)
    sizes |= dict(zip(("kernel_height", "kernel_width"), kernel, strict=True))
    most_words = MOST_SUM_WORDS if values["sums"] else (1 << 16) - 1
    words = rng.randint(1, min(most_words, 1 << rng.randint(2, 16)) if are_large else 3)
    if opcode is Opcode.MATRIX:
        sizes["depth"] = kernel[0] * kernel[1] * sizes["in_words"]
        sizes["tiles_n"] = -(-words // shape.column_words)
        return sizes | {"out_words": words}
    # A stream may not be longer than its beats can say.
    longest = LAYOUT[opcode]["beats"].largest // shape.vector_beats(1, MOST_WEIGHTS)
    return sizes | {"out_words": min(words, longest)}


SIZES = (
    *("in_height", "in_width", "stride_y", "stride_x", "dilation_y", "dilation_x"),
    *("out_width", "tiles_m", "pixels"),
)


DAMAGES = ("bit", "field", "near", "opcode", "outside")


def damaged(rng: random.Random, right: Descriptor, kind: str) -> npt.NDArray[np.uint32]:
    """The words of a descriptor with a bit, a field, or the opcode changed, much or little."""
    layout = LAYOUT[right.opcode]
    name = rng.choice([each for each in layout if each != "opcode"])
    place = layout[name]
    before = right.values.get(name, 0)
    words = right.words()
    match kind:
        case "bit":
            words[rng.randrange(len(words))] ^= np.uint32(1 << rng.randrange(32))
            return words
        case "opcode":
            words[0] = words[0] & ~np.uint32(255) | np.uint32(rng.choice([0, 10, 255, 1, 2, 5]))
            return words
        case "field":
            value = rng.choice([0, place.largest, rng.getrandbits(place.bits)])
        case _:
            value = min(place.largest, max(0, before + rng.choice([-64, -8, -1, 1, 8, 64])))
    return Descriptor(right.opcode, {**right.values, name: value}).words()


def sums(shape: AcceleratorShape, words: int) -> Descriptor:
    """So many channel words of int32, whose stream leaves any window here."""
    values = dict.fromkeys((*SIZES, "in_words", "kernel_height", "kernel_width", "sums"), 1)
    values |= {"out_words": words}
    beats = stream_beats(shape, Descriptor(Opcode.SUM, values))
    return Descriptor(Opcode.SUM, {**values, "beats": beats})


class Memory(Agent):
    """Gives the beats that are asked for, in order; and takes requests of streams.

    It is repeated, as that of a :class:`Checker`.
    """

    def __init__(self, shape: AcceleratorShape, memory: Bytes, start: int, stall: float):
        self.shape, self.memory, self.start, self.stall = shape, memory, start, stall
        self.beats: deque[int] = deque()
        self.asked: list[tuple[int, int]] = []
        self._offers = False

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """A beat stays until it is taken."""
        self._offers |= bool(self.beats) and rng.random() >= self.stall
        data = self.beats[0] if self._offers else rng.getrandbits(8 * self.shape.beat_bytes)
        ready = {
            f"{name}_ready": int(rng.random() >= self.stall)
            for name in ("fetch_request", "stream_request")
        }
        return {"fetch_valid": int(self._offers), "fetch_data": data, **ready}

    def observe(self, ports: Mapping[str, int]) -> None:
        """What is taken, and what is asked for."""
        if ports["fetch_valid"] and ports["fetch_ready"]:
            self.beats.popleft()
            self._offers = False
        for name in ("fetch", "stream"):
            if ports[f"{name}_request_valid"] and ports[f"{name}_request_ready"]:
                own = transfer_layout(64).from_bits(ports[f"{name}_request"])
                address, beats = own.address - self.start, own.beats
                if name == "stream":
                    self.asked.append((address, beats))
                else:
                    assert beats * self.shape.beat_bytes == DESCRIPTOR_BYTES
                    place = address % len(self.memory)
                    data = self.memory[place : place + DESCRIPTOR_BYTES]
                    self.beats += beats_of(self.shape, data)


UNITS = {"loads": (Opcode.LOAD,), "stores": (Opcode.STORE,), "computes": COMPUTE}


class Units(Agent):
    """Take descriptors and what their streams are, and end them some time later."""

    def __init__(self, stall: float):
        self.stall = stall
        self.given: list[tuple[str, int]] = []
        self.weights: list[int] = []
        self.streams: list[int] = []
        self.taken, self.ended = Counter[str](), Counter[str]()

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """Each takes one when it may."""
        for name in UNITS:
            self.ended[name] += self.taken[name] > self.ended[name] and rng.random() < 0.1
        return {
            "stream_ready": int(rng.random() >= self.stall),
            **{f"{name}_ready": int(rng.random() >= self.stall) for name in UNITS},
            **{f"{name}_ended": self.ended[name] % 65536 for name in UNITS},
        }

    def observe(self, ports: Mapping[str, int]) -> None:
        """What is given; all counts begin anew with a program."""
        if ports["start"]:
            self.taken.clear()
            self.ended.clear()
        if ports["ended"]:
            assert self.taken == self.ended
        if ports["stream_valid"] and ports["stream_ready"]:
            self.streams.append(ports["stream"])
        for name in UNITS:
            if ports[f"{name}_valid"] and ports[f"{name}_ready"]:
                self.given.append((name, ports["descriptor"]))
                self.weights.append(ports["weights"])
                # Counts of 8 bits are of what was started last, however long the unit waits.
                for index, other in enumerate(UNITS):
                    wait = ports["descriptor"] >> 8 * (index + 1) & 0xFF
                    behind = (self.taken[other] - wait) % 256
                    own = ports["waits"] >> 16 * index & 0xFFFF
                    assert own == (self.taken[other] - behind) % 65536
                self.taken[name] += 1


class Runs(Agent):
    """Starts programs, each when the one before has ended."""

    def __init__(self, programs: Sequence[Program], start: int):
        self.programs, self.start = programs, start
        self.outcomes: list[Outcome] = []
        self._runs = False

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All have ended."""
        return len(self.outcomes) == len(self.programs)

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """A start is one cycle."""
        starts = not self.is_done and not self._runs and rng.random() < 0.5
        own = self.programs[min(len(self.outcomes), len(self.programs) - 1)]
        return {
            **{"start": int(starts), "program": own.start, "reads_start": self.start},
            **{"reads_size": own.reads_size, "writes_size": own.writes_size},
        }

    def observe(self, ports: Mapping[str, int]) -> None:
        """How it ended."""
        assert ports["running"] == self._runs
        self._runs |= bool(ports["start"])
        if ports["ended"]:
            self.outcomes.append(Outcome(Error(ports["error"]), ports["done"]))
            self._runs = False


def stream_of(shape: AcceleratorShape, d: Descriptor) -> tuple[int, int, dict[str, int]]:
    """Of a descriptor: where its stream is, its beats, and what matters of what it is."""
    if d.opcode is Opcode.TABLE:
        beats = TABLE_BYTES // shape.beat_bytes
        return d.address, beats, {"kind": StreamKind.TABLE, "words": TABLE_BYTES // 4}
    if d.opcode is Opcode.MATRIX:
        fields = {"kind": StreamKind.MATRIX, "tiles_n": d.tiles_n, "depth": d.depth}
        return d.address, d.beats, fields
    channels = d.out_words * shape.k_per_cycle
    words = channels * shape.channel_bytes(weights_per_channel(d)) // 4
    return d.address, d.beats, {"kind": StreamKind.VECTOR, "words": words}


def running(unit: AcceleratorUnit, stall: float) -> Conversation:
    """Right and damaged programs of a few descriptors, in windows of any sizes."""
    shape = shape_of(unit)
    rng = random.Random(f"{SEED}, {shape.rows}, {shape.cols}, {8 * shape.beat_bytes}, {stall}")
    count, longest = 80, 6
    memory = np.frombuffer(rng.randbytes(MEMORY_BYTES), np.uint8).copy()
    programs = []
    for number in range(count):
        started = dict.fromkeys(STARTED, 0)
        start = number * longest * DESCRIPTOR_BYTES + shape.beat_bytes * rng.choice([0, 0, 1])
        reads = random_window(rng)
        program = Program(start, reads, rng.choice([reads, random_window(rng), shape.line_bytes]))
        length = rng.randint(0, longest - 2)
        own: list[npt.NDArray[np.uint32]] = []
        for _ in range(length):
            right = random_right(shape, rng, program, started)
            own.append(right.words())
            unit_name = next(name for name, codes in UNITS.items() if right.opcode in codes)
            started[f"wait_{unit_name}"] += 1
        waits = {name: count % 256 for name, count in started.items()}
        if rng.random() < 0.75:
            kind = DAMAGES[number % len(DAMAGES)]
            right = random_right(shape, rng, program, started, kind == "outside")
            own.append(right.words() if kind == "outside" else damaged(rng, right, kind))
        elif rng.random() < 0.4:
            waits["wait_loads"] += 1
        if number >= count - 2:  # as many words of results as there may be, and one more
            own = [sums(shape, MOST_SUM_WORDS + count - 1 - number).words()]
        own.append(Descriptor(Opcode.END, waits).words())
        text = np.concatenate(own).view(np.uint8)
        memory[start : start + len(text)] = text
        # Somewhere in a window, or so that it ends where that does, or a little beyond.
        farthest = (reads - start - len(text)) // MEMORY_BYTES
        start += MEMORY_BYTES * rng.choice([0, farthest, rng.randint(0, farthest)])
        end = start + len(text)
        programs.append(
            program._replace(
                start=start, reads_size=rng.choice([reads] * 8 + [end, end - 1, end - 4])
            )
        )
    expected, conversation = _outcomes(shape, memory, programs, stall)
    errors = {each.error for each in expected}
    assert errors == set(Error) - {Error.BUS, Error.TIMEOUT, Error.TILES}
    return conversation


def reading_other_bits(unit: AcceleratorUnit, opcode: Opcode) -> Conversation:
    """Programs of one descriptor, right but for a bit that is in no field: for each of these."""
    shape = shape_of(unit)
    rng = random.Random(f"{SEED}, {opcode}")
    of_fields = {
        32 * place.word + place.low_bit + bit
        for place in layout(opcode, shape.encodes).values()
        for bit in range(place.bits)
    }
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    program = Program(0, MEMORY_BYTES, MEMORY_BYTES)
    programs: list[Program] = []
    for bit in sorted({*range(8 * DESCRIPTOR_BYTES)} - of_fields):
        right = Descriptor(opcode)
        while opcode is not Opcode.END and not right.values:
            made = random_right(shape, rng, program, dict.fromkeys(STARTED, 0))
            right = made if made.opcode is opcode else right
        words = right.words()
        words[bit // 32] ^= np.uint32(1 << bit % 32)
        start = DESCRIPTOR_BYTES * len(programs)
        memory[start : start + DESCRIPTOR_BYTES] = words.view(np.uint8)
        programs.append(program._replace(start=start))
    expected, conversation = _outcomes(shape, memory, programs, 0)
    assert expected == [Outcome(Error.FIELD, 0)] * len(programs)
    return conversation


def _outcomes(
    shape: AcceleratorShape, memory: Bytes, programs: Sequence[Program], stall: float
) -> tuple[list[Outcome], Conversation]:
    """How programs end as the interpreter says; all before is given once, in order.

    So are the streams of what computes. Nothing is given of what is wrong, and no program ends
    before all that was given has.
    """
    expected = []
    given: list[Descriptor] = []
    for own_program in programs:
        windows = (Window(0, each) for each in own_program[1:])
        expected.append(Checker(shape, memory, *windows).run(own_program.start))
        for place in range(expected[-1].done):
            at = (own_program.start + place * DESCRIPTOR_BYTES) % MEMORY_BYTES
            words = memory[at : at + DESCRIPTOR_BYTES].view("<u4")
            read = decode(words, encodes=shape.encodes)
            assert isinstance(read, Descriptor)
            given += [read] if read.opcode is not Opcode.END else []
    window = random.Random(len(programs)).getrandbits(63)
    source, units, runs = Memory(shape, memory, window, stall), Units(stall), Runs(programs, window)
    numbers = [int.from_bytes(each.words().tobytes(), "little") for each in given]
    names = [next(name for name, codes in UNITS.items() if d.opcode in codes) for d in given]
    streams = [stream_of(shape, each) for each in given if each.opcode in COMPUTE]

    def check(ports: Sequence[Word]) -> int:
        assert runs.outcomes == expected
        assert units.given == [*zip(names, numbers, strict=True)]
        for weights, each in zip(units.weights, given, strict=True):
            assert each.opcode not in VECTOR or weights == weights_per_channel(each)
        assert source.asked == [(address, beats) for address, beats, _ in streams]
        for word, (*_, fields) in zip(units.streams, streams, strict=True):
            found = STREAM.from_bits(word)
            assert {name: found[name] for name in fields} == fields
        return len(expected) + len(given) + 2 * len(streams)

    return expected, Conversation([source, units, runs], check, SEED)


@pytest.mark.every(4)
@pytest.mark.parametrize("opcode", [Opcode.END, Opcode.MATRIX, Opcode.LOAD, Opcode.TABLE])
def test_bits_of_no_field(opcode: Opcode, checks: Any) -> None:
    unit = accelerator(4, 3, "8x8", 8, 32)
    own = reading_other_bits(unit, opcode)
    checks(own.check(Bench(ProgramReader(unit)).hold(own)))


@pytest.mark.every(16)
@pytest.mark.parametrize("stall", [0.3, 0.0])
@pytest.mark.parametrize(
    ("rows", "cols", "pe", "weight_bits", "data_bits"),
    [
        *((4, 6, "2x8x8", 5, 64), (4, 3, "8x8", 8, 32), (8, 4, "2x8x8", 8, 256)),
        *((8, 8, "8x8", 6, 128), (4, 8, "sparq", 8, 32)),
    ],
)
def test_program_reader(
    *, rows: int, cols: int, pe: str, weight_bits: int, data_bits: int, stall: float, checks: Any
) -> None:
    unit = accelerator(rows, cols, pe, weight_bits, data_bits)
    own = running(unit, stall)
    checks(own.check(Bench(ProgramReader(unit)).hold(own)))
