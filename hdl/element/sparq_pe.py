"""The SPARQ processing element."""

from golden.format import SparqFormat
from hdl.element.processing_element import ProcessingElement
from hdl.multiplier.shared_window import SharedWindow
from hdl.multiplier.window_lanes import WindowLanes


class SparqPe(ProcessingElement):
    """One encoded pair times two weights per cycle; equals ``golden.sparq_matmul``.

    Lanes that always share a window are added first and shifted once. Contract, members and latency
    as :class:`ProcessingElement`; the activation code is the packed pair (``fmt.pair_layout``),
    made by a :class:`PairEncoder` at the row's edge.

    Parameters
    ----------
    fmt : SparqFormat
    weight_bits, acc_bits, pipeline : int
    """

    def __init__(
        self, fmt: SparqFormat, weight_bits: int = 8, acc_bits: int = 32, pipeline: int = 0
    ):
        kind = SharedWindow if fmt.shared_shift else WindowLanes
        super().__init__(kind(fmt, weight_bits), acc_bits, pipeline)
