"""Channel orders of all rows of an evaluation, chosen on all cores."""

from collections.abc import Mapping

from rich.progress import Progress

import golden
from networks.evaluation.settings import Setting
from networks.quantization.arithmetic import Windows
from networks.quantization.channel_order import calibrated_order, windowed_inputs
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Bytes, Int64Array, IntegerMatrixLayer
from networks.quantization.shared_order import Orders
from support.tasks import run_tasks


def channel_orders(
    networks: Mapping[Setting, QuantizedNetwork],
    images: Bytes,
    scheduler: str | None,
    progress: Progress,
) -> Mapping[Setting, Orders]:
    """The orders of :func:`calibrated_order` for the windowed layers of each setting's network.

    They are chosen on what exact products before a layer make of ``images``: once for each network,
    layer and format.
    """
    formats: dict[int, dict[Windows, None]] = {}
    for setting, network in networks.items():
        assert setting.windows is not None
        formats.setdefault(id(network), {})[setting.windows] = None
    jobs = {
        (number, name): (*given, tuple(formats[number]))
        for number, network in {id(network): network for network in networks.values()}.items()
        for name, given in windowed_inputs(network, images).items()
    }
    task = progress.add_task("ordering channels", total=len(jobs))
    made = run_tasks(_orders, list(jobs.values()), scheduler, lambda: progress.advance(task))
    found: dict[Setting, dict[str, Int64Array]] = {setting: {} for setting in networks}
    for (number, name), orders in zip(jobs, made, strict=True):
        for setting, network in networks.items():
            order = orders.get(setting.windows) if id(network) == number else None
            if order is not None:
                found[setting][name] = order
    return found


def _orders(
    layer: IntegerMatrixLayer, rows: Bytes, formats: tuple[Windows, ...]
) -> dict[Windows, Int64Array | None]:
    """The order of a layer in each of ``formats``."""
    made: dict[golden.SparqFormat, Int64Array | None] = {}
    for windows in formats:
        fmt = windows.format_of(layer)
        if fmt not in made:
            made[fmt] = calibrated_order(layer, windows.magnitudes(rows, layer), fmt)
    return {windows: made[windows.format_of(layer)] for windows in formats}
