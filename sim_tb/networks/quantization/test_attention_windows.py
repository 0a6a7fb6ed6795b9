"""Products of two values in window formats."""

from typing import Any

import numpy as np
import pytest

import golden
from networks.graph.attention import MatrixProduct
from networks.quantization.arithmetic import Windows, exact
from networks.quantization.attention_windows import window_attention
from networks.quantization.calibration import calibrate
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import MultiplyMatrices
from networks.quantization.quantize import AFFINE, SIGNED_BYTES, quantize
from sim_tb.networks.quantization.test_quantization import attention_operations

SEED = 23


def products(network: QuantizedNetwork) -> list[MultiplyMatrices]:
    return [n.operation for n in network.nodes if isinstance(n.operation, MultiplyMatrices)]


@pytest.mark.parametrize(
    ("name", "signed"), [("5opt", None), ("s5opt", AFFINE), ("s4opt", SIGNED_BYTES)]
)
def test_window_attention(name: str, signed: str | None) -> None:
    """Q where the format is signed, the output of the softmax always; both near exact products."""
    rng = np.random.default_rng(SEED)
    graph = attention_operations(rng)
    x = rng.normal(size=(32, 5, 6))
    network = quantize(graph, calibrate(graph, [x], "max"), signed=signed, attention=True)
    fmt = golden.named_format(name)
    windowed = window_attention(network, Windows(fmt, fmt if signed else None))
    scores, mixed = products(windowed)
    assert (scores.fmt, mixed.fmt) == (fmt if signed else None, fmt)
    assert mixed.zero_point == 0
    assert (scores.zero_point == 128) == (name == "s4opt")
    assert (mixed.codes is None) == (name != "s4opt")
    values: dict[str, Any] = {}
    images = network.quantize_images(x)
    network.forward(images, exact, lambda node, value: values.update({node.output: value}))
    for node, operation, plain in zip(
        [node for node in graph.nodes if isinstance(node.operation, MatrixProduct)],
        (scores, mixed),
        products(network),
        strict=True,
    ):
        first, second = (values[name] for name in node.inputs)
        found, reference = operation(first, second), plain(first, second)
        codes = first if operation.codes is None else operation.codes[first]
        sums = golden.value_matmul(codes, second, operation.zero_point, operation.fmt)
        np.testing.assert_array_equal(found, operation.requantization(sums))
        difference = found.astype(int) - reference
        assert np.abs(difference).max() < 25
        assert (np.abs(difference).max() == 0) == (operation.fmt is None)
