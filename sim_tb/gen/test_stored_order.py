"""Values whose channels lie in the order that layers take them in."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import golden
from networks.graph.elementwise import Sum
from networks.graph.graph import Graph
from networks.graph.lowering import Flat, Patch
from networks.graph.movement import Concat, Pad, Rearrange, Slice
from networks.graph.operations import MaxPool
from networks.quantization.arithmetic import Arithmetic, exact, windowed
from networks.quantization.calibration import calibrate
from networks.quantization.channel_groups import ChannelGroups, channel_groups
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import IntegerMatrixLayer
from networks.quantization.quantize import quantize
from networks.quantization.reordering import in_stored_order
from sim_tb.gen.small_networks import (
    RELU,
    graph_of,
    images_of,
    matrix_layer,
    random_graph,
    random_orders,
)

FORMAT = golden.named_format("2opt", rounding=False)
SEED = 5
ONE = Patch((1, 1))


def quantized(graph: Graph, images: Any, **more: Any) -> QuantizedNetwork:
    ranges = calibrate(graph, [images], method="max")
    return quantize(graph, ranges, first_layer_windowed=True, last_layer_windowed=True, **more)


def layer(channels: int, width: int, groups: int = 1) -> Any:
    patch = replace(ONE, groups=groups)
    return matrix_layer(np.random.default_rng(channels), patch, channels, width)


def dense(features: int, width: int) -> Any:
    return matrix_layer(np.random.default_rng(features), Flat(), features, width)


def values_of(network: QuantizedNetwork, x: Any, arithmetic: Arithmetic) -> dict[str, Any]:
    """All that the nodes make."""
    found = {}

    def see(node: IntegerNode, value: Any) -> None:
        found[node.output] = value

    network.forward(x, arithmetic, see, compiled=False)
    return found


def groups_of(*nodes: tuple[Any, ...], size: tuple[int, ...] = (2, 2, 4)) -> ChannelGroups:
    graph = graph_of(size, *nodes)
    rng = np.random.default_rng(SEED)
    return channel_groups(quantized(graph, images_of(graph, rng, 2)))


def sizes(groups: ChannelGroups, name: str) -> list[int]:
    return [groups.sizes[group] for group in groups.of[name]]


# --- which values have the same channels


def test_channel_by_channel() -> None:
    """Sums, pools and depthwise layers keep channels; a layer makes its own; ends are fixed."""
    sources = ("x",), ("a",), ("b",), ("a", "c"), ("s",)
    pool = MaxPool(Patch((1, 1)))
    found = groups_of(
        (layer(4, 6), sources[0], "a", RELU),
        (layer(6, 6, groups=6), sources[1], "b", RELU),
        (pool, sources[2], "c"),
        (Sum((1.0, 1.0)), sources[3], "s", RELU),
        (layer(6, 3), sources[4], "y"),
    )
    assert found.of["a"] == found.of["b"] == found.of["c"] == found.of["s"]
    assert found.fixed == {*found.of["x"], *found.of["y"]}
    assert found.sizes[found.of["a"][0]] == 6


def test_grouped_layers_fix_channels() -> None:
    found = groups_of(
        (layer(4, 6), ("x",), "a", RELU),
        (layer(6, 6, groups=3), ("a",), "b", RELU),
        (layer(6, 12, groups=6), ("b",), "c", RELU),
        (layer(12, 3), ("c",), "y"),
    )
    assert found.fixed == {group for groups in found.of.values() for group in groups}


def test_parts() -> None:
    """What is joined, cut, or padded beside other channels is ordered part by part."""
    found = groups_of(
        (layer(4, 8), ("x",), "a", RELU),
        (layer(4, 6), ("x",), "b", RELU),
        (Concat(3), ("a", "b"), "j"),
        (Slice((slice(None), slice(None), slice(3, 12))), ("j",), "p"),
        (Pad(((0, 0), (0, 0), (1, 2))), ("p",), "w"),
        (layer(4, 12), ("x",), "d", RELU),
        (Sum((1.0, 1.0)), ("d", "w"), "s", RELU),
        (layer(12, 3), ("s",), "y"),
    )
    assert sizes(found, "a") == [3, 5]
    assert sizes(found, "b") == [4, 2]
    assert found.of["j"] == (*found.of["a"], *found.of["b"])
    assert found.of["p"] == found.of["j"][1:3]
    assert sizes(found, "s") == sizes(found, "d") == [1, 5, 4, 2]
    assert found.of["s"] == found.of["d"] == found.of["w"]
    assert found.of["w"][1:3] == found.of["p"]
    assert found.fixed == {*found.of["x"], *found.of["y"]}


def test_parts_of_themselves() -> None:
    """The sum of a value and of its halves in turn: both halves have one order."""
    halves = [Slice((slice(None), slice(None), part)) for part in (slice(0, 4), slice(4, 8))]
    found = groups_of(
        (layer(4, 8), ("x",), "a", RELU),
        (halves[0], ("a",), "h"),
        (halves[1], ("a",), "g"),
        (Concat(3), ("g", "h"), "t"),
        (Sum((1.0, 1.0)), ("a", "t"), "s", RELU),
        (layer(8, 3), ("s",), "y"),
    )
    assert sizes(found, "a") == [4, 4]
    assert len({*found.of["a"], *found.of["s"], *found.of["g"]}) == 1


def test_moved_channels_are_fixed() -> None:
    """Pixels side by side are features: their channels are none of one pixel."""
    flat = Rearrange((0, 1, 2), (24,), (0,))
    found = groups_of(
        (layer(4, 6), ("x",), "a", RELU), (flat, ("a",), "f"), (dense(24, 3), ("f",), "y")
    )
    assert found.of["a"][0] in found.fixed
    alone = Rearrange((0, 1, 2), (6,), (0,))
    found = groups_of(
        (layer(4, 6), ("x",), "a", RELU),
        (alone, ("a",), "f"),
        (dense(6, 3), ("f",), "y"),
        size=(1, 1, 4),
    )
    assert found.of["a"] == found.of["f"]
    assert found.of["a"][0] not in found.fixed


# --- values in that order


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs_in_order(seed: int) -> None:
    """Values are the same but for the order of their channels, in windows and in exact products."""
    rng = np.random.default_rng([SEED, seed])
    graph = random_graph(rng, 2, 6)
    images = images_of(graph, rng, 2)
    natural = quantized(graph, images)
    orders = random_orders(natural, rng)
    network = quantized(graph, images, channel_orders=orders)
    moved = in_stored_order(network)
    assert all(each.channel_order is None for each in moved.layers)
    x = natural.quantize_images(images)
    for arithmetic in (exact, windowed(FORMAT, FORMAT)):
        values = [values_of(each, x, arithmetic) for each in (network, moved)]
        for name, value in values[0].items():
            assert np.array_equal(np.sort(value), np.sort(values[1][name])), name
        assert np.array_equal(values[0][network.output], values[1][network.output])
    assert np.array_equal(natural.forward(x, exact), moved.forward(x, exact))


def test_random_graphs_are_reordered() -> None:
    """The test above has something to test: half of the graphs change."""
    changed = 0
    for seed in range(24):
        rng = np.random.default_rng([SEED, seed])
        graph = random_graph(rng, 2, 6)
        network = quantized(graph, images_of(graph, rng, 2))
        changed += bool(random_orders(network, rng))
    assert changed >= 12


def ordered(*orders: Any) -> QuantizedNetwork:
    """Two layers that take the channels of a third one, in these orders."""
    graph = graph_of(
        (2, 2, 4),
        (layer(4, 6), ("x",), "a", RELU),
        (layer(6, 4), ("a",), "b", RELU),
        (layer(6, 4), ("a",), "c", RELU),
        (Concat(3), ("b", "c"), "j"),
        (layer(8, 2), ("j",), "y"),
    )
    images = np.abs(images_of(graph, np.random.default_rng(SEED), 2))
    given = {name: np.array(order) for name, order in zip("abcy", orders, strict=True) if order}
    return quantized(graph, images, channel_orders=given)


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        (
            (None, [1, 0, 2, 3, 4, 5], [0, 1, 3, 2, 4, 5], None),
            "c: the order of its channels must be that of b, which takes the same",
        ),
        (
            (None, [1, 0, 2, 3, 4, 5], None, None),
            "c: the order of its channels must be that of b, which takes the same",
        ),
        (([1, 0, 2, 3], None, None, None), "a: the channels that it takes cannot be reordered"),
        (
            (None, None, None, [4, 1, 2, 3, 0, 5, 6, 7]),
            "y: the order of its channels mixes those of values",
        ),
    ],
)
def test_orders_refused(orders: Any, message: str) -> None:
    with pytest.raises(ValueError, match="channels") as caught:
        in_stored_order(ordered(*orders))
    assert str(caught.value) == message


def test_exact_layers_take_any_order() -> None:
    """One at 8 bits takes channels as they lie, whatever order it was given."""
    network = ordered(None, [1, 0, 2, 3, 5, 4], [0, 1, 3, 2, 4, 5], [3, 1, 2, 0, 4, 5, 7, 6])
    nodes = tuple(
        replace(node, operation=replace(node.operation, windowed=False))
        if node.name == "c" and isinstance(node.operation, IntegerMatrixLayer)
        else node
        for node in network.nodes
    )
    network = replace(network, nodes=nodes)
    x = np.arange(32, dtype=np.uint8).reshape(2, 2, 2, 4) * 7
    arithmetic = windowed(FORMAT, FORMAT)
    expected = network.forward(x, arithmetic)
    assert np.array_equal(in_stored_order(network).forward(x, arithmetic), expected)
