"""The end of one column: biases are subtracted from the results that leave it."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from hdl.arithmetic.accumulator import Accumulator
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, TO_COLUMN, MacPart, Route
from hdl.multiplier.multiplier import delayed, scaled


class ColumnCorrection(MacPart):
    """Makes the exact sum of a biased result. Latency: 1 cycle.

    The bias of the row comes with the result, one cycle later. That of the column is accumulated
    here, from the codes of its weights; it holds for the results of a tile, which follow each
    other.

    Members
    -------
    result_in : In(acc_bits), of the column's last unit
    result_out : Out(acc_bits)
    row_bias : In, row_bias_bits of the multiplier
        Of the result that result_in was one cycle ago; only where the multiplier's sums have one.
    weight : In, the column's weight code
    last : In(1)
        ``pipeline`` + 1 cycles after the code of a tile's last slice, in the cycle in which its
        first result is at result_in; both only where the multiplier's sums have a column bias.
    """

    measured_alone = True

    module_name = "column_correction"
    latency = 1
    routes: ClassVar[dict[str, Route]] = {
        "result": DOWNWARDS,
        "row_bias": TO_COLUMN,
        "weight": TO_COLUMN,
        "last": TO_COLUMN,
    }

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        members = {"result_in": In(mac.acc_bits), "result_out": Out(mac.acc_bits)}
        if mac.multiplier.row_scale:
            members["row_bias"] = In(mac.row_bias_bits)
        if mac.multiplier.column_scale:
            members |= {"weight": In(mac.multiplier.weight_code_bits), "last": In(1)}
        return members

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.mac.acc_bits
        result = Signal(bits, reset_less=True)
        m.d.sync += result.eq(self.result_in)
        exact: Value = result
        if self.mac.multiplier.row_scale:
            exact = exact - (self.row_bias << (bits - len(self.row_bias)))
        if self.mac.multiplier.column_scale:
            exact = exact - self._column_bias(m, platform)
        m.d.comb += self.result_out.eq(exact[:bits])
        return m

    def _column_bias(self, m: Module, platform: Any) -> Value:
        """The bias of the tile whose results leave."""
        multiplier, bits = self.mac.multiplier, self.mac.acc_bits
        bias = multiplier.column_bias(m, platform, self.weight)
        bias = delayed(m, "bias", bias, self.mac.pipeline)
        accumulator = Accumulator(m, platform, bits, len(bias))
        accumulator.add([(bias, 0)], self.last, registered=False)
        held = Signal(bits, reset_less=True)
        with m.If(self.last):
            m.d.sync += held.eq(scaled(accumulator.total, multiplier.column_scale))
        return held
