"""Parts around a scratchpad with what they are given: for their tests in every simulator."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from hdl.bus.axi4 import Axi4Bus
from hdl.memory.axi_reader import MEMORY, AxiReader
from hdl.memory.axi_writer import AxiWriter
from hdl.memory.burst_splitter import BurstSplitter
from hdl.memory.line_encoding import LineEncoding
from hdl.memory.line_loader import LineLoader
from hdl.memory.line_storer import LineStorer
from hdl.memory.line_walk import LineWalk
from hdl.memory.read_queue import ReadQueue
from hdl.memory.scratchpad import Scratchpad
from hdl.memory.scratchpad_bank import ScratchpadBank
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.memory.transfer import beat_count_bits
from sim_tb.hdl.part_case import PartCase, Random, words
from sim_tb.oracle.cycles import Agent, Chance, Source, Word
from sim_tb.oracle.memory_parts import (
    AxiReaderModel,
    AxiWriterModel,
    BurstSplitterModel,
    LineCommand,
    LineLoaderModel,
    LineStorerModel,
    LineWalkModel,
    ReadQueueModel,
    Request,
    ScratchpadBankModel,
    ScratchpadModel,
)

PAGE_BYTES = 4096
ADDRESS_BITS = 20
"""Of commands."""

BUSES = {
    "1_beat": Axi4Bus(32, 16, 1),
    "4_beats": Axi4Bus(32, 13, 4),
    "16_beats": Axi4Bus(64, 64, 16),
    "4_kib": Axi4Bus(256, 20, 128),
}
QUEUES = {"1_beat": 3, "4_beats": 4, "16_beats": 24}
READERS: dict[str, tuple[Axi4Bus, dict[str, int], int]] = {
    "1_beat": (BUSES["1_beat"], {"only": 3}, 2),
    "4_beats": (BUSES["4_beats"], {"first": 4, "second": 9}, 2),
    "16_beats": (BUSES["16_beats"], {"first": 16, "second": 40, "third": 17}, 3),
}
"""Of readers the bus, destinations and the depths of their queues, and bursts under way."""
WRITERS = {
    "1_beat": (BUSES["1_beat"], 3, 3),
    "4_beats": (BUSES["4_beats"], 4, 2),
    "16_beats": (BUSES["16_beats"], 32, 4),
}
"""Of writers the bus, the depth of the queue, and bursts under way."""
ENCODING_SHAPE = ScratchpadShape(4, 2, 16, 32)
SCRATCHPADS = {
    "2_1_2_8": ScratchpadShape(2, 1, 2, 8),
    "4_1_4_32": ScratchpadShape(4, 1, 4, 32),
    "4_2_4_32": ScratchpadShape(4, 2, 4, 32),
    "4_2_16_64": ScratchpadShape(4, 2, 16, 64),
    "4_8_2_32": ScratchpadShape(4, 8, 2, 32),
    "16_2_2_64": ScratchpadShape(16, 2, 2, 64),
}
"""Banks, bytes of a word, lines, bits of a beat."""
BANKS = {"8_2_1": (8, 2, 1), "12_8_3": (12, 8, 3)}
"""Bits of a word, words, parts."""


def requests(rng: Random, bus: Axi4Bus, count: int, around: bool = False) -> list[Request]:
    """Short and long ones, many of them near the end of a page; some ``around`` all addresses."""
    longest = 3 * (bus.max_burst if around else min(10, bus.max_burst)) + 2
    found = []
    for number in range(count):
        beats = number + 1 if number < 3 else rng.randint(1, longest)
        pages = (1 << bus.address_bits) // PAGE_BYTES
        page = rng.randrange(1, pages)
        near = PAGE_BYTES * page + rng.randint(-20, 4) * bus.beat_bytes
        last = (1 << bus.address_bits) - beats * bus.beat_bytes
        anywhere = rng.randrange(last) // bus.beat_bytes * bus.beat_bytes
        address = min(last, rng.choice((near, anywhere)))
        if around and number % 5 == 0:
            address = last + rng.randint(0, beats) * bus.beat_bytes
        found.append(Request(address % (1 << bus.address_bits), beats))
    return found


def with_low_bits(rng: Random, bus: Axi4Bus, request: Request) -> int:
    """As it is packed; what points into a beat does not count."""
    address = request.address + rng.randrange(bus.beat_bytes)
    return Request(address, request.beats).packed(bus.address_bits)


def beat_at(address: int, bits: int) -> int:
    """What memory holds there."""
    return (address * 0x9E3779B97F4A7C15F39CC0605CEDC835 >> 7) & (1 << bits) - 1


def burst_splitter(bus: Axi4Bus, long: bool = False) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        asks = requests(rng, bus, 30, around=True)
        if long:
            asks += [Request(0, 1 << bits) for bits in range(beat_count_bits(bus.address_bits))]
        offered = [{"request": with_low_bits(rng, bus, own)} for own in asks]
        source = Source(offered, "request_valid", ["request_ready"], before)
        return [source, Chance(burst_ready=1 - after)]

    return PartCase(lambda: BurstSplitter(bus), lambda: BurstSplitterModel(bus), agents)


class ReadBus(Agent):
    """Brings the beats of bursts in their order, as a memory does; some with an error.

    Parameters
    ----------
    bus : Axi4Bus
    valid, ready : str
        The ports that say that a burst is taken.
    beat : mapping
        Of ``valid``, ``data``, and where there are, ``last`` and ``response``, the ports.
    stall : float
        How often a cycle passes before the next beat is offered.
    """

    def __init__(self, bus: Axi4Bus, valid: str, ready: str, beat: Mapping[str, str], stall: float):
        self.bus = bus
        self.valid = valid
        self.ready = ready
        self.beat = beat
        self.stall = stall
        self.beats: deque[tuple[int, int]] = deque()
        """Addresses, and which end a burst."""
        self._response: int | None = None

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """No beat is to come."""
        return not self.beats

    def inputs(self, model: Any, rng: Random) -> Word:
        """A beat that is offered stays until it is taken."""
        if self.beats and self._response is None and rng.random() >= self.stall:
            self._response = rng.choice((0, 0, 0, 0, 1, 2, 3))
        offers = self._response is not None
        address, last = self.beats[0] if offers else (rng.getrandbits(16), rng.getrandbits(1))
        values = {
            "valid": int(offers),
            "data": beat_at(address, self.bus.data_bits),
            "last": last,
            "response": rng.getrandbits(2) if self._response is None else self._response,
        }
        return {port: values[name] for name, port in self.beat.items()}

    def observe(self, ports: Mapping[str, int]) -> None:
        """A burst that is taken, a beat that is."""
        if ports[self.beat["valid"]] and ports.get(f"{MEMORY}_rready", 1):
            self.beats.popleft()
            self._response = None
        if ports[self.valid] and ports[self.ready]:
            address, length = self.burst(ports)
            for number in range(length + 1):
                place = address + number * self.bus.beat_bytes
                self.beats.append((place % (1 << self.bus.address_bits), int(number == length)))
        if ports["rst"]:
            self.beats.clear()
            self._response = None

    def burst(self, ports: Mapping[str, int]) -> tuple[int, int]:
        """The address and length of the one that is taken."""
        if "burst" not in ports:
            return ports[f"{MEMORY}_araddr"], ports[f"{MEMORY}_arlen"]
        bits = self.bus.address_bits
        return ports["burst"] & (1 << bits) - 1, ports["burst"] >> bits & 0xFF


def read_queue(bus: Axi4Bus, depth: int) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = [{"request": with_low_bits(rng, bus, own)} for own in requests(rng, bus, 16)]
        beat = {"valid": "beat_valid", "data": "beat_data"}
        return [
            Source(offered, "request_valid", ["request_ready"], before),
            ReadBus(bus, "burst_valid", "burst_ready", beat, before),
            Chance(burst_ready=1 - before / 2, out_ready=1 - after),
        ]

    return PartCase(lambda: ReadQueue(bus, depth), lambda: ReadQueueModel(bus, depth), agents)


def around_reader(
    rng: Random, bus: Axi4Bus, destinations: Mapping[str, int], stall: float
) -> list[Agent]:
    """The bus, and what asks; not what takes."""
    beat = {"valid": "rvalid", "data": "rdata", "last": "rlast", "response": "rresp"}
    ports = {name: f"{MEMORY}_{port}" for name, port in beat.items()}
    found: list[Agent] = [
        ReadBus(bus, f"{MEMORY}_arvalid", f"{MEMORY}_arready", ports, stall),
        Chance(stop=stall / 4, **{f"{MEMORY}_arready": 1 - stall / 2}),
    ]
    for name in destinations:
        asks = [with_low_bits(rng, bus, own) for own in requests(rng, bus, 11)]
        offered = [{f"{name}_request": own} for own in asks]
        ready = [f"{name}_request_ready"]
        found.append(Source(offered, f"{name}_request_valid", ready, stall / 2))
    return found


def axi_reader(bus: Axi4Bus, destinations: Mapping[str, int], outstanding: int) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        takes = Chance(**{f"{name}_ready": 1 - after for name in destinations})
        return [*around_reader(rng, bus, destinations, before), takes]

    sizes = (bus, destinations, outstanding)
    return PartCase(lambda: AxiReader(*sizes), lambda: AxiReaderModel(*sizes), agents)


class WriteBus(Agent):
    """Answers bursts when it has their addresses and all their beats, in either order."""

    def __init__(self, stall: float):
        self.stall = stall
        self.addresses = 0
        self.ends = 0
        self._response: int | None = None

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All are answered."""
        return self.addresses == self.ends == 0

    def inputs(self, model: Any, rng: Random) -> Word:
        """A response that is offered stays until it is taken."""
        waits = min(self.addresses, self.ends) > 0
        if waits and self._response is None and rng.random() >= self.stall:
            self._response = rng.choice((0, 0, 0, 0, 1, 2, 3))
        offers = self._response is not None
        return {
            f"{MEMORY}_bvalid": int(offers),
            f"{MEMORY}_bresp": rng.getrandbits(2) if self._response is None else self._response,
            f"{MEMORY}_awready": int(rng.random() >= self.stall / 2),
            f"{MEMORY}_wready": int(rng.random() >= self.stall),
        }

    def observe(self, ports: Mapping[str, int]) -> None:
        """What is taken."""
        moves = {
            channel: ports[f"{MEMORY}_{channel}valid"] and ports[f"{MEMORY}_{channel}ready"]
            for channel in ("aw", "w", "b")
        }
        self.addresses += moves["aw"]
        self.ends += int(moves["w"] and ports[f"{MEMORY}_wlast"])
        if moves["b"]:
            self.addresses, self.ends, self._response = self.addresses - 1, self.ends - 1, None
        if ports["rst"]:
            self.addresses, self.ends, self._response = 0, 0, None


