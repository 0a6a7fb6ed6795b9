"""The paper's rule in plain Python integers, independent of the golden model.

Every function is the definition written out, without tables or NumPy: slow, and easy to check by
eye. Only ``assert_same``, which compares results, knows of arrays.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BYTE_MAX = 255

Vector = Sequence[int]
Matrix = Sequence[Vector]


class Rule(NamedTuple):
    """A window format; the fields are the arguments of ``golden.SparqFormat``, in their order."""

    window_bits: int
    shifts: tuple[int, ...]
    rounding: bool = True
    vsparq: bool = True
    group: int = 1

    def __str__(self) -> str:
        shifts = "_".join(map(str, self.shifts))
        mode = "round" if self.rounding else "trim"
        shared = f"-group{self.group}" if self.group > 1 else ""
        pairs = "vsparq" if self.vsparq else "bsparq"
        return f"{self.window_bits}b-s{shifts}-{mode}-{pairs}{shared}"


NAMED = {
    "5opt": (4, (0, 1, 2, 3, 4)),
    "3opt": (4, (0, 2, 4)),
    "2opt": (4, (0, 4)),
    "6opt": (3, (0, 1, 2, 3, 4, 5)),
    "7opt": (2, (0, 1, 2, 3, 4, 5, 6)),
}
"""The formats of the paper: name -> (window bits, shifts)."""

CUSTOM = [
    (1, (0, 7)),
    (1, (0, 1, 2, 3, 4, 5, 6, 7)),
    (2, (0, 6)),
    (3, (0, 5)),
    (3, (0, 3, 5)),
    (3, (7, 0, 2)),
    (4, (0, 5)),
    (4, (3, 0, 4, 1)),
    (5, (0, 3)),
    (5, (0, 1, 2, 7)),
    (6, (0, 2)),
    (7, (1, 0)),
    (8, (0,)),
    (8, (0, 3)),
]
"""Formats of every window width, among them sparse, unsorted and unreachable shifts."""


def every_mode(formats: Iterable[tuple[int, tuple[int, ...]]], group: int = 1) -> list[Rule]:
    """Each of the formats with rounding on and off, with vSPARQ on and off."""
    return [
        Rule(window_bits, shifts, rounding, vsparq, group)
        for window_bits, shifts in formats
        for rounding in (True, False)
        for vsparq in (True, False)
    ]


def divide_half_even(numerator: int, shift: int) -> int:
    """``numerator / 2**shift`` to the nearest integer, ties to even."""
    quotient, remainder = divmod(numerator, 2**shift)
    above = 2 * remainder > 2**shift
    tie = 2 * remainder == 2**shift
    return quotient + 1 if above or (tie and quotient % 2 == 1) else quotient


@cache
def window(a: int, bits: int, shifts: tuple[int, ...], rounding: bool) -> tuple[int, int]:
    """Contents and shift of the window of ``bits`` bits that represents ``a``."""
    shift = min(s for s in shifts if a < 2 ** (bits + s))
    if not rounding:
        return a >> shift, shift
    return min(divide_half_even(a, shift), 2**bits - 1, BYTE_MAX >> shift), shift


def effective(a: int, rule: Rule, partner: int | None = None) -> int:
    """What ``a`` becomes; its partner matters (with vSPARQ) only by being zero."""
    alone = rule.vsparq and partner == 0
    bits = 2 * rule.window_bits if alone else rule.window_bits
    contents, shift = window(a, bits, rule.shifts, rule.rounding)
    return contents << shift


def dot(row: Vector, column: Vector) -> int:
    """The sum of products."""
    return sum(a * b for a, b in zip(row, column, strict=True))


def effective_row(row: Vector, rule: Rule) -> list[int]:
    """A row of activations after pairing neighbours; a tail is filled with zeros."""
    size = max(2, rule.group)
    padded = [*row, *[0] * (-len(row) % size)]
    values: list[int] = []
    for start in range(0, len(padded), size):
        values += effective_group(padded[start : start + size], rule)
    return values[: len(row)]


def effective_pair(a: int, b: int, rule: Rule) -> tuple[int, int]:
    """What a pair becomes that is alone in its group."""
    if rule.group == 1:
        return effective(a, rule, b), effective(b, rule, a)
    first, second = effective_group([a, b], rule)
    return first, second


def effective_group(values: Vector, rule: Rule) -> list[int]:
    """What some pairs become that are all there is to their group."""
    if rule.group == 1:
        pairs = zip(values[::2], values[1::2], strict=True)
        return [value for a, b in pairs for value in effective_pair(a, b, rule)]
    partners = [value for a, b in zip(values[::2], values[1::2], strict=True) for value in (b, a)]
    shift = shared_shift(values, rule)
    limit = min(2**rule.window_bits - 1, BYTE_MAX >> shift)
    result = []
    for a, partner in zip(values, partners, strict=True):
        if rule.vsparq and partner == 0:
            result.append(effective(a, rule, partner))
        elif rule.rounding:
            result.append(min(divide_half_even(a, shift), limit) << shift)
        else:
            result.append(a >> shift << shift)
    return result


def shared_shift(values: Vector, rule: Rule) -> int:
    """The smallest shift that fits the largest value that counts."""
    pairs = zip(values[::2], values[1::2], strict=True)
    counted = [max(pair) for pair in pairs if not rule.vsparq or 0 not in pair]
    return min(s for s in rule.shifts if max(counted, default=0) < 2 ** (rule.window_bits + s))


def encode_pair(
    a: int, b: int, rule: Rule, shared: int | None = None
) -> tuple[int, int, int, int, int, int]:
    """The two lanes of a pair: ``(x0, x1, shift0, shift1, mux0, mux1)``.

    Contents, left-shift and the index of the weight that the lane meets. ``shared`` is the shift of
    a group of more than this pair.
    """
    n = rule.window_bits
    if rule.vsparq and 0 in (a, b):
        contents, shift = window(max(a, b), 2 * n, rule.shifts, rule.rounding)
        high, low = divmod(contents, 2**n)
        high_shift = shift + n if shift + n < 8 else 0
        owner = 1 if a == 0 and b != 0 else 0
        return high, low, high_shift, shift, owner, owner
    if rule.group > 1:
        shift = shared_shift([a, b], rule) if shared is None else shared
        x0, x1 = (window(value, n, (shift,), rule.rounding)[0] for value in (a, b))
        return x0, x1, shift, shift, 0, 1
    x0, shift0 = window(a, n, rule.shifts, rule.rounding)
    x1, shift1 = window(b, n, rule.shifts, rule.rounding)
    return x0, x1, shift0, shift1, 0, 1


def matmul(x: Matrix, w: Matrix) -> list[list[int]]:
    """``x @ w``."""
    columns = list(zip(*w, strict=True))
    return [[dot(row, column) for column in columns] for row in x]


def sparq_matmul(x: Matrix, w: Matrix, rule: Rule) -> list[list[int]]:
    """``effective(x) @ w``, pairs along K."""
    return matmul([effective_row(row, rule) for row in x], w)


def dot_2_4(row: Vector, column: Vector, rule: Rule) -> int:
    """A dot product with 2:4 sparse weights: the pair of a group is what its weights select."""
    selected: list[tuple[int, int]] = []
    for start in range(0, len(row), 4):
        group = range(start, min(start + 4, len(row)))
        pair = [(row[k], column[k]) for k in group if column[k] != 0]
        selected += pair + [(0, 0)] * (2 - len(pair))
    activations, weights = zip(*selected, strict=True)
    return dot(effective_row(activations, rule), weights)


def sparq_matmul_2_4(x: Matrix, w: Matrix, rule: Rule) -> list[list[int]]:
    """The product with 2:4 sparse weights, pairs formed after the selection."""
    columns = list(zip(*w, strict=True))
    return [[dot_2_4(row, column, rule) for column in columns] for row in x]


def assert_same(
    context: str, inputs: Sequence[object], expected: npt.ArrayLike, got: npt.ArrayLike
) -> None:
    """Fail on the first of the inputs whose results differ, saying the input and both results."""
    want, have = np.asarray(expected), np.asarray(got)
    assert want.shape == have.shape, f"{context}: expected shape {want.shape}, got {have.shape}"
    assert len(inputs) == len(want), f"{context}: {len(inputs)} inputs, {len(want)} results"
    wrong = (want != have).any(axis=tuple(range(1, want.ndim))).nonzero()[0]
    if wrong.size:
        first = int(wrong[0])
        raise AssertionError(
            f"{context}: for {inputs[first]} expected {want[first].tolist()}, "
            f"got {have[first].tolist()} ({wrong.size} of {len(want)} differ)"
        )
