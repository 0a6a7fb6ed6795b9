"""The executable specification of SPARQ arithmetic, in NumPy alone.

Everything that the hardware computes is stated here once, as exact integer arithmetic; the hardware
is checked against it and never the other way round.
"""

from golden.format import NAMED_FORMATS, ControlState, SparqFormat, named_format
from golden.matmul import exact_matmul, sparq_matmul, sparq_matmul_2_4
from golden.pairs import EncodedPairs, decode_pairs, encode_pairs, pack_pairs, unpack_pairs
from golden.quantize import sparq, trim
from golden.requantize import FixedPointScale, requantize, rescale
from golden.structured import pack_2_4

__all__ = [
    "NAMED_FORMATS",
    "ControlState",
    "EncodedPairs",
    "FixedPointScale",
    "SparqFormat",
    "decode_pairs",
    "encode_pairs",
    "exact_matmul",
    "named_format",
    "pack_2_4",
    "pack_pairs",
    "requantize",
    "rescale",
    "sparq",
    "sparq_matmul",
    "sparq_matmul_2_4",
    "trim",
    "unpack_pairs",
]
