"""Signed formats: windows of magnitudes, in every function of the golden model."""

from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import golden
from golden import SIGNED_FORMATS, EncodedPairs, NamedFormat, SparqFormat, named_format
from golden.format import GROUPS
from sim_tb.oracle import reference
from sim_tb.oracle.random_formats import SEED as DRAWN
from sim_tb.oracle.random_formats import random_formats
from sim_tb.oracle.reference import SIGNED, SIGNED_CUSTOM, Rule, assert_same, every_mode

SEED = 20211206
Array = npt.NDArray[Any]

NAMED_RULES = [rule for group in (1, 2) for rule in every_mode(SIGNED.values(), group, signed=True)]
CUSTOM_RULES = [rule for group in (1, 2) for rule in every_mode(SIGNED_CUSTOM, group, signed=True)]
DRAWN_FORMATS = [fmt.sparq_format for fmt in random_formats(30, (1, 2), signed=True)]
WEIGHTS = [(-128, -128), (-128, 127), (127, -128), (0, -128), (-1, 1), (3, -77)]


def every_pair(largest: int) -> npt.NDArray[np.int16]:
    """All pairs of values of magnitudes up to this."""
    values = np.arange(-largest, largest + 1, dtype=np.int16)
    return np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1).reshape(-1, 2)


def some_pairs(largest: int, count: int = 3000) -> npt.NDArray[np.int16]:
    """Pairs with zeros, small values and the largest among them."""
    rng = np.random.default_rng([SEED, largest])
    sizes = rng.integers(0, largest + 1, (count, 2)) >> rng.integers(0, 9, (count, 2))
    values = sizes * rng.choice([-1, 1], sizes.shape)
    corners = np.array([-largest, -1, 0, 1, largest])
    both = np.concatenate([values, np.array([(a, b) for a in corners for b in corners])])
    return both.astype(np.int16)


def pairs_of(rule: Rule) -> Array:
    named = (rule.window_bits, rule.shifts) in SIGNED.values()
    return every_pair(rule.largest) if named else some_pairs(rule.largest)


def rows_of(rule: Rule, count: int, length: int, seed: int = 0) -> Array:
    """Random rows of activations of the rule, many of them small or zero."""
    rng = np.random.default_rng([SEED, count, length, seed])
    shape = (count, length)
    sizes = rng.integers(0, rule.largest + 1, shape) >> rng.integers(0, 9, shape)
    sizes[rng.random(shape) < 0.05] = rule.largest
    return sizes * rng.choice([-1, 1], shape)


# The formats


def test_named_formats() -> None:
    """By how many placements they have."""
    assert SIGNED_FORMATS == SIGNED
    for name, (bits, shifts) in SIGNED.items():
        assert name == f"s{len(shifts)}opt"
        assert named_format(name) == SparqFormat(bits, shifts, signed=True)
        given = f"s{bits}:{','.join(map(str, reversed(shifts)))}"
        assert NamedFormat(given) == NamedFormat(name)
        assert NamedFormat(given).name == NamedFormat(given).slug == name


@pytest.mark.parametrize(
    ("given", "name", "slug", "magnitude_bits"),
    [
        ("s4:0,1,3", "s4:0,1,3", "s4b_0_1_3", 7),
        ("s4:0,3", "s4:0,3", "s4b_0_3", 7),
        ("s4:4,0", "s4:0,4", "s4b_0_4", 8),
        ("s4:0,1,2,3,4,6", "s5opt", "s5opt", 8),  # no magnitude needs a shift of 6
        ("s3:0,1,2,3,4", "s3:0,1,2,3,4", "s3b_0_1_2_3_4", 7),
        ("s7:0", "s7:0", "s7b_0", 7),
        ("s7:0,1", "s7:0,1", "s7b_0_1", 8),
        ("s8:0", "s8:0", "s8b_0", 8),
    ],
)
def test_names(given: str, name: str, slug: str, magnitude_bits: int) -> None:
    fmt = NamedFormat(given)
    assert (fmt.name, fmt.slug) == (name, slug)
    assert NamedFormat(name) == fmt
    assert fmt.sparq_format.signed
    assert fmt.sparq_format.magnitude_bits == magnitude_bits


