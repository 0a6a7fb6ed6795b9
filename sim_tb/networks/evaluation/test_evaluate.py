"""Evaluation from an ONNX file to accuracies: families of networks, settings, workers, errors."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.design.configuration import Configuration
from gen.simulation.compiled_array import CompiledArray
from gen.simulation.demo import through_array
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.preparation import Options
from networks.evaluation.report import report_files
from networks.evaluation.settings import settings_of
from networks.quantization.calibration import calibrate
from networks.quantization.quantize import quantize
from networks.samples.mnist.files import write_files
from sim_tb.networks.families import SEED, images_of, model_of, quiet
from sim_tb.networks.onnx_models import FAMILIES

SPARQ = Path(sys.executable).parent / "sparq"
IMAGES = 24


# --- families, end to end


@pytest.mark.every(1)
@pytest.mark.parametrize("name", FAMILIES)
def test_family(name: str, tmp_path: Path) -> None:
    """8 bits agree with single precision; every setting gives a row; every layer is described."""
    model = model_of(name, tmp_path)
    settings = settings_of(["7opt"], [True], [True], [1, 4], 8, ["dense", "2:4"])
    options = Options(method="max", first_layer_windowed=True, last_layer_windowed=True)
    images, calibration = images_of(model, IMAGES), images_of(model, 12, SEED + 1)
    result = evaluate_model(model, images, calibration, settings, options, quiet())
    rows = {(row["label"]): row for row in result["rows"]}
    assert list(rows) == [setting.label for setting in settings]
    assert rows["fp32"]["top1"] == 100
    assert rows["fp32"]["standard_error"] == 0
    assert rows["a8w8"]["top1"] >= 75
    for row in result["rows"]:
        assert 0 <= row["top1"] <= (100 if row["top5"] is None else row["top5"]) <= 100
    layers = result["layers"]
    assert [layer["name"] for layer in layers] == [n.name for n in model.graph.matrix_nodes]
    for layer in layers:
        assert layer["windowed"] == (layer["reason"] == "")
        assert list(layer["sqnr_db"]) == [s.label for s in settings if s.activations != "fp32"]
        # Less where the output is limited to what makes a difference to a function of it.
        assert layer["sqnr_db"]["a8w8"] > (8 if name == "mobilenet_v3" else 15)
        for shares in layer["placements"].values():
            assert sum(shares.values()) == pytest.approx(100)
    assert json.loads(json.dumps(result)) == result


def test_options_reach_every_network(tmp_path: Path) -> None:
    """Each option changes the rows that it is about, and no others."""
    model = model_of("resnet", tmp_path)
    images, calibration = images_of(model, 8), images_of(model, 12, SEED + 1)
    settings = settings_of(["7opt"], [False], [True], [1], 8, ["dense"])

    def noise(options: Options) -> dict[str, Any]:
        result = evaluate_model(model, images, calibration, settings, options, quiet())
        return dict(result["layers"][-1]["sqnr_db"])

    default = noise(Options())
    order = noise(Options(channel_order="calibrated"))
    assert {label for label in default if order[label] != default[label]} == {"7opt trim"}
    for options in (Options(recalibrate_batch_norm=True), Options(method="max")):
        changed = noise(options)
        assert all(changed[label] != default[label] for label in default)


@pytest.mark.full
@pytest.mark.parametrize("name", ["squeezenet", "mobilenet"])
def test_layers_through_the_array(name: str, tmp_path: Path, checks: Any) -> None:
    """A network's windowed layers on the emitted Verilog, grouped convolutions among them."""
    model = model_of(name, tmp_path)
    images = images_of(model, 1).batch().transpose(0, 2, 3, 1)
    network = quantize(model.graph, calibrate(model.graph, [images]), last_layer_windowed=True)
    configuration = Configuration(rows=4, cols=4, format="3opt")
    array = CompiledArray(configuration)
    layers = [layer.name for layer in network.layers if layer.windowed]
    x = network.quantize_images(images)
    runs = through_array(network, x, configuration, array, quiet(), layers)
    assert list(runs) == layers
    assert len(runs) >= 3
    checks(sum(run.m * run.n for run in runs.values()))


# --- workers


@pytest.mark.slow
def test_one_machine_or_a_cluster(tmp_path: Path) -> None:
    """The same result in local processes and on a Dask cluster of two workers."""
    from distributed import LocalCluster

    model = model_of("resnet", tmp_path)
    images, calibration = images_of(model, IMAGES), images_of(model, 8, SEED + 1)
    settings = settings_of(["3opt"], [True], [True], [2], 8, ["dense"])
    local = evaluate_model(model, images, calibration, settings, Options(), quiet())
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        remote = evaluate_model(
            model, images, calibration, settings, Options(), quiet(), cluster.scheduler_address
        )
    assert remote == local


# --- report and command line


@pytest.mark.slow
def test_report_is_the_same_every_time(tmp_path: Path) -> None:
    model = model_of("lenet", tmp_path)
    images, calibration = images_of(model, 12), images_of(model, 6)
    settings = settings_of(["5opt"], [True], [True], [1], 8, ["dense"])
    result = evaluate_model(model, images, calibration, settings, Options(), quiet())
    files = report_files(result, tmp_path / "out")
    assert {path.name for path in files} == {
        "lenet_accuracy.csv",
        "lenet_accuracy.svg",
        "lenet_noise.svg",
        "lenet_placements.svg",
    }
    assert files == report_files(json.loads(json.dumps(result)), tmp_path / "out")
    heading, *lines = files[tmp_path / "out" / "lenet_accuracy.csv"].splitlines()
    assert heading.startswith("label,format,rounding,vsparq,group,weight_bits,sparsity,clipping,")
    assert len(lines) == len(settings)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    write_files(folder)
    (folder / "broken.onnx").write_bytes((folder / "mnist.onnx").read_bytes()[:-100])
    (folder / "bad.toml").write_text("")
    np.savez(folder / "labels.npz", images=np.zeros((2, 28, 28), np.uint8), labels=[3, 10])
    np.savez(folder / "wrong.npz", images=np.zeros((2, 32, 32, 3), np.uint8), labels=[0, 1])
    return folder


