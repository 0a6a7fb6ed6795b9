"""The output-stationary systolic array."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.array.chain import make_chain
from hdl.array.column_correction import ColumnCorrection
from hdl.array.edge_lane import ActivationLane, ResultLane, WeightLane
from hdl.array.group_buffer import GroupBuffer
from hdl.array.pe_grid import make_grid
from hdl.array.row_bias import RowBias
from hdl.array.skewed_lanes import SkewedLanes
from hdl.array.tile_sequencer import TileSequencer
from hdl.hierarchy import place
from hdl.pe.contract import ProcessingElement

CORRECTION_LATENCY = 1
"""Cycles of a :class:`ColumnCorrection`."""


class SystolicArray(wiring.Component):
    """Multiplies tiles: ``rows`` x K activations by K x ``cols`` weights, any K.

    One slice of ``k_per_cycle`` steps of K enters per cycle, for all rows and columns together; the
    skew is inside. Activations are encoded at the left edge, weights recoded at the top, results
    corrected at the bottom, as the multiplier of the processing elements says. A cycle without a
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
    pe : ProcessingElement
        The element of row 0 and column 0, for instance ``SparqPe(named_format("5opt"))``; the
        others are its replicas.

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

    module_name = "systolic_array"

    def __init__(self, rows: int, cols: int, pe: ProcessingElement):
        self.rows = rows
        self.cols = cols
        self._pe = pe
        super().__init__(
            {
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_last": In(1),
                "in_a": In(rows * pe.k_per_cycle * ACTIVATION_BITS),
                "in_w": In(cols * pe.k_per_cycle * pe.multiplier.weight_bits),
                "out_valid": Out(1),
                "out_last": Out(1),
                "out_acc": Out(cols * pe.acc_bits),
            }
        )

    @property
    def k_per_cycle(self) -> int:
        """Steps of the reduction per slice."""
        return self._pe.k_per_cycle

    @property
    def latency(self) -> int:
        """Cycles from a tile's last slice to its first row of results."""
        skew = (self.rows - 1) + (self.cols - 1)
        edges = self._group_delay + ActivationLane.latency + CORRECTION_LATENCY
        return edges + skew + self._pe.latency

    @property
    def _group_delay(self) -> int:
        """Cycles that a slice waits for its group."""
        slices = self._pe.multiplier.slices_per_group
        return slices if slices > 1 else 0

    @property
    def drain_cycles(self) -> int:
        """Cycles from a tile's last slice to the earliest possible one of the next tile."""
        return self.rows

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pe = self._pe

        # Control.
        sequencer = TileSequencer(self.rows, self._group_delay + pe.pipeline)
        place(m, platform, "sequencer", sequencer)
        m.d.comb += [
            sequencer.in_valid.eq(self.in_valid),
            sequencer.in_last.eq(self.in_last),
            self.in_ready.eq(sequencer.in_ready),
        ]

        # Left and top edge. A bubble is a zero.
        activations = Signal.like(self.in_a)
        weights = Signal.like(self.in_w)
        shared: list[Value] = [Const(0, 0)] * self.rows
        if pe.multiplier.slices_per_group == 1:
            m.d.comb += activations.eq(Mux(sequencer.taken, self.in_a, 0))
            m.d.comb += weights.eq(self.in_w)
        else:
            shared = self._group(m, platform, sequencer, activations, weights)
        activation_edge = SkewedLanes(self.rows, ActivationLane(pe))
        weight_edge = SkewedLanes(self.cols, WeightLane(pe))
        place(m, platform, "activation_edge", activation_edge)
        place(m, platform, "weight_edge", weight_edge)
        row_bits = pe.k_per_cycle * ACTIVATION_BITS
        lanes = [activations.word_select(row, row_bits) for row in range(self.rows)]
        m.d.comb += activation_edge.data_in.eq(
            Cat(part for lane in zip(lanes, shared, strict=True) for part in lane)
        )
        m.d.comb += weight_edge.data_in.eq(weights)

        # Processing elements.
        grid = make_grid(self.rows, self.cols, pe)
        place(m, platform, "grid", grid)
        m.d.comb += [
            grid.last_in.eq(sequencer.last[: self.rows]),
            grid.shift_in.eq(sequencer.shift),
            grid.activation_in.eq(activation_edge.data_out),
            grid.weight_in.eq(weight_edge.data_out),
        ]

        # Bottom edge: results are corrected, columns put back in step, and rows counted from the
        # bottom one, whose last leaves the grid with the last column's.
        result_edge = SkewedLanes(self.cols, ResultLane(pe), reverse=True)
        place(m, platform, "result_edge", result_edge)
        corrections = make_chain(ColumnCorrection, pe, self.cols)
        place(m, platform, "corrections", corrections)
        if pe.multiplier.row_scale:
            row_bias = self._row_bias(m, platform, sequencer, activation_edge.data_out)
            m.d.comb += corrections.row_bias_in.eq(row_bias)
        if pe.multiplier.column_scale:
            m.d.comb += corrections.weight.eq(grid.weight_out)
            m.d.comb += corrections.last_in.eq(sequencer.last[-1])
        m.d.comb += corrections.result_in.eq(grid.result_out)
        m.d.comb += result_edge.data_in.eq(corrections.result_out)
        m.d.comb += self.out_acc.eq(result_edge.data_out)

        bottom_last = grid.last_out[-1]
        for cycle in range(pe.latency - pe.pipeline - 1 + CORRECTION_LATENCY):
            earlier, bottom_last = bottom_last, Signal(name=f"bottom_last_{cycle}")
            m.d.sync += bottom_last.eq(earlier)
        cleared = Signal()
        bottom_row = Signal()
        rows_above = Signal(range(self.rows))
        m.d.comb += bottom_row.eq(bottom_last & cleared)
        with m.If(bottom_last):
            m.d.sync += cleared.eq(1)  # the first one after reset ends no tile
        with m.If(bottom_row):
            m.d.sync += rows_above.eq(self.rows - 1)
        with m.Elif(rows_above != 0):
            m.d.sync += rows_above.eq(rows_above - 1)
        m.d.comb += self.out_valid.eq(bottom_row | (rows_above != 0))
        is_row_0 = bottom_row if self.rows == 1 else rows_above == 1
        m.d.comb += self.out_last.eq(is_row_0)
        return m

    def _row_bias(
        self, m: Module, platform: Any, sequencer: TileSequencer, activations: Value
    ) -> Value:
        """The bias of the row whose result leaves column 0."""
        biases = make_chain(RowBias, self._pe, self.rows)
        place(m, platform, "row_biases", biases)
        m.d.comb += [
            biases.activation.eq(activations),
            biases.last.eq(sequencer.last[: self.rows]),
            biases.shift.eq(sequencer.shift),
        ]
        multiplier, acc_bits = self._pe.multiplier, self._pe.acc_bits
        scaled = Signal(multiplier.row_bias_bits(acc_bits), name="row_bias")
        factor = multiplier.row_scale >> (acc_bits - len(scaled))
        m.d.comb += scaled.eq(biases.bias_out * factor)
        return scaled

    def _group(
        self,
        m: Module,
        platform: Any,
        sequencer: TileSequencer,
        activations: Signal,
        weights: Signal,
    ) -> list[Value]:
        """Hold slices until their group is complete; what each row's group shares."""
        pe = self._pe
        slice_in = Cat(self.in_a, self.in_w)
        buffer = GroupBuffer(
            pe.multiplier.slices_per_group, len(slice_in), self.rows * ACTIVATION_BITS
        )
        place(m, platform, "group_buffer", buffer)
        row_bits = pe.k_per_cycle * ACTIVATION_BITS
        rows = [self.in_a.word_select(row, row_bits) for row in range(self.rows)]
        m.d.comb += [
            buffer.taken.eq(sequencer.taken),
            buffer.last.eq(self.in_last),
            sequencer.hold.eq(buffer.filling),
            buffer.data_in.eq(slice_in),
            buffer.largest_in.eq(Cat(pe.multiplier.shares(row) for row in rows)),
            Cat(activations, weights).eq(buffer.data_out),
        ]
        return [buffer.largest_out.word_select(row, ACTIVATION_BITS) for row in range(self.rows)]
