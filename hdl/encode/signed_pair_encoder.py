"""Two signed or affine bytes in, one encoded pair out."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.elements import Elements, structure
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.sign_magnitude import SignMagnitude
from hdl.placement import Component, place


class SignedPairEncoder(Component):
    """Encodes a pair of bytes of a signed format.

    Combinational; equals ``golden.pack_pairs(golden.encode_pairs(x, fmt, zero_point), fmt)``.

    Parameters
    ----------
    fmt : SparqFormat
        A signed one.

    Members
    -------
    bytes : In(16)
        Two activations, as :class:`SignMagnitude` takes them, that of the lower step of the
        reduction low.
    zero_point : In(8)
        The byte that stands for 0, unsigned. Only where magnitudes have 8 bits.
    pair : Out(fmt.pair_bits)
        The encoded pair: lane 0, lane 1, the code of their ShiftCtrl and MuxCtrl, and their signs.
    shared : In(fmt.magnitude_bits)
        The OR of the magnitudes of all pairs of the group; with vSPARQ, pairs with a zero count as
        zero. Only where a group has more than one pair.

    Attributes
    ----------
    elements : dict
        Of each port, in the order of the signature, the :class:`Elements` of its word.
    """

    module_name = "signed_pair_encoder"

    def __init__(self, fmt: SparqFormat):
        if not fmt.signed:
            raise ValueError(f"fmt must be signed, not {fmt}")
        self.fmt = fmt
        byte = Elements(ACTIVATION_BITS, signed=not fmt.takes_zero_point)
        self.elements = {"bytes": byte.repeated("step", 2)}
        members = {"bytes": In(2 * ACTIVATION_BITS)}
        if fmt.takes_zero_point:
            self.elements["zero_point"] = Elements(ACTIVATION_BITS)
            members["zero_point"] = In(ACTIVATION_BITS)
        self.elements["pair"] = structure(*fmt.pair_layout)
        members["pair"] = Out(fmt.pair_bits)
        if fmt.group > 2:
            self.elements["shared"] = Elements(fmt.magnitude_bits)
            members["shared"] = In(fmt.magnitude_bits)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        activations = []
        for index in range(2):
            split = SignMagnitude(self.fmt)
            place(m, platform, f"sign_magnitude{index}", split)
            m.d.comb += split.value.eq(self.bytes.word_select(index, ACTIVATION_BITS))
            if self.fmt.takes_zero_point:
                m.d.comb += split.zero_point.eq(self.zero_point)
            activations.append(split.activation)

        encoder = PairEncoder(self.fmt)
        place(m, platform, "pair_encoder", encoder)
        m.d.comb += [encoder.activations.eq(Cat(activations)), self.pair.eq(encoder.pair)]
        if self.fmt.group > 2:
            m.d.comb += encoder.shared.eq(self.shared)
        return m
