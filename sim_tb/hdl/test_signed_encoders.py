# amaranth: UnusedElaboratable=no
"""Encoders of signed formats in Amaranth's own simulator, against the golden model."""

from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import (
    NamedFormat,
    SparqFormat,
    encode_pairs,
    named_format,
    pack_pairs,
    store_pairs,
)
from golden.quantize import lane_table, wide_table
from hdl import (
    LeadingOneDetector,
    PairEncoder,
    SignedPairEncoder,
    SignMagnitude,
    StoredPairDecoder,
    StoredPairEncoder,
    WindowShifter,
)
from sim_tb.hdl.pysim import SEED, Word, describe, respond
from sim_tb.oracle.random_formats import random_formats
from sim_tb.oracle.reference import assert_same

NAMES = ("s4opt", "s5opt")
OTHERS = ("s4:0,3", "s4:0,1,3", "s3:0,1,2,3,4", "s3:0,4", "s1:0,6", "s5:0,2", "s6:0,2", "s7:0")
MODES = [(rounding, vsparq) for rounding in (True, False) for vsparq in (True, False)]
FORMATS = [
    *(named_format(name, *mode, group) for group in (1, 2) for name in NAMES for mode in MODES),
    *(named_format(name, *mode) for name in OTHERS for mode in (MODES[0], MODES[3])),
    *(fmt.sparq_format for fmt in random_formats(6, (1, 2), signed=True)),
]
GROUPED = [
    *(named_format(name, *mode, group) for group in (4, 16) for name in NAMES for mode in MODES),
    *(fmt.sparq_format for fmt in random_formats(3, (4, 8), signed=True)),
]

Pairs = npt.NDArray[Any]


def code(fmt: SparqFormat, value: int) -> int:
    """Sign above magnitude."""
    return abs(value) | (value < 0) << fmt.magnitude_bits


def codes(fmt: SparqFormat, a: int, b: int) -> int:
    return code(fmt, a) | code(fmt, b) << fmt.activation_bits


def every_pair(fmt: SparqFormat) -> Pairs:
    values = np.arange(-fmt.magnitude_max, fmt.magnitude_max + 1)
    return np.stack(np.meshgrid(values, values), -1).reshape(-1, 2)


