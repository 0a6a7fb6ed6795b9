"""Parts of message passing, each against its definition."""

import re

import numpy as np
import pytest

from golden import FixedPointScale
from networks.message_passing.architecture import ARCHITECTURES
from networks.message_passing.degree_protection import degree_protection
from networks.message_passing.integer_network import Scales
from networks.message_passing.quantizer import fake_quantize, quantize_weights
from networks.message_passing.value_range import value_range
from sim_tb.oracle.small_graphs import NODES, VOCABULARY, small_graph


def test_incidence() -> None:
    graph = small_graph()
    dense = graph.neighbours.dense(NODES)
    np.testing.assert_array_equal(dense, dense.T)
    assert dense.sum() == len(graph.neighbours.members)
    np.testing.assert_array_equal(graph.degrees, dense.sum(axis=1))
    values = np.random.default_rng(2).integers(-9, 9, (NODES, 2)).astype(np.float32)
    np.testing.assert_array_equal(graph.neighbours @ values, dense @ values)
    transposed, places = graph.word_places
    words = graph.words.dense(VOCABULARY)
    np.testing.assert_array_equal(transposed.dense(NODES), words.T)
    np.testing.assert_array_equal(graph.words.members[places], transposed.rows)
    assert graph.words.counts[3] == 0


def test_scales_of_nodes() -> None:
    graph = small_graph()
    scale = ARCHITECTURES["GCN"].node_scale(graph)
    assert scale[0] == np.float32(graph.degrees[0] ** -0.5)
    assert (ARCHITECTURES["GIN"].node_scale(graph) == 1).all()
    words = ARCHITECTURES["GIN"].word_scale(graph)
    assert words[3] == 1
    np.testing.assert_allclose(words[4] * graph.words.counts[4], 1)


def test_protection_rises_with_the_degree() -> None:
    degrees = np.array([3, 1, 1, 7, 3])
    probabilities = degree_protection(degrees, 0.1, 0.6)
    shares = [sum(other <= own for other in degrees) / 5 for own in degrees]
    np.testing.assert_allclose(probabilities, [0.1 + 0.5 * share for share in shares])
    assert probabilities[3] == 0.6
    for low, high in ((-0.1, 0.5), (0.5, 0.4), (0.5, 1.5)):
        message = f"low and high must ascend from 0 to 1, not {low} and {high}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            degree_protection(degrees, low, high)


def test_ranges() -> None:
    values = np.array([[-9.0, 1, 2], [3, 4, 5], [0, 6, -7], [8, 0, 0]])
    assert value_range(values) == 9
    for beyond in (0.01, 0.1, 0.25, 0.5, 0.99):
        reached = value_range(values, beyond)
        assert (np.abs(values) > reached).mean() <= beyond
        lower = max(x for x in [*np.abs(values).ravel(), -1] if x < reached)
        assert (np.abs(values) > lower).mean() > beyond or reached == 1
    assert value_range(np.zeros(4)) == value_range(np.zeros(0), 0.1) == 1
    with pytest.raises(ValueError, match=r"^beyond must be from 0 to below 1, not 1$"):
        value_range(values, 1)


def test_quantizers() -> None:
    values = np.array([-1.0, -0.52, 0.04, 0.5, 2.0], np.float32)
    rounded = fake_quantize(values, 0.7, 4, signed=True)
    np.testing.assert_allclose(rounded.values, [-0.7, -0.5, 0, 0.5, 0.7], atol=0.051)
    assert rounded.inside.tolist() == [0, 1, 1, 1, 0]
    rounded = fake_quantize(np.maximum(values, 0), 1.5, 4, signed=False)
    np.testing.assert_allclose(rounded.values, [0, 0, 0, 0.5, 1.5])
    codes, step = quantize_weights(np.array([[1.1, 0], [-2, 0]], np.float32), 4)
    assert codes.tolist() == [[4, 0], [-7, 0]]
    np.testing.assert_allclose(step, [2 / 7, 1 / 7])


def test_fixed_point_factors_are_golden_s() -> None:
    rng = np.random.default_rng(7)
    factors = np.exp(rng.uniform(-40, 10, (50, 4)))
    factors[0] = 0, 1, 2 - 2.0**-20, 2.0**-60
    scales = Scales.of(factors)
    for index in np.ndindex(factors.shape):
        expected = FixedPointScale.nearest(float(factors[index]))
        found = FixedPointScale(int(scales.multiplier[index]), int(scales.shift[index]))
        assert found == expected
    with pytest.raises(ValueError, match=r"^factors must be below 32768, not 40000$"):
        Scales.of(np.array([1.0, 4e4]))
