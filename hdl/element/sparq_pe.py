"""The SPARQ processing element."""

from golden.format import SparqFormat
from hdl.element.processing_element import ProcessingElement
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.shared_window import SharedWindow
from hdl.multiplier.shared_window_products import SharedWindowProducts
from hdl.multiplier.style import Style
from hdl.multiplier.window_lanes import WindowLanes
from hdl.multiplier.window_products import WindowProducts


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
        super().__init__(self.multiplier_of(fmt, weight_bits), acc_bits, pipeline)

    @staticmethod
    def multiplier_of(
        fmt: SparqFormat, weight_bits: int, style: Style = Style.STRUCTURAL
    ) -> Multiplier:
        """What it multiplies with."""
        if style is Style.BEHAVIORAL:
            return (SharedWindowProducts if fmt.shared_shift else WindowProducts)(fmt, weight_bits)
        return (SharedWindow if fmt.shared_shift else WindowLanes)(fmt, weight_bits)
