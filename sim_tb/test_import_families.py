"""Imported networks of every family against onnxruntime."""

from pathlib import Path

import numpy as np
import pytest

from networks.graph.operations import Affine, MatrixLayer, Rearrange, Sum
from sim_tb.onnx_models import FAMILIES, compare

MATRIX_LAYERS = {
    "lenet": 5, "vgg": 8, "resnet": 9, "googlenet": 14, "densenet": 15, "squeezenet": 11,
    "mobilenet": 12, "mlp": 3,
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_computes_what_onnxruntime_does(family: str, tmp_path: Path) -> None:
    graph = compare(FAMILIES[family](), tmp_path)
    assert len(graph.matrix_nodes) == MATRIX_LAYERS[family]
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)
    if family != "densenet":  # whose normalizations come before the layers
        assert not any(isinstance(node.operation, Affine) for node in graph.nodes)


@pytest.mark.parametrize("family", ["vgg", "resnet", "googlenet", "mobilenet"])
def test_normalizations_are_kept_with_their_layers(family: str, tmp_path: Path) -> None:
    graph = compare(FAMILIES[family](), tmp_path)
    for node in graph.matrix_nodes:
        layer = node.operation
        assert isinstance(layer, MatrixLayer)
        if node.name.startswith("/Conv"):
            assert layer.batch_norm is not None
            assert layer.batch_norm.scale.shape == layer.bias.shape
            assert layer.batch_norm.deviation.shape == layer.bias.shape


@pytest.mark.parametrize("family", ["lenet", "vgg"])
def test_flattened_images_keep_their_order_in_memory(family: str, tmp_path: Path) -> None:
    graph = compare(FAMILIES[family](), tmp_path)
    [flatten] = [node.operation for node in graph.nodes if isinstance(node.operation, Rearrange)]
    assert (flatten.before, flatten.after) == ((0, 1, 2), (0,))


def test_an_addition_takes_the_limits_of_the_relu_behind_it(tmp_path: Path) -> None:
    graph = compare(FAMILIES["resnet"](), tmp_path)
    sums = [node for node in graph.nodes if isinstance(node.operation, Sum)]
    assert [node.clip for node in sums] == [(0.0, np.inf)] * 3
    assert all(len(node.inputs) == 2 for node in sums)
