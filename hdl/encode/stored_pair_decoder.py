"""From the stored word of a pair to the pair as the array carries it."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat
from hdl.elements import Elements, structure
from hdl.encode.sum_of_products import translated
from hdl.placement import Component


class StoredPairDecoder(Component):
    """Puts back what a stored pair leaves out: equals ``pack_pairs(load_pairs(words, fmt), fmt)``.

    Combinational. Of words of no pair the output may be anything. With shared windows, and where
    no layout saves bits, a stored word is the encoded pair with some bits inverted.

    Parameters
    ----------
    fmt : SparqFormat

    Members
    -------
    stored : In(fmt.stored_pair_bits)
        The pair as memories and streams have it; 0 is a pair of zeros.
    pair : Out(fmt.pair_bits)
        The encoded pair: lane 0, lane 1, the code of their ShiftCtrl and MuxCtrl, signs if any.

    Attributes
    ----------
    elements : dict
        Of each port, in the order of the signature, the :class:`Elements` of its word.
    """

    module_name = "stored_pair_decoder"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        self.elements = {
            "stored": Elements(fmt.stored_pair_bits),
            "pair": structure(*fmt.pair_layout),
        }
        super().__init__({"stored": In(fmt.stored_pair_bits), "pair": Out(fmt.pair_bits)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.fmt
        if fmt.stored_words:
            table = {stored: packed for packed, stored in fmt.stored_words.items()}
            bits = fmt.unsigned_stored_bits
            pair: list[Value] = list(translated(self.stored[:bits], table, fmt.unsigned_pair_bits))
            if fmt.signed:
                # A bit may be a product of another one's sum: within a port that looks like a loop.
                wires = [Signal(name=f"pair_{index}") for index in range(len(pair))]
                m.d.comb += [wire.eq(bit) for wire, bit in zip(wires, pair, strict=True)]
                pair = list(wires)
            m.d.comb += self.pair.eq(Cat(*pair, self.stored[bits:]))
        else:
            m.d.comb += self.pair.eq(self.stored ^ fmt.stored_inversion)
        return m
