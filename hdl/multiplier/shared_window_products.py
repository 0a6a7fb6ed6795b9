"""The multiplier of pairs that share one window, by the operator ``*``."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Value, signed

from golden.format import SparqFormat
from hdl.arithmetic.signed_accumulator import balanced_sum
from hdl.elements import Elements
from hdl.multiplier.multiplier import (
    Addend,
    AddendShape,
    delayed,
    product,
    signed_words,
)
from hdl.multiplier.shared_window import SharedWindow
from hdl.multiplier.style import Style
from hdl.multiplier.window_shift import window_shift


class SharedWindowProducts(SharedWindow):
    """As :class:`SharedWindow`: products are added before they are shifted once.

    Weights travel as they are, and there is no bias. Registers stand as :func:`product` has them,
    and ShiftCtrl goes with it.
    """

    style = Style.BEHAVIORAL

    def __init__(self, fmt: SparqFormat, weight_bits: int, pairs: int = 1):
        super().__init__(fmt, weight_bits, pairs)
        self.weight_code_bits = self.k_per_cycle * weight_bits
        self.row_scale = self.row_bias_width = 0

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return [(signed(self.sum_bits), 0)]

    @property
    def weight_elements(self) -> Elements:
        return super(SharedWindow, self).weight_elements

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return weights

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        window_bits = self.fmt.window_bits
        lanes: list[Value] = [
            activation.word_select(k, window_bits) for k in range(self.k_per_cycle)
        ]
        signs = self._signs(activation)
        if signs:
            lanes = [Mux(sign, -lane, lane) for sign, lane in zip(signs, lanes, strict=True)]
        words = signed_words(weight, self.weight_bits)
        products = [
            product(m, f"product{k}", x, word, registered)
            for k, (x, word) in enumerate(zip(lanes, words, strict=True))
        ]
        total = balanced_sum(products)
        shift = delayed(m, "shift", self._control(activation), registered)
        return [(window_shift(m, "placed", total, shift, self.fmt.lane_shifts), 0)]

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0)