def some_pairs(fmt: SparqFormat) -> Pairs:
    """Random ones of all sizes, corners, and every value beside a zero."""
    rng = np.random.default_rng(SEED)
    largest = fmt.magnitude_max
    sizes = rng.integers(0, largest + 1, (1500, 2)) >> rng.integers(0, 8, (1500, 1))
    pairs = sizes * rng.choice([-1, 1], sizes.shape)
    corners = [0, 1, -1, 15, -15, 16, -16, -17, largest // 2, -largest, largest]
    alone = [p for v in range(-largest, largest + 1) for p in ((v, 0), (0, v))]
    return np.concatenate([pairs, [(a, b) for a in corners for b in corners], alone])


def check_encoder(fmt: SparqFormat, pairs: Pairs, checks: Any) -> None:
    got = respond(PairEncoder(fmt), [{"activations": codes(fmt, *p)} for p in pairs.tolist()])
    expected = pack_pairs(encode_pairs(pairs, fmt), fmt)[:, 0]
    assert_same(describe(fmt), pairs.tolist(), expected, [word["pair"] for word in got])
    checks(len(pairs))


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_window_of_every_magnitude(name: str, double: bool, checks: Any) -> None:
    """Leading-one detector and window shifter, which know of no sign."""
    fmt = named_format(name)
    bits = fmt.window_bits * (2 if double else 1)
    placements = fmt.wide_placements if double else fmt.placements
    table = (wide_table if double else lane_table)(fmt)
    values = range(fmt.magnitude_max + 1)
    one_hot = [1 << placements.index(int(table.shift[value])) for value in values]
    width = fmt.magnitude_bits
    detected = respond(LeadingOneDetector(bits, placements, width), [{"value": v} for v in values])
    assert_same("placement", values, one_hot, [word["placement"] for word in detected])
    shifted = respond(
        WindowShifter(bits, placements, True, width),
        [{"value": v, "placement": p} for v, p in zip(values, one_hot, strict=True)],
    )
    windows = table.window[: len(values)]
    assert_same("window", values, windows, [word["window"] for word in shifted])
    checks(2 * len(values))


def test_sign_and_magnitude_of_every_signed_byte(checks: Any) -> None:
    fmt = named_format("s4opt")
    values = range(-127, 128)
    got = respond(SignMagnitude(fmt), [{"value": value} for value in values])
    expected = [code(fmt, value) for value in values]
    assert_same("s4opt", values, expected, [word["activation"] for word in got])
    checks(len(values))


@pytest.mark.parametrize(
    "zero_points",
    [
        pytest.param((0, 1, 100, 127, 128, 129, 254, 255), id="some"),
        pytest.param(range(256), id="all", marks=pytest.mark.slow),
    ],
)
def test_sign_and_magnitude_of_every_affine_byte(zero_points: Any, checks: Any) -> None:
    fmt = named_format("s5opt")
    pairs = [(byte, zero) for zero in zero_points for byte in range(256)]
    inputs = [{"value": byte, "zero_point": zero} for byte, zero in pairs]
    got = respond(SignMagnitude(fmt), inputs)
    expected = [code(fmt, byte - zero) for byte, zero in pairs]
    assert_same("s5opt", pairs, expected, [word["activation"] for word in got])
    checks(len(pairs))


@pytest.mark.every(6)
@pytest.mark.parametrize("fmt", FORMATS, ids=describe)
def test_pair_encoder(fmt: SparqFormat, checks: Any) -> None:
    check_encoder(fmt, some_pairs(fmt), checks)


@pytest.mark.slow
@pytest.mark.every(8)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", [1, 2])
def test_pair_encoder_of_every_pair_of_signed_bytes(
    mode: tuple[bool, bool], group: int, checks: Any
) -> None:
    fmt = named_format("s4opt", *mode, group)
    check_encoder(fmt, every_pair(fmt), checks)


@pytest.mark.full
@pytest.mark.parametrize("group", [1, 2])
def test_pair_encoder_of_every_pair_of_affine_bytes(group: int, checks: Any) -> None:
    fmt = named_format("s5opt", group=group)
    check_encoder(fmt, every_pair(fmt), checks)


@pytest.mark.every(6)
@pytest.mark.parametrize("fmt", GROUPED, ids=describe)
def test_pair_encoder_in_a_group(fmt: SparqFormat, checks: Any) -> None:
    """Beside the magnitudes of other pairs."""
    rng = np.random.default_rng(SEED)
    groups = rng.integers(0, fmt.magnitude_max + 1, (1600 // fmt.group, fmt.group))
    groups >>= rng.integers(0, 8, (len(groups), 1))
    groups[rng.random(groups.shape) < 0.25] = 0
    groups *= rng.choice([-1, 1], groups.shape)
    inputs: list[Word] = []
    for group in groups.tolist():
        pairs = list(zip(group[::2], group[1::2], strict=True))
        counted = [abs(a) | abs(b) for a, b in pairs if not (fmt.vsparq and 0 in (a, b))]
        shared = reduce(or_, counted, 0)
        inputs += [{"activations": codes(fmt, a, b), "shared": shared} for a, b in pairs]
    got = respond(PairEncoder(fmt), inputs)
    expected = pack_pairs(encode_pairs(groups, fmt), fmt)
    words = np.reshape([word["pair"] for word in got], expected.shape)
    assert_same(describe(fmt), groups.tolist(), expected, words)
    checks(len(inputs))


@pytest.mark.parametrize("name", [*NAMES, "s4:0,3"])
@pytest.mark.parametrize("group", [1, 2])
def test_pair_encoder_of_bytes(name: str, group: int, checks: Any) -> None:
    """Signed bytes, or affine ones with their zero point."""
    fmt = NamedFormat(name, group=group).sparq_format
    rng = np.random.default_rng(SEED)
    inputs: list[Word] = []
    expected: list[int] = []
    for zero in (0, 3, 128, 255) if fmt.takes_zero_point else (0,):
        low, high = (0, 256) if fmt.takes_zero_point else (-127, 128)
        pairs = rng.integers(low, high, (600, 2))
        pairs[rng.random(pairs.shape) < 0.2] = zero
        inputs += [
            {"bytes": (a & 255) | (b & 255) << 8, "zero_point": zero} for a, b in pairs.tolist()
        ]
        expected += pack_pairs(encode_pairs(pairs, fmt, zero), fmt)[:, 0].tolist()
    encoder = SignedPairEncoder(fmt)
    assert list(encoder.elements) == [name for (name,), _, _ in encoder.signature.flatten(encoder)]
    assert encoder.elements["bytes"].signed is not fmt.takes_zero_point
    widths = [len(getattr(encoder, name)) for name in encoder.elements]
    assert widths == [elements.width for elements in encoder.elements.values()]
    got = respond(encoder, inputs)
    assert_same(describe(fmt), inputs, expected, [word["pair"] for word in got])
    checks(len(inputs))


STORED = [
    *(named_format(name, True, vsparq) for name in NAMES for vsparq in (True, False)),
    *(named_format(name) for name in ("s4:0,3", "s3:0,1,2,3,4")),
    named_format("s4opt", group=2),
]


@pytest.mark.every(4)
@pytest.mark.parametrize("fmt", STORED, ids=describe)
def test_stored_pairs(fmt: SparqFormat, checks: Any) -> None:
    """Signs stand above, as they are; of every word that the pairs here are encoded as."""
    encoded = encode_pairs(some_pairs(fmt), fmt)
    words, first = np.unique(pack_pairs(encoded, fmt)[:, 0], return_index=True)
    pairs, stored = words.tolist(), store_pairs(encoded, fmt)[first, 0].tolist()
    got = respond(StoredPairEncoder(fmt), [{"pair": word} for word in pairs])
    assert_same("stored", pairs, stored, [word["stored"] for word in got])
    got = respond(StoredPairDecoder(fmt), [{"stored": word} for word in stored])
    assert_same("pair", stored, pairs, [word["pair"] for word in got])
    checks(2 * len(words))


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"^fmt must be signed, not SparqFormat\(window_bits=4"):
        SignMagnitude(named_format("5opt"))
    with pytest.raises(ValueError, match=r"^fmt must be signed, not SparqFormat\(window_bits=3"):
        SignedPairEncoder(named_format("3:0,5", group=4))
