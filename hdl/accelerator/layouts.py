"""What the parts of the accelerator tell each other.

Pixels of a tensor are counted in row-major order. Pixel ``p`` lies in bank ``p % banks``; its
channel word ``c``, some channels side by side, lies there at the line
``base + p // banks * pitch + c``, modulo the lines that there are.
"""

from enum import IntEnum

from amaranth.hdl import signed
from amaranth.lib import data

SIZE_BITS = 15
"""Of heights and widths."""

POSITION_BITS = SIZE_BITS + 1
"""Of rows and columns, which are negative before an image begins; signed."""

KERNEL_BITS = 8
"""Of heights and widths of kernels."""

STEP_BITS = 4
"""Of strides and dilations."""

LINE_BITS = 16
"""Of bases and pitches; lines of a smaller memory wrap."""

PIXEL_BITS = 24
"""Of the number of a pixel; those of a smaller memory wrap."""

WORD_BITS = 16
"""Of the number of a channel word."""

COUNT_BITS = 7
"""Of the pixels of a tile."""

PATCHES = data.StructLayout(
    {
        "height": SIZE_BITS,
        "width": SIZE_BITS,
        "pixels": PIXEL_BITS,
        "out_width": SIZE_BITS,
        "first_column": SIZE_BITS,
        "top": signed(POSITION_BITS),
        "left": signed(POSITION_BITS),
        "skipped": POSITION_BITS,
        "first_pixel": PIXEL_BITS,
        "kernel_h": KERNEL_BITS,
        "kernel_w": KERNEL_BITS,
        "stride_y": STEP_BITS,
        "stride_x": STEP_BITS,
        "dilation_y": STEP_BITS,
        "dilation_x": STEP_BITS,
        "passes": WORD_BITS,
        "words": WORD_BITS,
        "by_matrix": 1,
        "two_operands": 1,
        "broadcast": 1,
        "base": LINE_BITS,
        "pitch": LINE_BITS,
        "base_b": LINE_BITS,
        "pitch_b": LINE_BITS,
        "pad_byte": 8,
    }
)
"""The patches that a layer reads.

``height`` and ``width`` are those of the input; ``pixels`` output pixels in rows of ``out_width``
are walked ``passes`` times, the first of them being output pixel ``first_pixel``, in the column
``first_column``. The first tap of its patch is in row ``top`` of the input, ``skipped`` columns
behind ``left``, where that of the first pixel of every row is: 0 less the padding. ``by_matrix``:
every tap has all of ``words`` channel words; otherwise that with the number of the pass.
``two_operands``: each tap comes from the tensor at ``base`` and then from that at ``base_b``, of
the same size, whose pixel 0 serves all pixels with ``broadcast``; not with ``by_matrix``.
``pad_byte`` stands for what lies outside of the image.

All counts, sizes and steps are at least 1 (a step that is never taken may be 0). No tap lies
outside of what rows and columns can say, -32768 to 32767.
"""

MARKS = data.StructLayout({"operand_b": 1, "ends_tile": 1, "ends_pass": 1, "ends_walk": 1})
"""What a slice is: of the second operand; the last one of its tile, of its pass, of all passes."""

PIXELS = data.StructLayout(
    {"pixel": PIXEL_BITS, "count": COUNT_BITS, "ends_pass": 1, "ends_walk": 1}
)
"""The output pixels of a tile: ``count`` of them from ``pixel`` on; what the tile ends."""

PLACE = data.StructLayout(
    {"pixel": PIXEL_BITS, "count": COUNT_BITS, "channel": WORD_BITS, "last": 1}
)
"""Of a result: channel word ``channel`` of ``count`` pixels from ``pixel`` on; ``last`` of all."""

WEIGHT_BITS = 16
"""Of the weights of the vector unit, which are signed."""

VECTOR_LOAD = data.StructLayout({"weights": WORD_BITS, "passes": WORD_BITS})
"""What a layer has for the vector unit: so many weights of each channel, in each of its passes."""

VECTOR = data.StructLayout(
    {"product": 1, "maximum": 1, "uniform": 1, "sums": 1, "zero_a": 8, "zero_b": 8}
)
"""What the vector unit does with the slices of a tile.

It adds up products with weights, one weight for each slice, or with ``uniform`` one for all. Or
with ``product`` it multiplies the first one, of operand a, less ``zero_a`` by the second one, of
operand b, less ``zero_b``. Or with ``maximum`` it takes the largest byte. Results leave as int32
with ``sums``, otherwise requantized.
"""


class StreamKind(IntEnum):
    """What a stream from memory carries."""

    MATRIX = 0
    VECTOR = 1
    TABLE = 2


STREAM = data.StructLayout({"kind": 2, "tiles_n": 16, "depth": 16, "words": 32})
"""A stream of parameters and weights.

For the machine that multiplies ``tiles_n`` times the parameters of a column of tiles and then
``depth`` slices of its weights; otherwise ``words`` words of 32 bits. Each of these fills up its
last beat.
"""

EVENT_BITS = 16
"""Of counts of descriptors that have ended. A descriptor waits while less than half of as many end:
a descriptor's own counts, of 8 bits, would say too little for that."""
WAITS_BITS = 3 * EVENT_BITS
"""Of what must have ended before a descriptor starts: LOADs (low), STOREs, and computations."""