def test_a_format_is_not_its_unsigned_one() -> None:
    assert named_format("s5opt") != named_format("5opt")
    assert replace(named_format("5opt"), signed=True) == named_format("s5opt")
    fmt = NamedFormat("s4opt", rounding=False, vsparq=False, group=4)
    assert fmt.label == "s4opt trim no vSPARQ group 4"
    assert fmt.slug == "s4opt_trim_novsparq_group4"


@pytest.mark.parametrize(
    ("name", "vsparq", "group", "lane_shifts", "states", "pair_bits", "stored"),
    [
        # Two lanes of 4 bits have 7 bits as 4 at 3 and 3 at 0: no lane stands at 4.
        ("s4opt", True, 1, (0, 1, 2, 3), 18, 15, 13),
        ("s4opt", False, 1, (0, 1, 2, 3), 16, 14, 13),
        ("s4opt", True, 2, (0, 1, 2, 3), 6, 13, 13),
        ("s4opt", False, 2, (0, 1, 2, 3), 4, 12, 12),
        ("s5opt", True, 1, (0, 1, 2, 3, 4), 27, 15, 14),
        ("s5opt", False, 1, (0, 1, 2, 3, 4), 25, 15, 14),
        ("s5opt", False, 4, (0, 1, 2, 3, 4), 5, 13, 13),
        ("s4:0,3", False, 1, (0, 3), 4, 12, 12),
        ("s3:0,1,2,3,4", True, 1, (0, 1, 2, 3, 4), 29, 13, 12),
        ("s5:0,2", True, 1, (0, 2), 6, 15, 15),
        ("s8:0", False, 1, (0,), 1, 18, 18),
    ],
)
def test_derived_properties(
    name: str,
    vsparq: bool,
    group: int,
    lane_shifts: tuple[int, ...],
    states: int,
    pair_bits: int,
    stored: int,
) -> None:
    """Worked out by hand."""
    fmt = named_format(name, vsparq=vsparq, group=group)
    assert fmt.lane_shifts == lane_shifts
    assert len(fmt.control_states) == states
    assert fmt.pair_bits == pair_bits
    assert fmt.stored_pair_bits == stored
    assert fmt.pair_layout[-2:] == (("sign0", 1), ("sign1", 1))


def test_bits_per_activation() -> None:
    """A shared shift is stored once a group; each activation has a sign."""
    bits = [
        named_format("s4opt", vsparq=False, group=group).bits_per_activation for group in GROUPS
    ]
    assert bits == [7, 6, 5.5, 5.25, 5.125]
    assert golden.encoded_bits((3, 5), named_format("s4opt")) == 3 * 3 * 13


@pytest.mark.parametrize(("name", "vsparq", "count"), [
    ("s4opt", True, 6593), ("s4opt", False, 6241), ("s5opt", True, 9857), ("s5opt", False, 9025),
])  # fmt: skip
@pytest.mark.parametrize("rounding", [True, False])
def test_fewest_bits(name: str, vsparq: bool, count: int, rounding: bool) -> None:
    """Stored words are as few bits as tell all pairs apart."""
    fmt = named_format(name, rounding, vsparq)
    pairs = every_pair(fmt.magnitude_max)
    words = np.unique(golden.store_pairs(golden.encode_pairs(pairs, fmt), fmt))
    assert len(words) == count
    assert fmt.stored_pair_bits == (count - 1).bit_length()


# The rule


@pytest.mark.parametrize(
    ("name", "a", "rounded", "trimmed"),
    [
        ("s4opt", 15, 15, 15),
        ("s4opt", -17, -16, -16),  # 17 / 2 = 8.5, tie down to 8
        ("s4opt", -19, -20, -18),  # 19 / 2 = 9.5, tie up to 10: the magnitude is rounded
        ("s4opt", -31, -30, -30),  # 15.5 rounds to 16, saturates at 15
        ("s4opt", 127, 120, 120),
        ("s4opt", -127, -120, -120),
        ("s4opt", -68, -64, -64),  # 68 / 8 = 8.5
        ("s5opt", -255, -240, -240),
        ("s5opt", -152, -160, -144),
        ("s5opt", -127, -120, -120),
        ("s4:0,3", -20, -16, -16),  # 2.5
        ("s4:0,3", 28, 32, 24),  # 3.5
    ],
)
def test_trim_by_hand(name: str, a: int, rounded: int, trimmed: int) -> None:
    assert golden.trim(a, named_format(name)) == rounded
    assert golden.trim([[a]], named_format(name, rounding=False)).tolist() == [[trimmed]]


