"""An evaluation's rows and layers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log10, prod
from typing import Any

import numpy as np

from golden import BlockFormat, SparqFormat
from golden.format import ACTIVATION_BITS
from networks.evaluation.formats import MixedFormat
from networks.evaluation.images import Images
from networks.evaluation.preparation import Quantized
from networks.evaluation.scoring import SIGNAL, Recognition, Scoring
from networks.evaluation.settings import EXACT_8_BIT, FP32, SIGNED_4_BIT, UNIFORM_4_BIT, Setting
from networks.evaluation.tasks import OUTPUT, Noises
from networks.graph.graph import Node
from networks.graph.lowering import Array
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Int64Array, IntegerMatrixLayer, MultiplyMatrices
from networks.quantization.quantize import SIGNED_INPUT
from networks.quantization.statistics import PairStatistics

TOP5_CLASSES = 10
AT_8_BITS = "8 bits"
"""How the text begins that says why a layer is in no format."""
OF_VALUES = "product of two values"


def accuracy_rows(
    settings: Sequence[Setting],
    outcomes: Mapping[Setting, Array],
    scoring: Scoring,
    images: Images,
    noises: Noises,
) -> list[dict[str, Any]]:
    """One row per setting: accuracies, and the paired difference from the exact 8-bit one.

    And the signal to noise of the network's output, where it is not FP32. ``outcomes`` are those of
    ``scoring`` for ``images``; of the task ``signal`` the differences are those of its ratios.
    """
    reference = next((s for s in settings if s.activations == EXACT_8_BIT), None)
    rows = []
    for setting in settings:
        own = outcomes[setting]
        row: dict[str, Any] = {
            "label": setting.label,
            **setting.fields,
            "top1": None,
            "top5": None,
            "standard_error": None,
            "character_error": None,
            "output_sqnr_db": _decibels(*noises.get((setting, OUTPUT), (0.0, 0.0))),
            "bits_per_activation": _stored_bits(setting),
            "windowed_share": None,
            "difference": None,
            "difference_error": None,
            "within_error": None,
            "character_difference": None,
            "character_difference_error": None,
        }
        if scoring.task == SIGNAL:
            if setting.activations != FP32:
                row |= {"output_sqnr_db": float(own.mean()), "standard_error": _error(own)}
                other = None if reference is None else outcomes[reference]
                row |= _difference(own, other, setting == reference)
            rows.append(row)
            continue
        correct = 100.0 * (own == 0)
        row |= {"top1": float(correct.mean()), "standard_error": _error(correct)}
        other = None if reference is None else outcomes[reference]
        row |= _difference(
            correct, other if other is None else 100.0 * (other == 0), setting == reference
        )
        if isinstance(scoring, Recognition):
            row |= _characters(own, other, setting == reference, scoring.lengths(images))
        elif (scoring.classes or 0) >= TOP5_CLASSES:
            row["top5"] = 100 * float((own < 5).mean())
        rows.append(row)
    return rows


def _difference(own: Array, reference: Array | None, same: bool) -> dict[str, Any]:
    """Of the means, paired; nothing where there is no other to differ from."""
    if reference is None or same:
        return {}
    change = own - reference
    mean, error = float(change.mean()), _error(change)
    return {
        "difference": mean,
        "difference_error": error,
        "within_error": abs(mean) < error or not any(change),
    }


def _characters(
    own: Array, reference: Array | None, same: bool, lengths: Int64Array
) -> dict[str, Any]:
    """Wrong characters per hundred, and the paired difference, an error of a ratio of means."""
    per_line = 100.0 / max(float(lengths.mean()), 1e-9)
    result: dict[str, Any] = {"character_error": float(own.mean()) * per_line}
    if reference is not None and not same:
        change = (own - reference) * per_line
        result["character_difference"] = float(change.mean())
        result["character_difference_error"] = _error(change)
    return result


def _error(values: Array) -> float:
    """The standard error of the mean of ``values``."""
    return float(values.std() / np.sqrt(len(values)))


def _stored_bits(setting: Setting) -> float:
    if isinstance(setting.activations, BlockFormat):
        return setting.activations.bits_per_element
    if setting.sparq_format is not None:
        return setting.sparq_format.bits_per_activation
    return {FP32: 32.0, UNIFORM_4_BIT: 4.0, SIGNED_4_BIT: 4.0}.get(str(setting.activations), 8.0)


def layer_rows(
    base: Quantized,
    settings: Sequence[Setting],
    noises: Noises,
    runs: Mapping[Setting, tuple[QuantizedNetwork, Arithmetic]],
    attention_windowed: bool = False,
) -> list[dict[str, Any]]:
    """One row per layer with weights: its shape, its activations, its noise in each setting.

    And one per product of two values, which formats are for where these are
    ``attention_windowed``; of its activations it says nothing.
    """
    formats = {
        s.label: s.sparq_format
        for s in settings
        if s.sparq_format and s.sparq_format.magnitude_bits == ACTIVATION_BITS
    }
    decisions = {s: decisions_of(s, runs[s][0], attention_windowed) for s in settings if s in runs}
    operations = {node.name: node.operation for node in base.network.nodes}
    layers = []
    for node in base.graph.product_nodes:
        operation = operations[node.name]
        if isinstance(operation, IntegerMatrixLayer):
            row = _layer(base, node, operation, formats)
        else:
            assert isinstance(operation, MultiplyMatrices)
            row = _product(base, node, _product_reason(operation, attention_windowed))
        sqnr = {
            setting.label: _decibels(*noises[setting, node.name])
            for setting in settings
            if (setting, node.name) in noises
        }
        made = {s.label: texts[node.name] for s, texts in decisions.items() if texts}
        layers.append(row | {"formats": made, "sqnr_db": sqnr})
    return layers


def _layer(
    base: Quantized,
    node: Node,
    layer: IntegerMatrixLayer,
    formats: Mapping[str, SparqFormat],
) -> dict[str, Any]:
    statistics = PairStatistics(base.pairs[layer.name]) if layer.fill == 0 else None
    return {
        "name": layer.name,
        "m": prod(base.graph.shapes[node.output][:-1]),
        "k": layer.depth,
        "n": layer.width,
        "groups": layer.groups,
        "windowed": layer.windowed,
        "reason": layer.reason,
        "zeros": statistics and 100 * statistics.zeros,
        "zero_pairs": statistics and 100 * statistics.zero_pairs,
        "placements": {
            label: {shift: 100 * share for shift, share in statistics.placements(fmt).items()}
            for label, fmt in formats.items()
            if statistics and layer.windowed
        },
    }


def _product(base: Quantized, node: Node, reason: str) -> dict[str, Any]:
    *leading, rows, depth = base.graph.shapes[node.inputs[0]]
    groups = prod(leading)
    return {
        "name": node.name,
        "m": rows,
        "k": depth,
        "n": groups * base.graph.shapes[node.output][-1],
        "groups": groups,
        "windowed": not reason,
        "reason": reason,
        "zeros": None,
        "zero_pairs": None,
        "placements": {},
    }


def _product_reason(operation: MultiplyMatrices, windowed: bool) -> str:
    """Why a product of two values is in no format of unsigned activations; empty if it is."""
    if not windowed:
        return OF_VALUES
    return SIGNED_INPUT if operation.zero_point else ""


def row_shares(setting: Setting, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the ``layers`` of :func:`layer_rows` say of the row of ``setting``, if it has a format.

    The share of the multiplications that are in it, and of two formats the mean of the bits, over
    these multiplications; 8 bits where there are none.
    """
    if isinstance(setting.activations, str):
        return {}
    work = Counter[str]()
    for layer in layers:
        made = layer["formats"][setting.label]
        work[AT_8_BITS if made.startswith(AT_8_BITS) else made] += _work(layer)
    total = work.total()
    windowed = total - work[AT_8_BITS]
    shares = {"windowed_share": 100 * windowed / max(1, total)}
    if isinstance(setting.activations, MixedFormat):
        both = (setting.activations.unsigned, setting.activations.signed)
        bits = sum(work[fmt.name] * fmt.sparq_format.bits_per_activation for fmt in both)
        shares["bits_per_activation"] = bits / windowed if windowed else 8.0
    return shares


