"""Patches of a layer, read from banks, in Amaranth's own simulator."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hdl.accelerator.layouts import PIXELS
from hdl.accelerator.patch_reader import PatchReader
from sim_tb.hdl.banks import ReadBanks
from sim_tb.hdl.pysim import SEED, Bench, Word
from sim_tb.oracle.cycles import Chance, Source, Until, moved
from sim_tb.oracle.patches import Bytes, Patches, Slice, slice_cycles, slices, store, tiles

LINES = 64


Layer = tuple[Patches, Bytes, Bytes]
"""What is read, and both operands (height, width, channel words, steps)."""


def random_layer(rng: Any, rows: int, steps: int, most: int, first: int | None = None) -> Layer:
    """Any kind, of a quarter of ``most`` slices to ``most``, its tensors from line ``first`` on."""
    while True:
        kind = rng.choice(["matrix", "vector", "two", "broadcast"])
        one = kind in ("two", "broadcast")
        kernel = [1, 1] if one else rng.integers(1, 5, 2).tolist()
        stride = [1, 1] if one else rng.choice([1, 1, 1, 2, 3], 2).tolist()
        dilation = rng.choice([1, 1, 2, 5], 2).tolist()
        size = rng.integers(1, [9, 3 * rows + 2], 2).tolist()
        before, after = ([0, 0], [0, 0]) if one else rng.integers(0, 3, (2, 2)).tolist()
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        out = [
            (n + b + a - r) // s + 1
            for n, b, a, r, s in zip(size, before, after, reach, stride, strict=True)
        ]
        if min(out) < 1:
            continue
        pixel = int(rng.integers(0, out[0] * out[1]))
        start, column = divmod(pixel, out[1])
        words, words_b = rng.integers(1, 4, 2).tolist()
        matrix = kind == "matrix"
        passes = int(rng.integers(1, 4)) if matrix else words if not one else min(words, words_b)
        a = rng.integers(0, 256, (*size, words, steps), dtype=np.uint8)
        b = rng.integers(0, 256, (*size, words_b, steps), dtype=np.uint8)
        pitches = words + int(rng.integers(0, 3)), words_b + int(rng.integers(0, 3))
        blocks = -(-size[0] * size[1] // (2 * rows))
        if blocks * sum(pitches) > (LINES if first is None else LINES // 2):
            continue
        base = int(rng.integers(0, LINES)) if first is None else first
        own = Patches.of(
            size,
            int(rng.integers(1, out[0] * out[1] - pixel + 1)),
            out[1],
            [start * stride[0] - before[0], -before[1]],
            kernel,
            stride,
            dilation,
            first_column=column,
            first_pixel=pixel,
            passes=passes,
            words=words,
            by_matrix=int(matrix),
            two_operands=int(one),
            broadcast=int(kind == "broadcast"),
            base=base,
            pitch=pitches[0],
            base_b=(base + blocks * pitches[0]) % LINES,
            pitch_b=pitches[1],
            pad_byte=int(rng.integers(0, 256)),
        )
        layer = own, a, b
        if most // 4 <= len(expected([layer], rows)) <= most:
            return layer


def expected(layers: Sequence[Layer], rows: int) -> list[Slice]:
    return [own for patches, a, b in layers for own in slices(patches, rows, a, b)]


def read(
    rows: int, steps: int, layers: Sequence[Layer], before: float = 0, after: float = 0
) -> list[Word]:
    """All ports in each cycle; memory that stalls, and what is behind, as often as it says."""
    banks = np.random.default_rng(SEED).integers(0, 256, (2 * rows, LINES, steps), dtype=np.uint8)
    for own, a, b in layers:
        store(banks, a, own.base, own.pitch)
        store(banks, b, own.base_b, own.pitch_b)
    words = [{"patches": own.word} for own, _, _ in layers]
    agents = [
        Source(words, "patches_valid", ["patches_ready"], before),
        ReadBanks(banks, before),
        Until("slice", len(expected(layers, rows)), after),
        Chance(tile_ready=1 - after / 2),
    ]
    return Bench(PatchReader(rows, steps, LINES)).converse(agents, random.Random(SEED))


def check(ports: Sequence[Word], rows: int, layers: Sequence[Layer]) -> int:
    """The number of slices and tiles, all of which are what they must be."""
    found = moved(ports, "slice", "slice_data", "slice_marks")
    wanted = expected(layers, rows)
    assert len(found) == len(wanted)
    for number, ((data, marks), own) in enumerate(zip(found, wanted, strict=True)):
        assert data == int.from_bytes(own.data.tobytes(), "little"), f"slice {number}"
        assert marks == int.from_bytes([sum(bit << i for i, bit in enumerate(own[1:]))])
    places = [PIXELS.from_bits(word) for word in moved(ports, "tile", "tile")]
    wanted_tiles = [
        (own.lanes[0].pixel, len(own.lanes), own.ends_pass, own.number == patches.passes - 1)
        for patches, _, _ in layers
        for own in tiles(patches, rows)
    ]
    assert [(own.pixel, own.count, own.ends_pass, own.ends_walk) for own in places] == [
        (pixel, count, ends, ends and last) for pixel, count, ends, last in wanted_tiles
    ]
    return len(found) + len(places)


SIZES = [(2, 1), (4, 2), (8, 1), (2, 4), (4, 1), (8, 2), (4, 4), (2, 2), (8, 4)]


@pytest.mark.every(10)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rows", "steps"), SIZES)
def test_slices(rows: int, steps: int, seed: int, checks: Any) -> None:
    """Random layers, with and without stalls: no slice is lost."""
    rng = np.random.default_rng((SEED, rows, steps, seed))
    layers = [random_layer(rng, rows, steps, 120)]
    before, after = ((0, 0), (0.3, 0.3), (0, 0.6), (0.6, 0))[seed]
    checks(check(read(rows, steps, layers, before, after), rows, layers))


@pytest.mark.every(8)
@pytest.mark.parametrize("seed", range(12))
def test_cycles(seed: int, checks: Any) -> None:
    """Slices come when the contract says, one per cycle where the walk keeps pace."""
    rng = np.random.default_rng((SEED, 3, seed))
    rows = int(rng.choice([2, 4, 8]))
    own, a, b = random_layer(rng, rows, 1, 150)
    ports = read(rows, 1, [(own, a, b)])
    cycles = [cycle for cycle, each in enumerate(ports) if each["slice_valid"]]
    assert cycles == slice_cycles(own, rows)
    accesses = [cycle for cycle, each in enumerate(ports) if each["read_valid"]]
    assert accesses == [cycle - 2 for cycle in cycles]
    checks(len(cycles) + len(accesses))


@pytest.mark.parametrize("height", [1, 2])
def test_no_gap_between_tiles(height: int) -> None:
    """Tiles of two or four slices, each in one row of outputs or two."""
    rows = 4
    size = 5, 6
    own = Patches.of(size, 30, 6, (-1, -1), (height, 2), passes=2, by_matrix=1)
    data = np.zeros((*size, 1, 1), np.uint8)
    assert [len(tile.lanes) for tile in tiles(own, rows)] == [4, 4, 4, 4, 4, 4, 4, 2] * 2
    ports = read(rows, 1, [(own, data, data)])
    offered = [bool(each["slice_valid"]) for each in ports]
    count = 16 * 2 * height
    assert sum(offered) == count
    assert all(offered[9 : 9 + count])


def test_tiles_end_where_banks_do() -> None:
    """With a stride of 2 a row of outputs is read at once; no pixel before lane 0's is taken."""
    rows = 4
    strided = Patches(4, 8, 8, 4, stride_y=2, stride_x=2)
    assert [len(tile.lanes) for tile in tiles(strided, rows)] == [4, 4]
    narrow = Patches(2, 1, 21, 7, 0, 0, -3)
    assert [len(tile.lanes) for tile in tiles(narrow, rows)] == [4, 3, 4, 3, 4, 3]
    backwards = [tile.lanes[-1].column for tile in tiles(narrow, rows)]
    assert backwards == [0, 3] * 3
    for own in (strided, narrow):
        data = np.arange(own.height * own.width, dtype=np.uint8).reshape(own.height, -1, 1, 1)
        layers = [(own, data, data)]
        check(read(rows, 1, layers), rows, layers)


@pytest.mark.every(4)
@pytest.mark.parametrize("seed", range(4))
def test_layers_follow_each_other(seed: int, checks: Any) -> None:
    """Nothing of one layer is left in the next one."""
    rows, steps = 4, 2
    rng = np.random.default_rng((SEED, seed))
    layers = [random_layer(rng, rows, steps, 60, first) for first in (0, LINES // 2)]
    checks(check(read(rows, steps, layers, seed % 2 / 4, seed // 2 / 4), rows, layers))
