"""Post-training quantization of a graph (paper, section 5)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from golden.attention import MAX_NORMALIZED, WIDE_MAX
from golden.format import ACTIVATION_MAX, SIGNED_ZERO_POINT
from networks.fixed_point import Float64Array
from networks.graph.attention import LayerNormalization, MaskedMean, MatrixProduct, Softmax
from networks.graph.elementwise import (
    Affine,
    Function,
    Largest,
    Product,
    Quotient,
    Smallest,
    Sum,
)
from networks.graph.graph import Graph, Node
from networks.graph.movement import Concat, Pad, Rearrange
from networks.graph.operations import JOINING, SCALED_ALIKE, AveragePool, MatrixLayer
from networks.quantization.calibration import Range
from networks.quantization.integers import (
    MAX_BIAS,
    fixed_point,
    integer_operation,
    requantization,
    weighted_sum,
)
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import (
    LEVELS_4_BIT,
    Alignment,
    Bytes,
    Int64Array,
    IntegerAveragePool,
    IntegerMatrixLayer,
    Quantization,
    Requantization,
    UniformCodes,
    WideQuantization,
    WideRequantization,
    rows_in_order,
)
from networks.quantization.saturation import without_saturation
from networks.quantization.wide import wide_values

MAX_DEPTH = ((1 << 31) - 1 - MAX_BIAS) // (ACTIVATION_MAX * 128)
AFFINE = "affine"
SYMMETRIC = "symmetric"
SIGNED_BYTES = "signed bytes"
SIGNED = (AFFINE, SYMMETRIC, SIGNED_BYTES)
"""How layers whose input can be negative are windowed."""
SIGNED_INPUT = "signed input"
"""Why a layer is not."""
LARGEST_SYMMETRIC = SIGNED_ZERO_POINT - 1
"""Of the magnitudes of signed bytes."""
WIDE_HEADROOM = 4
"""What a value of 16 bits can hold, as a multiple of its range in calibration."""
SMALLEST_STEP = 1e-30
"""Stands for the scale of a channel that is all zeros; it requantizes by a multiplier of 0."""


def quantize(
    graph: Graph,
    ranges: Mapping[str, Range],
    weight_bits: int = 8,
    first_layer_windowed: bool = False,
    last_layer_windowed: bool = False,
    activation_codes: Mapping[str, UniformCodes] | None = None,
    channel_orders: Mapping[str, Int64Array] | None = None,
    signed: str | None = None,
    kept: Mapping[str, str] | None = None,
    attention: bool = False,
    weight_clips: Mapping[str, Float64Array] | None = None,
    shifts: Mapping[str, Int64Array] | None = None,
    biases: Mapping[str, Float64Array] | None = None,
) -> QuantizedNetwork:
    """``graph`` in integers.

    Activations are bytes with one scale per tensor, from its range in ``ranges``; a tensor that can
    be negative has a zero point. Weights are symmetric signed integers of ``weight_bits`` (2 to 8)
    bits, one scale per output channel. Values that are only moved, compared or joined share their
    scale. Values that functions alone take are limited to what makes a difference to these. The
    result is the same on every machine.

    A layer is windowed if its input cannot be negative; layers that take the network's input, and
    the last one, only if asked for.

    ``activation_codes``, by layer: that layer's multipliers take activations of 4 bits, such codes
    for the bytes. ``channel_orders``, by layer: the
    order in which the channels of its input are paired.

    With ``signed`` layers whose input can be negative are windowed too. ``affine``: of their bytes
    less the zero point; ``symmetric``: their inputs have the zero point 128, and 127 steps on
    either side of it; ``signed bytes``: so too, and the inputs of windowed layers that cannot be
    negative are recoded to as many steps (0 to 127). ``kept``, by layer: why it is not windowed,
    whatever its input. With ``attention`` the first ones of two values that are multiplied as
    matrices are quantized as the inputs of windowed layers. ``weight_clips``, by layer: float64
    (N,), the largest magnitudes that the weights of its output channels keep, in place of the
    largest that these have. ``shifts``, by layer: int64 (N,), where above 0 the channel's weights
    are of two points of ``weight_bits`` bits, the first one shifted so (:mod:`golden.multipoint`);
    what they combine to is a weight of 8 bits, of which more magnitudes are used. ``biases``, by
    layer: float64 (N,), what is added to the layer's own.

    Raises ``ValueError`` as :func:`require_quantizable`.
    """
    if not isinstance(weight_bits, int) or not 2 <= weight_bits <= 8:
        raise ValueError(f"weight_bits must be an integer from 2 to 8, not {weight_bits!r}")
    require_quantizable(graph)
    if signed is not None and signed not in SIGNED:
        raise ValueError(f"signed must be None or one of {', '.join(SIGNED)}, not {signed!r}")
    ranges = without_saturation(graph, ranges)
    reasons = windowing_exceptions(
        *(graph, ranges, not first_layer_windowed, not last_layer_windowed),
        signed=signed is not None,
    )
    reasons |= {name: reason for name, reason in (kept or {}).items() if not reasons[name]}
    symmetric = {
        node.inputs[0]
        for node in graph.matrix_nodes
        if signed in (SYMMETRIC, SIGNED_BYTES) and not reasons[node.name]
    }
    if attention and signed in (SYMMETRIC, SIGNED_BYTES):
        products = (node for node in graph.nodes if isinstance(node.operation, MatrixProduct))
        symmetric |= {node.inputs[0] for node in products}
    quantizations = value_quantizations(graph, ranges, symmetric)
    raw = values_of_logits(graph)
    nodes: list[IntegerNode] = []
    for node in graph.nodes:
        inputs = [quantizations[name] for name in node.inputs]
        output = quantizations[node.output]
        operation: Any = node.operation
        if isinstance(operation, MatrixLayer):
            if biases and node.name in biases:
                operation = replace(operation, bias=operation.bias + biases[node.name])
            codes = _codes(
                (activation_codes or {}).get(node.name), inputs[0], signed == SIGNED_BYTES
            )
            integer: Any = _matrix_layer(
                *(node.name, operation, weight_bits, inputs[0]),
                output=None if node.output in raw else output,
                reason=reasons[node.name],
                activation_codes=None if reasons[node.name] else codes,
                channel_order=(channel_orders or {}).get(node.name),
                clips=(weight_clips or {}).get(node.name),
                shifts=(shifts or {}).get(node.name),
            )
        else:
            are_sums = node.output in raw and isinstance(operation, AveragePool)
            integer = integer_operation(operation, inputs, None if are_sums else output)
        names = list(node.inputs)
        for index, source in enumerate(inputs):
            if isinstance(operation, JOINING) and source != output:
                # Joined values must have one scale; this one comes in another.
                rescaled = f"{node.name}: {names[index]}"
                combine = weighted_sum([source], output)
                nodes.append(IntegerNode(rescaled, combine, (names[index],), rescaled))
                names[index] = rescaled
        limits = None if node.clip is None else _byte_limits(node.clip, output)
        nodes.append(IntegerNode(node.name, integer, tuple(names), node.output, limits))
    for name in raw:
        producer = next(node for node in nodes if node.output == raw[-1])
        quantizations[name] = Quantization(_logit_step(producer, quantizations), 0)
    return QuantizedNetwork(
        graph.source, graph.input_shape, tuple(nodes), graph.output, quantizations
    )


def require_quantizable(graph: Graph) -> None:
    """Raise ``ValueError``, naming the node, for one that is too large for its integers."""
    for node in graph.nodes:
        operation = node.operation
        if isinstance(operation, LayerNormalization) and len(operation.scale) > MAX_NORMALIZED:
            raise ValueError(
                f"at most {MAX_NORMALIZED} features can be normalized, not "
                f"{len(operation.scale)} in {node.name}"
            )
        depth = 0
        if isinstance(operation, MatrixLayer):
            depth = operation.depth
        elif isinstance(operation, MatrixProduct):
            depth = graph.shapes[node.inputs[0]][-1]
        if depth > MAX_DEPTH:
            raise ValueError(
                f"K must be at most {MAX_DEPTH} for int32 sums, not {depth} in {node.name}"
            )


def unsigned_values(graph: Graph, ranges: Mapping[str, Range]) -> set[str]:
    """The values that cannot be negative, whatever the image (the source: in its range).

    Nor can those that they share a scale with: the byte 0 stands for 0.
    """
    found = {graph.source} if ranges[graph.source][0] >= 0 else set()
    for node in graph.nodes:
        if (node.clip and node.clip[0] >= 0) or _never_negative(
            node, [name in found for name in node.inputs]
        ):
            found.add(node.output)
    group = scale_groups(graph)
    signed = {group[name] for name in graph.shapes if name not in found}
    signed |= {group[name] for name in _weights_of_products(graph)}
    return {name for name in found if group[name] not in signed}


def _never_negative(node: Node, inputs: Sequence[bool]) -> bool:
    """Whether ``node`` makes no negative value, of ``inputs`` that may be (False) or are not."""
    operation = node.operation
    if isinstance(operation, Function):
        return operation.expression.never_negative(inputs[0])
    if isinstance(operation, Softmax):
        return not operation.logarithm
    if isinstance(operation, Largest):
        return any(inputs)
    if isinstance(operation, Pad) and operation.value < 0:
        return False
    if isinstance(operation, Sum) and min(operation.factors, default=1) < 0:
        return False
    if isinstance(operation, MaskedMean):
        return inputs[0]
    keeping = (*SCALED_ALIKE, Sum, Product, Quotient, Concat, Smallest, AveragePool)
    return isinstance(operation, keeping) and all(inputs)


def value_quantizations(
    graph: Graph, ranges: Mapping[str, Range], symmetric: Collection[str] = ()
) -> dict[str, Quantization]:
    """Scale and zero point of each value.

    Those of ``symmetric`` that can be negative, and what values are multiplied with as with
    weights, have the zero point 128 and 127 steps on either side; so has what shares their scale.
    """
    unsigned = unsigned_values(graph, ranges)
    group = scale_groups(graph)
    weights = {group[name] for name in _weights_of_products(graph)}
    symmetric_groups = {group[name] for name in symmetric}
    wide = wide_values(graph)
    result: dict[str, Quantization] = {}
    for name in graph.shapes:
        if graph.tokens and group[name] == group[graph.source]:
            result[name] = Quantization(1.0, 0)  # integers already
            continue
        members = [other for other in graph.shapes if group[other] == group[name]]
        high = max(0.0, *(ranges[member][1] for member in members))
        low = min(0.0, *(ranges[member][0] for member in members))
        if name in wide:
            largest = max(high, -low) or 1.0
            result[name] = WideQuantization(largest * WIDE_HEADROOM / WIDE_MAX, 0)
            continue
        signed = group[name] in symmetric_groups and name not in unsigned
        if signed or group[name] in weights:
            step = max(high, -low) / LARGEST_SYMMETRIC or 1 / LARGEST_SYMMETRIC
            result[name] = Quantization(step, SIGNED_ZERO_POINT)
            continue
        if name in unsigned:
            low = 0.0
        step = (high - low) / ACTIVATION_MAX or 1 / ACTIVATION_MAX
        result[name] = Quantization(step, min(round(-low / step), ACTIVATION_MAX))
    return result


def _weights_of_products(graph: Graph) -> set[str]:
    """The values that other values are multiplied with as with weights."""
    return {node.inputs[1] for node in graph.nodes if isinstance(node.operation, MatrixProduct)}


def windowing_exceptions(
    graph: Graph, ranges: Mapping[str, Range], first: bool, last: bool, signed: bool = False
) -> dict[str, str]:
    """Why each layer's products stay at 8 bits; empty for those that need not.

    The ``first`` one, the ``last`` one, and, unless windows are ``signed``, of signed inputs.
    """
    unsigned = unsigned_values(graph, ranges)
    # The image itself, moved or normalized.
    image = {graph.source}
    for node in graph.nodes:
        if (
            isinstance(node.operation, (*SCALED_ALIKE, Affine, Function))
            and node.inputs[0] in image
        ):
            image.add(node.output)
    reasons = {}
    for node in graph.matrix_nodes:
        if first and node.inputs[0] in image:
            reasons[node.name] = "first layer"
        elif last and node is graph.matrix_nodes[-1]:
            reasons[node.name] = "last layer"
        elif not signed and node.inputs[0] not in unsigned:
            reasons[node.name] = SIGNED_INPUT
        else:
            reasons[node.name] = ""
    return reasons


def scale_groups(graph: Graph) -> dict[str, str]:
    """By value, a name that is the same for all values that share its scale."""
    group = {name: name for name in graph.shapes}
    producers = {node.output: node for node in graph.nodes}
    consumers = graph.consumers

    def tie(first: str, second: str) -> None:
        old, new = group[second], group[first]
        for name, current in group.items():
            if current == old:
                group[name] = new

    for node in graph.nodes:
        if isinstance(node.operation, SCALED_ALIKE):
            tie(node.inputs[0], node.output)
        elif isinstance(node.operation, JOINING):
            for name in node.inputs:
                # A value that nothing else takes can be made in the scale that it is joined in.
                producer = producers.get(name)
                if (
                    producer
                    and not isinstance(producer.operation, SCALED_ALIKE)
                    and len(consumers[name]) == 1
                ):
                    tie(node.output, name)
    return group


def values_of_logits(graph: Graph) -> list[str]:
    """The output and what it is moved from, up to a layer whose sums can be the logits."""
    producers = {node.output: node for node in graph.nodes}
    consumers = graph.consumers
    values = [graph.output]
    if consumers[graph.output]:
        return []
    while node := producers.get(values[-1]):
        if node.clip is None and (
            isinstance(node.operation, MatrixLayer)
            or (isinstance(node.operation, AveragePool) and np.ptp(node.operation.divisors) == 0)
        ):
            return values
        if not isinstance(node.operation, Rearrange) or len(consumers[node.inputs[0]]) != 1:
            return []
        values.append(node.inputs[0])
    return []


def _logit_step(node: IntegerNode, quantizations: Mapping[str, Quantization]) -> float:
    """What a unit of the logits that ``node`` makes stands for."""
    if isinstance(node.operation, IntegerMatrixLayer):
        return float(node.operation.steps.max())
    assert isinstance(node.operation, IntegerAveragePool)
    return quantizations[node.inputs[0]].step / float(node.operation.pool.divisors.max())


def _matrix_layer(
    name: str,
    layer: MatrixLayer,
    weight_bits: int,
    source: Quantization,
    output: Quantization | None,
    reason: str,
    activation_codes: tuple[Bytes, float] | None,
    channel_order: Int64Array | None,
    clips: Float64Array | None,
    shifts: Int64Array | None,
) -> IntegerMatrixLayer:
    windowed = not reason
    codes, code_step = activation_codes or (None, 1.0)
    input_step = source.step * code_step
    weight_max = levels_of(weight_bits, np.zeros(layer.width, int) if shifts is None else shifts)
    largest = np.abs(layer.weights).max(axis=1).reshape(-1) if clips is None else clips
    weight_steps = np.maximum(largest / weight_max, np.abs(layer.bias) / input_step / MAX_BIAS)
    weight_steps = np.maximum(weight_steps, SMALLEST_STEP)
    groups, _, width = layer.weights.shape
    scaled = layer.weights / weight_steps.reshape(groups, 1, width)
    most = weight_max.reshape(groups, 1, width)
    limited = np.clip(np.rint(scaled), -most, most)
    weights = limited.astype(np.int8, order="C")
    if channel_order is not None:
        weights = rows_in_order(weights, channel_order)
    return with_scales(
        IntegerMatrixLayer(
            name=name,
            lowering=layer.lowering,
            weights=weights,
            bias=np.zeros(layer.width, np.int32),
            input_zero_point=source.zero_point,
            finish=_unscaled(output),
            windowed=windowed,
            reason=reason,
            codes=codes,
            channel_order=channel_order,
            steps=weight_steps * input_step,
            offset=layer.bias,
            code_step=code_step,
        ),
        output,
    )


def levels_of(weight_bits: int, shifts: Int64Array) -> Int64Array:
    """The largest magnitude of the weights of each channel: (N,), of their shifts, int64 (N,).

    The least integer of a point is not used, so that weights are symmetric; two points have all
    integers within. Raises ``ValueError`` for what a weight of 8 bits does not hold.
    """
    single = (1 << (weight_bits - 1)) - 1
    levels: Int64Array = np.where(shifts > 0, single * ((1 << shifts) + 1), single)
    if levels.max(initial=0) > LARGEST_SYMMETRIC:
        raise ValueError(
            f"two points must combine to weights of at most {LARGEST_SYMMETRIC}, not "
            f"{levels.max()} as those of {weight_bits} bits shifted by {shifts.max()}"
        )
    return levels


def _unscaled(output: Quantization | None) -> Requantization | WideRequantization | Alignment:
    """What finishes a layer, its scales still to be found."""
    none = np.zeros(0, np.int64)
    return Alignment(none, none) if output is None else requantization(none, none, output)


def with_scales(layer: IntegerMatrixLayer, output: Quantization | None) -> IntegerMatrixLayer:
    """``layer`` with the bias and the requantization that its ``steps`` and ``offset`` call for.

    ``output`` is the scale of its output, but that of logits is that of the largest step.
    """
    # Within bounds already, unless a normalization was recalibrated on sums that hardly vary.
    bias = np.clip(np.rint(layer.offset / layer.steps), -MAX_BIAS, MAX_BIAS)
    bias -= layer.fill * layer.weights.sum(axis=1, dtype=np.int64).reshape(-1)
    finish: Requantization | WideRequantization | Alignment
    if output is None or isinstance(layer.finish, Alignment):
        finish = Alignment(*fixed_point(layer.steps / layer.steps.max()))
    else:
        finish = requantization(*fixed_point(layer.steps / output.step), output)
    return replace(layer, bias=bias.astype(np.int32), finish=finish)


def _codes(
    four_bits: UniformCodes | None, source: Quantization, signed_bytes: bool
) -> tuple[Bytes, float] | None:
    """What a layer's multipliers take for each byte, and its step in bytes; None for the bytes."""
    if four_bits is not None:
        step, zero = four_bits
        return uniform_codes(step, LEVELS_4_BIT, source.zero_point, zero), step
    if signed_bytes and not source.zero_point:
        return uniform_codes(2.0, LARGEST_SYMMETRIC), 2.0
    return None


def uniform_codes(step: float, largest: int, zero_point: int = 0, zero: int = 0) -> Bytes:
    """The nearest of 0 to ``largest`` for each byte, of which each code stands for ``step``.

    The byte ``zero_point`` becomes the code ``zero``.
    """
    steps = np.rint((np.arange(256) - zero_point) / step) + zero
    codes: Bytes = np.clip(steps, 0, largest).astype(np.uint8)
    return codes


def _byte_limits(clip: tuple[float, float], output: Quantization) -> tuple[int, int] | None:
    """``clip`` in bytes; None where a byte has no values beyond it.

    It has where values that share a scale have other limits.
    """
    low, high = (
        round(min(max(limit / output.step + output.zero_point, 0), ACTIVATION_MAX))
        for limit in clip
    )
    return None if (low, high) == (0, ACTIVATION_MAX) else (low, high)
