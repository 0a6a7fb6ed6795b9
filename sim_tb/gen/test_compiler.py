"""Programs of networks: what they compute equals the network in integers."""

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rich.progress import Progress

from gen.compiler.accelerator import accelerator_shape
from gen.compiler.compile import CompiledNetwork, compile_network, require_room
from gen.compiler.errors import CompileError, RangeError
from gen.compiler.files import FILES, digests, read_compiled, write_compiled
from gen.compiler.lowering.context import Context
from gen.compiler.lowering.sums import require_sums
from gen.compiler.report import cycles_of_other_lanes, cycles_of_rivals, layer_report, totals
from gen.compiler.run import run_on_golden
from gen.compiler.stored_network import load_network, store_network
from gen.compiler.windows import require_depths, unwindowed_layers
from gen.design.configuration import Configuration, ConfigurationError
from gen.simulation.accelerator_demo import run_accelerator_demo
from golden import SparqFormat, named_format, sparq
from golden.accelerator.program import Machine
from golden.accelerator.program_order import WAITS, unordered
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import LAYOUT, WAIT_COUNTS, Descriptor, Error, Opcode
from networks import load_mnist
from networks.graph.attention import LayerNormalization, MatrixProduct, Softmax
from networks.graph.elementwise import (
    Affine,
    Function,
    Largest,
    Product,
    Quotient,
    Smallest,
    Sum,
)
from networks.graph.expression import X, apply
from networks.graph.graph import Graph
from networks.graph.lowering import Flat, Patch
from networks.graph.movement import (
    Concat,
    Expand,
    Interpolate,
    Pad,
    Rearrange,
    Slice,
    Spread,
    Take,
    Taps,
)
from networks.graph.operations import AveragePool, MaxPool
from networks.quantization.arithmetic import of_machine
from networks.quantization.calibration import calibrate
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import UniformCodes
from networks.quantization.quantize import quantize
from networks.quantization.reordering import in_stored_order
from networks.samples.mnist.quantized import quantized_mnist
from sim_tb.gen.small_networks import (
    RELU,
    average,
    graph_of,
    images_of,
    matrix_layer,
    random_graph,
    random_orders,
)
from support.errors import InputError, RunError
from support.files import OutputError

SEED = 2026


def shape_of(fmt: str | None = "5opt", **sizes: Any) -> AcceleratorShape:
    """Small, of a format by its name and options."""
    options = {name: sizes.pop(name) for name in ("group", "vsparq") if name in sizes}
    small = {"rows": 4, "cols": 4, "k_per_cycle": 2, "lines": 512, "beat_bytes": 8}
    given = {**small, "weight_depth": 2048, **sizes}
    return AcceleratorShape(**given, format=named_format(fmt, **options) if fmt else None)


SHAPES = (
    shape_of(),
    shape_of("3opt", rows=2, beat_bytes=4),
    shape_of(None, cols=8, k_per_cycle=1),
    shape_of(None, rows=8, beat_bytes=16),
    shape_of(cols=8, k_per_cycle=8, beat_bytes=16),
    shape_of("2opt", rows=2, cols=8, k_per_cycle=4, group=4, vsparq=False),
    shape_of("s5opt", cols=6),
    shape_of(vsparq=False),
    shape_of(cols=8, k_per_cycle=4, group=2),
    shape_of(encodes=True),
    shape_of("7opt", rows=2, vsparq=False, encodes=True),
)
LINES = (40, 64, 512)
"""Of scratchpads: the smallest ones hold but a few rows of a tensor."""


def quantized(
    shape: AcceleratorShape, graph: Graph, images: npt.NDArray[Any], **options: Any
) -> QuantizedNetwork:
    signed = "affine" if shape.format is not None and shape.format.signed else None
    kept = unwindowed_layers(shape, graph)
    ranges = calibrate(graph, [images], method="max")
    return quantize(graph, ranges, **{"signed": signed, "kept": kept, **options})


def check(
    shape: AcceleratorShape, network: QuantizedNetwork, images: npt.NDArray[Any]
) -> CompiledNetwork:
    """The program of a network, which computes the same, whatever memories held before."""
    compiled = compile_network(shape, network)
    image = compiled.image
    assert unordered(shape, compiled.program, image.reads, image.writes) is None
    inputs = network.quantize_images(images)
    expected = network.forward(inputs, of_machine(shape.format), compiled=False)
    rng = np.random.default_rng(0)
    memory = rng.integers(0, 256, image.size, np.uint8)
    memory[: len(image.constants)] = image.constants
    machine = Machine(shape, memory, image.reads, image.writes)
    machine.scratchpad[:] = rng.integers(0, 256, machine.scratchpad.shape, np.uint8)
    for each, logits in zip(inputs, expected, strict=True):
        image.write_input(memory, each)
        assert machine.run(0).error is Error.NONE
        assert np.array_equal(image.read_output(memory), logits)
    assert np.array_equal(memory[: len(image.constants)], image.constants)
    return compiled


def stripes(compiled: CompiledNetwork) -> list[int]:
    return [len(each.stripes) for each in compiled.allocation.striping]


