"""The multiplier of one SPARQ pair: two lanes, each in a window of its own."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from golden.format import SparqFormat
from hdl.elements import Elements, structure
from hdl.encode.control_decoder import ControlDecoder
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.pair_layout import pair_layout
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.multiplier.lane_signs import SignedLane, bias_of, with_sign
from hdl.multiplier.multiplier import Addend, AddendShape, Multiplier, named
from hdl.multiplier.number_form import NumberForm
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier, shifted
from hdl.placement import place


class WindowLanes(Multiplier):
    """An encoded pair times two weights: each lane multiplies the weight that its MuxCtrl selects,
    and shifts the product by its ShiftCtrl. A negative lane inverts its weight, which is in offset
    form.
    """

    k_per_cycle = 2

    def __init__(self, fmt: SparqFormat, weight_bits: int):
        self.fmt = self.stored_format = fmt
        self.signed_format = fmt if fmt.signed else None
        self.shared_bits = fmt.magnitude_bits
        self.weight_bits = weight_bits
        self.activation_code_bits = fmt.pair_bits
        self.weight_code_bits = 2 * weight_bits
        self.row_scale = 1 if fmt.signed else 1 << (weight_bits - 1)
        self.slices_per_group = max(1, fmt.group // 2)
        self.sum_bits = fmt.lane_shifts[-1] + fmt.window_bits + weight_bits + 1
        self.row_bias_width = fmt.lane_shifts[-1] + fmt.window_bits + 1
        if fmt.signed:
            self.row_bias_width += weight_bits - 1

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return 2 * [(self.sum_bits - 1, 0)]

    @property
    def activations(self) -> Elements:
        return Elements(self.fmt.activation_bits).repeated("step", self.k_per_cycle)

    @property
    def activation_elements(self) -> Elements:
        return structure(*self.fmt.pair_layout)

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        encoder = PairEncoder(self.fmt)
        place(m, platform, "pair_encoder", encoder)
        m.d.comb += encoder.activations.eq(activations)
        if self.fmt.group > 2:
            m.d.comb += encoder.shared.eq(shared)
        return encoder.pair

    def shares(self, activations: Value) -> Value:
        return PairEncoder.shares(self.fmt, activations)

    def load(self, m: Module, platform: Any, stored: Value) -> Value:
        decoder = StoredPairDecoder(self.fmt)
        place(m, platform, "stored_pair_decoder", decoder)
        m.d.comb += decoder.stored.eq(stored)
        return decoder.pair

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return Cat(NumberForm.OFFSET_BINARY.words(weights, self.weight_bits))

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        weights = [weight.word_select(k, self.weight_bits) for k in range(2)]
        addends: list[Addend] = []
        signs = self._signs(activation)
        for lane, (x, shift, mux) in enumerate(self._lanes(m, platform, activation)):
            multiplier = ShiftAddMultiplier(self.fmt, self.weight_bits, bool(registered))
            place(m, platform, f"multiplier{lane}", multiplier)
            own = Mux(mux, weights[1], weights[0])
            m.d.comb += [
                multiplier.x.eq(x),
                multiplier.weight.eq(with_sign(own, signs[lane]) if signs else own),
                multiplier.shift.eq(shift),
            ]
            addends.append((multiplier.product, 0))
        return addends

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        """The sum of the lanes, each shifted by its ShiftCtrl; of signed ones each times
        2^(weight_bits - 1), or one less where it is negative.
        """
        first, second = (
            shifted(x, list(shift), self.fmt.lane_shifts)
            for x, shift, _ in self._lanes(m, platform, activation)
        )
        if not self.fmt.signed:
            return first + second
        lanes = zip((first, second), self._signs(activation), strict=True)
        return bias_of([SignedLane(*lane) for lane in lanes], self.weight_bits)

    def _signs(self, activation: Value) -> list[Value]:
        """Of each lane, whether it is negative; none in an unsigned format."""
        return list(activation[self.fmt.unsigned_pair_bits :])

    def _lanes(
        self, m: Module, platform: Any, activation: Value
    ) -> list[tuple[Value, Signal, Value]]:
        """Of each lane: x, the shift (one-hot), MuxCtrl."""
        lanes = []
        for lane, (x, code, mux) in enumerate(self._controlled(m, platform, activation)):
            indices = range(len(self.fmt.lane_shifts))
            shift = named(m, f"shift{lane}", Cat(code == index for index in indices))
            lanes.append((x, shift, mux))
        return lanes

    def _controlled(
        self, m: Module, platform: Any, activation: Value
    ) -> list[tuple[Value, Value, Value]]:
        """Of each lane: x, ShiftCtrl (an index into ``fmt.lane_shifts``), MuxCtrl."""
        pair = data.View(pair_layout(self.fmt), activation)
        decoder = ControlDecoder(self.fmt)
        place(m, platform, "control_decoder", decoder)
        if decoder.fmt.control_bits:
            m.d.comb += decoder.control.eq(pair.control)
        return [
            (pair[f"x{lane}"], getattr(decoder, f"shift{lane}"), getattr(decoder, f"mux{lane}"))
            for lane in range(2)
        ]
