"""The executable specification of SPARQ arithmetic, in NumPy alone.

Everything that the hardware computes is stated here once, as exact integer arithmetic; the hardware
is checked against it and never the other way round.
"""

from golden.attention import masked_mean, normalize, softmax, value_matmul
from golden.block_format import BLOCK_FORMATS, BlockFormat, block_values
from golden.byte_table import byte_table, look_up
from golden.elementwise import divide, multiply
from golden.format import ControlState, SparqFormat
from golden.matmul import exact_matmul, sparq_matmul, sparq_matmul_2_4
from golden.multipoint import combine, limits_of_points, points
from golden.named import NAMED_FORMATS, SIGNED_FORMATS, NamedFormat, named_format
from golden.pairs import EncodedPairs, decode_pairs, encode_pairs, pack_pairs, unpack_pairs
from golden.quantize import low_bits, sparq, trim
from golden.requantize import FixedPointScale, requantize, rescale
from golden.stored import encoded_bits, load_pairs, store_pairs
from golden.structured import pack_2_4, select_2_4

__all__ = [
    "BLOCK_FORMATS",
    "NAMED_FORMATS",
    "SIGNED_FORMATS",
    "BlockFormat",
    "ControlState",
    "EncodedPairs",
    "FixedPointScale",
    "NamedFormat",
    "SparqFormat",
    "block_values",
    "byte_table",
    "combine",
    "decode_pairs",
    "divide",
    "encode_pairs",
    "encoded_bits",
    "exact_matmul",
    "limits_of_points",
    "load_pairs",
    "look_up",
    "low_bits",
    "masked_mean",
    "multiply",
    "named_format",
    "normalize",
    "pack_2_4",
    "pack_pairs",
    "points",
    "requantize",
    "rescale",
    "select_2_4",
    "softmax",
    "sparq",
    "sparq_matmul",
    "sparq_matmul_2_4",
    "store_pairs",
    "trim",
    "unpack_pairs",
    "value_matmul",
]
