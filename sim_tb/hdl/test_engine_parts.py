"""Parts of the matrix engine in Amaranth's own simulator."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from amaranth.sim import Simulator

from golden import SparqFormat
from golden.engine import Command, EngineShape, busy_cycles
from hdl.catalogue import MacUnit
from hdl.engine.engine_unit import EngineUnit
from hdl.engine.gemm_core import GemmCore
from sim_tb.hdl.accelerator_cases import accelerator_cases
from sim_tb.hdl.memory_cases import memory_cases
from sim_tb.hdl.part_case import STALLS
from sim_tb.hdl.part_cases import CASES, ENCODED_OUTPUTS, SIGNED, all_planes
from sim_tb.hdl.parts import compare, ports_of, run_part
from sim_tb.hdl.pysim import SEED, Word
from sim_tb.oracle.cycles import moved
from sim_tb.oracle.engine_parts import command_fields

STAGES = ("fifo", "register", "upsizer", "downsizer", "gearbox")
OTHERS = memory_cases() | accelerator_cases()
NAMES = [name for name in CASES if not name.startswith(STAGES) and name not in OTHERS]
PLANES = {str(len(masks)): masks for masks in all_planes()} | {"none": ()}
RATES = [(before, after) for before in STALLS for after in STALLS]


def of(kind: str) -> list[str]:
    return [name for name in NAMES if name.startswith(kind)]


@pytest.mark.every(24)
@pytest.mark.parametrize("rates", RATES, ids=lambda rates: f"{rates[0]}-{rates[1]}")
@pytest.mark.parametrize("name", NAMES)
def test_part_is_its_model(name: str, rates: tuple[float, float], checks: Any) -> None:
    """In every cycle, also while something is reset: outputs, and when they come."""
    cycles = CASES[name].cycles(SEED, *rates)
    checks(compare(name, SEED, cycles, run_part(name, cycles)))


@pytest.mark.parametrize("name", NAMES)
def test_resets(name: str, checks: Any) -> None:
    """What is held is lost, and nothing else."""
    seed = SEED + 1
    cycles = CASES[name].cycles(seed, 0.2, 0.3, resets=0.02)
    assert any(own.given["rst"] for own in cycles)
    checks(compare(name, seed, cycles, run_part(name, cycles)))


def trace(name: str, before: float = 0.2, after: float = 0.5) -> list[Word]:
    """All ports in each cycle, of the component itself."""
    cycles = CASES[name].cycles(SEED + 2, before, after)
    return ports_of(cycles, run_part(name, cycles))


@pytest.mark.parametrize("name", of("weight_buffer"))
def test_weights_are_repeated(name: str) -> None:
    """Those of each column of tiles as often as it has tiles."""
    ports = trace(name)
    taken = iter(moved(ports, "in", "in_data"))
    expected = []
    for word in moved(ports, "command", "command"):
        tiles, columns, depth, *_ = command_fields(word)
        for _ in range(columns):
            expected += [next(taken) for _ in range(depth)] * tiles
    assert next(taken, None) is None
    assert moved(ports, "out", "out_data") == expected


@pytest.mark.parametrize("name", of("weight_buffer"))
def test_weights_load_while_others_are_read(name: str) -> None:
    """Slices come and go in the same cycles."""
    ports = trace(name, 0, 0)
    both = [own["in_valid"] and own["in_ready"] and own["out_valid"] for own in ports]
    assert sum(both) > 20


@pytest.mark.parametrize("name", of("tile_walk"))
def test_walk(name: str) -> None:
    """Each slice once, with what it is; as many tiles under way as there is room, and no more."""
    ports = trace(name, 0.1, 0.5)
    room = int(name.rpartition("_")[2])
    expected = []
    for word in moved(ports, "command", "command"):
        tiles, columns, depth, exact, sums, encoded = command_fields(word)
        for column in range(columns):
            for tile in range(tiles):
                column_ends = tile == tiles - 1
                command_ends = column_ends and column == columns - 1
                what = sums | column_ends << 1 | command_ends << 2 | encoded << 3
                expected += [(0, exact, None)] * (depth - 1) + [(1, exact, what)]
    slices = moved(ports, "slice", "slice_last", "slice_exact", "tile")
    assert [(last, exact, tile if last else None) for last, exact, tile in slices] == expected
    under_way, most = 0, 0
    for own in ports:
        under_way += bool(own["slice_valid"] and own["slice_ready"] and own["slice_last"])
        most = max(most, under_way)
        under_way -= own["finished"]
    assert most == room
    assert under_way == 0


def tiles_of(words: list[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    """Words by tiles: the last value of each says whether it ends one."""
    ends = [0, *(place for place, word in enumerate(words, 1) if word[-1])]
    assert ends[-1] == len(words)
    yield from (words[start:end] for start, end in pairwise(ends))


@pytest.mark.every(8)
@pytest.mark.parametrize("name", [*PLANES, *SIGNED])
@pytest.mark.parametrize("group", [1, 2, 4, 8])
def test_planes(group: int, name: str) -> None:
    """Tiles, exact or not, in any order: passes are planes of slices, as many as in golden."""
    ports = trace(f"plane_splitter_{group}_{name}")
    fmt = SIGNED.get(name)
    masks = fmt.exact_planes if fmt else PLANES[name]
    width = fmt.activation_bits if fmt else 8
    came = list(tiles_of(moved(ports, "in", "in_data", "in_exact", "in_last")))
    left = list(tiles_of(moved(ports, "out", "out_data", "out_last")))
    assert {tile[0][1] for tile in came} == {0, 1}
    assert len(came) == len(left)
    shape = EngineShape(1, 1, 1, 1, group, len(masks), 1, 0, 2)
    for slices, passes in zip(came, left, strict=True):
        exact = bool(slices[0][1])
        command = Command(1, 1, len(slices), exact)
        assert len(passes) == busy_cycles(shape, command)
        if not exact or len(masks) < 2:
            assert [word for word, _ in passes] == [word for word, *_ in slices]
            continue
        for at in range(0, len(slices), group):
            own = [word for word, *_ in slices[at : at + group]]
            own += [0] * (group - len(own))
            again = [word for word, _ in passes[at * len(masks) : (at + group) * len(masks)]]
            again += [0] * (group * len(masks) - len(again))
            for place, word in enumerate(own):
                parts = again[place::group]
                for activation in range(2):
                    values = [value_of(each >> activation * width, fmt) for each in (word, *parts)]
                    whole, *of_planes = values
                    sign = -1 if whole < 0 else 1
                    assert of_planes == [sign * (abs(whole) & mask) for mask in masks]
                assert {part >> 2 * width for part in parts} == {word >> 2 * width}


def value_of(word: int, fmt: SparqFormat | None) -> int:
    """The activation in the low bits of a word; a 0 has no sign."""
    if fmt is None:
        return word & 0xFF
    magnitude, negative = word & fmt.magnitude_max, word >> fmt.magnitude_bits & 1
    assert magnitude or not negative
    return -magnitude if negative else magnitude


@pytest.mark.parametrize("name", of("output_stage"))
def test_output(name: str) -> None:
    """Bytes and sums both leave, rows in words of the lanes; a set of parameters is freed."""
    rows, cols, lanes, _ = map(int, name.split("_")[2:6])
    fmt = ENCODED_OUTPUTS[name.split("_")[6]][1] if name.endswith("opt") else None
    ports = trace(name)
    rows_taken = moved(ports, "rows", "tile")
    words = moved(ports, "out", "out_data", "out_last")
    parts = cols // lanes
    modes = {0: 1.0, 1: 4.0} | ({8: fmt.stored_pair_bits / 16} if fmt else {})
    expected, of_packet = 0, 0.0
    for row, tile in enumerate(rows_taken, 1):
        of_packet += parts * modes[tile & 0b1001]
        if tile >> 2 & 1 and row % rows == 0:
            expected, of_packet = expected + ceil(of_packet), 0
    assert len(words) == expected
    assert {tile & 0b1001 for tile in rows_taken} == {*modes}
    tiles = rows_taken[::rows]
    assert sum(last for _, last in words) == sum(tile >> 2 & 1 for tile in tiles)
    assert sum(own["parameters_release"] for own in ports) == sum(tile >> 1 & 1 for tile in tiles)
    assert sum(own["finished"] for own in ports) == len(tiles)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_tiles_of_one_slice_are_not_lost(rows: int) -> None:
    """The shortest tiles, one behind the other, where the results of two may wait."""
    unit = MacUnit("8x8", weight_bits=4, acc_bits=16)
    core = GemmCore(EngineUnit("array", rows, 1, unit, result_tiles=2))
    tiles = 7
    results: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(core.enable, 1)
        ctx.set(core.results_ready, 1)
        for name in ("activations", "weights", "parameters"):
            ctx.set(getattr(core, f"{name}_valid"), 1)
        ctx.set(core.activations_data, (1 << core.activation_bits) - 1)
        ctx.set(core.weights_data, 1)
        ctx.set(core.command, {"tiles_m": tiles, "tiles_n": 1, "depth": 1, "sums": 1})
        ctx.set(core.command_valid, 1)
        await ctx.tick()
        ctx.set(core.command_valid, 0)
        for _ in range(60 * rows + 100):
            if ctx.get(core.results_valid):
                results.append(ctx.get(core.results_last))
            await ctx.tick()

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert results == [0] * (4 * rows * tiles - 1) + [1]
