"""Which channels are neighbours."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import golden
from networks.quantization.arithmetic import exact
from networks.quantization.calibration import calibrate
from networks.quantization.channel_order import Units, calibrated_order, exchange_partners
from networks.quantization.quantize import quantize
from sim_tb.networks.families import SEED, images_of, model_of
from sim_tb.oracle.reference import NAMED, Rule, effective_row


def test_partners_are_exchanged_to_an_optimum() -> None:
    """On costs with one obvious pairing, that pairing is found."""
    rng = np.random.default_rng(SEED)
    partner = rng.permutation(32).reshape(16, 2)
    cost = rng.random((32, 32)) + 1
    cost += cost.T
    cost[partner[:, 0], partner[:, 1]] = cost[partner[:, 1], partner[:, 0]] = 0
    first, second = exchange_partners(cost)
    found = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert sorted(np.concatenate([first, second])) == list(range(32))
    start = cost[::2, 1::2].trace()
    assert cost[first, second].sum() < 0.2 * start
    assert len(found & {frozenset(pair) for pair in partner.tolist()}) >= 12


@pytest.mark.parametrize(("vsparq", "group"), [(True, 1), (True, 2), (False, 2), (False, 4)])
def test_channel_order(vsparq: bool, group: int, tmp_path: Path) -> None:
    """Exact products stay the same; the error of windowed ones gets smaller on the same images."""
    model = model_of("squeezenet", tmp_path)
    batch = images_of(model, 8).batch().transpose(0, 2, 3, 1)
    ranges = calibrate(model.graph, [batch])
    network = quantize(model.graph, ranges)
    fmt = golden.named_format("2opt", rounding=False, vsparq=vsparq, group=group)
    orders: dict[str, Any] = {}
    errors: dict[str, list[float]] = {}

    def loss(layer: Any, x: npt.NDArray[np.uint8], order: npt.NDArray[np.int64]) -> float:
        gains = (layer.weights.astype(float) ** 2).reshape(-1, len(order), layer.width)
        values = x[..., order].astype(np.int64)
        squares = (golden.sparq(x[..., order], fmt) - values) ** 2
        return float((squares * gains.sum(axis=(0, 2))[order]).sum())

    def arithmetic(layer: Any, x: npt.NDArray[np.uint8]) -> Any:
        order = calibrated_order(layer, x, fmt) if layer.windowed else None
        if order is not None:
            orders[layer.name] = order
            natural = np.arange(len(order))
            assert sorted(order.tolist()) == natural.tolist()
            errors[layer.name] = [loss(layer, x, natural), loss(layer, x, order)]
        return exact(layer, x)

    x = network.quantize_images(batch)
    expected = network.forward(x, arithmetic)
    assert len(orders) >= 3
    for natural, chosen in errors.values():
        assert chosen <= natural * (1 + 1e-9) or group > 2
    assert sum(new for _, new in errors.values()) < 0.99 * sum(old for old, _ in errors.values())
    reordered = quantize(model.graph, ranges, channel_orders=orders)
    assert (reordered.forward(x, exact) == expected).all()
    first = next(layer for layer in network.layers if layer.name in orders)
    pixels = np.ones((2, len(orders[first.name])), np.uint8)
    assert calibrated_order(first, pixels, golden.named_format("5opt", vsparq=False)) is None


@pytest.mark.parametrize("group", [1, 2, 4, 8])
@pytest.mark.parametrize("vsparq", [True, False])
def test_cost_of_neighbours_is_the_error_of_the_rule(vsparq: bool, group: int) -> None:
    """Of channels joined level by level up to a whole group, one pixel at a time."""
    rng = np.random.default_rng(SEED)
    size = max(2, group)
    rows = (rng.integers(0, 256, (40, size)) * (rng.random((40, size)) < 0.6)).astype(np.uint8)
    gains = rng.random(size)
    rule = Rule(*NAMED["7opt"], rounding=True, vsparq=vsparq, group=group)
    units = Units.channels(rows, gains, golden.SparqFormat(*rule))
    while units.kind.shape[1] > 2:
        neighbours = np.arange(0, units.kind.shape[1], 2)
        units = units.joined(neighbours, neighbours + 1)
    cost = units.joining_cost()
    expected = sum(
        float((gains * (np.array(effective_row(row, rule)) - row) ** 2).sum())
        for row in rows.tolist()
    )
    assert cost[0, 1] == cost[1, 0] == pytest.approx(expected)
