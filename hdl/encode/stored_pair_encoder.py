"""From a pair as the array carries it to its stored word."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat
from hdl.elements import Elements, structure
from hdl.encode.sum_of_products import translated
from hdl.placement import Component


class StoredPairEncoder(Component):
    """Leaves out what all pairs have: equals ``golden.store_pairs(unpack_pairs(pairs, fmt), fmt)``.

    Combinational; behind a :class:`PairEncoder`. Of words that it does not make the output may be
    anything. With shared windows, and where no layout saves bits, a stored word is the encoded pair
    with some bits inverted.

    Parameters
    ----------
    fmt : SparqFormat

    Members
    -------
    pair : In(fmt.pair_bits)
        The encoded pair: lane 0, lane 1, the code of their ShiftCtrl and MuxCtrl, signs if any.
    stored : Out(fmt.stored_pair_bits)
        The pair as memories and streams have it; 0 is a pair of zeros.

    Attributes
    ----------
    elements : dict
        Of each port, in the order of the signature, the :class:`Elements` of its word.
    """

    module_name = "stored_pair_encoder"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        self.elements = {
            "pair": structure(*fmt.pair_layout),
            "stored": Elements(fmt.stored_pair_bits),
        }
        super().__init__({"pair": In(fmt.pair_bits), "stored": Out(fmt.stored_pair_bits)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.fmt
        if fmt.stored_words:
            below, signs = self.pair[: fmt.unsigned_pair_bits], self.pair[fmt.unsigned_pair_bits :]
            stored = translated(below, fmt.stored_words, fmt.unsigned_stored_bits)
            m.d.comb += self.stored.eq(Cat(*stored, signs))
        else:
            m.d.comb += self.stored.eq(self.pair ^ fmt.stored_inversion)
        return m
