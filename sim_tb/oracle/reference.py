"""Products and encodings by the paper's rule in plain Python integers, independent of golden.

The rule itself is that of the proofs. Every function is the definition written out, without tables
or NumPy: slow, and easy to check by eye. Only ``assert_same``, which compares results, knows of
arrays.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from gen.proof.rule import (
    PAPER,
    SIGNED_NAMES,
    Rule,
    divide_half_even,
    effective,
    effective_group,
    effective_pair,
    shared_shift,
    window,
)

__all__ = [
    "CUSTOM",
    "NAMED",
    "SIGNED",
    "SIGNED_CUSTOM",
    "Rule",
    "assert_same",
    "divide_half_even",
    "dot",
    "dot_2_4",
    "double_window",
    "effective",
    "effective_pair",
    "effective_row",
    "encode_pair",
    "every_mode",
    "matmul",
    "shared_shift",
    "sparq_matmul",
    "sparq_matmul_2_4",
]

Vector = Sequence[int]
Matrix = Sequence[Vector]

NAMED = PAPER
"""The formats of the paper: name -> (window bits, shifts)."""

SIGNED = SIGNED_NAMES
"""The named formats of signed activations: magnitudes of 7 and of 8 bits."""

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

SIGNED_CUSTOM = [
    (1, (0, 6)),
    (1, (0, 1, 2, 3, 4, 5, 6, 7)),
    (2, (0, 5)),
    (2, (0, 1, 2, 3, 4, 5)),
    (3, (0, 4)),
    (3, (0, 1, 2, 3, 4)),
    (3, (5, 0, 2)),
    (4, (0, 3)),
    (4, (3, 0, 1)),
    (4, (0, 4)),
    (5, (0, 2)),
    (5, (0, 1, 2, 7)),
    (6, (0, 1)),
    (7, (0,)),
    (7, (0, 1)),
    (8, (0,)),
]
"""Others, with magnitudes of 7 and of 8 bits."""


def every_mode(
    formats: Iterable[tuple[int, tuple[int, ...]]], group: int = 1, signed: bool = False
) -> list[Rule]:
    """Each of the formats with rounding on and off, with vSPARQ on and off."""
    return [
        Rule(window_bits, shifts, rounding, vsparq, group, signed)
        for window_bits, shifts in formats
        for rounding in (True, False)
        for vsparq in (True, False)
    ]


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


def encode_pair(
    a: int, b: int, rule: Rule, shared: int | None = None
) -> tuple[int, int, int, int, int, int]:
    """The two lanes of a pair: ``(x0, x1, shift0, shift1, mux0, mux1)``.

    Contents, with the sign of the activation, left-shift and the index of the weight that the lane
    meets. ``shared`` is the shift of a group of more than this pair.
    """
    n, sizes = rule.window_bits, (abs(a), abs(b))
    signs = [-1 if value < 0 else 1 for value in (a, b)]
    if rule.vsparq and 0 in sizes:
        bits = 2 * n, rule.shifts, rule.rounding, rule.largest
        contents, shift = window(max(sizes), *bits)
        high_shift, low_bits = double_window(shift, rule)
        high, low = divmod(contents, 2**low_bits)
        owner = 1 if a == 0 and b != 0 else 0
        return signs[owner] * high, signs[owner] * low, high_shift, shift, owner, owner
    if rule.group > 1:
        shift = shared_shift([a, b], rule) if shared is None else shared
        x0, x1 = (window(size, n, (shift,), rule.rounding, rule.largest)[0] for size in sizes)
        return signs[0] * x0, signs[1] * x1, shift, shift, 0, 1
    x0, shift0 = window(sizes[0], n, rule.shifts, rule.rounding, rule.largest)
    x1, shift1 = window(sizes[1], n, rule.shifts, rule.rounding, rule.largest)
    return signs[0] * x0, signs[1] * x1, shift0, shift1, 0, 1


def double_window(shift: int, rule: Rule) -> tuple[int, int]:
    """Of a double window at ``shift``: the shift of its high bits, and how many are the low ones.

    As many low bits as a lane has; where both lanes have more than the magnitude, a signed format
    has the high lane at the top of the magnitude.
    """
    n, bits = rule.window_bits, rule.magnitude_bits
    if shift + n >= bits:
        return 0, n
    if rule.signed and shift + 2 * n > bits:
        return bits - n, bits - n - shift
    return shift + n, n


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
