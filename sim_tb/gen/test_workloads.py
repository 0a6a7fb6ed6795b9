"""Workloads on emitted arrays, and their commands."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.progress import Progress

from gen.cli import cli
from gen.commands import embeddings, graphs
from gen.design.expectation import MismatchError
from gen.workloads import array_products
from gen.workloads.array_products import ArrayProducts
from gen.workloads.embedding_run import run_batch
from gen.workloads.graph_run import run_graph
from golden import exact_matmul, named_format, sparq_matmul
from networks.message_passing.architecture import ARCHITECTURES
from networks.samples.cora.measurement import uniform
from networks.samples.flights.data import Flights
from networks.samples.flights.measurement import Coding
from sim_tb.oracle.small_graphs import small_graph, small_network
from sim_tb.oracle.small_recommenders import SIZES, small_batch, small_recommender

SIDE = 4
"""Of the arrays here: they are built in seconds."""


@pytest.fixture
def small_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_products, "SIDE", SIDE)


@pytest.mark.slow
def test_products(small_array: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the array makes, and whether windows cost anything; a wrong sum ends it."""
    products = ArrayProducts("2opt", Progress(disable=True))
    rng = np.random.default_rng(18)
    x, w = rng.integers(0, 256, (5, 6), np.uint8), rng.integers(-128, 128, (6, 3), np.int8)
    np.testing.assert_array_equal(products("a", x, w), sparq_matmul(x, w, named_format("2opt")))
    low = x & np.uint8(15)
    np.testing.assert_array_equal(products("b", low, w), exact_matmul(low, w))
    shapes = {"m": 5, "k": 6, "n": 3, "tiles": 2, "bit_exact": True}
    for run, name, exact in zip(products.runs, "ab", (False, True), strict=True):
        assert run == shapes | {"name": name, "exact": exact, "cycles": run["cycles"]}
        assert 2 * 3 < run["cycles"] < 40
    monkeypatch.setattr(array_products, "expected_product", lambda _, x, w: exact_matmul(x, w))
    with pytest.raises(MismatchError, match=r"^c on the array: row 0, column 0: expected "):
        products("c", x, w)


@pytest.mark.slow
def test_a_batch_through_the_array(small_array: None) -> None:
    flights = Flights(small_batch(64, 1), small_batch(32, 2), SIZES)
    arguments = (flights, Coding("greedy", 4), 6, "5opt", Progress(disable=True))
    result = run_batch(small_recommender(), *arguments)
    runs = {run["name"]: run for run in result["products"]}
    inputs = ["lookup0", "lookup1", "bag", "dense"]
    expected = ["bottom0", "bottom1", *(f"top0 {part}" for part in inputs), "top1", "top2"]
    assert [*runs] == expected
    assert runs["top0 lookup0"]["exact"]
    assert runs["top0 lookup1"]["exact"]
    assert runs["top1"]["m"] == 6
    assert result["cycles"] == sum(run["cycles"] for run in runs.values())


@pytest.mark.slow
@pytest.mark.parametrize("adjacency", [True, False])
def test_a_graph_through_the_array(small_array: None, adjacency: bool) -> None:
    graph, network = small_graph(), small_network(ARCHITECTURES["GCN"])
    result = run_graph(network, graph, uniform(8, False), "5opt", adjacency, Progress(disable=True))
    exact = {run["name"]: run["exact"] for run in result["products"]}
    kinds = ("X W", "A (X W)") if adjacency else ("X W",)
    assert [*exact] == [f"layer {number}: {kind}" for number in (1, 2) for kind in kinds]
    assert [name for name, same in exact.items() if not same] == ["layer 2: X W"]
    assert 0 <= result["accuracy"] <= 100
    assert result["density"] == round(len(graph.neighbours.members) / 23**2, 5)


ARRAY: dict[str, Any] = {
    **{"format": "5opt", "samples": 3, "bits": 4, "method": "greedy", "accuracy": 81.25},
    "products": [
        {
            **{"name": "first", "m": 5, "k": 6, "n": 3, "tiles": 2, "cycles": 31},
            **{"exact": True, "bit_exact": True},
        }
    ],
}


def test_embeddings_prints_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = {"log_loss": 0.5, "difference": -0.00125, "difference_error": 0.0005, "auc": 0.7}
    row = {"width": 8, "method": "greedy", "bits": 4, "bytes": 30, "error": 0.05}
    row |= dict.fromkeys(("fp32", "a8w8", *embeddings.FORMATS), scores)
    models = [{"width": 8, "bytes": 120, "standard_error": 0.002} | scores]
    result = {"test": 9, "models": models, "rows": [row]}
    monkeypatch.setattr(embeddings, "load_flights", lambda folder: None)
    monkeypatch.setattr(embeddings, "measure_flights", lambda *_: (dict(result), {8: None}))
    monkeypatch.setattr(embeddings, "run_batch", lambda *_: ARRAY)
    found = CliRunner().invoke(cli, ["embeddings", "--widths", "8"])
    assert found.exit_code == 0, found.output
    assert "FP32: 120 bytes, log loss 0.5000 ± 0.0020, AUC 0.7000" in found.output
    text = " ".join(found.output.split())
    assert "greedy 4 25.0 0.0500 -0.00125 ± 0.00050 0.7000 -0.00125 ± 0.00050" in text
    assert "first 5 x 6 x 3 2 31 yes yes" in text


def test_graphs_prints_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    summary = {"mean": 81.5, "deviation": 0.25}
    row = {"trained": "FP32", "runs": "INT8, max", "test": summary, "hubs": summary}
    row["difference"] = {"mean": -0.5, "deviation": 0.1}
    result = {"architecture": "GIN", "test": 9, "seeds": 3, "rows": [row]}
    monkeypatch.setattr(graphs, "load_cora", lambda folder: None)
    monkeypatch.setattr(graphs, "measure_cora", lambda *_: (dict(result), None))
    monkeypatch.setattr(graphs, "run_graph", lambda *_: ARRAY)
    found = CliRunner().invoke(cli, ["graphs", str(tmp_path), "--architecture", "GIN"])
    assert found.exit_code == 0, found.output
    text = " ".join(found.output.split())
    assert "GIN on Cora, 9 test nodes, 3 seeds" in text
    assert "FP32 INT8, max 81.50 ± 0.25 81.50 ± 0.25 -0.50 ± 0.10" in text
    assert "5opt: 81.2 %" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embeddings", "--widths", "1"], "widths must be integers from 2 to 256, not '1'"),
        (["embeddings", "--widths", "8,8"], "widths must be different ones, not 8 twice"),
        (["embeddings", "--samples", "0"], "samples must be an integer from 1 to 4096, not 0"),
        (["graphs", ".", "--seeds", "x"], "seeds must be an integer from 1 to 1000, not 'x'"),
        (["graphs", ""], "folder must be a path, not ''"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str) -> None:
    found = CliRunner().invoke(cli, arguments)
    assert found.exit_code == 2
    assert message in " ".join(found.output.split())


def test_a_folder_without_the_graph(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["graphs", str(tmp_path)])
    assert str(found.exception).startswith("SHARED must be a folder with cora.npz: ")
