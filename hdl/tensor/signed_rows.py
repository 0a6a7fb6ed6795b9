"""Rows of signed numbers as unsigned addends, and their sums.

The top bit of a signed number of ``b`` bits counts for ``-2**(b - 1)``. Inverted it counts for
``2**(b - 1)``, and the number has become ``2**(b - 1)`` more: unsigned, without a sign to extend.
What that adds is the same in every cycle, whatever the operands, so it is taken away once.
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value

from hdl.arithmetic.bit_heap import BitHeap
from hdl.multiplier.contract import Addend, named


def offset_rows(m: Module, rows: Sequence[Addend]) -> tuple[list[Addend], int]:
    """Rows of signed numbers with their top bits inverted, and what that adds to their sum."""
    addends, excess = [], 0
    for index, (row, place) in enumerate(rows):
        top = 1 << (len(row) - 1)
        addends.append((named(m, f"offset_row{index}", (row ^ top)[: len(row)]), place))
        excess += top << place
    return addends, excess


def signed_sum(m: Module, platform: Any, name: str, rows: Sequence[Addend], bits: int) -> Value:
    """The sum of rows of signed numbers, which must fit a signed number of ``bits`` bits."""
    addends, excess = offset_rows(m, rows)
    heap = BitHeap(m, platform, name, bits)
    for row, place in addends:
        heap.add(row, place)
    missing = -excess % (1 << bits)
    for place in range(bits - 1):
        if missing >> place & 1:
            heap.add(Const(1, 1), place)
    total = heap.total()
    # In the top place adding is inverting.
    return total ^ (missing & 1 << (bits - 1)) if missing >> (bits - 1) else total


def offset_shifted(value: Value, selects: Sequence[Value], shifts: Sequence[int]) -> Value:
    """A signed number at the place that the one of ``selects`` that is 1 selects, made unsigned.

    The result has ``len(value) + shifts[-1]`` bits, and is half their range more than the number.
    """
    bits = len(value) + shifts[-1]
    result: Value = Const(0, bits)
    for select, shift in zip(selects, shifts, strict=True):
        extension = value[-1].replicate(shifts[-1] - shift)
        result = result | Mux(select, Cat(Const(0, shift), value, extension), 0)
    return Cat(result[: bits - 1], ~result[bits - 1])


def signed_pair_code(weights: Value, weight_bits: int) -> Value:
    """Pairs of signed weights, each followed by their sum, of one bit more."""
    words = [weights.word_select(k, weight_bits) for k in range(len(weights) // weight_bits)]
    parts = []
    for first, second in zip(words[::2], words[1::2], strict=True):
        total = first.as_signed() + second.as_signed()
        parts += [first, second, total[: weight_bits + 1]]
    return Cat(parts)


def signed_pair(code: Value, weight_bits: int) -> tuple[Value, Value, Value]:
    """Both weights of a pair in :func:`signed_pair_code` and their sum, all as wide as the sum."""
    first, second = code[:weight_bits], code[weight_bits : 2 * weight_bits]
    return Cat(first, first[-1]), Cat(second, second[-1]), code[2 * weight_bits :]
