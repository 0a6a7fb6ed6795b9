"""The sign and the magnitude of an activation."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.placement import Component, place


class SignMagnitude(Component):
    """Takes a byte apart into sign and magnitude, of which windows are cut.

    Combinational. With magnitudes of 7 bits the byte is signed, and -128 is none; with magnitudes
    of 8 bits it is unsigned, and its zero point is subtracted first.

    Parameters
    ----------
    fmt : SparqFormat
        A signed one.

    Members
    -------
    value : In(8)
        An activation: from -127 to 127 in two's complement, or from 0 to 255.
    zero_point : In(8)
        The byte that stands for 0, unsigned. Only where magnitudes have 8 bits.
    activation : Out(fmt.activation_bits)
        The magnitude; above it a bit that is 1 where the activation is negative.
    """

    measured_alone = True

    module_name = "sign_magnitude"

    def __init__(self, fmt: SparqFormat):
        if not fmt.signed:
            raise ValueError(f"fmt must be signed, not {fmt}")
        self.fmt = fmt
        members = {"value": In(ACTIVATION_BITS), "activation": Out(fmt.activation_bits)}
        if fmt.takes_zero_point:
            members["zero_point"] = In(ACTIVATION_BITS)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        value: Value = self.value.as_signed()
        if self.fmt.takes_zero_point:
            difference = Signal(signed(ACTIVATION_BITS + 1))
            m.d.comb += difference.eq(self.value - self.zero_point)
            value = difference
        negative, bits = value[-1], self.fmt.magnitude_bits
        magnitude = (value[:bits] ^ negative.replicate(bits)) + negative
        m.d.comb += self.activation.eq(Cat(magnitude[:bits], negative))
        return m


def taken_apart(
    m: Module, platform: Any, fmt: SparqFormat, values: Value, zero_point: Value
) -> Signal:
    """The activations of bytes side by side, each by a :class:`SignMagnitude`.

    ``zero_point`` is read where there is one.
    """
    count = len(values) // ACTIVATION_BITS
    activations = Signal(count * fmt.activation_bits)
    for index in range(count):
        split = SignMagnitude(fmt)
        place(m, platform, f"sign_magnitude{index}", split)
        m.d.comb += split.value.eq(values.word_select(index, ACTIVATION_BITS))
        if fmt.takes_zero_point:
            m.d.comb += split.zero_point.eq(zero_point)
        m.d.comb += activations.word_select(index, fmt.activation_bits).eq(split.activation)
    return activations
