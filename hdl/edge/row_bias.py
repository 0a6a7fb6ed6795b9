"""The bias of one row's sums, accumulated where its activations enter."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Member, Out

from hdl.arithmetic.accumulator import Accumulator
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, TO_ROW, MacPart, Route


class RowBias(MacPart):
    """Accumulates the row bias of a processing element's multiplier, in step with column 0.

    Its result register is loaded, and shifted down, in the same cycles as that of the row's first
    processing element. Units of the largest power of two in ``row_scale``, not yet multiplied by
    what else is in it: all above wraps as the accumulators do.

    Members
    -------
    activation : In, the row's activation code
    last, drain : In(1), the row's control
    bias_in, bias_out : downwards
    """

    measured_alone = True

    module_name = "row_bias"

    routes: ClassVar[dict[str, Route]] = {
        "activation": TO_ROW,
        "last": TO_ROW,
        "drain": TO_ROW,
        "bias": DOWNWARDS,
    }

    def __init__(self, mac: Mac):
        self.mac = mac
        super().__init__(self.members(mac))

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        return {
            "activation": In(mac.multiplier.activation_code_bits),
            "last": In(1),
            "drain": In(1),
            "bias_in": In(mac.row_bias_bits),
            "bias_out": Out(mac.row_bias_bits),
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        value = self.mac.multiplier.row_bias(m, platform, self.activation)
        for stage in range(self.mac.pipeline):
            earlier, value = value, Signal(len(value), name=f"value_{stage}", reset_less=True)
            m.d.sync += value.eq(earlier)

        last = Signal(name="last_register")
        drain = Signal(name="drain_register")
        m.d.sync += [last.eq(self.last), drain.eq(self.drain)]
        accumulator = Accumulator(m, platform, len(self.bias_in), len(value))
        accumulator.add([(value, 0)], last, registered=False)
        result = Signal(len(self.bias_in), reset_less=True)
        m.d.sync += result.eq(Mux(last, accumulator.total, Mux(drain, self.bias_in, result)))
        m.d.comb += self.bias_out.eq(result)
        return m
