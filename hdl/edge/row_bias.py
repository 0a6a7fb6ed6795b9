"""The bias of one row's sums, accumulated where its activations enter."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Member, Out

from hdl.arithmetic.accumulator import Accumulator
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, TO_ROW, MacPart, Route
from hdl.multiplier.multiplier import delayed


class RowBias(MacPart):
    """Accumulates the row bias of the multiplier, in step with the first unit of the row.

    Its result register is loaded, and shifted down, in the same cycles as that of the unit. Units
    of the largest power of two in ``row_scale``, not yet multiplied by what else is in it: all
    above wraps as the accumulators do.

    Latency: ``last`` comes ``pipeline`` + 1 cycles after the code of a sum's last slice;
    ``bias_out`` shows the sum one cycle after ``last``. Nothing is reset: the first sum starts with
    the first ``last``.

    Members
    -------
    activation : In, the row's activation code
    last, drain : In(1)
    bias_in, bias_out : row_bias_bits, downwards
    """

    measured_alone = True

    module_name = "row_bias"

    routes: ClassVar[dict[str, Route]] = {
        "activation": TO_ROW,
        "last": TO_ROW,
        "drain": TO_ROW,
        "bias": DOWNWARDS,
    }

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
        bits = self.mac.row_bias_bits
        bias = self.mac.multiplier.row_bias(m, platform, self.activation)
        bias = delayed(m, "bias", bias, self.mac.pipeline)
        accumulator = Accumulator(m, platform, bits, len(bias))
        accumulator.add([(bias, 0)], self.last, registered=False)
        result = Signal(bits, reset_less=True)
        m.d.sync += result.eq(
            Mux(self.last, accumulator.total, Mux(self.drain, self.bias_in, result))
        )
        m.d.comb += self.bias_out.eq(result)
        return m
