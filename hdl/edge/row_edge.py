"""The left end of one row of a tensor core."""

from typing import Any, ClassVar

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from golden.format import ACTIVATION_BITS
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, EVERYWHERE, TO_ROW, MacPart, Route


class RowEdge(MacPart):
    """Encodes the activations of a row once for all its units, and accumulates their bias.

    The bias drains as the results do: its register is loaded, and shifted down, in the same cycles.
    It is in units of the largest power of two in ``row_scale``: all above it wraps as the
    accumulators do. Latency: 1 cycle.

    Parameters
    ----------
    mac : Mac
        That of the units it serves.

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

    routes: ClassVar[dict[str, Route]] = {
        "activations": TO_ROW,
        "shared": TO_ROW,
        "activation": TO_ROW,
        "last": EVERYWHERE,
        "drain": EVERYWHERE,
        "bias": DOWNWARDS,
    }

    def __init__(self, mac: Mac):
        self.mac = mac
        super().__init__(self.members(mac))

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        members = {
            "activations": In(mac.k_per_cycle * ACTIVATION_BITS),
            "activation": Out(mac.multiplier.activation_code_bits),
        }
        if mac.multiplier.slices_per_group > 1:
            members["shared"] = In(ACTIVATION_BITS)
        if mac.multiplier.row_scale:
            members |= {"last": In(1), "drain": In(1)}
            members |= {"bias_in": In(mac.row_bias_bits), "bias_out": Out(mac.row_bias_bits)}
        return members

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        multiplier = self.mac.multiplier

        # Encode.
        grouped = multiplier.slices_per_group > 1
        shared = self.shared if grouped else Const(0, ACTIVATION_BITS)
        code = Signal(multiplier.activation_code_bits, name="code", reset_less=True)
        m.d.sync += code.eq(multiplier.encode(m, platform, self.activations, shared))
        m.d.comb += self.activation.eq(code)

        # Accumulate the bias, and drain it.
        if multiplier.row_scale:
            bias = delayed(m, multiplier.row_bias(m, platform, code), self.mac.pipeline)
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
