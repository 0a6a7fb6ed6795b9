"""Rows of signed numbers as unsigned addends, and their sums.

The top bit of a signed number of ``b`` bits counts for ``-2**(b - 1)``. Inverted it counts for
``2**(b - 1)``, and the number has become ``2**(b - 1)`` more: unsigned, without a sign to extend.
What that adds is the same in every cycle, whatever the operands, so it is taken away once.
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from hdl.arithmetic.bit_heap import total_of
from hdl.broadcast.selected_rows import pair_code
from hdl.multiplier.multiplier import Addend, named


def offset_rows(m: Module, name: str, rows: Sequence[Addend]) -> tuple[list[Addend], int]:
    """Rows of signed numbers with their top bits inverted, and what that adds to their sum."""
    addends, excess = [], 0
    for index, (row, exponent) in enumerate(rows):
        top = 1 << (len(row) - 1)
        addends.append((named(m, f"{name}_offset_row{index}", (row ^ top)[: len(row)]), exponent))
        excess += top << exponent
    return addends, excess


def signed_sum(m: Module, platform: Any, name: str, rows: Sequence[Addend], bits: int) -> Value:
    """The sum of rows of signed numbers, which must fit a signed number of ``bits`` bits."""
    addends, excess = offset_rows(m, name, rows)
    missing = -excess % (1 << bits)
    ones = [(Const(1, 1), exponent) for exponent in range(bits - 1) if missing >> exponent & 1]
    total = total_of(m, platform, name, [*addends, *ones], bits)
    # In the top bit adding is inverting.
    return total ^ (missing & 1 << (bits - 1)) if missing >> (bits - 1) else total


def offset_sign(value: Value) -> Value:
    """A signed number made unsigned: half its range more than it is."""
    return Cat(value[:-1], ~value[-1])


def signed_pair_code(weights: Value, weight_bits: int) -> Value:
    """The :func:`pair_code` of each two of several signed weights."""
    count = len(weights) // weight_bits
    words = [weights.word_select(k, weight_bits).as_signed() for k in range(count)]
    return Cat(map(pair_code, words[::2], words[1::2]))
