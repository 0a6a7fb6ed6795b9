"""Energy of a processing element or a dot-product unit at work on operands."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.lib import wiring

from gen.library.library import Library
from gen.netlist.event_simulation import TimedSimulator
from gen.netlist.netlist import Netlist, parse_netlist
from gen.netlist.simulation import Simulator, energy
from gen.synthesis.mapping import map_quickly
from gen.synthesis.units import Unit
from gen.verilog.emission import Emission
from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.edge.activation_lane import ActivationLane
from hdl.edge.weight_lane import WeightLane
from hdl.multiplier.mac import Mac
from networks import load_mnist
from networks.quantization.arithmetic import exact, matrices
from networks.quantization.operations import Bytes, Int32Array, IntegerMatrixLayer
from networks.samples.mnist.quantized import quantized_mnist

LANES = 512
TIMED_WORDS = 1
"""Words of 64 lanes that are simulated with delays in each cycle: the standard error is stated."""

ROUNDS = 5
"""Products of the demo network in each lane."""

SEED = 12
DRAIN = 16
"""Rows of the array in which the element is thought to stand: its results move so often."""

CORE_DRAIN = 3
"""Likewise for a dot-product unit, which stands in a tensor core of 4 rows; loading is no move."""


@dataclass(frozen=True, eq=False)
class Operands:
    """Independent products for one unit, one after the other in each lane.

    Attributes
    ----------
    name : str
    layers : list of (x, w)
        ``x`` (lanes, K) uint8 and ``w`` (lanes, K) int8; one product of each lane and layer.
    signed : bool
        Whether ``x`` is int8, from -127 to 127.
    """

    name: str
    layers: list[tuple[npt.NDArray[Any], npt.NDArray[np.int8]]]
    signed: bool = False

    def fit(self, unit: Unit) -> bool:
        """Whether a unit takes them: signed ones of a signed format, or all bytes exactly."""
        fmt, bits = unit.element.sparq_format, unit.element.activation_bits
        return not self.signed or (fmt.signed if fmt else bits == ACTIVATION_BITS)

    @property
    def digest(self) -> str:
        """Identifies name, shapes and values."""
        digest = hashlib.sha256(self.name.encode())
        for x, w in self.layers:
            digest.update(f"\0{x.shape}".encode() + x.tobytes() + w.tobytes())
        return digest.hexdigest()[:24]


def demo_operands() -> Operands:
    """Rows and columns of the windowed layers of the network for MNIST, picked at random.

    Each layer has its part of :data:`ROUNDS`, by the number of its products in the network; its
    linear layer makes too few of them to have one.
    """
    rng = np.random.default_rng(SEED)
    mnist = load_mnist()
    _, network = quantized_mnist(mnist, first_layer_windowed=False)
    found = []

    def arithmetic(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        if layer.windowed:
            found.append(matrices(layer, x)[0])
        return exact(layer, x)

    network.forward(network.quantize_images(mnist.test.inputs[::100]), arithmetic)
    products = [len(rows) * weights.shape[1] for rows, weights in found]
    layers = []
    for (rows, weights), count in zip(found, products, strict=True):
        for _ in range(round(ROUNDS * count / sum(products))):
            row = rng.integers(len(rows), size=LANES)
            column = rng.integers(weights.shape[1], size=LANES)
            layers.append((rows[row], np.ascontiguousarray(weights.T[column])))
    return Operands("demo network", layers)


def uniform_operands() -> Operands:
    """Uniformly random activations and weights."""
    rng = np.random.default_rng(SEED)
    x = rng.integers(0, 256, (LANES, 128), dtype=np.uint8)
    return Operands("uniform", [(x, rng.integers(-128, 128, x.shape, dtype=np.int8))])


def signed_operands() -> Operands:
    """Activations of a Laplace distribution of scale 16, and normal weights of deviation 32.

    Rounded, and clipped to 127 in magnitude: what tensors look like that no ReLU has cut, of which
    one pair in sixteen has a zero.
    """
    rng = np.random.default_rng(SEED)
    drawn = rng.laplace(0, 16, (LANES, 128)), rng.normal(0, 32, (LANES, 128))
    x, w = (values.round().clip(-127, 127).astype(np.int8) for values in drawn)
    return Operands("signed", [(x, w)], signed=True)


class Energy(NamedTuple):
    """fJ per MAC: without glitches and with them, and the standard error of the latter."""

    settled: float
    with_glitches: float
    standard_error: float


class Surroundings(NamedTuple):
    """What is around a unit in its machine, and how its ports are driven there.

    Attributes
    ----------
    mac : Mac
        What the unit is.
    suffix : str
        Of the names of its ports for operands and control.
    last_delay : int
        Cycles from the operands of a product's last slice to ``last``.
    drain_cycles : int
        Cycles of ``drain`` after ``last``.
    activation, weight : Netlist
        Of the lanes that make the codes of its operands.
    """

    mac: Mac
    suffix: str
    last_delay: int
    drain_cycles: int
    activation: Netlist
    weight: Netlist


def energy_per_mac(
    unit: Unit, netlist: Netlist, library: Library, operands: Operands, folder: Path
) -> Energy:
    """Of a processing element or dot-product unit, toggles weighted by capacitance.

    All lanes of all layers, each product followed by the next at once, while results move through
    the result register. The codes are those of the machine's edges, simulated too; slices that
    operands do not fill are filled with zeros, which are no MACs. What is counted is what
    :func:`gen.netlist.simulation.energy` counts, without leakage.

    Glitches are those of :class:`TimedSimulator` in a sample: the energy without them, of all lanes
    and cycles, times the ratio of both there. Its standard error is that of the mean of the ratios
    in words of 64 lanes. ``folder`` keeps the compiled simulation.
    """
    simulator = TimedSimulator(netlist, library, LANES, TIMED_WORDS, folder)
    work(unit, simulator, library, operands)
    macs = sum(x.size for x, _ in operands.layers)
    settled = energy(netlist, library, simulator.toggles) / macs
    timed, untimed = (
        np.array([energy(netlist, library, toggles) for toggles in of_words])
        for of_words in (simulator.timed_toggles, simulator.settled_toggles)
    )
    timed, untimed = timed[untimed > 0], untimed[untimed > 0]
    error = np.std(timed / untimed, ddof=1) / np.sqrt(len(timed))
    return Energy(settled, float(settled * timed.sum() / untimed.sum()), float(settled * error))


def work(
    unit: Unit, simulator: Simulator, library: Library, operands: Operands
) -> list[npt.NDArray[np.uint64]]:
    """Let a new simulator of a unit multiply ``operands`` as in its machine, and count toggles.

    Returns what ``result_out`` shows of each product, with its bias. The first one also has what
    the accumulator held before; the last ones are missing, as they would show after all operands.
    """
    around = _surroundings(unit, library)
    suffix = around.suffix
    simulator.set("rst", 1)
    simulator.step()
    simulator.clock()
    simulator.set("rst", 0)
    simulator.count_toggles(True)
    ended = [False] * (around.mac.latency + 1)  # a product, so many cycles ago
    cycles_since_last = 0
    results = np.zeros(LANES, np.uint64)
    sums = []
    for activation, weight, ends in _slices(unit, library, operands):
        ended = [ends, *ended[:-1]]
        last = ended[around.last_delay]
        simulator.set(f"activation{suffix}", activation)
        simulator.set(f"weight{suffix}", weight)
        simulator.set(f"last{suffix}", int(last))
        simulator.set(f"drain{suffix}", int(1 <= cycles_since_last <= around.drain_cycles))
        simulator.set("result_in", np.roll(results, 1))
        simulator.step()
        results = simulator.get("result_out")
        simulator.clock()
        if ended[-1]:
            sums.append(results)
        cycles_since_last = 1 if last else cycles_since_last + 1
    return sums


def _slices(
    unit: Unit, library: Library, operands: Operands
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], bool]]:
    """Activation and weight code of each slice of all layers, and whether it ends a product."""
    for x, w in operands.layers:
        w = w >> (8 - unit.element.weight_bits)
        codes, weights = _codes(unit, library, x, w, operands.signed)
        for index, (code, weight) in enumerate(zip(codes, weights, strict=True), 1):
            yield code, weight, index == len(codes)


def _codes(
    unit: Unit, library: Library, x: npt.NDArray[Any], w: npt.NDArray[Any], signed: bool
) -> tuple[list[npt.NDArray[np.bool_]], list[npt.NDArray[np.bool_]]]:
    """Activation and weight codes, slice by slice, as the edges of the machine make them."""
    around = _surroundings(unit, library)
    step = around.mac.k_per_cycle
    group = step * around.mac.multiplier.slices_per_group
    odd = -x.shape[1] % group
    x, w = np.pad(x, ((0, 0), (0, odd))), np.pad(w, ((0, 0), (0, odd)))
    x = _entering(unit.element.sparq_format, x, signed)
    slices = [slice(k, k + step) for k in range(0, x.shape[1], step)]
    activations = [_bits(x[:, part], around.mac.multiplier.activations.bits) for part in slices]
    if group > step:
        shared = _bits(_shared(unit.sparq_format, x), around.mac.multiplier.shared_bits)
        shared = shared.reshape(LANES, x.shape[1] // group, -1)
        activations = [
            np.concatenate([own, shared[:, part.start // group]], axis=1)
            for own, part in zip(activations, slices, strict=True)
        ]
    return (
        _through(around.activation, library, activations),
        _through(
            around.weight, library, [_bits(w[:, k], unit.element.weight_bits) for k in slices]
        ),
    )


def _entering(fmt: SparqFormat | None, x: npt.NDArray[Any], signed: bool) -> npt.NDArray[np.uint16]:
    """What the lanes of the left edge take of ``x``, which is ``signed`` or not.

    Exact designs take signed bytes with an offset of 128, which is a bias of the column. A signed
    format takes signs and magnitudes: of unsigned bytes as many high bits as a magnitude has.
    """
    values = x.astype(np.int16)
    if fmt is None or not fmt.signed:
        return (values + 128 * signed).astype(np.uint16)
    magnitudes = abs(values) >> (0 if signed else ACTIVATION_BITS - fmt.magnitude_bits)
    return (magnitudes | (values < 0) << fmt.magnitude_bits).astype(np.uint16)


def _bits(values: npt.NDArray[Any], width: int) -> npt.NDArray[np.bool_]:
    """The low bits of numbers (lanes, n) side by side: (lanes, n * width), the first one low."""
    bits = values.astype(np.uint16)[..., np.newaxis] >> np.arange(width, dtype=np.uint16) & 1
    return bits.astype(np.bool_).reshape(len(values), -1)


def _shared(fmt: SparqFormat, x: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """The OR of the magnitudes that count for the window of each group: (lanes, groups)."""
    pairs = x.reshape(LANES, -1, 2) & np.uint16(fmt.magnitude_max)
    if fmt.vsparq:
        pairs = np.where(pairs[..., ::-1] == 0, 0, pairs)  # its partner lends it its bits
    counted = pairs.reshape(LANES, -1, fmt.group)
    largest: npt.NDArray[np.uint16] = np.bitwise_or.reduce(counted, axis=-1)
    return largest


def _through(
    lane: Netlist, library: Library, operands: list[npt.NDArray[np.bool_]]
) -> list[npt.NDArray[np.bool_]]:
    """What a lane makes of operands, one in each cycle."""
    simulator = Simulator(lane, library, LANES)
    found = []
    for operand in [*operands, operands[-1]]:
        simulator.set("data_in", operand)
        simulator.step()
        found.append(simulator.get_bits("data_out"))
        simulator.clock()
    return found[1:]


@cache
def _surroundings(unit: Unit, library: Library) -> Surroundings:
    mac = unit.element.mac
    lanes = [_mapped(kind(mac), library) for kind in (ActivationLane, WeightLane)]
    if unit.unit == "pe":
        return Surroundings(mac, "_in", mac.pipeline, DRAIN, *lanes)
    return Surroundings(mac, "", mac.pipeline + 1, CORE_DRAIN, *lanes)


def _mapped(lane: wiring.Component, library: Library) -> Netlist:
    mapped = map_quickly(Emission("codes").verilog(lane), "codes", library)
    return parse_netlist(mapped.json, library)
