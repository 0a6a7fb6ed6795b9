"""The multiplier of one SPARQ pair by the operator ``*``: each lane has a window of its own."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Value, signed

from golden.format import SparqFormat
from hdl.multiplier.multiplier import Addend, AddendShape, delayed, product, signed_words
from hdl.multiplier.style import Style
from hdl.multiplier.window_lanes import WindowLanes
from hdl.multiplier.window_shift import window_shift


class WindowProducts(WindowLanes):
    """As :class:`WindowLanes`: an encoded pair times two weights, which travel as they are.

    There is no bias. Registers stand as :func:`product` has them, and ShiftCtrl goes with it.
    """

    style = Style.BEHAVIORAL

    def __init__(self, fmt: SparqFormat, weight_bits: int):
        super().__init__(fmt, weight_bits)
        self.row_scale = self.row_bias_width = 0

    @property
    def addend_shapes(self) -> list[AddendShape]:
        return 2 * [(signed(self.sum_bits - 1), 0)]

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        return weights

    def addends(
        self, m: Module, platform: Any, activation: Value, weight: Value, registered: int
    ) -> list[Addend]:
        first, second = signed_words(weight, self.weight_bits)
        signs = self._signs(activation)
        addends: list[Addend] = []
        for lane, (x, shift, mux) in enumerate(self._controlled(m, platform, activation)):
            if signs:
                x = Mux(signs[lane], -x, x)
            own = product(m, f"product{lane}", x, Mux(mux, second, first), registered)
            shift = delayed(m, f"shift{lane}", shift, registered)
            placed = window_shift(m, f"placed{lane}", own, shift, self.fmt.lane_shifts)
            addends.append((placed, 0))
        return addends

    def row_bias(self, m: Module, platform: Any, activation: Value) -> Value:
        return Const(0, 0)
