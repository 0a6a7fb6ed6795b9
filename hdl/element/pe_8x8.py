"""The conventional processing element."""

from hdl.element.processing_element import ProcessingElement
from hdl.multiplier.booth import Booth
from hdl.multiplier.exact import AndArray, Radix4
from hdl.multiplier.multiplier import Multiplier


class Pe8x8(ProcessingElement):
    """One 8-bit activation times one weight per cycle; equals ``golden.exact_matmul``.

    The baseline. Contract, members and latency as :class:`ProcessingElement`.

    Parameters
    ----------
    multiplier : "radix4", "booth" or "and"
        Rows of partial products by the digits of weights in offset form, by Booth recoding, or by
        the bits of activations. The first is the smallest.
    """

    MULTIPLIERS = ("radix4", "booth", "and")

    def __init__(
        self,
        weight_bits: int = 8,
        acc_bits: int = 32,
        pipeline: int = 0,
        multiplier: str = "radix4",
    ):
        kinds: dict[str, type[Multiplier]] = {"radix4": Radix4, "booth": Booth, "and": AndArray}
        super().__init__(kinds[multiplier](weight_bits, 1), acc_bits, pipeline)
