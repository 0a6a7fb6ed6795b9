"""Where the window of an activation stands."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.placement import Component


class LeadingOneDetector(Component):
    """Finds the lowest placement of a window that still contains the leading one.

    Combinational. ``placement`` has one bit per entry of ``placements``, exactly one of them set:
    that of the smallest shift ``s`` with ``value < 2**(window_bits + s)``.

    Parameters
    ----------
    window_bits : int
        Width of the window.
    placements : sequence of int
        Shifts the window may stand at, ascending, the last one reaching the highest bit
        (``SparqFormat.placements`` or ``.wide_placements``).
    value_bits : int
        Bits of an activation, or of its magnitude.

    Members
    -------
    value : In(value_bits), placement : Out(len(placements))
    """

    def __init__(
        self, window_bits: int, placements: Sequence[int], value_bits: int = ACTIVATION_BITS
    ):
        self.window_bits = window_bits
        self.placements = tuple(placements)
        super().__init__({"value": In(value_bits), "placement": Out(len(self.placements))})

    @property
    def module_name(self) -> str:
        shifts = "_".join(map(str, self.placements))
        return f"leading_one_detector_{self.window_bits}b_at_{shifts}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # exceeds[i]: the value does not fit the window at placement i, nor at any lower one.
        exceeds = Signal(len(self.placements) - 1)
        tops = [self.window_bits + shift for shift in self.placements[:-1]]
        m.d.comb += exceeds.eq(Cat(self.value[top:].any() for top in tops))
        m.d.comb += self.placement.eq(Cat(1, exceeds) & Cat(~exceeds, 1))
        return m
