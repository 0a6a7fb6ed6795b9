"""Real images through the Verilog of both arrays."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from gen.design.configuration import Configuration, ConfigurationError
from gen.design.expectation import Operands, expected_product, require_equal
from gen.simulation.building import build_machines
from gen.simulation.compiled_array import CompiledArray
from golden import NamedFormat, SparqFormat
from golden.format import SIGNED_ZERO_POINT
from networks import load_mnist
from networks.evaluation.formats import signed_layers
from networks.evaluation.inputs import Inputs
from networks.evaluation.model import channels_last
from networks.evaluation.preparation import Options, calibrated_network
from networks.graph.attention import MatrixProduct
from networks.graph.graph import Graph
from networks.graph.operations import MatrixLayer
from networks.quantization.arithmetic import (
    Arithmetic,
    Weights,
    Windows,
    exact,
    matrices,
    of_machine,
    saturated,
    with_zero_point,
)
from networks.quantization.attention_windows import window_attention
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import (
    Bytes,
    Int32Array,
    IntegerMatrixLayer,
    MultiplyMatrices,
)
from networks.samples.mnist.quantized import quantized_mnist

SIDE = 16
STYLE = "behavioral"
"""The one that simulates twice as fast; both are proved to add the same sums."""


class LayerRun(NamedTuple):
    """A layer on an array: the shape of its product (N of all groups together), and its cost."""

    m: int
    k: int
    n: int
    tiles: int
    cycles: int


def run_demo(
    images: int,
    format_name: str,
    progress: Progress,
    inputs: Inputs | None = None,
    layer_names: Sequence[str] = (),
    options: Options | None = None,
) -> dict[str, Any]:
    """Take ``images`` test images through the 8x8 and the SPARQ array, layer by layer.

    Every product of a windowed layer (or of those called ``layer_names``) is computed by the
    emitted Verilog, in behavioral style, under Verilator and must equal golden; the rest is
    golden's. The network is that of ``inputs``, as ``sparq evaluate`` quantizes it with
    ``options``, on evenly spread images; or else that for MNIST, with all layers windowed. Products
    of two values are layers, too, if the options make windows of the first.

    Returns layers (shapes, tiles, cycles), the number of images and, for MNIST, the accuracy in per
    cent on the whole test split (of golden, whose sums the arrays' are). Raises
    ``ConfigurationError`` before anything is built, also where no layer is windowed;
    ``MismatchError`` at the first differing element.
    """
    configurations = [
        Configuration(rows=SIDE, cols=SIDE, pe="8x8", style=STYLE),
        Configuration(rows=SIDE, cols=SIDE, pe="sparq", format=format_name, style=STYLE),
    ]
    if inputs is not None:
        _require_known(layer_names, _products_of(inputs.model.graph, options))
    network, chosen = demo_network(images, inputs, configurations[1].format, options)
    windowed_layers = windowed_products(network)
    if not windowed_layers:
        reasons = ", ".join(dict.fromkeys(layer.reason for layer in network.layers))
        raise ConfigurationError(
            f"no layer is windowed ({reasons or 'none multiplies with weights'}), so there is "
            "nothing to run on the arrays; top engine runs all layers"
        )
    _require_known(layer_names, windowed_layers)

    with progress:
        arrays = build_machines(
            lambda each, on_step: CompiledArray(each, on_step=on_step), configurations, progress
        )
        baseline, sparq = (
            through_array(
                *(network, chosen, configuration, array, progress),
                layer_names or windowed_layers,
            )
            for configuration, array in zip(configurations, arrays, strict=True)
        )
    layers = [
        {
            **{"name": name, "m": run.m, "k": run.k, "n": run.n, "tiles": run.tiles},
            "cycles_8x8": baseline[name].cycles,
            "cycles_sparq": run.cycles,
            "ratio": run.cycles / baseline[name].cycles,
            "bit_exact": True,  # otherwise require_equal has raised
        }
        for name, run in sparq.items()
    ]
    result: dict[str, Any] = {"layers": layers, "images": images}
    if inputs is None:
        mnist = load_mnist()
        graph, _ = quantized_mnist(mnist, first_layer_windowed=True)
        test = network.quantize_images(mnist.test.inputs)
        logits = {
            "fp32": graph.forward(mnist.test.inputs),
            "a8w8": network.forward(test, exact),
            "sparq": network.forward(test, arithmetic_of(configurations[1])),
        }
        result["accuracy"] = {
            name: round(100 * mnist.test.accuracy(value), 2) for name, value in logits.items()
        }
    return result


def _products_of(graph: Graph, options: Options | None) -> list[str]:
    """The names of layers, and of products of two values if they are windowed."""
    kinds: Any = MatrixLayer
    if options is not None and options.attention_windowed:
        kinds |= MatrixProduct
    return [node.name for node in graph.nodes if isinstance(node.operation, kinds)]


def windowed_products(network: QuantizedNetwork) -> list[str]:
    """The names of windowed layers, and of products of two values that are."""
    names = []
    for node in network.nodes:
        operation = node.operation
        is_layer = isinstance(operation, IntegerMatrixLayer) and operation.windowed
        if is_layer or (isinstance(operation, MultiplyMatrices) and operation.fmt is not None):
            names.append(node.name)
    return names


def _require_known(names: Sequence[str], allowed: Sequence[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ConfigurationError(f"layers must be some of {', '.join(allowed)}, not {name!r}")


def demo_network(
    images: int, inputs: Inputs | None, fmt: NamedFormat | None, options: Options | None = None
) -> tuple[QuantizedNetwork, Bytes]:
    """The network of ``inputs``, or else that for MNIST with all layers windowed, quantized for a
    format, and so many of its images, evenly spread. ``options`` are those of ``inputs``. Raises
    ``ConfigurationError`` for a number that there is not.
    """
    indices = demo_images(images, inputs)
    signed = signed_layers(fmt)
    if inputs is None:
        mnist = load_mnist()
        _, network = quantized_mnist(mnist, first_layer_windowed=True, signed=signed)
        return network, network.quantize_images(mnist.test.inputs[indices])
    chosen = inputs.images.select(indices)
    for part in (chosen, inputs.calibration):
        part.check()
    network = calibrated_network(
        inputs.model, inputs.calibration, options, signed, source=inputs.source
    )
    if options is not None and options.attention_windowed and fmt is not None:
        windows = fmt.sparq_format
        network = window_attention(network, Windows(windows, windows if windows.signed else None))
    return network, network.quantize_images(channels_last(chosen.batch()))


def demo_images(images: int, inputs: Inputs | None) -> npt.NDArray[np.int64]:
    """Which of the images of ``inputs``, or of MNIST, are so many: evenly spread, as they may be in
    the order of their labels. Raises ``ConfigurationError`` for a number that there is not.
    """
    available = len(load_mnist().test.labels if inputs is None else inputs.images)
    if not 1 <= images <= available:
        raise ConfigurationError(f"images must be an integer from 1 to {available}, not {images}")
    return np.arange(images) * available // images


def arithmetic_of(configuration: Configuration) -> Arithmetic:
    """What a machine multiplies the layers of such a network in."""
    return of_machine(None if configuration.format is None else configuration.sparq_format)


def operand_of(rows: Bytes, fmt: SparqFormat | None, zero_point: int) -> tuple[Bytes, int]:
    """The rows of a windowed layer as a machine of a format takes them, and what stands for 0."""
    if fmt is None or not fmt.signed:
        return rows, 0
    return saturated(rows, fmt, zero_point), zero_point


def through_array(
    network: QuantizedNetwork,
    images: Bytes,
    configuration: Configuration,
    array: CompiledArray,
    progress: Progress,
    layer_names: Collection[str],
) -> dict[str, LayerRun]:
    """Take ``images`` through ``network``, the layers called ``layer_names`` on ``array``.

    ``configuration`` is the array's; other layers run in the same arithmetic, by golden. A layer is
    one product, or one for each of its groups; products of two values, one for each of their
    matrices, are called by the names of their nodes. Raises ``MismatchError`` at the first sum that
    differs from golden's.
    """
    runs = {}
    elsewhere, fmt = arithmetic_of(configuration), configuration.mac.sparq_format

    def multiplied(
        name: str, operands: Sequence[tuple[Bytes, Weights]], fill: int
    ) -> list[npt.NDArray[np.int64]]:
        what = f"{name} on the {configuration.pe} array"
        total = sum(array.tiles(len(rows), weights.shape[1]) for rows, weights in operands)
        task = progress.add_task(what, total=total)
        products = []
        for rows, weights in operands:
            own, zero_point = operand_of(rows, fmt, fill)
            given = Operands(own, weights, zero_point)
            if zero_point and fmt is not None and not fmt.takes_zero_point:
                given = Operands((own.astype(np.int16) - zero_point).astype(np.int8), weights)
            product = array.matmul(*given, lambda tiles: progress.advance(task, tiles))
            require_equal(what, product.sums, expected_product(configuration, *given))
            products.append(product)
        (m, k), n = operands[0][0].shape, sum(weights.shape[1] for _, weights in operands)
        cycles = sum(product.cycles for product in products)
        runs[name] = LayerRun(m, k, n, total, cycles)
        return [product.sums for product in products]

    def arithmetic(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        if layer.name not in layer_names:
            return elsewhere(layer, x)
        products = multiplied(layer.name, matrices(layer, x), layer.fill)
        sums = np.concatenate(products, axis=1).astype(np.int32)
        if fmt is not None and fmt.signed:
            sums = with_zero_point(layer, sums)
        shape = layer.lowering.output_shape(x.shape[1:], layer.width)
        return sums.reshape(len(x), *shape)

    def product_of_values(name: str, operation: MultiplyMatrices, x: Bytes, y: Bytes) -> Bytes:
        first, second = operation.operand(x), (y ^ SIGNED_ZERO_POINT).view(np.int8)
        operands = [
            (np.ascontiguousarray(first[index]), np.ascontiguousarray(second[index]))
            for index in np.ndindex(first.shape[:-2])
        ]
        sums = np.stack(multiplied(name, operands, operation.zero_point))
        if fmt is None or not fmt.signed:
            totals = second.sum(axis=-2, dtype=np.int32, keepdims=True)
            sums -= operation.zero_point * totals.reshape(len(sums), 1, -1)
        shape = (*first.shape[:-1], second.shape[-1])
        got = operation.requantization(sums.reshape(shape).astype(np.int32))
        what = f"{name} on the {configuration.pe} array, requantized"
        require_equal(what, *(value.reshape(-1, shape[-1]) for value in (got, operation(x, y))))
        return got

    nodes = []
    for node in network.nodes:
        operation: Any = node.operation
        if isinstance(operation, MultiplyMatrices):
            if fmt is None:
                operation = replace(operation, fmt=None)
            if node.name in layer_names:
                operation = partial(product_of_values, node.name, operation)
        nodes.append(replace(node, operation=operation))
    replace(network, nodes=tuple(nodes)).forward(images, arithmetic)
    return runs
