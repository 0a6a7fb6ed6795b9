"""What each column's sums are biased and requantized by."""

from amaranth.lib import data

PARAMETER_WORD_BITS = 32

COLUMN_PARAMETERS = data.StructLayout(
    {
        "bias": 32,
        "multiplier": 15,
        "reserved_0": 1,
        "shift": 6,
        "combine": 3,
        "reserved_1": 7,
        "zero_point": 8,
        "low": 8,
        "high": 8,
        "reserved_2": 8,
    }
)
"""Three words, the first in the lowest bits. ``bias`` is signed, all else is unsigned.

What :class:`RequantizerLane` takes: ``golden.requantize`` of the sum plus ``bias``. ``combine`` is
the shift of a :class:`ColumnCombiner`; where there is none it is not read.
"""

WORDS_PER_COLUMN = COLUMN_PARAMETERS.size // PARAMETER_WORD_BITS
