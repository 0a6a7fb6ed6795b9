"""Amaranth components of SPARQ accelerators; each one is usable by itself from another design.

``encode`` turns bytes into encoded pairs, ``element`` multiplies and accumulates, ``array`` places
processing elements between their edges, ``tensor`` grids of dot-product units. Nothing here knows
of tools or files.
"""

from hdl.array.systolic_array import SystolicArray
from hdl.catalogue import MacUnit, sparq_mac
from hdl.element.dot_product_unit import DotProductUnit
from hdl.element.pe_2x4x8 import Pe2x4x8
from hdl.element.pe_2x8x8 import Pe2x8x8
from hdl.element.pe_8x8 import Pe8x8
from hdl.element.processing_element import ProcessingElement
from hdl.element.processing_elements import PROCESSING_ELEMENTS, processing_element
from hdl.element.sparq_pe import SparqPe
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.pair_zero_detector import PairZeroDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.multiplier.mac import Mac
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier
from hdl.tensor.sparse_tensor_core import SparseTensorCore
from hdl.tensor.tensor_core import TensorCore

__all__ = [
    "PROCESSING_ELEMENTS",
    "DotProductUnit",
    "LeadingOneDetector",
    "Mac",
    "MacUnit",
    "PairEncoder",
    "PairZeroDetector",
    "Pe2x4x8",
    "Pe2x8x8",
    "Pe8x8",
    "ProcessingElement",
    "ShiftAddMultiplier",
    "SparqPe",
    "SparseTensorCore",
    "SystolicArray",
    "TensorCore",
    "WindowShifter",
    "processing_element",
    "sparq_mac",
]
