"""The multiplier of one SPARQ pair whose lanes are broadcast ready to be multiplied."""

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value

from golden.format import SparqFormat
from hdl.broadcast.lane_encoder import LaneEncoder
from hdl.encode.one_hot_decoder import one_hot
from hdl.multiplier.multiplier import Addend, AddendShape, named, stage
from hdl.multiplier.number_form import NumberForm
from hdl.multiplier.selected_rows import digit_lines, digit_lines_bits, digit_rows, digits_of
from hdl.multiplier.staged_shift import StagedShift
from hdl.multiplier.window_lanes import WindowLanes
from hdl.placement import place


class DecodedWindowLanes(WindowLanes):
    """As :class:`WindowLanes`; a lane is a few radix-4 digits, which select multiples of a weight.

    What is broadcast costs wires, not registers in every unit. So all travels decoded. The
    activation code has both lanes: lines of the digits (:func:`digit_lines`), then those of the
    shift (:class:`StagedShift`), then with vSPARQ one for either weight, then its sign if it has
    one. The weight code has both
    weights in their form, each followed by its triple (two bits wider, where there are digits of
    two bits), made once per column. A selector of weights inverts: where there is one, the weight
    travels inverted, otherwise its triple does, as a :func:`selected_row` likes it.

    A negative lane inverts its product where that has been shifted. What is missing is in the bias
    of the row, or in two's complement a one for each such lane.

    Parameters
    ----------
    fmt, weight_bits
        As of :class:`WindowLanes`.
    form : NumberForm
        Of the weights, their multiples and their products.
    """

    def __init__(
        self,
        fmt: SparqFormat,
        weight_bits: int,
        form: NumberForm = NumberForm.OFFSET_BINARY,
    ):
        super().__init__(fmt, weight_bits)
        self.form = form
        if fmt.signed:
            self.row_bias_width = self.sum_bits
        if form.is_signed:
            # Half the range of each lane's product, in every cycle.
            self.row_scale, self.column_scale = 0, 1 << (self.sum_bits - 2)
            self.row_bias_width, self.column_bias_width = 0, 2
        self._shift = StagedShift(fmt.lane_shifts)
        self._digits_bits = digit_lines_bits(fmt.window_bits)
        self._lane_bits = self._digits_bits + self._shift.lines + 2 * fmt.vsparq + fmt.signed
        self.activation_code_bits = 2 * self._lane_bits
        triple_bits = weight_bits + 2 if fmt.window_bits > 1 else 0
        self.weight_code_bits = 2 * (weight_bits + triple_bits)
        ones = (1 << weight_bits) - 1
        self._inverted = ones if fmt.vsparq else ((1 << triple_bits) - 1) << weight_bits

    @property
    def addend_shapes(self) -> list[AddendShape]:
        shapes = super().addend_shapes
        return shapes + 2 * [(1, 0)] if self._adds_signs else shapes

    @property
    def _adds_signs(self) -> bool:
        """Whether a negative lane adds a one."""
        return self.fmt.signed and self.form.is_signed

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        encoder = LaneEncoder(self.fmt)
        place(m, platform, "lane_encoder", encoder)
        m.d.comb += encoder.activations.eq(activations)
        if self.fmt.group > 2:
            m.d.comb += encoder.shared.eq(shared)
        middle = self.fmt.window_bits, self.fmt.window_bits + len(self.fmt.lane_shifts)
        mux, sign = middle[1], middle[1] + self.fmt.vsparq
        return self._decoded(
            (lane[: middle[0]], lane[middle[0] : mux], lane[mux:sign], lane[sign:])
            for lane in (encoder.lane0, encoder.lane1)
        )

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        pair = super().load(m, platform, stored)
        signs = self._signs(pair) or [Const(0, 0)] * 2
        lanes = []
        for lane, (window, index, mux) in enumerate(self._controlled(m, platform, pair)):
            shift = one_hot(m, platform, f"shift{lane}", index, len(self.fmt.lane_shifts))
            lanes.append((window, shift, mux, signs[lane]))
        return self._decoded(lanes)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        words = self.form.words(weights, self.weight_bits)
        triples = [word + (word << 1) for word in words]
        each = self.weight_code_bits // 2
        codes = [Cat(*both)[:each] for both in zip(words, triples, strict=True)]
        return Cat((code ^ self._inverted)[:each] for code in codes)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        codes = [weight.word_select(k, self.weight_code_bits // 2) for k in range(2)]
        addends: list[Addend] = []
        ones: list[Addend] = []
        for lane, (digits, shift, selects, sign) in enumerate(self._lines(activation)):
            code = codes[lane]
            if self.fmt.vsparq:
                code = Mux(selects[0], codes[0], 0) | Mux(selects[1], codes[1], 0)
            code = named(m, f"weight{lane}", (code ^ self._inverted)[: len(code)])
            multiples = code[: self.weight_bits], code[self.weight_bits :]
            rows = digit_rows(m, f"product{lane}", digits, *map(self.form.number, multiples))
            bits = self.fmt.window_bits + self.weight_bits
            product = self.form.total(m, platform, f"product{lane}", rows, bits)
            product = stage(m, f"product_sum{lane}", product, registered)
            shift = stage(m, f"shift_select{lane}", shift, registered)
            placed = self._shift.shifted(m, f"product{lane}", self.form.number(product), shift)
            placed = self.form.unsigned(placed)
            if self.fmt.signed:
                sign = stage(m, f"sign{lane}", sign, registered)
                placed ^= sign.replicate(len(placed))
                ones.append((sign, 0))
            addends.append((placed, 0))
        return addends + ones if self._adds_signs else addends

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        """The sum of the lanes, each shifted; of signed ones what they add with weights of 0."""
        if self.form.is_signed:
            return Const(0, 0)
        biases: list[Value] = []
        for lane, (digits, shift, _, sign) in enumerate(self._lines(activation)):
            x = named(m, f"x{lane}", digits_of(digits))
            bias = self._shift.shifted(m, f"lane{lane}", x, shift)
            if self.fmt.signed:
                bias = Cat(Const(0, self.weight_bits - 1), bias, Const(0, 1))
                bias ^= sign.replicate(len(bias))
            biases.append(bias)
        return biases[0] + biases[1]

    def column_bias(self, m: Module, platform: Any, weight: Value) -> Value:
        return Const(2) if self.form.is_signed else super().column_bias(m, platform, weight)

    def _decoded(self, lanes: Iterable[tuple[Value, Value, Value, Value]]) -> Value:
        """The activation code of lanes: windows, shifts (one-hot), MuxCtrl, and signs if any."""
        code: list[Value] = []
        for window, shift, mux, sign in lanes:
            code += [digit_lines(window), self._shift.select(shift)]
            code += [~mux, mux] if self.fmt.vsparq else []
            code.append(sign)
        return Cat(code)

    def _lines(self, activation: Value) -> list[tuple[Value, Value, Value, Value]]:
        """Of each lane: the lines of its digits, its shift and its weight, and its sign if any."""
        digits, weights = self._digits_bits, self._digits_bits + self._shift.lines
        sign = weights + 2 * self.fmt.vsparq
        lanes = [activation.word_select(lane, self._lane_bits) for lane in range(2)]
        return [
            (lane[:digits], lane[digits:weights], lane[weights:sign], lane[sign:]) for lane in lanes
        ]
