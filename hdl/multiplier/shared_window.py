"""The multiplier of pairs that share one window: sums first, one shift after."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from golden.format import SparqFormat
from hdl.elements import Elements, structure
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.multiplier.lane_signs import SignedLane, bias_of, with_sign
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, named, stage
from hdl.multiplier.number_form import NumberForm
from hdl.multiplier.selected_rows import pair_code, pair_lines, pair_multiples, pair_of, pair_rows
from hdl.multiplier.staged_shift import StagedShift
from hdl.placement import place


class SharedWindow(Multiplier):
    """Encoded pairs that share a shift, times their weights, by distributed arithmetic.

    The lanes of a pair have one shift, so that each pair of their bits selects none, one or the sum
    of two weights, which travels with them. All is added before it is shifted once. The activation
    code has the lanes of all pairs, then one control code, then the signs of all lanes.

    A negative lane inverts its weight, which is in offset form. The sum of two weights then depends
    on signs, so that it is made here, and weights travel alone.

    Parameters
    ----------
    fmt : SparqFormat
        One with ``shared_shift``.
    weight_bits : int
    pairs : int, from 1
        Pairs per cycle, at most those of a group, which must be a multiple of them.
    """

    form = NumberForm.OFFSET_BINARY
    sum_inverted = False

    def __init__(self, fmt: SparqFormat, weight_bits: int, pairs: int = 1):
        if fmt.group % (2 * pairs):
            raise ValueError(f"pairs must divide a group of {fmt.group // 2}, not {pairs}")
        self.fmt = self.stored_format = fmt
        self.signed_format = fmt if fmt.signed else None
        self.shared_bits = fmt.magnitude_bits
        self.weight_bits = weight_bits
        self.pairs = pairs
        self.k_per_cycle = 2 * pairs
        self.activation_code_bits = self.k_per_cycle * fmt.window_bits + fmt.control_bits
        if fmt.signed:
            self.activation_code_bits += self.k_per_cycle
        self.weight_code_bits = pairs * (2 * weight_bits if fmt.signed else 3 * weight_bits + 1)
        self.row_scale = 1 if fmt.signed else 1 << (weight_bits - 1)
        self._shift = StagedShift(fmt.lane_shifts, stages=1)
        self.slices_per_group = fmt.group // self.k_per_cycle
        self._total_bits = fmt.window_bits + weight_bits + 1 + (pairs - 1).bit_length()
        self.sum_bits = fmt.lane_shifts[-1] + self._total_bits
        self.row_bias_width = fmt.lane_shifts[-1] + fmt.window_bits + self.k_per_cycle - 1
        if fmt.signed:
            self.row_bias_width = self.sum_bits - 1

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return [(self.sum_bits, 0)]

    @property
    def activations(self) -> Elements:
        return Elements(self.fmt.activation_bits).repeated("step", self.k_per_cycle)

    @property
    def activation_elements(self) -> Elements:
        lanes = [(f"x{lane}", self.fmt.window_bits) for lane in range(self.k_per_cycle)]
        signs = [(f"sign{lane}", 1) for lane in range(self.k_per_cycle) if self.fmt.signed]
        return structure(*lanes, ("control", self.fmt.control_bits), *signs)

    @property
    def weight_elements(self) -> Elements:
        if self.fmt.signed:
            return super().weight_elements
        bits = self.weight_bits
        pair = structure(("weight0", bits), ("weight1", bits), ("sum", bits + 1))
        return pair.repeated("pair", self.pairs)

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        if self.fmt.group == self.k_per_cycle > 2:
            shared = named(m, "shared", self.shares(activations))
        codes = []
        for index in range(self.pairs):
            encoder = PairEncoder(self.fmt)
            place(m, platform, f"pair_encoder{index}", encoder)
            pair_bits = len(encoder.activations)
            m.d.comb += encoder.activations.eq(activations.word_select(index, pair_bits))
            if self.fmt.group > 2:
                m.d.comb += encoder.shared.eq(shared)
            codes.append(encoder.pair)
        return self._joined(codes)

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        return self._joined(self._loaded(m, platform, stored))

    def shares(self, activations: Value) -> Value:
        pair_bits = 2 * self.fmt.activation_bits
        pairs = [activations.word_select(index, pair_bits) for index in range(self.pairs)]
        return reduce(or_, (PairEncoder.shares(self.fmt, pair) for pair in pairs))

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        words = self.form.words(weights, self.weight_bits)
        if self.fmt.signed:
            return Cat(words)
        pairs = zip(words[::2], words[1::2], strict=True)
        return Cat(pair_code(first, second, self.sum_inverted) for first, second in pairs)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        rows: list[Addend] = []
        for index in range(self.pairs):
            multiples = self._multiples(m, platform, activation, weight, index)
            lines = self._lines(m, activation, index)
            rows += pair_rows(m, f"products{index}", lines, *multiples)
            rows += self._negative_lanes(m, activation, index)
        total = self.form.total(m, platform, "products", rows, self._total_bits)
        total = self.form.number(stage(m, "products", total, registered))
        shift = stage(m, "shift", self._shift_lines(activation), registered)
        placed = self._shift.shifted(m, "products", total, shift)
        return [(named(m, "placed", self.form.unsigned(placed)), 0)]

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        """The sum of the lanes, shifted by their ShiftCtrl; of signed ones each times
        2^(weight_bits - 1), or one less where it is negative.
        """
        pairs = [pair_of(self._lines(m, activation, index)) for index in range(self.pairs)]
        lanes = [lane for pair in pairs for lane in pair]
        total = named(m, "lanes", self._bias(lanes, activation))
        shift = named(m, "lane_shift", self._shift_lines(activation))
        return self._shift.shifted(m, "lanes", total, shift)

    def _bias(self, lanes: Sequence[Value], activation: Value) -> Value:
        """What lanes add beside their products, before it is shifted, in units of row_scale."""
        if not self.fmt.signed:
            return sum(lanes[1:], start=lanes[0])
        signed = map(SignedLane, lanes, self._signs(activation))
        return bias_of(list(signed), self.weight_bits)

    def _multiples(
        self, m: Module, platform: Any, activation: Value, weight: Value, pair: int
    ) -> Iterable[Value]:
        """Both weights that the lanes of a pair meet, and their sum."""
        if not self.fmt.signed:
            code = weight.word_select(pair, 3 * self.weight_bits + 1)
            return map(self.form.number, pair_multiples(code, self.sum_inverted))
        signs = self._signs(activation)
        first, second = (
            with_sign(weight.word_select(lane, self.weight_bits), signs[lane])
            for lane in (2 * pair, 2 * pair + 1)
        )
        first, second = named(m, f"first{pair}", first), named(m, f"second{pair}", second)
        bits = self.weight_bits + 1
        both = self.form.total(m, platform, f"both{pair}", [(first, 0), (second, 0)], bits)
        return map(self.form.number, (first, second, both))

    def _negative_lanes(self, m: Module, activation: Value, pair: int) -> list[Addend]:
        """What inverted weights lack where no bias makes up for it."""
        return []

    def _signs(self, activation: Value) -> list[Value]:
        """Of each lane, whether it is negative; none in an unsigned format."""
        return list(activation[self.k_per_cycle * self.fmt.window_bits + self.fmt.control_bits :])

    def _loaded(self, m: Module, platform: Any, stored: Value) -> list[Value]:
        """The encoded pairs."""
        pairs: list[Value] = []
        for index in range(self.pairs):
            decoder = StoredPairDecoder(self.fmt)
            place(m, platform, f"stored_pair_decoder{index}", decoder)
            word = stored.word_select(index, self.fmt.stored_pair_bits)
            m.d.comb += decoder.stored.eq(word)
            pairs.append(decoder.pair)
        return pairs

    def _joined(self, pairs: Sequence[Value]) -> Value:
        """The lanes of encoded pairs, the control code that all have, and the signs."""
        lane_bits, below = 2 * self.fmt.window_bits, self.fmt.unsigned_pair_bits
        lanes, signs = [pair[:lane_bits] for pair in pairs], [pair[below:] for pair in pairs]
        return Cat(*lanes, pairs[0][lane_bits:below], *signs)

    def _lines(self, m: Module, activation: Value, pair: int) -> Value:
        """The lines of a pair, see :func:`pair_lines`, from an activation code."""
        lanes = [activation.word_select(2 * pair + i, self.fmt.window_bits) for i in range(2)]
        return named(m, f"lines{pair}", pair_lines(*lanes))

    def _control(self, activation: Value) -> Value:
        """The control code in an activation code."""
        start = self.k_per_cycle * self.fmt.window_bits
        return activation[start : start + self.fmt.control_bits]

    def _shift_lines(self, activation: Value) -> Value:
        """The lines of the shift, see :class:`StagedShift`, from an activation code."""
        code = self._control(activation)
        indices = range(len(self.fmt.lane_shifts))
        return Cat(code == index for index in indices) if len(code) else Const(1, 1)
