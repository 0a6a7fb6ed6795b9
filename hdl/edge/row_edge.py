# amaranth: UnusedElaboratable=no
"""The left end of one row of a tensor core."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.element.dot_product_unit import DotProductUnit
from hdl.placement import Component


class RowEdge(Component):
    """Encodes the activations of a row once for all its units, and accumulates their bias.

    The bias drains as the results do: its register is loaded, and shifted down, in the same cycles.
    It is in units of the largest power of two in ``row_scale``: all above it wraps as the
    accumulators do. Latency: 1 cycle.

    Parameters
    ----------
    unit : DotProductUnit
        One that it serves.

    Members
    -------
    activations : In(k_per_cycle * 8)
        Unsigned bytes, the lower k low.
    shared : In(8)
        What the row's group shares; only where a group spans several slices.
    activation : Out, the code
    last, drain : In(1), bias_in, bias_out : downwards
        Only where the multiplier's sums have a row bias.
    """

    measured_alone = True

    module_name = "row_edge"

    def __init__(self, unit: DotProductUnit):
        self._unit = unit
        multiplier = unit.multiplier
        members: dict[str, Any] = {
            "activations": In(unit.k_per_cycle * ACTIVATION_BITS),
            "activation": Out(multiplier.activation_code_bits),
        }
        if multiplier.slices_per_group > 1:
            members["shared"] = In(ACTIVATION_BITS)
        if multiplier.row_scale:
            bits = multiplier.row_bias_bits(unit.acc_bits)
            members |= {"last": In(1), "drain": In(1), "bias_in": In(bits), "bias_out": Out(bits)}
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        multiplier = self._unit.multiplier

        # Encode.
        grouped = multiplier.slices_per_group > 1
        shared = self.shared if grouped else Const(0, ACTIVATION_BITS)
        code = Signal(multiplier.activation_code_bits, name="code", reset_less=True)
        m.d.sync += code.eq(multiplier.encode(m, platform, self.activations, shared))
        m.d.comb += self.activation.eq(code)

        # Accumulate the bias, and drain it.
        if multiplier.row_scale:
            bias = delayed(m, multiplier.row_bias(m, platform, code), self._unit.pipeline)
            total = Signal(len(self.bias_in), reset_less=True)
            result = Signal(len(self.bias_in), reset_less=True)
            m.d.sync += total.eq(Mux(self.last, 0, total) + bias)
            m.d.sync += result.eq(Mux(self.last, total, Mux(self.drain, self.bias_in, result)))
            m.d.comb += self.bias_out.eq(result)
        return m


def delayed(m: Module, value: Value, cycles: int) -> Value:
    """``value``, so many cycles later."""
    for cycle in range(cycles):
        earlier, value = value, Signal(len(value), name=f"bias_{cycle}", reset_less=True)
        m.d.sync += value.eq(earlier)
    return value
