# amaranth: UnusedElaboratable=no
"""Scratchpads, and what moves data between them and memory: what their models do not say."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from hdl.bus.axi4 import Axi4Bus
from hdl.memory.axi_reader import MEMORY, AxiReader
from hdl.memory.axi_writer import AxiWriter
from hdl.memory.read_queue import ReadQueue
from hdl.memory.scratchpad import Scratchpad
from hdl.memory.scratchpad_shape import ScratchpadShape
from sim_tb.hdl.memory_cases import (
    ADDRESS_BITS,
    BUSES,
    PAGE_BYTES,
    READERS,
    SCRATCHPADS,
    WRITERS,
    around_reader,
    beat_at,
    line_at,
    memory_cases,
)
from sim_tb.hdl.part_case import STALLS, PartCase, Random
from sim_tb.hdl.part_cases import CASES
from sim_tb.hdl.parts import compare, ports_of, run_part
from sim_tb.hdl.pysim import SEED, Word, clock
from sim_tb.oracle.cycles import Agent, Chance, Source, moved
from sim_tb.oracle.memory_parts import AxiReaderModel, LineCommand, Request

NAMES = list(memory_cases())
MOVERS = [f"line_{way}_{size}" for way in ("loader", "storer") for size in SCRATCHPADS]
"""Of bytes; what moves stored pairs has the model of its cases alone."""


@pytest.mark.every(94)
@pytest.mark.parametrize("after", STALLS)
@pytest.mark.parametrize("before", STALLS)
@pytest.mark.parametrize("name", NAMES)
def test_part_is_its_model(name: str, before: float, after: float, checks: Any) -> None:
    """In every cycle: outputs, and when they come."""
    cycles = CASES[name].cycles(SEED, before, after)
    checks(compare(name, SEED, cycles, run_part(name, cycles)))


@pytest.mark.every(10)
@pytest.mark.parametrize("name", NAMES)
def test_resets(name: str, checks: Any) -> None:
    """What is held is lost, and nothing else."""
    seed = SEED + 1
    cycles = CASES[name].cycles(seed, 0.2, 0.3, resets=0.04)
    assert any(own.given["rst"] for own in cycles)
    checks(compare(name, seed, cycles, run_part(name, cycles)))


def trace(name: str, before: float = 0.2, after: float = 0.5) -> list[Word]:
    """All ports in each cycle, of the component itself."""
    cycles = CASES[name].cycles(SEED + 2, before, after)
    return ports_of(cycles, run_part(name, cycles))


def requests_of(ports: list[Word], prefix: str, bus: Axi4Bus) -> list[Request]:
    """What was asked for: the address of the first beat, and how many."""
    packed = moved(ports, f"{prefix}request", f"{prefix}request")
    found = [Request.unpacked(word, bus.address_bits) for word in packed]
    return [Request(own.address & -bus.beat_bytes, own.beats) for own in found]


def places_of(bus: Axi4Bus, found: list[Request]) -> list[int]:
    """The addresses of all beats, in order."""
    size = bus.beat_bytes
    places = (own.address + place * size for own in found for place in range(own.beats))
    return [place % (1 << bus.address_bits) for place in places]


def on_bus(ports: list[Word], channel: str, *names: str) -> list[Any]:
    """What moved on a channel of the bus, likewise."""
    valid, ready = (f"{MEMORY}_{channel}{name}" for name in ("valid", "ready"))
    renamed = [own | {"bus_valid": own[valid], "bus_ready": own[ready]} for own in ports]
    return moved(renamed, "bus", *names)


def cycle_of(ports: list[Word], *names: str) -> int:
    """The first cycle in which all of these are 1."""
    return next(place for place, own in enumerate(ports) if all(own[name] for name in names))


@pytest.mark.every(6)
@pytest.mark.parametrize("name", BUSES)
def test_bursts(name: str) -> None:
    """They cover the requests in order, stay in their pages, and are as long as they can be."""
    bus, ports = BUSES[name], trace(f"burst_splitter_{name}")
    words = moved(ports, "burst", "burst")
    bits, size = bus.address_bits, bus.beat_bytes
    found = [Request(word & (1 << bits) - 1, (word >> bits & 0xFF) + 1) for word in words]
    requests = requests_of(ports, "", bus)
    assert places_of(bus, found) == places_of(bus, requests)
    assert max(own.beats for own in found) == bus.max_burst
    lasts = [word >> bits + 8 for word in words]
    assert sum(lasts) == len(requests) == 30
    for own, following, last in zip(found, [*found[1:], None], lasts, strict=True):
        end = own.address + own.beats * size
        assert own.address // PAGE_BYTES == (end - 1) // PAGE_BYTES
        assert last or (end % (bus.max_burst * size) == 0 and following)


@pytest.mark.every(6)
@pytest.mark.parametrize("name", list(READERS)[::-1])
def test_reads_find_their_destination(name: str) -> None:
    """Each has what it asked for, in order; the bus is never held up, nor asked for too much."""
    bus, destinations, outstanding = READERS[name]
    ports = trace(f"axi_reader_{name}", 0.2, 0.5)
    for destination in destinations:
        requests = requests_of(ports, f"{destination}_", bus)
        assert len(requests) == 11
        got = moved(ports, destination, f"{destination}_data")
        assert got == [beat_at(place, bus.data_bits) for place in places_of(bus, requests)]
    under_way, most, errors = 0, 0, 0
    for own in ports:
        axi = {key.removeprefix(f"{MEMORY}_"): value for key, value in own.items()}
        assert axi["rready"] or not axi["rvalid"]
        assert own["busy"] == (under_way > 0 or axi["arvalid"])
        under_way += axi["arvalid"] and axi["arready"]
        most = max(most, under_way)
        under_way -= axi["rvalid"] and axi["rlast"]
        errors += own["error"]
    responses = on_bus(ports, "r", f"{MEMORY}_rresp")
    assert errors == sum(response >= 2 for response in responses) > 0
    assert under_way == 0
    assert most <= outstanding
    assert most == outstanding or name != "4_beats"


def run_reader(
    bus: Axi4Bus,
    destinations: dict[str, int],
    stall: float,
    takes: Callable[[list[Request]], Agent],
) -> list[Word]:
    """All ports of a reader in each cycle; ``takes`` is told the requests of the last one."""

    def agents(rng: Random, before: float, after: float) -> list[Agent]:
        around = around_reader(rng, bus, destinations, before)
        asked = around[-1]
        assert isinstance(asked, Source)
        packed = (word for own in asked.words for word in own.values())
        return [*around, takes([Request.unpacked(word, bus.address_bits) for word in packed])]

    sizes = (bus, destinations, 4)
    case = PartCase(lambda: AxiReader(*sizes), lambda: AxiReaderModel(*sizes), agents)
    cycles = case.cycles(SEED, stall, 0)
    return ports_of(cycles, clock(case.component(), [own.given for own in cycles]))


def test_latency_of_reads() -> None:
    """From a request to its burst, from a beat to its destination; beats one behind the other."""
    ports = run_reader(BUSES["4_beats"], {"first": 24}, 0, lambda _: Chance(first_ready=1))
    asked = cycle_of(ports, "first_request_valid", "first_request_ready")
    assert cycle_of(ports, f"{MEMORY}_arvalid") == asked + 2
    beats = [own[f"{MEMORY}_rvalid"] for own in ports]
    first = beats.index(1)
    assert sum(beats) > 20
    assert all(beats[first : first + sum(beats)])
    assert [own["first_valid"] for own in ports[first + 2 :]] == beats[first:-2]


class SlowMemory(Agent):
    """Takes all bursts, and brings their beats so many cycles later; all else never waits."""

    def __init__(self, cycles: int):
        self.cycles = cycles
        self.cycle = 0
        self.beats: deque[tuple[int, int]] = deque()
        """When each comes, and whether it ends its burst."""

    def inputs(self, model: Any, rng: Random) -> Word:
        """One request, in the first cycle."""
        valid = bool(self.beats and self.beats[0][0] <= self.cycle)
        axi = {"arready": 1, "rvalid": int(valid), "rlast": self.beats[0][1] if valid else 0}
        return {f"{MEMORY}_{name}": value for name, value in axi.items()} | {
            **{"only_request_valid": int(self.cycle == 0), "only_ready": 1, "stop": 0},
            **{"only_request": Request(0, 200).packed(16), f"{MEMORY}_rdata": self.cycle},
            f"{MEMORY}_rresp": 0,
        }

    def observe(self, ports: Mapping[str, int]) -> None:
        """The bus is always ready."""
        if ports[f"{MEMORY}_rvalid"]:
            self.beats.popleft()
        if ports[f"{MEMORY}_arvalid"]:
            length = ports[f"{MEMORY}_arlen"]
            comes = self.cycle + self.cycles
            self.beats += [(comes, int(place == length)) for place in range(length + 1)]
        self.cycle += 1


@pytest.mark.every(8)
@pytest.mark.parametrize(("longest", "cycles"), [(4, 5), (1, 2), (16, 20), (4, 1)])
def test_what_keeps_pace(longest: int, cycles: int) -> None:
    """A queue of the size that is stated never lets the bus idle; a smaller one does."""
    bus = Axi4Bus(32, 16, longest)
    depth, outstanding = cycles + longest + 3, -(-(cycles + longest + 1) // longest)

    def idles(depth: int, outstanding: int) -> bool:
        sizes = (bus, {"only": depth}, outstanding)
        case = PartCase(
            lambda: AxiReader(*sizes),
            lambda: AxiReaderModel(*sizes),
            lambda rng, before, after: [SlowMemory(cycles)],
        )
        given = [own.given for own in case.cycles(SEED, 0, 0)]
        ready = [own["only_valid"] for own in clock(case.component(), given)]
        assert sum(ready) == 200
        first = ready.index(1)
        return not all(ready[first : first + 200])

    assert not idles(depth, outstanding)
    assert idles(depth - 1, outstanding)
    if outstanding > 2:
        assert idles(depth, outstanding - 1)


class Later(Agent):
    """What takes nothing from ``first`` before all has come for ``second``."""

    def __init__(self, expected: int):
        self.left = expected

    def inputs(self, model: Any, rng: Random) -> Word:
        """The second one always takes."""
        return {"first_ready": int(self.left == 0), "second_ready": 1}

    def observe(self, ports: Mapping[str, int]) -> None:
        """What comes for it."""
        self.left -= ports["second_valid"]


def test_a_destination_that_takes_nothing() -> None:
    """What it asked for waits for it, in its own queue; the others go on."""
    bus, destinations = BUSES["4_beats"], {"first": 8, "second": 8}
    ports = run_reader(bus, destinations, 0.2, lambda asked: Later(sum(own.beats for own in asked)))
    valid = [own["first_valid"] for own in ports]
    last = max(place for place, own in enumerate(ports) if own["second_valid"])
    assert all(valid[valid.index(1) : last])
    for name in destinations:
        places = places_of(bus, requests_of(ports, f"{name}_", bus))
        got = moved(ports, name, f"{name}_data")
        assert got == [beat_at(place, bus.data_bits) for place in places]


@pytest.mark.every(6)
@pytest.mark.parametrize("name", list(WRITERS)[::-1])
def test_writes_find_their_place(name: str) -> None:
    """Every beat where its request says; a request is done when all its bursts are answered."""
    bus, _, outstanding = WRITERS[name]
    ports = trace(f"axi_writer_{name}", 0.2, 0.5)
    requests = requests_of(ports, "", bus)
    given = moved(ports, "in", "in_data")
    bursts = on_bus(ports, "aw", f"{MEMORY}_awaddr", f"{MEMORY}_awlen")
    beats = on_bus(ports, "w", f"{MEMORY}_wdata", f"{MEMORY}_wlast")
    places = places_of(bus, requests)
    assert places_of(bus, [Request(address, length + 1) for address, length in bursts]) == places
    assert [word for word, _ in beats] == given[: len(places)]
    ends = [place == length for _, length in bursts for place in range(length + 1)]
    assert [bool(last) for _, last in beats] == ends

    # Of each request the burst that ends it.
    last_bursts = np.cumsum([own.beats for own in requests])
    burst_ends = np.cumsum([length + 1 for _, length in bursts])
    expected = [int(end in last_bursts) for end in burst_ends]
    answers = on_bus(ports, "b", "done", "error", f"{MEMORY}_bresp")
    assert [done for done, _, _ in answers] == expected
    assert [error for _, error, _ in answers] == [response >= 2 for _, _, response in answers]
    assert sum(own["done"] for own in ports) == len(requests) == 10
    assert sum(own["error"] for own in ports) == sum(error for _, error, _ in answers) > 0
    begun = answered = 0
    for own in ports:
        begun += own[f"{MEMORY}_awvalid"] and own[f"{MEMORY}_awready"]
        assert begun - answered <= outstanding
        assert own["busy"] or begun == answered
        answered += own[f"{MEMORY}_bvalid"] and own[f"{MEMORY}_bready"]


def test_latency_of_writes() -> None:
    """A burst goes two cycles after its last beat came; its beats follow without a gap."""
    bus = Axi4Bus(32, 16, 8)
    given = {f"{MEMORY}_awready": 1, f"{MEMORY}_wready": 1, "rst": 0}
    given |= {"request_valid": 1, "request": Request(0, 8).packed(16)}
    inputs = [given | {"in_valid": int(5 <= cycle < 13), "in_data": cycle} for cycle in range(30)]
    outputs = clock(AxiWriter(bus, 16), inputs)
    assert [own[f"{MEMORY}_awvalid"] for own in outputs].index(1) == 12 + 2
    beats = [(place, own) for place, own in enumerate(outputs) if own[f"{MEMORY}_wvalid"]]
    assert [place for place, _ in beats] == [*range(14, 22)]
    assert [own[f"{MEMORY}_wdata"] for _, own in beats] == [*range(5, 13)]
    # Beats that are there before their request.
    inputs = [own | {"request_valid": int(cycle == 20)} for cycle, own in enumerate(inputs)]
    outputs = clock(AxiWriter(bus, 16), inputs)
    assert [own[f"{MEMORY}_awvalid"] for own in outputs].index(1) == 20 + 2


def tensor_line(base: int, pixel: int, pitch: int, word: int, shape: ScratchpadShape) -> int:
    """Where channel word ``word`` of a pixel is."""
    return (base + pixel // shape.banks * pitch + word) % shape.lines


@pytest.mark.every(8)
@pytest.mark.parametrize(
    "shape",
    [
        ScratchpadShape(8, 2, 32, 32),
        ScratchpadShape(4, 1, 16, 32),
        ScratchpadShape(16, 4, 16, 128),
        ScratchpadShape(4, 8, 16, 32),
    ],
    ids=lambda shape: f"{shape.banks}_{shape.word_bytes}",
)
def test_tensors(shape: ScratchpadShape) -> None:
    """What is written as words of pixels is read as words of pixels, and as lines."""
    rng = np.random.default_rng(SEED)
    banks, size = shape.banks, shape.word_bytes
    pitch, base = 3, shape.lines - 5
    pixels = banks * (shape.lines // pitch) - 3
    tensor = rng.integers(0, 256, (pixels, pitch, size), np.uint8)
    inputs: list[Word] = []
    writes = []
    for word in range(pitch):
        start = 0
        while start < pixels:
            count = min(int(rng.integers(1, shape.rows + 1)), pixels - start)
            writes.append((word, start, count))
            start += count
    for order in rng.permutation(len(writes)):
        word, start, count = writes[order]
        data = rng.integers(0, 256, (shape.rows, size), np.uint8)
        data[:count] = tensor[start : start + count, word]
        low, high = (tensor_line(base, p, pitch, word, shape) for p in (start, start + banks))
        inputs.append(
            {
                "results_valid": 1,
                "results_bank": start % banks,
                "results_count": count,
                "results_low": low,
                "results_high": high,
                "results_data": int.from_bytes(data.tobytes(), "little"),
            }
        )
    first_read = len(inputs)
    reads = [(int(rng.integers(0, pixels - banks)), int(rng.integers(0, pitch))) for _ in range(30)]
    for start, word in reads:
        low, high = (tensor_line(base, p, pitch, word, shape) for p in (start, start + banks))
        inputs.append(
            {
                "patches_valid": 1,
                "patches_low": low,
                "patches_high": high,
                "patches_remainder": start % banks,
            }
        )
    whole_lines = range(pixels // banks)
    for line in whole_lines:
        place = tensor_line(base, line * banks, pitch, 1, shape)
        inputs.append({"stores_valid": 1, "stores_line": place})
    outputs = clock(Scratchpad(shape), [*inputs, {}])
    found = [
        np.frombuffer(own["read_data"].to_bytes(banks * size, "little"), np.uint8)
        for own in outputs[first_read + 1 :]
    ]
    for (start, word), own in zip(reads, found, strict=False):
        lanes = (start + np.arange(banks)) % banks
        assert (own.reshape(banks, size)[lanes] == tensor[start : start + banks, word]).all()
    for line, own in zip(whole_lines, found[len(reads) :], strict=True):
        assert (own == tensor[line * banks :][:banks, 1].ravel()).all()


@pytest.mark.every(10)
@pytest.mark.parametrize("name", MOVERS)
def test_lines(name: str) -> None:
    """All beats of all lines, in order; the request is that of the lines."""
    shape = SCRATCHPADS[name.split("_", 2)[2]]
    ports = trace(name)
    packed = moved(ports, "command", "command")
    commands = [LineCommand.unpacked(word, shape, ADDRESS_BITS) for word in packed]
    assert len(commands) == 24
    beats = shape.beats_per_line
    assert [Request.unpacked(own, ADDRESS_BITS) for own in moved(ports, "request", "request")] == [
        Request(own.address, own.lines * beats) for own in commands
    ]
    lines = [(own.line + number) % shape.lines for own in commands for number in range(own.lines)]
    if name.startswith("line_storer"):
        assert moved(ports, "stores", "stores_line") == lines
        whole = [line_at(shape, line) for line in lines]
        mask = (1 << shape.beat_bits) - 1
        assert moved(ports, "out", "out_data") == [
            line >> shape.beat_bits * place & mask for line in whole for place in range(beats)
        ]
        return
    loads = moved(ports, "loads", "loads_line", "loads_beat", "loads_data", "done")
    assert [own[:2] for own in loads] == [(line, beat) for line in lines for beat in range(beats)]
    assert [own[2] for own in loads] == moved(ports, "in", "in_data")
    ends = np.cumsum([own.lines * beats for own in commands]) - 1
    assert [place for place, own in enumerate(loads) if own[3]] == list(ends)
    assert sum(own["done"] for own in ports) == len(commands)


@pytest.mark.every(8)
@pytest.mark.parametrize("name", ["4_1_4_32", "2_1_2_8", "4_2_4_32", "4_8_2_32"])
def test_latency_of_lines(name: str) -> None:
    """From a command to its first line and beat; then beats without a gap."""
    ports = trace(f"line_storer_{name}", 0, 0)
    taken = cycle_of(ports, "command_valid", "command_ready")
    assert cycle_of(ports, "stores_valid", "stores_ready") == taken + 2
    valid = [own["out_valid"] for own in ports]
    assert valid.index(1) == taken + 4
    assert all(valid[taken + 4 : taken + 4 + sum(valid)])
    ports = trace(f"line_loader_{name}", 0, 0)
    taken = cycle_of(ports, "command_valid", "command_ready")
    assert cycle_of(ports, "loads_valid") == taken + 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Axi4Bus(48), "data_bits must be one of 32, 64, 128, 256, not 48"),
        (lambda: Axi4Bus(True), "data_bits must be one of 32, 64, 128, 256, not True"),
        (lambda: Axi4Bus(32, 12), "address_bits must be an integer from 13 to 64, not 12"),
        (lambda: Axi4Bus(32, 65), "address_bits must be an integer from 13 to 64, not 65"),
        (
            lambda: Axi4Bus(32, 32, 12),
            "max_burst must be a power of two from 1 to 256 with beats of 32 bits, not 12",
        ),
        (
            lambda: Axi4Bus(256, 32, 256),
            "max_burst must be a power of two from 1 to 128 with beats of 256 bits, not 256",
        ),
        (
            lambda: ScratchpadShape(3, 2, 8, 32),
            "banks must be a power of two from 2 to 128, not 3",
        ),
        (
            lambda: ScratchpadShape(4, 6, 8, 32),
            "word_bytes must be a power of two from 1 to 32, not 6",
        ),
        (
            lambda: ScratchpadShape(4, 2, 1, 32),
            "lines must be a power of two from 2 to 65536, not 1",
        ),
        (
            lambda: ScratchpadShape(4, 2, 8, 128),
            "beat_bits must be a power of two from 8 to 64, not 128",
        ),
        (
            lambda: ReadQueue(Axi4Bus(32, 32, 16), 15),
            "depth must be an integer from 16 with bursts of 16, not 15",
        ),
        (
            lambda: AxiReader(Axi4Bus(32, 32, 16), {"a": 16, "b": 2}),
            "depth of b must be an integer from 16 with bursts of 16, not 2",
        ),
        (
            lambda: AxiReader(Axi4Bus(32, 32, 1), {"a": 4}, 1),
            "outstanding must be an integer from 2, not 1",
        ),
        (
            lambda: AxiWriter(Axi4Bus(32, 32, 1), 2),
            "depth must be an integer from 3 with bursts of 1, not 2",
        ),
        (
            lambda: AxiWriter(Axi4Bus(32, 32, 1), 4, 0),
            "outstanding must be an integer from 2, not 0",
        ),
    ],
)
def test_refusals(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()
