"""From a stored pair to the two bytes that it stands for."""

from typing import Any

from amaranth.hdl import Module, Mux
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.elements import Elements
from hdl.encode.control_decoder import ControlDecoder
from hdl.encode.pair_layout import pair_layout
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.multiplier.shift_add_multiplier import shifted
from hdl.placement import Component, place


class PairBytes(Component):
    """Decodes a stored pair: equals ``golden.decode_pairs(golden.load_pairs(stored, fmt), fmt)``.

    Combinational. Of words of no pair the output may be anything.

    Parameters
    ----------
    fmt : SparqFormat
        Not a signed one.

    Members
    -------
    stored : In(fmt.stored_pair_bits)
        The pair as memory has it; 0 is a pair of zeros.
    activations : Out(16)
        The bytes of both activations, each in its window, that of the first low.
    """

    module_name = "pair_bytes"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        self.elements = {
            "stored": Elements(fmt.stored_pair_bits),
            "activations": Elements(ACTIVATION_BITS).repeated("step", 2),
        }
        super().__init__({"stored": In(fmt.stored_pair_bits), "activations": Out(16)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        load, control = StoredPairDecoder(self.fmt), ControlDecoder(self.fmt)
        place(m, platform, "stored_pair_decoder", load)
        place(m, platform, "control_decoder", control)
        pair = data.View(pair_layout(self.fmt), load.pair)
        m.d.comb += load.stored.eq(self.stored)
        if self.fmt.control_bits:
            m.d.comb += control.control.eq(pair.control)

        # Each lane where its window stands, for the one of both that it belongs to.
        shifts = self.fmt.lane_shifts
        lanes = []
        for lane in range(2):
            code, mux = getattr(control, f"shift{lane}"), getattr(control, f"mux{lane}")
            selects = [code == index for index in range(len(shifts))]
            value = shifted(pair[f"x{lane}"], selects, shifts)[:ACTIVATION_BITS]
            lanes.append((Mux(mux, 0, value), Mux(mux, value, 0)))
        (first0, second0), (first1, second1) = lanes
        m.d.comb += self.activations.word_select(0, ACTIVATION_BITS).eq(first0 | first1)
        m.d.comb += self.activations.word_select(1, ACTIVATION_BITS).eq(second0 | second1)
        return m
