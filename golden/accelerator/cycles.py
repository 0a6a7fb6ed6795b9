"""What descriptors take of an accelerator, each by itself: cycles and beats."""

from golden.accelerator.program import Tile, tiles_of
from golden.accelerator.shape import WORD_BYTES, AcceleratorShape
from golden.descriptor import PATCHES, TABLE_BYTES, Descriptor, Opcode
from golden.engine import WORDS_PER_SUM

START_CYCLES = 80
"""From a descriptor's start to its first slice, and from its last one to its last result, about."""


def passes(shape: AcceleratorShape, d: Descriptor) -> int:
    """How often the machine takes each slice of a MATRIX: in the exact mode once for each plane."""
    return len(shape.format.exact_planes) if d.exact and shape.format is not None else 1


def slices_of_tile(shape: AcceleratorShape, d: Descriptor) -> int:
    """Slices that the machine takes for a tile of a MATRIX."""
    count, group = passes(shape, d), 1
    if shape.format is not None and count > 1:
        group = max(1, shape.format.group // shape.k_per_cycle)
    # A last group of slices that share windows is filled up in all passes but the last one.
    return -(-d.depth // group) * group * (count - 1) + d.depth


def vector_slices(d: Descriptor) -> int:
    """Slices that the vector unit takes for a tile and a channel word."""
    operands = 2 if d.opcode in (Opcode.COMBINE, Opcode.PRODUCT) else 1
    return d.kernel_height * d.kernel_width * operands


def compute_cycles(shape: AcceleratorShape, d: Descriptor) -> int:
    """Cycles of a descriptor that computes, if weights and parameters are there in time.

    A tile takes a cycle for each of its slices, but no fewer than its pixels take to be found, row
    by row of the results, nor than its results take to leave: of a MATRIX its rows, and then a
    channel word per cycle, of a sum each row by itself; on the vector unit a word in as many cycles
    as it has channels.
    """
    if d.opcode not in PATCHES:
        return TABLE_BYTES // WORD_BYTES
    every = tiles_of(shape, d)
    tiles = [(tile.pixels, walk_cycles(shape, d, tile, tile is every[-1])) for tile in every]
    if d.opcode is Opcode.MATRIX:
        slices = slices_of_tile(shape, d)
        words = shape.column_words
        leave = WORDS_PER_SUM * words if d.sums else 0
        per_tile = [
            max(slices, walk, n * leave if leave else shape.rows + words - 1) for n, walk in tiles
        ]
        return d.tiles_n * sum(per_tile)
    slices = vector_slices(d)
    leave = max(shape.k_per_cycle, WORDS_PER_SUM) if d.sums else shape.k_per_cycle
    return d.out_words * sum(max(slices, walk, leave) for _, walk in tiles)


def words_of_column(shape: AcceleratorShape, d: Descriptor, column: int) -> int:
    """Channel words that each tile of a column of a MATRIX gives."""
    return min(shape.column_words, d.out_words - column * shape.column_words)


def sums_of_tile(shape: AcceleratorShape, d: Descriptor, column: int, tile: Tile) -> int:
    """Cycles in which the sums of a tile leave: of each pixel in four parts, word by word, or one
    for a part that is dropped.
    """
    words = shape.column_words
    left = WORDS_PER_SUM * (d.out_words - column * words)
    parts = [min(words, left - part * words) for part in range(WORDS_PER_SUM)]
    idle = shape.rows - tile.pixels
    cycles = tile.pixels * sum(max(1, part) for part in parts) + idle * WORDS_PER_SUM
    is_last = column == d.tiles_n - 1 and tile.first + tile.pixels == d.first_pixel + d.pixels
    # The last word of all leaves when those behind it were dropped.
    return cycles + (is_last and (idle > 0 or parts[-1] <= 0))


def walk_cycles(shape: AcceleratorShape, d: Descriptor, tile: Tile, is_last: bool) -> int:
    """Cycles in which the pixels of a tile are found."""
    end = tile.column + tile.pixels
    rows = -(-end // d.out_width)
    return rows + (end % d.out_width == 0 and tile.pixels < shape.rows and not is_last)


def products(shape: AcceleratorShape, d: Descriptor) -> int:
    """Products of a descriptor, also those of channels that fill up words."""
    if d.opcode is Opcode.MATRIX:
        return d.pixels * d.depth * d.out_words * shape.k_per_cycle**2
    if d.opcode in PATCHES:
        return d.pixels * vector_slices(d) * d.out_words * shape.k_per_cycle
    return 0


def most_products(shape: AcceleratorShape, d: Descriptor) -> int:
    """Products that what does a descriptor has at most in a cycle."""
    if d.opcode is Opcode.MATRIX:
        return shape.rows * shape.cols * shape.k_per_cycle // passes(shape, d)
    return shape.rows * shape.k_per_cycle if d.opcode in PATCHES else 0


def read_beats(shape: AcceleratorShape, d: Descriptor) -> int:
    """Beats that a descriptor reads from memory."""
    match d.opcode:
        case Opcode.LOAD:
            return shape.in_beats(shape.memory_bytes(d.lines, bool(d.encoded)))
        case Opcode.TABLE:
            return shape.in_beats(TABLE_BYTES)
        case Opcode.STORE | Opcode.END:
            return 0
    return d.beats


def written_beats(shape: AcceleratorShape, d: Descriptor) -> int:
    """Beats that a descriptor writes to memory."""
    if d.opcode is not Opcode.STORE:
        return 0
    return shape.in_beats(shape.memory_bytes(d.lines, bool(d.encoded)))
