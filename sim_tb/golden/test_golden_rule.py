"""The quantization rule and the pair encoding, for every value and every pair."""

import math
from dataclasses import FrozenInstanceError
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import golden
from golden import ControlState, EncodedPairs, SparqFormat
from sim_tb.oracle import reference
from sim_tb.oracle.reference import CUSTOM, NAMED, Rule, assert_same, every_mode

SEED = 20211206

RULES = every_mode([*NAMED.values(), *CUSTOM]) + every_mode(NAMED.values(), group=2)
RULES += [Rule(*fmt, vsparq=False, group=2) for fmt in CUSTOM[::4]]
every_rule = pytest.mark.parametrize("rule", RULES, ids=str)

VALUES = list(range(256))
PAIRS = list(product(VALUES, repeat=2))
PAIR_ARRAY = np.array(PAIRS, np.uint8)

WEIGHT_PAIRS = [
    (-128, -128), (-128, 127), (127, -128), (127, 127), (0, -128), (127, 0), (-1, 1), (3, -77),
]  # fmt: skip


@cache
def expected_pairs(rule: Rule) -> npt.NDArray[np.uint8]:
    """The two effective values of each of ``PAIRS``."""
    return np.array([reference.effective_pair(a, b, rule) for a, b in PAIRS], np.uint8)


@cache
def encoded_pairs(rule: Rule) -> EncodedPairs:
    """What the golden model encodes each of ``PAIRS`` as."""
    return golden.encode_pairs(PAIR_ARRAY, SparqFormat(*rule))


# The formats


@pytest.mark.parametrize("name", NAMED)
def test_named_formats_are_those_of_the_paper(name: str) -> None:
    assert golden.NAMED_FORMATS[name] == NAMED[name]
    for rule in every_mode([NAMED[name]]):
        assert golden.named_format(name, rule.rounding, rule.vsparq) == SparqFormat(*rule)


def test_there_are_five_named_formats() -> None:
    assert list(golden.NAMED_FORMATS) == list(NAMED)


@pytest.mark.parametrize(
    ("rule", "placements", "wide_placements", "lane_shifts", "states", "pair_bits"),
    [
        (Rule(4, (0, 1, 2, 3, 4)), (0, 1, 2, 3, 4), (0,), (0, 1, 2, 3, 4), 27, 13),
        (Rule(4, (0, 2, 4)), (0, 2, 4), (0,), (0, 2, 4), 11, 12),
        (Rule(4, (0, 4)), (0, 4), (0,), (0, 4), 6, 11),
        (Rule(3, (0, 1, 2, 3, 4, 5)), (0, 1, 2, 3, 4, 5), (0, 1, 2), (0, 1, 2, 3, 4, 5), 42, 12),
        (Rule(2, tuple(range(7))), tuple(range(7)), (0, 1, 2, 3, 4), tuple(range(7)), 59, 10),
        (Rule(4, (0, 1, 2, 3, 4), vsparq=False), (0, 1, 2, 3, 4), (0,), (0, 1, 2, 3, 4), 25, 13),
        (Rule(4, (0, 1, 2, 3, 4), group=2), (0, 1, 2, 3, 4), (0,), (0, 1, 2, 3, 4), 7, 11),
        (Rule(4, (0, 4), vsparq=False), (0, 4), (0,), (0, 4), 4, 10),
        (Rule(4, (0, 4), vsparq=False, group=8), (0, 4), (0,), (0, 4), 2, 9),
        (Rule(3, (0, 3, 5)), (0, 3, 5), (0, 3), (0, 3, 5, 6), 13, 10),
        (Rule(3, (0, 3, 5), vsparq=False), (0, 3, 5), (0, 3), (0, 3, 5), 9, 10),
        (Rule(5, (0, 1, 2, 7)), (0, 1, 2, 7), (0,), (0, 1, 2, 5, 7), 18, 15),
        (Rule(1, (0, 7)), (0, 7), (0, 7), (0, 1, 7), 8, 5),
        (Rule(8, (0, 3)), (0,), (0,), (0,), 3, 18),
        (Rule(8, (0, 3), vsparq=False), (0,), (0,), (0,), 1, 16),
    ],
    ids=str,
)
def test_derived_properties(
    rule: Rule,
    placements: tuple[int, ...],
    wide_placements: tuple[int, ...],
    lane_shifts: tuple[int, ...],
    states: int,
    pair_bits: int,
) -> None:
    """Worked out by hand: the shifts in use, and what follows from them."""
    fmt = SparqFormat(*rule)
    assert fmt.placements == placements
    assert fmt.wide_placements == wide_placements
    assert fmt.lane_shifts == lane_shifts
    assert fmt.shift_ctrl_bits == (len(lane_shifts) - 1).bit_length()
    assert len(fmt.control_states) == states
    assert fmt.pair_bits == pair_bits


