"""How many pairs of activations hold zeros."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.encode.pair_layout import pair_layout
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.placement import Component, place


class PairCounter(Component):
    """Counts the pairs of a slice, those with one zero, and those of two.

    Latency: 2 cycles.

    Parameters
    ----------
    pairs : int, from 1
    fmt : SparqFormat, optional
        Of activations that come as stored pairs: what they stand for is counted, which is zero
        also for those that a shared window leaves nothing of.
    split_format : SparqFormat, optional
        Of signed activations, which come as magnitudes and, above them, their signs, 0 for a 0,
        where others come as bytes.

    Members
    -------
    valid : In(1)
        There is a slice.
    activations : In(pairs * 16)
        Its bytes, those of a pair side by side; or its stored pairs.
    with_zero : Out(range(pairs + 1))
        Pairs of which exactly one is zero.
    zero : Out(range(pairs + 1))
        Pairs of which both are.
    """

    latency = 2

    def __init__(
        self,
        pairs: int,
        fmt: SparqFormat | None = None,
        split_format: SparqFormat | None = None,
    ):
        self.pairs = pairs
        self.fmt = fmt
        self.split_format = split_format
        self.activation_bits = split_format.activation_bits if split_format else ACTIVATION_BITS
        self.pair_bits = 2 * self.activation_bits if fmt is None else fmt.stored_pair_bits
        count = Out(range(pairs + 1))
        super().__init__(
            {
                "valid": In(1),
                "activations": In(pairs * self.pair_bits),
                "with_zero": count,
                "zero": count,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        one = Signal(self.pairs)
        both = Signal(self.pairs)
        ones, boths = [], []
        for index in range(self.pairs):
            pair = self.activations.word_select(index, self.pair_bits)
            first, second = self._zeros(m, platform, index, pair)
            ones.append(self.valid & (first ^ second))
            boths.append(self.valid & first & second)
        m.d.sync += [one.eq(Cat(ones)), both.eq(Cat(boths))]
        m.d.sync += [self.with_zero.eq(_popcount(one)), self.zero.eq(_popcount(both))]
        return m

    def _zeros(self, m: Module, platform: Any, index: int, pair: Value) -> tuple[Value, Value]:
        """Of a pair, whether the first is zero, and the second; either one of a pair of one zero
        may count as that.
        """
        if self.fmt is None:
            return pair[: self.activation_bits] == 0, pair[self.activation_bits :] == 0
        decoder = StoredPairDecoder(self.fmt)
        place(m, platform, f"pair_{index}_decoder", decoder)
        m.d.comb += decoder.stored.eq(pair)
        decoded = data.View(pair_layout(self.fmt), decoder.pair)
        first, second = decoded.x0 == 0, decoded.x1 == 0
        codes = [self.fmt.control_codes[state] for own in self.fmt.wide_states for state in own]
        if not codes:
            return first, second
        # A value with both lanes stands beside a zero.
        is_wide = reduce(or_, (decoded.control == code for code in codes))
        return first & (second | ~is_wide), second | is_wide


def _popcount(bits: Value) -> Value:
    """How many bits are 1, by halves."""
    if len(bits) == 1:
        return bits
    middle = len(bits) // 2
    return _popcount(bits[:middle]) + _popcount(bits[middle:])
