"""About how long programs take."""

from dataclasses import replace
from typing import Any

from golden import named_format
from golden.accelerator import AcceleratorShape
from golden.accelerator_cycles import (
    START_CYCLES,
    Span,
    compute_cycles,
    read_beats,
    schedule,
    written_beats,
)
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
    assert compute_cycles(SHAPE, Descriptor(Opcode.TABLE)) == 256 // 8


def test_beats() -> None:
    load, store = (Descriptor(opcode, {"lines": 3}) for opcode in (Opcode.LOAD, Opcode.STORE))
    assert (read_beats(SHAPE, load), written_beats(SHAPE, load)) == (3 * 2, 0)
    assert (read_beats(SHAPE, store), written_beats(SHAPE, store)) == (0, 3 * 2)
    assert read_beats(SHAPE, of(Opcode.SUM, beats=7)) == 7
    assert read_beats(SHAPE, Descriptor(Opcode.TABLE)) == 32
    assert read_beats(SHAPE, Descriptor(Opcode.END)) == 0


def test_units_run_beside_each_other() -> None:
    load = Descriptor(Opcode.LOAD, {"lines": 50})
    work = of(Opcode.MAX, kernel_width=5, in_width=14, out_words=30, beats=3, wait_loads=1)
    store = Descriptor(Opcode.STORE, {"lines": 10, "wait_loads": 1, "wait_computes": 1})
    more = Descriptor(Opcode.LOAD, {"lines": 50, "wait_loads": 1})
    first, computed, second, stored, end = schedule(
        SHAPE, [load, work, more, store, Descriptor(Opcode.END, {"wait_loads": 2})], latency=10
    )
    assert first == Span(0, 100 + 10)
    # Parameters come while the first tensor does.
    assert computed.start == 113
    assert computed.end == 113 + 30 * 3 * 5 + START_CYCLES
    assert second.start == first.end
    assert second.end < computed.end
    assert stored == Span(computed.end, computed.end + 20 + 10)
    assert end == Span(stored.end, stored.end)
