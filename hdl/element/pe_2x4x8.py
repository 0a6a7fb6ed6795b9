"""Two 4-bit lanes without a window: the floor of what two lanes can cost."""

from collections.abc import Callable
from typing import ClassVar

from hdl.element.processing_element import ProcessingElement
from hdl.multiplier.exact import AndArray, DistributedArithmetic
from hdl.multiplier.multiplier import Multiplier

LANE_BITS = 4
"""The low bits of each byte."""


class Pe2x4x8(ProcessingElement):
    """Two 4-bit activations times two weights per cycle; exact.

    For activations that are 4-bit numbers (uniform A4W8): the upper half of each byte is ignored,
    as ``golden.low_bits`` says. Contract, members and latency as :class:`ProcessingElement`.

    Parameters
    ----------
    multiplier : "distributed" or "and"
        As :class:`Pe2x8x8`.
    """

    MULTIPLIERS: ClassVar[dict[str, Callable[[int], Multiplier]]] = {
        "distributed": lambda weight_bits: DistributedArithmetic(weight_bits, LANE_BITS),
        "and": lambda weight_bits: AndArray(weight_bits, 2, LANE_BITS),
    }
    ACTIVATION_BITS: ClassVar[int] = LANE_BITS

    def __init__(
        self,
        weight_bits: int = 8,
        acc_bits: int = 32,
        pipeline: int = 0,
        multiplier: str = "distributed",
    ):
        super().__init__(self.made_multiplier(weight_bits, multiplier), acc_bits, pipeline)
