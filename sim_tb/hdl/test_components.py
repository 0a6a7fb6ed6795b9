"""Each hardware component by itself, in Amaranth's own simulator, against the golden model."""

import random
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden import (
    NAMED_FORMATS,
    ControlState,
    SparqFormat,
    encode_pairs,
    exact_matmul,
    named_format,
    pack_pairs,
    sparq_matmul,
    unpack_pairs,
)
from golden.quantize import lane_table, wide_table
from hdl import (
    PROCESSING_ELEMENTS,
    LeadingOneDetector,
    Mac,
    PairEncoder,
    PairZeroDetector,
    SystolicArray,
    WindowShifter,
)
from hdl.edge.activation_lane import ActivationLane
from hdl.edge.delay import Delay
from hdl.edge.skew import Skew
from hdl.edge.weight_lane import WeightLane
from hdl.element.processing_elements import element_multiplier
from hdl.encode.control_decoder import ControlDecoder
from hdl.grid.grid import make_grid
from hdl.multiplier.exact import Radix4
from hdl.tile.group_buffer import GroupBuffer
from sim_tb.hdl.operands import effective
from sim_tb.hdl.pysim import (
    CUSTOM,
    SEED,
    Word,
    clock,
    describe,
    grouped,
    pack,
    respond,
)
from sim_tb.hdl.tiles import Tile, check_tiles, make_operands, slices_of
from sim_tb.oracle.random_formats import random_formats
from sim_tb.oracle.reference import assert_same

CORNERS = (0, 1, 2, 15, 16, 17, 127, 128, 240, 247, 248, 254, 255)
ODD = (SparqFormat(1, (0, 7)), SparqFormat(1, tuple(range(8))), SparqFormat(5, (0, 1, 2, 7)))
MODES = [(rounding, vsparq) for rounding in (True, False) for vsparq in (True, False)]


WINDOWS = [
    (name, double, rounding)
    for name in NAMED_FORMATS
    for double in (False, True)
    for rounding in (False, True)
]


@pytest.mark.parametrize(("name", "double", "rounding"), WINDOWS)
def test_window_of_every_value(name: str, double: bool, rounding: bool, checks: Any) -> None:
    """Leading-one detector and window shifter, as narrow and as double window."""
    fmt = named_format(name, rounding)
    bits = fmt.window_bits * (2 if double else 1)
    placements = fmt.wide_placements if double else fmt.placements
    table = (wide_table if double else lane_table)(fmt)
    values = range(256)
    one_hot = [1 << placements.index(int(shift)) for shift in table.shift]
    detected = respond(LeadingOneDetector(bits, placements), [{"value": v} for v in values])
    assert_same("placement", values, one_hot, [word["placement"] for word in detected])
    shifted = respond(
        WindowShifter(bits, placements, rounding),
        [{"value": v, "placement": p} for v, p in zip(values, one_hot, strict=True)],
    )
    assert_same("window", values, table.window, [word["window"] for word in shifted])
    checks(2 * 256)


def test_pair_zero_detector(checks: Any) -> None:
    pairs = [(a, b) for a in CORNERS for b in CORNERS]
    got = respond(PairZeroDetector(), [{"first": a, "second": b} for a, b in pairs])
    alone = [0 in pair for pair in pairs]
    assert_same("alone", pairs, alone, [word["alone"] for word in got])
    owned = [(pair, word) for pair, word in zip(pairs, got, strict=True) if 0 in pair]
    owner = [a == 0 and b != 0 for (a, b), _ in owned]
    assert_same("owner", owned, owner, [word["owner"] for _, word in owned])
    checks(len(pairs) + len(owned))


ENCODER_FORMATS = [
    *(named_format(name) for name in NAMED_FORMATS),
    *(named_format("5opt", *mode) for mode in MODES[1:]),
    *CUSTOM,
    *(SparqFormat(fmt.window_bits, fmt.shifts, False, False) for fmt in CUSTOM),
    *(named_format("5opt", *mode, 2) for mode in MODES),
    *(
        grouped(fmt, 2, vsparq)
        for fmt in (named_format("3opt"), named_format("7opt"), *CUSTOM)
        for vsparq in (True, False)
    ),
    *(fmt.sparq_format for fmt in random_formats(6, (1, 2))),
]


