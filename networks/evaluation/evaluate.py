"""What accuracy a trained network has in each arithmetic of the hardware."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log10, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from networks.evaluation.data import DataError, Images
from networks.evaluation.floating_point import logits
from networks.evaluation.parallel import connected, run_tasks
from networks.evaluation.settings import (
    EXACT_8_BIT,
    FP32,
    SAME,
    SPARSE_2_4,
    UNIFORM_4_BIT,
    Setting,
)
from networks.graph.graph import Graph
from networks.graph.lowering import Array
from networks.importer import import_onnx, reference_model
from networks.quantization.arithmetic import Arithmetic, exact
from networks.quantization.batch_norm import recalibrate
from networks.quantization.calibration import PERCENTILE, Range, calibrate
from networks.quantization.channel_order import calibrated_order
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import Bytes, Int32Array, Int64Array, IntegerMatrixLayer
from networks.quantization.pruning import prune_2_4
from networks.quantization.quantize import quantize, windowing_exceptions
from networks.quantization.statistics import (
    LEVELS_4_BIT,
    PairStatistics,
    noise,
    pair_statistics,
)

BATCH_ELEMENTS = 1 << 22
"""Input elements of the images in one task, of at most ``MAX_BATCH`` images."""
MAX_BATCH = 96
FLOAT_BATCH_ELEMENTS = 1 << 20
NOISE_IMAGES = 64
TOP5_CLASSES = 10

NATURAL = "natural"
CALIBRATED = "calibrated"
CHANNEL_ORDERS = (NATURAL, CALIBRATED)

Float32Array = npt.NDArray[np.float32]


class Model(NamedTuple):
    """A trained network: its graph, and an ONNX file of it as bytes."""

    name: str
    graph: Graph
    content: bytes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image in ONNX order: (C, H, W), or (F,)."""
        shape = self.graph.input_shape
        return (shape[-1], *shape[:-1]) if len(shape) == 3 else shape

    @property
    def classes(self) -> int:
        """Number of logits."""
        return prod(self.graph.shapes[self.graph.output])


def load_model(path: Path) -> Model:
    """The model in an ONNX file; raises ``ModelError`` for one that cannot be used."""
    return Model(path.name, import_onnx(path), reference_model(path))


@dataclass(frozen=True)
class Options:
    """How a network is quantized; :func:`networks.quantization.quantize.quantize` explains."""

    weight_bits: int = 8
    method: str = "mean"
    percentile: float = PERCENTILE
    first_layer_windowed: bool = False
    last_layer_windowed: bool = False
    recalibrate_batch_norm: bool = False
    channel_order: str = NATURAL


@dataclass(frozen=True)
class Quantized:
    """One sparsity of a graph with what calibration found out about it."""

    graph: Graph
    ranges: Mapping[str, Range]
    network: QuantizedNetwork
    images: Bytes
    pairs: Mapping[str, Int64Array]