@pytest.mark.parametrize(
    "shifts", [[4, 0, 2], range(0, 5, 2), {2, 4, 0}, np.array([2, 0, 4]), (s for s in (4, 2, 0))]
)
def test_shifts_are_sorted_plain_integers(shifts: Any) -> None:
    fmt = SparqFormat(np.int64(4), shifts)  # type: ignore[arg-type]
    assert fmt == SparqFormat(4, (0, 2, 4))
    assert hash(fmt) == hash(SparqFormat(4, (0, 2, 4)))
    fields = "window_bits=4, shifts=(0, 2, 4), rounding=True, vsparq=True, group=1, signed=False"
    assert repr(fmt) == f"SparqFormat({fields})"


def test_formats_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        golden.named_format("5opt").rounding = False  # type: ignore[misc]


# bSPARQ and vSPARQ


@pytest.mark.parametrize(
    ("name", "a", "rounded", "trimmed"),
    [
        ("5opt", 0, 0, 0),
        ("5opt", 15, 15, 15),  # fits: no shift
        ("5opt", 17, 16, 16),  # 17 / 2 = 8.5, tie down to 8
        ("5opt", 19, 20, 18),  # 19 / 2 = 9.5, tie up to 10
        ("5opt", 25, 24, 24),  # 25 / 2 = 12.5, tie down to 12
        ("5opt", 27, 28, 26),  # 27 / 2 = 13.5, tie up to 14
        ("5opt", 31, 30, 30),  # 31 / 2 = 15.5 rounds to 16, saturates at 15
        ("5opt", 35, 36, 32),  # 35 / 4 = 8.75
        ("5opt", 62, 60, 60),  # 62 / 4 = 15.5 rounds to 16, saturates at 15
        ("5opt", 128, 128, 128),
        ("5opt", 136, 128, 128),  # 136 / 16 = 8.5, tie down to 8
        ("5opt", 152, 160, 144),  # 152 / 16 = 9.5, tie up to 10
        ("5opt", 255, 240, 240),
        ("3opt", 18, 16, 16),  # 18 / 4 = 4.5, tie down to 4
        ("3opt", 22, 24, 20),  # 22 / 4 = 5.5, tie up to 6
        ("3opt", 63, 60, 60),
        ("3opt", 64, 64, 64),
        ("2opt", 16, 16, 16),
        ("2opt", 24, 32, 16),  # 24 / 16 = 1.5, tie up to 2
        ("2opt", 40, 32, 32),  # 40 / 16 = 2.5, tie down to 2
        ("2opt", 248, 240, 240),
        ("6opt", 9, 8, 8),  # 9 / 2 = 4.5, tie down to 4
        ("6opt", 11, 12, 10),  # 11 / 2 = 5.5, tie up to 6
        ("6opt", 15, 14, 14),
        ("6opt", 255, 224, 224),
        ("7opt", 5, 4, 4),  # 5 / 2 = 2.5, tie down to 2
        ("7opt", 7, 6, 6),
        ("7opt", 160, 128, 128),  # 160 / 64 = 2.5, tie down to 2
        ("7opt", 161, 192, 128),
        ("7opt", 255, 192, 192),
    ],
)
def test_trim_by_hand(name: str, a: int, rounded: int, trimmed: int) -> None:
    assert golden.trim(a, golden.named_format(name)) == rounded
    assert golden.trim(a, golden.named_format(name, rounding=False)) == trimmed