@pytest.mark.every(32)
@pytest.mark.parametrize("seed", range(240))
def test_random_networks(seed: int) -> None:
    rng = np.random.default_rng([SEED, seed])
    shape = replace(SHAPES[seed % len(SHAPES)], lines=1 << int(rng.integers(6, 10)))
    graph = random_graph(rng, shape.k_per_cycle, int(rng.integers(1, 9)))
    images = images_of(graph, rng, 2)
    windowed = {f"{end}_layer_windowed": bool(rng.integers(2)) for end in ("first", "last")}
    network = quantized(shape, graph, images, **windowed)
    if rng.integers(2):  # channels in another order
        orders = random_orders(network, rng)
        network = quantized(shape, graph, images, channel_orders=orders, **windowed)
    check(shape, in_stored_order(network), images)


@pytest.fixture(scope="module")
def mnist() -> tuple[QuantizedNetwork, npt.NDArray[Any]]:
    data = load_mnist()
    _, network = quantized_mnist(data, first_layer_windowed=False)
    return network, data.test.inputs[:2]


def test_mnist(mnist: tuple[QuantizedNetwork, npt.NDArray[Any]]) -> None:
    shape = shape_of(rows=16, cols=16, lines=4096, beat_bytes=16)
    compiled = check(shape, *mnist)
    assert stripes(compiled) == [1] * 5
    opcodes = [each.opcode.name for each in compiled.program]
    assert opcodes == ["LOAD", "MATRIX", "MATRIX", "MAX", "MATRIX", "MATRIX", "STORE", "END"]
    assert compiled.layers[1:6] == ("conv1", "conv2", "pool", "conv3", "linear")
    assert [each.values["exact"] for each in compiled.program[1:3]] == [1, 0]


def test_mnist_in_stripes(mnist: tuple[QuantizedNetwork, npt.NDArray[Any]]) -> None:
    """What does not fit is cut, and no wait is longer than it must be."""
    shape = shape_of(rows=8, cols=8, lines=256)
    compiled = check(shape, *mnist)
    assert max(stripes(compiled)) > 3
    image = compiled.image
    needless = 0
    for place, descriptor in enumerate(compiled.program):
        for name in WAITS:
            if not descriptor.values[name]:
                continue
            less = (descriptor.values[name] - 1) % WAIT_COUNTS
            changed = Descriptor(descriptor.opcode, {**descriptor.values, name: less})
            program = [*compiled.program[:place], changed, *compiled.program[place + 1 :]]
            found = unordered(shape, program, image.reads, image.writes)
            needless += found is None
            assert found is None or found.second >= place
    # Some hold through others.
    waits = sum(bool(each.values[name]) for each in compiled.program for name in WAITS)
    assert needless < waits / 2
    # The next stripe is loaded before the results of the one before are stored.
    opcodes = "".join(each.opcode.name[0] for each in compiled.program)
    assert "LMSL" in opcodes or "LMLMSL" in opcodes, opcodes


def test_the_same_program_everywhere(mnist: tuple[QuantizedNetwork, npt.NDArray[Any]]) -> None:
    shape = shape_of(rows=8, cols=8, lines=256)
    first, second = (compile_network(shape, mnist[0]) for _ in range(2))
    assert np.array_equal(first.image.constants, second.image.constants)
    program = np.concatenate([each.words() for each in first.program]).view(np.uint8)
    assert np.array_equal(first.image.constants[: len(program)], program)
    assert store_network(mnist[0]) == store_network(mnist[0])


def small_graph(*nodes: tuple[Any, ...], size: tuple[int, ...] = (4, 6, 4)) -> Graph:
    return graph_of(size, *nodes)


def layer(channels: int = 4, width: int = 4, patch: Patch | Flat | None = None) -> Any:
    rng = np.random.default_rng(SEED)
    return matrix_layer(rng, patch or Patch((1, 1)), channels, width)


def compiled_of(graph: Graph, shape: AcceleratorShape | None = None, **options: Any) -> Any:
    shape = shape or shape_of()
    images = np.random.default_rng(SEED).normal(size=(2, *graph.input_shape))
    return check(shape, quantized(shape, graph, images, **options), images)


def opcodes(compiled: CompiledNetwork) -> list[str]:
    return [each.opcode.name for each in compiled.program[:-1]]


def test_tables_are_with_the_results_before() -> None:
    sigmoid = Function(apply("sigmoid", X))
    one = small_graph((layer(), ("x",), "a"), (sigmoid, ("a",), "b"), (layer(), ("b",), "c"))
    assert opcodes(compiled_of(one)) == ["LOAD", "TABLE", "MATRIX", "MATRIX", "STORE"]
    two = small_graph((layer(), ("x",), "a"), (sigmoid, ("a",), "b"), (Product(), ("a", "b"), "c"))
    expected = ["LOAD", "MATRIX", "TABLE", "SUM", "PRODUCT", "STORE"]
    assert opcodes(compiled_of(two)) == expected


