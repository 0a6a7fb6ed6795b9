"""From a trained network and calibration images to the integer network of each setting."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden import BlockFormat
from golden.format import ACTIVATION_MAX
from networks.evaluation.formats import AUTO, MixedFormat
from networks.evaluation.images import Images
from networks.evaluation.model import Model, batches_of, channels_last
from networks.evaluation.settings import SAME, SIGNED_4_BIT, UNIFORM_4_BIT, Setting
from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.graph.lowering import Array
from networks.graph.operations import MatrixLayer
from networks.importer import ModelError
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.attention_windows import window_attention
from networks.quantization.batch_norm import recalibrate
from networks.quantization.bias_correction import correct_biases, exact_means
from networks.quantization.blocks import block_weights
from networks.quantization.calibration import PERCENTILE
from networks.quantization.clips import Clips, ClipSource, MinMax
from networks.quantization.equalization import equalize
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import (
    LEVELS_4_BIT,
    Bytes,
    Int64Array,
    UniformCodes,
)
from networks.quantization.pruning import prune_2_4
from networks.quantization.quantize import (
    quantize,
    require_quantizable,
    windowing_exceptions,
)
from networks.quantization.reordering import in_stored_order
from networks.quantization.statistics import PairStatistics, pair_statistics, product_sqnr
from networks.quantization.weight_windows import window_weights

CALIBRATION_ELEMENTS = 1 << 20
"""Input elements of the images that are calibrated with in one go."""
ORDER_IMAGES = 64
"""Images that a channel order is chosen on, and biases are corrected on."""
AUTO_IMAGES = 16
"""Images that ``auto`` decides on."""
AUTO_SQNR = 20.0

NATURAL = "natural"
CALIBRATED = "calibrated"
SHARED = "shared"
CHANNEL_ORDERS = (NATURAL, CALIBRATED)
DEPTHWISE = "depthwise"
EXACT_LAYER = "exact layer"


@dataclass(frozen=True)
class Options:
    """How a network is quantized; :func:`networks.quantization.quantize.quantize` explains.

    With ``equalize`` that is preceded by :func:`networks.quantization.equalization.equalize`, with
    ``correct_bias`` followed by :func:`networks.quantization.bias_correction.correct_biases`. The
    format ``auto`` leaves layers at 8 bits whose products windows would leave less than
    ``auto_sqnr`` (signal to noise, dB). With ``attention_windowed`` window formats are those of
    products of two values, too. The layers called ``exact_layers`` stay at 8 bits in every format,
    their weights too; ``auto`` among them is what that format does, for all window formats.
    """

    weight_bits: int = 8
    method: str = "mean"
    percentile: float = PERCENTILE
    first_layer_windowed: bool = False
    last_layer_windowed: bool = False
    recalibrate_batch_norm: bool = False
    channel_order: str = NATURAL
    equalize: bool = False
    correct_bias: bool = False
    auto_sqnr: float = AUTO_SQNR
    attention_windowed: bool = False
    exact_layers: tuple[str, ...] = ()

    @property
    def source(self) -> ClipSource:
        """Where clips come from if nothing else is said: calibration by ``method``."""
        return MinMax(self.method, self.percentile)


@dataclass(frozen=True)
class Quantized:
    """One sparsity of a graph with what calibration found out about it."""

    graph: Graph
    clips: Clips
    network: QuantizedNetwork
    images: Bytes
    pairs: Mapping[str, Int64Array]


@dataclass(frozen=True)
class Reference:
    """The network of a setting in exact products, and what :func:`quantize` was asked for it."""

    network: QuantizedNetwork
    more: Mapping[str, Any]


def calibrated_network(
    model: Model,
    calibration: Images | None,
    options: Options | None = None,
    signed: str | None = None,
    kept: Mapping[str, str] | None = None,
    source: ClipSource | None = None,
) -> QuantizedNetwork:
    """The dense integer network of ``model``, that of the exact 8-bit row, or of a signed format.

    Where clips have channel orders, values are made in these.

    Products of two values are exact still, whatever ``options`` say: their scales are such that the
    first ones can be windowed.
    ``signed`` and ``kept`` are those of :func:`networks.quantization.quantize.quantize`; ``source``
    finds the clips, by default as ``options`` say; one that needs no images goes without
    ``calibration``. Raises ``ModelError`` as :func:`calibrated`.
    """
    options = options or Options()
    parts = [] if calibration is None else batches_of(calibration, CALIBRATION_ELEMENTS)
    if options.equalize and calibration is not None:
        model = equalized(model, calibration)
    batches = (channels_last(part.batch()) for part in parts)
    more = {"signed": signed, "attention": options.attention_windowed}
    with naming(model):
        require_quantizable(model.graph)
        clips = (source or options.source)(model.graph, batches)
        return in_stored_order(quantized(model.graph, clips, options, kept, **more))


def require_named(model: Model, options: Options) -> None:
    """Raise ``ModelError`` unless ``model`` has the exact layers of ``options``, and products of
    two values if these are to be windowed.
    """
    if options.attention_windowed and len(model.graph.product_nodes) == len(
        model.graph.matrix_nodes
    ):
        raise ModelError(
            f"{model.name}: attention has no effect without products of two values: leave it out"
        )
    allowed = [AUTO, *(node.name for node in model.graph.matrix_nodes)]
    for name in options.exact_layers:
        if name not in allowed:
            raise ModelError(
                f"{model.name}: exact-layers must be some of {', '.join(allowed)}, not {name!r}"
            )


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
    signed: bool = False,
    source: ClipSource | None = None,
) -> Quantized:
    """``model``, pruned to 2:4 if it shall be ``sparse``, calibrated on the images ``calibration``.

    Pruned are the layers that are windowed, ``signed`` ones or not. ``advance`` is called with a
    number of images whenever they are done. ``source`` finds the clips, by default as ``options``
    say. Raises ``ModelError`` for a model that cannot be
    quantized.
    """
    parts = batches_of(calibration, CALIBRATION_ELEMENTS)
    batches = [channels_last(part.batch()) for part in parts]
    graph = model.graph
    if sparse:
        # Of the ranges, only the source's sign matters to what is windowed.
        sign = {graph.source: (min(float(batch.min()) for batch in batches), 0.0)}
        first, last = not options.first_layer_windowed, not options.last_layer_windowed
        reasons = windowing_exceptions(graph, sign, first, last, signed)
        taken = {name for name, reason in reasons.items() if not reason}
        graph = prune_2_4(graph, taken.difference(options.exact_layers))

    def advancing() -> Iterator[Array]:
        for batch in batches:
            yield batch
            advance(len(batch))

    with naming(model):
        require_quantizable(graph)
        clips = (source or options.source)(graph, advancing())
        network = quantized(graph, clips, options)
    images = [network.quantize_images(batch) for batch in batches]
    pairs: dict[str, Int64Array] = {}
    for part_images in images:
        for name, counts in pair_statistics(network, part_images).items():
            pairs[name] = pairs[name] + counts if name in pairs else counts
    return Quantized(graph, clips, network, np.concatenate(images), pairs)


@contextmanager
def naming(model: Model) -> Iterator[None]:
    """What cannot be quantized is said with the name of ``model``."""
    try:
        yield
    except ValueError as error:
        raise ModelError(f"{model.name}: {error}") from None


def quantized(
    graph: Graph,
    clips: Clips,
    options: Options,
    kept: Mapping[str, str] | None = None,
    **more: Any,
) -> QuantizedNetwork:
    """``graph`` with these ``clips``, as :func:`networks.quantization.quantize.quantize` does."""
    exact_layers = dict.fromkeys(options.exact_layers, EXACT_LAYER)
    exact_layers.pop(AUTO, None)
    more = {"channel_orders": clips.orders, **more}
    return quantize(
        graph,
        clips.ranges,
        options.weight_bits,
        options.first_layer_windowed,
        options.last_layer_windowed,
        weight_clips=clips.weights,
        shifts=clips.shifts,
        biases=clips.biases,
        kept={**(kept or {}), **exact_layers},
        **more,
    )


def reference_of(base: Quantized, setting: Setting, options: Options) -> Reference:
    """The network of ``setting`` whose products are exact, with channels in their own order."""
    more: dict[str, Any] = {"signed": setting.signed} if setting.signed else {}
    if options.attention_windowed and setting.windows is not None:
        more["attention"] = True
    if isinstance(setting.activations, BlockFormat):
        more["kept"] = {
            layer.name: DEPTHWISE for layer in base.network.layers if layer.is_depthwise
        }
    network = quantized(base.graph, base.clips, options, **more) if more else base.network
    automatic = isinstance(setting.activations, MixedFormat) and setting.activations.automatic
    if automatic or (AUTO in options.exact_layers and setting.windows is not None):
        found = product_sqnr(network, setting.arithmetic(), base.images[:AUTO_IMAGES])
        more["kept"] = {
            name: f"windows leave {decibels:.1f} dB"
            for name, decibels in found.items()
            if decibels < options.auto_sqnr
        }
        network = quantized(base.graph, base.clips, options, **more)
    return Reference(network, more)


def run_of(
    base: Quantized,
    setting: Setting,
    options: Options,
    reference: Reference,
    orders: Mapping[str, Int64Array] | None = None,
) -> tuple[QuantizedNetwork, Arithmetic]:
    """The integer network that ``setting`` is evaluated on, and the arithmetic of its products.

    It is made of its ``reference``; with ``orders``, by layer, of the channels of inputs.
    """
    more, network = reference.more, reference.network
    if setting.activations in (UNIFORM_4_BIT, SIGNED_4_BIT):
        codes = {
            layer.name: UniformCodes(ACTIVATION_MAX / LEVELS_4_BIT)
            if setting.clipping == SAME
            else PairStatistics(base.pairs[layer.name]).best_4_bit_codes(layer.fill)
            for layer in network.layers
            if layer.windowed
        }
        network = quantized(base.graph, base.clips, options, activation_codes=codes, **more)
    if orders is not None:
        network = quantized(base.graph, base.clips, options, channel_orders=orders, **more)
    real: dict[str, Float64Array] = {}
    if setting.weights is not None:
        kept = windowing_exceptions(
            *(base.graph, base.clips.ranges),
            *(not options.first_layer_windowed, not options.last_layer_windowed, True),
        )
        names = [
            name for name, reason in kept.items() if not reason and name not in options.exact_layers
        ]
        if isinstance(setting.weights, BlockFormat):
            real = _block_weights(base.graph, network, names, setting.weights)
        else:
            network = window_weights(network, names, setting.weights.sparq_format)
    steps = {
        node.name: network.quantizations[node.inputs[0]].step for node in base.graph.matrix_nodes
    }
    arithmetic = setting.arithmetic(steps, real)
    if options.attention_windowed and setting.windows is not None:
        network = window_attention(network, setting.windows)
    if options.correct_bias:
        exact_layers = {layer.name: layer for layer in reference.network.layers}
        images = base.images[:ORDER_IMAGES]
        network = correct_biases(network, arithmetic, images, exact_means(exact_layers))
    if options.recalibrate_batch_norm:
        network = recalibrate(network, base.graph, arithmetic, base.images)
    return network, arithmetic


def _block_weights(
    graph: Graph, network: QuantizedNetwork, names: Collection[str], fmt: BlockFormat
) -> dict[str, Float64Array]:
    """The weights of the layers ``names`` in blocks, but of depthwise ones."""
    layers = {layer.name: layer for layer in network.layers}
    made = {}
    for node in graph.matrix_nodes:
        layer, operation = layers[node.name], node.operation
        if node.name in names and not layer.is_depthwise and isinstance(operation, MatrixLayer):
            step = network.quantizations[node.inputs[0]].step * layer.code_step
            made[node.name] = block_weights(layer, operation.weights, step, fmt)
    return made
