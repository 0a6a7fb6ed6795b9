"""Stored pairs in hardware: encoder and decoder of every pair; machines that take them."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import (
    NAMED_FORMATS,
    NamedFormat,
    SparqFormat,
    encode_pairs,
    named_format,
    pack_pairs,
    sparq_matmul,
    store_pairs,
)
from hdl import MacUnit, SystolicArray, TensorCore, sparq_mac
from hdl.broadcast.dot_product import dot_product
from hdl.encode.stored_pair_decoder import StoredPairDecoder
from hdl.encode.stored_pair_encoder import StoredPairEncoder
from hdl.multiplier.exact import Radix4
from hdl.multiplier.stored_activations import StoredActivations
from hdl.tile.tile_machine import TileMachine
from sim_tb.hdl.pysim import SEED, describe, pack, respond
from sim_tb.hdl.tiles import Tile, check_tiles, make_operands, slices_of
from sim_tb.oracle.random_formats import random_formats
from sim_tb.oracle.reference import assert_same

PAIRS = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
FORMATS = [
    *(
        named_format(name, rounding, vsparq)
        for name in NAMED_FORMATS
        for rounding in (True, False)
        for vsparq in (True, False)
    ),
    *(named_format(name, vsparq=mode, group=2) for name in NAMED_FORMATS for mode in (True, False)),
    *(named_format(name) for name in ("4:0,1,4", "5:0,1,2,3", "1:0,7", "2:0,1,2,4,5,6", "8:0")),
    *(fmt.sparq_format for fmt in random_formats(6, (1,))),
]


@pytest.mark.every(8)
@pytest.mark.parametrize("fmt", FORMATS, ids=describe)
def test_encoder_and_decoder(fmt: SparqFormat, checks: Any) -> None:
    """Of every word that a pair of bytes is encoded as."""
    encoded = encode_pairs(PAIRS, fmt)
    words, first = np.unique(pack_pairs(encoded, fmt)[:, 0], return_index=True)
    pairs, stored = words.tolist(), store_pairs(encoded, fmt)[first, 0].tolist()
    got = respond(StoredPairEncoder(fmt), [{"pair": word} for word in pairs])
    assert_same("stored", pairs, stored, [word["stored"] for word in got])
    got = respond(StoredPairDecoder(fmt), [{"stored": word} for word in stored])
    assert_same("pair", stored, pairs, [word["pair"] for word in got])
    checks(2 * len(words))


def stored_slices(x: Any, w: Any, step: int, fmt: SparqFormat, weight_bits: int) -> Any:
    """The slices of a tile with the stored pairs of its activations, encoded all at once."""
    slices = slices_of(x, w, step, weight_bits)
    padded = np.pad(x, ((0, 0), (0, -x.shape[1] % step)))
    stored: npt.NDArray[np.uint32] = store_pairs(encode_pairs(padded, fmt), fmt)
    count = step // 2
    for index, word in enumerate(slices):
        pairs = stored[:, index * count : (index + 1) * count]
        word["in_a"] = pack(pairs, fmt.stored_pair_bits)
    return slices


def check_machine(machine: TileMachine, fmt: SparqFormat, checks: Any) -> None:
    """Tiles of many lengths, with and without bubbles of garbage: no slice waits for its group."""
    rng = np.random.default_rng(SEED)
    step, weight_bits = machine.k_per_cycle, machine.mac.multiplier.weight_bits
    assert machine.max_stall_cycles == machine.rows - 1
    lengths = [1, 2 * step, 3, *(int(k) for k in rng.integers(1, 8 * step, 3)), 1, 37]
    operands = make_operands(rng, 2 * lengths, machine.rows, machine.cols, weight_bits)
    tiles = [
        Tile(stored_slices(x, w, step, fmt, weight_bits), sparq_matmul(x, w, fmt))
        for x, w in operands
    ]
    bubbles = [0.0] * len(lengths) + [0.4] * len(lengths)
    checks(check_tiles(machine, tiles, bubbles, 1, rng))


MODES = [
    *((name, True, 1) for name in NAMED_FORMATS),
    *((name, False, 1) for name in ("5opt", "3opt", "7opt")),
    *(("5opt", vsparq, group) for vsparq in (True, False) for group in (2, 8)),
    *(("6opt", False, 4), ("8:0", False, 4), ("4:0,1,4", True, 1)),
]


@pytest.mark.every(12)
@pytest.mark.parametrize(("name", "vsparq", "group"), MODES)
def test_array(name: str, vsparq: bool, group: int, checks: Any) -> None:
    unit = sparq_mac(name, True, vsparq, group, pipeline=group % 3, encoded_input=True)
    array = SystolicArray(2, 2, unit.mac)
    assert array.latency == 6 + unit.pipeline
    fmt = unit.sparq_format
    assert fmt is not None
    assert array.elements["in_a"].dimensions == (("row", 2), ("pair", 1))
    assert len(array.in_a) == 2 * fmt.stored_pair_bits
    check_machine(array, fmt, checks)


@pytest.mark.every(24)
@pytest.mark.parametrize(("name", "vsparq", "group"), MODES)
@pytest.mark.parametrize("pairs", [1, 4])
def test_tensor_core(name: str, vsparq: bool, group: int, pairs: int, checks: Any) -> None:
    unit = sparq_mac(name, False, vsparq, group, pairs=pairs, encoded_input=True)
    core = TensorCore(2, 1, unit.mac)
    assert core.latency == 4
    fmt = unit.sparq_format
    assert fmt is not None
    assert core.elements["in_a"].dimensions == (("row", 2), ("pair", pairs))
    assert len(core.in_a) == 2 * pairs * fmt.stored_pair_bits
    check_machine(core, fmt, checks)


def test_names() -> None:
    unit = sparq_mac("5opt", pairs=4, pipeline=1, encoded_input=True)
    assert unit.label == "sparq 5opt 4 pairs encoded input pipeline 1"
    assert unit.slug == "5opt_4pairs_encoded_input_p1"


SPARSE = dot_product("sparq", 2, named_format("5opt"), sparse=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MacUnit("8x8", encoded_input=True),
            "encoded_input must be False with pe '8x8', not True",
        ),
        (
            lambda: MacUnit(
                "sparq", format=NamedFormat("5opt"), pairs=2, sparse=True, encoded_input=True
            ),
            "encoded_input must be False where sparse, as activations are selected before they "
            "are encoded, not True",
        ),
        (
            lambda: StoredActivations(Radix4(8, 1)),
            "encoded activations need a multiplier of stored pairs, not Radix4",
        ),
        (
            lambda: StoredActivations(SPARSE),
            "encoded activations need a multiplier of stored pairs, not StructuredSelection",
        ),
        (lambda: Radix4(8, 1).stored_activations, "Radix4 takes no stored pairs"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
