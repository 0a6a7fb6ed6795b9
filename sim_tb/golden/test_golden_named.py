"""Formats by name: the paper's, any other by its window, their labels and slugs, and refusals."""

import random
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import golden
from golden import NAMED_FORMATS, NamedFormat, SparqFormat, named_format
from golden.format import GROUPS
from golden.named import split_formats
from sim_tb.oracle import reference
from sim_tb.oracle.random_formats import SEED, random_formats
from sim_tb.oracle.reference import assert_same

ALLOWED = (
    "format must be one of 5opt, 3opt, 2opt, 6opt, 7opt, "
    "or window bits and shifts such as 4:0,1,4; "
    "of signed activations s4opt, s5opt, or such as s4:0,1,3, not"
)


@pytest.mark.parametrize("name", NAMED_FORMATS)
def test_a_format_of_the_paper_has_its_name_however_it_is_given(name: str) -> None:
    bits, shifts = NAMED_FORMATS[name]
    window = f"{bits}:{','.join(map(str, reversed(shifts)))}"
    assert NamedFormat(window) == NamedFormat(name)
    assert NamedFormat(window).name == NamedFormat(name).slug == NamedFormat(name).label == name
    assert named_format(window) == named_format(name) == SparqFormat(bits, shifts)


@pytest.mark.parametrize(
    ("given", "name", "slug"),
    [
        ("4:0,1,3,4", "4:0,1,3,4", "4b_0_1_3_4"),
        ("4:4,3,1,0", "4:0,1,3,4", "4b_0_1_3_4"),
        ("4:0,1,2,3,4,6", "5opt", "5opt"),  # no byte needs a shift of 6
        ("4:0,5", "4:0,5", "4b_0_5"),
        ("04:00,4", "2opt", "2opt"),
        ("8:0", "8:0", "8b_0"),
        ("1:0,7", "1:0,7", "1b_0_7"),
    ],
)
def test_one_name_for_one_format(given: str, name: str, slug: str) -> None:
    assert NamedFormat(given).name == name
    assert NamedFormat(given).slug == slug
    assert NamedFormat(NamedFormat(given).name) == NamedFormat(given)


def test_labels_and_slugs_tell_formats_apart() -> None:
    """All options of some formats; slugs make identifiers behind a letter, and file names."""
    formats = [
        NamedFormat(name, *options)
        for name in (*NAMED_FORMATS, "4:0,1,3,4", "5:0,3", "1:0,7")
        for options in product((True, False), (True, False), GROUPS)
    ]
    assert len({fmt.label for fmt in formats}) == len({fmt.slug for fmt in formats}) == len(formats)
    assert all(re.fullmatch(r"\w+", fmt.slug, re.ASCII) for fmt in formats)
    fmt = NamedFormat("5opt", rounding=False, vsparq=False, group=2)
    assert fmt.label == "5opt trim no vSPARQ group 2"
    assert fmt.slug == "5opt_trim_novsparq_group2"
    assert replace(fmt, name="4:0,5", group=1).label == "4:0,5 trim no vSPARQ"


def test_options_are_those_of_the_format() -> None:
    for options in product((True, False), (True, False), GROUPS):
        assert NamedFormat("3opt", *options).sparq_format == SparqFormat(4, (0, 2, 4), *options)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("9opt", f"{ALLOWED} '9opt'"),
        (5, f"{ALLOWED} 5"),
        (None, f"{ALLOWED} None"),
        ([], f"{ALLOWED} []"),
        ("", f"{ALLOWED} ''"),
        ("4:", f"{ALLOWED} '4:'"),
        ("4:0,", f"{ALLOWED} '4:0,'"),
        ("4:0 4", f"{ALLOWED} '4:0 4'"),
        ("4:0,4\n", f"{ALLOWED} '4:0,4\\n'"),
        ("4:0,-4", f"{ALLOWED} '4:0,-4'"),
        ("9:0", "format 9:0: window_bits must be an integer from 1 to 8, not 9"),
        ("0:0", "format 0:0: window_bits must be an integer from 1 to 8, not 0"),
        ("4:1,4", "format 4:1,4: shifts must contain 0, not (1, 4)"),
        ("4:0,8", "format 4:0,8: shifts must be distinct integers from 0 to 7, not (0, 8)"),
        ("4:0,4,4", "format 4:0,4,4: shifts must be distinct integers from 0 to 7, not (0, 4, 4)"),
        (
            "4:0,3",
            "format 4:0,3: shifts of a 4-bit window must reach 4 or more to cover every 8-bit "
            "value, not (0, 3)",
        ),
    ],
)
def test_refused_name(name: str, message: str) -> None:
    for make in (NamedFormat, named_format):
        with pytest.raises(ValueError, match=rf"^{re.escape(message)}\Z"):
            make(name)


