"""Two activations in, two lanes out, ready to be multiplied."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat
from hdl.encode.window import halves_of_window, signs_of, window_of_alone, windows_of_pair
from hdl.placement import Component


class LaneEncoder(Component):
    """Encodes a pair of activations as :class:`PairEncoder` does, without a control code.

    Where nothing stores or forwards a pair, a code as short as possible gains nothing: ShiftCtrl
    comes one-hot, as the placement of the window is found, and MuxCtrl beside it. Combinational.

    Parameters
    ----------
    fmt : SparqFormat

    Members
    -------
    activations : In(2 * fmt.activation_bits)
        Two activations as :class:`PairEncoder` takes them, the first (lower k) low.
    shared : In(fmt.magnitude_bits)
        As for :class:`PairEncoder`; only where ``fmt.group`` is above 2.
    lane0, lane1 : Out(lane_bits)
        The window, the left-shift (one-hot, an index into ``fmt.lane_shifts``), with vSPARQ
        MuxCtrl and in a signed format the sign; the window low. What a lane without a bit has as
        its sign does not count.
    """

    module_name = "lane_encoder"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        bits = self.lane_bits(fmt)
        members = {"activations": In(2 * fmt.activation_bits)}
        members |= {"lane0": Out(bits), "lane1": Out(bits)}
        if fmt.group > 2:
            members["shared"] = In(fmt.magnitude_bits)
        super().__init__(members)

    @staticmethod
    def lane_bits(fmt: SparqFormat) -> int:
        """Bits of a lane."""
        return fmt.window_bits + len(fmt.lane_shifts) + fmt.vsparq + fmt.signed

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.fmt
        shared = self.shared if fmt.group > 2 else None
        lanes = [
            Cat(window, self._shift(placement, fmt.placements))
            for window, placement in windows_of_pair(m, platform, fmt, self.activations, shared)
        ]
        signs = signs_of(fmt, self.activations)

        if fmt.vsparq:
            zero_detector, window, placement = window_of_alone(m, platform, fmt, self.activations)
            alone, owner = zero_detector.alone, zero_detector.owner
            high_shifts = [fmt.high_lane_shift(shift) for shift in fmt.wide_placements]
            halves = halves_of_window(fmt, window, placement)
            high = Cat(halves[0], self._shift(placement, high_shifts))
            low = Cat(halves[1], self._shift(placement, fmt.wide_placements))
            lanes = [
                Cat(Mux(alone, high, lanes[0]), alone & owner),
                Cat(Mux(alone, low, lanes[1]), ~alone | owner),
            ]
            signs = [sign | (alone & Cat(signs).any()) for sign in signs]

        if fmt.signed:
            lanes = [Cat(*lane) for lane in zip(lanes, signs, strict=True)]
        m.d.comb += [self.lane0.eq(lanes[0]), self.lane1.eq(lanes[1])]
        return m

    def _shift(self, placement: Value, shifts: Sequence[int]) -> Value:
        """The one-hot index in ``fmt.lane_shifts`` of the shift that ``placement`` selects."""
        return Cat(
            Cat(select for select, own in zip(placement, shifts, strict=True) if own == shift).any()
            for shift in self.fmt.lane_shifts
        )
