"""The tensor core: a grid of dot-product units with broadcast operands."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Module

from hdl.edge.activation_lane import ActivationLane
from hdl.edge.chain import Chain
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.weight_lane import WeightLane
from hdl.element.dot_product_unit import DotProductUnit
from hdl.elements import Elements
from hdl.grid.grid import make_grid
from hdl.multiplier.mac import Mac
from hdl.placement import place
from hdl.tile.tile_control import TileControl
from hdl.tile.tile_machine import TileMachine


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
        edges = self._group_delay + ActivationLane.latency + ColumnCorrection.latency
        return edges + self.mac.latency

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mac = self.mac

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

        # Left and top edge. A bubble is all zeros.
        columns = [
            Cat(
                getattr(self, name).word_select(column, elements.width)
                for name, elements in self._column_inputs().items()
            )
            for column in range(self.cols)
        ]
        lanes, weights = self._slices(m, platform, control, Cat(columns))
        activation_edge = make_grid(self.rows, 1, self._activation_lane, mac)
        weight_edge = make_grid(1, self.cols, WeightLane, mac)
        place(m, platform, "activation_edge", activation_edge)
        place(m, platform, "weight_edge", weight_edge)
        m.d.comb += activation_edge.data_in.eq(lanes)
        m.d.comb += weight_edge.data_in.eq(weights)

        # Dot-product units.
        grid = make_grid(self.rows, self.cols, DotProductUnit, mac)
        place(m, platform, "grid", grid)
        m.d.comb += [
            grid.last.eq(control.last),
            grid.drain.eq(control.drain),
            grid.activation.eq(activation_edge.data_out),
            grid.weight.eq(weight_edge.data_out),
        ]

        # Bottom edge: results are corrected one cycle after they left the grid, so biases and the
        # last that ends them come a cycle later than in the units.
        late = replace(mac, pipeline=mac.pipeline + 1)
        corrections = make_grid(1, self.cols, ColumnCorrection, late, ("last", "row_bias"))
        place(m, platform, "corrections", corrections)
        if mac.multiplier.row_scale:
            codes, broadcast = activation_edge.data_out, ("last", "drain")
            bias = self._row_bias(m, platform, codes, control.last, control.drain, broadcast)
            late_bias = Chain(1, len(bias))
            place(m, platform, "late_bias", late_bias)
            m.d.comb += late_bias.data_in.eq(bias)
            m.d.comb += corrections.row_bias.eq(late_bias.data_out)
        if mac.multiplier.column_scale:
            m.d.comb += corrections.weight.eq(weight_edge.data_out)
            late_last = Chain(1, 1)
            place(m, platform, "late_last", late_last)
            m.d.comb += late_last.data_in.eq(control.last)
            m.d.comb += corrections.last.eq(late_last.data_out)
        m.d.comb += corrections.result_in.eq(grid.result_out)
        m.d.comb += self.out_acc.eq(corrections.result_out)
        return m
