"""What descriptors take, each by itself."""

from dataclasses import replace
from typing import Any

from golden import named_format
from golden.accelerator.cycles import (
    compute_cycles,
    read_beats,
    slices_of_tile,
    sums_of_tile,
    written_beats,
)
from golden.accelerator.program import tiles_of
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import Descriptor, Opcode

SHAPE = AcceleratorShape(
    rows=4, cols=8, k_per_cycle=2, lines=64, beat_bytes=8, weight_depth=64, format=None
)
PIXEL = dict.fromkeys(
    (
        *("in_words", "in_height", "kernel_height", "kernel_width", "stride_y", "stride_x"),
        *("dilation_y", "dilation_x", "out_words", "in_pitch", "out_pitch"),
    ),
    1,
)
TEN = PIXEL | {"in_width": 10, "out_width": 10, "pixels": 10, "tiles_m": 3}
"""Ten pixels are tiles of four, four and two."""


def of(opcode: Opcode, **values: int) -> Descriptor:
    return Descriptor(opcode, TEN | values)


def test_cycles_of_a_matrix() -> None:
    def matrix(depth: int, **values: int) -> int:
        return compute_cycles(SHAPE, of(Opcode.MATRIX, depth=depth, tiles_n=2, **values))

    assert matrix(20) == 2 * 3 * 20
    assert matrix(3) == 2 * 3 * (4 + 4 - 1)  # results leave: four rows, four words
    assert matrix(3, sums=1) == 2 * 16 * (4 + 4 + 2)
    planes = replace(SHAPE, format=named_format("5opt"))
    exact = of(Opcode.MATRIX, depth=20, tiles_n=2, exact=1)
    assert compute_cycles(planes, exact) == 2 * 3 * 20 * 2
    assert compute_cycles(SHAPE, exact) == 2 * 3 * 20


def test_cycles_of_the_vector_unit() -> None:
    large: dict[str, Any] = {"kernel_width": 5, "in_width": 14, "out_words": 3}
    assert compute_cycles(SHAPE, of(Opcode.MAX, **large)) == 3 * 3 * 5
    # A word leaves channel by channel; pixels are found row by row.
    assert compute_cycles(SHAPE, of(Opcode.SUM, out_words=3)) == 3 * 3 * 2
    column = {"out_width": 1, "in_width": 1, "in_height": 10, "out_words": 3}
    assert compute_cycles(SHAPE, of(Opcode.SUM, **column)) == 3 * (4 + 4 + 2)
    two = PIXEL | {"in_width": 1, "out_width": 1, "pixels": 1, "tiles_m": 1}
    assert compute_cycles(SHAPE, Descriptor(Opcode.SUM, two)) == 2
    assert compute_cycles(SHAPE, Descriptor(Opcode.SUM, two | {"sums": 1})) == 4
    assert compute_cycles(SHAPE, Descriptor(Opcode.COMBINE, two | {"out_words": 5})) == 10
    assert compute_cycles(SHAPE, Descriptor(Opcode.TABLE)) == 256 // 4


def test_beats() -> None:
    load, store = (Descriptor(opcode, {"lines": 3}) for opcode in (Opcode.LOAD, Opcode.STORE))
    assert (read_beats(SHAPE, load), written_beats(SHAPE, load)) == (3 * 2, 0)
    assert (read_beats(SHAPE, store), written_beats(SHAPE, store)) == (0, 3 * 2)
    assert read_beats(SHAPE, of(Opcode.SUM, beats=7)) == 7
    assert read_beats(SHAPE, Descriptor(Opcode.TABLE)) == 32
    assert read_beats(SHAPE, Descriptor(Opcode.END)) == 0


def test_groups_are_filled_up() -> None:
    """Windows that four slices share: in the exact mode all passes but the last one are of whole
    groups.
    """
    shape = replace(SHAPE, format=replace(named_format("5opt"), group=8, vsparq=False))
    assert shape.format is not None
    planes = len(shape.format.exact_planes)
    assert planes > 1
    assert slices_of_tile(shape, of(Opcode.MATRIX, depth=9, exact=1)) == 12 * (planes - 1) + 9
    assert slices_of_tile(shape, of(Opcode.MATRIX, depth=9)) == 9


def test_sums_leave_word_by_word() -> None:
    """A column of tiles has four channel words, of each pixel four times; out of 16 columns here
    two of the four parts of the second column of tiles hold none.
    """
    d = of(Opcode.MATRIX, depth=2, tiles_n=2, out_words=5, sums=1)
    full, last = tiles_of(SHAPE, d)[0], tiles_of(SHAPE, d)[-1]
    assert sums_of_tile(SHAPE, d, 0, full) == 4 * 4 * 4
    assert sums_of_tile(SHAPE, d, 1, full) == 4 * (4 + 1 + 1 + 1)
    # Two of four rows are dropped, a word at a time; the last word waits for that.
    assert sums_of_tile(SHAPE, d, 0, last) == 2 * 16 + 2 * 4
    assert sums_of_tile(SHAPE, d, 1, last) == 2 * (4 + 1 + 1 + 1) + 2 * 4 + 1
