"""The tensor core: a grid of dot-product units with broadcast operands."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value

from hdl.edge.column_edge import ColumnEdge
from hdl.edge.row_edge import RowEdge
from hdl.element.dot_product_unit import DotProductUnit
from hdl.elements import Elements
from hdl.grid.unit_grid import make_grid
from hdl.placement import place
from hdl.tile.tile_control import TileControl
from hdl.tile.tile_machine import TileMachine

EDGE_LATENCY = 2
"""Cycles of the registers around the grid: of operands, and of results."""


class TensorCore(TileMachine):
    """A :class:`TileMachine`: a grid of dot-product units that operands are broadcast to.

    Activations are encoded once per row, weights recoded once per column; results are corrected
    where they leave, as the multiplier of the units says.

    Latency: the first result row is valid :attr:`latency` cycles after the tile's last slice was
    taken, the last one ``rows - 1`` cycles later; more, by as long as ``in_ready`` was low, after
    a short tile. Throughput: ``rows * cols * k_per_cycle`` MACs per cycle.

    Parameters
    ----------
    rows, cols : int, from 1
    unit : DotProductUnit
        The unit of row 0 and column 0, see :func:`hdl.dot_product_unit`; the others are its
        replicas.

    Members
    -------
    in_valid, in_ready, in_last, in_a, in_w, out_valid, out_last, out_acc
        Of a :class:`TileMachine`.
    """

    module_name = "tensor_core"

    def __init__(self, rows: int, cols: int, unit: DotProductUnit):
        self._unit = unit
        super().__init__(rows, cols, unit, self._column_inputs())

    def _column_inputs(self) -> dict[str, Elements]:
        """The ports that ``multiplier.recode`` reads, the first low: what each column has."""
        weight = Elements(self._unit.multiplier.weight_bits, signed=True)
        return {"in_w": weight.repeated("step", self._unit.k_per_cycle)}

    @property
    def latency(self) -> int:
        """Cycles from a tile's last slice to its first row of results."""
        return self._group_delay + EDGE_LATENCY + self._unit.latency

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        unit = self._unit

        # Control: `last` is one cycle ahead of the result, and results of their register.
        control = TileControl(self.rows, self.latency - 2)
        place(m, platform, "control", control)
        m.d.comb += [
            control.in_valid.eq(self.in_valid),
            control.in_last.eq(self.in_last),
            self.in_ready.eq(control.in_ready),
            self.out_valid.eq(control.out_valid),
            self.out_last.eq(control.out_last),
        ]

        # Operands. A bubble is all zeros.
        activations = Signal.like(self.in_a)
        columns = [
            Cat(
                getattr(self, name).word_select(column, elements.width)
                for name, elements in self._column_inputs().items()
            )
            for column in range(self.cols)
        ]
        weights = Signal(len(Cat(columns)))
        shared = self._slices(m, platform, control, Cat(columns), activations, weights)

        # The grid between its edges.
        grid = make_grid(self.rows, self.cols, unit)
        place(m, platform, "grid", grid)
        m.d.comb += [grid.last.eq(control.last), grid.drain.eq(control.drain)]
        row_bias = self._rows(m, platform, control, grid, activations, shared)
        self._columns(m, platform, control, grid, weights, row_bias)
        return m

    def _rows(
        self,
        m: Module,
        platform: Any,
        control: TileControl,
        grid: Any,
        activations: Signal,
        shared: Sequence[Value],
    ) -> Value:
        """The left edge; the bias of the row whose results leave."""
        multiplier = self._unit.multiplier
        codes = []
        bias: Value = Const(0, 1)
        for row, operands in enumerate(self._rows_of(activations)):
            edge = RowEdge(self._unit)
            place(m, platform, f"row_edge_{row}", edge)
            m.d.comb += edge.activations.eq(operands)
            if shared:
                m.d.comb += edge.shared.eq(shared[row])
            if multiplier.row_scale:
                m.d.comb += [
                    edge.last.eq(control.last),
                    edge.drain.eq(control.drain),
                    edge.bias_in.eq(bias),
                ]
                bias = edge.bias_out
            codes.append(edge.activation)
        m.d.comb += grid.activation.eq(Cat(codes))
        if not multiplier.row_scale:
            return bias
        acc_bits = self._unit.acc_bits
        scaled = Signal(multiplier.row_bias_bits(acc_bits), name="row_bias")
        m.d.comb += scaled.eq(bias * (multiplier.row_scale >> (acc_bits - len(scaled))))
        return scaled

    def _columns(
        self,
        m: Module,
        platform: Any,
        control: TileControl,
        grid: Any,
        weights: Signal,
        row_bias: Value,
    ) -> None:
        """The upper edge, and the lower one, where results leave."""
        multiplier, acc_bits = self._unit.multiplier, self._unit.acc_bits
        weights_bits = len(weights) // self.cols
        codes, results = [], []
        for column in range(self.cols):
            edge = ColumnEdge(self._unit, weights_bits)
            place(m, platform, f"column_edge_{column}", edge)
            m.d.comb += edge.weights.eq(weights.word_select(column, weights_bits))
            m.d.comb += edge.result_in.eq(grid.result_out.word_select(column, acc_bits))
            if multiplier.row_scale:
                m.d.comb += edge.row_bias.eq(row_bias)
            if multiplier.column_scale:
                m.d.comb += edge.last.eq(control.last)
            codes.append(edge.weight)
            results.append(edge.result_out)
        m.d.comb += grid.weight.eq(Cat(codes))
        m.d.comb += self.out_acc.eq(Cat(results))
