# amaranth: UnusedElaboratable=no
# Replicas may stand for what is emitted once, and are then never elaborated.
"""The SPARQ processing element."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data

from golden.format import SparqFormat
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.pair_layout import pair_layout
from hdl.hierarchy import place
from hdl.pe.contract import ProcessingElement
from hdl.pe.shared_shift_multiplier import SharedShiftMultiplier
from hdl.pe.shift_add_multiplier import ShiftAddMultiplier


class SparqPe(ProcessingElement):
    """One encoded pair times two weights per cycle; equals ``golden.sparq_matmul``.

    Each lane multiplies the weight that its MuxCtrl selects and shifts the product by its
    ShiftCtrl; lanes that always share a window are added first and shifted once. Contract, members
    and latency as :class:`ProcessingElement`; the activation code is the packed pair
    (``fmt.pair_layout``), made by a :class:`PairEncoder` at the row's edge.

    Parameters
    ----------
    fmt : SparqFormat
    weight_bits, acc_bits : int
    """

    k_per_cycle = 2

    def __init__(self, fmt: SparqFormat, weight_bits: int = 8, acc_bits: int = 32):
        self.fmt = fmt
        super().__init__(activation_bits=fmt.pair_bits, weight_bits=weight_bits, acc_bits=acc_bits)

    def replica(self) -> "SparqPe":
        return SparqPe(self.fmt, self.weight_bits, self.acc_bits)

    @property
    def slices_per_group(self) -> int:  # type: ignore[override]  # one for most elements
        return max(1, self.fmt.group // 2)

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        encoder = PairEncoder(self.fmt)
        place(m, platform, "pair_encoder", encoder)
        m.d.comb += encoder.activations.eq(activations)
        if self.fmt.group > 2:
            m.d.comb += encoder.shared.eq(shared)
        return encoder.pair

    def shares(self, activations: Value) -> Value:
        return PairEncoder.shares(self.fmt, activations)

    def dot_product(self, m: Module, platform: Any) -> Value:
        pair = data.View(pair_layout(self.fmt), self.activation_in)
        weights = self.weights()
        if self.fmt.shared_shift:
            shared = SharedShiftMultiplier(self.fmt, self.weight_bits)
            place(m, platform, "multiplier", shared)
            m.d.comb += [shared.x0.eq(pair.x0), shared.x1.eq(pair.x1)]
            m.d.comb += [shared.weight0.eq(weights[0]), shared.weight1.eq(weights[1])]
            if self.fmt.shift_ctrl_bits:
                m.d.comb += shared.shift_ctrl.eq(pair.shift)
            return shared.product

        products = []
        for lane in range(2):
            weight = Signal(signed(self.weight_bits), name=f"weight{lane}")
            if self.fmt.vsparq:
                m.d.comb += weight.eq(Mux(pair[f"mux{lane}"], weights[1], weights[0]))
            else:
                m.d.comb += weight.eq(weights[lane])

            multiplier = ShiftAddMultiplier(self.fmt, self.weight_bits)
            place(m, platform, f"multiplier{lane}", multiplier)
            m.d.comb += [multiplier.x.eq(pair[f"x{lane}"]), multiplier.weight.eq(weight)]
            if self.fmt.shift_ctrl_bits:
                m.d.comb += multiplier.shift_ctrl.eq(pair[f"shift{lane}"])
            products.append(multiplier.product)
        return products[0] + products[1]
