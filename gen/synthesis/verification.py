"""Mapped netlists simulated against golden."""

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import golden
from gen.design.expectation import MismatchError
from gen.library.library import Library
from gen.netlist.netlist import Netlist
from gen.netlist.simulation import WORD, Simulator
from gen.synthesis.units import Unit
from golden.format import ACTIVATION_BITS, ACTIVATION_MAX
from hdl.engine.requantizer_lane import RequantizerLane

VECTORS = 100_000
SLICES = (5, 1, 3, 4)
"""Slices of the tiles that follow each other."""

SEED = 11
ACTIVATION_CORNERS = (0, 1, 15, 16, 127, 128, 240, 255)


def verify_encoder(unit: Unit, netlist: Netlist, library: Library) -> int:
    """Compare an encoder with golden, for every pair of bytes; the number of pairs.

    Affine bytes have a zero point for each pair. -128 is no signed byte: it counts as 0.

    Raises ``MismatchError``.
    """
    fmt = unit.sparq_format
    numbers = np.arange(1 << 16)
    simulator = Simulator(netlist, library, lanes=len(numbers))
    pairs = np.stack([numbers & 255, numbers >> 8], axis=-1).astype(np.uint8)
    x = _activations(np.random.default_rng(SEED), pairs, fmt)
    simulator.set("bytes" if fmt.signed else "activations", _bits(x.bytes, ACTIVATION_BITS))
    if x.zero_points is not None:
        simulator.set("zero_point", x.zero_points)
    simulator.step()
    expected = golden.pack_pairs(golden.encode_pairs(x.values, fmt), fmt)[:, 0]
    _require_equal(unit, simulator.get("pair"), expected)
    return len(numbers)


