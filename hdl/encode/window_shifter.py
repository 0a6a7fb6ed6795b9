"""Cutting the window out of an activation."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.placement import Component


class WindowShifter(Component):
    """Shifts the selected window of an activation down to bit 0, trimming or rounding the rest.

    Combinational; equals one row of ``golden.quantize.lane_table`` (or ``wide_table``). Rounding is
    half to even and saturates: the window never moves after rounding.

    Parameters
    ----------
    window_bits : int
        Width of the window.
    placements : sequence of int
        Shifts the window may stand at, ascending.
    rounding : bool
        Round (True) or trim (False).
    value_bits : int
        Bits of an activation, or of its magnitude.

    Members
    -------
    value : In(value_bits)
    placement : In(len(placements))
        One-hot, as :class:`LeadingOneDetector` gives it for ``value``.
    window : Out(window_bits)
    """

    def __init__(
        self,
        window_bits: int,
        placements: Sequence[int],
        rounding: bool,
        value_bits: int = ACTIVATION_BITS,
    ):
        self.window_bits = window_bits
        self.placements = tuple(placements)
        self.rounding = rounding
        super().__init__(
            {
                "value": In(value_bits),
                "placement": In(len(self.placements)),
                "window": Out(window_bits),
            }
        )

    @property
    def module_name(self) -> str:
        shifts = "_".join(map(str, self.placements))
        return f"window_shifter_{self.window_bits}b_at_{shifts}"

    def _selected(self, candidates: Sequence[Value]) -> Value:
        pairs = zip(self.placement, candidates, strict=True)
        return reduce(or_, (Mux(select, candidate, 0) for select, candidate in pairs))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        trimmed = Signal(self.window_bits)
        windows = [self.value[s : s + self.window_bits] for s in self.placements]
        m.d.comb += trimmed.eq(self._selected(windows))
        if not self.rounding:
            m.d.comb += self.window.eq(trimmed)
            return m

        round_up = Signal()
        increments = [
            self._increment(shift, window)
            for shift, window in zip(self.placements, windows, strict=True)
        ]
        m.d.comb += round_up.eq(self._selected(increments))
        m.d.comb += self.window.eq(trimmed + round_up)
        return m

    def _increment(self, shift: int, window: Value) -> Value:
        """Whether the window at ``shift`` is rounded up: above half, or at half and odd."""
        if shift == 0:
            return self.value[:0].any()
        half, rest, odd = self.value[shift - 1], self.value[: shift - 1].any(), self.value[shift]
        limit = min((1 << self.window_bits) - 1, (1 << len(self.value)) - 1 >> shift)
        return half & (rest | odd) & (window != limit)
