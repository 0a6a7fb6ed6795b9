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

    Combinational; equals ``golden.pack_pairs(golden.encode_pairs(x, fmt), fmt)``. With shared
    windows both activations stand at the lowest placement that fits all activations of the group.

    Parameters
    ----------
    fmt : SparqFormat

    Members
    -------
    activations : In(16)
        Two unsigned bytes, the first (lower k) in bits 0 to 7.
    pair : Out(fmt.pair_bits)
        Packed as ``fmt.pair_layout`` says.
    shared : In(8)
        The OR of the group's activations, of which those with a zero partner do not count if
        ``fmt.vsparq``; see :meth:`shares`. Only where ``fmt.group`` is above 2.
    """

    module_name = "pair_encoder"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        members = {"activations": In(2 * ACTIVATION_BITS), "pair": Out(fmt.pair_bits)}
        if fmt.group > 2:
            members["shared"] = In(ACTIVATION_BITS)
        super().__init__(members)

    @staticmethod
    def shares(fmt: SparqFormat, activations: Value) -> Value:
        """What a pair of ``activations`` (16 bits) contributes to ``shared``."""
        first, second = activations[:ACTIVATION_BITS], activations[ACTIVATION_BITS:]
        counts = first.any() & second.any() if fmt.vsparq else 1
        return Mux(counts, first | second, 0)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.fmt
        pair = data.View(pair_layout(fmt), self.pair)
        first = self.activations[:ACTIVATION_BITS]
        second = self.activations[ACTIVATION_BITS:]

        # Each activation in its own window, or in one that fits the largest of the group.
        both = first | second
        sized = [both if fmt.group == 2 else self.shared] * 2 if fmt.group > 1 else [first, second]
        lanes = []
        for lane, (value, size) in enumerate(zip((first, second), sized, strict=True)):
            window, placement = self._window(
                m, platform, f"lane{lane}", value, size, fmt.window_bits, fmt.placements
            )
            lanes.append((window, self._code(placement, fmt.placements)))

        if fmt.vsparq:
            # A partner of zero: the other activation (the OR of both) in a window of both lanes.
            zero_detector = PairZeroDetector()
            place(m, platform, "zero_detector", zero_detector)
            m.d.comb += [zero_detector.first.eq(first), zero_detector.second.eq(second)]
            m.d.comb += [pair.mux0.eq(zero_detector.mux0), pair.mux1.eq(zero_detector.mux1)]
            window, placement = self._window(
                m, platform, "both", both, both, 2 * fmt.window_bits, fmt.wide_placements
            )
            high_shifts = [fmt.high_lane_shift(shift) for shift in fmt.wide_placements]
            halves = [
                (window[fmt.window_bits :], self._code(placement, high_shifts)),
                (window[: fmt.window_bits], self._code(placement, fmt.wide_placements)),
            ]
            lanes = [
                tuple(Mux(zero_detector.alone, wide, own) for wide, own in zip(*lane, strict=True))
                for lane in zip(halves, lanes, strict=True)
            ]

        for lane, (window, shift_ctrl) in enumerate(lanes):
            m.d.comb += pair[f"x{lane}"].eq(window)
            if fmt.shift_ctrl_bits:
                field = "shift" if fmt.shared_shift else f"shift{lane}"
                if lane == 0 or not fmt.shared_shift:
                    m.d.comb += pair[field].eq(shift_ctrl)
        return m

    def _window(
        self,
        m: Module,
        platform: Any,
        name: str,
        value: Value,
        size: Value,
        window_bits: int,
        placements: Sequence[int],
    ) -> tuple[Value, Value]:
        """The window of ``value`` and its one-hot placement, which fits ``size`` as well."""
        detector = LeadingOneDetector(window_bits, placements)
        shifter = WindowShifter(window_bits, placements, self.fmt.rounding)
        place(m, platform, f"{name}_detector", detector)
        place(m, platform, f"{name}_shifter", shifter)
        m.d.comb += [
            detector.value.eq(size),
            shifter.value.eq(value),
            shifter.placement.eq(detector.placement),
        ]
        return shifter.window, detector.placement

    def _code(self, placement: Value, shifts: Sequence[int]) -> Value:
        """ShiftCtrl of the shift that the one-hot ``placement`` selects among ``shifts``."""
        codes = [self.fmt.lane_shifts.index(shift) for shift in shifts]
        pairs = zip(placement, codes, strict=True)
        return reduce(or_, (Mux(select, code, 0) for select, code in pairs))