def verify_requantizer(netlist: Netlist, library: Library) -> int:
    """Compare a requantizer lane with golden, for random operands and corners; their number.

    Raises ``MismatchError``.
    """
    rng = np.random.default_rng(SEED)
    lanes = -(-VECTORS // WORD) * WORD
    sums, biases = (
        rng.integers(-(1 << 31), 1 << 31, lanes) >> rng.integers(0, 32, lanes) for _ in range(2)
    )
    sums[::17], sums[5::17] = (1 << 31) - 1, -(1 << 31)
    multipliers, shifts = rng.integers(0, 1 << 15, lanes), rng.integers(0, 47, lanes)
    low, high = np.sort(rng.integers(0, 256, (2, lanes)), axis=0)
    low[::3], high[::3] = 0, 255
    zero_points = rng.integers(0, 256, lanes // WORD).repeat(WORD)
    simulator = Simulator(netlist, library, lanes)
    ports = {"sum": sums, "bias": biases, "multiplier": multipliers, "shift": shifts}
    ports |= {"zero_point": zero_points, "low": low, "high": high}
    # Others follow, and between any two cycles there is one in which nothing must move.
    for cycle in range(2 * RequantizerLane.latency - 1):
        for port, values in ports.items():
            simulator.set(port, values if cycle == 0 else values[::-1])
        simulator.set("enable", 1 - cycle % 2)
        simulator.step()
        simulator.clock()
    simulator.step()
    biased = (sums + biases).astype(np.int32)
    expected = np.empty(lanes, np.uint64)
    for start in range(0, lanes, WORD):
        part = slice(start, start + WORD)
        factors = multipliers[part], shifts[part], int(zero_points[start])
        expected[part] = golden.requantize(biased[part], *factors, low[part], high[part])
    for port, right in (("activation", expected), ("biased", biased.view(np.uint32))):
        if not np.array_equal(simulator.get(port), right):
            raise MismatchError(f"netlist of a requantizer lane differs from golden in {port}")
    return lanes


def verify_array(unit: Unit, netlist: Netlist, library: Library, rows: int, cols: int) -> int:
    """Compare an array with golden; the number of slices that its elements have added.

    Many tiles in parallel, with bubbles of garbage between slices: all corners of both operands,
    then random ones. Raises ``MismatchError``.
    """
    rng = np.random.default_rng(SEED)
    step = unit.element.k_per_cycle
    weight_bits, acc_bits = unit.element.weight_bits, unit.element.acc_bits
    lanes = _lanes(sum(SLICES) * rows * cols, weight_bits)
    sparse = unit.unit == "sparse_tensor_core"
    simulator = Simulator(netlist, library, lanes)
    ports = ("in_valid", "in_last", "in_a", "in_w", "in_index", "zero_point")
    for port in netlist.ports.keys() & {*ports}:
        simulator.set(port, np.zeros((lanes, len(netlist.ports[port].nets)), bool))
    simulator.set("rst", 1)
    simulator.step()
    simulator.clock()
    simulator.set("rst", 0)

    expected: list[npt.NDArray[np.int64]] = []
    got: list[npt.NDArray[np.int64]] = []

    def cycle(**values: Any) -> bool:
        for port, value in values.items():
            simulator.set(port, value)
        simulator.step()
        taken = bool(simulator.get("in_ready")[0]) and bool(values["in_valid"])
        if simulator.get("out_valid")[0]:
            got.append(_numbers(simulator.get_bits("out_acc"), cols, acc_bits))
        simulator.clock()
        return taken

    for tile, length in enumerate(SLICES):
        shape = (lanes, rows, length * step, cols)
        x, w = _operands(rng, shape, 0 if tile else step, weight_bits)
        if sparse:
            w = _sparse(rng, w)
        operand = _activations(rng, x, unit.element.sparq_format)
        sums = unit.product(operand.values, w)
        expected.extend(sums[:, row] for row in reversed(range(rows)))
        packed = golden.pack_2_4(w) if sparse else (w,)
        for index in range(length):
            slots = slice(index * step, (index + 1) * step)
            slice_in: dict[str, Any] = {
                "in_valid": 1,
                "in_last": int(index == length - 1),
                "in_a": _bits(operand.bytes[:, :, slots], ACTIVATION_BITS),
            }
            if operand.zero_points is not None:
                slice_in["zero_point"] = operand.zero_points
            for port, values, width in zip(
                ("in_w", "in_index"), packed, (weight_bits, 2), strict=False
            ):
                part = values[:, _part(values, index, length)]
                slice_in[port] = _bits(part.swapaxes(1, 2), width)
            while rng.random() < 0.2:
                garbage = {
                    port: value[::-1]
                    for port, value in slice_in.items()
                    if value is not None and not isinstance(value, int)
                }
                cycle(**garbage, in_valid=0, in_last=1)
            while not cycle(**slice_in):
                pass
    for _ in range(8 * (rows + cols) + 64):
        cycle(in_valid=0, in_last=0)
    if len(got) != len(expected):
        raise MismatchError(
            f"netlist of {unit.label}: {len(expected)} rows expected, {len(got)} came"
        )
    wrap = 1 << acc_bits
    _require_equal(unit, np.stack(got) % wrap, np.stack(expected) % wrap)
    return lanes * sum(SLICES) * rows * cols


def _corners(weight_bits: int) -> npt.NDArray[np.int64]:
    """All corners of a pair: (count, 4) activations and weights."""
    half = 1 << (weight_bits - 1)
    weights = sorted({-half, -1, 0, 1, half - 1})
    return np.array(list(product(ACTIVATION_CORNERS, ACTIVATION_CORNERS, weights, weights)))


def _lanes(slices: int, weight_bits: int) -> int:
    """Lanes for all vectors, where each lane adds so many slices; for all corners at least."""
    needed = max(-(-VECTORS // slices), len(_corners(weight_bits)))
    return -(-needed // WORD) * WORD


def _operands(
    rng: np.random.Generator, shape: tuple[int, int, int, int], step: int, weight_bits: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
    """Activations (lanes, rows, K) and weights (lanes, K, cols).

    ``shape`` is lanes, rows, K and columns. In the first ``step`` places of K, if there are any,
    each pair meets all corners.
    """
    lanes, rows, depth, cols = shape
    half = 1 << (weight_bits - 1)
    x = rng.integers(0, 256, (lanes, rows, depth), dtype=np.uint8)
    x >>= rng.integers(0, 8, x.shape, dtype=np.uint8)
    x[rng.random(x.shape) < 0.3] = 0
    w = rng.integers(-half, half, (lanes, depth, cols), dtype=np.int8)
    for first in range(0, step, 2):
        width = min(2, step - first)
        corners = rng.permutation(_corners(weight_bits))
        x[: len(corners), :, first : first + width] = corners[:, np.newaxis, :width]
        w[: len(corners), first : first + width] = corners[:, 2 : 2 + width, np.newaxis]
    return x, w


class _Activations(NamedTuple):
    """Bytes (lanes, ...), the zero point of each lane if they are affine, what they stand for."""

    bytes: npt.NDArray[np.uint8]
    zero_points: npt.NDArray[np.uint8] | None
    values: npt.NDArray[Any]


def _activations(
    rng: np.random.Generator, x: npt.NDArray[np.uint8], fmt: golden.SparqFormat | None
) -> _Activations:
    """Bytes of a format that are as likely to stand for 0 as ``x`` (lanes, ...) is to be 0."""
    if fmt is None or not fmt.signed:
        return _Activations(x, None, x)
    if not fmt.takes_zero_point:
        found = np.where(x == 128, 0, x).astype(np.uint8)
        return _Activations(found, None, found.view(np.int8))
    choices = np.array([0, 128, ACTIVATION_MAX], np.uint8)
    others = rng.integers(0, ACTIVATION_MAX + 1, len(x), dtype=np.uint8)
    zero_points = np.where(rng.random(len(x)) < 0.5, rng.choice(choices, len(x)), others)
    by_lane = zero_points.reshape(-1, *[1] * (x.ndim - 1))
    found = x + by_lane  # modulo 256
    return _Activations(found, zero_points, found.astype(np.int16) - by_lane)


def _sparse(rng: np.random.Generator, w: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """``w`` (lanes, K, cols) with two or more zeros in every four along K, at random places."""
    groups = w.reshape(len(w), -1, 4, w.shape[-1])
    order = rng.random(groups.shape).argsort(axis=2)
    return np.where(order < 2, groups, 0).astype(np.int8).reshape(w.shape)


def _part(values: npt.NDArray[Any], index: int, count: int) -> slice:
    """The ``index``-th of ``count`` equal parts along axis 1."""
    size = values.shape[1] // count
    return slice(index * size, (index + 1) * size)


def _bits(values: npt.NDArray[Any], width: int) -> npt.NDArray[np.bool_]:
    """Integers (lanes, ...) as bits (lanes, all of them), the first one low."""
    places = np.arange(width)
    words = values.reshape(len(values), -1, 1).astype(np.int64)
    bits: npt.NDArray[np.bool_] = ((words >> places) & 1).astype(bool)
    return bits.reshape(len(values), -1)


def _numbers(bits: npt.NDArray[np.bool_], count: int, width: int) -> npt.NDArray[np.int64]:
    """Bits (lanes, count * width) as unsigned integers (lanes, count), modulo 2**64."""
    places = np.uint64(1) << np.arange(width, dtype=np.uint64)
    words = bits.reshape(len(bits), count, width) * places
    numbers: npt.NDArray[np.int64] = words.sum(axis=-1, dtype=np.uint64).astype(np.int64)
    return numbers


def _require_equal(unit: Unit, got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    differs = np.argwhere(got != expected)
    if len(differs):
        where = tuple(int(index) for index in differs[0])
        raise MismatchError(
            f"netlist of {unit.label} differs from golden: at {where} expected "
            f"{expected[where]}, got {got[where]} ({len(differs)} of {got.size} differ)"
        )
