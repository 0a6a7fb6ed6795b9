"""Dot-product units and tensor cores in Amaranth's simulator, against the golden model."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import golden
from golden import SparqFormat, exact_matmul, named_format, sparq_matmul, sparq_matmul_2_4
from hdl.array.systolic_array import SystolicArray
from hdl.broadcast.dot_product import DOT_PRODUCTS, SPARSE_MULTIPLIERS, dot_product
from hdl.broadcast.multiplier_bank import MultiplierBank
from hdl.broadcast.structured_selection import StructuredSelection
from hdl.multiplier.booth import Booth
from hdl.multiplier.exact import Radix4
from hdl.multiplier.mac import Mac
from hdl.multiplier.shared_window import SharedWindow
from hdl.multiplier.style import Style
from hdl.multiplier.window_lanes import WindowLanes
from hdl.tensor.sparse_tensor_core import SparseTensorCore
from hdl.tensor.tensor_core import TensorCore
from sim_tb.hdl.operands import effective
from sim_tb.hdl.pysim import clock, describe, signed
from sim_tb.hdl.tiles import Tile, check_tiles, make_operands, pack_2_4, slices_of
from sim_tb.oracle.random_formats import random_formats

SEED = 21
NO_FORMAT = named_format("5opt")
CUSTOM = [
    SparqFormat(1, (0, 2, 3, 7)),
    SparqFormat(3, (0, 1, 2, 4, 5), rounding=False),
    SparqFormat(5, (0, 1, 2, 3), vsparq=False),
    SparqFormat(7, (0, 1), group=4),
    SparqFormat(3, (0, 1, 2, 3, 4, 5, 6), group=2, vsparq=False),
]


@dataclass(frozen=True)
class Core:
    """A tensor core to test; the names of its exact multipliers are the factory's."""

    name: str
    fmt: SparqFormat = NO_FORMAT
    pairs: int = 2
    rows: int = 1
    cols: int = 1
    pipeline: int = 0
    weight_bits: int = 8
    acc_bits: int = 32
    multiplier: str | None = None
    sparse: bool = False
    style: Style = Style.STRUCTURAL

    def __str__(self) -> str:
        name = describe(self.fmt) if self.name == "sparq" else f"{self.name}-{self.multiplier}"
        kind = "sparse" if self.sparse else "dense"
        size = f"{self.pairs}p-{self.rows}x{self.cols}"
        return f"{kind}-{name}-{size}-w{self.weight_bits}-acc{self.acc_bits}-{self.style}"

    def component(self) -> TensorCore:
        product = dot_product(
            self.name,
            self.pairs,
            self.fmt,
            self.weight_bits,
            self.sparse,
            self.multiplier,
            self.style,
        )
        mac = Mac(product, self.acc_bits, self.pipeline)
        kind = SparseTensorCore if self.sparse else TensorCore
        return kind(self.rows, self.cols, mac)

    @property
    def step(self) -> int:
        """Steps of K per slice."""
        lanes = self.pairs if self.name == "8x8" else 2 * self.pairs
        return 2 * lanes if self.sparse else lanes

    @property
    def slices_per_group(self) -> int:
        return max(1, self.fmt.group // self.step) if self.name == "sparq" else 1

    @property
    def latency(self) -> int:
        """Encoding, multiplication, accumulation, result, correction; and the wait for a group."""
        waiting = self.slices_per_group if self.slices_per_group > 1 else 0
        return waiting + 4 + self.pipeline

    def product(self, x: Any, w: Any) -> Any:
        if self.name != "sparq":
            return exact_matmul(effective(self.name, self.fmt, x), w)
        return (sparq_matmul_2_4 if self.sparse else sparq_matmul)(x, w, self.fmt)

    def tiles(self, rng: Any, lengths: list[int]) -> list[Tile]:
        """Random tiles of these lengths K."""
        options = (self.weight_bits, self.sparse)
        return [
            Tile(slices_of(x, w, self.step, *options), self.product(x, w))
            for x, w in make_operands(rng, lengths, self.rows, self.cols, *options)
        ]


def check_core(core: Core, checks: Any) -> None:
    """Tiles of many lengths, back to back and with bubbles of garbage; every sum in its cycle."""
    rng = np.random.default_rng(SEED)
    component = core.component()
    assert component.k_per_cycle == core.step
    assert component.latency == core.latency
    assert component.drain_cycles == core.rows
    longest = core.step * (core.rows + 3)
    half = [1, *(int(k) for k in rng.integers(1, longest, 4)), 1, 1, core.step * core.rows]
    bubbles = [0.0] * len(half) + [0.4] * len(half)
    checks(check_tiles(component, core.tiles(rng, 2 * half), bubbles, core.slices_per_group, rng))


def sparq(name: str, group: int = 1, vsparq: bool = True, rounding: bool = True) -> SparqFormat:
    return named_format(name, rounding, vsparq, group)


SHAPES = ((1, 2, 2, 0), (2, 2, 1, 1), (4, 1, 1, 2))
"""Pairs, rows, columns, pipeline."""

DENSE = [
    *(
        Core(name, pairs=pairs, rows=rows, cols=cols, pipeline=pipeline)
        for name in DOT_PRODUCTS
        for pairs, rows, cols, pipeline in SHAPES
    ),
    *(
        Core(name, multiplier=multiplier, pipeline=pipeline)
        for pipeline, name in enumerate(("8x8", "2x8x8", "2x4x8"))
        for multiplier in DOT_PRODUCTS[name][1:]
    ),
    *(
        Core("sparq", sparq(name, vsparq=vsparq, rounding=vsparq), pairs=1)
        for name in ("3opt", "2opt", "6opt", "7opt")
        for vsparq in (True, False)
    ),
    *(
        Core("sparq", sparq("5opt", group, vsparq), pairs, pipeline=(group + pairs) % 3)
        for group in (2, 4, 8)
        for pairs in (1, 2, 4)
        for vsparq in (True, False)
    ),
    Core("sparq", sparq("7opt", 16, False), 8, pipeline=2),
    Core("sparq", sparq("6opt", 16, False), 2, rows=3, pipeline=1),
    *(Core("sparq", fmt, pipeline=n % 3, weight_bits=8 - n) for n, fmt in enumerate(CUSTOM)),
    Core("sparq", SparqFormat(8, (0,), group=2, vsparq=False), weight_bits=5),
    Core("sparq", sparq("2opt"), 1, rows=4, cols=3, weight_bits=4, acc_bits=24),
    Core("8x8", pairs=3, rows=3, cols=2, weight_bits=3),
    *(Core("sparq", fmt.sparq_format, 1, weight_bits=5) for fmt in random_formats(4)),
    *(Core("8x8", pairs=1, acc_bits=acc_bits) for acc_bits in (20, 24, 31, 33, 48, 63, 64)),
]

SPARSE = [
    *(
        Core(name, pairs=max(2, pairs), rows=rows, cols=cols, pipeline=pipeline, sparse=True)
        for name in DOT_PRODUCTS
        for pairs, rows, cols, pipeline in SHAPES
    ),
    *(
        Core(name, pairs=pairs, multiplier=multiplier, weight_bits=weight_bits, sparse=True)
        for name, pairs in (("8x8", 2), ("2x8x8", 1))
        for multiplier, weight_bits in zip(SPARSE_MULTIPLIERS, (5, 8), strict=True)
    ),
    *(
        Core("sparq", sparq(name, 1, vsparq, vsparq), pairs=1, sparse=True)
        for name in ("3opt", "2opt", "6opt", "7opt")
        for vsparq in (True, False)
    ),
    *(
        Core(
            "sparq", sparq("5opt", group, vsparq), pairs, pipeline=(group + pairs) % 3, sparse=True
        )
        for group in (2, 4, 8)
        for pairs in (1, 2, 4)
        for vsparq in (True, False)
        if group <= 2 * pairs
    ),
    *(
        Core("sparq", fmt, pipeline=n % 3, weight_bits=8 - n, sparse=True)
        for n, fmt in enumerate(CUSTOM)
    ),
    Core("sparq", SparqFormat(8, (0,), group=2, vsparq=False), weight_bits=5, sparse=True),
    Core("sparq", sparq("2opt"), 1, rows=3, cols=2, weight_bits=4, acc_bits=24, sparse=True),
    *(
        Core("sparq", fmt.sparq_format, 2, weight_bits=5, sparse=True)
        for fmt in random_formats(4, (1, 2, 4))
    ),
]


BEHAVIORAL = [
    replace(core, style=Style.BEHAVIORAL, pipeline=index % 4)
    for index, core in enumerate((*DENSE, *SPARSE))
    if core.multiplier is None
]
"""The same cores made of operators."""


@pytest.mark.every(28)
@pytest.mark.parametrize("core", DENSE, ids=str)
def test_tensor_core(core: Core, checks: Any) -> None:
    check_core(core, checks)


@pytest.mark.slow
@pytest.mark.every(28)
@pytest.mark.parametrize("core", SPARSE, ids=str)
def test_sparse_tensor_core(core: Core, checks: Any) -> None:
    check_core(core, checks)


@pytest.mark.every(24)
@pytest.mark.parametrize("core", BEHAVIORAL, ids=str)
def test_behavioral_tensor_core(core: Core, checks: Any) -> None:
    check_core(core, checks)


@pytest.mark.every(8)
@pytest.mark.parametrize("before", range(1, 8))
@pytest.mark.parametrize(
    "core",
    [
        Core("2x4x8", pairs=1),
        Core("2x4x8", pairs=1, pipeline=2, rows=2),
        Core("sparq", sparq("2opt", 4, False), pairs=1, pipeline=1),
    ],
    ids=str,
)
def test_reset(core: Core, before: int, checks: Any) -> None:
    """Reset with slices offered before and during it: only the tile after it counts."""
    rng = np.random.default_rng(SEED)
    tile, other = core.tiles(rng, [4 * core.step, 3 * core.step])
    after = tile.slices + [{}] * (2 * core.rows + core.latency)
    lost = other.slices[:2] * 4
    inputs = [*lost[:before], lost[0] | {"rst": 1}, *after]
    got = clock(core.component(), inputs)[before + 1 :]
    results = [word["out_acc"] for word in got if word["out_valid"]]
    sums = [signed(word, core.acc_bits) for word in results]
    assert sums == tile.sums[::-1, 0].tolist()
    checks(len(sums))


def test_pack_2_4(checks: Any) -> None:
    w = np.array([[5, 0, 0, 1], [0, 0, 0, 0], [0, 0, 7, 2], [-3, 0, 0, 0]], np.int8)
    values, indices = pack_2_4(w)
    assert values.tolist() == [[5, 0, 7, 1], [-3, 0, 0, 2]]
    assert indices.tolist() == [[0, 3, 2, 0], [3, 0, 2, 2]]
    checks(16)


def test_golden_packing(checks: Any) -> None:
    """Golden packs as the slow statement above, with groups of every kind, and many matrices."""
    rng = np.random.default_rng(SEED)
    for depth in (1, 3, 4, 6, 40, 203):
        w = rng.integers(-128, 128, (2, 3, depth, 5), dtype=np.int8)
        padded = np.pad(w, ((0, 0), (0, 0), (0, -depth % 4), (0, 0)))
        groups = padded.reshape(2, 3, -1, 4, 5)
        kept = rng.random(groups.shape).argsort(axis=-2) < rng.integers(0, 3, (1, 1, 1, 1, 5))
        padded = np.where(kept, groups, 0).astype(np.int8).reshape(padded.shape)
        padded[..., depth:, :] = 0
        values, places = golden.pack_2_4(padded[..., :depth, :])
        assert [values.dtype.name, places.dtype.name] == ["int8", "uint8"]
        assert values.shape == places.shape == (2, 3, -(-depth // 4) * 2, 5)
        for matrix in np.ndindex(2, 3):
            expected = pack_2_4(padded[matrix])
            assert np.array_equal(values[matrix], expected[0])
            assert np.array_equal(places[matrix], expected[1])
        checks(2 * values.size)
    with pytest.raises(ValueError, match=re.escape("w must have the shape (..., K, N), not (4,)")):
        golden.pack_2_4([1, 0, 0, 2])


ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: MultiplierBank(WindowLanes(sparq("5opt", 8), 8), 3), "6 activations per slice"),
    (lambda: SharedWindow(sparq("5opt", 4, False), 8, 4), "pairs must divide a group of 2, not 4"),
    (lambda: StructuredSelection(Booth(8, 3)), "even number of them, not 3"),
    (lambda: StructuredSelection(Radix4(8, 2)), "Radix4 has a bias that depends on"),
    (
        lambda: dot_product("sparq", 2, sparq("5opt", 8, False), sparse=True),
        "group must be at most 4, the selected activations of a slice, not 8",
    ),
    (lambda: dot_product("4x4", 2), "pe must be one of sparq, 8x8, 2x8x8, 2x4x8, not '4x4'"),
    (lambda: dot_product("sparq", 2), "pe 'sparq' needs a SparqFormat, not None"),
    (lambda: dot_product("8x8", 3, multiplier="distributed"), "even number of lanes, not 3"),
    (
        lambda: dot_product("8x8", 2, sparse=True, multiplier="radix4"),
        "multiplier must be one of booth, distributed, not 'radix4'",
    ),
    (
        lambda: dot_product("sparq", 3, sparq("5opt", 8, False)),
        "6 activations per slice must be a divisor or a multiple of the 8 that share a window",
    ),
    (
        lambda: SparseTensorCore(1, 1, Mac(Radix4(8, 2))),
        "mac must have a StructuredSelection as its multiplier, not Radix4",
    ),
    (lambda: TensorCore(0, 1, Mac(Radix4(8, 2))), "rows must be an integer of at least 1, not 0"),
    (
        lambda: SystolicArray(1, -1, Mac(Radix4(8, 1))),
        "cols must be an integer of at least 1, not -1",
    ),
]


@pytest.mark.parametrize(("make", "text"), ERRORS)
def test_what_cannot_be_built(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()
