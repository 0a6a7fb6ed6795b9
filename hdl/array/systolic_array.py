"""The output-stationary systolic array."""

from typing import Any

from amaranth.hdl import Module

from hdl.edge.activation_lane import ActivationLane
from hdl.edge.chain import Chain
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.skew import Skew
from hdl.edge.weight_lane import WeightLane
from hdl.element.processing_element import ProcessingElement
from hdl.elements import Elements
from hdl.grid.grid import make_grid
from hdl.multiplier.mac import Mac
from hdl.placement import place
from hdl.tile.result_control import ResultControl
from hdl.tile.tile_machine import TileMachine
from hdl.tile.tile_sequencer import TileSequencer


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
    mac : Mac
        What its processing elements are, for instance ``sparq_mac("5opt").mac``.

    Members
    -------
    in_valid, in_ready, in_last, in_a, in_w, out_valid, out_last, out_acc
        Of a :class:`TileMachine`.
    """

    module_name = "systolic_array"

    def __init__(self, rows: int, cols: int, mac: Mac):
        weights = Elements(mac.multiplier.weight_bits, signed=True)
        super().__init__(rows, cols, mac, {"in_w": weights.repeated("step", mac.k_per_cycle)})

    @property
    def latency(self) -> int:
        """Cycles from a tile's last slice to its first row of results."""
        skew = (self.rows - 1) + (self.cols - 1)
        edges = self._group_delay + ActivationLane.latency + ColumnCorrection.latency
        return edges + skew + self.mac.latency

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mac = self.mac

        # Control.
        sequencer = TileSequencer(self.rows, self._group_delay + mac.pipeline)
        place(m, platform, "sequencer", sequencer)
        m.d.comb += [
            sequencer.in_valid.eq(self.in_valid),
            sequencer.in_last.eq(self.in_last),
            self.in_ready.eq(sequencer.in_ready),
        ]

        # Left and top edge. A bubble is all zeros.
        lanes, weights = self._slices(m, platform, sequencer, self.in_w)
        activation_skew = Skew(self.rows, len(lanes) // self.rows)
        weight_skew = Skew(self.cols, mac.multiplier.weights_bits)
        activation_edge = make_grid(self.rows, 1, self._activation_lane, mac)
        weight_edge = make_grid(1, self.cols, WeightLane, mac)
        place(m, platform, "activation_skew", activation_skew)
        place(m, platform, "weight_skew", weight_skew)
        place(m, platform, "activation_edge", activation_edge)
        place(m, platform, "weight_edge", weight_edge)
        m.d.comb += [
            activation_skew.data_in.eq(lanes),
            weight_skew.data_in.eq(weights),
            activation_edge.data_in.eq(activation_skew.data_out),
            weight_edge.data_in.eq(weight_skew.data_out),
        ]

        # Processing elements.
        grid = make_grid(self.rows, self.cols, ProcessingElement, mac)
        place(m, platform, "grid", grid)
        m.d.comb += [
            grid.last_in.eq(sequencer.last[: self.rows]),
            grid.drain_in.eq(sequencer.drain),
            grid.activation_in.eq(activation_edge.data_out),
            grid.weight_in.eq(weight_edge.data_out),
        ]

        # Bottom edge: results are corrected, columns put back in step, and rows counted from the
        # bottom one, whose last leaves the grid with the last column's.
        result_skew = Skew(self.cols, mac.acc_bits, reverse=True)
        place(m, platform, "result_skew", result_skew)
        corrections = make_grid(1, self.cols, ColumnCorrection, mac)
        place(m, platform, "corrections", corrections)
        if mac.multiplier.row_scale:
            # Control acts one cycle late, as in the elements, which register it.
            drain = Chain(1, self.rows)
            drain.counts_rows = True  # it is as wide as there are rows
            place(m, platform, "bias_drain", drain)
            m.d.comb += drain.data_in.eq(sequencer.drain)
            codes = activation_edge.data_out
            bias = self._row_bias(m, platform, codes, sequencer.last[1:], drain.data_out)
            chain = Chain(self.cols, len(bias))
            place(m, platform, "row_bias_chain", chain)
            m.d.comb += [chain.data_in.eq(bias), corrections.row_bias.eq(chain.data_out)]
        if mac.multiplier.column_scale:
            chain = Chain(self.cols, 1)
            place(m, platform, "last_chain", chain)
            m.d.comb += [chain.data_in.eq(sequencer.last[-1]), corrections.last.eq(chain.data_out)]
            m.d.comb += corrections.weight.eq(grid.weight_out)
        m.d.comb += corrections.result_in.eq(grid.result_out)
        m.d.comb += result_skew.data_in.eq(corrections.result_out)
        m.d.comb += self.out_acc.eq(result_skew.data_out)

        delay = mac.latency - mac.pipeline - 1 + ColumnCorrection.latency
        result_control = ResultControl(self.rows, delay)
        place(m, platform, "result_control", result_control)
        m.d.comb += [
            result_control.last.eq(grid.last_out[-1]),
            self.out_valid.eq(result_control.out_valid),
            self.out_last.eq(result_control.out_last),
        ]
        return m
