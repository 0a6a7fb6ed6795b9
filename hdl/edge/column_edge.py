"""Both ends of one column of a tensor core."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from hdl.edge.row_edge import delayed
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, EVERYWHERE, TO_COLUMN, MacPart, Route
from hdl.multiplier.multiplier import scaled


class ColumnEdge(MacPart):
    """Recodes the weights of a column once for all its units, and makes its results exact.

    The column's bias is accumulated here; it holds for the results of a tile, which follow each
    other. Latency: 1 cycle for weights, and 1 for results.

    Parameters
    ----------
    mac : Mac
        That of the units it serves.

    Members
    -------
    weights : In(multiplier.weights_bits)
        As ``multiplier.recode`` takes them.
    weight : Out, the code
    result_in : In(acc_bits), result_out : Out(acc_bits)
        Of the column's bottom unit; exact.
    row_bias : In, row_bias_bits of the multiplier
        With ``result_in``; only where the multiplier's sums have one.
    last : In(1)
        Of the units; only where the multiplier's sums have a column bias.
    """

    measured_alone = True

    module_name = "column_edge"

    routes: ClassVar[dict[str, Route]] = {
        "weights": TO_COLUMN,
        "weight": TO_COLUMN,
        "result": DOWNWARDS,
        "row_bias": EVERYWHERE,
        "last": EVERYWHERE,
    }

    def __init__(self, mac: Mac):
        self.mac = mac
        super().__init__(self.members(mac))

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        members = {
            "weights": In(mac.multiplier.weights_bits),
            "weight": Out(mac.multiplier.weight_code_bits),
            "result_in": In(mac.acc_bits),
            "result_out": Out(mac.acc_bits),
        }
        if mac.multiplier.row_scale:
            members["row_bias"] = In(mac.row_bias_bits)
        if mac.multiplier.column_scale:
            members["last"] = In(1)
        return members

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        multiplier, bits = self.mac.multiplier, self.mac.acc_bits

        # Recode.
        code = Signal(multiplier.weight_code_bits, name="code", reset_less=True)
        m.d.sync += code.eq(multiplier.recode(m, platform, self.weights))
        m.d.comb += self.weight.eq(code)

        # Correct.
        exact: Value = self.result_in
        if multiplier.row_scale:
            exact = exact - (self.row_bias << (bits - len(self.row_bias)))
        if multiplier.column_scale:
            exact = exact - self._column_bias(m, platform, code)
        result = Signal(bits, reset_less=True)
        m.d.sync += result.eq(exact[:bits])
        m.d.comb += self.result_out.eq(result)
        return m

    def _column_bias(self, m: Module, platform: Any, code: Signal) -> Value:
        """The bias of the tile whose results leave."""
        multiplier, bits = self.mac.multiplier, self.mac.acc_bits
        bias = delayed(m, multiplier.column_bias(m, platform, code), self.mac.pipeline)
        total = Signal(bits, reset_less=True)
        held = Signal(bits, reset_less=True)
        m.d.sync += total.eq(Mux(self.last, 0, total) + bias)
        with m.If(self.last):
            m.d.sync += held.eq(scaled(total, multiplier.column_scale))
        return held
