"""The waits of programs: which order they keep."""

import pytest

from golden.accelerator.program import Window
from golden.accelerator.program_order import Unordered, unordered, wait_fields
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import Descriptor, Opcode

SHAPE = AcceleratorShape(rows=2, cols=4, k_per_cycle=2, lines=16, beat_bytes=8, weight_depth=8)
READS, WRITES = Window(0, 1 << 12), Window(1 << 11, 1 << 11)
LINE = SHAPE.line_bytes
STREAM = 64 * LINE
WAITS = ("wait_loads", "wait_stores", "wait_computes")


def load(line: int, lines: int = 1, memory_line: int = 0, *waits: int) -> Descriptor:
    values = {"line": line, "lines": lines, "address": memory_line * LINE}
    return Descriptor(Opcode.LOAD, values | dict(zip(WAITS, waits, strict=False)))


def store(line: int, lines: int = 1, memory_line: int = 0, *waits: int) -> Descriptor:
    values = {"line": line, "lines": lines, "address": memory_line * LINE}
    return Descriptor(Opcode.STORE, values | dict(zip(WAITS, waits, strict=False)))


def maximum(line: int, out_line: int, *waits: int, **more: int) -> Descriptor:
    """Of the five pixels of a tensor that takes two lines."""
    values = dict.fromkeys(
        (
            *("in_words", "in_height", "kernel_height", "kernel_width", "stride_y", "stride_x"),
            *("dilation_y", "dilation_x", "out_words", "in_pitch", "out_pitch"),
        ),
        1,
    )
    values |= {"in_line": line, "out_line": out_line, "address": STREAM, "beats": 3}
    values |= {"in_width": 5, "out_width": 5, "pixels": 5, "tiles_m": 3}
    return Descriptor(Opcode.MAX, values | dict(zip(WAITS, waits, strict=False)) | more)


@pytest.mark.parametrize(
    ("program", "found"),
    [
        # What is read was written before.
        ([load(0, 2), maximum(0, 4, 1)], None),
        ([load(0, 2), maximum(0, 4)], Unordered(0, 1, "scratchpad")),
        ([load(0), load(1), maximum(0, 4, 2)], None),
        ([load(0), load(1), maximum(0, 4, 1)], Unordered(1, 2, "scratchpad")),
        # The five pixels are in two lines, and no third one.
        ([load(0, 2), load(2), maximum(0, 4, 1)], None),
        ([maximum(0, 4), store(5, 1, 0, 0, 0, 1)], None),
        ([maximum(0, 4), store(5)], Unordered(0, 1, "scratchpad")),
        ([maximum(0, 4), store(6)], None),
        # What is written was read or written before.
        ([maximum(0, 4), load(1)], Unordered(0, 1, "scratchpad")),
        ([maximum(0, 4), load(1, 1, 0, 0, 0, 1)], None),
        ([maximum(0, 4), load(5)], Unordered(0, 1, "scratchpad")),
        ([store(3), load(3)], Unordered(0, 1, "scratchpad")),
        ([store(3), load(3, 1, 0, 0, 1)], None),
        # Lines go around.
        ([load(15, 2), maximum(0, 4)], Unordered(0, 1, "scratchpad")),
        ([load(15, 2), maximum(1, 4)], None),
        ([maximum(15, 4), load(0)], Unordered(0, 1, "scratchpad")),
        # Reading beside reading is free.
        ([load(0, 2), maximum(0, 4, 1), store(0, 1, 0, 1)], None),
        # Waits hold through others, and through what the same unit did before.
        ([load(0, 2), maximum(0, 4, 1), store(4, 1, 0, 0, 0, 1), load(0, 1, 0, 0, 1)], None),
        ([load(0, 2), maximum(0, 4, 1), maximum(0, 6)], None),
        # Memory is written from line 256 on.
        ([store(0, 2), load(4, 1, 257)], Unordered(0, 1, "memory")),
        ([store(0, 2), load(4, 1, 257, 0, 1)], None),
        ([store(0, 2), load(4, 1, 258)], None),
        ([load(4, 1, 257), store(0, 2)], Unordered(0, 1, "memory")),
        ([load(4, 1, 257), store(0, 2, 0, 1)], None),
        # A stream is read before the descriptor waits.
        ([store(0), maximum(0, 4, 0, 1, address=256 * LINE)], Unordered(0, 1, "memory")),
    ],
)
def test_order(program: list[Descriptor], found: Unordered | None) -> None:
    assert unordered(SHAPE, [*program, Descriptor(Opcode.END)], READS, WRITES) == found


def test_a_second_tensor_is_read() -> None:
    def combine(*waits: int, **more: int) -> Descriptor:
        values = {**maximum(0, 4, *waits).values, "beats": 4, "other_line": 8, "other_pitch": 1}
        return Descriptor(Opcode.COMBINE, values | more)

    for program, found in (
        ([load(8), combine()], Unordered(0, 1, "scratchpad")),
        ([load(9), combine()], Unordered(0, 1, "scratchpad")),
        ([load(9), combine(1)], None),
        ([load(9), combine(broadcast=1)], None),
    ):
        assert unordered(SHAPE, program, READS, WRITES) == found


def test_sums_are_four_words() -> None:
    for line, found in ((11, Unordered(0, 1, "scratchpad")), (12, None)):
        program = [maximum(0, 4, sums=1, out_pitch=4), store(line)]
        assert unordered(SHAPE, program, READS, WRITES) == found


def test_counts_go_around() -> None:
    """Also what waits for nothing has to name a count that is near."""
    loads = [Descriptor(Opcode.LOAD, {"lines": 1, "wait_loads": n % 256}) for n in range(300)]
    for needed, found in ((300, None), (299, Unordered(299, 300, "scratchpad"))):
        waits = wait_fields([300, 0, 0], [needed, 0, 0])
        assert waits == {"wait_loads": needed - 256, "wait_stores": 0, "wait_computes": 0}
        program = [*loads, maximum(0, 4, *waits.values())]
        assert unordered(SHAPE, program, READS, WRITES) == found
    assert wait_fields([300, 0, 0], [0, 0, 0])["wait_loads"] == 173
