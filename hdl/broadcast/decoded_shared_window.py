"""The multiplier of pairs that share one window, which is broadcast ready to be multiplied."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value

from golden.format import SparqFormat
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.one_hot_decoder import one_hot
from hdl.encode.window import signs_of
from hdl.encode.window_shifter import WindowShifter
from hdl.multiplier.multiplier import Addend, named
from hdl.multiplier.number_form import NumberForm
from hdl.multiplier.selected_rows import LINES, pair_lines, pair_of
from hdl.multiplier.shared_window import SharedWindow
from hdl.multiplier.staged_shift import StagedShift
from hdl.placement import place


class DecodedSharedWindow(SharedWindow):
    """As :class:`SharedWindow`; lines that select weights and the shift travel instead of windows.

    What is broadcast costs wires, not registers in every unit. And a placement is found once for
    all pairs. The sum of two weights travels inverted, but with signed lanes, on whose signs it
    depends. In two's complement an inverted weight is one less than the negated one, which adds the
    lane itself once more.

    Parameters
    ----------
    fmt, weight_bits, pairs
        As of :class:`SharedWindow`.
    form : NumberForm
        Of the weights, their sum and their products.
    """

    sum_inverted = True

    def __init__(
        self,
        fmt: SparqFormat,
        weight_bits: int,
        pairs: int = 1,
        form: NumberForm = NumberForm.OFFSET_BINARY,
    ):
        super().__init__(fmt, weight_bits, pairs)
        self.form = form
        self._shift = StagedShift(fmt.lane_shifts)
        self._lines_bits = LINES * fmt.window_bits
        self.activation_code_bits = pairs * self._lines_bits + self._shift.lines
        if fmt.signed:
            self.activation_code_bits += self.k_per_cycle
        if form.is_signed:
            # Half the range of the shifted sum, in every cycle.
            self.row_scale, self.column_scale = 0, 1 << (self.sum_bits - 1)
            self.row_bias_width, self.column_bias_width = 0, 1

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        fmt = self.fmt
        window = fmt.window_bits, fmt.placements
        detector = LeadingOneDetector(*window, fmt.magnitude_bits)
        place(m, platform, "detector", detector)
        own = self.slices_per_group == 1
        m.d.comb += detector.value.eq(self.shares(activations) if own else shared)
        windows: list[Value] = []
        for k in range(self.k_per_cycle):
            shifter = WindowShifter(*window, fmt.rounding, fmt.magnitude_bits)
            place(m, platform, f"shifter{k}", shifter)
            activation = activations.word_select(k, fmt.activation_bits)
            m.d.comb += shifter.value.eq(activation[: fmt.magnitude_bits])
            m.d.comb += shifter.placement.eq(detector.placement)
            windows.append(shifter.window)
        return self._decoded(m, windows, detector.placement, signs_of(fmt, activations))

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        bits, below = self.fmt.window_bits, self.fmt.unsigned_pair_bits
        pairs = self._loaded(m, platform, stored)
        windows = [pair.word_select(lane, bits) for pair in pairs for lane in range(2)]
        control = pairs[0][2 * bits : below]
        signs = [sign for pair in pairs for sign in pair[below:]]
        placement = one_hot(m, platform, "placement", control, len(self.fmt.lane_shifts))
        return self._decoded(m, windows, placement, signs)

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0) if self.form.is_signed else super().row_bias(m, platform, activation)

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(1) if self.form.is_signed else super().column_bias(m, platform, weight)

    def _decoded(
        self, m: Module, windows: Sequence[Value], placement: Value, signs: Sequence[Value]
    ) -> Value:
        """The activation code of windows that stand at one placement, one-hot, and their signs."""
        pairs = zip(windows[::2], windows[1::2], strict=True)
        placement = named(m, "placement", placement)
        return Cat(*(pair_lines(*pair) for pair in pairs), self._shift.select(placement), *signs)

    def _negative_lanes(self, m: Module, activation: Value, pair: int) -> list[Addend]:
        if not self.form.is_signed:
            return []
        signs = self._signs(activation)[2 * pair :]
        lanes = pair_of(self._lines(m, activation, pair))
        return [
            (Cat(Mux(sign, lane, 0), Const(0, 1)), 0)
            for sign, lane in zip(signs, lanes, strict=False)
        ]

    def _signs(self, activation: Value) -> list[Value]:
        return list(activation[self.pairs * self._lines_bits + self._shift.lines :])

    def _lines(self, m: Module, activation: Value, pair: int) -> Value:
        return activation.word_select(pair, self._lines_bits)

    def _shift_lines(self, activation: Value) -> Value:
        return activation[self.pairs * self._lines_bits :][: self._shift.lines]
