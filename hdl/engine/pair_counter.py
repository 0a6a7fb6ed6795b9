"""How many pairs of activations hold zeros."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.placement import Component


class PairCounter(Component):
    """Counts the pairs of a slice, those with one zero, and those of two.

    Latency: 2 cycles.

    Parameters
    ----------
    pairs : int, from 1

    Members
    -------
    valid : In(1)
        There is a slice.
    activations : In(pairs * 16)
        Its bytes, those of a pair side by side.
    with_zero : Out(range(pairs + 1))
        Pairs of which exactly one is zero.
    zero : Out(range(pairs + 1))
        Pairs of which both are.
    """

    latency = 2

    def __init__(self, pairs: int):
        self.pairs = pairs
        count = Out(range(pairs + 1))
        super().__init__(
            {
                "valid": In(1),
                "activations": In(2 * pairs * ACTIVATION_BITS),
                "with_zero": count,
                "zero": count,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        one = Signal(self.pairs)
        both = Signal(self.pairs)
        ones, boths = [], []
        for pair in range(self.pairs):
            first, second = (
                self.activations.word_select(2 * pair + k, ACTIVATION_BITS) == 0 for k in range(2)
            )
            ones.append(self.valid & (first ^ second))
            boths.append(self.valid & first & second)
        m.d.sync += [one.eq(Cat(ones)), both.eq(Cat(boths))]
        m.d.sync += [self.with_zero.eq(_popcount(one)), self.zero.eq(_popcount(both))]
        return m


def _popcount(bits: Value) -> Value:
    """How many bits are 1, by halves."""
    if len(bits) == 1:
        return bits
    middle = len(bits) // 2
    return _popcount(bits[:middle]) + _popcount(bits[middle:])
