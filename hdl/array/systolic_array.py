"""The output-stationary systolic array."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from hdl.edge.chain import make_chain
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.edge_lane import ActivationLane, ResultLane, WeightLane
from hdl.edge.row_bias import RowBias
from hdl.edge.skewed_lanes import SkewedLanes
from hdl.element.processing_element import ProcessingElement
from hdl.elements import Elements
from hdl.grid.pe_grid import make_grid
from hdl.placement import place
from hdl.tile.row_counter import RowCounter
from hdl.tile.tile_machine import TileMachine
from hdl.tile.tile_sequencer import TileSequencer

CORRECTION_LATENCY = 1
"""Cycles of a :class:`ColumnCorrection`."""


class SystolicArray(TileMachine):
    """A :class:`TileMachine`: a grid of processing elements, through which operands move.

    The skew is inside. Activations are encoded at the left edge, weights recoded at the top,
    results corrected at the bottom, as the multiplier of the processing elements says.

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
    in_valid, in_ready, in_last, in_a, in_w, out_valid, out_last, out_acc
        Of a :class:`TileMachine`.
    """

    module_name = "systolic_array"

    def __init__(self, rows: int, cols: int, pe: ProcessingElement):
        self._pe = pe
        weights = Elements(pe.multiplier.weight_bits, signed=True)
        super().__init__(rows, cols, pe, {"in_w": weights.repeated("step", pe.k_per_cycle)})

    @property
    def latency(self) -> int:
        """Cycles from a tile's last slice to its first row of results."""
        skew = (self.rows - 1) + (self.cols - 1)
        edges = self._group_delay + ActivationLane.latency + CORRECTION_LATENCY
        return edges + skew + self._pe.latency

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

        # Left and top edge. A bubble is all zeros.
        activations = Signal.like(self.in_a)
        weights = Signal.like(self.in_w)
        shared = self._slices(m, platform, sequencer, self.in_w, activations, weights)
        activation_edge = SkewedLanes(self.rows, ActivationLane(pe))
        weight_edge = SkewedLanes(self.cols, WeightLane(pe))
        place(m, platform, "activation_edge", activation_edge)
        place(m, platform, "weight_edge", weight_edge)
        lanes = self._rows_of(activations)
        if shared:
            lanes = [Cat(*lane) for lane in zip(lanes, shared, strict=True)]
        m.d.comb += activation_edge.data_in.eq(Cat(lanes))
        m.d.comb += weight_edge.data_in.eq(weights)

        # Processing elements.
        grid = make_grid(self.rows, self.cols, pe)
        place(m, platform, "grid", grid)
        m.d.comb += [
            grid.last_in.eq(sequencer.last[: self.rows]),
            grid.drain_in.eq(sequencer.drain),
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
        with m.If(bottom_last):
            m.d.sync += cleared.eq(1)  # the first one after reset ends no tile
        row_counter = RowCounter(self.rows)
        place(m, platform, "row_counter", row_counter)
        m.d.comb += [
            row_counter.start.eq(bottom_last & cleared),
            self.out_valid.eq(row_counter.valid),
            self.out_last.eq(row_counter.last),
        ]
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
            biases.drain.eq(sequencer.drain),
        ]
        multiplier, acc_bits = self._pe.multiplier, self._pe.acc_bits
        scaled = Signal(multiplier.row_bias_bits(acc_bits), name="row_bias")
        factor = multiplier.row_scale >> (acc_bits - len(scaled))
        m.d.comb += scaled.eq(biases.bias_out * factor)
        return scaled
