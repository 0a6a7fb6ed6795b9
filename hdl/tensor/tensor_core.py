"""The tensor core: a grid of dot-product units with broadcast operands."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value

from hdl.edge.column_edge import ColumnEdge
from hdl.edge.row_edge import RowEdge
from hdl.element.dot_product_unit import DotProductUnit
from hdl.elements import Elements
from hdl.grid.grid import make_grid
from hdl.multiplier.mac import Mac
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
    mac : Mac
        What its dot-product units are, for instance ``sparq_mac("5opt", pairs=4).mac``.

    Members
    -------
    in_valid, in_ready, in_last, in_a, in_w, out_valid, out_last, out_acc
        Of a :class:`TileMachine`.
    """

    module_name = "tensor_core"

    def __init__(self, rows: int, cols: int, mac: Mac):
        self.mac = mac
        super().__init__(rows, cols, mac, self._column_inputs())

    def _column_inputs(self) -> dict[str, Elements]:
        """The ports that ``multiplier.recode`` reads, the first low: what each column has."""
        weight = Elements(self.mac.multiplier.weight_bits, signed=True)
        return {"in_w": weight.repeated("step", self.mac.k_per_cycle)}

    @property
    def latency(self) -> int:
        """Cycles from a tile's last slice to its first row of results."""
        return self._group_delay + EDGE_LATENCY + self.mac.latency

    def elaborate(self, platform: Any) -> Module:
        m = Module()

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
        grid = make_grid(self.rows, self.cols, DotProductUnit, self.mac)
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
        edge = make_grid(self.rows, 1, RowEdge, self.mac)
        place(m, platform, "row_edge", edge)
        m.d.comb += edge.activations.eq(activations)
        m.d.comb += grid.activation.eq(edge.activation)
        if shared:
            m.d.comb += edge.shared.eq(Cat(shared))
        if not self.mac.multiplier.row_scale:
            return Const(0, 1)
        m.d.comb += [edge.last.eq(control.last), edge.drain.eq(control.drain)]
        return self._scaled(m, edge.bias_out)

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
        edge = make_grid(1, self.cols, ColumnEdge, self.mac)
        place(m, platform, "column_edge", edge)
        m.d.comb += [
            edge.weights.eq(weights),
            grid.weight.eq(edge.weight),
            edge.result_in.eq(grid.result_out),
            self.out_acc.eq(edge.result_out),
        ]
        if self.mac.multiplier.row_scale:
            m.d.comb += edge.row_bias.eq(row_bias)
        if self.mac.multiplier.column_scale:
            m.d.comb += edge.last.eq(control.last)
