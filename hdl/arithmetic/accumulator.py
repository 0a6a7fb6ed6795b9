"""Accumulation of unsigned addends, the upper half one cycle late."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hdl.arithmetic.bit_heap import BitHeap
from hdl.arithmetic.half_adder import HalfAdder
from hdl.placement import place


class Accumulator:
    """The registers of a running sum, and the adders before them.

    The lower half, as wide as the sum of one cycle's addends, is added in one step. It carries at
    most one, into a flip-flop; the upper half, which only counts those carries, takes it one cycle
    later, so that no carry ripples through the whole word in one cycle.

    Parameters
    ----------
    m, platform
        Where it is placed.
    bits : int
        Width of the sum, which wraps.
    addend_bits : int
        Width that holds the sum of one cycle's addends.
    """

    def __init__(self, m: Module, platform: Any, bits: int, addend_bits: int):
        self._m = m
        self._platform = platform
        low_bits = min(bits, addend_bits)
        self._low = Signal(low_bits, name="accumulator_low", reset_less=True)
        self._high = Signal(bits - low_bits, name="accumulator_high", reset_less=True)
        self._carry = Signal(name="accumulator_carry", reset_less=True)
        self.total = Signal(bits, name="accumulator_total")
        """The sum of all that was added up to the cycle before."""

    def add(self, addends: list[tuple[Value, int]], clear: Value, registered: bool) -> None:
        """Add unsigned numbers in every cycle; with ``clear``, to zero.

        ``registered`` puts a register between what reduces the addends to two and the accumulator.
        """
        m = self._m
        low_bits = len(self._low)
        heap = BitHeap(m, self._platform, "sum", low_bits + 1)
        if registered:
            products = BitHeap(m, self._platform, "product", low_bits)
            for value, exponent in addends:
                products.add(value, exponent)
            for index, row in enumerate(products.two_rows()):
                register = Signal(low_bits, name=f"product_row{index}", reset_less=True)
                m.d.sync += register.eq(row)
                heap.add(register)
        else:
            for value, exponent in addends:
                heap.add(value, exponent, arrival=1)
        kept = Signal(low_bits, name="accumulator_kept")
        m.d.comb += kept.eq(Mux(clear, 0, self._low))
        heap.add(kept)
        total = heap.total()
        m.d.sync += [self._low.eq(total[:low_bits]), self._carry.eq(total[low_bits])]

        high = self._increment(self._high, self._carry)
        m.d.sync += self._high.eq(Mux(clear, 0, high))
        m.d.comb += self.total.eq(Cat(self._low, high))

    def _increment(self, value: Signal, carry: Value) -> Value:
        """``value + carry`` by a chain of half adders."""
        bits = []
        for index, bit in enumerate(value):
            adder = HalfAdder()
            place(self._m, self._platform, f"carry_half_adder_{index}", adder)
            self._m.d.comb += [adder.a.eq(bit), adder.b.eq(carry)]
            bits.append(adder.total)
            carry = adder.carry
        return Cat(bits) if bits else Const(0, 0)
