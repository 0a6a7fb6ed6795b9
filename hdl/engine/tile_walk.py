"""The slices of a command's tiles, in order."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hdl.engine.command import COMMAND, COUNT_BITS
from hdl.placement import Component

TILE = data.StructLayout({"sums": 1, "ends_column": 1, "ends_command": 1, "encoded": 1})
"""What is to be done with the results of a tile: ``sums`` and ``encoded`` as in a command; after
its last result come other parameters, or another command's.
"""


class TileWalk(Component):
    """Lets slices of activations go together with slices of weights, tile after tile of a command.

    A tile's last slice goes only if its results will have room: ``room`` tiles may be under way,
    and one of them is ``finished`` when its results have left. (Room that is taken with the last
    slice, not with the first, keeps fewer results, and holds nothing back that could still go.)

    Parameters
    ----------
    room : int

    Members
    -------
    command_valid : In(1)
        A command waits.
    command_ready : Out(1)
        Its last slice goes.
    command : In(COMMAND)
        The command.
    activations_valid, weights_valid : In(1)
        A slice is offered.
    slice_valid : Out(1)
        Both are, and may go.
    slice_ready : In(1)
        What is next takes them: both go.
    slice_last : Out(1)
        The slices are the last ones of their tile.
    slice_exact : Out(1)
        They are to be multiplied exactly.
    tile : Out(TILE)
        What the tile is, with its last slice.
    finished : In(1)
        The results of a tile have left.
    waits_for_activations : Out(1)
        There is a command, but no activations.
    waits_for_weights : Out(1)
        There are activations, but no weights.
    waits_for_output : Out(1)
        There are both, but no room for results.
    """

    def __init__(self, room: int):
        self.room = room
        super().__init__(
            {
                "command_valid": In(1),
                "command_ready": Out(1),
                "command": In(COMMAND),
                "activations_valid": In(1),
                "weights_valid": In(1),
                "slice_valid": Out(1),
                "slice_ready": In(1),
                "slice_last": Out(1),
                "slice_exact": Out(1),
                "tile": Out(TILE),
                "finished": In(1),
                "waits_for_activations": Out(1),
                "waits_for_weights": Out(1),
                "waits_for_output": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = self.command

        # Where the walk is, counted from 1: so the last one is known without a subtraction.
        slice_number, tile_m, tile_n = (
            Signal(COUNT_BITS, name=name, init=1) for name in ("slice_number", "tile_m", "tile_n")
        )
        ends_tile = slice_number == command.depth
        ends_column = tile_m == command.tiles_m
        ends_command = ends_column & (tile_n == command.tiles_n)

        # May the slices go?
        under_way = Signal(range(self.room + 1))
        both = self.command_valid & self.activations_valid & self.weights_valid
        has_room = ~ends_tile | (under_way != self.room)
        m.d.comb += [
            self.slice_valid.eq(both & has_room),
            self.slice_last.eq(ends_tile),
            self.slice_exact.eq(command.exact),
            self.tile.sums.eq(command.sums),
            self.tile.encoded.eq(command.encoded),
            self.tile.ends_column.eq(ends_column),
            self.tile.ends_command.eq(ends_command),
            self.waits_for_activations.eq(self.command_valid & ~self.activations_valid),
            self.waits_for_weights.eq(
                self.command_valid & self.activations_valid & ~self.weights_valid
            ),
            self.waits_for_output.eq(both & ~has_room),
        ]

        # They go.
        starts = Signal()
        with m.If(self.slice_valid & self.slice_ready):
            m.d.sync += slice_number.eq(slice_number + 1)
            with m.If(ends_tile):
                m.d.comb += [starts.eq(1), self.command_ready.eq(ends_command)]
                m.d.sync += [slice_number.eq(1), tile_m.eq(tile_m + 1)]
                with m.If(ends_column):
                    m.d.sync += [tile_m.eq(1), tile_n.eq(tile_n + 1)]
                    with m.If(ends_command):
                        m.d.sync += tile_n.eq(1)
        m.d.sync += under_way.eq(under_way + starts - self.finished)
        return m
