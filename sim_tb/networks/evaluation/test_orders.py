"""Channel orders of many rows at once."""

from pathlib import Path
from typing import Any

import numpy as np

from networks.evaluation.orders import channel_orders
from networks.evaluation.settings import settings_of
from networks.quantization.arithmetic import exact
from networks.quantization.calibration import calibrate
from networks.quantization.channel_order import calibrated_order
from networks.quantization.quantize import AFFINE, quantize
from sim_tb.networks.families import images_of, model_of, quiet


def test_orders_are_those_of_each_row(tmp_path: Path) -> None:
    """Of two networks and several formats: as if each were looked at alone."""
    model = model_of("squeezenet", tmp_path)
    batch = np.moveaxis(images_of(model, 4).batch(), 1, -1)
    ranges = calibrate(model.graph, [batch])
    unsigned, signed = quantize(model.graph, ranges), quantize(model.graph, ranges, signed=AFFINE)
    images = unsigned.quantize_images(batch)
    rows = settings_of(["5opt", "2opt", "5opt+s5opt"], [True], [True], [1, 4], 8, ["dense"])
    networks = {row: signed if row.signed else unsigned for row in rows if row.windows}
    assert len(networks) == 6
    found = channel_orders(networks, images, None, quiet())
    assert list(found) == list(networks)
    for row, network in networks.items():
        expected: dict[str, Any] = {}

        def choose(layer: Any, x: Any, row: Any = row, expected: Any = expected) -> None:
            if layer.windowed:
                values = layer.operand(x).astype(int) - layer.fill
                magnitudes = np.abs(values).astype(np.uint8)
                order = calibrated_order(layer, magnitudes, row.windows.format_of(layer))
                if order is not None:
                    expected[layer.name] = order.tolist()

        network.forward(images, exact, before=choose)
        assert expected
        assert {name: order.tolist() for name, order in found[row].items()} == expected