def axi_writer(bus: Axi4Bus, depth: int, outstanding: int) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        offered = [{"request": with_low_bits(rng, bus, own)} for own in requests(rng, bus, 10)]
        beats = [{"in_data": word} for word in words(rng, bus.data_bits, 211)]
        return [
            Source(offered, "request_valid", ["request_ready"], before / 2),
            Source(beats, "in_valid", ["in_ready"], before, endless=True),
            WriteBus(after),
            Chance(stop=before / 4),
        ]

    sizes = (bus, depth, outstanding)
    return PartCase(lambda: AxiWriter(*sizes), lambda: AxiWriterModel(*sizes), agents)


class BankAccesses(Agent):
    """So many cycles in which a word may be read, and one written."""

    def __init__(self, width: int, depth: int, parts: int, count: int, stalls: tuple[float, float]):
        self.width = width
        self.depth = depth
        self.parts = parts
        self.left = count
        self.stalls = stalls

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All were there."""
        return self.left == 0

    def inputs(self, model: Any, rng: Random) -> Word:
        """Any two words, or one."""
        self.left = max(0, self.left - 1)
        reads, writes = (rng.random() >= stall for stall in self.stalls)
        return {
            "read": int(reads),
            "read_address": rng.randrange(self.depth),
            "write": rng.getrandbits(self.parts) if writes else 0,
            "write_address": rng.randrange(self.depth),
            "write_data": rng.getrandbits(self.width),
        }


def scratchpad_bank(width: int, depth: int, parts: int) -> PartCase:
    sizes = (width, depth, parts)

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        return [BankAccesses(*sizes, 400, (after / 2, before / 2))]

    return PartCase(lambda: ScratchpadBank(*sizes), lambda: ScratchpadBankModel(*sizes), agents)


class Accesses(Agent):
    """So many cycles in which all ports may ask for something at once."""

    def __init__(self, shape: ScratchpadShape, count: int, before: float, after: float):
        self.shape = shape
        self.left = count
        self.before = before
        self.after = after

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All were there."""
        return self.left == 0

    def inputs(self, model: Any, rng: Random) -> Word:
        """What is not known is loaded first."""
        self.left = max(0, self.left - 1)
        shape = self.shape
        line, beat = rng.randrange(shape.lines), rng.randrange(shape.beats_per_line)
        unknown = model.unknown
        if unknown:
            line, beat = rng.choice(unknown)
        return {
            "patches_valid": int(rng.random() >= self.after),
            "patches_low": rng.randrange(shape.lines),
            "patches_high": rng.randrange(shape.lines),
            "patches_remainder": rng.randrange(shape.banks),
            "stores_valid": int(rng.random() < 0.2),
            "stores_line": rng.randrange(shape.lines),
            "results_valid": int(not unknown and rng.random() < 0.5),
            "results_bank": rng.randrange(shape.banks),
            "results_count": rng.choice((shape.rows, rng.randint(0, shape.rows))),
            "results_low": rng.randrange(shape.lines),
            "results_high": rng.randrange(shape.lines),
            "results_data": rng.getrandbits(shape.rows * shape.word_bits),
            "loads_valid": int(rng.random() >= self.before),
            "loads_line": line,
            "loads_beat": beat,
            "loads_data": rng.getrandbits(shape.beat_bits),
        }


