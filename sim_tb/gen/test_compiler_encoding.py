"""Programs whose tensors lie in memory as stored pairs: which ones, what that saves, and that the
results stay what they are.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gen.compiler.compile import CompiledNetwork, compile_network
from gen.compiler.files import memory_map_of
from gen.compiler.image import TensorPlace
from gen.compiler.report import layer_report, moved_as_bytes, totals
from golden import sparq
from golden.accelerator.program import Machine
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import Error, Opcode
from networks.graph.graph import Graph
from networks.graph.lowering import Patch
from networks.graph.movement import Slice
from networks.graph.operations import MaxPool
from networks.quantization.network import QuantizedNetwork
from sim_tb.gen.small_networks import RELU, graph_of, matrix_layer, squeeze_network
from sim_tb.gen.test_compiler import SEED, check, quantized, shape_of

SIZE = (16, 12, 4)
WORD = 8
"""Channels, of shapes whose pairs are whole beats of four channel words at most."""
SHAPES: dict[str, AcceleratorShape] = {
    "5opt": shape_of(lines=128, encodes=True),
    "11 bits": shape_of("3opt", lines=256, encodes=True, rows=8),
    "7opt": shape_of("7opt", lines=128, encodes=True, vsparq=False),
    "group": shape_of(cols=8, k_per_cycle=4, lines=128, group=2, encodes=True),
}


def network_of(shape: AcceleratorShape, graph: Graph) -> tuple[QuantizedNetwork, Any]:
    """In integers, and images of it."""
    images = np.abs(np.random.default_rng(SEED).normal(size=(2, *graph.input_shape)))
    return quantized(shape, graph, images), images


def encoded(compiled: CompiledNetwork) -> set[str]:
    """The names of tensors that are stored pairs in memory."""
    return {name for name, place in compiled.tensors.items() if place.encoded}


@pytest.mark.every(1)
@pytest.mark.parametrize("name", SHAPES)
def test_a_network_that_spills(name: str) -> None:
    """Logits are the same; what is read by products in windows alone is encoded; what is moved is
    as much less as pairs have fewer bits.
    """
    shape = SHAPES[name]
    graph = squeeze_network(np.random.default_rng(SEED), SIZE, shape.encoded_lines * WORD)
    network, images = network_of(shape, graph)
    compiled = check(shape, network, images)
    found = encoded(compiled)
    assert found >= {"fire1 wide", "fire1 1x1", "fire1 3x3"}
    assert not found & {"x", "fire2 wide", "fire2 1x1", "pool", "last", "average"}
    assert compiled.image.constants.size % shape.line_bytes == 0
    rows = layer_report(compiled)
    total = totals(rows)
    less = sum(
        moved_as_bytes(shape, each) * (16 - shape.pair_bits) // 16
        for each in compiled.program
        if each.opcode in (Opcode.LOAD, Opcode.STORE) and each.encoded
    )
    assert total["saved"] == less > 0
    without = compile_network(replace(shape, encodes=False), network)
    assert not encoded(without)
    own = totals(layer_report(without))
    assert own["saved"] == 0
    assert total["loaded"] + total["stored"] < own["loaded"] + own["stored"]


def test_what_is_stored_are_windows() -> None:
    """A tensor in memory is what the machine makes of it."""
    shape = SHAPES["5opt"]
    network, images = network_of(shape, squeeze_network(np.random.default_rng(SEED), SIZE, 16))
    compiled = compile_network(shape, network)
    plain = compile_network(replace(shape, encodes=False), network)
    tensors = []
    for each in (compiled, plain):
        memory = each.image.memory()
        each.image.write_input(memory, network.quantize_images(images)[0])
        machine = Machine(each.image.shape, memory, each.image.reads, each.image.writes)
        assert machine.run(0).error is Error.NONE
        tensors.append(each.tensors["fire1 wide"].read(each.image.shape, memory))
    windows, bytes_ = tensors
    assert shape.format is not None
    assert np.array_equal(windows, sparq(bytes_, shape.format))
    assert (windows != bytes_).any()
    of_map = memory_map_of(compiled)["tensors"]
    assert TensorPlace(**of_map["fire1 wide"]).encoded
    assert {name for name, own in of_map.items() if own["encoded"]} == encoded(compiled)


def conv(rng: np.random.Generator, channels: int, width: int, side: int = 3) -> Any:
    edge = side // 2
    patch = Patch((side, side), padding=(edge, edge, edge, edge))
    return matrix_layer(rng, patch, channels, width)


READERS: dict[str, tuple[int, Any]] = {
    "pool": (24, lambda rng: MaxPool(Patch((1, 1)))),
    "slice": (24, lambda rng: Slice((slice(None), slice(None), slice(2, None)))),
    "odd": (6, lambda rng: conv(rng, 6, 24)),
    "exact": (24, lambda rng: conv(rng, 24, 24)),
    "windows": (24, lambda rng: conv(rng, 24, 24)),
}
"""Of what reads a tensor: the channels of that."""


@pytest.mark.parametrize("reader", READERS)
def test_what_stays_bytes(reader: str) -> None:
    """A tensor that is read by more than products in windows, as a part that is no whole beats, or
    by a layer of 8 bits; the one before it is encoded.
    """
    rng = np.random.default_rng(SEED)
    shape = shape_of(lines=128, encodes=True)
    width, operation = READERS[reader]
    graph = graph_of(
        (28, 12, 4),
        (conv(rng, 4, 24), ("x",), "a", RELU),
        (conv(rng, 24, width), ("a",), "b", RELU),
        (operation(rng), ("b",), "c"),
        (conv(rng, 22 if reader == "slice" else 24, 24), ("c",), "d", RELU),
        (MaxPool(Patch((2, 2), (2, 2))), ("d",), "e"),
    )
    images = np.abs(rng.normal(size=(2, *graph.input_shape)))
    kept = {"c": "to be exact"} if reader == "exact" else {}
    network = quantized(shape, graph, images, kept=kept)
    compiled = check(shape, network, images)
    assert {"a", "b", "c"} <= set(compiled.tensors)
    assert encoded(compiled) & {"a", "b", "d"} == ({"a", "b"} if reader == "windows" else {"a"})
