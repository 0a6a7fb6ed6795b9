"""One order of channels for all layers that take them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import golden
from networks.quantization.arithmetic import Windows, exact
from networks.quantization.calibration import calibrate
from networks.quantization.operations import IntegerMatrixLayer
from networks.quantization.quantize import quantize
from networks.quantization.reordering import in_stored_order
from networks.quantization.shared_order import shared_orders
from sim_tb.networks.families import images_of, model_of, quiet

FORMAT = golden.named_format("2opt", rounding=False)


@pytest.mark.parametrize("family", ["resnet", "squeezenet", "mobilenet", "densenet", "googlenet"])
@pytest.mark.parametrize("group", [1, 2])
def test_orders_lose_less(family: str, group: int, tmp_path: Path) -> None:
    """The error of all layers' products, of each as a part of its power, on the same images."""
    model = model_of(family, tmp_path)
    batch = images_of(model, 8).batch().transpose(0, 2, 3, 1)
    ranges = calibrate(model.graph, [batch])
    network = quantize(model.graph, ranges)
    fmt = replace(FORMAT, group=group)
    x = network.quantize_images(batch)
    orders = shared_orders(network, Windows(fmt), x, None, quiet())
    assert len(orders) >= 2

    def loss(chosen: Any) -> float:
        errors = []

        def see(each: IntegerMatrixLayer, value: Any) -> None:
            if not each.windowed or each.groups > 1:
                return
            order = chosen.get(each.name, np.arange(value.shape[-1]))
            taken = value[..., order].astype(np.int64)
            gains = (each.weights.astype(float) ** 2).reshape(-1, len(order), each.width)
            gains = gains.sum(axis=(0, 2))[order]
            lost = (golden.sparq(value[..., order], fmt) - taken) ** 2 * gains
            errors.append(lost.sum() / (taken**2 * gains).sum())

        network.forward(x, exact, before=see)
        return float(np.sum(errors))

    assert loss(orders) < 0.98 * loss({})
    moved = in_stored_order(quantize(model.graph, ranges, channel_orders=orders))
    assert np.array_equal(moved.forward(x, exact), network.forward(x, exact))


def test_nothing_to_reorder(tmp_path: Path) -> None:
    """Without pairs, and without shared windows, neighbours make no difference."""
    model = model_of("squeezenet", tmp_path)
    batch = images_of(model, 2).batch().transpose(0, 2, 3, 1)
    network = quantize(model.graph, calibrate(model.graph, [batch]))
    windows = Windows(golden.named_format("5opt", vsparq=False))
    x = network.quantize_images(batch)
    assert shared_orders(network, windows, x, None, quiet()) == {}
    assert in_stored_order(network) is network
