"""Tiles through arrays and tensor cores in Amaranth's simulator, and what must come of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from amaranth.sim import Simulator

from hdl.tile.tile_machine import TileMachine
from sim_tb.hdl.pysim import Bench, Word, pack, signed

CYCLES = 1000
"""More than any of the tests takes."""


class Tile(NamedTuple):
    """A tile's slices, and the sums (rows, columns) that golden makes of it."""

    slices: list[Word]
    sums: Any


def make_operands(
    rng: Any, lengths: Sequence[int], rows: int, cols: int, weight_bits: int, sparse: bool = False
) -> list[tuple[Any, Any]]:
    """Activations (rows, K) and weights (K, columns) of tiles of these lengths K."""
    half = 1 << (weight_bits - 1)
    operands = []
    for k in lengths:
        x = rng.integers(0, 256, (rows, k), dtype=np.uint8)
        x >>= rng.integers(0, 8, x.shape, dtype=np.uint8)
        x[rng.random(x.shape) < 0.4] = 0
        w = rng.integers(-half, half, (k, cols), dtype=np.int8)
        w[rng.random(w.shape) < 0.1] = -half
        if sparse:
            padded = np.pad(w, ((0, -k % 4), (0, 0))).reshape(-1, 4, cols)
            kept = rng.random(padded.shape).argsort(axis=1) < rng.integers(0, 3, (1, 1, cols))
            w = np.where(kept, padded, 0).astype(np.int8).reshape(-1, cols)[:k]
        operands.append((x, w))
    return operands


def slices_of(x: Any, w: Any, step: int, weight_bits: int, sparse: bool = False) -> list[Word]:
    """The slices of a tile, ``step`` steps of K each, the last one filled with zeros."""
    missing = -x.shape[1] % step
    x, w = np.pad(x, ((0, 0), (0, missing))), np.pad(w, ((0, missing), (0, 0)))
    words = []
    for k in range(0, x.shape[1], step):
        end = k + step
        word = {"in_valid": 1, "in_last": int(end == x.shape[1]), "in_a": pack(x[:, k:end], 8)}
        if sparse:
            values, indices = pack_2_4(w[k:end])
            word |= {"in_w": pack(values.T, weight_bits), "in_index": pack(indices.T, 2)}
        else:
            word["in_w"] = pack(w[k:end].T, weight_bits)
        words.append(word)
    return words


def pack_2_4(w: Any) -> tuple[Any, Any]:
    """The non-zero weights of ``w`` (K, N), two per block of four, and their places: (K / 2, N).

    A group with one weight has it first, and twice its place; one with none has descending places.
    """
    groups = w.reshape(-1, 4, w.shape[1])
    values = np.zeros((len(groups), 2, w.shape[1]), np.int8)
    indices = np.zeros(values.shape, np.uint8)
    for group, column in np.ndindex(len(groups), w.shape[1]):
        places = [int(place) for place in np.flatnonzero(groups[group, :, column])]
        for slot, place in enumerate(places):
            values[group, slot, column] = groups[group, place, column]
        indices[group, :, column] = [[3, 0], 2 * places, places][len(places)]
    return values.reshape(-1, w.shape[1]), indices.reshape(-1, w.shape[1])


def check_tiles(
    machine: TileMachine,
    tiles: Sequence[Tile],
    bubbles: Sequence[float],
    slices_per_group: int,
    rng: Any,
) -> int:
    """Every sum in its cycle, and ``in_ready`` in all cycles; how many values were compared.

    Before each slice of a tile there are cycles of garbage, as likely as ``bubbles`` says of the
    tile; 0: its slices are back to back.
    """
    slices = [(word, tile) for tile, own in enumerate(tiles) for word in own.slices]
    rows, cols = tiles[0].sums.shape
    latency, acc_bits = machine.latency, machine.mac.acc_bits
    bench = Bench(machine)
    inputs = [name for name, _ in bench.ports[True] if name != "in_valid"]
    rows_out: list[tuple[int, Word]] = []
    last_taken: dict[int, int] = {}
    ready: list[int] = []

    async def testbench(ctx: Any) -> None:
        position = 0
        for cycle in range(CYCLES):
            word: Word = {name: int(rng.integers(1 << 30)) for name in inputs}
            is_left = position < len(slices)
            offered = is_left and rng.random() >= bubbles[slices[position][1]]
            if offered:
                word, tile = slices[position]
            ctx.set(bench.stimulus, bench.pack(word))
            response = bench.unpack(ctx.get(bench.response))
            ready.append(response["in_ready"])
            if response["out_valid"]:
                rows_out.append((cycle, response))
            if offered and response["in_ready"]:
                last_taken[tile] = cycle
                position += 1
            await ctx.tick()
            if position == len(slices) and cycle > last_taken[len(tiles) - 1] + 4 * rows + latency:
                break

    simulator = Simulator(bench.module)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

    # A tile's last is sent when the result registers are free; its last group is filled up.
    assert len(rows_out) == rows * len(tiles)
    sent: list[int] = []
    held: set[int] = set()
    for tile, (words, expected) in enumerate(tiles):
        sent.append(max(last_taken[tile], sent[-1] + rows if sent else 0))
        missing = -len(words) % slices_per_group
        held |= {*range(last_taken[tile] + 1, max(sent[tile], last_taken[tile] + missing) + 1)}
        for row in range(rows):
            cycle, word = rows_out[tile * rows + rows - 1 - row]
            sums = [signed(word["out_acc"] >> (acc_bits * c), acc_bits) for c in range(cols)]
            assert sums == expected[row].tolist(), f"tile {tile}, row {row}, {len(words)} slices"
            assert word["out_last"] == (row == 0)
            assert cycle == sent[tile] + latency + rows - 1 - row, f"tile {tile}, row {row}"
    assert [cycle for cycle, is_ready in enumerate(ready) if not is_ready] == sorted(held)
    return rows * cols * len(tiles) + len(ready)
