"""Many addends of different weights, compressed by full and half adders."""

import heapq
from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from hdl.arithmetic.full_adder import FullAdder
from hdl.arithmetic.half_adder import HalfAdder
from hdl.placement import place

CARRY_DELAY, TOTAL_DELAY = 1, 1
"""Arrival times are counted in adders: enough to take the early bits of a column first."""


class BitHeap:
    """Bits by weight, and their sum modulo ``2**width``.

    Bits are added where and when they arrive; :meth:`total` or :meth:`two_rows` then places the
    adders, one for each bit that has to go: the three bits of a column that arrive first are
    compressed first, so that the carry that ripples up meets each column last.

    Parameters
    ----------
    m, platform, name
        Where the adders are placed, and the prefix of their names.
    width : int
        Carries beyond it are dropped.
    """

    def __init__(self, m: Module, platform: Any, name: str, width: int):
        self._m = m
        self._platform = platform
        self._name = name
        self._adders = 0
        self._columns: list[list[tuple[int, int, Value]]] = [[] for _ in range(width)]
        self._count = 0

    def add(self, bits: Value, exponent: int = 0, arrival: int = 0) -> None:
        """Add an unsigned number at weight ``2**exponent``, ready ``arrival`` adders late."""
        for column, bit in enumerate(bits, exponent):
            self._add_bit(column, arrival, bit)

    def total(self) -> Value:
        """The sum as one number of ``width`` bits."""
        self._compress(1)
        return Cat(column[0][2] if column else Const(0, 1) for column in self._columns)

    def two_rows(self) -> tuple[Value, Value]:
        """Two numbers of ``width`` bits with that sum: no carry has to ripple for them."""
        self._compress(2)
        rows = [[bit for _, _, bit in column] for column in self._columns]
        first, second = (
            Cat(row[index] if len(row) > index else Const(0, 1) for row in rows)
            for index in range(2)
        )
        return first, second

    def _add_bit(self, column: int, arrival: int, bit: Value) -> None:
        if column < len(self._columns):
            self._count += 1
            heapq.heappush(self._columns[column], (arrival, self._count, bit))

    def _compress(self, height: int) -> None:
        for index, column in enumerate(self._columns):
            while len(column) > height:
                inputs = [heapq.heappop(column) for _ in range(min(3, len(column)))]
                adder = FullAdder() if len(inputs) == 3 else HalfAdder()
                kind = "full_adder" if len(inputs) == 3 else "half_adder"
                place(self._m, self._platform, f"{self._name}_{kind}_{self._adders}", adder)
                self._adders += 1
                for port, (_, _, bit) in zip("abc", inputs, strict=False):
                    self._m.d.comb += getattr(adder, port).eq(bit)
                arrival = max(arrival for arrival, _, _ in inputs)
                self._add_bit(index, arrival + TOTAL_DELAY, adder.total)
                self._add_bit(index + 1, arrival + CARRY_DELAY, adder.carry)


def total_of(
    m: Module, platform: Any, name: str, addends: Iterable[tuple[Value, int]], width: int
) -> Value:
    """The sum of unsigned numbers, each at a power of two, modulo ``2**width``."""
    heap = BitHeap(m, platform, name, width)
    for bits, exponent in addends:
        heap.add(bits, exponent)
    return heap.total()
