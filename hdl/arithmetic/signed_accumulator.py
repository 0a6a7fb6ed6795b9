"""Accumulation of signed addends with the operator ``+``."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value, signed


class SignedAccumulator:
    """As :class:`Accumulator`, of signed numbers and of no adder modules.

    Tools map ``+`` to their carry chains. What one cycle adds waits in a register of its own, and
    is added one cycle later: then nothing but a synchronous reset is needed to start from zero.

    Parameters
    ----------
    m
        Where it is placed.
    bits : int
        Width of the sum, which wraps.
    addend_bits : int
        Width that holds the sum of one cycle's addends, a signed number.
    """

    def __init__(self, m: Module, bits: int, addend_bits: int):
        self._m = m
        self._value = Signal(bits, name="accumulator_value", reset_less=True)
        self._pending = Signal(signed(addend_bits), name="accumulator_pending", reset_less=True)
        self.total = Signal(bits, name="accumulator_total")
        """The sum of all that was added up to the cycle before."""

    def add(self, addends: Sequence[tuple[Value, int]], clear: Value) -> None:
        """Add numbers, each times a power of two, in every cycle; with ``clear``, to zero."""
        m = self._m
        m.d.sync += self._pending.eq(balanced_sum([value << by for value, by in addends]))
        counted = Signal(signed(len(self._value) + 2), name="accumulator_counted")
        m.d.comb += counted.eq(self._value + self._pending)
        m.d.comb += self.total.eq(counted[: len(self.total)])
        m.d.sync += self._value.eq(Mux(clear, 0, self.total))


def balanced_sum(values: Sequence[Value]) -> Value:
    """The sum of one number or more, as a tree of adders of two: as shallow as can be."""
    if len(values) == 1:
        return values[0]
    middle = (len(values) + 1) // 2
    return balanced_sum(values[:middle]) + balanced_sum(values[middle:])