@pytest.mark.parametrize(
    ("name", "pair", "values"),
    [
        ("s4opt", (-27, 1), (-28, 1)),
        ("s4opt", (-27, 0), (-27, 0)),  # two lanes: exact
        ("s4opt", (0, -127), (0, -127)),
        ("s4opt", (0, 0), (0, 0)),
        ("s5opt", (-173, 0), (-173, 0)),
        ("s5opt", (-173, -1), (-176, -1)),
        ("s3:0,1,2,3,4,5", (0, -134), (0, -136)),  # 6 bits: 33.5, tie up to 34
    ],
)
def test_sparq_by_hand(name: str, pair: tuple[int, int], values: tuple[int, int]) -> None:
    assert tuple(golden.sparq(pair, named_format(name))) == values


@pytest.mark.parametrize("rule", [*NAMED_RULES[:8], *CUSTOM_RULES[:64]], ids=str)
def test_trim_of_every_value(rule: Rule) -> None:
    values = list(range(-rule.largest, rule.largest + 1))
    got = golden.trim(values, SparqFormat(*rule))
    assert got.dtype == np.int16
    expected = [reference.effective(a, rule) for a in values]
    assert_same(f"trim, {rule}", values, expected, got)


@cache
def expected_lanes(rule: Rule) -> tuple[list[Any], list[Any]]:
    """Encoding and effective values of ``pairs_of`` the rule."""
    pairs = pairs_of(rule).tolist()
    lanes = [reference.encode_pair(a, b, rule) for a, b in pairs]
    return lanes, [reference.effective_pair(a, b, rule) for a, b in pairs]


def check_pairs(rule: Rule) -> None:
    """Values, each field of the encoding, products, packed and stored words of all pairs."""
    fmt = SparqFormat(*rule)
    pairs = pairs_of(rule)
    inputs = pairs.tolist()
    lanes, values = expected_lanes(rule)
    got = golden.sparq(pairs, fmt)
    assert got.dtype == np.int16
    assert_same(f"sparq, {rule}", inputs, values, got)

    encoded = golden.encode_pairs(pairs, fmt)
    x, shift_ctrl, mux_ctrl = (field[:, 0] for field in encoded)
    assert x.dtype == np.int16
    assert shift_ctrl.dtype == mux_ctrl.dtype == np.uint8
    shifts = np.array(fmt.lane_shifts)[shift_ctrl]
    assert_same(f"encode, {rule}", inputs, lanes, np.concatenate([x, shifts, mux_ctrl], axis=-1))
    assert_same(f"decode, {rule}", inputs, values, golden.decode_pairs(encoded, fmt))
    for weights in WEIGHTS:
        sums = ((x.astype(int) * np.array(weights)[mux_ctrl]) << shifts).sum(axis=-1)
        assert_same(f"weights {weights}, {rule}", inputs, np.array(values) @ weights, sums)

    words = golden.pack_pairs(encoded, fmt)
    n, top = fmt.window_bits, fmt.pair_bits - 2
    assert words.dtype == np.uint32
    assert_same(f"lane 0, {rule}", inputs, abs(x[:, 0]), words[:, 0] & (1 << n) - 1)
    assert_same(f"lane 1, {rule}", inputs, abs(x[:, 1]), words[:, 0] >> n & (1 << n) - 1)
    assert_same(f"signs, {rule}", inputs, (x < 0) @ [1, 2], words[:, 0] >> top)
    stored = golden.store_pairs(encoded, fmt)
    assert int(stored.max()) < 1 << fmt.stored_pair_bits
    zero = inputs.index([0, 0])
    assert stored[zero] == 0
    for context, again in (
        ("unpack", golden.unpack_pairs(words, fmt)),
        ("load", golden.load_pairs(stored, fmt)),
    ):
        for before, after in zip(encoded, again, strict=True):
            assert after.dtype == before.dtype
            assert_same(f"{context}, {rule}", inputs, before, after)


