"""Cora: its file, training for few bits, and what is measured."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.progress import Progress

from networks.message_passing.architecture import ARCHITECTURES
from networks.message_passing.integer_network import Precision
from networks.message_passing.trained import Trained
from networks.samples.cora import training
from networks.samples.cora.data import GraphError, load_cora
from networks.samples.cora.measurement import FORMATS, measure_cora, recipes, uniform
from networks.samples.cora.training import Protection, Recipe, TrainingStep, train
from sim_tb.oracle.small_graphs import CLASSES, small_graph, small_network

GCN = ARCHITECTURES["GCN"]
ARRAYS: dict[str, Any] = {
    "feature_rows": np.array([0, 0, 1, 2], np.uint16),
    "feature_cols": np.array([1, 3, 0, 3], np.uint16),
    "shape": np.array([3, 4]),
    "labels": np.array([0, 1, 1], np.uint8),
    "edges": np.array([[0, 2]], np.uint16),
    "train": np.array([0]),
    "validation": np.array([1]),
    "test": np.array([2]),
}


def test_load(tmp_path: Path) -> None:
    np.savez(tmp_path / "cora.npz", **ARRAYS)
    graph = load_cora(tmp_path)
    assert graph.neighbours.dense(3).tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert graph.words.dense(4).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert graph.parts["test"].tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"edges": None, "test": None}, " lacks edges, test; "),
        ({"labels": np.zeros(4)}, ": there must be 3 labels and as many feature_rows as "),
        ({"edges": np.array([[0, 3]])}, ": edges must be from 0 to 2; "),
        ({"feature_cols": np.array([1, 3, 0, 4])}, ": feature_cols must be from 0 to 3; "),
        ({"edges": np.array([0, 1])}, ": shape must have two numbers and edges two columns; "),
    ],
)
def test_files_that_are_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    arrays = {name: value for name, value in (ARRAYS | changes).items() if value is not None}
    np.savez(tmp_path / "cora.npz", **arrays)
    with pytest.raises(GraphError) as raised:
        load_cora(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path}/cora.npz{reason}")
    assert "\n" not in str(raised.value)


def test_folders_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"^SHARED must be a folder with cora\.npz: .*; networks/"):
        load_cora(tmp_path)
    (tmp_path / "cora.npz").write_bytes(b"no arrays")
    with pytest.raises(GraphError, match=r"cora\.npz is no file of arrays: "):
        load_cora(tmp_path)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In floating point, without dropout, against differences of the loss."""
    monkeypatch.setattr(training, "KEPT", 1.0)
    graph, network = small_graph(), small_network(ARCHITECTURES[name])
    chosen = graph.parts["train"]

    def loss(parameters: list[Any]) -> float:
        logits = Trained(network.architecture, *parameters).forward(graph).logits[chosen]
        logits = logits.astype(np.float64)
        total = (
            np.log(np.exp(logits).sum(axis=1)) - logits[range(len(chosen)), graph.labels[chosen]]
        )
        decay = training.DECAY / 2 * np.square(parameters[0]).sum()
        return float(total.mean() + decay)

    step = TrainingStep(graph, Recipe(network.architecture), np.random.default_rng(1))
    exact = [each.astype(np.float64) for each in network[1:]]
    for index, slope in enumerate(step(network)):
        for place in ((0,) * slope.ndim, tuple(size - 1 for size in slope.shape)):
            sides = []
            for move in (1e-4, -1e-4):
                moved = [each.copy() for each in exact]
                moved[index][place] += move
                sides.append(loss(moved))
            assert slope[place] == pytest.approx((sides[0] - sides[1]) / 2e-4, abs=2e-3, rel=2e-3)


def test_protected_nodes_are_not_quantized(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all of them protected, the pass is that of weights alone in few bits."""
    monkeypatch.setattr(training, "KEPT", 1.0)
    graph, network = small_graph(), small_network(GCN)
    coarse, fine = Precision(4, 2, 2, 0.1), Precision(4, 16, 16, 0.0)

    def gradients(precision: Precision, protection: Protection | None) -> Any:
        recipe = Recipe(GCN, precision, protection)
        return TrainingStep(graph, recipe, np.random.default_rng(1))(network)[2]

    everyone = gradients(coarse, Protection(1, 1))
    np.testing.assert_allclose(everyone, gradients(fine, None), atol=1e-3)
    assert np.abs(everyone - gradients(coarse, None)).max() > 0.01
    some = gradients(coarse, Protection(0.2, 0.8))
    assert np.abs(some - everyone).max() > 1e-4
    assert np.abs(some - gradients(coarse, Protection(0, 0))).max() > 1e-4


def test_training_repeats_and_learns() -> None:
    """Classes by one word: training nodes are right in the end; a seed gives one network."""
    graph = small_graph()
    graph = replace(graph, labels=np.arange(len(graph.labels)) % CLASSES)
    recipe = recipes(GCN)["INT4, percentile, protected"]
    assert recipe == Recipe(GCN, Precision(4, 4, 4, 0.01), Protection(0.1, 0.2))
    first, again, other = (train(graph, recipe, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.first_weights, again.first_weights)
    assert (first.first_weights != other.first_weights).any()
    logits = train(graph, Recipe(GCN), 1).forward(graph).logits
    chosen = graph.parts["train"]
    assert (logits.argmax(axis=1) == graph.labels)[chosen].mean() > 0.7


@pytest.mark.slow
def test_measurement() -> None:
    """Each recipe with each seed; windows where hidden activations have 8 bits."""
    result, network = measure_cora(small_graph(), GCN, range(2), Progress(disable=True))
    assert network.architecture == GCN
    names = {(row["trained"], row["runs"]) for row in result["rows"]}
    # In floating point; of it INT8 and W4 with windows, A4 and INT4; trained for 8 bits; for 4.
    windows = 1 + len(FORMATS)
    assert len(names) == len(result["rows"]) == 1 + 2 * (2 * windows + 2) + 4 * windows + 4
    assert ("FP32", "W4, max, 5opt") in names
    assert ("INT4, max, protected", "INT4, max, protected") in names
    assert ("FP32", "A4, max, 5opt") not in names
    assert result["rows"][0]["difference"] == {"mean": 0, "deviation": 0}
    assert uniform(4, True) == Precision(4, 4, 4, 0.01)
