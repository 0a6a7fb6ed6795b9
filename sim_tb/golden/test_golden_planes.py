"""Bytes split into planes that windows hold exactly."""

import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from golden import NAMED_FORMATS, SparqFormat, named_format, sparq
from golden.format import GROUPS
from sim_tb.oracle.random_formats import random_formats

SEED = 29
PAIRS = np.array(np.meshgrid(np.arange(256), np.arange(256)), np.uint8).reshape(2, -1).T
"""All pairs of bytes."""


def operands(group: int) -> npt.NDArray[np.uint8]:
    """Groups of bytes: all pairs, or random ones with many small ones and zeros."""
    if group <= 2:
        return np.ascontiguousarray(PAIRS)
    rng = np.random.default_rng([SEED, group])
    x = rng.integers(0, 256, (5000, group), dtype=np.uint8)
    return np.asarray(x >> rng.integers(0, 9, x.shape, dtype=np.uint8), np.uint8)


def every_mode(fmt: SparqFormat, group: int) -> list[SparqFormat]:
    return [
        replace(fmt, rounding=rounding, vsparq=vsparq, group=group)
        for rounding in (True, False)
        for vsparq in (True, False)
    ]


def assert_exact(fmt: SparqFormat) -> None:
    """The planes have every bit once, and windows hold each of them exactly."""
    masks = fmt.exact_planes
    assert sum(masks) == 0xFF
    assert not any(a & b for a, b in combinations(masks, 2))
    assert list(masks) == sorted(masks, reverse=True)
    x = operands(fmt.group)
    total = sum(sparq(x & np.uint8(mask), fmt).astype(np.int64) for mask in masks)
    assert np.array_equal(total, x), f"{fmt}, seed {SEED}"


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", NAMED_FORMATS)
def test_planes_of_named_formats(name: str, group: int) -> None:
    """In every mode; as few as windows of so many bits can be."""
    fmt = named_format(name)
    assert len(fmt.exact_planes) == -(-8 // fmt.window_bits)
    for own in every_mode(fmt, group):
        assert own.exact_planes == fmt.exact_planes
        assert_exact(own)


def test_planes_of_custom_formats() -> None:
    """Those that have planes, in every mode and group."""
    formats = [own.sparq_format for own in random_formats(60)]
    split = [own for own in formats if own.exact_planes]
    assert len(split) >= 10, f"seed {SEED}"
    rng = random.Random(SEED)
    for fmt in split:
        group = rng.choice(GROUPS)
        for own in every_mode(fmt, group):
            assert_exact(own)


def holds(fmt: SparqFormat, mask: int) -> bool:
    """Whether windows hold all groups of two bytes of these bits exactly."""
    values = [byte for byte in range(256) if byte & ~mask == 0]
    pairs = np.array([(a, b) for a in values for b in values], np.uint8)
    return np.array_equal(sparq(pairs, fmt), pairs)


@pytest.mark.parametrize("vsparq", [True, False])
@pytest.mark.parametrize("group", [1, 2])
def test_no_planes_where_there_is_no_split(vsparq: bool, group: int) -> None:
    """A bit that no window holds alone, beside any other byte of its plane, is in no plane."""
    seen = set()
    for window_bits in (1, 2, 3, 4):
        for count in range(4):
            for shifts in combinations(range(1, 8), count):
                if max(shifts, default=0) + window_bits < 8:
                    continue
                fmt = SparqFormat(window_bits, (0, *shifts), vsparq=vsparq, group=group)
                bits = [holds(replace(fmt, vsparq=False), 1 << bit) for bit in range(8)]
                assert bool(fmt.exact_planes) == all(bits), fmt
                seen.add(all(bits))
                for mask in fmt.exact_planes:
                    assert holds(fmt, mask), fmt
    assert seen == {True, False}
