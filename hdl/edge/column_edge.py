# amaranth: UnusedElaboratable=no
"""Both ends of one column of a tensor core."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from hdl.edge.row_edge import delayed
from hdl.element.dot_product_unit import DotProductUnit
from hdl.multiplier.multiplier import scaled
from hdl.placement import Component


class ColumnEdge(Component):
    """Recodes the weights of a column once for all its units, and makes its results exact.

    The column's bias is accumulated here; it holds for the results of a tile, which follow each
    other. Latency: 1 cycle for weights, and 1 for results.

    Parameters
    ----------
    unit : DotProductUnit
        One that it serves.
    weights_bits : int
        Width of a slice's weights.

    Members
    -------
    weights : In(weights_bits)
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

    def __init__(self, unit: DotProductUnit, weights_bits: int):
        self._unit = unit
        members: dict[str, Any] = {
            "weights": In(weights_bits),
            "weight": Out(unit.multiplier.weight_code_bits),
            "result_in": In(unit.acc_bits),
            "result_out": Out(unit.acc_bits),
        }
        if unit.multiplier.row_scale:
            members["row_bias"] = In(unit.multiplier.row_bias_bits(unit.acc_bits))
        if unit.multiplier.column_scale:
            members["last"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        multiplier, bits = self._unit.multiplier, self._unit.acc_bits

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
        multiplier, bits = self._unit.multiplier, self._unit.acc_bits
        bias = delayed(m, multiplier.column_bias(m, platform, code), self._unit.pipeline)
        total = Signal(bits, reset_less=True)
        held = Signal(bits, reset_less=True)
        m.d.sync += total.eq(Mux(self.last, 0, total) + bias)
        with m.If(self.last):
            m.d.sync += held.eq(scaled(total, multiplier.column_scale))
        return held
