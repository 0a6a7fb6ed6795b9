"""The multiplier of pairs that share one window, which is broadcast ready to be multiplied."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Value

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.arithmetic.bit_heap import total_of
from hdl.broadcast.selected_rows import LINES, pair_code, pair_lines, pair_of, pair_rows
from hdl.broadcast.staged_shift import StagedShift
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.multiplier.multiplier import Addend, named, offset_binary, stage
from hdl.multiplier.shared_window import SharedWindow
from hdl.placement import place


class DecodedSharedWindow(SharedWindow):
    """As :class:`SharedWindow`; lines that select weights and the shift travel instead of windows.

    What is broadcast costs wires, not registers in every unit. And a placement is found once for
    all pairs. The sum of two weights travels inverted.
    """

    signed = False

    def __init__(self, fmt: SparqFormat, weight_bits: int, pairs: int = 1):
        super().__init__(fmt, weight_bits, pairs)
        self._shift = StagedShift(fmt.lane_shifts)
        self._lines_bits = LINES * fmt.window_bits
        self.activation_code_bits = pairs * self._lines_bits + self._shift.lines

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
        pairs = zip(windows[::2], windows[1::2], strict=True)
        placement = named(m, "placement", detector.placement)
        return Cat(*(pair_lines(*pair) for pair in pairs), self._shift.select(placement))

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        words = offset_binary(weights, self.weight_bits)
        return Cat(map(pair_code, words[::2], words[1::2]))

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: bool
    ) -> list[Addend]:
        rows = [
            row
            for index in range(self.pairs)
            for row in pair_rows(
                m,
                f"products{index}",
                self._lines(activation, index),
                weight.word_select(index, 3 * self.weight_bits + 1),
                self.signed,
            )
        ]
        total = stage(m, "products", self._sum(m, platform, rows), registered)
        shift = stage(m, "shift", self._selects(activation), registered)
        return [(named(m, "placed", self._placed(m, total, shift)), 0)]

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        pairs = [pair_of(self._lines(activation, index)) for index in range(self.pairs)]
        lanes = [lane for pair in pairs for lane in pair]
        total = named(m, "lanes", sum(lanes[1:], start=lanes[0]))
        return self._shift.shifted(m, "lanes", total, self._selects(activation))

    def _sum(self, m: Module, platform: Any, rows: Sequence[Addend]) -> Value:
        """The sum of all rows."""
        return total_of(m, platform, "products", rows, self._total_bits)

    def _placed(self, m: Module, total: Value, shift: Value) -> Value:
        """The sum, shifted, as an unsigned addend."""
        return self._shift.shifted(m, "products", total, shift)

    def _lines(self, activation: Value, pair: int) -> Value:
        """The lines of a pair."""
        return activation.word_select(pair, self._lines_bits)

    def _selects(self, activation: Value) -> Value:
        """The lines of the shift."""
        return activation[self.pairs * self._lines_bits :]
