"""Channel orders of all rows of an evaluation, chosen on all cores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.progress import Progress

import golden
from networks.evaluation.settings import Setting
from networks.quantization.arithmetic import exact, saturated
from networks.quantization.channel_order import calibrated_order, sampled
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Bytes, Int64Array, IntegerMatrixLayer
from support.tasks import run_tasks

Orders = Mapping[str, Int64Array]
"""By layer, the order of its input's channels; without those that stay as they are."""


def channel_orders(
    networks: Mapping[Setting, QuantizedNetwork],
    images: Bytes,
    scheduler: str | None,
    progress: Progress,
) -> dict[Setting, Orders]:
    """The orders of :func:`calibrated_order` for the windowed layers of each setting's network.

    They are chosen on what exact products before a layer make of ``images``: once for each network,
    layer and format.
    """
    inputs = {id(network): _inputs(network, images) for network in networks.values()}
    jobs: dict[tuple[int, str, golden.SparqFormat], tuple[Any, ...]] = {}
    wanted: dict[Setting, dict[str, tuple[int, str, golden.SparqFormat]]] = {}
    for setting, network in networks.items():
        assert setting.windows is not None
        wanted[setting] = {}
        for name, (layer, rows) in inputs[id(network)].items():
            fmt = setting.windows.format_of(layer)
            key = id(network), name, fmt
            wanted[setting][name] = key
            jobs[key] = layer, rows, fmt
    task = progress.add_task("ordering channels", total=len(jobs))
    made = run_tasks(_order, list(jobs.values()), scheduler, lambda: progress.advance(task))
    orders = dict(zip(jobs, made, strict=True))
    return {
        setting: {name: orders[key] for name, key in keys.items() if orders[key] is not None}
        for setting, keys in wanted.items()
    }


def _inputs(
    network: QuantizedNetwork, images: Bytes
) -> dict[str, tuple[IntegerMatrixLayer, Bytes]]:
    """By name, windowed layers and as many pixels of their input as orders are chosen on."""
    found = {}

    def keep(layer: IntegerMatrixLayer, x: Bytes) -> None:
        if layer.windowed:
            found[layer.name] = layer, np.ascontiguousarray(sampled(layer.operand(x)))

    network.forward(images, exact, before=keep)
    return found


def _order(layer: IntegerMatrixLayer, rows: Bytes, fmt: golden.SparqFormat) -> Int64Array | None:
    values = saturated(rows, fmt, layer.fill).astype(np.int16) - np.int16(layer.fill)
    return calibrated_order(layer, np.abs(values).astype(np.uint8), fmt)
