"""The conventional processing element."""

from collections.abc import Callable
from typing import ClassVar

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

    MULTIPLIERS: ClassVar[dict[str, Callable[[int], Multiplier]]] = {
        "radix4": lambda weight_bits: Radix4(weight_bits, 1),
        "booth": lambda weight_bits: Booth(weight_bits, 1),
        "and": lambda weight_bits: AndArray(weight_bits, 1),
    }

    def __init__(
        self,
        weight_bits: int = 8,
        acc_bits: int = 32,
        pipeline: int = 0,
        multiplier: str = "radix4",
    ):
        super().__init__(self.made_multiplier(weight_bits, multiplier), acc_bits, pipeline)
