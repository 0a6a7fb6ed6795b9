"""Ranges of values that only functions take."""

import numpy as np
import pytest

from networks.graph.elementwise import Affine, Function, Sum
from networks.graph.expression import X, apply, limited
from networks.graph.graph import Graph, Node
from networks.quantization.saturation import half_step, part_that_matters, without_saturation

GATE = limited(apply("add", apply("divide", X, 6.0), 0.5), 0.0, 1.0)
HARD_SWISH = Function(apply("multiply", X, GATE))
TANH = Function(apply("tanh", X))


def graph_of(*functions: Function, also: bool = False) -> Graph:
    """A value that ``functions`` take, and their sum; and ``also`` that value itself."""
    affine = Affine(np.ones(2), np.zeros(2))
    names = tuple(f"f{index}" for index in range(len(functions)))
    nodes = [Node("value", affine, ("x",), "value")]
    nodes += [Node(n, f, ("value",), n) for n, f in zip(names, functions, strict=True)]
    nodes.append(Node("sum", Sum(), (*names, "value") if also else names, "sum"))
    return Graph("x", (2,), tuple(nodes), "sum")


RANGES = {
    "x": (-30.0, 10.0),
    "value": (-30.0, 10.0),
    "f0": (-0.4, 10.0),
    "f1": (-1.0, 1.0),
    "sum": (-2.0, 11.0),
}


def of(graph: Graph, ranges: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {name: ranges[name] for name in graph.shapes}


def test_what_makes_no_difference_is_left_out() -> None:
    """Below -3 a hard swish is 0; up to half a step of its output below that is as good."""
    graph = graph_of(HARD_SWISH)
    ranges = of(graph, RANGES)
    found = without_saturation(graph, ranges)
    low, high = found.pop("value")
    assert -3.05 < low < -2.9
    assert high == pytest.approx(10, abs=0.05)
    assert found == {name: part for name, part in ranges.items() if name != "value"}


@pytest.mark.parametrize("first", [True, False])
def test_of_several_functions_all_count(first: bool) -> None:
    functions = (HARD_SWISH, TANH) if first else (TANH, HARD_SWISH)
    ranges = dict(RANGES)
    if not first:
        ranges["f0"], ranges["f1"] = ranges["f1"], ranges["f0"]
    graph = graph_of(*functions)
    low, high = without_saturation(graph, of(graph, ranges))["value"]
    assert -3.6 < low < -2.9
    assert high == pytest.approx(10, abs=0.05)


def test_what_others_take_keeps_its_range() -> None:
    graph = graph_of(HARD_SWISH, also=True)
    ranges = of(graph, RANGES)
    assert without_saturation(graph, ranges) == ranges


def test_channels_that_differ() -> None:
    """The range of the channel that needs the most."""
    scaled = Function(HARD_SWISH.expression.of(apply("multiply", X, np.array([1.0, 0.25]))))
    graph = graph_of(scaled)
    low, high = without_saturation(graph, of(graph, RANGES))["value"]
    assert -12.4 < low < -11
    assert high == pytest.approx(10, abs=0.05)


def test_the_part_of_each_channel() -> None:
    """One point of a channel that makes no difference at all; of the others their own part."""
    slopes = np.array([1.0, 0.25, 0.0])
    scaled = Function(HARD_SWISH.expression.of(apply("multiply", X, slopes)))
    low, high = np.full(3, -30.0), np.array([10.0, 8.0, 6.0])
    steps = half_step(np.full(3, -0.4), slopes * high)
    lows, highs = part_that_matters(scaled, low, high, steps)
    assert lows.tolist() == pytest.approx([-3, -12, -30], abs=0.3)
    assert highs.tolist() == pytest.approx([10, 8, -30], abs=0.05)


def test_a_channel_of_which_nothing_matters_does_not_count() -> None:
    """Whatever its end is, the range is that of the other channel."""
    scaled = Function(HARD_SWISH.expression.of(apply("multiply", X, np.array([1.0, 0.0]))))
    graph = graph_of(scaled)
    low, high = without_saturation(graph, of(graph, RANGES))["value"]
    assert -3.05 < low < -2.9
    assert high == pytest.approx(10, abs=0.05)
