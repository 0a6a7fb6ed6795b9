"""The multiplier of pairs that share one window, which is broadcast ready to be shifted to."""

from typing import Any

from amaranth.hdl import Cat, Module, Value

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.hierarchy import place
from hdl.multiplier.contract import named
from hdl.multiplier.shared_window import SharedWindow


class DecodedSharedWindow(SharedWindow):
    """As :class:`SharedWindow`; the shift travels one-hot, as the placement of the window is found.

    What is broadcast costs wires, not registers in every unit. And a placement is found once for
    all pairs.
    """

    def __init__(self, fmt: SparqFormat, weight_bits: int, pairs: int = 1):
        super().__init__(fmt, weight_bits, pairs)
        self._windows_bits = self.k_per_cycle * fmt.window_bits
        self.activation_code_bits = self._windows_bits + len(fmt.lane_shifts)

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        fmt = self.fmt
        detector = LeadingOneDetector(fmt.window_bits, fmt.placements)
        place(m, platform, "detector", detector)
        own = self.slices_per_group == 1
        m.d.comb += detector.value.eq(self.shares(activations) if own else shared)
        windows = []
        for k in range(self.k_per_cycle):
            shifter = WindowShifter(fmt.window_bits, fmt.placements, fmt.rounding)
            place(m, platform, f"shifter{k}", shifter)
            m.d.comb += shifter.value.eq(activations.word_select(k, ACTIVATION_BITS))
            m.d.comb += shifter.placement.eq(detector.placement)
            windows.append(shifter.window)
        return Cat(*windows, named(m, "placement", detector.placement))

    def _selects(self, activation: Value) -> Value:
        return activation[self._windows_bits :]
