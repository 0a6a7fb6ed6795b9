"""The multiplier of one SPARQ pair whose lanes are broadcast ready to be multiplied."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Value

from golden.format import SparqFormat
from hdl.hierarchy import place
from hdl.multiplier.window_lanes import WindowLanes
from hdl.tensor.lane_encoder import LaneEncoder


class DecodedWindowLanes(WindowLanes):
    """As :class:`WindowLanes`; ShiftCtrl, one-hot, and MuxCtrl travel instead of a control code.

    What is broadcast costs wires, not registers in every unit. The activation code has the two
    lanes of a :class:`LaneEncoder`.
    """

    def __init__(self, fmt: SparqFormat, weight_bits: int):
        super().__init__(fmt, weight_bits)
        self.activation_code_bits = 2 * LaneEncoder.lane_bits(fmt)

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        encoder = LaneEncoder(self.fmt)
        place(m, platform, "lane_encoder", encoder)
        m.d.comb += encoder.activations.eq(activations)
        if self.fmt.group > 2:
            m.d.comb += encoder.shared.eq(shared)
        return Cat(encoder.lane0, encoder.lane1)

    def _lanes(self, m: Module, platform: Any, activation: Value) -> list[tuple[Value, ...]]:
        window_bits, shifts = self.fmt.window_bits, len(self.fmt.lane_shifts)
        lanes = []
        for lane in range(2):
            code = activation.word_select(lane, LaneEncoder.lane_bits(self.fmt))
            mux = code[-1] if self.fmt.vsparq else Const(lane, 1)
            lanes.append((code[:window_bits], code[window_bits : window_bits + shifts], mux))
        return lanes