@pytest.mark.slow
@pytest.mark.every(20)
@pytest.mark.parametrize("rule", NAMED_RULES, ids=str)
def test_every_pair_of_named_formats(rule: Rule) -> None:
    check_pairs(rule)


@pytest.mark.every(8)
@pytest.mark.parametrize("rule", CUSTOM_RULES, ids=str)
def test_pairs_of_custom_formats(rule: Rule) -> None:
    check_pairs(rule)


@pytest.mark.parametrize("fmt", DRAWN_FORMATS, ids=str)
def test_pairs_of_random_formats(fmt: SparqFormat) -> None:
    """SEED draws them."""
    options = fmt.rounding, fmt.vsparq, fmt.group
    check_pairs(Rule(fmt.window_bits, fmt.shifts, *options, signed=True))


@pytest.mark.parametrize("group", [2, 4, 8, 16])
@pytest.mark.parametrize("name", SIGNED)
def test_groups_along_a_row(name: str, group: int) -> None:
    """The magnitude of the largest that counts sets the shift, whatever its sign."""
    for rule in every_mode([SIGNED[name]], group, signed=True):
        fmt = SparqFormat(*rule)
        for length in (1, 2, group - 1, group, group + 1, 2 * group + 3):
            x = rows_of(rule, 12, length)
            rows = x.tolist()
            expected = [reference.effective_row(row, rule) for row in rows]
            where = f"{rule}, length {length}, seed {SEED}"
            assert_same(where, rows, expected, golden.sparq(x, fmt))
            encoded = golden.encode_pairs(x, fmt)
            assert_same(where, rows, expected, golden.decode_pairs(encoded, fmt)[:, :length])
            again = golden.load_pairs(golden.store_pairs(encoded, fmt), fmt)
            for before, after in zip(encoded, again, strict=True):
                assert np.array_equal(before, after), where


def test_groups_by_hand() -> None:
    x = [-100, 9, 3, -5, 15, -15, 0, -77]
    trim = {"rounding": False}
    assert golden.sparq(x, named_format("s4opt", **trim, vsparq=False, group=2)).tolist() == [
        *(-96, 8, 3, -5, 15, -15, 0, -72)
    ]
    assert golden.sparq(x, named_format("s4opt", **trim, group=4)).tolist() == [
        *(-96, 8, 0, 0, 15, -15, 0, -77)
    ]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axis(axis: int) -> None:
    rule = Rule(*SIGNED["s4opt"], signed=True)
    x = rows_of(rule, 7, 15).reshape(3, 7, 5)
    moved = np.moveaxis(x, axis, -1)
    rows = moved.reshape(-1, moved.shape[-1]).tolist()
    got = golden.sparq(x, SparqFormat(*rule), axis=axis)
    assert got.shape == x.shape
    expected = [reference.effective_row(row, rule) for row in rows]
    got_rows = np.moveaxis(got, axis, -1).reshape(-1, moved.shape[-1])
    assert_same(f"axis {axis}, seed {SEED}", rows, expected, got_rows)


