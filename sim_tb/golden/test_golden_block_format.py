"""Block formats against a statement in fractions, one element at a time."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import golden
from golden import BLOCK_FORMATS, BlockFormat, block_values

SEED = 2023
ELEMENTS = {  # (exponent bits, mantissa bits, bias, largest number), block, scale
    "mxfp4": ((2, 1, 1, Fraction(6)), 32, "power of two"),
    "mxfp6_e2m3": ((2, 3, 1, Fraction(15, 2)), 32, "power of two"),
    "mxfp6_e3m2": ((3, 2, 3, Fraction(28)), 32, "power of two"),
    "mxint8": ((0, 6, 0, Fraction(127, 64)), 32, "power of two"),
    "nvfp4": ((2, 1, 1, Fraction(6)), 16, "E4M3"),
    "int4_16": ((0, 0, 0, Fraction(7)), 16, "E4M3"),
}
E4M3 = (4, 3, 7, Fraction(448))
Element = tuple[int, int, int, Fraction]


def numbers(element: Element) -> list[Fraction]:
    """All magnitudes, from the fields of their codes."""
    exponent_bits, mantissa_bits, bias, largest = element
    found = set()
    if not exponent_bits:
        return [
            Fraction(code, 2**mantissa_bits) for code in range(int(largest * 2**mantissa_bits) + 1)
        ]
    for exponent in range(2**exponent_bits):
        for mantissa in range(2**mantissa_bits):
            fraction = Fraction(mantissa, 2**mantissa_bits)
            value = (
                (1 + fraction) * Fraction(2) ** (exponent - bias)
                if exponent
                else fraction * Fraction(2) ** (1 - bias)
            )
            if value <= largest:
                found.add(value)
    return sorted(found)


def nearest(value: Fraction, element: Element) -> Fraction:
    """Half to the number whose last mantissa bit is 0; their codes alternate."""
    allowed = numbers(element)
    value = min(value, allowed[-1])
    distance = min(abs(value - number) for number in allowed)
    codes = [code for code, number in enumerate(allowed) if abs(value - number) == distance]
    return allowed[next((code for code in codes if code % 2 == 0), codes[0])]


def expected(row: list[Fraction], name: str, tensor_largest: Fraction) -> list[Fraction]:
    element, block, scale_kind = ELEMENTS[name]
    result: list[Fraction] = []
    for start in range(0, len(row), block):
        part = row[start : start + block]
        largest = max(abs(value) for value in part)
        if largest == 0:
            result += [Fraction(0)] * len(part)
            continue
        if scale_kind == "E4M3":
            unit = tensor_largest / (element[3] * E4M3[3])
            scale = nearest(largest / unit / element[3], E4M3) * unit
        else:
            exponent, top = -200, -200
            while Fraction(2) ** (exponent + 1) <= largest:
                exponent += 1
            while Fraction(2) ** (top + 1) <= element[3]:
                top += 1
            scale = Fraction(2) ** (exponent - top)
        for value in part:
            made = nearest(abs(value) / scale, element) * scale if scale else Fraction(0)
            result.append(made if value >= 0 else -made)
    return result


@pytest.mark.parametrize("name", ELEMENTS)
def test_elements(name: str) -> None:
    """Every code of an element, what is halfway between two, and what is just beside that."""
    element, block, _ = ELEMENTS[name]
    fmt = BLOCK_FORMATS[name]
    assert fmt.block == block
    assert [Fraction(value) for value in fmt.element.values.tolist()] == numbers(element)
    allowed = numbers(element)
    halves = [(a + b) / 2 for a, b in pairwise(allowed)]
    beside = Fraction(1, 2**20)
    tried = [*allowed, *halves, *(h + beside for h in halves), *(h - beside for h in halves)]
    tried += [allowed[-1] * 3 / 2, allowed[-1] + beside]
    got = fmt.element.rounded(np.array([float(value) for value in tried]))
    assert [Fraction(value) for value in got.tolist()] == [nearest(v, element) for v in tried]


def test_elements_are_those_that_the_specification_lists() -> None:
    assert BLOCK_FORMATS["mxfp4"].element.values.tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    e2m3 = BLOCK_FORMATS["mxfp6_e2m3"].element.values
    e3m2 = BLOCK_FORMATS["mxfp6_e3m2"].element.values
    assert (e2m3[1], e2m3[7], e2m3[8], e2m3[-1]) == (0.125, 0.875, 1, 7.5)
    assert (e3m2[1], e3m2[3], e3m2[4], e3m2[-1]) == (0.0625, 0.1875, 0.25, 28)
    scale = BLOCK_FORMATS["nvfp4"].scale
    assert scale is not None
    assert (scale.values[1], scale.values[8], scale.values[-1]) == (2**-9, 2**-6, 448)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("mxfp4", 4.25),
        ("mxfp6_e2m3", 6.25),
        ("mxfp6_e3m2", 6.25),
        ("mxint8", 8.25),
        ("nvfp4", 4.5),
        ("int4_16", 4.5),
    ],
)
def test_bits(name: str, bits: float) -> None:
    assert BLOCK_FORMATS[name].bits_per_element == bits


@pytest.mark.parametrize("length", [5, 16, 32, 75])
@pytest.mark.parametrize("name", ELEMENTS)
def test_blocks(name: str, length: int) -> None:
    """Integers and scaled ones, with blocks of zeros, of one size and of very different ones.

    Unit and scales are exact in float64 where the largest of the tensor is the largest number.
    """
    rng = np.random.default_rng([SEED, length])
    element = ELEMENTS[name][0]
    top = int(element[3] * 64)
    rows = rng.integers(-top, top + 1, (12, length)) >> rng.integers(0, 8, (12, 1))
    rows[0] = 0
    rows[1, : length // 2] = 0
    rows[2, 0] = top
    largest = float(element[3] * E4M3[3] / 4)
    values = rows / 8
    got = block_values(values, BLOCK_FORMATS[name], tensor_largest=largest)
    for row, made in zip(values.tolist(), got.tolist(), strict=True):
        fractions = [Fraction(value) for value in row]
        assert [Fraction(value) for value in made] == expected(fractions, name, Fraction(largest))


@pytest.mark.parametrize("fmt", BLOCK_FORMATS.values(), ids=lambda fmt: str(fmt.name))
def test_properties(fmt: BlockFormat) -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(4, 3, 50)) * np.exp(rng.normal(size=(4, 3, 1)))
    made = block_values(x, fmt)
    assert np.array_equal(np.moveaxis(made, -1, 1), block_values(np.moveaxis(x, -1, 1), fmt, 1))
    assert np.array_equal(-made, block_values(-x, fmt))
    assert np.abs(made - x).max() < np.abs(x).max() / 4
    if fmt.scale is None:
        # What a format holds it keeps; twice as much of everything is twice as much.
        assert np.array_equal(block_values(made, fmt), made)
        assert np.array_equal(block_values(2 * x, fmt), 2 * made)
    assert (block_values(np.zeros((2, 40)), fmt) == 0).all()


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"^x must be finite numbers$"):
        block_values([1.0, np.nan], BLOCK_FORMATS["mxfp4"])


def test_exact_products_of_signed_values() -> None:
    rng = np.random.default_rng(SEED)
    x, w = rng.integers(-255, 256, (5, 1300)), rng.integers(-128, 128, (1300, 3))
    x[0], w[:, 0] = 255, -128
    assert golden.exact_matmul(x, w, signed=True).tolist() == (x @ w).tolist()
    with pytest.raises(ValueError, match="x must be integers from -255 to 255, not -256"):
        golden.exact_matmul([[-256]], [[1]], signed=True)
    with pytest.raises(ValueError, match="x must be integers from 0 to 255, not -1"):
        golden.exact_matmul([[-1]], [[1]])
