# amaranth: UnusedElaboratable=no
# Components are asked what they are, and not all are elaborated.
"""Energy of a processing element at work on operands."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gen.emission import Emission
from gen.synthesis.library import Library
from gen.synthesis.mapping import RECIPES, map_verilog
from gen.synthesis.netlist import Netlist, parse_netlist
from gen.synthesis.simulation import Simulator, energy
from gen.synthesis.units import Unit
from hdl.array.edge_lane import ActivationLane, WeightLane
from networks import load_mnist
from networks.mnist.quantized import quantized_mnist
from networks.quantization.arithmetic import exact, matrices
from networks.quantization.operations import Bytes, Int32Array, IntegerMatrixLayer

LANES = 512
SEED = 12
DRAIN = 16
"""Rows of the array in which the element is thought to stand: its results move so often."""


@dataclass(frozen=True, eq=False)
class Operands:
    """Independent products for one processing element, one after the other in each lane.

    Attributes
    ----------
    name : str
    layers : list of (x, w)
        ``x`` (lanes, K) uint8 and ``w`` (lanes, K) int8; one product of each lane and layer.
    """

    name: str
    layers: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]]


def demo_operands() -> Operands:
    """Rows and columns of the windowed layers of the network for MNIST, picked at random."""
    rng = np.random.default_rng(SEED)
    mnist = load_mnist()
    _, network = quantized_mnist(mnist, first_layer_windowed=False)
    layers = []

    def arithmetic(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        if layer.windowed:
            rows, weights = matrices(layer, x)[0]
            row = rng.integers(len(rows), size=LANES)
            column = rng.integers(weights.shape[1], size=LANES)
            layers.append((rows[row], np.ascontiguousarray(weights.T[column])))
        return exact(layer, x)

    network.forward(network.quantize_images(mnist.test.inputs[::100]), arithmetic)
    return Operands("demo network", layers)


def uniform_operands() -> Operands:
    """Uniformly random activations and weights."""
    rng = np.random.default_rng(SEED)
    x = rng.integers(0, 256, (LANES, 128), dtype=np.uint8)
    return Operands("uniform", [(x, rng.integers(-128, 128, x.shape, dtype=np.int8))])


def energy_per_mac(unit: Unit, netlist: Netlist, library: Library, operands: Operands) -> float:
    """fJ per MAC of a processing element, zero-delay toggles weighted by capacitance.

    All lanes of all layers, each product followed by the next at once, while the results of 16 rows
    move through the result register. The codes are those of the edges' lanes, simulated too. What
    is counted is what :func:`gen.synthesis.simulation.energy` counts: neither leakage nor glitches.
    """
    pe = unit.processing_element()
    simulator = Simulator(netlist, library, LANES)
    simulator.set("rst", 1)
    for port in ("last_in", "shift_in", "activation_in", "weight_in", "result_in"):
        simulator.set(port, 0)
    simulator.step()
    simulator.clock()
    simulator.set("rst", 0)
    simulator.count_toggles(True)
    macs = cycles_since_last = 0
    last_due: list[int] = [0] * (pe.pipeline + 1)
    results = np.zeros(LANES, np.uint64)
    for x, w in operands.layers:
        bits = unit.weight_bits or 8
        codes, weights = _codes(unit, library, x, w >> (8 - bits))
        macs += x.size
        for index, (code, weight) in enumerate(zip(codes, weights, strict=True)):
            last_due = [int(index == len(codes) - 1), *last_due[:-1]]
            simulator.set("activation_in", code)
            simulator.set("weight_in", weight)
            simulator.set("last_in", last_due[-1])
            simulator.set("shift_in", int(1 <= cycles_since_last <= DRAIN))
            simulator.set("result_in", np.roll(results, 1))
            simulator.step()
            results = simulator.get("result_out")
            simulator.clock()
            cycles_since_last = 1 if last_due[-1] else cycles_since_last + 1
    return energy(netlist, library, simulator.toggles) / macs


def _codes(
    unit: Unit, library: Library, x: npt.NDArray[Any], w: npt.NDArray[Any]
) -> tuple[list[npt.NDArray[np.bool_]], list[npt.NDArray[np.bool_]]]:
    """Activation and weight codes, slice by slice, as the lanes of the edges make them."""
    pe = unit.processing_element()
    step, group = pe.k_per_cycle, pe.k_per_cycle * pe.multiplier.slices_per_group
    odd = -x.shape[1] % group
    x, w = np.pad(x, ((0, 0), (0, odd))), np.pad(w, ((0, 0), (0, odd)))
    shared = _shared(unit, x) if group > step else np.zeros((LANES, x.shape[1], 0), np.uint8)
    bits = unit.weight_bits or 8
    words = (w.astype(np.int64)[..., np.newaxis] >> np.arange(bits) & 1).astype(bool)
    slices = [slice(k, k + step) for k in range(0, x.shape[1], step)]
    activations = [
        np.concatenate([x[:, part], shared[:, part.start // group]], axis=1) for part in slices
    ]
    weights = [words[:, part].reshape(LANES, -1) for part in slices]
    return (
        _through(unit, library, "activation", activations),
        _through(unit, library, "weight", weights),
    )


def _shared(unit: Unit, x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The OR of what counts for the window of each group: (lanes, groups, 1)."""
    fmt = unit.sparq_format
    pairs = x.reshape(LANES, -1, 2)
    if fmt.vsparq:
        pairs = np.where(pairs[..., ::-1] == 0, 0, pairs)  # its partner lends it its bits
    counted = pairs.reshape(LANES, -1, fmt.group)
    return np.bitwise_or.reduce(counted, axis=-1, keepdims=True).astype(np.uint8)


def _through(
    unit: Unit, library: Library, lane: str, operands: list[npt.NDArray[Any]]
) -> list[npt.NDArray[np.bool_]]:
    """What an edge's lane makes of operands, one in each cycle."""
    simulator = Simulator(_lane(unit, library, lane), library, LANES)
    found = []
    for operand in [*operands, operands[-1]]:
        simulator.set("data_in", operand)
        simulator.step()
        found.append(simulator.get_bits("data_out"))
        simulator.clock()
    return found[1:]


@cache
def _lane(unit: Unit, library: Library, which: str) -> Netlist:
    lane = {"activation": ActivationLane, "weight": WeightLane}[which](unit.processing_element())
    (mapped,) = map_verilog(Emission("lane").verilog(lane), "lane", library, RECIPES[:1])
    return parse_netlist(mapped.json, library)
