"""The stored form of encoded pairs: every pair of bytes, and every word."""

from math import ceil
from typing import Any

import numpy as np
import pytest

import golden
from golden import NAMED_FORMATS, EncodedPairs, NamedFormat, SparqFormat
from golden.format import GROUPS
from sim_tb.oracle.random_formats import random_formats

SEED = 12
PAIRS = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)

COUNTS = {
    (name, vsparq): count
    for vsparq, counts in (
        (True, (2720, 2032, 1411, 984, 320)),
        (False, (2304, 1600, 961, 784, 256)),
    )
    for name, count in zip(NAMED_FORMATS, counts, strict=True)
}
"""Distinct pairs of the paper's formats, without shared windows."""

OTHERS = (
    *("4:0,1,4", "4:0,5", "3:0,3,5", "5:0,1,2,3", "5:0,1,2,7", "1:0,7", "8:0", "7:0,1", "6:0,2"),
    *("3:0,2,4,5", "2:0,2,4,6", "2:0,1,2,4,5,6", "1:0,1,2,3,4,5,6,7"),
)
FORMATS = [
    NamedFormat(name, rounding, vsparq, group).sparq_format
    for name in (*NAMED_FORMATS, *OTHERS)
    for rounding in (True, False)
    for vsparq in (True, False)
    for group in (1, 2)
]
FORMATS += [fmt.sparq_format for fmt in random_formats(30, (1,))]


def encoded_pairs(fmt: SparqFormat) -> EncodedPairs:
    """Each of ``PAIRS``, alone in its group."""
    return golden.encode_pairs(PAIRS, fmt)


@pytest.mark.parametrize(("name", "vsparq"), COUNTS)
@pytest.mark.parametrize("rounding", [True, False])
def test_fewest_bits(name: str, vsparq: bool, rounding: bool) -> None:
    """As few as tell all pairs of the paper's formats apart; no word is wasted on other pairs."""
    fmt = golden.named_format(name, rounding, vsparq)
    words = np.unique(golden.store_pairs(encoded_pairs(fmt), fmt))
    assert len(words) == COUNTS[name, vsparq]
    assert fmt.stored_pair_bits == (len(words) - 1).bit_length()
    if fmt.stored_words:
        assert sorted(fmt.stored_words.values()) == words.tolist()


@pytest.mark.parametrize(
    ("name", "vsparq", "group", "bits"),
    [
        *zip(NAMED_FORMATS, [True] * 5, [1] * 5, (12, 11, 11, 10, 9), strict=True),
        *zip(NAMED_FORMATS, [False] * 5, [1] * 5, (12, 11, 10, 10, 8), strict=True),
        *zip(NAMED_FORMATS, [True] * 5, [4] * 5, (11, 11, 10, 10, 9), strict=True),
        *zip(NAMED_FORMATS, [False] * 5, [16] * 5, (11, 10, 9, 9, 7), strict=True),
        ("4:0,1,4", True, 1, 11),
        ("4:0,1,4", False, 1, 11),
        ("5:0,1,2,7", True, 1, 14),
        ("5:0,1,2,7", False, 1, 14),
        ("8:0", True, 1, 18),
        ("1:0,1,2,3,4,5,6,7", True, 1, 7),
    ],
)
def test_stored_pair_bits(name: str, vsparq: bool, group: int, bits: int) -> None:
    fmt = golden.named_format(name, vsparq=vsparq, group=group)
    assert fmt.stored_pair_bits == bits <= fmt.pair_bits


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_pair_is_stored_and_loaded(fmt: SparqFormat) -> None:
    encoded = encoded_pairs(fmt)
    words = golden.store_pairs(encoded, fmt)
    assert words.dtype == np.uint32
    assert words.max() < 1 << fmt.stored_pair_bits
    assert words[0] == 0
    for before, after in zip(encoded, golden.load_pairs(words, fmt), strict=True):
        assert after.dtype == np.uint8
        assert np.array_equal(before, after)


