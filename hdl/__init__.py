"""Amaranth components of SPARQ accelerators; each one is usable by itself from another design.

``encode`` turns bytes into encoded pairs, ``pe`` multiplies and accumulates, ``array`` places
processing elements between their edges. Nothing here knows of tools or files.
"""

from hdl.array.systolic_array import SystolicArray
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.pair_zero_detector import PairZeroDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.pe import PROCESSING_ELEMENTS, processing_element
from hdl.pe.contract import ProcessingElement
from hdl.pe.pe_2x4x8 import Pe2x4x8
from hdl.pe.pe_2x8x8 import Pe2x8x8
from hdl.pe.pe_8x8 import Pe8x8
from hdl.pe.shared_shift_multiplier import SharedShiftMultiplier
from hdl.pe.shift_add_multiplier import ShiftAddMultiplier
from hdl.pe.sparq_pe import SparqPe

__all__ = [
    "PROCESSING_ELEMENTS",
    "LeadingOneDetector",
    "PairEncoder",
    "PairZeroDetector",
    "Pe2x4x8",
    "Pe2x8x8",
    "Pe8x8",
    "ProcessingElement",
    "SharedShiftMultiplier",
    "ShiftAddMultiplier",
    "SparqPe",
    "SystolicArray",
    "WindowShifter",
    "processing_element",
]