def _work(layer: Mapping[str, Any]) -> int:
    """How many multiplications there are."""
    return int(layer["m"] * layer["k"] * layer["n"])


def decisions_of(
    setting: Setting, network: QuantizedNetwork, attention_windowed: bool = False
) -> dict[str, str]:
    """By layer, the format of its products, or ``8 bits:`` and why; empty where there is none.

    And by product of two values.
    """
    activations = setting.activations
    if setting.activations == SIGNED_4_BIT:
        name = "4 bits"
    elif isinstance(activations, str):
        return {}
    else:
        name = activations.name
    made = {}
    for node in network.nodes:
        operation = node.operation
        if isinstance(operation, IntegerMatrixLayer):
            reason, zero = operation.reason, operation.fill
        elif isinstance(operation, MultiplyMatrices):
            reason, zero = "", operation.zero_point
            if operation.fmt is None:
                windows = attention_windowed and setting.windows is not None
                reason = _product_reason(operation, windows)
        else:
            continue
        if isinstance(activations, MixedFormat):
            name = (activations.signed if zero else activations.unsigned).name
        made[node.name] = f"{AT_8_BITS}: {reason}" if reason else name
    return made


def totals(base: Quantized, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of multiplications that formats of unsigned activations window, and zeros there.

    Zeros among their activations, and pairs that hold one; per cent.
    """
    work = {layer["name"]: _work(layer) for layer in layers}
    windowed = [layer["name"] for layer in layers if layer["windowed"]]
    pairs = [base.pairs[name] for name in windowed if name in base.pairs]
    statistics = PairStatistics(np.sum(pairs, axis=0)) if pairs else None
    return {
        "windowed_share": 100 * sum(work[name] for name in windowed) / max(1, sum(work.values())),
        "zeros": statistics and 100 * statistics.zeros,
        "zero_pairs": statistics and 100 * statistics.zero_pairs,
    }


def _decibels(signal: float, error: float) -> float | None:
    """Signal to noise; None if either is zero."""
    return 10 * log10(signal / error) if signal > 0 and error > 0 else None
