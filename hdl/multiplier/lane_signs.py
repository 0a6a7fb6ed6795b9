"""The signs of lanes: what a negative activation makes of an offset weight, and of a row's bias.

A weight in offset binary is ``2**(weight_bits - 1)`` more than it is. Inverted, it is that of the
negated weight, less one. So a negative lane multiplies the inverted weight, which adds
``2**(weight_bits - 1) - 1`` times its magnitude to the product, where another adds
``2**(weight_bits - 1)`` times: both depend on the row alone, and no lane has to add a one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Mux, Value

from hdl.arithmetic.signed_accumulator import balanced_sum


class SignedLane(NamedTuple):
    """The magnitude of a lane, and whether it is negative."""

    magnitude: Value
    negative: Value


def with_sign(weight: Value, negative: Value) -> Value:
    """An offset weight, inverted where the lane it meets is ``negative``."""
    return weight ^ negative.replicate(len(weight))


def bias_of(lanes: Sequence[SignedLane], weight_bits: int) -> Value:
    """What lanes add beside their products with weights of so many bits, unsigned."""
    total = balanced_sum([lane.magnitude for lane in lanes])
    negative = balanced_sum([Mux(lane.negative, lane.magnitude, 0) for lane in lanes])
    return ((total << (weight_bits - 1)) - negative)[: len(total) + weight_bits - 1]