def sparq_evaluate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SPARQ, "evaluate", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_command(mnist: Path, tmp_path: Path) -> None:
    result = sparq_evaluate(
        mnist,
        *("mnist.onnx", "--data", "test.npz", "--calibration", "calibration.npz"),
        *("--images", "60", "--formats", "5opt,2opt", "--all-variants", "--last-layer", "windowed"),
        *("--calibration-images", "50", "--output", str(tmp_path), "--json", "r.json"),
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((mnist / "r.json").read_text())
    assert (report["model"], report["images"], report["calibration_images"]) == (
        "mnist.onnx",
        60,
        50,
    )
    assert len(report["rows"]) == 1 + 1 + 2 + 8
    for key in ("format", "rounding", "vsparq", "group", "weight_bits", "sparsity", "clipping"):
        assert all(key in row for row in report["rows"])
    by_label = {row["label"]: row for row in report["rows"]}
    assert by_label["fp32"]["top1"] > 90
    assert by_label["a8w8"]["top5"] > by_label["a8w8"]["top1"] - 1e-9
    assert by_label["a8w8"]["difference"] is None
    assert by_label["5opt"]["within_error"] in (True, False)
    for layer in report["layers"]:
        assert {"name", "m", "k", "n", "zeros", "zero_pairs", "placements", "sqnr_db"} <= set(layer)
    assert [layer["reason"] for layer in report["layers"]] == ["first layer", "", "", ""]
    assert "8 bits: first layer" in result.stdout
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".svg", ".svg", ".svg"]


ARGUMENTS = ("mnist.onnx", "--data", "test.npz")
REFUSED = [
    ([*ARGUMENTS, "--group", "1,3"], "group must be some of 1, 2, 4, 8, 16, not '3'"),
    (["mnist.onnx"], "data must be given: --data FILE"),
    (["none.onnx", "--data", "test.npz"], "none.onnx: cannot be read: No such file or directory"),
    (["broken.onnx", "--data", "test.npz"], "broken.onnx"),
    (["mnist.onnx", "--data", "none.npz"], "cannot read none.npz: No such file or directory"),
    (["mnist.onnx", "--data", "wrong.npz"], "wrong.npz: images of shape (N, 32, 32, 3) do not fit"),
    (["mnist.onnx", "--data", "labels.npz", "--calibration", "test.npz"], "labels must be below"),
    ([*ARGUMENTS, "--formats", "5opt,9opt"], "format must be one of 5opt, 3opt, 2opt"),
    ([*ARGUMENTS, "--images", "0"], "images must be an integer from 1 to 900, not 0"),
    ([*ARGUMENTS, "--images", "901"], "images must be an integer from 1 to 900, not 901"),
    (
        [*ARGUMENTS, "--calibration-images", "1000"],
        "calibration_images must be an integer from 1 to 999, not 1000",
    ),
    (
        [*ARGUMENTS, "--weight-bits", "3"],
        "Invalid value for '--weight-bits': 3 is",
    ),
    ([*ARGUMENTS, "--percentile", "40"], "percentile must be above 50 and at most 100, not 40"),
    ([*ARGUMENTS, "--sparsity", "1:2"], "sparsity must be some of dense, 2:4, not '1:2'"),
    ([*ARGUMENTS, "--mean", "x"], "mean must be numbers separated by commas, not 'x'"),
    ([*ARGUMENTS, "--scale", "0"], "scale must not be zero"),
    ([*ARGUMENTS, "--mean", "1,2"], "test.npz: mean must hold one number"),
    ([*ARGUMENTS, "--color-order", "GBR"], "color_order must be RGB or BGR, not 'GBR'"),
    ([*ARGUMENTS, "--output-name", "x"], "mnist.onnx: the output must be one of "),
    ([*ARGUMENTS, "--input-shape", "1,2"], "mnist.onnx: the shape (1, 2) does not fit input "),
    ([*ARGUMENTS, "--input-shape", "N"], "input-shape must be integers separated by commas, not"),
    ([*ARGUMENTS, "--seed", "-1"], "Invalid value for '--seed': -1 is not in"),
    ([*ARGUMENTS, "--output", "test.npz"], "cannot write into test.npz: "),
    ([*ARGUMENTS, "--scheduler", "tcp://127.0.0.1:9"], "cannot reach the scheduler at tcp://127"),
]


@pytest.mark.every(2)
@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refused(arguments: list[str], message: str, mnist: Path, tmp_path: Path) -> None:
    output = [] if "--output" in arguments else ["--output", str(tmp_path / "out")]
    result = sparq_evaluate(mnist, *arguments, *output)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"sparq: {message}"), last
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1
    if "labels.npz" not in arguments and "--scheduler" not in arguments:
        assert not list(tmp_path.iterdir())


def test_help_shows_both_recipes(tmp_path: Path) -> None:
    text = sparq_evaluate(tmp_path, "--help").stdout
    assert "sparq evaluate resnet20_cifar10_bn.onnx --data cifar10_test.npz" in text
    assert "--color-order BGR --mean 104,117,123" in text
