"""Amaranth components of SPARQ accelerators; each one is usable by itself from another design.

Rooms, each above those named before it:

- ``arithmetic``: adders, sums of many addends, accumulators;
- ``encode``: from bytes to encoded pairs;
- ``multiplier``: operand codes, partial products, biases; a ``Mac`` says what a unit is, and a
  ``MacPart`` is built from that;
- ``element``: processing elements and dot-product units;
- ``broadcast``: multipliers of dot-product units, whose operands are decoded at the edge;
- ``edge``: what is done once per row or column, for both machines;
- ``grid``: equal parts, wired to their neighbours as their ports say;
- ``tile``: the handshake, the control and the streams of machines that multiply tiles;
- ``array`` and ``tensor``: the machines, the systolic array and the tensor cores;
- ``stream`` and ``bus``: queues and registers between streams, ports of AXI4, registers by table;
- ``memory``: scratchpads, and what moves data between them and the memory behind an AXI4 port;
- ``engine``: a machine with buffers, commands and requantization around it, on a bus;
- ``accelerator``: an engine's machine, a scratchpad and a vector unit, which run programs.

``catalogue`` has all units by description, ``elements`` says what the word of a port consists of.
``placement`` and ``identity`` let a component be emitted once, however often it is placed. Nothing
here knows of tools or files.
"""

from hdl.accelerator.accelerator import Accelerator
from hdl.array.systolic_array import SystolicArray
from hdl.catalogue import MacUnit, sparq_mac
from hdl.element.dot_product_unit import DotProductUnit
from hdl.element.pe_2x4x8 import Pe2x4x8
from hdl.element.pe_2x8x8 import Pe2x8x8
from hdl.element.pe_8x8 import Pe8x8
from hdl.element.processing_element import ProcessingElement
from hdl.element.processing_elements import PROCESSING_ELEMENTS
from hdl.element.sparq_pe import SparqPe
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.pair_zero_detector import PairZeroDetector
from hdl.encode.sign_magnitude import SignMagnitude
from hdl.encode.signed_pair_encoder import SignedPairEncoder
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.encode.stored_pair_encoder import StoredPairEncoder
from hdl.encode.window_shifter import WindowShifter
from hdl.engine.gemm_engine import GemmEngine
from hdl.engine.requantizer_lane import RequantizerLane
from hdl.multiplier.mac import Mac
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier
from hdl.tensor.sparse_tensor_core import SparseTensorCore
from hdl.tensor.tensor_core import TensorCore

__all__ = [
    "PROCESSING_ELEMENTS",
    "Accelerator",
    "DotProductUnit",
    "GemmEngine",
    "LeadingOneDetector",
    "Mac",
    "MacUnit",
    "PairEncoder",
    "PairZeroDetector",
    "Pe2x4x8",
    "Pe2x8x8",
    "Pe8x8",
    "ProcessingElement",
    "RequantizerLane",
    "ShiftAddMultiplier",
    "SignMagnitude",
    "SignedPairEncoder",
    "SparqPe",
    "SparseTensorCore",
    "StoredPairDecoder",
    "StoredPairEncoder",
    "SystolicArray",
    "TensorCore",
    "WindowShifter",
    "sparq_mac",
]