@pytest.mark.parametrize(
    ("name", "pair", "rounded", "trimmed"),
    [
        ("5opt", (27, 1), (28, 1), (26, 1)),
        ("5opt", (27, 0), (27, 0), (27, 0)),  # two lanes of 4 bits: exact
        ("5opt", (0, 173), (0, 173), (0, 173)),
        ("3opt", (0, 255), (0, 255), (0, 255)),
        ("2opt", (255, 0), (255, 0), (255, 0)),
        ("2opt", (255, 7), (240, 7), (240, 7)),
        ("6opt", (255, 0), (252, 0), (252, 0)),  # 255 / 4 rounds to 64, saturates at 63
        ("6opt", (0, 130), (0, 128), (0, 128)),  # 130 / 4 = 32.5, tie down to 32
        ("6opt", (0, 134), (0, 136), (0, 132)),  # 134 / 4 = 33.5, tie up to 34
        ("7opt", (173, 0), (176, 0), (160, 0)),
        ("7opt", (15, 0), (15, 0), (15, 0)),
        ("7opt", (15, 1), (12, 1), (12, 1)),
        ("7opt", (0, 0), (0, 0), (0, 0)),
    ],
)
def test_sparq_by_hand(
    name: str, pair: tuple[int, int], rounded: tuple[int, int], trimmed: tuple[int, int]
) -> None:
    assert tuple(golden.sparq(pair, golden.named_format(name))) == rounded
    assert tuple(golden.sparq(pair, golden.named_format(name, rounding=False))) == trimmed


@pytest.mark.every(10)
@every_rule
def test_trim_of_every_value(rule: Rule) -> None:
    got = golden.trim(VALUES, SparqFormat(*rule))
    assert got.dtype == np.uint8
    expected = [reference.effective(a, rule) for a in VALUES]
    assert_same(f"trim, {rule}", VALUES, expected, got)


@pytest.mark.slow
@pytest.mark.every(20)
@every_rule
def test_sparq_of_every_pair(rule: Rule) -> None:
    got = golden.sparq(PAIR_ARRAY, SparqFormat(*rule))
    assert got.dtype == np.uint8
    assert_same(f"sparq, {rule}", PAIRS, expected_pairs(rule), got)


@pytest.mark.parametrize("rule", [r for r in RULES if r.vsparq and r.window_bits >= 4], ids=str)
def test_a_value_alone_is_exact_in_two_lanes_of_four_bits(rule: Rule) -> None:
    alone = [[a, 0] for a in VALUES] + [[0, a] for a in VALUES]
    got = golden.sparq(alone, SparqFormat(*rule))
    assert_same(f"sparq, {rule}", alone, alone, got)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_axis(axis: int) -> None:
    """Neighbours along any axis, in every memory order, with odd lengths."""
    x = np.random.default_rng(SEED).integers(0, 256, (3, 5, 7))
    x[:, ::2, 1::3] = 0
    rule = Rule(3, (0, 1, 2, 3, 4, 5))
    rows = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]).tolist()
    expected = [reference.effective_row(row, rule) for row in rows]
    for order in ("C", "F"):
        got = golden.sparq(np.array(x, np.uint8, order=order), SparqFormat(*rule), axis=axis)
        assert got.shape == x.shape
        got_rows = np.moveaxis(got, axis, -1).reshape(-1, x.shape[axis])
        assert_same(f"axis {axis}, order {order}, seed {SEED}", rows, expected, got_rows)


@pytest.mark.parametrize("length", range(1, 10))
@pytest.mark.parametrize("vsparq", [True, False])
def test_odd_tail_is_paired_with_zero(length: int, vsparq: bool) -> None:
    rule = Rule(2, (0, 1, 2, 3, 4, 5, 6), vsparq=vsparq)
    fmt = SparqFormat(*rule)
    row = [173, 91, 0, 201, 255, 0, 77, 119, 251][:length]
    expected = reference.effective_row(row, rule)
    assert_same("sparq", [row], [expected], [golden.sparq(row, fmt)])
    decoded = golden.decode_pairs(golden.encode_pairs(row, fmt), fmt)
    assert_same("decode_pairs", [row], [expected + [0] * (length % 2)], [decoded])