def test_parts_are_joined_by_address() -> None:
    graph = small_graph(
        (layer(), ("x",), "a", RELU),
        (layer(), ("a",), "b", RELU),
        (layer(width=3), ("a",), "c", RELU),
        (Concat(3), ("b", "c"), "d"),
        (Concat(3), ("a", "d"), "e"),
        (layer(11, 2), ("e",), "f"),
    )
    compiled = compiled_of(graph)
    assert opcodes(compiled) == ["LOAD", *["MATRIX"] * 4, "STORE"]
    # Nor is what is cut out of them moved.
    cut = Slice((slice(None), slice(None), slice(4, 8)))
    graph = Graph("x", graph.input_shape, (*graph.nodes[:-1],), "e")
    nodes = [(n.operation, n.inputs, n.output, *([n.clip] if n.clip else [])) for n in graph.nodes]
    compiled = compiled_of(small_graph(*nodes, (cut, ("e",), "g"), (layer(4, 2), ("g",), "h")))
    assert opcodes(compiled) == ["LOAD", *["MATRIX"] * 4, "STORE"]


def test_slices_of_slices_are_one() -> None:
    rows = Slice((slice(1, None, 2), slice(None), slice(None)))
    columns = Slice((slice(None), slice(None, 5, 2), slice(2, 4)))
    graph = small_graph((rows, ("x",), "a"), (columns, ("a",), "b"), (layer(2), ("b",), "c"))
    compiled = compiled_of(graph)
    assert opcodes(compiled) == ["LOAD", "SUM", "MATRIX", "STORE"]
    assert compiled.program[1].values["stride_y"] == 2 == compiled.program[1].values["stride_x"]


def test_a_shortcut_without_weights_is_one_step() -> None:
    """Every other pixel, and more channels on both sides."""
    cut = Slice((slice(None, None, 2), slice(1, None, 2), slice(None)))
    more = Pad(((0, 0), (0, 0), (2, 3)), "constant", 0.5)
    graph = small_graph((layer(), ("x",), "a", RELU), (cut, ("a",), "b"), (more, ("b",), "c"))
    compiled = compiled_of(graph)
    assert opcodes(compiled) == ["LOAD", "MATRIX", "SUM", "STORE"]
    assert compiled.image.output.channels == 9


def test_the_first_layer_begins_with_a_part_of_the_input() -> None:
    graph = small_graph((layer(4, 2, Patch((3, 3))), ("x",), "a"), size=(40, 40, 4))
    compiled = compiled_of(graph, shape_of(lines=2048))
    count = opcodes(compiled).count("MATRIX")
    assert count > 2
    assert opcodes(compiled) == [*["LOAD", "MATRIX"] * count, "STORE"]
    assert [each.values["wait_loads"] for each in compiled.program[1 : 2 * count : 2]] == [
        *range(1, count + 1)
    ]


def test_borders_are_those_of_patches() -> None:
    pad = Pad(((1, 0), (2, 1), (0, 0)), "constant", 0.0)
    inner = layer(patch=Patch((3, 3), padding=(1, 1, 1, 1)))
    graph = small_graph(
        (pad, ("x",), "a"), (inner, ("a",), "b"), (MaxPool(Patch((2, 2))), ("b",), "c")
    )
    assert opcodes(compiled_of(graph)) == ["LOAD", "MATRIX", "MAX", "STORE"]
    other = Pad(((1, 0), (2, 1), (0, 0)), "constant", 1.0)
    graph = small_graph((other, ("x",), "a"), (inner, ("a",), "b"))
    assert opcodes(compiled_of(graph)) == ["LOAD", "SUM", "MATRIX", "STORE"]


def test_groups_are_descriptors() -> None:
    grouped = layer(4, 4, Patch((3, 3), groups=2))
    depthwise = layer(4, 4, Patch((1, 2), groups=4))
    graph = small_graph((grouped, ("x",), "a"), (depthwise, ("a",), "b"))
    compiled = compiled_of(graph, last_layer_windowed=True)
    assert opcodes(compiled) == ["LOAD", "MATRIX", "MATRIX", "SUM", "STORE"]
    odd = layer(6, 9, Patch((3, 3), groups=3))
    compiled = compiled_of(small_graph((odd, ("x",), "a"), size=(4, 6, 6)))
    assert opcodes(compiled) == ["LOAD", "MATRIX", "MATRIX", "STORE"]


SEPARABLE = small_graph(
    (layer(5, 5, Patch((3, 2), (1, 2), (1, 0, 1, 1), groups=5)), ("x",), "a", RELU),
    (layer(5, 6), ("a",), "b", RELU),
    (layer(6, 6, Patch((2, 2), groups=6)), ("b",), "c"),
    (MaxPool(Patch((2, 2))), ("c",), "d"),
    (average(Patch((2, 2))), ("d",), "e"),
    size=(6, 7, 5),
)


