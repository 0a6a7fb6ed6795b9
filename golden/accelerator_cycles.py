"""About how long a program takes: what each unit is busy for, and how they wait for each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from golden.accelerator import AcceleratorShape
from golden.descriptor import PATCHES, TABLE_BYTES, Descriptor, Opcode
from golden.engine import WORDS_PER_SUM
from golden.program import Tile, tiles_of
from golden.program_order import WAITS, Unit, unit_of, waited_for

START_CYCLES = 80
"""From a descriptor's start to its first slice, and from its last one to its last result, about."""


class Span(NamedTuple):
    """When a descriptor starts and ends, in cycles from the start of the program."""

    start: int
    end: int


def passes(shape: AcceleratorShape, d: Descriptor) -> int:
    """How often the machine takes each slice of a MATRIX: in the exact mode once for each plane."""
    return len(shape.format.exact_planes) if d.exact and shape.format is not None else 1


def compute_cycles(shape: AcceleratorShape, d: Descriptor) -> int:
    """Cycles of a descriptor that computes, if weights and parameters are there in time.

    A tile takes a cycle for each of its slices, but no fewer than its pixels take to be found, row
    by row of the results, nor than its results take to leave: of a MATRIX its rows, and then a
    channel word per cycle, of a sum each row by itself; on the vector unit a word in as many cycles
    as it has channels.
    """
    if d.opcode not in PATCHES:
        return TABLE_BYTES // shape.beat_bytes
    every = tiles_of(shape, d)
    tiles = [(tile.pixels, _walk_cycles(shape, d, tile, tile is every[-1])) for tile in every]
    if d.opcode is Opcode.MATRIX:
        slices = d.depth * passes(shape, d)
        words = shape.column_words
        leave = WORDS_PER_SUM * words if d.sums else 0
        per_tile = [
            max(slices, walk, n * leave if leave else shape.rows + words - 1) for n, walk in tiles
        ]
        return d.tiles_n * sum(per_tile)
    operands = 2 if d.opcode in (Opcode.COMBINE, Opcode.PRODUCT) else 1
    slices = d.kernel_height * d.kernel_width * operands
    leave = max(shape.k_per_cycle, WORDS_PER_SUM) if d.sums else shape.k_per_cycle
    return d.out_words * sum(max(slices, walk, leave) for _, walk in tiles)


def _walk_cycles(shape: AcceleratorShape, d: Descriptor, tile: Tile, is_last: bool) -> int:
    """Cycles in which the pixels of a tile are found."""
    end = tile.column + tile.pixels
    rows = -(-end // d.out_width)
    return rows + (end % d.out_width == 0 and tile.pixels < shape.rows and not is_last)


def read_beats(shape: AcceleratorShape, d: Descriptor) -> int:
    """Beats that a descriptor reads from memory."""
    match d.opcode:
        case Opcode.LOAD:
            return shape.in_beats(d.lines * shape.line_bytes)
        case Opcode.TABLE:
            return shape.in_beats(TABLE_BYTES)
        case Opcode.STORE | Opcode.END:
            return 0
    return d.beats


def written_beats(shape: AcceleratorShape, d: Descriptor) -> int:
    """Beats that a descriptor writes to memory."""
    return shape.in_beats(d.lines * shape.line_bytes) if d.opcode is Opcode.STORE else 0


@dataclass
class _Clock:
    """What is free when, in cycles."""

    free: list[int]
    reads: int = 0
    issued: int = 0


def schedule(
    shape: AcceleratorShape, program: Sequence[Descriptor], latency: int = 40
) -> list[Span]:
    """When each descriptor of a program runs, of a memory that answers after ``latency`` cycles and
    then gives and takes a beat per cycle.

    Streams are asked for when the computing descriptor before the one ahead has ended, so that
    they come beside it; what reads comes one after the other.
    """
    clock = _Clock([0] * len(Unit))
    ended: list[list[int]] = [[] for _ in Unit]
    spans = []
    for d in program:
        unit = unit_of(d.opcode)
        waited = [0]
        for other, name in zip(Unit, WAITS, strict=True):
            count = waited_for(d, name, len(ended[other]))
            if count > 0:
                waited.append(ended[other][count - 1])
        if unit is None:
            last = max([0, *(times[-1] for times in ended if times)])
            spans.append(Span(last, last))
            continue
        start = max(clock.free[unit], *waited)
        if unit is Unit.COMPUTE:
            before = ended[unit][-2] if len(ended[unit]) > 1 else 0
            asked = max(clock.issued, before)
            clock.issued = asked
            arrives = max(asked, clock.reads) + latency
            clock.reads = arrives - latency + read_beats(shape, d)
            beats, cycles = read_beats(shape, d), compute_cycles(shape, d)
            # It begins with the first parameters; weights meet the first tile as they come, and
            # the others then.
            first, others = beats, 0
            if d.opcode is Opcode.MATRIX:
                first = shape.column_beats
                others = cycles // d.tiles_n * (d.tiles_m - 1) // d.tiles_m
            start = max(start, arrives + first)
            end = max(start + cycles, clock.reads + latency + others) + START_CYCLES
        elif unit is Unit.LOAD:
            begins = max(start, clock.reads)
            clock.reads = begins + read_beats(shape, d)
            end = clock.reads + latency
        else:
            end = start + written_beats(shape, d) + latency
        clock.free[unit] = end
        ended[unit].append(end)
        spans.append(Span(start, end))
    return spans
