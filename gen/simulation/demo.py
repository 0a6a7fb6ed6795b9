"""Real images through the Verilog of both arrays."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.progress import Progress

from gen.design.configuration import Configuration, ConfigurationError
from gen.design.expectation import Operands, expected_product, require_equal
from gen.simulation.building import build_machines
from gen.simulation.compiled_array import CompiledArray
from golden import NamedFormat, SparqFormat
from networks import load_mnist
from networks.evaluation.formats import signed_layers
from networks.evaluation.inputs import Inputs
from networks.evaluation.model import channels_last
from networks.evaluation.preparation import calibrated_network
from networks.quantization.arithmetic import (
    Arithmetic,
    exact,
    matrices,
    saturated,
    windowed,
    with_zero_point,
)
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Bytes, Int32Array, IntegerMatrixLayer
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
) -> dict[str, Any]:
    """Take ``images`` test images through the 8x8 and the SPARQ array, layer by layer.

    Every product of a windowed layer (or of those called ``layer_names``) is computed by the
    emitted Verilog, in behavioral style, under Verilator and must equal golden; the rest is
    golden's. The network is that of ``inputs``, as ``sparq evaluate`` quantizes it, on evenly
    spread images; or else that for MNIST, with all layers windowed. Returns layers (shapes, tiles,
    cycles), the number of images and, for MNIST, the accuracy in per cent on the whole test split
    (of golden, whose sums the arrays' are). Raises ``ConfigurationError`` before anything is built,
    also where no layer is windowed; ``MismatchError`` at the first differing element.
    """
    configurations = [
        Configuration(rows=SIDE, cols=SIDE, pe="8x8", style=STYLE),
        Configuration(rows=SIDE, cols=SIDE, pe="sparq", format=format_name, style=STYLE),
    ]
    if inputs is not None:
        _require_known(layer_names, [node.name for node in inputs.model.graph.matrix_nodes])
    network, chosen = demo_network(images, inputs, configurations[1].format)
    windowed_layers = [layer.name for layer in network.layers if layer.windowed]
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


def _require_known(names: Sequence[str], allowed: Sequence[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ConfigurationError(f"layers must be some of {', '.join(allowed)}, not {name!r}")


def demo_network(
    images: int, inputs: Inputs | None, fmt: NamedFormat | None
) -> tuple[QuantizedNetwork, Bytes]:
    """The network of ``inputs``, or else that for MNIST with all layers windowed, quantized for a
    format, and so many of its images, evenly spread. Raises ``ConfigurationError`` for a number
    that there is not.
    """
    mnist = load_mnist()
    available = len(mnist.test.labels if inputs is None else inputs.images)
    if not 1 <= images <= available:
        raise ConfigurationError(f"images must be an integer from 1 to {available}, not {images}")
    # Evenly spread, since the images may be in the order of their labels.
    indices = np.arange(images) * available // images
    signed = signed_layers(fmt) if fmt else None
    if inputs is None:
        _, network = quantized_mnist(mnist, first_layer_windowed=True, signed=signed)
        return network, network.quantize_images(mnist.test.inputs[indices])
    chosen = inputs.images.select(indices)
    for part in (chosen, inputs.calibration):
        part.check()
    network = calibrated_network(inputs.model, inputs.calibration, signed=signed)
    return network, network.quantize_images(channels_last(chosen.batch()))


def arithmetic_of(configuration: Configuration) -> Arithmetic:
    """What a machine multiplies the layers of such a network in."""
    if configuration.format is None:
        return exact
    fmt = configuration.sparq_format
    return windowed(fmt, fmt if fmt.signed else None)


def operand_of(
    layer: IntegerMatrixLayer, rows: Bytes, fmt: SparqFormat | None
) -> tuple[Bytes, int]:
    """The rows of a layer as a machine of a format takes them, and the byte that stands for 0."""
    if fmt is None or not fmt.signed or not layer.windowed:
        return rows, 0
    return saturated(rows, fmt, layer.fill), layer.fill


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
    one product, or one for each of its groups. Raises ``MismatchError`` at the first sum that
    differs from golden's.
    """
    runs = {}
    elsewhere, fmt = arithmetic_of(configuration), configuration.mac.sparq_format

    def arithmetic(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        if layer.name not in layer_names:
            return elsewhere(layer, x)
        what = f"{layer.name} on the {configuration.pe} array"
        operands = matrices(layer, x)
        total = sum(array.tiles(len(rows), weights.shape[1]) for rows, weights in operands)
        task = progress.add_task(what, total=total)
        products = []
        for rows, weights in operands:
            own, zero_point = operand_of(layer, rows, fmt)
            given = Operands(own, weights, zero_point)
            if zero_point and fmt is not None and not fmt.takes_zero_point:
                given = Operands((own.astype(np.int16) - zero_point).astype(np.int8), weights)
            product = array.matmul(*given, lambda tiles: progress.advance(task, tiles))
            require_equal(what, product.sums, expected_product(configuration, *given))
            products.append(product)
        sums = np.concatenate([product.sums for product in products], axis=1)
        if fmt is not None and fmt.signed:
            sums = with_zero_point(layer, sums)
        cycles = sum(product.cycles for product in products)
        runs[layer.name] = LayerRun(len(sums), layer.depth, layer.width, total, cycles)
        shape = layer.lowering.output_shape(x.shape[1:], layer.width)
        return sums.reshape(len(x), *shape).astype(np.int32)

    network.forward(images, arithmetic)
    return runs
