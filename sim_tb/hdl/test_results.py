"""The way of results back to the banks, in Amaranth's own simulator."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from hdl.accelerator.byte_table import ENTRIES
from hdl.accelerator.byte_tables import ByteTables
from hdl.accelerator.layouts import PIXEL_BITS, PIXELS, PLACE
from hdl.accelerator.result_writer import ResultWriter
from hdl.accelerator.turner import Turner
from sim_tb.hdl.banks import WriteBanks
from sim_tb.hdl.pysim import SEED, Bench, Word
from sim_tb.oracle.cycles import After, Conversation, Fixed, Script, Source, Until, moved
from sim_tb.oracle.patches import Bytes, Placed, number, pack_fields, store

STALLS = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.6), (0.3, 0.3)]
"""How often a cycle passes before a word is offered, or in which none is taken."""


class Walked(NamedTuple):
    """A tile, by the fields of :data:`PIXELS`, and its results (rows, bytes of a row)."""

    pixel: int
    lanes: int
    ends_pass: int
    ends_walk: int
    results: Bytes

    @property
    def word(self) -> int:
        """As the hardware takes it."""
        return pack_fields(PIXELS, dict(zip(dict(PIXELS), self, strict=False)))


def random_bytes(rng: Any, *shape: int) -> Bytes:
    values: Bytes = rng.integers(0, 256, shape, dtype=np.uint8)
    return values


def random_walk(rng: Any, rows: int, row_bytes: int, passes: int) -> Iterator[Walked]:
    """Some tiles of any counts, in each pass the same ones."""
    counts = rng.integers(1, rows + 1, rng.integers(1, 4)).tolist()
    first = int(rng.integers(0, 100))
    for own in range(passes):
        pixel = first
        for place, count in enumerate(counts, 1):
            ends = place == len(counts)
            results = random_bytes(rng, rows, row_bytes)
            yield Walked(pixel, count, int(ends), int(ends and own == passes - 1), results)
            pixel += count


def turned(
    walk: Sequence[Walked], steps: int, words: int, out_words: int, sums: bool
) -> list[Placed]:
    """What leaves of one walk."""
    found = []
    first = 0
    for tile in walk:
        channels = tile.results.reshape(len(tile.results), -1, steps)[: tile.lanes].swapaxes(0, 1)
        kept = channels[: out_words - first]
        if sums:
            found += [
                Placed(tile.pixel + row, 1, first + word, 0, data[row : row + 1])
                for row in range(tile.lanes)
                for word, data in enumerate(kept)
            ]
        else:
            found += [
                Placed(tile.pixel, tile.lanes, first + word, 0, data)
                for word, data in enumerate(kept)
            ]
        first += len(channels) * tile.ends_pass
    return [*found[:-1], found[-1]._replace(last=1)]


@pytest.mark.every(10)
@pytest.mark.parametrize("stalls", STALLS, ids=str)
@pytest.mark.parametrize("sums", [False, True], ids=["bytes", "sums"])
@pytest.mark.parametrize(
    ("rows", "cols", "steps"), [(2, 4, 2), (4, 4, 1), (4, 8, 4), (8, 4, 2), (2, 2, 2)]
)
def test_turner(
    rows: int, cols: int, steps: int, sums: bool, stalls: tuple[float, float], checks: Any
) -> None:
    """All words of two walks, whose last pass may not be full: each once, where it belongs."""
    rng = np.random.default_rng((SEED, rows, cols, sums))
    words = cols // steps
    of_row = 4 if sums else 1
    passes = int(rng.integers(1, 4))
    walks = [[*random_walk(rng, rows, cols * of_row, passes)] for _ in range(2)]
    out_words = (passes - 1) * words * of_row + int(rng.integers(1, words * of_row + 1))
    expected = [own for walk in walks for own in turned(walk, steps, words, out_words, sums)]
    tiles = [tile for walk in walks for tile in walk]
    results = [
        {"in_data": number(part)}
        for tile in tiles
        for row in tile.results
        for part in np.split(row, of_row)
    ]
    agents = [
        Fixed(sums=int(sums), out_words=out_words),
        Source([{"tile": own.word} for own in tiles], "tile_valid", ["tile_ready"], 0),
        Source(results, "in_valid", ["in_ready"], stalls[0]),
        Until("out", len(expected), stalls[1]),
    ]
    ports = Bench(Turner(rows, cols, steps)).converse(agents, random.Random(SEED))
    found = moved(ports, "out", "out_data", "out_place")
    assert [place for _, place in found] == [own.place for own in expected]
    for (data, _), own in zip(found, expected, strict=True):
        assert data & (1 << 8 * own.data.size) - 1 == number(own.data)
    finished = [own["finished"] for own in ports]
    assert sum(finished) == 2
    ends = [own["out_valid"] and own["out_ready"] and own["out_place"] >> 47 for own in ports]
    assert ends == finished, "something is left behind the last word"
    checks(2 * len(found))
    if not any(stalls):
        first = [own["in_ready"] for own in ports].index(1)
        (*_, last) = (cycle for cycle, own in enumerate(ports) if own["finished"])
        assert last - first == sum(
            turning_cycles(walk, rows, words, out_words, sums) for walk in walks
        )


def turning_cycles(
    walk: Sequence[Walked], rows: int, words: int, out_words: int, sums: bool
) -> int:
    """From the first row to the last word."""
    cycles = first = 0
    for tile in walk:
        if sums:
            left = [min(words, max(0, out_words - first - part * words)) for part in range(4)]
            cycles += tile.lanes * sum(max(1, own) for own in left) + (rows - tile.lanes) * 4
            cycles += tile.ends_walk and (tile.lanes < rows or not left[-1])
        else:
            cycles += rows + min(words, out_words - first) - 1
        first += words * (4 if sums else 1) * tile.ends_pass
    return cycles


def writing(rows: int, steps: int, stalls: Sequence[float]) -> Conversation:
    """Part of a tensor's channels, from any line on: what is around it stays."""
    rng = np.random.default_rng((SEED, rows))
    words, channel, pitch, base = 2, 1, 4, 11
    tensor = random_bytes(rng, 5 * rows, words, steps)
    banks = random_bytes(rng, 2 * rows, LINES, steps)
    wanted = banks.copy()
    store(wanted, tensor, base, pitch, channel)
    placed = []
    start = 0
    while start < len(tensor):
        count = min(int(rng.integers(1, rows + 1)), len(tensor) - start)
        pixels = tensor[start : start + count]
        placed += [
            Placed(start, count, channel + word, 0, pixels[:, word]) for word in range(words)
        ]
        start += count
    placed[-1] = placed[-1]._replace(last=1)
    agents = [
        Fixed(base=base, pitch=pitch),
        Source(
            [{"in_data": number(own.data), "in_place": own.place} for own in placed],
            "in_valid",
            ["in_ready"],
            stalls[0],
        ),
        WriteBanks(banks, stalls[1]),
    ]

    def check(ports: Sequence[Word]) -> int:
        assert (banks == wanted).all()
        writes = [own["write_valid"] and own["write_ready"] for own in ports]
        assert [own["done"] for own in ports].index(1) == len(writes) - 1 - writes[::-1].index(1)
        assert sum(own["done"] for own in ports) == 1
        if not any(stalls):
            assert writes[1 : len(placed) + 1] == [1] * len(placed)
        return banks.size

    return Conversation(agents, check, SEED)


