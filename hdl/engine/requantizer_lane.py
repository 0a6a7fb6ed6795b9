"""Requantization of sums to bytes."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.placement import Component

SUM_BITS = 32
MULTIPLIER_BITS = 15
SHIFT_BITS = 6


class RequantizerLane(Component):
    """Turns one sum per cycle into a byte: adds a bias, multiplies, shifts, rounds, offsets, clips.

    The byte is ``golden.requantize(biased, multiplier, shift, zero_point, low, high)`` of
    ``biased``, the sum with its bias: ``biased * multiplier / 2**shift``, rounded half to even,
    plus the zero point, clipped to what the limits allow. Both outputs come ``latency`` enabled
    cycles after their inputs. All parameters travel with their sum: they may change in every cycle.
    Data only: nothing is reset, and nothing is known before ``latency`` enabled cycles.

    A shift above 46, or a low limit above the high one, is the caller's fault: the byte is then
    unspecified, that of no other sum is harmed.

    Members
    -------
    enable : In(1)
        All registers take what comes next; at 0 they hold.
    sum : In(signed(32))
        What is requantized.
    bias : In(signed(32))
        Added to the sum, which wraps as int32.
    multiplier : In(15)
        Of the scale; unsigned.
    shift : In(6)
        Of the scale, which is multiplier / 2**shift; at most 46.
    zero_point : In(8)
        The byte that stands for 0.
    low : In(8)
        The smallest byte that leaves.
    high : In(8)
        The largest byte that leaves; at least the smallest.
    biased : Out(signed(32))
        The sum with its bias.
    activation : Out(8)
        The byte.
    """

    module_name = "requantizer_lane"
    latency = 4
    """Enabled cycles from inputs to outputs."""

    def __init__(self) -> None:
        super().__init__(
            {
                "enable": In(1),
                "sum": In(signed(SUM_BITS)),
                "bias": In(signed(SUM_BITS)),
                "multiplier": In(MULTIPLIER_BITS),
                "shift": In(SHIFT_BITS),
                "zero_point": In(ACTIVATION_BITS),
                "low": In(ACTIVATION_BITS),
                "high": In(ACTIVATION_BITS),
                "biased": Out(signed(SUM_BITS)),
                "activation": Out(ACTIVATION_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        def registered(name: str, value: Value, *stages: int) -> Value:
            """``value`` in the registers of these stages, one behind the other."""
            for stage in stages:
                register = Signal(value.shape(), name=f"{name}_{stage}", reset_less=True)
                with m.If(self.enable):
                    m.d.sync += register.eq(value)
                value = register
            return value

        # Add the bias.
        biased = registered("biased", (self.sum + self.bias)[:SUM_BITS], 1)

        # Multiply, unsigned: a negative number is 2**32 less than its bits say.
        multiplier = registered("multiplier", self.multiplier, 1)
        excess = Cat(Const(0, SUM_BITS), Mux(biased[-1], multiplier, 0))
        product = registered("product", (biased * multiplier - excess)[: len(excess)], 2)

        # Shift, and round half to even.
        shift = registered("shift", self.shift, 1, 2)
        floor, half, sticky, outside = _shifted(m, product, shift)
        sign = registered("sign", product[-1], 3)
        round_up = registered("round_up", half & (sticky | floor[0]), 3)
        floor = registered("floor", floor, 3)
        outside = registered("outside", outside, 3)

        # Add the zero point, and clip.
        limits = registered("limits", Cat(self.zero_point, self.low, self.high), 1, 2, 3)
        zero_point, low, high = (limits.word_select(i, ACTIVATION_BITS) for i in range(3))
        total = Signal(signed(ACTIVATION_BITS + 2))
        carried = Cat(1, floor, sign).as_signed() + Cat(round_up, zero_point)
        m.d.comb += total.eq(carried >> 1)
        too_low = Signal()
        too_high = Signal()
        m.d.comb += too_low.eq(Mux(outside, sign, total < low))
        m.d.comb += too_high.eq(Mux(outside, ~sign, total > high))
        clipped = Mux(too_low, low, Mux(too_high, high, total[:ACTIVATION_BITS]))
        m.d.comb += self.activation.eq(registered("activation", clipped, 4))
        m.d.comb += self.biased.eq(registered("biased", biased, 2, 3, 4))
        return m


def _shifted(m: Module, product: Value, shift: Value) -> tuple[Value, Value, Value, Value]:
    """What rounding and clipping need of ``product / 2**shift``.

    The low byte of its floor; the first bit behind the point; whether a later one is set; and
    whether the floor is outside -256 to 255, from where no zero point leads back to a byte.

    Only the byte and the bit behind it are shifted all the way. Each step narrows what is kept:
    bits that it drops below are joined in the third result, those that it drops above must be
    copies of the sign.
    """
    window = ACTIVATION_BITS + 1
    sign = product[-1]
    rest = Cat(Const(0, 1), product)  # a bit behind the point, before any shift
    sticky: list[Value] = []
    outside: list[Value] = []

    def differ(bits: Value) -> Value:
        """Whether they are no copies of the sign."""
        return (bits ^ sign.replicate(len(bits))).any()

    # By 32, 16 or none: never by both, which would be 48.
    kept = window + 15
    by_16, by_32 = shift[4], shift[5]
    sticky += [by_16 & rest[:16].any(), by_32 & rest[:32].any()]
    outside += [
        ~by_32 & differ(rest[kept + 16 :]),
        ~by_32 & ~by_16 & differ(rest[kept : kept + 16]),
    ]
    far = Cat(rest[32:], sign.replicate(kept - len(rest[32:])))
    coarse = Signal(kept)
    m.d.comb += coarse.eq(Mux(by_32, far, Mux(by_16, rest[16 : kept + 16], rest[:kept])))
    rest = coarse

    # By 8, 4, 2 and 1.
    for exponent in reversed(range(4)):
        step = 1 << exponent
        kept = window + step - 1
        sticky.append(shift[exponent] & rest[:step].any())
        outside.append(~shift[exponent] & differ(rest[kept:]))
        fine = Signal(kept, name=f"fine_{step}")
        m.d.comb += fine.eq(Mux(shift[exponent], rest[step:], rest[:kept]))
        rest = fine
    return rest[1:], rest[0], reduce(or_, sticky), reduce(or_, outside)