@pytest.mark.parametrize("name", [*SIGNED, "s4:0,3", "s3:0,1,2,3,4", "s5:0,2"])
@pytest.mark.parametrize("group", [1, 2])
def test_planes(name: str, group: int) -> None:
    """Parts of a magnitude that windows hold exactly, each with the sign."""
    for rounding, vsparq in ((True, True), (True, False), (False, True), (False, False)):
        fmt = named_format(name, rounding, vsparq, group)
        masks = fmt.exact_planes
        assert len(masks) == -(-fmt.magnitude_bits // fmt.window_bits)
        assert sum(masks) == fmt.magnitude_max
        assert not any(a & b for a, b in combinations(masks, 2))
        pairs = every_pair(127) if fmt.magnitude_bits == 7 else some_pairs(255)
        sizes, signs = abs(pairs), np.sign(pairs)
        planes = [golden.sparq(signs * (sizes & mask), fmt) for mask in masks]
        assert_same(f"{fmt}", pairs.tolist(), pairs, np.sum(planes, axis=0))


# Zero points


@pytest.mark.parametrize(
    ("name", "zero_point"),
    [("s5opt", 0), ("s5opt", 77), ("s5opt", 128), ("s5opt", 255), ("s4opt", 128)],
)
@pytest.mark.parametrize("group", [1, 2, 4])
def test_affine_bytes(name: str, zero_point: int, group: int) -> None:
    """A zero point is subtracted first; with magnitudes of 7 bits it must leave them that."""
    rng = np.random.default_rng(SEED)
    fmt = named_format(name, group=group)
    low = max(0, zero_point - fmt.magnitude_max)
    x = rng.integers(low, 256, (50, 9)).astype(np.uint8)
    x[rng.random(x.shape) < 0.3] = zero_point
    signed = x.astype(int) - zero_point
    w = rng.integers(-128, 128, (9, 3)).astype(np.int8)
    expected = golden.sparq(signed, fmt)
    assert np.array_equal(golden.sparq(x, fmt, zero_point=zero_point), expected)
    assert np.array_equal(golden.sparq(x.T, fmt, axis=0, zero_point=zero_point), expected.T)
    assert np.array_equal(golden.trim(x, fmt, zero_point), golden.trim(signed, fmt))
    for given, wanted in zip(
        golden.encode_pairs(x, fmt, zero_point), golden.encode_pairs(signed, fmt), strict=True
    ):
        assert np.array_equal(given, wanted)
    sums = golden.sparq_matmul(x, w, fmt, zero_point=zero_point)
    assert np.array_equal(sums, expected.astype(int) @ w)
    w[::2] = 0
    sparse = golden.sparq_matmul_2_4(x, w, fmt, zero_point=zero_point)
    assert np.array_equal(sparse, golden.sparq_matmul_2_4(signed, w, fmt))


@pytest.mark.parametrize("group", GROUPS)
def test_an_unsigned_layer_loses_nothing_in_magnitudes_of_8_bits(group: int) -> None:
    """Bytes with a zero point of 0 are in ``s5opt`` what they are in ``5opt``, and so the codes."""
    rng = np.random.default_rng(SEED)
    x: Array = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1).reshape(-1, 2)
    if group > 2:
        x = rng.integers(0, 256, (4000, group)) >> rng.integers(0, 9, (4000, group))
    for rounding, vsparq in ((True, True), (True, False), (False, True), (False, False)):
        signed = named_format("s5opt", rounding, vsparq, group)
        unsigned = named_format("5opt", rounding, vsparq, group)
        assert np.array_equal(golden.sparq(x, signed), golden.sparq(x, unsigned))
        words = golden.pack_pairs(golden.encode_pairs(x, signed), signed)
        assert np.array_equal(words, golden.pack_pairs(golden.encode_pairs(x, unsigned), unsigned))


def test_what_an_unsigned_layer_loses_in_magnitudes_of_7_bits() -> None:
    """``s4opt`` takes bytes at twice the step: their lowest bit, which 5opt has below 16 alone.

    Trimmed, nothing else differs; rounded twice, no byte from 16 is further off than the furthest
    of its size in 5opt. A value with both lanes loses the bit, where 5opt is exact.
    """
    byte = np.arange(256)
    trimmed = golden.trim(byte, named_format("5opt", rounding=False))
    halved = 2 * golden.trim(byte >> 1, named_format("s4opt", rounding=False))
    assert byte[trimmed != halved].tolist() == [1, 3, 5, 7, 9, 11, 13, 15]

    half = np.array([min(reference.divide_half_even(int(value), 1), 127) for value in byte])
    off = abs(golden.trim(byte, named_format("5opt")).astype(int) - byte)
    off_halved = abs(2 * golden.trim(half, named_format("s4opt")) - byte)
    assert off_halved[:16].max() == 1
    for low in (16, 32, 64, 128):
        assert off_halved[low : 2 * low].max() <= off[low : 2 * low].max()
    alone = 2 * golden.sparq(np.stack([half, 0 * half], axis=-1), named_format("s4opt"))[:, 0]
    assert abs(alone - byte).max() == 1


# Products

PRODUCT_RULES = [
    *every_mode(SIGNED.values(), signed=True),
    *(Rule(*fmt, signed=True) for fmt in SIGNED_CUSTOM),
    *(rule for group in (2, 4, 16) for rule in every_mode(SIGNED.values(), group, signed=True)),
]


