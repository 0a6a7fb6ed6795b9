"""The multiplier of pairs that share one window: sums first, one shift after."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.elements import Elements, structure
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, named, stage
from hdl.multiplier.number_form import NumberForm
from hdl.multiplier.selected_rows import pair_code, pair_lines, pair_multiples, pair_of, pair_rows
from hdl.multiplier.staged_shift import StagedShift
from hdl.placement import place

PAIR_BITS = 2 * ACTIVATION_BITS


class SharedWindow(Multiplier):
    """Encoded pairs that share a shift, times their weights, by distributed arithmetic.

    The lanes of a pair have one shift, so that each pair of their bits selects none, one or the sum
    of two weights, which travels with them. All is added before it is shifted once. The activation
    code has the lanes of all pairs, then one control code.

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
        self.weight_bits = weight_bits
        self.pairs = pairs
        self.k_per_cycle = 2 * pairs
        self.activation_code_bits = self.k_per_cycle * fmt.window_bits + fmt.control_bits
        self.weight_code_bits = pairs * (3 * weight_bits + 1)
        self.row_scale = 1 << (weight_bits - 1)
        self._shift = StagedShift(fmt.lane_shifts, stages=1)
        self.slices_per_group = fmt.group // self.k_per_cycle
        self._total_bits = fmt.window_bits + weight_bits + 1 + (pairs - 1).bit_length()
        self.sum_bits = fmt.lane_shifts[-1] + self._total_bits
        self.row_bias_width = fmt.lane_shifts[-1] + fmt.window_bits + self.k_per_cycle - 1

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return [(self.sum_bits, 0)]

    @property
    def activation_elements(self) -> Elements:
        lanes = [(f"x{lane}", self.fmt.window_bits) for lane in range(self.k_per_cycle)]
        return structure(*lanes, ("control", self.fmt.control_bits))

    @property
    def weight_elements(self) -> Elements:
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
            m.d.comb += encoder.activations.eq(activations.word_select(index, PAIR_BITS))
            if self.fmt.group > 2:
                m.d.comb += encoder.shared.eq(shared)
            codes.append(encoder.pair)
        return self._joined(codes)

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        return self._joined(self._loaded(m, platform, stored))

    def shares(self, activations: Value) -> Value:
        pairs = [activations.word_select(index, PAIR_BITS) for index in range(self.pairs)]
        return reduce(or_, (PairEncoder.shares(self.fmt, pair) for pair in pairs))

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        words = self.form.words(weights, self.weight_bits)
        pairs = zip(words[::2], words[1::2], strict=True)
        return Cat(pair_code(first, second, self.sum_inverted) for first, second in pairs)

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        rows: list[Addend] = []
        for index in range(self.pairs):
            code = weight.word_select(index, 3 * self.weight_bits + 1)
            multiples = map(self.form.number, pair_multiples(code, self.sum_inverted))
            lines = self._lines(m, activation, index)
            rows += pair_rows(m, f"products{index}", lines, *multiples)
        total = self.form.total(m, platform, "products", rows, self._total_bits)
        total = self.form.number(stage(m, "products", total, registered))
        shift = stage(m, "shift", self._shift_lines(activation), registered)
        placed = self._shift.shifted(m, "products", total, shift)
        return [(named(m, "placed", self.form.unsigned(placed)), 0)]

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        """The sum of the lanes, each shifted by its ShiftCtrl."""
        pairs = [pair_of(self._lines(m, activation, index)) for index in range(self.pairs)]
        lanes = [lane for pair in pairs for lane in pair]
        total = named(m, "lanes", sum(lanes[1:], start=lanes[0]))
        shift = named(m, "lane_shift", self._shift_lines(activation))
        return self._shift.shifted(m, "lanes", total, shift)

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
        """The lanes of encoded pairs, and the control code that all have."""
        lane_bits = 2 * self.fmt.window_bits
        return Cat(*(pair[:lane_bits] for pair in pairs), pairs[0][lane_bits:])

    def _lines(self, m: Module, activation: Value, pair: int) -> Value:
        """The lines of a pair, see :func:`pair_lines`, from an activation code."""
        lanes = [activation.word_select(2 * pair + i, self.fmt.window_bits) for i in range(2)]
        return named(m, f"lines{pair}", pair_lines(*lanes))

    def _shift_lines(self, activation: Value) -> Value:
        """The lines of the shift, see :class:`StagedShift`, from an activation code."""
        code = activation[self.k_per_cycle * self.fmt.window_bits :]
        indices = range(len(self.fmt.lane_shifts))
        return Cat(code == index for index in indices) if len(code) else Const(1, 1)
