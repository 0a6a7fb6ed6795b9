"""The end of one column: biases are subtracted from the results that leave it."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from hdl.arithmetic.accumulator import Accumulator
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, RIGHTWARDS, TO_COLUMN, MacPart, Route
from hdl.multiplier.multiplier import scaled


class ColumnCorrection(MacPart):
    """Makes the exact sum of a biased result. Latency: 1 cycle.

    The bias of a row comes with its results, from the left, one cycle later in each column. That of
    the column itself is accumulated here, from the weights that leave its last processing element,
    as if there were one row more; it holds for the results of a tile, which follow each other.

    Members
    -------
    result_in : In(acc_bits), of the column's last processing element
    weight : In, its weight code
    last_in : In(1), last_out : Out(1)
        ``last`` of the row below the last one, to the right.
    row_bias_in, row_bias_out : row_bias_bits of the multiplier
        With ``result_in``, to the right; only where the multiplier's sums have one.
    result_out : Out(acc_bits)
    """

    measured_alone = True

    module_name = "column_correction"

    routes: ClassVar[dict[str, Route]] = {
        "result": DOWNWARDS,
        "weight": TO_COLUMN,
        "last": RIGHTWARDS,
        "row_bias": RIGHTWARDS,
    }

    def __init__(self, mac: Mac):
        self.mac = mac
        super().__init__(self.members(mac))

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        members = {"result_in": In(mac.acc_bits), "result_out": Out(mac.acc_bits)}
        if mac.multiplier.row_scale:
            members |= {
                "row_bias_in": In(mac.row_bias_bits),
                "row_bias_out": Out(mac.row_bias_bits),
            }
        if mac.multiplier.column_scale:
            members["weight"] = In(mac.multiplier.weight_code_bits)
            members |= {"last_in": In(1), "last_out": Out(1)}
        return members

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.mac.acc_bits
        result = Signal(bits, reset_less=True)
        m.d.sync += result.eq(self.result_in)
        exact: Value = result
        if self.mac.multiplier.row_scale:
            row_bias = Signal(len(self.row_bias_in), reset_less=True)
            m.d.sync += row_bias.eq(self.row_bias_in)
            m.d.comb += self.row_bias_out.eq(row_bias)
            exact = exact - (row_bias << (bits - len(row_bias)))
        if self.mac.multiplier.column_scale:
            exact = exact - self._column_bias(m, platform)
        m.d.comb += self.result_out.eq(exact[:bits])
        return m

    def _column_bias(self, m: Module, platform: Any) -> Value:
        """The bias of the tile whose results leave."""
        multiplier, bits = self.mac.multiplier, self.mac.acc_bits
        value = multiplier.column_bias(m, platform, self.weight)
        for stage in range(self.mac.pipeline):
            earlier, value = value, Signal(len(value), name=f"value_{stage}", reset_less=True)
            m.d.sync += value.eq(earlier)
        last = Signal()
        m.d.sync += last.eq(self.last_in)
        m.d.comb += self.last_out.eq(last)
        accumulator = Accumulator(m, platform, bits, len(value))
        accumulator.add([(value, 0)], last, registered=False)
        held = Signal(bits, reset_less=True)
        with m.If(last):
            m.d.sync += held.eq(scaled(accumulator.total, multiplier.column_scale))
        return held