def sparse(w: Array) -> Array:
    """At most two of each four weights along K."""
    rng = np.random.default_rng([SEED, *w.shape])
    kept = w.copy()
    for start in range(0, len(w), 4):
        rank = rng.random(w[start : start + 4].shape).argsort(axis=0).argsort(axis=0)
        kept[start : start + 4][rank >= rng.choice([0, 1, 2, 2], w.shape[1])] = 0
    return kept


@pytest.mark.every(6)
@pytest.mark.parametrize("rule", PRODUCT_RULES, ids=str)
def test_products(rule: Rule) -> None:
    fmt = SparqFormat(*rule)
    # The exact products go by blocks of 514 along K.
    for m, k, n in [(1, 1, 1), (3, 7, 2), (5, 16, 4), (2, 515, 2), (1, 1030, 1), (0, 3, 2)]:
        x = rows_of(rule, m, k)
        w = np.random.default_rng([SEED, k, n]).integers(-128, 128, (k, n)).astype(np.int8)
        for matmul, stated, weights in (
            (golden.sparq_matmul, reference.sparq_matmul, w),
            (golden.sparq_matmul_2_4, reference.sparq_matmul_2_4, sparse(w)),
        ):
            expected = stated(x.tolist(), weights.tolist(), rule)
            got = matmul(x, weights, fmt)
            assert got.dtype == np.int32
            rows = [f"row {row} of {(m, k, n)}, seed {SEED}" for row in range(m)]
            assert_same(f"{matmul.__name__}, {rule}", rows, np.reshape(expected, (m, n)), got)


@pytest.mark.parametrize("dtype", ["i1", "i2", ">i4", "i8"])
def test_dtypes_and_leading_axes(dtype: str) -> None:
    rule = Rule(*SIGNED["s4opt"], signed=True)
    x = rows_of(rule, 6, 5).astype(dtype).reshape(2, 3, 5)
    w = np.arange(10, dtype=np.int8).reshape(5, 2)
    got = golden.sparq_matmul(x, w, SparqFormat(*rule))
    expected = reference.sparq_matmul(x.reshape(6, 5).tolist(), w.tolist(), rule)
    assert got.reshape(6, 2).tolist() == expected


@pytest.mark.parametrize("k", [1, 2, 513, 515, 1029])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_bytes_are_what_wider_integers_are(k: int, group: int) -> None:
    """Signed bytes, and affine ones with a zero point; in any layout, with any tail."""
    rng = np.random.default_rng([SEED, k, group])
    w = rng.integers(-128, 128, (k, 3)).astype(np.int8)
    for name, zero, low, high, dtype in (
        ("s4opt", 0, -127, 128, "i1"),
        ("s5opt", 0, -128, 128, "i1"),
        ("s4opt", 128, 1, 256, "u1"),
        ("s5opt", 200, 0, 256, "u1"),
    ):
        for rounding, vsparq in ((True, True), (False, False)):
            fmt = named_format(name, rounding, vsparq, group)
            x = rng.integers(low, high, (k, 5)).T
            x[rng.random(x.shape) < 0.3] = zero
            got = golden.sparq_matmul(x.astype(dtype), w, fmt, zero_point=zero)
            expected = golden.sparq(x - zero, fmt).astype(np.int64) @ w
            assert np.array_equal(got, expected), f"{name}, {dtype}, seed {SEED}"


@pytest.mark.parametrize("k", [513, 514, 515, 1024, 1029, 4097])
@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize("value", [-255, 255])
def test_the_largest_sums(k: int, weight: int, value: int) -> None:
    """Exact however long: alone in their pairs, so that nothing is cut."""
    fmt = named_format("s5opt")
    x, w = np.zeros((2, 2 * k), np.int16), np.full((2 * k, 3), weight, np.int8)
    x[:, ::2] = value
    assert golden.sparq_matmul(x, w, fmt).tolist() == [[k * value * weight] * 3] * 2


@pytest.mark.parametrize("fmt", random_formats(8, signed=True), ids=lambda fmt: fmt.slug)
def test_products_of_random_formats(fmt: NamedFormat) -> None:
    own = fmt.sparq_format
    rule = Rule(own.window_bits, own.shifts, fmt.rounding, fmt.vsparq, fmt.group, True)
    assert rule == Rule.of(fmt)
    x = rows_of(rule, 20, 3 * max(2, fmt.group) + 1)
    w = np.random.default_rng(SEED).integers(-128, 128, (x.shape[1], 3))
    expected = reference.sparq_matmul(x.tolist(), w.tolist(), rule)
    got = golden.sparq_matmul(x, w, own)
    assert_same(f"{fmt.label}, SEED={DRAWN}", x.tolist(), expected, got)


