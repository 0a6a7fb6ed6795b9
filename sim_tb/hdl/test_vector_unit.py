"""The vector unit in Amaranth's own simulator."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hdl.accelerator.layouts import MARKS, PIXELS, VECTOR, VECTOR_LOAD
from hdl.accelerator.vector_unit import VectorUnit
from sim_tb.hdl.pysim import SEED, Bench, Word, pack
from sim_tb.oracle.cycles import Source, Until, moved
from sim_tb.oracle.engine_parts import parameters_word
from sim_tb.oracle.patches import Bytes, Placed, number, pack_fields
from sim_tb.oracle.requantization import Case, expected, wrapped

STALLS = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.6), (0.3, 0.3)]
"""How often a cycle passes before something is offered, or in which no word is taken."""

KINDS = ("sum", "uniform", "product", "maximum")


@dataclass(frozen=True)
class Layer:
    """What one command does.

    ``data`` (passes, tiles, taps, rows, steps), ``weights`` (passes, steps, number) and of each
    pass the parameters of each channel, as cases without a sum; pixels of each tile.
    """

    kind: str
    sums: bool
    zeros: tuple[int, int]
    data: Bytes
    weights: npt.NDArray[np.int16]
    parameters: list[list[Case]]
    counts: list[int]

    @property
    def passes(self) -> int:
        """Channel words."""
        return len(self.data)

    def total(self, own: int, tile: int, row: int, channel: int) -> int:
        """What the slices of a tile come to in one lane."""
        values = [int(value) for value in self.data[own, tile, :, row, channel]]
        if self.kind == "maximum":
            return max(values)
        if self.kind == "product":
            return (values[0] - self.zeros[0]) * (values[1] - self.zeros[1])
        weights = [int(weight) for weight in self.weights[own, channel]]
        if self.kind == "uniform":
            weights *= len(values)
        return wrapped(sum(a * w for a, w in zip(values, weights, strict=True)))

    def placed(self) -> list[Placed]:
        """The words that leave."""
        found = []
        rows, steps = self.data.shape[-2:]
        for own in range(self.passes):
            pixel = 5
            for tile, count in enumerate(self.counts):
                cases = [
                    self.parameters[own][channel]._replace(sum=self.total(own, tile, row, channel))
                    for row in range(rows)
                    for channel in range(steps)
                ]
                biased, activations = expected(cases)
                if self.sums:
                    lanes = biased.astype("<i4").view(np.uint8).reshape(rows, 4, steps)
                    words = [*lanes.swapaxes(0, 1)]
                else:
                    words = [activations.reshape(rows, steps)]
                for place, word in enumerate(words):
                    found.append(Placed(pixel, count, own * len(words) + place, 0, word))
                pixel += count
        return [*found[:-1], found[-1]._replace(last=1)]

    def slices(self) -> list[Word]:
        """What is taken."""
        passes, tiles, taps = self.data.shape[:3]
        words = []
        for own, tile, tap in np.ndindex(passes, tiles, taps):
            ends_tile = tap == taps - 1
            ends_pass = ends_tile and tile == tiles - 1
            marks = {
                "operand_b": int(self.kind == "product" and tap == 1),
                "ends_tile": int(ends_tile),
                "ends_pass": int(ends_pass),
                "ends_walk": int(ends_pass and own == passes - 1),
            }
            data = number(self.data[own, tile, tap])
            words.append({"slice_data": data, "slice_marks": pack_fields(MARKS, marks)})
        return words

    def tiles(self) -> list[Word]:
        """Their output pixels."""
        words = []
        for own in range(self.passes):
            pixel = 5
            for tile, count in enumerate(self.counts):
                ends = tile == len(self.counts) - 1
                values = {
                    "pixel": pixel,
                    "count": count,
                    "ends_pass": int(ends),
                    "ends_walk": int(ends and own == self.passes - 1),
                }
                words.append({"tile": pack_fields(PIXELS, values)})
                pixel += count
        return words

    def stream(self) -> list[Word]:
        """Parameters and weights, word by word."""
        words = []
        for cases, of_pass in zip(self.parameters, self.weights, strict=True):
            for case, weights in zip(cases, of_pass, strict=True):
                parameters = parameters_word(case)
                words += [parameters >> 32 * place & 0xFFFFFFFF for place in range(3)]
                for place in range(0, len(weights), 2):
                    words.append(pack(weights[place : place + 2], 16))
        return [{"words_data": word} for word in words]

    def command(self) -> Word:
        """What is done."""
        fields = {name: int(self.kind == name) for name in KINDS[1:]}
        zeros = {"zero_a": self.zeros[0], "zero_b": self.zeros[1]}
        return {"command": pack_fields(VECTOR, {**fields, **zeros, "sums": int(self.sums)})}

    def load(self) -> Word:
        """What is loaded."""
        values = {"weights": self.weights.shape[2], "passes": self.passes}
        return {"load": pack_fields(VECTOR_LOAD, values)}


def random_layer(
    rng: Any,
    rows: int,
    steps: int,
    kind: str,
    sums: bool,
    taps: int,
    tiles: int = 3,
    passes: int = 0,
) -> Layer:
    """Any operands; scales that bring most results near a byte."""
    if kind == "product":
        taps = 2
    passes = passes or int(rng.integers(1, 4))
    count = {"sum": taps, "uniform": 1}.get(kind, 0)
    largest = {"sum": 2**23 * taps, "uniform": 2**23 * taps, "product": 2**16}.get(kind, 256)
    parameters = [
        [
            Case(
                sum=0,
                bias=int(rng.integers(-largest // 4, largest // 4)),
                multiplier=int(rng.integers(2**14, 2**15)),
                shift=largest.bit_length() - 8 + 14 + int(rng.integers(-2, 1)),
                zero_point=int(rng.integers(0, 256)),
                low=int(rng.integers(0, 50)),
                high=int(rng.integers(150, 256)),
            )
            for _ in range(steps)
        ]
        for _ in range(passes)
    ]
    return Layer(
        kind,
        sums,
        tuple(rng.integers(0, 256, 2).tolist()),
        rng.integers(0, 256, (passes, tiles, taps, rows, steps), dtype=np.uint8),
        rng.integers(-(2**15), 2**15, (passes, steps, count), dtype=np.int16),
        parameters,
        rng.integers(1, rows + 1, tiles).tolist(),
    )


def run(
    rows: int, steps: int, layers: Sequence[Layer], before: float = 0, after: float = 0
) -> list[Word]:
    """All ports in each cycle."""
    wanted = [word for own in layers for word in own.placed()]
    most = max(own.weights.shape[2] for own in layers)
    agents = [
        Source([own.load() for own in layers], "load_valid", ["load_ready"], before),
        Source([own.command() for own in layers], "command_valid", ["command_ready"], before),
        Source(
            [word for own in layers for word in own.stream()],
            "words_valid", ["words_ready"], before,
        ),
        Source([word for own in layers for word in own.tiles()], "tile_valid", ["tile_ready"], 0),
        Source(
            [word for own in layers for word in own.slices()],
            "slice_valid", ["slice_ready"], before,
        ),
        Until("out", len(wanted), after),
    ]  # fmt: skip
    unit = VectorUnit(rows, steps, max(2, most + most % 2))
    return Bench(unit).converse(agents, random.Random(SEED))


def check(ports: Sequence[Word], layers: Sequence[Layer]) -> int:
    """The number of bytes, all of which are what they must be."""
    wanted = [word for own in layers for word in own.placed()]
    found = moved(ports, "out", "out_data", "out_place")
    assert [place for _, place in found] == [own.place for own in wanted]
    for place, ((data, _), own) in enumerate(zip(found, wanted, strict=True)):
        assert data == number(own.data), f"word {place}"
    return sum(own.data.size for own in wanted)


@pytest.mark.every(46)
@pytest.mark.parametrize("stalls", STALLS, ids=str)
@pytest.mark.parametrize("sums", [False, True], ids=["bytes", "sums"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "steps"), [(2, 1), (2, 2), (4, 2), (2, 4), (2, 8)])
def test_layers(
    rows: int, steps: int, kind: str, sums: bool, stalls: tuple[float, float], checks: Any
) -> None:
    """Two layers, the second of another kind: all words, whatever stalls."""
    rng = np.random.default_rng((SEED, rows, steps, KINDS.index(kind), sums))
    layers = [
        random_layer(rng, rows, steps, kind, sums, int(rng.integers(1, 8))),
        random_layer(rng, rows, steps, "sum", not sums, int(rng.integers(1, 8))),
    ]
    checks(check(run(rows, steps, layers, *stalls), layers))


def cycles_of(ports: Sequence[Word], prefix: str) -> list[int]:
    """Those in which a word moves."""
    return [
        cycle
        for cycle, own in enumerate(ports)
        if own[f"{prefix}_valid"] and own[f"{prefix}_ready"]
    ]


@pytest.mark.every(14)
@pytest.mark.parametrize("sums", [False, True], ids=["bytes", "sums"])
@pytest.mark.parametrize("taps", [1, 2, 9])
@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_cycles(steps: int, taps: int, sums: bool) -> None:
    """A slice per cycle, or a word in as many as it takes; and when the words leave."""
    rng = np.random.default_rng((SEED, steps, taps))
    layer = random_layer(rng, 2, steps, "maximum", sums, taps, 6)
    ports = run(2, steps, [layer])
    taken, given = cycles_of(ports, "slice"), cycles_of(ports, "out")
    words = 4 if sums else 1
    loaded = 3 * steps
    assert taken[: 2 * taps] == [*range(loaded, loaded + 2 * taps)]
    # From the first word of a tile to that of the next one, which may belong to another pass.
    firsts = given[::words]
    assert firsts[0] == taken[taps - 1] + 5 + (max(1, steps // 4) if sums else steps)
    within, between = max(taps, steps, words), max(taps, steps + 1, words)
    if sums and steps < 4:
        between = within
    tiles = len(layer.counts)
    for tile, (before, after) in enumerate(pairwise(firsts), 1):
        assert after - before == (within if tile % tiles else between)


def test_weights_load_beforehand() -> None:
    """Those of the next pass while the slices of the present one are taken, also of a layer."""
    rng = np.random.default_rng(SEED)
    layers = [random_layer(rng, 2, 2, "sum", False, 4, 8, passes=2) for _ in range(2)]
    ports = run(2, 2, layers)
    check(ports, layers)
    taken = cycles_of(ports, "slice")
    assert taken[:64] == [*range(taken[0], taken[0] + 64)]
    (first_done, _) = cycles_of(ports, "command")
    assert taken[64:] == [*range(first_done + 1, first_done + 65)]
    assert cycles_of(ports, "words")[29] < first_done