LINES = 16
"""Of the banks of a tensor."""


@pytest.mark.every(6)
@pytest.mark.parametrize("stalls", STALLS, ids=str)
@pytest.mark.parametrize(("rows", "steps"), [(2, 1), (4, 2), (8, 4)])
def test_writer(rows: int, steps: int, stalls: tuple[float, float], checks: Any) -> None:
    own = writing(rows, steps, stalls)
    checks(own.check(Bench(ResultWriter(rows, steps, LINES)).hold(own)))


MOST_LINES = 1 << 16


def writing_anywhere(rows: int, steps: int, stall: float, seed: int) -> Conversation:
    """Words of any places, into banks that have as many lines as there may be."""
    rng = np.random.default_rng((SEED, rows, seed))
    banks = np.zeros((2 * rows, MOST_LINES, steps), np.uint8)
    wanted = banks.copy()
    base, pitch = rng.integers(0, MOST_LINES, 2).tolist()
    offered = []
    for _ in range(60):
        count = int(rng.integers(1, rows + 1))
        pixel = int(rng.integers(0, (1 << PIXEL_BITS) - rows))
        channel, last = int(rng.integers(0, 1 << 16)), int(rng.integers(0, 2))
        own = Placed(pixel, count, channel, last, random_bytes(rng, count, steps))
        offered.append({"in_data": number(own.data), "in_place": own.place})
        for place, data in enumerate(own.data, pixel):
            block, bank = divmod(place, len(banks))
            wanted[bank, (base + block * pitch + channel) % MOST_LINES] = data
    agents = [
        Fixed(base=base, pitch=pitch),
        Source(offered, "in_valid", ["in_ready"], stall),
        WriteBanks(banks, stall),
    ]

    def check(ports: Sequence[Word]) -> int:
        assert (banks == wanted).all()
        lasts = [own["in_place"] >> PLACE_LAST & 1 for own in offered]
        dones = [own["done"] for own in ports if own["write_valid"] and own["write_ready"]]
        assert dones == lasts
        assert sum(own["done"] for own in ports) == sum(lasts)
        return len(offered)

    return Conversation(agents, check, SEED)


