"""The tensor core: a grid of dot-product units with broadcast operands."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.array.group_buffer import GroupBuffer
from hdl.hierarchy import place
from hdl.tensor.column_edge import ColumnEdge
from hdl.tensor.dot_product_unit import DotProductUnit
from hdl.tensor.row_edge import RowEdge
from hdl.tensor.tile_control import TileControl
from hdl.tensor.unit_grid import make_grid

EDGE_LATENCY = 2
"""Cycles of the registers around the grid: of operands, and of results."""


class TensorCore(wiring.Component):
    """Multiplies tiles: ``rows`` x K activations by K x ``cols`` weights, any K.

    One slice of ``k_per_cycle`` steps of K enters per cycle, for all rows and columns together.
    Activations are encoded once per row, weights recoded once per column, and both broadcast;
    results are corrected where they leave, as the multiplier of the units says. A cycle without a
    slice is a bubble and harmless anywhere. A new tile may start in the cycle after ``in_last``.

    Results leave one row per cycle, row ``rows - 1`` first, while the next tile computes; nothing
    can hold them back. A tile occupies the result registers for :attr:`drain_cycles`: after a tile
    of fewer slices than that, ``in_ready`` stays low until they are free, so no result is lost and
    ``in_ready`` never falls inside a tile. Where windows are shared by several slices, a tile whose
    slices do not fill the last group also keeps ``in_ready`` low for those that are missing.

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
    in_valid : In(1), in_ready : Out(1), in_last : In(1)
        A slice is taken in a cycle where valid and ready are 1; last ends the tile.
    in_a : In(rows * k_per_cycle * 8)
        Unsigned bytes, row 0 low; within a row the lower k low.
    in_w : In(cols * k_per_cycle * weight_bits)
        Signed weights, column 0 low; within a column the lower k low.
    out_valid : Out(1), out_last : Out(1)
        A row of results; last with row 0.
    out_acc : Out(cols * acc_bits)
        Signed sums, column 0 low.
    """

    module_name = "tensor_core"

    def __init__(self, rows: int, cols: int, unit: DotProductUnit):
        self.rows = rows
        self.cols = cols
        self._unit = unit
        super().__init__(
            {
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_last": In(1),
                "in_a": In(rows * unit.k_per_cycle * ACTIVATION_BITS),
                **{name: In(cols * bits) for name, bits in self._column_inputs().items()},
                "out_valid": Out(1),
                "out_last": Out(1),
                "out_acc": Out(cols * unit.acc_bits),
            }
        )

    def _column_inputs(self) -> dict[str, int]:
        """The ports that ``multiplier.recode`` reads, the first low, and their bits per column."""
        return {"in_w": self._unit.k_per_cycle * self._unit.multiplier.weight_bits}

    @property
    def k_per_cycle(self) -> int:
        """Steps of the reduction per slice."""
        return self._unit.k_per_cycle

    @property
    def latency(self) -> int:
        """Cycles from a tile's last slice to its first row of results."""
        return self._group_delay + EDGE_LATENCY + self._unit.latency

    @property
    def _group_delay(self) -> int:
        """Cycles that a slice waits for its group."""
        slices = self._unit.multiplier.slices_per_group
        return slices if slices > 1 else 0

    @property
    def drain_cycles(self) -> int:
        """Cycles from a tile's last slice to the earliest possible one of the next tile."""
        return self.rows

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

        # Operands. A bubble is a zero.
        activations = Signal.like(self.in_a)
        columns = [
            Cat(
                getattr(self, name).word_select(column, bits)
                for name, bits in self._column_inputs().items()
            )
            for column in range(self.cols)
        ]
        weights = Signal(len(Cat(columns)))
        shared: list[Value] = []
        if unit.multiplier.slices_per_group == 1:
            m.d.comb += activations.eq(Mux(control.taken, self.in_a, 0))
            m.d.comb += weights.eq(Cat(columns))
        else:
            shared = self._group(m, platform, control, activations, weights, Cat(columns))

        # The grid between its edges.
        grid = make_grid(self.rows, self.cols, unit)
        place(m, platform, "grid", grid)
        m.d.comb += [grid.last.eq(control.last), grid.shift.eq(control.shift)]
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
        shared: list[Value],
    ) -> Value:
        """The left edge; the bias of the row whose results leave."""
        multiplier = self._unit.multiplier
        row_bits = self._unit.k_per_cycle * ACTIVATION_BITS
        codes = []
        bias: Value = Const(0, 1)
        for row in range(self.rows):
            edge = RowEdge(self._unit)
            place(m, platform, f"row_edge_{row}", edge)
            m.d.comb += edge.activations.eq(activations.word_select(row, row_bits))
            if shared:
                m.d.comb += edge.shared.eq(shared[row])
            if multiplier.row_scale:
                m.d.comb += [
                    edge.last.eq(control.last),
                    edge.shift.eq(control.shift),
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

    def _group(
        self,
        m: Module,
        platform: Any,
        control: TileControl,
        activations: Signal,
        weights: Signal,
        weights_in: Value,
    ) -> list[Value]:
        """Hold slices until their group is complete; what each row's group shares."""
        multiplier = self._unit.multiplier
        slice_in = Cat(self.in_a, weights_in)
        buffer = GroupBuffer(
            multiplier.slices_per_group, len(slice_in), self.rows * ACTIVATION_BITS
        )
        place(m, platform, "group_buffer", buffer)
        row_bits = self._unit.k_per_cycle * ACTIVATION_BITS
        rows = [self.in_a.word_select(row, row_bits) for row in range(self.rows)]
        m.d.comb += [
            buffer.taken.eq(control.taken),
            buffer.last.eq(self.in_last),
            control.hold.eq(buffer.filling),
            buffer.data_in.eq(slice_in),
            buffer.largest_in.eq(Cat(multiplier.shares(row) for row in rows)),
            Cat(activations, weights).eq(buffer.data_out),
        ]
        return [buffer.largest_out.word_select(row, ACTIVATION_BITS) for row in range(self.rows)]