@pytest.mark.parametrize("rule", every_mode([NAMED["6opt"]]), ids=str)
def test_encoding_with_leading_axes(rule: Rule) -> None:
    """Pairs along the last axis of an array of three, an odd tail among them."""
    x = np.random.default_rng(SEED).integers(0, 256, (3, 4, 5))
    x[:, ::2, 1::3] = 0
    fmt = SparqFormat(*rule)
    encoded = golden.encode_pairs(x, fmt)
    assert encoded.x.shape == encoded.shift_ctrl.shape == encoded.mux_ctrl.shape == (3, 4, 3, 2)
    words = golden.pack_pairs(encoded, fmt)
    assert words.shape == (3, 4, 3)
    rows = x.reshape(-1, 5).tolist()
    expected = [[*reference.effective_row(row, rule), 0] for row in rows]
    for context, pairs in (("encoded", encoded), ("unpacked", golden.unpack_pairs(words, fmt))):
        got = golden.decode_pairs(pairs, fmt)
        assert got.shape == (3, 4, 6)
        assert_same(f"{context}, seed {SEED}", rows, expected, got.reshape(-1, 6))


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0, 2), ()])
def test_trim_keeps_any_shape(shape: tuple[int, ...]) -> None:
    assert golden.trim(np.zeros(shape, np.uint8), golden.named_format("5opt")).shape == shape


