"""Two unsigned bytes in, one encoded pair out."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.pair_layout import pair_layout
from hdl.encode.pair_zero_detector import PairZeroDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.hierarchy import place


class PairEncoder(wiring.Component):
    """Encodes a pair of activations: bSPARQ of each, or vSPARQ of the one that is not zero.

    Combinational; equals ``golden.pack_pairs(golden.encode_pairs(x, fmt), fmt)``.

    Parameters
    ----------
    fmt : SparqFormat

    Members
    -------
    activations : In(16)
        Two unsigned bytes, the first (lower k) in bits 0 to 7.
    pair : Out(fmt.pair_bits)
        Packed as ``fmt.pair_layout`` says.
    """

    module_name = "pair_encoder"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        super().__init__({"activations": In(2 * ACTIVATION_BITS), "pair": Out(fmt.pair_bits)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.fmt
        pair = data.View(pair_layout(fmt), self.pair)
        first = self.activations[:ACTIVATION_BITS]
        second = self.activations[ACTIVATION_BITS:]

        # Each activation in its own window.
        lanes = []
        for lane, value in enumerate((first, second)):
            window, placement = self._window(
                m, platform, f"lane{lane}", value, fmt.window_bits, fmt.placements
            )
            lanes.append((window, self._code(placement, fmt.placements)))

        if fmt.vsparq:
            # A partner of zero: the other activation (the OR of both) in a window of both lanes.
            zero_detector = PairZeroDetector()
            place(m, platform, "zero_detector", zero_detector)
            m.d.comb += [zero_detector.first.eq(first), zero_detector.second.eq(second)]
            m.d.comb += [pair.mux0.eq(zero_detector.mux0), pair.mux1.eq(zero_detector.mux1)]
            window, placement = self._window(
                m, platform, "both", first | second, 2 * fmt.window_bits, fmt.wide_placements
            )
            high_shifts = [fmt.high_lane_shift(shift) for shift in fmt.wide_placements]
            halves = [
                (window[fmt.window_bits :], self._code(placement, high_shifts)),
                (window[: fmt.window_bits], self._code(placement, fmt.wide_placements)),
            ]
            lanes = [
                tuple(Mux(zero_detector.alone, wide, own) for wide, own in zip(*both, strict=True))
                for both in zip(halves, lanes, strict=True)
            ]

        for lane, (window, shift_ctrl) in enumerate(lanes):
            m.d.comb += pair[f"x{lane}"].eq(window)
            if fmt.shift_ctrl_bits:
                m.d.comb += pair[f"shift{lane}"].eq(shift_ctrl)
        return m

    def _window(
        self,
        m: Module,
        platform: Any,
        name: str,
        value: Value,
        window_bits: int,
        placements: Sequence[int],
    ) -> tuple[Value, Value]:
        """Detector and shifter for ``value``: its window and the one-hot placement of it."""
        detector = LeadingOneDetector(window_bits, placements)
        shifter = WindowShifter(window_bits, placements, self.fmt.rounding)
        place(m, platform, f"{name}_detector", detector)
        place(m, platform, f"{name}_shifter", shifter)
        m.d.comb += [
            detector.value.eq(value),
            shifter.value.eq(value),
            shifter.placement.eq(detector.placement),
        ]
        return shifter.window, detector.placement

    def _code(self, placement: Value, shifts: Sequence[int]) -> Value:
        """ShiftCtrl of the shift that the one-hot ``placement`` selects among ``shifts``."""
        codes = [self.fmt.lane_shifts.index(shift) for shift in shifts]
        pairs = zip(placement, codes, strict=True)
        return reduce(or_, (Mux(select, code, 0) for select, code in pairs))