PLACE_LAST = PLACE["last"].offset


@pytest.mark.parametrize("seed", range(2))
def test_writer_anywhere(seed: int, checks: Any) -> None:
    own = writing_anywhere(2, 1, 0.4 * seed, seed)
    checks(own.check(Bench(ResultWriter(2, 1, MOST_LINES)).hold(own)))


def looking_up(rows: int, steps: int, applies: int, stalls: Sequence[float]) -> Conversation:
    """A second table replaces the first one; every byte of every lane is looked up, or none."""
    rng = np.random.default_rng((SEED, rows))
    tables = random_bytes(rng, 2, ENTRIES)
    words = [np.arange(ENTRIES, dtype=np.uint8), random_bytes(rng, 20 * rows * steps)]
    inputs = [own.reshape(-1, rows, steps) for own in words]
    loads: list[Word] = [
        {"load_valid": 1, "load_data": number(own)} for own in tables.reshape(-1, 4)
    ]
    places = [int(own) for own in rng.integers(0, 1 << PLACE.size, sum(map(len, inputs)))]
    offered = [word for own in inputs for word in own]
    source = [
        {"in_data": number(word), "in_place": own}
        for own, word in zip(places, offered, strict=True)
    ]
    agents = [
        Fixed(applies=applies),
        Script(loads),
        After(len(loads), Source(source, "in_valid", ["in_ready"], stalls[0])),
        Until("out", len(source), stalls[1]),
    ]

    def check(ports: Sequence[Word]) -> int:
        loaded = [cycle for cycle, own in enumerate(ports) if own["loaded"]]
        assert loaded == [len(loads) // 2 - 1, len(loads) - 1]
        wanted = [number(tables[1][word] if applies else word) for word in offered]
        assert moved(ports, "out", "out_data") == wanted
        assert moved(ports, "out", "out_place") == places
        if not any(stalls):
            cycles = [cycle for cycle, own in enumerate(ports) if own["out_valid"]]
            each = steps if applies else 1
            first = len(loads) + (steps if applies else 0)
            assert cycles == [first + each * place for place in range(len(source))]
        return 2 * len(source)

    return Conversation(agents, check, SEED)


@pytest.mark.every(10)
@pytest.mark.parametrize("stalls", STALLS, ids=str)
@pytest.mark.parametrize("applies", [1, 0])
@pytest.mark.parametrize(("rows", "steps"), [(2, 1), (4, 2), (2, 4)])
def test_tables(
    rows: int, steps: int, applies: int, stalls: tuple[float, float], checks: Any
) -> None:
    own = looking_up(rows, steps, applies, stalls)
    checks(own.check(Bench(ByteTables(rows, steps)).hold(own)))