def scratchpad(shape: ScratchpadShape) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        return [Accesses(shape, 200, before, after)]

    return PartCase(lambda: Scratchpad(shape), lambda: ScratchpadModel(shape), agents)


def line_commands(
    rng: Random, shape: ScratchpadShape, count: int, encoding: LineEncoding | None = None
) -> list[LineCommand]:
    """Of one line, of all of them, and of some; with an encoding half of them of whole beats of
    pairs.
    """
    line_bytes = shape.line_bits // 8
    found = []
    for number in range(count):
        lines = (1, shape.lines)[number] if number < 2 else rng.randint(1, min(3, shape.lines))
        address = rng.randrange((1 << ADDRESS_BITS) // line_bytes - lines) * line_bytes
        encoded = int(encoding is not None and number % 2)
        if encoding and encoded:
            lines = -(-lines // encoding.lines) * encoding.lines
        found.append(LineCommand(address, rng.randrange(shape.lines), lines, encoded))
    return found


def _commands(
    rng: Random, shape: ScratchpadShape, stall: float, encoding: LineEncoding | None = None
) -> list[Agent]:
    commands = line_commands(rng, shape, 24, encoding)
    offered = [{"command": own.packed(shape, ADDRESS_BITS)} for own in commands]
    return [
        Source(offered, "command_valid", ["command_ready"], stall / 2),
        Chance(request_ready=1 - stall / 2),
    ]


def line_walk(shape: ScratchpadShape, encoding: LineEncoding | None = None) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        return [*_commands(rng, shape, before, encoding), Chance(line_ready=1 - after)]

    sizes = (shape, ADDRESS_BITS, encoding)
    return PartCase(lambda: LineWalk(*sizes), lambda: LineWalkModel(*sizes), agents)


def line_loader(shape: ScratchpadShape, encoding: LineEncoding | None = None) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        beats = [{"in_data": word} for word in words(rng, shape.beat_bits, 101)]
        source = Source(beats, "in_valid", ["in_ready"], before, endless=True)
        return [*_commands(rng, shape, before, encoding), source, Chance(loads_ready=1 - after)]

    sizes = (shape, ADDRESS_BITS, encoding)
    return PartCase(lambda: LineLoader(*sizes), lambda: LineLoaderModel(*sizes), agents)


class Lines(Agent):
    """Gives what is read in the next cycle, and anything in all others."""

    def __init__(self, shape: ScratchpadShape):
        self.shape = shape
        self._line: int | None = None

    def inputs(self, model: Any, rng: Random) -> Word:
        """A line is known by its number."""
        line = rng.getrandbits(16) + self.shape.lines if self._line is None else self._line
        return {"read_data": line_at(self.shape, line)}

    def observe(self, ports: Mapping[str, int]) -> None:
        """The line that is read."""
        reads = ports["stores_valid"] and ports["stores_ready"]
        self._line = ports["stores_line"] if reads else None


def line_at(shape: ScratchpadShape, line: int) -> int:
    """What a scratchpad holds there."""
    words32 = (beat_at(32 * line + number + 1, 32) for number in range(-(-shape.line_bits // 32)))
    return sum(word << 32 * place for place, word in enumerate(words32)) % (1 << shape.line_bits)


def line_storer(shape: ScratchpadShape, encoding: LineEncoding | None = None) -> PartCase:
    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        chances = Chance(stores_ready=1 - before / 2, out_ready=1 - after)
        return [*_commands(rng, shape, before, encoding), Lines(shape), chances]

    sizes = (shape, ADDRESS_BITS, encoding)
    return PartCase(lambda: LineStorer(*sizes), lambda: LineStorerModel(*sizes), agents)


def memory_cases() -> dict[str, PartCase]:
    """All of them, by name."""
    cases = {f"burst_splitter_{name}": burst_splitter(bus) for name, bus in BUSES.items()}
    cases["burst_splitter_long"] = burst_splitter(BUSES["4_beats"], long=True)
    for name, depth in QUEUES.items():
        cases[f"read_queue_{name}"] = read_queue(BUSES[name], depth)
    for name, reader in READERS.items():
        cases[f"axi_reader_{name}"] = axi_reader(*reader)
    for name, writer in WRITERS.items():
        cases[f"axi_writer_{name}"] = axi_writer(*writer)
    for name, sizes in BANKS.items():
        cases[f"scratchpad_bank_{name}"] = scratchpad_bank(*sizes)
    for name, shape in SCRATCHPADS.items():
        cases[f"scratchpad_{name}"] = scratchpad(shape)
    for name in ("4_1_4_32", "4_2_16_64"):
        cases[f"line_walk_{name}"] = line_walk(SCRATCHPADS[name])
    for name in ("2_1_2_8", "4_1_4_32", "4_2_4_32", "4_8_2_32"):
        cases[f"line_loader_{name}"] = line_loader(SCRATCHPADS[name])
        cases[f"line_storer_{name}"] = line_storer(SCRATCHPADS[name])
    for bits in (11, 12):
        shape = ENCODING_SHAPE
        encoding = LineEncoding(shape, bits)
        cases[f"line_walk_of_{bits}b_pairs"] = line_walk(shape, encoding)
        cases[f"line_loader_of_{bits}b_pairs"] = line_loader(shape, encoding)
        cases[f"line_storer_of_{bits}b_pairs"] = line_storer(shape, encoding)
    return cases