@pytest.mark.parametrize("name", NAMED_FORMATS)
@pytest.mark.parametrize("vsparq", [True, False])
def test_rounded_and_trimmed_pairs_are_stored_alike(name: str, vsparq: bool) -> None:
    rounded, trimmed = (golden.named_format(name, mode, vsparq) for mode in (True, False))
    assert rounded.stored_words == trimmed.stored_words
    assert rounded.stored_inversion == trimmed.stored_inversion


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("vsparq", [True, False])
def test_tensors_in_groups(group: int, vsparq: bool) -> None:
    rng = np.random.default_rng(SEED)
    fmt = golden.named_format("5opt", vsparq=vsparq, group=group)
    x = rng.integers(0, 256, (3, 5, 37)) >> rng.integers(0, 8, (3, 5, 37))
    words = golden.store_pairs(golden.encode_pairs(x, fmt), fmt)
    assert words.size * fmt.stored_pair_bits == golden.encoded_bits(x.shape, fmt)
    values = golden.decode_pairs(golden.load_pairs(words.tolist(), fmt), fmt)
    assert np.array_equal(values[..., :37], golden.sparq(x, fmt))


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (3, 4), (2, 3, 5), (0, 4), (4, 0)])
def test_encoded_bits(shape: tuple[int, ...]) -> None:
    """An odd tail is a pair; a tensor without elements takes none."""
    fmt = golden.named_format("6opt")
    rows = int(np.prod(shape[:-1]))
    assert golden.encoded_bits(shape, fmt) == 10 * rows * ceil(shape[-1] / 2)


FMT = golden.named_format("3opt")
SHARED = golden.named_format("5opt", group=2)
ONE_PAIR = (np.array([[[0, 3]]], np.uint8), np.array([[[1, 0]]], np.uint8), np.array([[[0, 1]]]))


def _illegal(fmt: SparqFormat) -> int:
    return min(set(range(1 << fmt.stored_pair_bits)) - {*fmt.stored_words.values()})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: golden.load_pairs([[0, _illegal(FMT)]], FMT),
            ValueError,
            f"words must be words of pairs, not {_illegal(FMT):#x} (at index [0, 1])",
        ),
        (
            lambda: golden.load_pairs([0, 1 << 11], FMT),
            ValueError,
            "words must be integers from 0 to 2047, not 2048 (at index [1])",
        ),
        (
            lambda: golden.load_pairs(0, FMT),
            ValueError,
            "words must have the shape (..., P), not ()",
        ),
        (
            lambda: golden.load_pairs([0.0], FMT),
            TypeError,
            "words must be integers from 0 to 2047, not float64 (first value 0.0)",
        ),
        (
            lambda: golden.load_pairs([5 << 8 ^ SHARED.stored_inversion], SHARED),
            ValueError,
            "the control code of words must be one of fmt.control_codes, "
            "not 5 (word 1280 at index [0])",
        ),
        (
            lambda: golden.store_pairs(EncodedPairs(*ONE_PAIR), FMT),
            ValueError,
            "encoded must be pairs that activations are encoded as, not 0x430 (at index [0, 0])",
        ),
        (
            lambda: golden.store_pairs(EncodedPairs(*(field[0, 0] for field in ONE_PAIR)), FMT),
            ValueError,
            "x, shift_ctrl and mux_ctrl must have one shape (..., P, 2), not (2,), (2,) and (2,)",
        ),
        (
            lambda: golden.encoded_bits((), FMT),
            ValueError,
            "shape must be (..., K), not ()",
        ),
        (
            lambda: golden.encoded_bits((2, -1), FMT),
            ValueError,
            f"shape must be integers from 0 to {2**63 - 1}, not -1 (at index [1])",
        ),
        (
            lambda: golden.encoded_bits((2.5,), FMT),  # type: ignore[arg-type]
            TypeError,
            f"shape must be integers from 0 to {2**63 - 1}, not float64 (first value 2.5)",
        ),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as info:
        call()
    assert str(info.value) == message


def test_what_is_no_format_is_refused() -> None:
    """By all three alike."""
    for call in (
        lambda: golden.store_pairs(golden.encode_pairs([1], FMT), "3opt"),  # type: ignore[arg-type]
        lambda: golden.load_pairs([0], "3opt"),  # type: ignore[arg-type]
        lambda: golden.encoded_bits((1,), "3opt"),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match=r"^fmt must be a SparqFormat, not '3opt'$"):
            call()