def evaluate_model(
    model: Model,
    images: Images,
    calibration: Images,
    settings: Sequence[Setting],
    options: Options,
    progress: Progress,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Run ``model`` on ``images`` in each of ``settings``, quantized as ``calibration`` says.

    Returns ``rows``, one per setting, and ``layers``, one per layer with weights, as the README
    describes them; percentages, and decibels. The result does not depend on how many processes or
    machines there are. Raises ``DataError`` for labels that are not classes of the model, and what
    the parts raise.
    """
    for part in (images, calibration):
        if part.labels.max() >= model.classes:
            raise DataError(
                f"labels must be below the model's {model.classes} classes, "
                f"not {int(part.labels.max())}"
            )
    if scheduler is not None:
        connected(scheduler).close()
    with progress:
        bases = {}
        for sparsity in dict.fromkeys(setting.sparsity for setting in settings):
            if sparsity is not None:
                task = progress.add_task(f"calibrating ({sparsity})", total=len(calibration))
                bases[sparsity] = _calibrated(
                    model.graph,
                    calibration,
                    options,
                    sparsity == SPARSE_2_4,
                    partial(progress.advance, task),
                )
        runs = {}
        for setting in progress.track(settings, description="quantizing"):
            if setting.sparsity is not None:
                base = bases[setting.sparsity]
                runs[setting] = (_network(base, setting, options), setting.arithmetic)
        ranks = _all_ranks(model, images, settings, runs, scheduler, progress)
        noises = _all_noises(model.graph, calibration, runs, scheduler, progress)
    layers = _layers(next(iter(bases.values())), settings, noises)
    return {
        "model": model.name,
        "images": len(images),
        "calibration_images": len(calibration),
        "rows": _rows(settings, ranks, model.classes),
        "layers": layers,
        **_totals(next(iter(bases.values())), layers),
    }


def channels_last(images: Array) -> Array:
    """Images in ONNX order (N, C, H, W) as (N, H, W, C); other values as they are."""
    return np.moveaxis(images, 1, -1) if images.ndim == 4 else images


def _batches(images: Images, elements: int) -> list[Images]:
    """Parts of ``images``, in their order."""
    count = min(MAX_BATCH, max(1, elements // prod(images.input_shape)))
    return [
        images.select(np.arange(top, min(top + count, len(images))))
        for top in range(0, len(images), count)
    ]


def calibrated_network(
    model: Model, calibration: Images, options: Options | None = None
) -> QuantizedNetwork:
    """The dense integer network of ``model`` with which :func:`evaluate_model` counts 8 bits."""
    options = options or Options()
    return _calibrated(model.graph, calibration, options, False, lambda count: None).network


def _calibrated(
    graph: Graph,
    calibration: Images,
    options: Options,
    sparse: bool,
    advance: Callable[[int], None],
) -> Quantized:
    batches = [channels_last(part.batch()) for part in _batches(calibration, FLOAT_BATCH_ELEMENTS)]
    lowest = min(float(batch.min()) for batch in batches)
    if sparse:
        reasons = windowing_exceptions(
            graph,
            {graph.source: (lowest, 0.0)},
            not options.first_layer_windowed,
            not options.last_layer_windowed,
        )
        graph = prune_2_4(graph, {name for name, reason in reasons.items() if not reason})

    def advancing() -> Any:
        for batch in batches:
            yield batch
            advance(len(batch))

    ranges = calibrate(graph, advancing(), options.method, options.percentile)
    network = _quantize(graph, ranges, options)
    images = np.concatenate([network.quantize_images(batch) for batch in batches])
    pairs: dict[str, Int64Array] = {}
    for batch in batches:
        for name, counts in pair_statistics(network, network.quantize_images(batch)).items():
            pairs[name] = pairs.get(name, 0) + counts
    return Quantized(graph, ranges, network, images, pairs)


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


def _network(base: Quantized, setting: Setting, options: Options) -> QuantizedNetwork:
    network = base.network
    windowed = [layer.name for layer in network.layers if layer.windowed]
    if setting.format == UNIFORM_4_BIT:
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

    base.network.forward(base.images[:NOISE_IMAGES], arithmetic)
    return orders


def ranks_of(logits: Array, labels: npt.NDArray[np.int64]) -> Int64Array:
    """How many logits come before that of the label; of equal ones the first counts."""
    own = np.take_along_axis(logits, labels[:, np.newaxis], axis=1)
    before = np.arange(logits.shape[1]) < labels[:, np.newaxis]
    ranks: Int64Array = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    return ranks


def _float_ranks(content: bytes, name: str, images: Images) -> Int64Array:
    return ranks_of(logits(content, name, images.batch()), images.labels)


def _integer_ranks(network: QuantizedNetwork, arithmetic: Arithmetic, images: Images) -> Int64Array:
    x = network.quantize_images(channels_last(images.batch()))
    return ranks_of(network.forward(x, arithmetic), images.labels)


def _ranks(compute: Callable[..., Int64Array], *arguments: Any) -> Int64Array:
    return compute(*arguments)


def _all_ranks(
    model: Model,
    images: Images,
    settings: Sequence[Setting],
    runs: Mapping[Setting, tuple[QuantizedNetwork, Arithmetic]],
    scheduler: str | None,
    progress: Progress,
) -> dict[Setting, Int64Array]:
    batches = _batches(images, BATCH_ELEMENTS)
    float_run: tuple[Any, ...] = (_float_ranks, model.content, model.name)
    tasks = [
        (*(float_run if setting.format == FP32 else (_integer_ranks, *runs[setting])), batch)
        for setting in settings
        for batch in batches
    ]
    task = progress.add_task("evaluating", total=len(tasks))
    results = run_tasks(_ranks, tasks, scheduler, lambda: progress.advance(task))
    return {
        setting: np.concatenate(results[index * len(batches) : (index + 1) * len(batches)])
        for index, setting in enumerate(settings)
    }


@dataclass(frozen=True)
class Runs:
    """The integer networks of an evaluation; an object of its own, to be sent to a worker once."""

    of: Mapping[Setting, tuple[QuantizedNetwork, Arithmetic]]


Noises = Mapping[tuple[Setting, str], tuple[float, float]]
"""Energies of a layer's output and of its noise."""


def _noises(graph: Graph, runs: Runs, images: Images) -> Noises:
    outputs = {node.output: node.name for node in graph.matrix_nodes}
    reference = {}

    def keep(name: str, value: Any) -> None:
        if name in outputs:
            reference[name] = value

    batch = channels_last(images.batch())
    graph.forward(batch, keep)
    found = {}
    for setting, (network, arithmetic) in runs.of.items():

        def compare(
            node: IntegerNode,
            value: Array,
            setting: Setting = setting,
            network: QuantizedNetwork = network,
        ) -> None:
            if node.output in outputs:
                quantization = network.quantizations[node.output]
                energies = noise(reference[node.output], value, quantization)
                found[setting, outputs[node.output]] = energies

        network.forward(network.quantize_images(batch), arithmetic, compare)
    return found


def _all_noises(
    graph: Graph,
    calibration: Images,
    runs: Mapping[Setting, tuple[QuantizedNetwork, Arithmetic]],
    scheduler: str | None,
    progress: Progress,
) -> Noises:
    images = calibration.select(np.arange(min(NOISE_IMAGES, len(calibration))))
    sent = Runs(runs)
    tasks = [(graph, sent, batch) for batch in _batches(images, FLOAT_BATCH_ELEMENTS)]
    task = progress.add_task("measuring noise", total=len(tasks))
    total: dict[tuple[Setting, str], tuple[float, float]] = {}
    for part in run_tasks(_noises, tasks, scheduler, lambda: progress.advance(task)):
        for key, (signal, error) in part.items():
            before = total.get(key, (0.0, 0.0))
            total[key] = (before[0] + signal, before[1] + error)
    return total


def _rows(
    settings: Sequence[Setting], ranks: Mapping[Setting, Int64Array], classes: int
) -> list[dict[str, Any]]:
    reference = next((s for s in settings if s.format == EXACT_8_BIT), None)
    rows = []
    for setting in settings:
        correct = (ranks[setting] == 0).astype(np.float64)
        row: dict[str, Any] = {
            "label": setting.label,
            "format": setting.format,
            "rounding": setting.rounding,
            "vsparq": setting.vsparq,
            "group": setting.group,
            "weight_bits": setting.weight_bits,
            "sparsity": setting.sparsity,
            "clipping": setting.clipping,
            "top1": 100 * float(correct.mean()),
            "top5": None,
            "standard_error": _standard_error(correct),
            "bits_per_activation": _stored_bits(setting),
            "difference": None,
            "difference_error": None,
            "within_error": None,
        }
        if classes >= TOP5_CLASSES:
            row["top5"] = 100 * float((ranks[setting] < 5).mean())
        if reference is not None and setting != reference:
            change = correct - (ranks[reference] == 0)
            row["difference"] = 100 * float(change.mean())
            row["difference_error"] = _standard_error(change)
            row["within_error"] = abs(row["difference"]) < row["difference_error"] or not any(
                change
            )
        rows.append(row)
    return rows


def _standard_error(values: npt.NDArray[np.float64]) -> float:
    """Of the mean of ``values``, in per cent."""
    return 100 * float(values.std() / np.sqrt(len(values)))


def _stored_bits(setting: Setting) -> float:
    if setting.sparq_format is not None:
        return setting.sparq_format.pair_bits / 2
    return {FP32: 32.0, UNIFORM_4_BIT: 4.0}.get(setting.format, 8.0)


def _layers(base: Quantized, settings: Sequence[Setting], noises: Noises) -> list[dict[str, Any]]:
    shapes = base.graph.shapes
    layers = []
    for node, layer in zip(base.graph.matrix_nodes, base.network.layers, strict=True):
        statistics = PairStatistics(base.pairs[layer.name]) if layer.fill == 0 else None
        formats = {s.label: s.sparq_format for s in settings if s.sparq_format}
        sqnr = {
            setting.label: _decibels(*noises[setting, layer.name])
            for setting in settings
            if (setting, layer.name) in noises
        }
        layers.append(
            {
                "name": layer.name,
                "m": prod(shapes[node.output][:-1]),
                "k": layer.depth,
                "n": layer.width,
                "groups": layer.groups,
                "windowed": layer.windowed,
                "reason": layer.reason,
                "zeros": statistics and 100 * statistics.zeros,
                "zero_pairs": statistics and 100 * statistics.zero_pairs,
                "placements": {
                    label: {
                        shift: 100 * share for shift, share in statistics.placements(fmt).items()
                    }
                    for label, fmt in formats.items()
                    if statistics and fmt and layer.windowed
                },
                "sqnr_db": sqnr,
            }
        )
    return layers


def _totals(base: Quantized, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of multiplications that are windowed, and zeros among their operands; per cent."""
    work = {layer["name"]: layer["m"] * layer["k"] * layer["n"] for layer in layers}
    windowed = [layer["name"] for layer in layers if layer["windowed"]]
    pairs = [base.pairs[name] for name in windowed]
    statistics = PairStatistics(np.sum(pairs, axis=0)) if windowed else None
    return {
        "windowed_share": 100 * sum(work[name] for name in windowed) / max(1, sum(work.values())),
        "zeros": statistics and 100 * statistics.zeros,
        "zero_pairs": statistics and 100 * statistics.zero_pairs,
    }


def _decibels(signal: float, error: float) -> float | None:
    """Signal to noise; None if either is zero."""
    return 10 * log10(signal / error) if signal > 0 and error > 0 else None