DECODER_FORMATS = [
    grouped(fmt, group, vsparq)
    for fmt in (*(named_format(name) for name in NAMED_FORMATS), *CUSTOM, *ODD)
    for group in (1, 2)
    for vsparq in (True, False)
]


@pytest.mark.every(6)
@pytest.mark.parametrize("fmt", ENCODER_FORMATS, ids=describe)
def test_pair_encoder(fmt: SparqFormat, checks: Any) -> None:
    generator = np.random.default_rng(SEED)
    pairs = generator.integers(0, 256, (2000, 2))
    pairs[generator.random(pairs.shape) < 0.2] = 0
    corners = [(a, b) for a in CORNERS for b in CORNERS]
    alone = [pair for value in range(256) for pair in ((0, value), (value, 0))]
    pairs = np.concatenate([pairs, corners, alone])
    got = respond(PairEncoder(fmt), [{"activations": int(a) | int(b) << 8} for a, b in pairs])
    expected = pack_pairs(encode_pairs(pairs, fmt), fmt)[:, 0]
    assert_same(describe(fmt), pairs.tolist(), expected, [word["pair"] for word in got])
    checks(len(pairs))


@pytest.mark.parametrize("fmt", DECODER_FORMATS, ids=describe)
def test_control_decoder(fmt: SparqFormat, checks: Any) -> None:
    """Every code; any word with it stands for the same state."""
    states, codes = zip(*fmt.control_codes.items(), strict=True)
    got = respond(ControlDecoder(fmt), [{"control": code} for code in codes])
    fields = [[word[name] for name in ControlState._fields] for word in got]
    unpacked = unpack_pairs(np.array(codes) << 2 * fmt.window_bits, fmt)
    expected = np.concatenate([unpacked.shift_ctrl, unpacked.mux_ctrl], axis=-1)
    assert_same(describe(fmt), codes, expected, fields)
    assert_same(describe(fmt), codes, states, fields)
    checks(4 * len(codes))


def share_of(a: int, b: int, vsparq: bool) -> int:
    """What a pair adds to the OR of its group."""
    return 0 if vsparq and 0 in (a, b) else a | b


GROUP_FORMATS = [
    *(named_format("5opt", *mode, group) for group in (4, 8, 16) for mode in MODES),
    *(
        grouped(fmt, group, vsparq)
        for fmt, group in zip(
            (*(named_format(name) for name in ("3opt", "2opt", "6opt", "7opt")), *CUSTOM),
            (4, 8, 4, 8, 4, 8, 4),
            strict=True,
        )
        for vsparq in (True, False)
    ),
    *(fmt.sparq_format for fmt in random_formats(4, (4, 8, 16))),
]