@pytest.mark.parametrize("shape", [(0, 4), (0, 3), (3, 0, 2), (0, 0, 1)])
def test_sparq_and_encoding_of_no_rows(shape: tuple[int, ...]) -> None:
    fmt = golden.named_format("5opt")
    x = np.zeros(shape, np.uint8)
    assert golden.sparq(x, fmt).shape == shape
    encoded = golden.encode_pairs(x, fmt)
    assert encoded.x.shape == (*shape[:-1], (shape[-1] + 1) // 2, 2)
    padded_shape = (*shape[:-1], shape[-1] + shape[-1] % 2)
    assert golden.decode_pairs(encoded, fmt).shape == padded_shape


# The pair encoding


@pytest.mark.slow
@pytest.mark.every(20)
@every_rule
def test_encoding_of_every_pair(rule: Rule) -> None:
    """Each field of the encoding, as ``encode_pairs`` documents it."""
    fmt = SparqFormat(*rule)
    x, shift_ctrl, mux_ctrl = encoded_pairs(rule)
    assert x.shape == shift_ctrl.shape == mux_ctrl.shape == (len(PAIRS), 1, 2)
    assert x.dtype == shift_ctrl.dtype == mux_ctrl.dtype == np.uint8
    assert x.max() < 2**fmt.window_bits
    assert shift_ctrl.max() < len(fmt.lane_shifts) <= 2**fmt.shift_ctrl_bits
    assert mux_ctrl.max() <= 1

    shifts = np.array(fmt.lane_shifts)[shift_ctrl]
    got = np.concatenate([x, shifts, mux_ctrl], axis=-1)[:, 0]
    expected = np.array([reference.encode_pair(a, b, rule) for a, b in PAIRS], np.uint8)
    assert_same(f"(x0, x1, shift0, shift1, mux0, mux1), {rule}", PAIRS, expected, got)


@pytest.mark.every(10)
@every_rule
def test_decoding_of_every_pair(rule: Rule) -> None:
    got = golden.decode_pairs(encoded_pairs(rule), SparqFormat(*rule))
    assert got.dtype == np.uint8
    assert_same(f"decode(encode), {rule}", PAIRS, expected_pairs(rule), got)


@pytest.mark.every(10)
@every_rule
def test_lane_contract(rule: Rule) -> None:
    """``sum((x * w[mux]) << lane_shifts[shift_ctrl])`` is the effective pair times its weights."""
    x, shift_ctrl, mux_ctrl = (field[:, 0].astype(np.int64) for field in encoded_pairs(rule))
    shifts = np.array(SparqFormat(*rule).lane_shifts)[shift_ctrl]
    values = expected_pairs(rule).astype(np.int64)
    for weights in WEIGHT_PAIRS:
        got = ((x * np.array(weights)[mux_ctrl]) << shifts).sum(axis=-1)
        expected = values @ np.array(weights)
        assert_same(f"weights {weights}, {rule}", PAIRS, expected, got)


@pytest.mark.every(10)
@pytest.mark.parametrize("group", [1, 2, pytest.param(4, marks=pytest.mark.full)])
@pytest.mark.parametrize("vsparq", [True, False])
@pytest.mark.parametrize("bits_and_shifts", [*NAMED.values(), *CUSTOM], ids=str)
def test_control_states_are_those_that_occur(
    bits_and_shifts: tuple[int, tuple[int, ...]], vsparq: bool, group: int
) -> None:
    """Each state occurs, and no other, in all pairs, next to pairs of every size if these count."""
    fmt = SparqFormat(*bits_and_shifts, vsparq=vsparq, group=group)
    others = [(1 << bits) - 1 for bits in range(9)] if group > 2 else [0]
    occurring = set()
    for other in others:
        x = np.pad(PAIR_ARRAY, ((0, 0), (0, 2)), constant_values=other)
        _, shift_ctrl, mux_ctrl = golden.encode_pairs(x if group > 2 else PAIR_ARRAY, fmt)
        states = np.concatenate([shift_ctrl, mux_ctrl], axis=-1).reshape(-1, 4)
        occurring |= {ControlState(*state) for state in np.unique(states, axis=0).tolist()}
    assert sorted(fmt.control_states) == sorted(occurring)

    assert fmt.control_bits == math.ceil(math.log2(len(occurring)))
    codes = fmt.control_codes.values()
    assert set(fmt.control_codes) == occurring
    assert len(set(codes)) == len(occurring)
    assert set(codes) <= set(range(2**fmt.control_bits))


def lanes_apart(shift0: int, shift1: int) -> ControlState:
    return ControlState(shift0, shift1, 0, 1)


@pytest.mark.parametrize(
    ("fmt", "codes"),
    [
        (
            # No room for a field of three bits per lane: two of two bits, and an escape
            golden.named_format("5opt"),
            {lanes_apart(high, low): 4 * high + low for high in range(4) for low in range(4)}
            | {lanes_apart(4, low): 16 + low for low in range(4)}
            | {lanes_apart(high, 4): 24 + high for high in range(4)}
            | {lanes_apart(4, 4): 20, ControlState(4, 0, 0, 0): 30, ControlState(4, 0, 1, 1): 31},
        ),
        (
            golden.named_format("3opt"),
            {lanes_apart(high, low): 4 * high + low for high in range(3) for low in range(3)}
            | {ControlState(2, 0, 0, 0): 14, ControlState(2, 0, 1, 1): 15},
        ),
        (
            golden.named_format("2opt"),
            {lanes_apart(high, low): 2 * high + low for high in range(2) for low in range(2)}
            | {ControlState(1, 0, 0, 0): 6, ControlState(1, 0, 1, 1): 7},
        ),
        (
            golden.named_format("6opt"),
            {lanes_apart(high, low): 8 * high + low for high in range(6) for low in range(6)}
            | {ControlState(3 + low, low, 0, 0): 62 - 2 * low for low in range(3)}
            | {ControlState(3 + low, low, 1, 1): 63 - 2 * low for low in range(3)},
        ),
        (
            # The last two find the numbers above 55 taken
            golden.named_format("7opt"),
            {lanes_apart(high, low): 8 * high + low for high in range(7) for low in range(7)}
            | {ControlState(2 + low, low, 0, 0): 62 - 2 * low for low in range(4)}
            | {ControlState(2 + low, low, 1, 1): 63 - 2 * low for low in range(4)}
            | {ControlState(6, 4, 0, 0): 47, ControlState(6, 4, 1, 1): 55},
        ),
        (
            golden.named_format("5opt", group=2),
            {lanes_apart(shift, shift): shift for shift in range(5)}
            | {ControlState(4, 0, 0, 0): 6, ControlState(4, 0, 1, 1): 7},
        ),
        (
            golden.named_format("5opt", vsparq=False, group=4),
            {lanes_apart(shift, shift): shift for shift in range(5)},
        ),
        (
            SparqFormat(8, (0,)),
            {
                ControlState(0, 0, 0, 1): 0,
                ControlState(0, 0, 0, 0): 2,
                ControlState(0, 0, 1, 1): 3,
            },
        ),
    ],
    ids=str,
)
def test_control_codes_by_hand(fmt: SparqFormat, codes: dict[ControlState, int]) -> None:
    assert fmt.control_codes == codes


@pytest.mark.slow
@pytest.mark.every(20)
@every_rule
def test_pack_and_unpack_every_pair(rule: Rule) -> None:
    """Fields from bit 0 up: x0, x1, the code of shifts and muxes; and back again."""
    fmt = SparqFormat(*rule)
    encoded = encoded_pairs(rule)
    words = golden.pack_pairs(encoded, fmt)
    assert words.dtype == np.uint32
    assert words.shape == (len(PAIRS), 1)

    n = rule.window_bits
    assert fmt.pair_layout == (("x0", n), ("x1", n), ("control", fmt.control_bits))
    assert fmt.pair_bits == 2 * n + fmt.control_bits
    fields = np.concatenate(encoded, axis=-1)[:, 0].tolist()
    expected = [
        x0 + (x1 << n) + (fmt.control_codes[ControlState(*state)] << 2 * n)
        for x0, x1, *state in fields
    ]
    assert_same(f"pack_pairs, {rule}", PAIRS, expected, words[:, 0])

    for name, before, after in zip(
        EncodedPairs._fields, encoded, golden.unpack_pairs(words, fmt), strict=True
    ):
        assert after.dtype == np.uint8
        assert_same(f"unpack(pack) {name}, {rule}", PAIRS, before, after)


NO_VSPARQ = SparqFormat(4, (0, 4), vsparq=False)


@pytest.mark.parametrize(
    ("fmt", "pair", "word"),
    [
        # 5opt: x0 [3:0], x1 [7:4], control [12:8] = 4 * shift0 + shift1 below 4; 16 + shift1
        # where shift0 is 4; 30 or 31 if one is zero
        (golden.named_format("5opt"), (27, 26), 5 << 8 | 0b1101_1110),
        (golden.named_format("5opt"), (173, 0), 30 << 8 | 0b1101_1010),
        (golden.named_format("5opt"), (0, 173), 31 << 8 | 0b1101_1010),
        (golden.named_format("5opt"), (0, 0), 30 << 8),
        (golden.named_format("5opt"), (255, 1), 16 << 8 | 0b0001_1111),
        # 3opt: x0 [3:0], x1 [7:4], control [11:8]: shift0 and shift1, 14 or 15 if one is zero
        (golden.named_format("3opt"), (200, 3), 0b10_00_0011_1100),
        (golden.named_format("3opt"), (0, 200), 0b11_11_1000_1100),
        # 2opt: x0 [3:0], x1 [7:4], control [10:8]
        (golden.named_format("2opt"), (200, 7), 0b0_1_0_0111_1100),
        (golden.named_format("2opt"), (200, 0), 0b1_1_0_1000_1100),
        (NO_VSPARQ, (200, 7), 0b1_0_0111_1100),
        (NO_VSPARQ, (0, 200), 0b0_1_1100_0000),
        # 6opt: x0 [2:0], x1 [5:3], control [11:6]: two fields; 62 - 2 * placement, owner
        (golden.named_format("6opt"), (9, 255), 0b001_101_111_100),
        (golden.named_format("6opt"), (255, 0), 58 << 6 | 0b111_111),
        # 7opt: x0 [1:0], x1 [3:2], control [9:4]
        (golden.named_format("7opt"), (0, 173), 55 << 4 | 0b11_10),
        # A lane of 8 bits: only whose lanes they are
        (SparqFormat(8, (0,)), (255, 1), 0b00_00000001_11111111),
        (SparqFormat(8, (0,)), (0, 171), 0b11_10101011_00000000),
    ],
    ids=str,
)
def test_packed_words_by_hand(fmt: SparqFormat, pair: tuple[int, int], word: int) -> None:
    (got,) = golden.pack_pairs(golden.encode_pairs(pair, fmt), fmt).tolist()
    assert got == word, f"{pair}: expected {word:#b}, got {got:#b}"


@pytest.mark.parametrize("group", [2, 4, 8, 16])
@pytest.mark.parametrize("name", NAMED)
def test_groups_along_a_row(name: str, group: int) -> None:
    """Values, encoding, decoding and packing of rows that end anywhere in a group."""
    rng = np.random.default_rng(SEED)
    for rule in every_mode([NAMED[name]], group):
        fmt = SparqFormat(*rule)
        for length in {*range(1, 4), *range(group - 1, group + 2), 2 * group + 3, 3 * group}:
            x = rng.integers(0, 256, (8, length)) >> rng.integers(0, 8, (8, 1))
            x[rng.random(x.shape) < 0.4] = 0
            rows = x.tolist()
            expected = [reference.effective_row(row, rule) for row in rows]
            where = f"{rule}, length {length}, seed {SEED}"
            assert_same(where, rows, expected, golden.sparq(x, fmt))
            encoded = golden.encode_pairs(x, fmt)
            assert_same(where, rows, expected, golden.decode_pairs(encoded, fmt)[:, :length])
            again = golden.unpack_pairs(golden.pack_pairs(encoded, fmt), fmt)
            for first, second in zip(encoded, again, strict=True):
                assert np.array_equal(first, second), where
            padded = [[*row, *[0] * (-length % group)] for row in rows]
            lanes = [
                [
                    reference.encode_pair(
                        row[k], row[k + 1], rule, reference.shared_shift(part, rule)
                    )
                    for start in range(0, len(row), group)
                    for part in [row[start : start + group]]
                    for k in range(start, min(start + group, length + length % 2), 2)
                ]
                for row in padded
            ]
            shifts = np.array(fmt.lane_shifts)[encoded.shift_ctrl]
            got = np.concatenate([encoded.x, shifts, encoded.mux_ctrl], axis=-1)
            assert_same(where, rows, lanes, got)


def test_a_larger_group_is_coarser_by_hand() -> None:
    """The largest of a group sets the shift of all; one with a zero partner does not count."""
    x = [200, 9, 3, 5, 15, 15, 0, 77]
    trim = {"rounding": False}
    assert golden.sparq(x, golden.named_format("5opt", **trim, vsparq=False)).tolist() == [
        *(192, 9, 3, 5, 15, 15, 0, 72)
    ]
    assert golden.sparq(x, golden.named_format("5opt", **trim, vsparq=False, group=2)).tolist() == [
        *(192, 0, 3, 5, 15, 15, 0, 72)
    ]
    assert golden.sparq(x, golden.named_format("5opt", **trim, vsparq=False, group=4)).tolist() == [
        *(192, 0, 0, 0, 8, 8, 0, 72)
    ]
    assert golden.sparq(x, golden.named_format("5opt", **trim, group=4)).tolist() == [
        *(192, 0, 0, 0, 15, 15, 0, 77)
    ]


@pytest.mark.parametrize("group", [0, 3, 32, -1])
def test_group_that_is_not_allowed(group: int) -> None:
    with pytest.raises(ValueError, match=rf"^group must be one of 1, 2, 4, 8, 16, not {group}$"):
        golden.named_format("5opt", group=group)


def test_stored_bits() -> None:
    """A shift that is shared is stored once a group; a pair with vSPARQ has its own control."""
    stored = {group: named_bits("5opt", False, group) for group in (1, 2, 4, 8)}
    assert stored == {1: 6.5, 2: 5.5, 4: 4.75, 8: 4.375}
    assert [named_bits(name, True, 1) for name in NAMED] == [6.5, 6, 5.5, 6, 5]
    assert named_bits("5opt", True, 2) == named_bits("5opt", True, 16) == 5.5


def named_bits(name: str, vsparq: bool, group: int) -> float:
    return golden.named_format(name, vsparq=vsparq, group=group).bits_per_activation


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "i8", "u8", ">u4"])
@pytest.mark.parametrize("shape", [(0,), (2, 0), (6,), (2, 3)])
def test_unpack_takes_words_of_any_shape_and_dtype(dtype: str, shape: tuple[int, ...]) -> None:
    fmt = golden.named_format("2opt")
    words = np.arange(6)[: np.prod(shape, dtype=int)].reshape(shape).astype(dtype)
    encoded = golden.unpack_pairs(words, fmt)
    assert encoded.x.shape == (*shape, 2)
    assert golden.pack_pairs(encoded, fmt).tolist() == words.tolist()


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("vsparq", [True, False])
def test_every_legal_word_survives_unpack_and_pack(name: str, vsparq: bool) -> None:
    fmt = golden.named_format(name, vsparq=vsparq)
    words: npt.NDArray[np.int64] = np.arange(2**fmt.pair_bits)
    words = words[np.isin(words >> 2 * fmt.window_bits, list(fmt.control_codes.values()))]
    got = golden.pack_pairs(golden.unpack_pairs(words, fmt), fmt)
    assert_same("pack(unpack)", words.tolist(), words, got)
