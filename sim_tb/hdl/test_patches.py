"""Patches of a layer, read from banks, in Amaranth's own simulator."""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any

import numpy as np
import pytest

from hdl.accelerator.layouts import PIXEL_BITS, PIXELS
from hdl.accelerator.patch_reader import PatchReader
from sim_tb.hdl.banks import ReadBanks
from sim_tb.hdl.pysim import SEED, Bench, Word
from sim_tb.oracle.cycles import Chance, Conversation, Fixed, Source, Until, moved
from sim_tb.oracle.patches import (
    Bytes,
    Patches,
    Slice,
    Stored,
    number,
    pack_fields,
    slice_cycles,
    slices,
    store,
    tiles,
)

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
        if rng.random() < 0.3:
            # A row begins a pixel or two behind the end of the one before: in the same tile.
            stride, dilation, before, after = [1, 1], [1, 1], [0, 0], [0, 0]
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


def reading(
    rows: int,
    steps: int,
    layers: Sequence[Layer],
    before: float = 0,
    after: float = 0,
    seed: int = SEED,
) -> Conversation:
    """Of all slices, with memory that stalls, and what is behind, as often as it says."""
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
    return Conversation(agents, lambda ports: check(ports, rows, layers), seed)


def read(rows: int, steps: int, layers: Sequence[Layer]) -> list[Word]:
    """All ports in each cycle, where nothing stalls."""
    return Bench(PatchReader(rows, steps, LINES)).hold(reading(rows, steps, layers))


def check(ports: Sequence[Word], rows: int, layers: Sequence[Layer]) -> int:
    """The number of slices and tiles, all of which are what they must be."""
    found = moved(ports, "slice", "slice_data", "slice_marks")
    wanted = expected(layers, rows)
    assert len(found) == len(wanted)
    for place, (words, own) in enumerate(zip(found, wanted, strict=True)):
        assert words == slice_words(own), f"slice {place}"
    places = moved(ports, "tile", "tile")
    wanted_tiles = [own for patches, _, _ in layers for own in places_of(patches, rows)]
    assert places == wanted_tiles
    return len(found) + len(places)


def places_of(own: Patches, rows: int) -> Iterator[int]:
    """The output pixels of all tiles, as the hardware gives them."""
    for tile in tiles(own, rows):
        ends_walk = tile.ends_pass and tile.number == own.passes - 1
        values = (tile.lanes[0].pixel, len(tile.lanes), int(tile.ends_pass), int(ends_walk))
        yield pack_fields(PIXELS, dict(zip(dict(PIXELS), values, strict=True)))


def random_magnitude(rng: Any, bits: int) -> int:
    """From 1 on, of so many bits or any fewer; half of them a power of two or a little more."""
    if rng.random() < 0.5:
        return min((1 << bits) - 1, (1 << int(rng.integers(0, bits))) + int(rng.integers(0, 4)))
    return int(rng.integers(1, 1 << rng.integers(1, bits + 1)))


FARTHEST = 1000
"""Rows or columns that no partial walk goes beyond."""


def large_layer(rng: Any, rows: int) -> Patches:
    """Any kind, its sizes and places from the whole range that there is."""
    while True:
        two = bool(rng.random() < 0.3)
        kernel = (1, 1) if two else tuple(rng.choice([(1, 1), (2, 3), (1, 40), (40, 1), (255, 2)]))
        stride, dilation = rng.integers(1, 16, (2, 2)).tolist()
        if rng.random() < 0.5:
            stride = [1, 1]
        size = [random_magnitude(rng, 15) for _ in range(2)]
        out_width = random_magnitude(rng, 15)
        column = out_width - min(out_width, random_magnitude(rng, 15))
        if rng.random() < 0.5:
            # A tile has the end of a row and the begin of the next one, whose patches are near.
            stride[0] = 1
            column = out_width - int(rng.integers(1, min(out_width, rows) + 1))
            size[1] = out_width * stride[1] + int(rng.integers(0, rows))
            if size[1] >= 1 << 15:
                continue
        # Patches begin near an edge, or anywhere.
        first = [int(rng.choice([-2, n - 2, rng.integers(0, n)])) for n in size]
        left = first[1] - column * stride[1]
        reach = max(int(k) * d for k, d in zip(kernel, dilation, strict=True))
        farthest = max(first[0] + FARTHEST, left + out_width * stride[1]) + reach
        if left < -(1 << 15) or farthest >= 1 << 15 or column * stride[1] >= 1 << 15:
            continue
        return Patches.of(
            size,
            random_magnitude(rng, PIXEL_BITS),
            out_width,
            (first[0], left),
            [int(k) for k in kernel],
            stride,
            dilation,
            first_column=column,
            first_pixel=int(rng.integers(0, 1 << PIXEL_BITS)),
            passes=random_magnitude(rng, 16),
            words=random_magnitude(rng, 16),
            by_matrix=int(not two and rng.random() < 0.5),
            two_operands=int(two),
            broadcast=int(rng.integers(0, 2)),
            base=int(rng.integers(0, 1 << 16)),
            pitch=int(rng.integers(0, 1 << 16)),
            base_b=int(rng.integers(0, 1 << 16)),
            pitch_b=int(rng.integers(0, 1 << 16)),
            pad_byte=int(rng.integers(0, 256)),
        )


