"""Two exact MACs on one accumulator."""

from collections.abc import Callable
from typing import ClassVar

from hdl.element.processing_element import ProcessingElement
from hdl.multiplier.booth import Booth
from hdl.multiplier.exact import AndArray, DistributedArithmetic, Radix4
from hdl.multiplier.multiplier import Multiplier


class Pe2x8x8(ProcessingElement):
    """Two 8-bit activations times two weights per cycle; equals ``golden.exact_matmul``.

    What SPARQ has to beat at equal throughput. Contract, members and latency as
    :class:`ProcessingElement`.

    Parameters
    ----------
    multiplier : "radix4", "booth", "distributed" or "and"
        As :class:`Pe8x8`; "distributed" selects none, one or the sum of both weights by each pair
        of activation bits.
    """

    MULTIPLIERS: ClassVar[dict[str, Callable[[int], Multiplier]]] = {
        "radix4": lambda weight_bits: Radix4(weight_bits, 2),
        "booth": lambda weight_bits: Booth(weight_bits, 2),
        "distributed": lambda weight_bits: DistributedArithmetic(weight_bits),
        "and": lambda weight_bits: AndArray(weight_bits, 2),
    }

    def __init__(
        self,
        weight_bits: int = 8,
        acc_bits: int = 32,
        pipeline: int = 0,
        multiplier: str = "radix4",
    ):
        super().__init__(self.made_multiplier(weight_bits, multiplier), acc_bits, pipeline)