@pytest.mark.parametrize("fmt", GROUP_FORMATS, ids=describe)
def test_pair_encoder_in_a_group(fmt: SparqFormat, checks: Any) -> None:
    """Every pair of random groups, small and large ones."""
    generator = np.random.default_rng(SEED)
    groups = generator.integers(0, 256, (3000 // fmt.group, fmt.group))
    groups >>= generator.integers(0, 8, (len(groups), 1))
    groups[generator.random(groups.shape) < 0.25] = 0
    inputs: list[Word] = []
    for group in groups.tolist():
        pairs = list(zip(group[::2], group[1::2], strict=True))
        shared = reduce(or_, (share_of(a, b, fmt.vsparq) for a, b in pairs))
        inputs += [{"activations": a | b << 8, "shared": shared} for a, b in pairs]
    got = respond(PairEncoder(fmt), inputs)
    expected = pack_pairs(encode_pairs(groups, fmt), fmt)
    words = np.reshape([word["pair"] for word in got], expected.shape)
    assert_same(describe(fmt), groups.tolist(), expected, words)
    checks(len(inputs))


class Share(wiring.Component):
    """What the encoder says that a pair shares."""

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        super().__init__({"activations": In(16), "share": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.share.eq(PairEncoder.shares(self.fmt, self.activations))
        return m


@pytest.mark.parametrize("vsparq", [True, False])
def test_share_of_a_pair(vsparq: bool, checks: Any) -> None:
    pairs = [(a, b) for a in (*CORNERS, 64, 170) for b in (*CORNERS, 85)]
    fmt = named_format("5opt", vsparq=vsparq, group=4)
    got = respond(Share(fmt), [{"activations": a | b << 8} for a, b in pairs])
    expected = [share_of(a, b, vsparq) for a, b in pairs]
    assert_same("share", pairs, expected, [word["share"] for word in got])
    checks(len(pairs))


@pytest.mark.parametrize(
    ("lanes", "width", "cycles"), [(1, 3, 1), (1, 8, 5), (4, 2, 1), (3, 5, 3), (5, 4, 2), (2, 1, 7)]
)
def test_delay(lanes: int, width: int, cycles: int, checks: Any) -> None:
    rng = random.Random(SEED)
    inputs = [rng.getrandbits(lanes * width) for _ in range(60)]
    got = clock(Delay(lanes, width, cycles), [{"data_in": word} for word in inputs])
    outputs = [word["data_out"] for word in got[cycles:]]
    assert_same("delay", range(60 - cycles), inputs[:-cycles], outputs)
    checks(len(outputs))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("lanes", "width"), [(2, 8), (3, 1), (4, 8), (7, 5)])
def test_skew(lanes: int, width: int, reverse: bool, checks: Any) -> None:
    """Lane i is i cycles later than lane 0, or earlier."""
    rng = random.Random(SEED)
    inputs = [[rng.getrandbits(width) for _ in range(lanes)] for _ in range(40)]
    words = [{"data_in": pack(values, width)} for values in inputs]
    got = clock(Skew(lanes, width, reverse), words)
    for i in range(lanes):
        latency = lanes - 1 - i if reverse else i
        outputs = [(word["data_out"] >> (i * width)) & ((1 << width) - 1) for word in got]
        sent = [values[i] for values in inputs[: 40 - latency]]
        assert_same(f"lane {i}", range(40 - latency), sent, outputs[latency:])
    checks(40 * lanes)


@pytest.mark.parametrize("kind", [ActivationLane, WeightLane])
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 7])
def test_edge_lanes(kind: Any, lanes: int, checks: Any) -> None:
    """Each lane is one cycle late; weights are put in offset form."""
    rng = random.Random(SEED)
    rows, cols = (lanes, 1) if kind is ActivationLane else (1, lanes)
    edge = make_grid(rows, cols, kind, Mac(Radix4(8, 1)))
    inputs = [[rng.getrandbits(8) for _ in range(lanes)] for _ in range(40)]
    got = clock(edge, [{"data_in": pack(values, 8)} for values in inputs])
    offset = 128 if kind is WeightLane else 0
    sent = [pack([value ^ offset for value in values], 8) for values in inputs[:-1]]
    assert_same("lanes", range(39), sent, [word["data_out"] for word in got[1:]])
    checks(40 * lanes)


@pytest.mark.parametrize("bubbles", [0.0, 0.3])
@pytest.mark.parametrize("slices", [2, 3, 4, 8])
def test_group_buffer(slices: int, bubbles: float, checks: Any) -> None:
    """Random tiles, bubbles of garbage, and some resets: every slice once, when it must leave."""
    rng = random.Random(SEED)
    width, largest_bits, cycles = 9, 8, 2000
    inputs: list[Word] = []
    filling = [False] * (cycles + slices)
    leaving: dict[int, tuple[int, int]] = {}
    group: list[tuple[int, int]] = []
    lost = 0
    for cycle in range(cycles):
        taken = not filling[cycle] and rng.random() >= bubbles
        last = rng.random() < rng.choice((0.05, 0.3))
        data, largest = rng.randrange(1, 1 << width), 1 << rng.randrange(largest_bits)
        reset = rng.random() < 0.01
        inputs.append(
            {"taken": taken, "last": last, "data_in": data, "largest_in": largest, "rst": reset}
        )
        if taken:
            group.append((data, largest))
        if reset:
            later = [leaves for leaves in leaving if leaves > cycle]
            lost += len(group) + len(later)
            for leaves in later:
                del leaving[leaves]
            filling[cycle + 1 :] = [False] * (len(filling) - cycle - 1)
            group = []
        elif taken and (last or len(group) == slices):
            together = reduce(or_, (own for _, own in group))
            for after, (word, _) in enumerate(reversed(group)):
                assert cycle + slices - after not in leaving
                leaving[cycle + slices - after] = word, together
            missing = slices - len(group)
            filling[cycle + 1 : cycle + 1 + missing] = [True] * missing
            group = []
    assert len(leaving) + lost + len(group) == sum(word["taken"] for word in inputs)

    got = clock(GroupBuffer(slices, width, largest_bits), inputs)
    for cycle, outputs in enumerate(got):
        out, shared = leaving.get(cycle, (0, outputs["largest_out"]))
        expected = {"filling": filling[cycle], "data_out": out, "largest_out": shared}
        assert outputs == expected, f"cycle {cycle}"
    checks(2 * cycles + sum(cycle < cycles for cycle in leaving))


def product(pe: str, fmt: SparqFormat, x: Any, w: Any) -> Any:
    return sparq_matmul(x, w, fmt) if pe == "sparq" else exact_matmul(effective(pe, fmt, x), w)


ARRAY_CASES = [
    *((pe, named_format("5opt"), 3, 2, 8, 32, 0) for pe in PROCESSING_ELEMENTS),
    ("8x8", named_format("5opt"), 1, 1, 8, 32, 0),
    ("sparq", named_format("2opt"), 1, 3, 4, 24, 0),
    ("sparq", named_format("7opt", False), 4, 1, 8, 32, 0),
    ("sparq", named_format("6opt", True, False), 2, 2, 8, 32, 0),
    *(("sparq", fmt, 2, 3, 8, 32, 0) for fmt in CUSTOM),
    ("sparq", named_format("3opt", group=2), 2, 3, 8, 32, 0),
    ("sparq", named_format("5opt", True, False, 4), 3, 2, 8, 32, 0),
    ("sparq", named_format("5opt", group=8), 2, 2, 8, 32, 0),
    ("sparq", named_format("7opt", False, False, 16), 1, 2, 4, 24, 0),
    *((pe, named_format("3opt"), 3, 2, 8, 32, p) for pe in PROCESSING_ELEMENTS for p in (1, 2)),
    *((pe, named_format("5opt"), 2, 3, bits, 20, 0) for pe in ("8x8", "2x8x8") for bits in (3, 5)),
    ("2x8x8", named_format("5opt"), 2, 3, 5, 20, 2),
    ("sparq", named_format("5opt", True, False, 4), 3, 2, 8, 32, 1),
]


@pytest.mark.every(32)
@pytest.mark.parametrize("bubbles", [0.0, 0.4])
@pytest.mark.parametrize(
    ("pe", "fmt", "rows", "cols", "weight_bits", "acc_bits", "pipeline"),
    ARRAY_CASES,
)
def test_systolic_array(
    pe: str,
    fmt: SparqFormat,
    rows: int,
    cols: int,
    weight_bits: int,
    acc_bits: int,
    pipeline: int,
    bubbles: float,
    checks: Any,
) -> None:
    """Tiles of many lengths, back to back or with bubbles of garbage between slices."""
    rng = np.random.default_rng(SEED)
    mac = Mac(element_multiplier(pe, fmt, weight_bits), acc_bits, pipeline)
    array = SystolicArray(rows, cols, mac)
    step = array.k_per_cycle
    lengths = [1, *(int(k) for k in rng.integers(1, step * (rows + 3), 8)), 1, 1, step * rows]
    tiles = [
        Tile(slices_of(x, w, step, weight_bits), product(pe, fmt, x, w))
        for x, w in make_operands(rng, lengths, rows, cols, weight_bits)
    ]
    checks(check_tiles(array, tiles, [bubbles] * len(tiles), max(1, fmt.group // 2), rng))
