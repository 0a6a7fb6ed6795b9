"""Imported networks of every family against onnxruntime."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from networks.evaluation.floating_point import logits
from networks.graph.elementwise import Affine, Sum
from networks.graph.movement import Rearrange
from networks.graph.operations import MatrixLayer
from networks.importer import import_onnx, reference_model
from sim_tb.networks.onnx_models import FAMILIES, compare

MATRIX_LAYERS = {
    "lenet": 5, "vgg": 8, "resnet": 9, "googlenet": 14, "densenet": 15, "squeezenet": 11,
    "mobilenet": 12, "mlp": 3, "mobilenet_v3": 13, "keras": 4, "transformer": 6,
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_computes_what_onnxruntime_does(family: str, tmp_path: Path) -> None:
    graph = compare(FAMILIES[family](), tmp_path)
    assert len(graph.matrix_nodes) == MATRIX_LAYERS[family]
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)
    # Where normalizations come before the layers, and where positions are added.
    if family not in ("densenet", "keras", "transformer"):
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


def test_one_file_for_other_tools(tmp_path: Path) -> None:
    """Data beside the file come into it; of the outputs, the probabilities alone are left."""
    model = FAMILIES["resnet"]()
    expected = model.SerializeToString()
    onnx.save_model(model, tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0)
    assert len(list(tmp_path.iterdir())) > 1
    images = np.random.default_rng(1).normal(size=(2, 3, 16, 16)).astype(np.float32)
    together = logits(reference_model(tmp_path / "model.onnx"), "model.onnx", images)
    assert (together == logits(expected, "model.onnx", images)).all()


def test_scores_behind_a_list_of_dictionaries(tmp_path: Path) -> None:
    """As scikit-learn's converter writes them: labels, and a ZipMap of the scores."""
    model = FAMILIES["mlp"]()
    plain, zipped = tmp_path / "plain.onnx", tmp_path / "zipped.onnx"
    plain.write_bytes(model.SerializeToString())
    scores = model.graph.output[1]
    node = helper.make_node(
        "ZipMap", [scores.name], ["zipped"], domain="ai.onnx.ml", classlabels_int64s=range(10)
    )
    model.graph.node.append(node)
    kind = helper.make_map_type_proto(TensorProto.INT64, scores.type)
    scores.type.CopyFrom(helper.make_sequence_type_proto(kind))
    scores.name = "zipped"
    zipped.write_bytes(model.SerializeToString())
    graphs = [import_onnx(path) for path in (plain, zipped)]
    images = np.random.default_rng(1).normal(size=(3, *graphs[0].input_shape)).astype(np.float32)
    assert (graphs[0].forward(images) == graphs[1].forward(images)).all()
    first, second = (logits(reference_model(path), path.name, images) for path in (plain, zipped))
    assert first.shape == (3, 10)
    assert (first == second).all()
