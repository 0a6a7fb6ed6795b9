# amaranth: UnusedElaboratable=no
"""Modules that are shared are alike; whatever components may have as ports is emitted."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import PropertyMock, patch

import pytest
from amaranth.back import rtlil
from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    EnableInserter,
    Module,
    Mux,
    ResetInserter,
    ResetSignal,
    Signal,
    Value,
    signed,
)
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

import hdl
from gen.synthesis.equivalence import are_equivalent
from gen.verilog.emission import Emission
from gen.verilog.naming import NameConflict
from golden import SparqFormat, named_format
from hdl.accelerator.accelerator import Accelerator
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.byte_table import ByteTable
from hdl.accelerator.byte_tables import ByteTables
from hdl.accelerator.compute_unit import ComputeUnit
from hdl.accelerator.pair_bytes import PairBytes
from hdl.accelerator.pair_packer import PairPacker
from hdl.accelerator.pair_unpacker import PairUnpacker
from hdl.accelerator.patch_reader import PatchReader
from hdl.accelerator.patch_walk import PatchWalk
from hdl.accelerator.program_reader import ProgramReader
from hdl.accelerator.result_writer import ResultWriter
from hdl.accelerator.stream_router import StreamRouter
from hdl.accelerator.turner import Turner
from hdl.accelerator.vector_lane import VectorLane
from hdl.accelerator.vector_parameters import VectorParameters
from hdl.accelerator.vector_unit import VectorUnit
from hdl.arithmetic.full_adder import FullAdder
from hdl.arithmetic.half_adder import HalfAdder
from hdl.array.systolic_array import SystolicArray
from hdl.broadcast.dot_product import dot_product
from hdl.broadcast.lane_encoder import LaneEncoder
from hdl.broadcast.multiplier_part import MultiplierPart
from hdl.bus import register_map as table
from hdl.bus.axi4 import Axi4Bus
from hdl.bus.register_file import RegisterFile
from hdl.catalogue import MacUnit, sparq_mac
from hdl.edge.activation_lane import ActivationLane
from hdl.edge.chain import Chain
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.delay import Delay
from hdl.edge.row_bias import RowBias
from hdl.edge.skew import Skew
from hdl.edge.stored_activation_lane import StoredActivationLane
from hdl.edge.weight_lane import WeightLane
from hdl.element.dot_product_unit import DotProductUnit
from hdl.element.pe_2x4x8 import Pe2x4x8
from hdl.element.pe_2x8x8 import Pe2x8x8
from hdl.element.pe_8x8 import Pe8x8
from hdl.element.processing_element import ProcessingElement
from hdl.element.sparq_pe import SparqPe
from hdl.encode.control_decoder import ControlDecoder
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.one_hot_decoder import OneHotDecoder
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.pair_zero_detector import PairZeroDetector
from hdl.encode.sign_magnitude import SignMagnitude
from hdl.encode.signed_pair_encoder import SignedPairEncoder
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.encode.stored_pair_encoder import StoredPairEncoder
from hdl.encode.window_shifter import WindowShifter
from hdl.engine.column_combiner import ColumnCombiner
from hdl.engine.engine_unit import EngineUnit
from hdl.engine.event_counters import EventCounters
from hdl.engine.gemm_core import GemmCore
from hdl.engine.gemm_engine import GemmEngine
from hdl.engine.output_stage import OutputStage
from hdl.engine.pair_counter import PairCounter
from hdl.engine.parameter_buffer import ParameterBuffer
from hdl.engine.plane_splitter import PlaneSplitter
from hdl.engine.requantizer_lane import RequantizerLane
from hdl.engine.result_encoder import ResultEncoder
from hdl.engine.tile_walk import TileWalk
from hdl.engine.weight_buffer import WeightBuffer
from hdl.grid.grid import Grid
from hdl.memory.axi_reader import AxiReader
from hdl.memory.axi_writer import AxiWriter
from hdl.memory.burst_splitter import BurstSplitter
from hdl.memory.line_encoding import LineEncoding
from hdl.memory.line_loader import LineLoader
from hdl.memory.line_storer import LineStorer
from hdl.memory.line_walk import LineWalk
from hdl.memory.narrowing_gearbox import NarrowingGearbox
from hdl.memory.read_queue import ReadQueue
from hdl.memory.scratchpad import Scratchpad
from hdl.memory.scratchpad_bank import ScratchpadBank
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.multiplier.exact import DistributedArithmetic, Radix4
from hdl.multiplier.mac import Mac
from hdl.multiplier.shared_window import SharedWindow
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier
from hdl.multiplier.stored_activations import StoredActivations
from hdl.multiplier.window_lanes import WindowLanes
from hdl.placement import Component, place
from hdl.stream.downsizer import Downsizer
from hdl.stream.gearbox import Gearbox
from hdl.stream.stream_fifo import StreamFifo
from hdl.stream.stream_register import StreamRegister
from hdl.stream.upsizer import Upsizer
from hdl.tensor.sparse_tensor_core import SparseTensorCore
from hdl.tensor.tensor_core import TensorCore
from hdl.tile.group_buffer import GroupBuffer
from hdl.tile.result_control import ResultControl
from hdl.tile.row_counter import RowCounter
from hdl.tile.tile_control import TileControl
from hdl.tile.tile_sequencer import TileSequencer
from sim_tb.gen.headers import declared_ports
from sim_tb.gen.test_verilog import lint_with_slang, lint_with_verilator

ROUNDED, TRIMMED = (named_format("2opt", rounding=rounding) for rounding in (True, False))
FORMATS = (ROUNDED, TRIMMED, named_format("7opt"), named_format("2opt", group=4))
SIGNED_FORMATS = (named_format("s3:0,4"), named_format("s3:0,5", group=2))
ENCODED_SIGNED = (*SIGNED_FORMATS, named_format("s3:0,5", group=4))
STORED_FORMATS = [named_format(name) for name in ("7opt", "3opt", "2opt", "s4opt")]
SHORT: dict[str, Any] = {"weight_bits": 2, "acc_bits": 11}


MAC = Mac(Radix4(2, 1), 11)
LATE = Mac(Radix4(2, 1), 11, pipeline=1)
PAIR = Mac(DistributedArithmetic(2), 11)
SPARQ = [Mac(WindowLanes(fmt, 2), 11) for fmt in FORMATS[:3]]
SIGNED = [
    Mac(WindowLanes(SIGNED_FORMATS[0], 2), 11),
    Mac(SharedWindow(replace(SIGNED_FORMATS[1], vsparq=False), 2), 11),
]
STORED = [Mac(StoredActivations(own.multiplier), 11) for own in SPARQ]
SPARSE = [Mac(dot_product("sparq", 2, fmt, 2, sparse=True), 14) for fmt in FORMATS[:2]]
SIGNED_PAIR = Mac(dot_product("sparq", 1, SIGNED_FORMATS[0], 2), 14)
SIGNED_SPARSE = Mac(dot_product("sparq", 2, SIGNED_FORMATS[0], 2, sparse=True), 14)

ENCODED = sparq_mac("2opt", encoded_input=True, **SHORT)
ENGINES = [
    EngineUnit("array", 1, 1, MacUnit("8x8", **SHORT), 1, 1, 2, 2),
    EngineUnit("array", 1, 1, MacUnit("8x8", **SHORT), 1, 0, 2, 2),
    EngineUnit("array", 1, 2, ENCODED, 2, 2, 2, 2, encoded_output=True),
    *(
        EngineUnit("array", 1, 1, sparq_mac(name, **SHORT), 1, 1, 2, 2)
        for name in ("s4:0,3", "s4:0,4")
    ),
    EngineUnit("array", 1, 2, MacUnit("8x8", **SHORT), 2, 1, 2, 2, multipoint=True),
]
NARROW = EngineUnit("array", 2, 1, MacUnit("8x8", **SHORT), 1, 0, 2, 2, 8)
"""Of which a slice of activations takes two words of its stream."""

ACCELERATORS = [
    AcceleratorUnit(EngineUnit("array", 2, 1, MacUnit("8x8", **SHORT), 0, *sizes), 1, 32)
    for sizes in ((2, 2, 2), (1, 2, 2))
]
WIDE = AcceleratorUnit(EngineUnit("array", 4, 2, sparq_mac("2opt", **SHORT), 0, 2, 2, 2), 1, 64)

BUSES = [Axi4Bus(32, 13, 1), Axi4Bus(32, 13, 4), Axi4Bus(64, 13, 1)]
SHAPES = [
    ScratchpadShape(2, 1, 2, 8),
    ScratchpadShape(2, 1, 2, 16),
    ScratchpadShape(4, 1, 2, 8),
    ScratchpadShape(2, 2, 2, 8),
]


PAIRS = [named_format("2opt"), named_format("7opt", vsparq=False, group=2)]


def encoding_of(fmt: SparqFormat) -> LineEncoding:
    """Of a beat of a pair."""
    return LineEncoding(SHAPES[1], fmt.stored_pair_bits)


def register_map(access: table.Access, strobe: bool = False) -> table.RegisterMap:
    """One register of one bit."""
    field = table.Field("f", 3, 1, access, "A bit.")
    register = table.Register("R", 4, "A register.", (field,), strobe)
    return table.RegisterMap("map", "A table.", (register,))


VARIANTS: dict[type[Component], Callable[[], Sequence[Component]]] = {
    FullAdder: lambda: [FullAdder(), FullAdder()],
    HalfAdder: lambda: [HalfAdder(), HalfAdder()],
    LeadingOneDetector: lambda: [LeadingOneDetector(4, (0, 4)), LeadingOneDetector(5, (0, 3))],
    WindowShifter: lambda: [WindowShifter(4, (0, 4), rounding) for rounding in (True, False)],
    PairZeroDetector: lambda: [PairZeroDetector(), PairZeroDetector()],
    SignMagnitude: lambda: [SignMagnitude(fmt) for fmt in SIGNED_FORMATS],
    PairEncoder: lambda: [PairEncoder(fmt) for fmt in (*FORMATS, *SIGNED_FORMATS)],
    SignedPairEncoder: lambda: [SignedPairEncoder(fmt) for fmt in ENCODED_SIGNED],
    OneHotDecoder: lambda: [OneHotDecoder(count) for count in (1, 3, 5)],
    StoredPairDecoder: lambda: [StoredPairDecoder(fmt) for fmt in STORED_FORMATS],
    StoredPairEncoder: lambda: [StoredPairEncoder(fmt) for fmt in STORED_FORMATS],
    LaneEncoder: lambda: [LaneEncoder(fmt) for fmt in (*FORMATS, *SIGNED_FORMATS)],
    ControlDecoder: lambda: [ControlDecoder(fmt) for fmt in (ROUNDED, named_format("5opt"))],
    ShiftAddMultiplier: lambda: [
        *(ShiftAddMultiplier(named_format(name), 3) for name in ("5opt", "3opt")),
        ShiftAddMultiplier(named_format("5opt"), 3, registered=True),
    ],
    MultiplierPart: lambda: [
        MultiplierPart(Radix4(3, 1), "addends"),
        MultiplierPart(Radix4(2, 1), "addends"),
        MultiplierPart(DistributedArithmetic(2), "row_bias"),
        MultiplierPart(DistributedArithmetic(3, 4), "row_bias"),
        *(MultiplierPart(own.multiplier, "load") for own in SPARQ[1:]),
    ],
    ProcessingElement: lambda: [
        ProcessingElement(Radix4(2, 1), 11),
        ProcessingElement(DistributedArithmetic(2), 11),
        ProcessingElement(Radix4(2, 1), 12),
    ],
    Pe8x8: lambda: [Pe8x8(**SHORT, multiplier=kind) for kind in ("radix4", "booth", "and")],
    Pe2x8x8: lambda: [Pe2x8x8(**SHORT), Pe2x8x8(**SHORT, multiplier="and")],
    Pe2x4x8: lambda: [Pe2x4x8(**SHORT), Pe2x4x8(**SHORT, pipeline=2)],
    SparqPe: lambda: [
        SparqPe(fmt, **SHORT) for fmt in (ROUNDED, named_format("7opt"), *SIGNED_FORMATS)
    ],
    DotProductUnit: lambda: [
        DotProductUnit(own.multiplier, own.acc_bits, own.pipeline) for own in (MAC, LATE, PAIR)
    ],
    ColumnCorrection: lambda: [ColumnCorrection(own) for own in (MAC, PAIR)],
    RowBias: lambda: [RowBias(own) for own in (MAC, LATE, *SIGNED)],
    ActivationLane: lambda: [ActivationLane(own) for own in (*SPARQ, *SIGNED)],
    StoredActivationLane: lambda: [StoredActivationLane(own) for own in STORED],
    WeightLane: lambda: [WeightLane(own) for own in (MAC, PAIR)],
    Chain: lambda: [Chain(3, 2), Chain(2, 2), Chain(3, 1)],
    Delay: lambda: [Delay(2, 3, 2), Delay(3, 2, 2)],
    Skew: lambda: [Skew(3, 2), Skew(3, 2, reverse=True), Skew(3, 1)],
    Grid: lambda: [
        *(Grid(2, 1, ProcessingElement, own) for own in (MAC, LATE)),
        Grid(2, 1, DotProductUnit, MAC),
        *(Grid(2, 1, RowBias, own) for own in (MAC, LATE)),
        Grid(2, 1, RowBias, MAC, broadcast=("last", "drain")),
    ],
    GroupBuffer: lambda: [GroupBuffer(2, 3, 4), GroupBuffer(2, 3, 5), GroupBuffer(4, 3, 4)],
    ResultControl: lambda: [ResultControl(3, 2), ResultControl(4, 2), ResultControl(3, 3)],
    RowCounter: lambda: [RowCounter(3), RowCounter(4)],
    TileSequencer: lambda: [TileSequencer(2), TileSequencer(3), TileSequencer(2, 1)],
    TileControl: lambda: [TileControl(2, 1), TileControl(3, 1), TileControl(2, 2)],
    RegisterFile: lambda: [
        *(RegisterFile(register_map(access)) for access in table.Access),
        RegisterFile(register_map(table.Access.PULSE, strobe=True)),
        RegisterFile(register_map(table.Access.PULSE), prefix="s_axi"),
    ],
    StreamFifo: lambda: [StreamFifo(3, 2), StreamFifo(3, 4), StreamFifo(2, 4)],
    StreamRegister: lambda: [StreamRegister(3), StreamRegister(2)],
    Upsizer: lambda: [Upsizer(3, 2), Upsizer(3, 3), Upsizer(2, 3)],
    Downsizer: lambda: [Downsizer(3, 2), Downsizer(3, 3), Downsizer(2, 3)],
    Gearbox: lambda: [Gearbox(2, 3), Gearbox(2, 4), Gearbox(3, 4)],
    NarrowingGearbox: lambda: [NarrowingGearbox(*own) for own in ((3, 2), (4, 2), (4, 3))],
    RequantizerLane: lambda: [RequantizerLane(), RequantizerLane()],
    SystolicArray: lambda: [
        SystolicArray(1, 2, own) for own in (*SPARQ[:2], MAC, STORED[2], *SIGNED)
    ],
    TensorCore: lambda: [
        TensorCore(1, 2, own) for own in (*SPARQ[:2], MAC, STORED[2], SIGNED_PAIR)
    ],
    WeightBuffer: lambda: [WeightBuffer(3, 2), WeightBuffer(2, 2), WeightBuffer(2, 1)],
    ParameterBuffer: lambda: [ParameterBuffer(2, 1), ParameterBuffer(2, 2), ParameterBuffer(1, 1)],
    TileWalk: lambda: [TileWalk(2), TileWalk(3)],
    PlaneSplitter: lambda: [
        *(PlaneSplitter(2, 3, planes, 1) for planes in ((0xF0, 0x0F), (0xC0, 0x3F), ())),
        *(PlaneSplitter(2, 3, (0xF0, 0x0F), group) for group in (2, 4)),
        PlaneSplitter(2, 3, (0xF0, 0x0F), 2, SIGNED_FORMATS[1]),
    ],
    OutputStage: lambda: [
        *(OutputStage(2, 2, lanes, 11) for lanes in (1, 2)),
        OutputStage(2, 2, 2, 11, ROUNDED),
        OutputStage(2, 2, 2, 11, points=2),
    ],
    ColumnCombiner: lambda: [ColumnCombiner(bits) for bits in (3, 11)],
    ResultEncoder: lambda: [
        *(ResultEncoder(fmt, 2) for fmt in (ROUNDED, TRIMMED)),
        *(ResultEncoder(FORMATS[3], lanes) for lanes in (4, 8)),
    ],
    EventCounters: lambda: [EventCounters({"a": 1, "b": 3}), EventCounters({"a": 3, "b": 1})],
    PairCounter: lambda: [
        *(PairCounter(pairs) for pairs in (1, 3)),
        *(PairCounter(3, fmt) for fmt in (ROUNDED, FORMATS[3])),
        *(PairCounter(3, None, fmt) for fmt in SIGNED_FORMATS),
    ],
    GemmCore: lambda: [GemmCore(own) for own in ENGINES],
    GemmEngine: lambda: [
        GemmEngine(own, f"{index:016x}", (1, 2, 3))
        for index, own in enumerate((ENGINES[1], NARROW, ENGINES[3]))
    ],
    BurstSplitter: lambda: [BurstSplitter(bus) for bus in BUSES],
    ReadQueue: lambda: [
        ReadQueue(BUSES[0], 3),
        ReadQueue(BUSES[1], 4),
    ],
    AxiReader: lambda: [
        AxiReader(BUSES[0], {"a": 3}, 2),
        AxiReader(BUSES[0], {"a": 3, "b": 4}, 3),
    ],
    AxiWriter: lambda: [
        AxiWriter(BUSES[0], 3, 2),
        AxiWriter(BUSES[1], 4, 2),
        AxiWriter(BUSES[0], 3, 3),
    ],
    ScratchpadBank: lambda: [
        ScratchpadBank(*sizes) for sizes in ((4, 2, 1), (4, 2, 2), (4, 4, 1), (6, 2, 1))
    ],
    Scratchpad: lambda: [Scratchpad(shape) for shape in SHAPES],
    LineWalk: lambda: [
        *(LineWalk(SHAPES[0], bits) for bits in (13, 14)),
        LineWalk(SHAPES[1], 13, LineEncoding(SHAPES[1], 12)),
    ],
    LineLoader: lambda: [
        *(LineLoader(shape, 13) for shape in SHAPES),
        LineLoader(SHAPES[1], 13, LineEncoding(SHAPES[1], 12)),
    ],
    LineStorer: lambda: [
        *(LineStorer(shape, 13) for shape in SHAPES),
        LineStorer(SHAPES[1], 13, LineEncoding(SHAPES[1], 12)),
    ],
    PairBytes: lambda: [PairBytes(fmt) for fmt in PAIRS],
    PairPacker: lambda: [PairPacker(fmt, encoding_of(fmt)) for fmt in PAIRS],
    PairUnpacker: lambda: [PairUnpacker(fmt, encoding_of(fmt)) for fmt in PAIRS],
    PatchWalk: lambda: [PatchWalk(2, 4), PatchWalk(4, 4), PatchWalk(2, 8)],
    PatchReader: lambda: [PatchReader(2, 1, 4), PatchReader(2, 2, 4), PatchReader(4, 1, 2)],
    Turner: lambda: [Turner(2, 2, 1), Turner(4, 2, 2), Turner(2, 4, 2)],
    ByteTable: lambda: [ByteTable(), ByteTable()],
    ByteTables: lambda: [ByteTables(1, 1), ByteTables(1, 2)],
    ResultWriter: lambda: [ResultWriter(2, 1, 4), ResultWriter(2, 2, 4), ResultWriter(4, 1, 2)],
    VectorLane: lambda: [VectorLane(), VectorLane(multiplies=False)],
    VectorParameters: lambda: [VectorParameters(1, 2), VectorParameters(2, 2)],
    VectorUnit: lambda: [
        *(VectorUnit(1, 1, 2), VectorUnit(1, 2, 2), VectorUnit(1, 2, 2, multiplies=False))
    ],
    StreamRouter: lambda: [
        *(StreamRouter(unit, bits) for unit, bits in ((ACCELERATORS[0], 8), (WIDE, 16))),
        StreamRouter(ACCELERATORS[0], 7),
    ],
    ProgramReader: lambda: [
        ProgramReader(unit) for unit in (ACCELERATORS[0], WIDE, replace(WIDE, encoded_memory=True))
    ],
    ComputeUnit: lambda: [ComputeUnit(unit) for unit in ACCELERATORS],
    Accelerator: lambda: [
        Accelerator(unit, f"{index:016x}", (1, 2, 3)) for index, unit in enumerate(ACCELERATORS)
    ],
    SparseTensorCore: lambda: [SparseTensorCore(1, 1, own) for own in (*SPARSE, SIGNED_SPARSE)],
}
"""Of each component some that are not alike: in parameters of their own and of their parts."""


class Together(wiring.Component):
    """Components side by side, each with ports of its own."""

    def __init__(self, parts: Sequence[wiring.Component]):
        self.parts = parts
        super().__init__({f"part{i}": Out(own.signature) for i, own in enumerate(parts)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for index, own in enumerate(self.parts):
            place(m, platform, f"placed{index}", own)
            port = getattr(self, f"part{index}")
            pairs = zip(own.signature.flatten(own), own.signature.flatten(port), strict=True)
            for (_, member, inner), (_, _, outer) in pairs:
                if not isinstance(inner, Const):
                    m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
        return m


def components() -> list[type]:
    """All components of the library that can be elaborated."""
    for module in pkgutil.walk_packages(hdl.__path__, "hdl."):
        importlib.import_module(module.name)
    found: list[type] = [Component]
    for kind in found:
        below: list[type] = type.__subclasses__(kind)
        found += [own for own in below if own not in found]
    library = [kind for kind in found if kind.__module__.startswith("hdl.")]
    return [kind for kind in library if hasattr(kind, "elaborate")]


def is_faithful(make: Callable[[], wiring.Component], folder: Path) -> bool:
    """Whether the emitted Verilog is proved to do what Amaranth says, where nothing is shared."""
    plain = Emission("top")
    plain.instance_of = None  # type: ignore[assignment,method-assign]  # all is placed as it is
    plain._lower(make(), "top", always=("clk", "rst"))
    (folder / "plain.il").write_text(plain._texts["top"])
    (folder / "emitted.v").write_text(Emission("top").verilog(make()))
    simplify = ["hierarchy -check -top top", "proc", "flatten", "memory", "opt_clean"]
    simplify.append("wreduce t:$mul")  # else multipliers of other widths, which are hard to compare
    return are_equivalent(
        [f"read_rtlil {folder / 'plain.il'}", *simplify],
        [f"read_verilog {folder / 'emitted.v'}", *simplify],
        "top",
    )


def test_every_component_has_variants() -> None:
    names = sorted(kind.__name__ for kind in components())
    assert sorted(kind.__name__ for kind in VARIANTS) == names


TOO_LARGE = (Accelerator, ComputeUnit)
"""Not compared with what Amaranth says: their memories are as large as programs may need. Each of
their parts is.
"""


def every_kind() -> list[Any]:
    """Those that take minutes are left to the longest of the targets."""
    whole: tuple[type[Component], ...] = (ByteTable, ByteTables, GemmCore, GemmEngine)
    whole += (PatchReader, PatchWalk, ProgramReader, VectorParameters, VectorUnit, *TOO_LARGE)
    return [pytest.param(own, marks=pytest.mark.full) if own in whole else own for own in VARIANTS]


@pytest.mark.every(6)
@pytest.mark.slow
@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
def test_variants_in_one_design(kind: type[Component], tmp_path: Path) -> None:
    """Each variant does what it would do alone; what is alike is there once."""
    variants = VARIANTS[kind]()
    assert all(type(variant) is kind for variant in variants)
    different = {variant.identity for variant in variants}
    assert len(different) in (1, len(variants))
    if kind in TOO_LARGE:
        (tmp_path / "emitted.v").write_text(Emission("top").verilog(Together(VARIANTS[kind]())))
    else:
        assert is_faithful(lambda: Together(VARIANTS[kind]()), tmp_path)
    text = (tmp_path / "emitted.v").read_text()
    top = text[text.index("module top(") :]
    placed = re.findall(r"^  (\w+) placed\d+ \(", top[: top.index("endmodule")], re.MULTILINE)
    assert len(placed) == len(variants)
    assert len(set(placed)) == len(different)


@pytest.mark.full
def test_all_variants_in_one_design() -> None:
    """All names differ."""
    everything = [variant for make in VARIANTS.values() for variant in make()]
    text = Emission("top").verilog(Together(everything))
    names = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert len(set(names)) == len(names)
    modes = ("rounding_group_1_no_signed", "rounding_group_4", "no_rounding")
    encoders = {"2", *(f"4_shifts_0_4_{mode}" for mode in modes)}
    assert {f"top_pair_encoder_window_bits_{encoder}" for encoder in encoders} <= {*names}


def test_sharing_by_name_would_be_noticed(tmp_path: Path) -> None:
    """What this is for: two encoders that round and trim, taken for one."""
    same = PropertyMock(return_value=PairEncoder(ROUNDED).identity)
    with patch.object(PairEncoder, "identity", same):
        assert not is_faithful(lambda: Together(VARIANTS[PairEncoder]()[:2]), tmp_path)


class Named(Component):
    """A component with an argument that reads alike in a name."""

    module_name = "named"

    def __init__(self, label: str, table: Any = None):
        self.label = label
        super().__init__({"a": In(4), "b": Out(4)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.b.eq(self.a ^ len(self.label))
        return m


def test_one_name_for_two_modules() -> None:
    """The error names both."""
    message = (
        r"two modules are called top_named_label_x_y: Named\(label=x y, table=None\) and "
        r"Named\(label=x-y, table=None\)"
    )
    with pytest.raises(NameConflict, match=message):
        Emission("top").verilog(Together([Named("x y"), Named("x-y")]))


def test_argument_that_cannot_be_compared() -> None:
    """It is refused, not guessed; by itself the component is of use."""
    component = Named("x", table=object())
    assert "module" in rtlil.convert(component, emit_src=False)
    message = "Named cannot be told from its variants: nothing is known of an argument of type obj"
    with pytest.raises(TypeError, match=message):
        Emission("top").verilog(Together([Named("x", table=object())]))


class Own(wiring.Component):
    """A user's component, which says nothing of its parameters; it places one that does."""

    def __init__(self, value: int):
        self.value = value
        super().__init__({"a": In(8), "b": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        inner = Named("z" * self.value)
        place(m, platform, "inner", inner)
        m.d.comb += [inner.a.eq(self.a[:4]), self.b.eq(inner.b + self.value)]
        return m


def test_component_of_a_user_is_not_shared(tmp_path: Path) -> None:
    assert is_faithful(lambda: Together([Own(1), Own(2), Own(1)]), tmp_path)
    text = (tmp_path / "emitted.v").read_text()
    modules = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert sorted(modules) == [
        "top",
        "top_named_label_z",
        "top_named_label_zz",
        *(f"top_placed{index}" for index in range(3)),
    ]


BEAT = data.StructLayout({"data": data.ArrayLayout(signed(4), 2), "last": 1})


class Register(Component):
    """A stream of structures through one register."""

    def __init__(self, beat: data.StructLayout):
        super().__init__({"s": In(stream.Signature(beat)), "m": Out(stream.Signature(beat))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.s.ready.eq(~self.m.valid | self.m.ready)
        with m.If(self.s.ready):
            m.d.sync += [self.m.valid.eq(self.s.valid), self.m.payload.eq(self.s.payload)]
        return m


class Pipeline(Component):
    """Streams into an array of streams, through registers that are emitted once."""

    def __init__(self, beat: data.StructLayout):
        self.beat = beat
        super().__init__(
            {
                "s_axis": In(stream.Signature(beat)).array(2),
                "m_axis": Out(stream.Signature(beat)).array(2),
                "status": Out(data.StructLayout({"busy": 1, "count": signed(3)})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for index in range(2):
            register = Register(self.beat)
            place(m, platform, f"register{index}", register)
            wiring.connect(m, wiring.flipped(self.s_axis[index]), register.s)
            wiring.connect(m, register.m, wiring.flipped(self.m_axis[index]))
        with m.If(self.m_axis[0].valid & self.m_axis[0].payload.last):
            m.d.sync += self.status.count.eq(self.status.count + 1)
        m.d.comb += self.status.busy.eq(self.m_axis[1].valid)
        return m


class Selection(Component):
    """Combinational, of structures and of streams that are always valid or ready."""

    def __init__(self) -> None:
        super().__init__(
            {
                "choice": In(data.UnionLayout({"bit": 1, "all": 2})),
                "items": In(BEAT).array(2),
                "chosen": Out(BEAT),
                "source": Out(stream.Signature(4, always_valid=True)),
                "sink": In(stream.Signature(4, always_ready=True)),
                "nothing": Out(0),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first, second = (Value.cast(item) for item in self.items)
        m.d.comb += [
            self.chosen.eq(Mux(self.choice.bit, second, first)),
            self.source.payload.eq(Mux(self.sink.valid, self.sink.payload, 0)),
        ]
        return m


class Buffer(Component):
    """A memory that is read late, another that is read at once."""

    def __init__(self, depth: int):
        self.depth = depth
        super().__init__(
            {
                "address": In(range(depth)),
                "write": In(stream.Signature(5, always_ready=True)),
                "late": Out(5),
                "now": Out(3),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=5, depth=self.depth, init=[])
        writer, reader = store.write_port(), store.read_port()
        m.submodules.table = table = memory.Memory(shape=3, depth=self.depth, init=[1, 5, 2, 7])
        looked_up = table.read_port(domain="comb")
        m.d.comb += [
            writer.addr.eq(self.address),
            writer.data.eq(self.write.payload),
            writer.en.eq(self.write.valid),
            reader.addr.eq(self.address),
            reader.en.eq(1),
            self.late.eq(reader.data),
            looked_up.addr.eq(self.address),
            self.now.eq(looked_up.data),
        ]
        return m


class Choice(Component):
    """Cases of every kind, of signed and unsigned numbers of many widths."""

    def __init__(self) -> None:
        super().__init__({"a": In(4), "b": In(8), "c": In(signed(5)), "d": Out(8), "e": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        with m.Switch(self.a):
            with m.Case(0, 3):
                m.d.comb += self.d.eq(self.b)
            with m.Case("1--0"):
                m.d.comb += self.d.eq(self.c + self.b[:3].as_signed())
            with m.Case(5):
                m.d.comb += self.d.eq(self.b - self.a)
                with m.If(self.b[0]):
                    m.d.comb += self.d[:4].eq(self.c < self.b[:2].as_signed())
            with m.Default():
                m.d.comb += self.d.eq(self.c >> self.a[:2])
        with m.Switch(self.a[:2]):
            with m.Case(1):
                m.d.sync += self.e.eq(self.b)
            with m.Case(2):
                m.d.sync += self.e.eq(self.e + (self.c == 3))
            with m.Case(3):
                m.d.sync += self.e.eq(self.c * self.a)
        return m


class Crossed(Component):
    """Two modules whose ports are joined, cut, swapped, constant, open, and used twice."""

    def __init__(self) -> None:
        super().__init__(
            {
                "a": In(8),
                "s": In(signed(4)),
                "both": Out(12),
                "swapped": Out(8),
                "twice": Out(signed(4)),
                "fixed": Out(5, init=19),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first, second, third = Named("x"), Named("xx"), Named("x")
        place(m, platform, "first", first)
        place(m, platform, "second", second)
        place(m, platform, "third", third)
        m.d.comb += [
            Cat(first.a, second.a).eq(Cat(self.a[4:], first.b[2:], Const(2, 2))),
            self.both.eq(Cat(first.b, second.b)),
            self.swapped.eq(Cat(self.s[2:], self.a[1], self.s.as_unsigned()[:2])),
            self.twice.eq(third.b),
        ]
        return m


def test_wiring_is_written_in_place(tmp_path: Path) -> None:
    """Wires are declared only for what is read inside, and all is as Amaranth would have it."""
    assert is_faithful(lambda: Together([Crossed(), Crossed()]), tmp_path)
    text = Emission("top").verilog(Crossed())
    assert (
        text[text.index("module top(") : text.index("endmodule")]
        == """\
module top(
  input clk, rst, input [7:0] a, input signed [3:0] s, output [11:0] both, output [7:0] swapped,
  output signed [3:0] twice, output [4:0] fixed);
  wire [3:0] first_b;
  top_named_label_x first (
    .a(a[7:4]), .b(first_b));
  top_named_label_xx second (
    .a({2'h2, first_b[3:2]}), .b(both[7:4]));
  top_named_label_x third (
    .a(4'h0), .b(twice));
  assign both[3:0] = first_b;
  assign both[11:8] = 4'h0;
  assign swapped = {3'h0, s[1:0], a[1], s[3:2]};
  assign fixed = 5'h13;
"""
    )


@pytest.mark.parametrize("kind", ["register", "operator", "other order", "name"])
def test_what_is_more_than_wiring(kind: str, tmp_path: Path) -> None:
    """Amaranth and Yosys write it."""

    class More(Component):
        def __init__(self) -> None:
            super().__init__({"a": In(4), "b": Out(4)})

        def elaborate(self, platform: Any) -> Module:
            m = Module()
            named = Named("x")
            place(m, platform, "wire" if kind == "name" else "named", named)
            if kind == "register":
                m.d.sync += named.a.eq(self.a)
            elif kind == "operator":
                m.d.comb += named.a.eq(self.a + 1)
            elif kind == "other order":
                m.d.comb += [named.a.eq(self.a), named.a[1:3].eq(self.a[:2])]
            else:
                m.d.comb += named.a.eq(self.a)
            m.d.comb += self.b.eq(named.b)
            return m

    assert is_faithful(lambda: Together([More()]), tmp_path)


class Parts(Component):
    """Parts chosen by a signal, read and written: of every width and place."""

    def __init__(self) -> None:
        super().__init__(
            {
                "place": In(3),
                "a": In(12),
                "b": In(7),
                "words": Out(4),
                "bits": Out(3),
                "outside": Out(5),
                "wide": Out(13),
                "cut": Out(6),
                "written": Out(12),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.words.eq(self.a.word_select(self.place[:2], 3)),
            self.bits.eq(self.a.bit_select(self.place, 1) + self.b.bit_select(self.place[1:], 2)),
            self.outside.eq(self.b.bit_select(self.place, 5)),
            self.wide.eq(self.b.bit_select(self.place, 7) + self.a.word_select(self.place, 12)),
            self.cut.eq(self.a.word_select(self.place[0], 6)),
        ]
        m.d.sync += self.written.word_select(self.place[:2], 5).eq(self.b)
        with m.If(self.place[2]):
            m.d.sync += self.written.bit_select(self.place, 3).eq(self.a.word_select(1, 3))
        return m


def test_dynamic_parts(tmp_path: Path) -> None:
    """What linters warn of in Yosys's parts of words is written otherwise, and is the same."""
    assert is_faithful(Parts, tmp_path)
    (tmp_path / "parts.v").write_text(Emission("parts").verilog(Parts()))
    lint_with_verilator("parts", "parts.v", tmp_path)
    lint_with_slang(tmp_path / "parts.v")


BEAT_BITS = 9
CLOCK = {"clk": ("input", 1), "rst": ("input", 1)}
INTERFACES: dict[str, tuple[Callable[[], Component], dict[str, tuple[str, int]]]] = {
    "structures": (
        Selection,
        {
            "choice": ("input", 2),
            "items__0": ("input", BEAT_BITS),
            "items__1": ("input", BEAT_BITS),
            "chosen": ("output", BEAT_BITS),
            "source__payload": ("output", 4),
            "source__valid": ("output", 1),
            "source__ready": ("input", 1),
            "sink__payload": ("input", 4),
            "sink__valid": ("input", 1),
            "sink__ready": ("output", 1),
        },
    ),
    "streams": (
        lambda: Pipeline(BEAT),
        {
            **{
                f"{side}_axis__{index}__{name}": (way, bits)
                for side, ways in (
                    ("s", ("input", "input", "output")),
                    ("m", ("output", "output", "input")),
                )
                for index in range(2)
                for name, way, bits in zip(
                    ("payload", "valid", "ready"), ways, (BEAT_BITS, 1, 1), strict=True
                )
            },
            "status": ("output", 4),
        },
    ),
    "memories": (
        lambda: Buffer(4),
        {
            "address": ("input", 2),
            "write__payload": ("input", 5),
            "write__valid": ("input", 1),
            "write__ready": ("output", 1),
            "late": ("output", 5),
            "now": ("output", 3),
        },
    ),
    "cases": (
        Choice,
        {
            "a": ("input", 4),
            "b": ("input", 8),
            "c": ("input", 5),
            "d": ("output", 8),
            "e": ("output", 8),
        },
    ),
}
"""What later parts of accelerators are made of, and the ports that it must have, in this order."""


@pytest.mark.parametrize("name", INTERFACES)
def test_interfaces(name: str, tmp_path: Path) -> None:
    make, ports = INTERFACES[name]
    text = Emission("top").verilog(make())
    found = declared_ports(text, "top").items()
    found_ports = [(port, (way, bits)) for port, (way, bits, _) in found]
    assert found_ports == list((CLOCK | ports).items())
    assert not re.search(r"always\s*@\s*(\*|\(\s*\*)|function", text)
    assert is_faithful(lambda: Together([make(), make()]), tmp_path)


class Fast(Component):
    """Something in a clock domain of its own."""

    def __init__(self) -> None:
        super().__init__({"a": In(1), "b": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.fast += self.b.eq(self.a)
        return m


def test_other_clock_domain() -> None:
    """It is refused: an instance would leave its clock open."""
    message = "Fast has a port fast_clk that its signature does not name: it may use the clock "
    with pytest.raises(TypeError, match=message):
        Emission("top").verilog(Together([Fast()]))


class Register5(Component):
    """A register that is reset."""

    def __init__(self) -> None:
        super().__init__({"a": In(5), "b": Out(5, init=9)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.b.eq(self.a)
        return m


class TwoRegisters(Component):
    """Two of them, which are shared."""

    def __init__(self) -> None:
        super().__init__({"a": In(5), "b": Out(5)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first, last = Register5(), Register5()
        place(m, platform, "first", first)
        place(m, platform, "last", last)
        m.d.comb += [first.a.eq(self.a), last.a.eq(first.b), self.b.eq(last.b)]
        return m


class Controlled(Component):
    """Registers that something around them controls, beside some that nothing does."""

    def __init__(self, how: str):
        self.how = how
        super().__init__({"control": In(1), "a": In(5), "b": Out(5), "c": Out(5), "d": Out(5)})

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        several, one, free = TwoRegisters(), Register5(), TwoRegisters()
        for parts, output in ((several, self.b), (one, self.c), (free, self.d)):
            m.d.comb += [parts.a.eq(self.a), output.eq(parts.b)]
        if self.how == "module":
            place(m, platform, "several", several)
            place(m, platform, "one", one)
            place(m, platform, "free", free)
            return EnableInserter(self.control)(m)
        if self.how == "domain":
            m.domains.own = own = ClockDomain(local=True)
            m.d.comb += [own.clk.eq(ClockSignal()), own.rst.eq(ResetSignal() | self.control)]
        transformer = {
            "reset": ResetInserter(self.control),
            "enable": EnableInserter(self.control),
            "domain": DomainRenamer("own"),
        }[self.how]
        place(m, platform, "several", transformer(several))
        place(m, platform, "one", transformer(one))
        place(m, platform, "free", free)
        return m


@pytest.mark.every(1)
@pytest.mark.parametrize("how", ["reset", "enable", "domain", "module"])
def test_what_stands_in_a_transformer(how: str, tmp_path: Path) -> None:
    """All registers below are controlled, and no others, though all are alike."""
    assert is_faithful(lambda: Together([Controlled(how), TwoRegisters()]), tmp_path)
    assert is_faithful(lambda: Controlled(how), tmp_path)


class Restarted(Component):
    """Registers, some of which are reset in addition, as they are placed or by Amaranth."""

    def __init__(self, inserted: bool = False):
        self.inserted = inserted
        super().__init__({"restart": In(2), "a": In(5), "b": Out(5), "c": Out(5), "d": Out(5)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        own: list[Any] = [TwoRegisters(), StreamFifo(5, 2), TwoRegisters()]
        several, queue, free = own
        m.d.comb += [
            *(part.a.eq(self.a) for part in (several, free)),
            queue.in_data.eq(self.a),
            queue.in_valid.eq(1),
            queue.out_ready.eq(self.a[0]),
            Cat(self.b, self.c, self.d).eq(Cat(several.b, queue.out_data, free.b)),
        ]
        for name, part, restart in (
            ("several", several, self.restart == 1),
            ("queue", queue, self.restart[1]),
            ("free", free, None),
        ):
            if self.inserted and restart is not None:
                m.submodules[name] = ResetInserter(restart)(part)
            else:
                place(m, platform, name, part, restart)
        return m


def test_a_reset_of_what_is_placed(tmp_path: Path) -> None:
    """It is Amaranth's, of the registers below and no others; what is alike stays one module."""
    assert is_faithful(lambda: Together([Restarted(), TwoRegisters()]), tmp_path)
    text = Emission("top").verilog(Restarted())
    assert text.count("module top_two_registers(") == 1
    top = text[text.index("module top(") :]
    reset = re.findall(r"\.rst\(([^)]+)\)", top[: top.index("endmodule")])
    assert reset.count("rst") == 1
    (tmp_path / "placed.v").write_text(text)
    (tmp_path / "inserted.v").write_text(Emission("top").verilog(Restarted(inserted=True)))
    simplify = ["hierarchy -check -top top", "proc", "flatten", "memory"]
    first, second = (
        [f"read_verilog {tmp_path / name}.v", *simplify] for name in ("placed", "inserted")
    )
    assert are_equivalent(first, second, "top")


def test_a_reset_that_is_forgotten_would_be_noticed(tmp_path: Path) -> None:
    forgetful = Emission.instance_of
    with patch.object(
        Emission, "instance_of", lambda self, part, name, reset: forgetful(self, part, name)
    ):
        assert not is_faithful(Restarted, tmp_path)


@pytest.mark.parametrize("transformer", [ResetInserter, EnableInserter, DomainRenamer])
def test_a_top_in_a_transformer(transformer: Any) -> None:
    """It is refused: what controls it would be no port, and so never act."""
    argument = "own" if transformer is DomainRenamer else Signal()
    message = (
        "^TwoRegisters stands in a ResetInserter, EnableInserter or DomainRenamer: only what is "
        "placed in a component can"
    )
    with pytest.raises(TypeError, match=message):
        Emission("top").verilog(transformer(argument)(TwoRegisters()))