# Refusals

S4, S5 = named_format("s4opt"), named_format("s5opt")
UNSIGNED = named_format("5opt")
ZERO = "zero_point must be an integer from 0 to 255"
W = np.ones((2, 1), np.int8)


def pair(x0: int, x1: int, state: tuple[int, int, int, int]) -> EncodedPairs:
    shifts, muxes = np.array([state[:2]]), np.array([state[2:]])
    return EncodedPairs(np.array([[x0, x1]]), shifts, muxes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SparqFormat(4, (0, 2), signed=True), ValueError,
         "shifts of a signed 4-bit window must reach 3 or more to cover every 7-bit magnitude, "
         "not (0, 2)"),
        (lambda: SparqFormat(4, (0, 4), signed=1), TypeError,  # type: ignore[arg-type]
         "signed must be True or False, not 1"),
        (lambda: named_format("s4:1,3"), ValueError,
         "format s4:1,3: shifts must contain 0, not (1, 3)"),
        (lambda: golden.sparq([1, -128], S4), ValueError,
         "x must be integers from -127 to 127, not -128 (at index [1])"),
        (lambda: golden.trim([[256]], S5), ValueError,
         "x must be integers from -255 to 255, not 256 (at index [0, 0])"),
        (lambda: golden.encode_pairs([0, 3], S4, 128), ValueError,
         "x must be integers from 1 to 255, not 0 (at index [0])"),
        (lambda: golden.sparq_matmul([[0.5, 1]], W, S4), TypeError,
         "x must be integers from -127 to 127, not float64 (first value 0.5)"),
        (lambda: golden.sparq_matmul_2_4([[1, 300]], W, S5, zero_point=44), ValueError,
         "x must be integers from -211 to 299, not 300 (at index [0, 1])"),
        (lambda: golden.sparq([1], S5, zero_point=256), ValueError, f"{ZERO}, not 256"),
        (lambda: golden.sparq([1], S5, zero_point=-1), ValueError, f"{ZERO}, not -1"),
        (lambda: golden.sparq([1], S5, zero_point=1.0), TypeError,  # type: ignore[arg-type]
         f"{ZERO}, not 1.0"),
        (lambda: golden.sparq([1], S5, zero_point=True), TypeError, f"{ZERO}, not True"),
        (lambda: golden.sparq([1], UNSIGNED, zero_point=3), ValueError,
         "zero_point must be 0 of an unsigned format, not 3"),
        (lambda: golden.sparq([-1], UNSIGNED), ValueError,
         "x must be integers from 0 to 255, not -1 (at index [0])"),
        (lambda: golden.pack_pairs(pair(-16, 1, (0, 0, 0, 1)), S4), ValueError,
         "x must be integers from -15 to 15, not -16 (at index [0, 0])"),
        (lambda: golden.decode_pairs(pair(-3, 5, (3, 0, 1, 1)), S4), ValueError,
         "both lanes of one activation must have one sign, not [-3, 5] (at index [0])"),
        (lambda: golden.decode_pairs(pair(15, 15, (3, 0, 1, 1)), S4), ValueError,
         "decoded activations must be integers from -127 to 127, not 135 (at index [0, 1])"),
        (lambda: golden.unpack_pairs([0, 1 << 14 | 3], S4), ValueError,
         "the sign of a lane of 0 in words must be 0, not 1 (word 16387 at index [1])"),
        (lambda: golden.load_pairs([1 << 13], S4), ValueError,
         "words must be integers from 0 to 8191, not 8192 (at index [0])"),
        (lambda: golden.load_pairs([1 << 11], S4), ValueError,
         "the sign of a lane of 0 in words must be 0, not 1 (word 15872 at index [0])"),
        (lambda: golden.store_pairs(pair(7, 3, (1, 0, 0, 1)), S4), ValueError,
         "encoded must be pairs that activations are encoded as, not 0x437 (at index [0])"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as info:
        call()
    assert str(info.value) == message