def test_refused_options() -> None:
    with pytest.raises(TypeError, match="rounding must be True or False, not 1"):
        NamedFormat("5opt", rounding=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="group must be one of 1, 2, 4, 8, 16, not 3"):
        NamedFormat("5opt", group=3)


@pytest.mark.parametrize("fmt", random_formats(12), ids=lambda fmt: fmt.slug)
def test_random_formats_are_the_rule(fmt: NamedFormat) -> None:
    """All pairs of bytes, and products of all kinds of weights."""
    bits, shifts = fmt.sparq_format.window_bits, fmt.sparq_format.shifts
    rule = reference.Rule(bits, shifts, fmt.rounding, fmt.vsparq, fmt.group)
    rng = random.Random(fmt.slug)
    size = 4 * max(2, fmt.group)
    rows = [[rng.randrange(256) >> rng.randrange(9) for _ in range(size)] for _ in range(60)]
    expected = [reference.effective_row(row, rule) for row in rows]
    where = f"{fmt.label}, SEED={SEED}"
    assert_same(where, rows, expected, golden.sparq(np.array(rows), fmt.sparq_format))
    w = [[rng.randrange(-128, 128) for _ in range(3)] for _ in range(size)]
    sums = golden.sparq_matmul(np.array(rows), np.array(w), fmt.sparq_format)
    assert_same(where, rows, reference.sparq_matmul(rows, w, rule), sums)


def test_low_bits() -> None:
    x = np.arange(256)
    for bits in range(1, 9):
        assert golden.low_bits(x, bits).tolist() == [value % 2**bits for value in range(256)]
    assert golden.low_bits([[200, 3]], 4).dtype == np.uint8
    for bits in (0, 9, -1):
        with pytest.raises(ValueError, match=f"bits must be an integer from 1 to 8, not {bits}"):
            golden.low_bits(x, bits)
    with pytest.raises(TypeError, match="bits must be an integer from 1 to 8, not True"):
        golden.low_bits(x, True)


def test_select_2_4() -> None:
    """The activations that meet weights, group by group; those that meet none count as zero."""
    w = [0, 5, 0, -3, 0, 0, 7, 0, 0, 0, 0, 0, 9]
    x = [list(range(10, 23)), list(range(30, 43))]
    selected, values = golden.select_2_4(x, w)
    assert values.tolist() == [5, -3, 7, 0, 0, 0, 9, 0]
    assert selected.tolist() == [[11, 13, 16, 0, 0, 0, 22, 0], [31, 33, 36, 0, 0, 0, 42, 0]]
    assert selected.dtype == np.uint8
    stacked, both = golden.select_2_4(np.array([x, x]), np.array([w, w]))
    assert stacked.tolist() == [selected.tolist()] * 2
    assert both.tolist() == [values.tolist()] * 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("5opt", ["5opt"]),
        ("5opt,4:0,1,4,2opt", ["5opt", "4:0,1,4", "2opt"]),
        ("4:0,4,3:0,5, 7opt", ["4:0,4", "3:0,5", "7opt"]),
        ("5opt,3", ["5opt", "3"]),
        ("8:0", ["8:0"]),
        ("", [""]),
    ],
)
def test_lists_of_names(text: str, names: list[str]) -> None:
    """A number belongs to the window before it."""
    assert split_formats(text) == names