def reading_the_first(rows: int, steps: int, most: int, seed: int) -> Conversation:
    """Of so many slices of a large layer, when the contract says; a reset must follow."""
    rng = np.random.default_rng((SEED, rows, 5, seed))
    own = large_layer(rng, rows)
    banks = rng.integers(0, 256, (2 * rows, LINES, steps), dtype=np.uint8)
    a, b = (
        Stored(banks, own.width, base, pitch)
        for base, pitch in ((own.base, own.pitch), (own.base_b, own.pitch_b))
    )
    wanted = [*islice(slices(own, rows, a, b), most)]

    def check_first(ports: Sequence[Word]) -> int:
        found = moved(ports, "slice", "slice_data", "slice_marks")
        assert len(found) >= len(wanted)
        assert found[: len(wanted)] == [slice_words(each) for each in wanted]
        places = moved(ports, "tile", "tile")
        assert len(places) > sum(each.ends_tile for each in wanted[:-1])
        wanted_places = [*islice(places_of(own, rows), len(places))]
        assert places[: len(wanted_places)] == wanted_places  # behind a layer it begins anew
        cycles = [cycle for cycle, each in enumerate(ports) if each["slice_valid"]]
        assert cycles[: len(wanted)] == [*islice(slice_cycles(own, rows), len(wanted))]
        return len(wanted) + len(places)

    agents = [
        Source([{"patches": own.word}], "patches_valid", ["patches_ready"], 0, endless=True),
        ReadBanks(banks, 0),
        Until("slice", len(wanted), 0),
        Fixed(tile_ready=1),
    ]
    return Conversation(agents, check_first, seed)


def reading_many_passes(rows: int, steps: int, bits: Sequence[int]) -> Conversation:
    """Of layers of one pixel, of about as many passes as each of ``bits`` says."""
    rng = np.random.default_rng((SEED, rows, steps))
    words = rng.integers(0, 256, (LINES, steps), dtype=np.uint8)
    base = int(rng.integers(0, LINES))
    layers = []
    for bit in bits:
        passes = (1 << bit) + int(rng.integers(-1, 5))
        data = np.resize(words, (1, 1, passes, steps))
        own = Patches.of((1, 1), 1, 1, passes=passes, base=base, base_b=base)
        layers.append((own, data, data))
    return reading(rows, steps, layers)


def reading_rows_in_tiles(rows: int, steps: int) -> Conversation:
    """Of small layers, without padding: most tiles have the end of a row and the next one's begin.

    They wait for an odd number of cycles, and for an even one.
    """
    rng = np.random.default_rng((SEED, rows, steps))
    layers: list[Layer] = []
    for out_width, kernel in product((3, 5), ((3, 3), (3, 2), (2, 2))):
        size = (kernel[0] + 3, out_width + kernel[1] - 1)
        data = rng.integers(0, 256, (*size, 1, steps), dtype=np.uint8)
        base = 8 * len(layers)
        own = Patches.of(
            *(size, 4 * out_width, out_width),
            kernel=kernel, by_matrix=1, base=base, base_b=base,
        )  # fmt: skip
        layers.append((own, data, data))
    return reading(rows, steps, layers)


def slice_words(own: Slice) -> tuple[int, int]:
    """The bytes of a slice and its marks, as the hardware gives them."""
    return number(own.data), sum(bit << place for place, bit in enumerate(own[1:]))


SIZES = [(2, 1), (4, 2), (8, 1), (2, 4), (4, 1), (8, 2), (4, 4), (2, 2), (8, 4)]


STALLS = ((0, 0), (0.3, 0.3), (0, 0.6), (0.6, 0))
"""How often memory stalls, and what is behind."""


@pytest.mark.every(10)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rows", "steps"), SIZES)
def test_slices(rows: int, steps: int, seed: int, checks: Any) -> None:
    """Random layers, with and without stalls: no slice is lost."""
    rng = np.random.default_rng((SEED, rows, steps, seed))
    layers = [random_layer(rng, rows, steps, 120)]
    conversation = reading(rows, steps, layers, *STALLS[seed])
    checks(conversation.check(Bench(PatchReader(rows, steps, LINES)).hold(conversation)))


@pytest.mark.every(8)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("rows", "steps"), [(4, 2), (8, 1)])
def test_the_first_slices_of_large_layers(rows: int, steps: int, seed: int, checks: Any) -> None:
    """Sizes and places from all that fields can say."""
    conversation = reading_the_first(rows, steps, 60, seed)
    checks(conversation.check(Bench(PatchReader(rows, steps, LINES)).hold(conversation)))


def test_many_passes(checks: Any) -> None:
    conversation = reading_many_passes(4, 2, range(2, 9))
    checks(conversation.check(Bench(PatchReader(4, 2, LINES)).hold(conversation)))


def test_rows_that_share_tiles(checks: Any) -> None:
    conversation = reading_rows_in_tiles(4, 2)
    checks(conversation.check(Bench(PatchReader(4, 2, LINES)).hold(conversation)))


@pytest.mark.every(8)
@pytest.mark.parametrize("seed", range(12))
def test_cycles(seed: int, checks: Any) -> None:
    """Slices come when the contract says, one per cycle where the walk keeps pace."""
    rng = np.random.default_rng((SEED, 3, seed))
    rows = int(rng.choice([2, 4, 8]))
    own, a, b = random_layer(rng, rows, 1, 150)
    ports = read(rows, 1, [(own, a, b)])
    cycles = [cycle for cycle, each in enumerate(ports) if each["slice_valid"]]
    assert cycles == [*slice_cycles(own, rows)]
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
    conversation = reading(rows, steps, layers, seed % 2 / 4, seed // 2 / 4)
    checks(conversation.check(Bench(PatchReader(rows, steps, LINES)).hold(conversation)))
