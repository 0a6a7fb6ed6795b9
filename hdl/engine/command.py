"""A command: the work of one layer."""

from amaranth.lib import data

COUNT_BITS = 16
"""Of tiles and slices."""

COMMAND = data.StructLayout(
    {
        "tiles_m": COUNT_BITS,
        "tiles_n": COUNT_BITS,
        "depth": COUNT_BITS,
        "exact": 1,
        "sums": 1,
        "encoded": 1,
    }
)
"""``tiles_n`` columns of ``tiles_m`` tiles each, every tile ``depth`` slices long.

``exact``: activations are split into planes, otherwise they are quantized; ``sums``: results leave
as int32, ``encoded`` as stored pairs of bytes, otherwise as bytes.
"""