@pytest.mark.parametrize(
    "shape", [shape_of(), shape_of(None, cols=8), shape_of("s5opt", cols=6, k_per_cycle=1)]
)
def test_depthwise_layers_without_multipliers(shape: AcceleratorShape) -> None:
    """Products of the machine with weights that are 0 outside of the diagonal: the same results."""
    plain = opcodes(compiled_of(SEPARABLE, shape))
    assert plain == ["LOAD", "SUM", "MATRIX", "SUM", "MAX", "SUM", "STORE"]
    parts = [-(-channels // shape.cols) for channels in (5, 6)]
    expected = ["LOAD", *["MATRIX"] * (parts[0] + 1 + parts[1]), "MAX", "SUM", "STORE"]
    assert opcodes(compiled_of(SEPARABLE, replace(shape, multiplies=False))) == expected


def test_cycles_without_multipliers() -> None:
    """More, for a depthwise layer; or why there are none."""
    images = np.random.default_rng(SEED).normal(size=(1, *SEPARABLE.input_shape))
    networks = [
        quantized(shape_of(), graph, images)
        for graph in (SEPARABLE, small_graph((Sum(), ("x", "x"), "a"), size=SEPARABLE.input_shape))
    ]
    whole = [compile_network(shape_of(), network) for network in networks]
    cycles = cycles_of_other_lanes(whole[0], networks[0])
    assert isinstance(cycles, int)
    assert cycles > totals(layer_report(whole[0]))["cycles"]
    without = compile_network(shape_of(multiplies=False), networks[0])
    assert cycles == totals(layer_report(without))["cycles"]
    assert cycles_of_other_lanes(without, networks[0]) == totals(layer_report(whole[0]))["cycles"]
    assert "has no multipliers" in str(cycles_of_other_lanes(whole[1], networks[1]))


def test_a_tall_patch_of_one_weight() -> None:
    graph = small_graph((average(Patch((20, 30))), ("x",), "a"), size=(20, 30, 3))
    assert opcodes(compiled_of(graph)) == ["LOAD", "SUM", "STORE"]


def test_tokens_are_pixels() -> None:
    graph = small_graph(
        (layer(6, 4, Flat()), ("x",), "a", RELU), (layer(4, 3, Flat()), ("a",), "b"), size=(9, 6)
    )
    assert opcodes(compiled_of(graph)) == ["LOAD", "MATRIX", "MATRIX", "STORE"]


REFUSALS: dict[str, tuple[Graph, AcceleratorShape, dict[str, Any], str]] = {
    "sum of three": (
        small_graph((layer(), ("x",), "a"), (Sum(), ("x", "a", "a"), "b")),
        *(shape_of(), {}),
        "b: a sum of 3 values rounds once, and sums of two would more often",
    ),
    "by pixel": (
        small_graph(
            (Affine(np.ones((4, 6, 1)) * np.arange(1, 7)[:, None], np.zeros(4)), ("x",), "a")
        ),
        *(shape_of(), {}),
        "a: weights must be the same for all pixels of a channel, not of shape (4, 6, 4)",
    ),
    "shapes": (
        small_graph((average(Patch((1, 6))), ("x",), "a"), (Product(), ("x", "a"), "b")),
        *(shape_of(), {}),
        "b: values must have one shape, or one of them be a pixel for all of the other, not have "
        "the shapes (4, 6, 4) and (4, 1, 4)",
    ),
    "averages": (
        small_graph(
            (
                AveragePool(
                    Patch((2, 2), padding=(1, 0, 0, 0)), np.array([2.0, 4, 4, 4])[:, None, None]
                ),
                *(("x",), "a"),
            ),
            (layer(), ("a",), "b"),
        ),
        *(shape_of(), {}),
        "a: averages of fewer pixels at the border, where padding is not counted, are not "
        "supported",
    ),
    "tables": (
        small_graph((Function(apply("multiply", apply("tanh", X), np.arange(4.0))), ("x",), "a")),
        *(shape_of(), {}),
        "a: a table must be the same for all channels",
    ),
    "parts": (
        small_graph((layer(width=3), ("x",), "a"), (Concat(3), ("a", "x"), "b")),
        *(shape_of(), {}),
        "b: parts that are joined must be whole words of 2 channels, not 3 channels as a",
    ),
    "rows": (
        small_graph((Concat(1), ("x", "x"), "a")),
        *(shape_of(), {}),
        "a: values are joined along their channels alone",
    ),
    "slice": (
        small_graph((Slice((slice(None), slice(None), slice(1, 3))), ("x",), "a")),
        *(shape_of(), {}),
        "a: a slice must be whole words of 2 channels, not 1:3:1 of 4",
    ),
    "reversed": (
        small_graph((Slice((slice(None, None, -1), slice(None), slice(None))), ("x",), "a")),
        *(shape_of(), {}),
        "a: pixels are put into another order",
    ),
    "turned": (
        small_graph((Rearrange((1, 0, 2), (6, 4, 4), (0, 1, 2)), ("x",), "a")),
        *(shape_of(), {}),
        "a: elements are put into another order",
    ),
    "pad": (
        small_graph((Pad(((1, 0), (0, 0), (0, 0)), "edge"), ("x",), "a")),
        *(shape_of(), {}),
        "a: padding with edge values is not supported",
    ),
    "channels before": (
        small_graph((Pad(((0, 0), (0, 0), (1, 0))), ("x",), "a")),
        *(shape_of(), {}),
        "a: channels are padded by whole words of 2 before them, not by 1",
    ),
    "flattened": (
        small_graph(
            (Rearrange((0, 1, 2), (96,), (0,)), ("x",), "a"),
            (Affine(np.arange(1.0, 97), np.zeros(96)), ("a",), "b"),
        ),
        *(shape_of(), {}),
        "b: constants of each feature of an input of shape (96,), which are not channels",
    ),
    "features": (
        small_graph(
            (Rearrange((0, 1, 2), (4, 24), (0, 1)), ("x",), "a"),
            (layer(24, 2, Flat()), ("a",), "b"),
        ),
        *(shape_of(), {}),
        "b: features of an input of shape (4, 24) are not channels",
    ),
    "depth": (
        small_graph((layer(patch=Patch((3, 3))), ("x",), "a")),
        *(shape_of(weight_depth=16), {}),
        "a: the reduction takes 18 slices of weights, and the machine holds 16",
    ),
    "odd": (
        small_graph((layer(3, 4), ("x",), "a"), size=(4, 6, 3)),
        *(shape_of(), {"kept": None, "first_layer_windowed": True, "last_layer_windowed": True}),
        "a: the layer is windowed, but has to stay at 8 bits (3 input channels for windows of 2 "
        "neighbours)",
    ),
    "depthwise": (
        small_graph((layer(4, 4, Patch((1, 2), groups=4)), ("x",), "a")),
        *(shape_of(), {"kept": None, "first_layer_windowed": True, "last_layer_windowed": True}),
        "a: the layer is windowed, but has to stay at 8 bits (depthwise)",
    ),
    "sum without multipliers": (
        small_graph((Sum(), ("x", "x"), "a")),
        *(shape_of(multiplies=False), {}),
        "a: two values are multiplied, or scaled, and the accelerator has no multipliers in its "
        "vector unit (lanes 0)",
    ),
    "scale without multipliers": (
        small_graph((Affine(np.arange(1.0, 5), np.zeros(4)), ("x",), "a")),
        *(shape_of(multiplies=False), {}),
        "a: its weights are not all 0 or 1, and the accelerator has no multipliers in its vector "
        "unit (lanes 0)",
    ),
    "depthwise weights": (
        small_graph((layer(2, 2, Patch((17, 16), groups=2)), ("x",), "a"), size=(17, 16, 2)),
        *(shape_of(), {}),
        "a: a depthwise layer has at most 256 weights for each channel, not 272",
    ),
    "signed bytes": (
        small_graph((layer(), ("x",), "a")),
        *(shape_of("s4opt"), {}),
        "the format of the accelerator is one of signed bytes, of 7 bits of magnitude, and a "
        "network needs 8: take one such as 5opt or s5opt",
    ),
    "half": (
        small_graph((layer(), ("x",), "a")),
        *(shape_of(None, activation_bits=4), {}),
        "the elements of the accelerator multiply 4 bits of an activation, and a network needs "
        "all 8: take another pe",
    ),
    "no exact mode": (
        small_graph((layer(), ("x",), "a")),
        *(shape_of("2:0,6"), {}),
        "a: the layer stays at 8 bits (first layer), and the format of the machine has no exact "
        "mode",
    ),
    "codes": (
        small_graph((layer(), ("x",), "a", RELU), (layer(), ("a",), "b")),
        *(
            shape_of(None),
            {"activation_codes": {"b": UniformCodes(17.0)}, "last_layer_windowed": True},
        ),
        "b: activations are recoded, which an accelerator cannot",
    ),
    "order": (
        small_graph((layer(), ("x",), "a")),
        *(shape_of(None), {"channel_orders": {"a": np.array([1, 0, 2, 3])}}),
        "a: channels have an order of their own, which is not supported",
    ),
    "stride": (
        small_graph((layer(patch=Patch((1, 1), stride=(16, 1))), ("x",), "a")),
        *(shape_of(), {}),
        "a: stride_y of MATRIX must be an integer from 0 to 15, not 16",
    ),
    "scratchpad": (
        small_graph((layer(32, 4, Patch((4, 6))), ("x",), "a"), size=(4, 6, 32)),
        *(shape_of(lines=32), {}),
        "a: the layer takes 56 lines of the scratchpad at least, which has 32: scratchpad must be "
        "at least 1",
    ),
    "quotient": (
        small_graph((Quotient(), ("x", "x"), "a")),
        *(shape_of(), {}),
        "a: a quotient of two values does not run on an accelerator",
    ),
    "interpolation": (
        small_graph((Interpolate(*[Taps((0, 1), (1, 2), np.array([0.5, 0.5]))] * 2), ("x",), "a")),
        *(shape_of(), {}),
        "a: an interpolation between pixels does not run on an accelerator",
    ),
    "matrices": (
        small_graph((MatrixProduct(), ("x", "x"), "a"), size=(4, 4)),
        *(shape_of(), {}),
        "a: a product of two values as matrices does not run on an accelerator",
    ),
    "softmax": (
        small_graph((Softmax(), ("x",), "a")),
        *(shape_of(), {}),
        "a: a softmax does not run on an accelerator",
    ),
    "normalization": (
        small_graph((LayerNormalization(np.ones(4), np.ones(4), 0.1), ("x",), "a")),
        *(shape_of(), {}),
        "a: a layer normalization does not run on an accelerator",
    ),
    "largest": (
        small_graph((Largest(), ("x", "x"), "a")),
        *(shape_of(), {}),
        "a: the largest of several values does not run on an accelerator",
    ),
    "smallest": (
        small_graph((Smallest(), ("x", "x"), "a")),
        *(shape_of(), {}),
        "a: the smallest of several values does not run on an accelerator",
    ),
    "choice": (
        small_graph((Take(1, (1, 0)), ("x",), "a")),
        *(shape_of(), {}),
        "a: a choice of positions does not run on an accelerator",
    ),
    "repetition": (
        small_graph((Expand((4, 6, 4)), ("x",), "a"), size=(1, 1, 4)),
        *(shape_of(), {}),
        "a: a repetition along an axis does not run on an accelerator",
    ),
    "spreading": (
        small_graph((Spread((2, 2)), ("x",), "a")),
        *(shape_of(), {}),
        "a: a spreading of pixels does not run on an accelerator",
    ),
    "nothing": (
        small_graph((Rearrange((0, 1, 2), (96,), (0,)), ("x",), "a")),
        *(shape_of(), {}),
        "a: nothing computes the output",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    graph, shape, options, text = REFUSALS[name]
    images = np.abs(np.random.default_rng(SEED).normal(size=(2, *graph.input_shape)))
    network = quantized(shape, graph, images, **options)
    with pytest.raises(CompileError) as caught:
        compile_network(shape, network)
    assert str(caught.value) == text
    if name in LATE:
        require_room(shape, network)
        return
    with pytest.raises(CompileError) as caught:
        require_room(shape, network)
    assert str(caught.value) == text


LATE = ("stride",)
"""Of refusals, those that descriptors show alone."""


def test_what_ranges_decide_is_not_said_before_they_are_known() -> None:
    graph, shape, _, _ = REFUSALS["scratchpad"]
    images = np.abs(np.random.default_rng(SEED).normal(size=(2, *graph.input_shape)))
    context = Context(shape, quantized(shape, graph, images))
    with pytest.raises(RangeError, match=r"^a: a weight must fit 16 bits, not be -32769$"):
        context.channels("a", 1, 0, None, None, [-32769])
    with pytest.raises(RangeError, match=r"^a: a bias must fit 32 bits, not be 2147483648$"):
        context.channels("a", 1, 1 << 31, None, None, [1])


@pytest.mark.parametrize("fmt", [None, "5opt", "s5opt"])
def test_sums_fit_the_accumulators(fmt: str | None) -> None:
    """Of a layer at 8 bits to the bit: with one fewer, inputs have sums that wrap."""
    graph = small_graph((layer(96, 3, Flat()), ("x",), "a"), size=(96,))
    shape = shape_of(fmt)
    images = np.random.default_rng(SEED).normal(size=(2, 96))
    network = quantized(shape, graph, images)
    weights = network.layers[0].weights[0]
    assert not network.layers[0].windowed
    inputs = np.where(np.concatenate([weights.T > 0, weights.T < 0]), 255, 0).astype(np.uint8)
    sums = inputs @ weights.astype(np.int64)
    bits = next(
        b for b in range(1, 33) if (-(1 << b - 1) <= sums).all() and sums.max() < 1 << b - 1
    )
    image = compile_network(replace(shape, acc_bits=bits), network).image
    expected = network.forward(inputs, of_machine(shape.format))
    assert np.array_equal(np.stack([*run_on_golden(image, inputs)]), expected)
    narrow = replace(shape, acc_bits=bits - 1)
    with pytest.raises(CompileError) as caught:
        compile_network(narrow, network)
    text = f"a: its sums of products can take {bits} bits, and acc_bits is {bits - 1}"
    assert str(caught.value) == text
    wrapped = np.stack([*run_on_golden(replace(image, shape=narrow), inputs)])
    assert not np.array_equal(wrapped, expected)


@pytest.mark.parametrize(
    ("fmt", "zero_point", "low", "high"),
    [
        (named_format("5opt"), 0, 0, 255),
        (named_format("5opt", vsparq=False), 0, 0, 240),
        (named_format("s5opt"), 100, -100, 160),
        (named_format("s5opt", group=4), 200, -200, 56),
        (named_format("s5opt", group=8, vsparq=False), 100, -96, 160),
    ],
)
def test_sums_of_windows_fit(fmt: SparqFormat, zero_point: int, low: int, high: int) -> None:
    """No activation is made larger than ``low`` and ``high``, which there are bits for."""
    bytes_ = np.random.default_rng(SEED).integers(0, 256, (1 << 15, 8), np.uint8)
    bytes_[::2, 1::2] = zero_point
    found = sparq(bytes_, fmt, zero_point=zero_point)
    assert (found.min(), found.max()) == (low, high)
    weights = np.full((1 << 10, 1), 127, np.int8)
    weights[::4] = -127
    most = 127 * max(768 * high - 256 * low, -768 * low + 256 * high)
    bits = most.bit_length() + 1
    require_sums("a", weights, bits, fmt, zero_point)
    with pytest.raises(CompileError, match=f"^a: .* can take {bits} bits, and acc_bits is ") as one:
        require_sums("a", weights, bits - 1, fmt, zero_point)
    assert isinstance(one.value, RangeError) == fmt.signed


def test_what_stays_at_8_bits() -> None:
    graph = small_graph(
        (layer(4, 6), ("x",), "a", RELU),
        (layer(6, 6, Patch((1, 1), groups=6)), ("a",), "b", RELU),
        (layer(6, 3), ("b",), "c", RELU),
        (layer(3, 4), ("c",), "d", RELU),
        (Rearrange((0, 1, 2), (96,), (0,)), ("d",), "e"),
        (layer(96, 2, Flat()), ("e",), "f"),
    )
    odd = "3 input channels for windows of 2 neighbours"
    assert unwindowed_layers(shape_of(), graph) == {"b": "depthwise", "d": odd}
    assert unwindowed_layers(shape_of(vsparq=False), graph) == {"b": "depthwise"}
    assert unwindowed_layers(shape_of(None), graph) == {}
    four = "6 input channels for windows of 4 neighbours"
    found = unwindowed_layers(shape_of(group=4, k_per_cycle=4), graph)
    assert found == {"b": "depthwise", "c": four, "d": odd.replace("of 2", "of 4")}


@pytest.mark.parametrize(
    ("sizes", "names"),
    [
        ({}, ["8x8", "2x8x8"]),
        ({"beat_bytes": 16}, ["2x8x8"]),  # wider than half a line
        ({"lines": 1 << 16}, ["2x8x8"]),  # as many as there can be
        ({"fmt": None}, []),
    ],
)
def test_rivals_are_those_that_can_be(sizes: dict[str, Any], names: list[str]) -> None:
    shape = shape_of(**sizes)
    network = quantized(
        shape,
        small_graph((layer(), ("x",), "a")),
        np.random.default_rng(SEED).normal(size=(2, 4, 6, 4)),
    )
    assert [*cycles_of_rivals(compile_network(shape, network), network)] == names


# --- files


HASH = "0123456789abcdef"
ABOUT = {"configuration": {"rows": 8}, "data": {"task": "classification"}}


@pytest.fixture
def written(mnist: tuple[QuantizedNetwork, npt.NDArray[Any]], tmp_path: Path) -> Path:
    compiled = compile_network(shape_of(rows=8, cols=8, lines=256), mnist[0])
    return write_compiled(tmp_path / "made", compiled, mnist[0], b"model", HASH, ABOUT)


def test_files(mnist: tuple[QuantizedNetwork, npt.NDArray[Any]], written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {*FILES}
    compiled = compile_network(shape_of(rows=8, cols=8, lines=256), mnist[0])
    found = read_compiled(written)
    assert found.model.read_bytes() == b"model"
    assert found.data == {"task": "classification"}
    image = found.image
    assert image.as_map() == compiled.image.as_map()
    inputs = mnist[0].quantize_images(mnist[1])
    expected = found.network.forward(inputs, of_machine(image.shape.format))
    assert np.array_equal(np.stack([*run_on_golden(image, inputs)]), expected)
    assert np.array_equal(expected, mnist[0].forward(inputs, of_machine(image.shape.format)))
    assert (written / "memory.bin").read_bytes() == image.constants.tobytes()
    values = json.loads((written / "map.json").read_text())
    count = len(compiled.program)
    assert values["program"] == {"descriptors": count, "bytes": 64 * count}
    lines = (written / "SHA256SUMS").read_text().splitlines()
    files = [path for path in written.iterdir() if path.name != "SHA256SUMS"]
    assert sorted(lines) == sorted(
        f"{sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files
    )
    assert values["tensors"]["images"] == values["input"]
    header = (written / "sparq_network.h").read_text()
    for name, value in (("INPUT_OFFSET", image.input.address), ("WRITE_BYTES", image.writes.size)):
        assert re.search(rf"^#define SPARQ_NETWORK_{name} +{value}u /\* ", header, re.MULTILINE)
    # Again, the same.
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    write_compiled(written, compiled, mnist[0], b"model", HASH, ABOUT)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_a_folder_of_others_stays(
    mnist: tuple[QuantizedNetwork, npt.NDArray[Any]], written: Path
) -> None:
    (written / "notes.txt").write_text("mine")
    compiled = compile_network(shape_of(rows=8, cols=8, lines=256), mnist[0])
    with pytest.raises(OutputError) as caught:
        write_compiled(written, compiled, mnist[0], b"", HASH, {})
    assert str(caught.value) == (
        f"cannot write {written}: it holds notes.txt, which is no file of a compiled network"
    )
    file = written / "notes.txt"
    with pytest.raises(OutputError, match="it is no folder"):
        write_compiled(file, compiled, mnist[0], b"", HASH, {})
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(written: Path, name: str) -> None:
    """Each is missed, and found to be another one by a single bit."""
    content = bytearray((written / name).read_bytes())
    content[len(content) // 2] ^= 1
    (written / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_compiled(written)
    path, _, text = str(caught.value).partition(" ")
    assert path == str(written / name) or name == "SHA256SUMS"
    assert text == (
        "does not belong to the other files, by the digests in SHA256SUMS: compile the network "
        "again"
    )
    (written / name).unlink()
    with pytest.raises(InputError) as caught:
        read_compiled(written)
    assert str(caught.value) == f"cannot read {written / name}: No such file or directory"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"shape": 1}', b"\xff"])
def test_a_map_of_another_version(written: Path, content: bytes) -> None:
    """It is refused as such, though it belongs to the other files."""
    (written / "map.json").write_bytes(content)
    files = {name: (written / name).read_bytes() for name in FILES if name != "SHA256SUMS"}
    (written / "SHA256SUMS").write_text(digests(files))
    with pytest.raises(InputError) as caught:
        read_compiled(written)
    assert str(caught.value) == (
        f"{written / 'map.json'} is not a map of this version of sparq compile: compile the "
        "network again"
    )


def test_what_is_no_network_of_the_compiler(mnist: tuple[QuantizedNetwork, Any]) -> None:
    stored = store_network(mnist[0])
    for data in (b"", b"PK", b"PK\5\6" + bytes(18), stored[:-100]):
        with pytest.raises(InputError, match=r"^it is not a network of sparq compile$"):
            load_network(data, "it")


def test_a_program_that_stops_is_an_error(mnist: tuple[QuantizedNetwork, Any]) -> None:
    image = compile_network(shape_of(rows=8, cols=8, lines=256), mnist[0]).image
    constants = image.constants.copy()
    constants[64] = 99
    inputs = mnist[0].quantize_images(mnist[1])
    with pytest.raises(RunError) as caught:
        next(run_on_golden(replace(image, constants=constants), inputs))
    assert str(caught.value) == "the program stopped with the error OPCODE after 1 descriptors"


def test_the_accelerator_of_a_configuration() -> None:
    shape = accelerator_shape(Configuration(top="accelerator", weight_depth=300))
    assert shape == AcceleratorShape(
        *(16, 16, 2), lines=4096, beat_bytes=16, weight_depth=300, format=named_format("5opt")
    )
    sizes = {"rows": 4, "cols": 24, "pairs": 4, "machine": "tensor_core", "weight_bits": 4}
    sizes |= {"scratchpad": 4, "memory_bits": 32, "pe": "8x8", "acc_bits": 24}
    shape = accelerator_shape(Configuration(top="accelerator", **sizes))
    assert (shape.k_per_cycle, shape.line_bytes, shape.lines, shape.beat_bytes) == (4, 32, 128, 4)
    assert (shape.weight_bits, shape.activation_bits, shape.format) == (4, 8, None)
    assert shape.acc_bits == 24
    with pytest.raises(ConfigurationError) as caught:
        accelerator_shape(Configuration(top="engine"))
    assert str(caught.value) == "top must be accelerator to compile a network, not 'engine'"
    with pytest.raises(CompileError, match=r"^the elements of .*: take another pe$"):
        accelerator_shape(Configuration(top="accelerator", pe="2x4x8"))


def test_every_field_is_given() -> None:
    """Those of a descriptor that computes; waits are found later."""
    compiled = compiled_of(small_graph((layer(), ("x",), "a")))
    assert {*compiled.program[1].values} == {*LAYOUT[Opcode.MATRIX]} - {"opcode"}


def test_a_demo_of_signed_bytes_is_refused_before_any_work() -> None:
    with pytest.raises(CompileError, match=r"^the format of .*: take one such as 5opt or s5opt$"):
        run_accelerator_demo(1, "s4opt", Progress())


def test_depths_are_those_of_steps() -> None:
    """Known of a graph, before it is quantized; of the layers that the machine multiplies."""
    graph = small_graph(
        (layer(4, 6, Patch((3, 2))), ("x",), "a", RELU),
        (layer(6, 6, Patch((2, 2), groups=6)), ("a",), "b", RELU),
        (layer(6, 4, Patch((1, 1), groups=2)), ("b",), "c", RELU),
        (Rearrange((0, 1, 2), (24,), (0,)), ("c",), "d"),
        (layer(24, 8, Flat()), ("d",), "e", RELU),
        (layer(8, 2, Flat()), ("e",), "f"),
        size=(6, 4, 4),
    )
    images = np.random.default_rng(SEED).normal(size=(2, *graph.input_shape))
    for multiplies in (True, False):
        shape = shape_of(multiplies=multiplies)
        compiled = compile_network(shape, quantized(shape, graph, images))
        depths: dict[str, int] = {}
        for step in compiled.steps:
            depths[step.name] = max(depths.get(step.name, 0), step.depth)
        require_depths(replace(shape, weight_depth=max(depths.values())), graph)
        for most in range(1, max(depths.values())):
            name = next(name for name, depth in depths.items() if depth > most)
            with pytest.raises(CompileError) as caught:
                require_depths(replace(shape, weight_depth=most), graph)
            assert str(caught.value) == (
                f"{name}: the reduction takes {depths[name]} slices of weights, and the machine "
                f"holds {most}"
            )
