"""Channel orders that cost nothing: one for all layers that take the same channels."""

from collections.abc import Mapping

import numpy as np
from rich.progress import Progress

from networks.quantization.arithmetic import Windows
from networks.quantization.channel_groups import channel_groups
from networks.quantization.channel_order import (
    Reader,
    common_order,
    gains_of,
    windowed_inputs,
)
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Bytes, Int64Array, IntegerMatrixLayer
from support.tasks import run_tasks

Orders = Mapping[str, Int64Array]
"""By layer, the order of its input's channels; without those that stay as they are."""


def shared_orders(
    network: QuantizedNetwork,
    windows: Windows,
    images: Bytes,
    scheduler: str | None,
    progress: Progress,
) -> Orders:
    """By windowed layer, an order of its input's channels that all that take these channels share.

    So what makes the channels can put them out in that order
    (:func:`networks.quantization.reordering.in_stored_order`). The order of each group of
    channels is that of :func:`networks.quantization.channel_order.common_order` for the layers that
    take it: the squared error of each counts as a part of its products' power. Inputs are those
    that exact products make of ``images``. Layers whose channels stay as they are, are left out.
    """
    values = {node.name: node.inputs[0] for node in network.nodes}
    taken = [each for each in windowed_inputs(network, images).values() if each[0].groups == 1]
    groups = channel_groups(network)
    readers: dict[int, list[Reader]] = {}
    skipped = set(groups.fixed)
    for layer, rows in taken:
        reader = _reader(layer, rows, windows)
        top = 0
        for group in groups.of[values[layer.name]]:
            part = slice(top, top + groups.sizes[group])
            if top % max(2, reader.fmt.group):
                skipped.add(group)  # its channels are no pairs
            top = part.stop
            own = Reader(reader.rows[:, part], reader.gains[part], reader.fmt)
            readers.setdefault(group, []).append(own)
    tasks = {group: every for group, every in readers.items() if group not in skipped}
    bar = progress.add_task("ordering channels", total=len(tasks))
    made = run_tasks(
        common_order, [(each,) for each in tasks.values()], scheduler, lambda: progress.advance(bar)
    )
    orders = {group: order for group, order in zip(tasks, made, strict=True) if order is not None}
    found = {layer.name: groups.order(values[layer.name], orders) for layer, _ in taken}
    return {name: order for name, order in found.items() if order is not None}


def _reader(layer: IntegerMatrixLayer, rows: Bytes, windows: Windows) -> Reader:
    """What ``layer`` takes: magnitudes, and by how much an error of each is of its products."""
    fmt = windows.format_of(layer)
    magnitudes = windows.magnitudes(rows, layer)
    gains = gains_of(layer, rows.shape[1])
    power = (magnitudes.astype(np.float64) ** 2).sum(axis=0) @ gains
    return Reader(magnitudes, gains / (power or 1.0), fmt)
