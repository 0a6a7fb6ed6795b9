"""Emitted encoders and decoders of stored pairs in a simulator: every pair in every format."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from amaranth.hdl import Module as AmaranthModule
from amaranth.lib.wiring import In, Out

from gen.verilog.emission import Emission
from golden import NAMED_FORMATS, NamedFormat, SparqFormat
from hdl import PairEncoder, StoredPairDecoder, StoredPairEncoder
from hdl.placement import Component, place
from sim_tb.rtl.runner import Module, run_bench

SEED = 7
Mode = tuple[str, bool, bool]
MODES: list[Mode] = [*product(NAMED_FORMATS, (True, False), (True, False)), ("4:0,1,4", True, True)]


class StoredPairs(Component):
    """A pair of bytes, encoded, stored and decoded again."""

    module_name = "stored_pairs"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        widths = {"stored": fmt.stored_pair_bits, "pair": fmt.pair_bits}
        outputs = {name: Out(width) for name, width in widths.items()}
        super().__init__({"activations": In(16), **outputs})

    def elaborate(self, platform: Any) -> AmaranthModule:
        m = AmaranthModule()
        encoder, store = PairEncoder(self.fmt), StoredPairEncoder(self.fmt)
        load = StoredPairDecoder(self.fmt)
        place(m, platform, "pair_encoder", encoder)
        place(m, platform, "stored_pair_encoder", store)
        place(m, platform, "stored_pair_decoder", load)
        m.d.comb += [
            encoder.activations.eq(self.activations),
            store.pair.eq(encoder.pair),
            load.stored.eq(store.stored),
            self.stored.eq(store.stored),
            self.pair.eq(load.pair),
        ]
        return m


def stored_pairs(mode: Mode) -> Module:
    """The emitted module, and its ports."""
    fmt = NamedFormat(*mode)
    component = StoredPairs(fmt.sparq_format)
    name = f"stored_pairs_{fmt.slug}"
    ports = [
        {"name": "activations", "direction": "input", "width": 16},
        {"name": "stored", "direction": "output", "width": len(component.stored)},
        {"name": "pair", "direction": "output", "width": len(component.pair)},
    ]
    return Module(name, Emission(name).verilog(component), ports)


@pytest.mark.full
def test_stored_pairs(checks: Callable[[int], None]) -> None:
    checks(
        run_bench(
            [stored_pairs(mode) for mode in MODES],
            "stored",
            seed=SEED,
            name="stored_pairs",
            parameters={"formats": MODES},
            testcase="every_pair",
        )
    )
