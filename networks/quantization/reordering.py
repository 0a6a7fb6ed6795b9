"""Values whose channels lie in the order that layers take them in."""

from dataclasses import replace
from typing import Any

import numpy as np

from networks.quantization.channel_groups import (
    ChannelGroups,
    channel_groups,
    is_channel_by_channel,
)
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import (
    Combine,
    Int64Array,
    IntegerAveragePool,
    IntegerMatrixLayer,
    LookUp,
    Multiply,
    rows_in_order,
)


def in_stored_order(network: QuantizedNetwork) -> QuantizedNetwork:
    """``network`` whose layers take channels as they lie: what makes them puts them in that order.

    Its logits are the same, bit for bit, in every arithmetic. Raises ``ValueError``, naming a
    layer, where windowed layers that take the same channels have different orders of them, and
    where channels have to stay as they are, such as an image's.
    """
    if all(layer.channel_order is None for layer in network.layers):
        return network
    groups = channel_groups(network)
    orders = _orders(network, groups)
    nodes = tuple(
        replace(
            node,
            operation=_reordered(
                node.operation,
                groups.order(node.inputs[0], orders),
                groups.order(node.output, orders),
            ),
        )
        for node in network.nodes
    )
    return replace(network, nodes=nodes)


def _orders(network: QuantizedNetwork, groups: ChannelGroups) -> dict[int, Int64Array]:
    """Of each group, as windowed layers ask for it: to others the order makes no difference."""
    found: dict[int, tuple[Int64Array, str]] = {}
    for node, layer in _windowed(network):
        order = layer.channel_order
        top = 0
        for group in groups.of[node.inputs[0]]:
            own = np.arange(groups.sizes[group])
            asked = own if order is None else order[top : top + len(own)] - top
            top += len(own)
            if not np.array_equal(np.sort(asked), own):
                raise ValueError(f"{layer.name}: the order of its channels mixes those of values")
            if group in groups.fixed and not np.array_equal(asked, own):
                raise ValueError(f"{layer.name}: the channels that it takes cannot be reordered")
            known, name = found.setdefault(group, (asked, layer.name))
            if not np.array_equal(known, asked):
                raise ValueError(
                    f"{layer.name}: the order of its channels must be that of {name}, which takes "
                    "the same"
                )
    return {
        group: order
        for group, (order, _) in found.items()
        if not np.array_equal(order, np.arange(len(order)))
    }


def _windowed(network: QuantizedNetwork) -> list[tuple[IntegerNode, IntegerMatrixLayer]]:
    return [
        (node, node.operation)
        for node in network.nodes
        if isinstance(node.operation, IntegerMatrixLayer)
        and node.operation.windowed
        and node.operation.groups == 1
    ]


def _reordered(operation: Any, source: Int64Array | None, output: Int64Array | None) -> Any:
    """``operation`` of a value in the order ``source`` that makes one in the order ``output``."""
    match operation:
        case IntegerMatrixLayer():
            if not is_channel_by_channel(operation):
                operation = taking(operation, source)
            return operation if output is None else _making(operation, output)
        case _ if output is None:
            return operation
        case Combine():
            return Combine(
                tuple(_channels_of(each, output) for each in operation.multipliers),
                _channels_of(operation.bias, output),
                _finish(operation.requantization, output),
            )
        case IntegerAveragePool():
            pool, done = operation.pool, operation.requantization
            return replace(
                operation,
                pool=replace(pool, divisors=_channels_of(pool.divisors, output)),
                requantization=done and _finish(done, output),
            )
        case Multiply():
            return replace(operation, requantization=_finish(operation.requantization, output))
        case LookUp():
            return operation if operation.table.ndim == 1 else LookUp(operation.table[output])
    return operation


def taking(layer: IntegerMatrixLayer, order: Int64Array | None) -> IntegerMatrixLayer:
    """``layer`` whose input has its channels in ``order`` already; None for the natural one."""
    now = layer.channel_order
    if now is None and order is None:
        return layer
    channels = len(now if order is None else order)  # type: ignore[arg-type]
    rows = np.arange(channels) if order is None else order
    if now is not None:
        rows = np.argsort(now)[rows]
    return replace(layer, weights=rows_in_order(layer.weights, rows), channel_order=None)


def _making(layer: IntegerMatrixLayer, order: Int64Array) -> IntegerMatrixLayer:
    """``layer`` whose output channels are in ``order``."""
    weights = layer.weights[order] if layer.groups > 1 else layer.weights[:, :, order]
    return replace(
        layer,
        weights=np.ascontiguousarray(weights),
        bias=layer.bias[order],
        finish=_finish(layer.finish, order),
        steps=layer.steps[order],
        offset=layer.offset[order],
    )


def _finish(finish: Any, order: Int64Array) -> Any:
    """What finishes sums, of channels in ``order``."""
    return replace(
        finish,
        multiplier=_channels_of(finish.multiplier, order),
        shift=_channels_of(finish.shift, order),
    )


def _channels_of(values: Any, order: Int64Array) -> Any:
    """``values`` of each channel along the last axis in ``order``; one of all channels as it is."""
    return values[..., order] if values.ndim and values.shape[-1] == len(order) else values
