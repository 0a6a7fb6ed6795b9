"""From a trained network and calibration images to the integer network of each setting."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from networks.evaluation.images import Images
from networks.evaluation.model import Model, batches_of, channels_last
from networks.evaluation.settings import SAME, UNIFORM_4_BIT, Setting
from networks.graph.graph import Graph
from networks.graph.lowering import Array
from networks.importer import ModelError
from networks.quantization.arithmetic import exact
from networks.quantization.batch_norm import recalibrate
from networks.quantization.calibration import PERCENTILE, Range, calibrate
from networks.quantization.channel_order import calibrated_order
from networks.quantization.equalization import equalize
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import (
    LEVELS_4_BIT,
    Bytes,
    Int32Array,
    Int64Array,
    IntegerMatrixLayer,
)
from networks.quantization.pruning import prune_2_4
from networks.quantization.quantize import (
    quantize,
    require_quantizable,
    windowing_exceptions,
)
from networks.quantization.statistics import PairStatistics, pair_statistics

CALIBRATION_ELEMENTS = 1 << 20
"""Input elements of the images that are calibrated with in one go."""
ORDER_IMAGES = 64
"""Images that a channel order is chosen on."""

NATURAL = "natural"
CALIBRATED = "calibrated"
CHANNEL_ORDERS = (NATURAL, CALIBRATED)


@dataclass(frozen=True)
class Options:
    """How a network is quantized; :func:`networks.quantization.quantize.quantize` explains.

    With ``equalize`` that is preceded by :func:`networks.quantization.equalization.equalize`.
    """

    weight_bits: int = 8
    method: str = "mean"
    percentile: float = PERCENTILE
    first_layer_windowed: bool = False
    last_layer_windowed: bool = False
    recalibrate_batch_norm: bool = False
    channel_order: str = NATURAL
    equalize: bool = False


@dataclass(frozen=True)
class Quantized:
    """One sparsity of a graph with what calibration found out about it."""

    graph: Graph
    ranges: Mapping[str, Range]
    network: QuantizedNetwork
    images: Bytes
    pairs: Mapping[str, Int64Array]


def calibrated_network(
    model: Model, calibration: Images, options: Options | None = None
) -> QuantizedNetwork:
    """The dense integer network of ``model``, that of the exact 8-bit row."""
    options = options or Options()
    if options.equalize:
        model = equalized(model, calibration)
    return calibrated(model, calibration, options, False, lambda count: None).network


def equalized(model: Model, calibration: Images) -> Model:
    """``model`` with channels of more equal ranges on the images ``calibration``."""
    parts = batches_of(calibration, CALIBRATION_ELEMENTS)
    batches = [channels_last(part.batch()) for part in parts]
    return model._replace(graph=equalize(model.graph, batches))


def calibrated(
    model: Model,
    calibration: Images,
    options: Options,
    sparse: bool,
    advance: Callable[[int], None],
) -> Quantized:
    """``model``, pruned to 2:4 if it shall be ``sparse``, calibrated on the images ``calibration``.

    ``advance`` is called with a number of images whenever they are done. Raises ``ModelError`` for
    a model that cannot be quantized.
    """
    parts = batches_of(calibration, CALIBRATION_ELEMENTS)
    batches = [channels_last(part.batch()) for part in parts]
    graph = model.graph
    if sparse:
        # Of the ranges, only the source's sign matters to what is windowed.
        source = {graph.source: (min(float(batch.min()) for batch in batches), 0.0)}
        first, last = not options.first_layer_windowed, not options.last_layer_windowed
        reasons = windowing_exceptions(graph, source, first, last)
        graph = prune_2_4(graph, {name for name, reason in reasons.items() if not reason})

    def advancing() -> Iterator[Array]:
        for batch in batches:
            yield batch
            advance(len(batch))

    try:
        require_quantizable(graph)
        ranges = calibrate(graph, advancing(), options.method, options.percentile)
        network = _quantize(graph, ranges, options)
    except ValueError as error:
        raise ModelError(f"{model.name}: {error}") from None
    images = [network.quantize_images(batch) for batch in batches]
    pairs: dict[str, Int64Array] = {}
    for part_images in images:
        for name, counts in pair_statistics(network, part_images).items():
            pairs[name] = pairs[name] + counts if name in pairs else counts
    return Quantized(graph, ranges, network, np.concatenate(images), pairs)


def _quantize(
    graph: Graph, ranges: Mapping[str, Range], options: Options, **more: Any
) -> QuantizedNetwork:
    return quantize(
        graph,
        ranges,
        options.weight_bits,
        options.first_layer_windowed,
        options.last_layer_windowed,
        **more,
    )


def network_of(base: Quantized, setting: Setting, options: Options) -> QuantizedNetwork:
    """The integer network that ``setting`` is evaluated on."""
    network = base.network
    windowed = [layer.name for layer in network.layers if layer.windowed]
    if setting.activations == UNIFORM_4_BIT:
        steps = {
            name: 255 / LEVELS_4_BIT
            if setting.clipping == SAME
            else PairStatistics(base.pairs[name]).best_4_bit_step()
            for name in windowed
        }
        network = _quantize(base.graph, base.ranges, options, activation_steps=steps)
    if setting.sparq_format and options.channel_order == CALIBRATED:
        orders = _channel_orders(base, setting)
        network = _quantize(base.graph, base.ranges, options, channel_orders=orders)
    if options.recalibrate_batch_norm:
        network = recalibrate(network, base.graph, setting.arithmetic, base.images)
    return network


def _channel_orders(base: Quantized, setting: Setting) -> dict[str, Int64Array]:
    orders: dict[str, Int64Array] = {}
    fmt = setting.sparq_format
    assert fmt is not None

    def arithmetic(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        order = calibrated_order(layer, x, fmt) if layer.windowed else None
        if order is not None:
            orders[layer.name] = order
        return exact(layer, x)

    base.network.forward(base.images[:ORDER_IMAGES], arithmetic)
    return orders
