"""Two 4-bit lanes without a window: the floor of what two lanes can cost."""

from hdl.element.processing_element import ProcessingElement
from hdl.multiplier.exact import AndArray, DistributedArithmetic

LANE_BITS = 4


class Pe2x4x8(ProcessingElement):
    """Two 4-bit activations times two weights per cycle; equals ``golden.exact_matmul(x & 15, w)``.

    For activations that are 4-bit numbers (uniform A4W8): the upper half of each byte is ignored.
    Contract, members and latency as :class:`ProcessingElement`.

    Parameters
    ----------
    multiplier : "distributed" or "and"
        As :class:`Pe2x8x8`.
    """

    MULTIPLIERS = ("distributed", "and")

    def __init__(
        self,
        weight_bits: int = 8,
        acc_bits: int = 32,
        pipeline: int = 0,
        multiplier: str = "distributed",
    ):
        kind = (
            DistributedArithmetic(weight_bits, LANE_BITS)
            if multiplier == "distributed"
            else AndArray(weight_bits, 2, LANE_BITS)
        )
        super().__init__(kind, acc_bits, pipeline)
