"""From the bytes of a row to its stored pairs."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.encode.pair_encoder import PairEncoder
from hdl.encode.stored_pair_encoder import StoredPairEncoder
from hdl.placement import Component, place


class ResultEncoder(Component):
    """Encodes adjacent columns: equals ``golden.store_pairs(encode_pairs(results, fmt), fmt)``.

    Combinational.

    Parameters
    ----------
    fmt : SparqFormat
    lanes : int
        Columns, a multiple of 2 and of ``fmt.group``.

    Members
    -------
    results : In(lanes * 8)
        Bytes, the lowest column low.
    pairs : Out(lanes // 2 * fmt.stored_pair_bits)
        Their stored pairs.
    """

    def __init__(self, fmt: SparqFormat, lanes: int):
        self.fmt = fmt
        self.lanes = lanes
        pairs = lanes // 2
        super().__init__(
            {"results": In(lanes * ACTIVATION_BITS), "pairs": Out(pairs * fmt.stored_pair_bits)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pairs = [
            self.results.word_select(index, 2 * ACTIVATION_BITS) for index in range(self.lanes // 2)
        ]
        for index, pair in enumerate(pairs):
            encoder = PairEncoder(self.fmt)
            store = StoredPairEncoder(self.fmt)
            place(m, platform, f"pair_{index}_encoder", encoder)
            place(m, platform, f"pair_{index}_store", store)
            m.d.comb += [
                encoder.activations.eq(pair),
                store.pair.eq(encoder.pair),
                self.pairs.word_select(index, self.fmt.stored_pair_bits).eq(store.stored),
            ]
            if self.fmt.group > 2:
                m.d.comb += encoder.shared.eq(self._shared(pairs, index))
        return m

    def _shared(self, pairs: list[Value], index: int) -> Value:
        """What the group of a pair shares."""
        per_group = self.fmt.group // 2
        first = index - index % per_group
        own = pairs[first : first + per_group]
        return reduce(or_, (PairEncoder.shares(self.fmt, pair) for pair in own))
