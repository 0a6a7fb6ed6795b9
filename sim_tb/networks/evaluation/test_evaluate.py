"""Evaluation from an ONNX file to accuracies: families of networks, settings, workers, errors."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gen.design.configuration import Configuration, ConfigurationError
from gen.simulation.compiled_array import CompiledArray
from gen.simulation.demo import run_demo, through_array
from networks.evaluation.array_images import ArrayImages
from networks.evaluation.data import DataError, load_data
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.floating_point import logits
from networks.evaluation.inputs import Inputs
from networks.evaluation.model import load_model
from networks.evaluation.preparation import Options
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.report import report_files
from networks.evaluation.settings import settings_of
from networks.graph.attention import MatrixProduct
from networks.graph.operations import MatrixLayer
from networks.quantization.calibration import calibrate
from networks.quantization.quantize import quantize
from networks.samples.mnist.files import write_files
from sim_tb.networks.evaluation.images import write_images
from sim_tb.networks.families import SEED, images_of, model_of, quiet
from sim_tb.networks.onnx_models import FAMILIES, Builder
from sim_tb.processes import alive, wait_until

SPARQ = Path(sys.executable).parent / "sparq"
IMAGES = 24


# --- families, end to end


MULTIPLYING = (MatrixLayer, MatrixProduct)
"""Whose products are rows of the table by layer: with weights, and of two values."""


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
    multiplying = [n for n in model.graph.nodes if isinstance(n.operation, MULTIPLYING)]
    assert [layer["name"] for layer in layers] == [n.name for n in multiplying]
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
    for options in (
        Options(recalibrate_batch_norm=True),
        Options(method="max"),
        Options(equalize=True),
    ):
        changed = noise(options)
        assert all(changed[label] != default[label] for label in default)


@pytest.mark.parametrize("tail", [(), ("Sigmoid",), ("Sigmoid", "Flatten")])
def test_a_model_of_one_logit(tail: tuple[str, ...], tmp_path: Path) -> None:
    """Two classes, told apart by the sign of what single precision gives, or at 0.5."""
    b = Builder(8)
    hidden = b.relu(b.gemm("x", 8, 16))
    path = tmp_path / "binary.onnx"
    logit = b.gemm(hidden, 16, 1)
    for operator in tail:
        logit = b.op(operator, logit)
    path.write_bytes(b.model(logit).SerializeToString())
    model = load_model(path)
    threshold = 0.5 if tail else 0.0
    assert (model.logits, model.classes, model.thresholds) == (1, 2, (threshold, 0))
    x = np.random.default_rng(SEED).normal(size=(64, 8)).astype(np.float32)
    labels = (logits(model.content, model.name, x)[:, 0] > threshold).astype(np.int64)
    assert 0 < labels.sum() < 64
    images = ArrayImages(labels, (8,), Preprocessing(), x)
    settings = settings_of([], [], [], [], 8, ["dense"])
    result = evaluate_model(model, images, images, settings, Options(method="max"), quiet())
    accuracies = {row["label"]: row["top1"] for row in result["rows"]}
    assert accuracies["fp32"] == 100
    assert accuracies["a8w8"] >= 90


def test_a_sigmoid_at_the_end_moves_the_threshold(tmp_path: Path) -> None:
    model = model_of("lenet", tmp_path)
    assert model.thresholds == (0, 0)
    kept = model._replace(ends_in_sigmoid=True, output_name=model.graph.output)
    assert kept.thresholds == (0.5, 0.5)
    assert kept._replace(output_name="probability").thresholds == (0.5, 0)


def test_what_data_decide_comes_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of("resnet", tmp_path)
    folder = write_images(tmp_path / "photos", ["a/0.png", "a/1.png"], (9, 9, 3))
    images = load_data(folder, model.input_shape, Preprocessing())

    def no_work(*_: Any) -> Any:
        raise AssertionError

    progress = quiet()
    monkeypatch.setattr(progress, "add_task", no_work)
    with pytest.raises(DataError, match=r"photos/a/0\.png: 9x9 pixels do not fit"):
        evaluate_model(
            model, images, images, settings_of([], [], [], [], 8, []), Options(), progress
        )


def test_a_demo_of_no_windowed_layer_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is built."""
    monkeypatch.setattr("gen.simulation.demo.build_machines", None)
    b = Builder(8)
    path = tmp_path / "linear.onnx"
    path.write_bytes(b.model(b.gemm("x", 8, 16)).SerializeToString())
    model = load_model(path)
    images = images_of(model, 4)
    layer = model.graph.matrix_nodes[0].name
    with pytest.raises(ConfigurationError, match=rf"^layers must be some of {layer}, not 'x'$"):
        run_demo(1, "5opt", quiet(), Inputs(model, images, images), ["x"])
    with pytest.raises(ConfigurationError) as caught:
        run_demo(1, "5opt", quiet(), Inputs(model, images, images))
    assert str(caught.value) == (
        "no layer is windowed (first layer), so there is nothing to run on the arrays; "
        "top engine runs all layers"
    )


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
    columns = "label,format,rounding,vsparq,group,weight_bits,weight_format,sparsity,clipping,"
    assert heading.startswith(columns)
    assert len(lines) == len(settings)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    write_files(folder)
    (folder / "broken.onnx").write_bytes((folder / "mnist.onnx").read_bytes()[:-100])
    (folder / "bad.toml").write_text("")
    np.savez(folder / "labels.npz", images=np.zeros((2, 28, 28), np.uint8), labels=[1, 10])
    np.savez(folder / "floats.npz", images=np.zeros((2, 1, 28, 28), np.float32), labels=[3, 9])
    np.savez(folder / "wrong.npz", images=np.zeros((2, 32, 32, 3), np.uint8), labels=[0, 1])
    return folder


def sparq_evaluate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SPARQ, "evaluate", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def decimals(value: float | None, form: str) -> str:
    """Of a measure; nothing where there is none."""
    return "" if value is None else format(value, form)


def require_printed(stdout: str, first: str, rows: Sequence[Sequence[str]]) -> None:
    """A table whose first heading is ``first`` was printed, and these are its rows, in order."""
    lines = [line.split() for line in stdout.splitlines()]
    (head,) = (place for place, words in enumerate(lines) if words[:1] == [first])
    below = head + 2  # a line is between them
    assert lines[below : below + len(rows)] == [" ".join(row).split() for row in rows]
    assert not lines[below + len(rows)]


def accuracy_cells(row: dict[str, Any]) -> list[str]:
    """Of a row of the result, how it is printed."""
    return [
        row["label"],
        decimals(row["weight_bits"], "d"),
        format(row["bits_per_activation"], "g"),
        *(decimals(row[name], ".2f") for name in ("top1", "standard_error", "top5")),
        decimals(row["difference"], "+.2f"),
        decimals(row["difference_error"], ".2f"),
        "≈" if row["within_error"] else "",
        decimals(row["output_sqnr_db"], ".1f"),
    ]


def layer_cells(layer: dict[str, Any]) -> list[str]:
    """Of a layer of the result, with as many ratios as are printed."""
    return [
        layer["name"],
        f"{layer['m']} x {layer['k']} x {layer['n']}",
        "windowed" if layer["windowed"] else f"8 bits: {layer['reason']}",
        *(decimals(layer[name], ".1f") for name in ("zeros", "zero_pairs")),
        *(decimals(value, ".1f") for value in [*layer["sqnr_db"].values()][:8]),
    ]


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
    require_printed(result.stdout, "format", [accuracy_cells(row) for row in report["rows"]])
    require_printed(result.stdout, "layer", [layer_cells(layer) for layer in report["layers"]])
    zeros = f"{report['zeros']:.1f} % are zero, of their pairs {report['zero_pairs']:.1f} % hold"
    assert zeros in result.stdout
    share = by_label["5opt"]["windowed_share"]
    assert share == report["windowed_share"] > 50
    assert f"not at 8 bits: {share:.1f} % in 5opt, 2opt\n" in result.stdout
    assert result.stderr.count("warning") == 0
    assert report["warnings"] == []
    assert report["data"] == {
        **{"source": "test.npz", "found": 1000, "files": False, "labels": "labels"},
        **{"classes": None, "skipped": [], "seed": 1, "lowest_label": 0, "highest_label": 9},
    }
    assert "data: test.npz, 60 of 1000 images, seed 1; labels 0 to 9 from labels" in result.stdout
    assert "calibration: calibration.npz, 50 of" in result.stdout
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".svg", ".svg", ".svg"]


@pytest.mark.slow
def test_a_folder_of_photos(mnist: Path, tmp_path: Path) -> None:
    """Of any kind; what is not evaluated, and what looks like a mistake, is said and kept."""
    with np.load(mnist / "test.npz") as arrays:
        images = arrays["images"][:30]
    kinds = ("png", "pgm", "tif", "gif", "txt")
    for index, image in enumerate(images):
        path = tmp_path / "photos" / str(index % 3) / f"{index}.{kinds[index % 5]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.touch()
        else:
            Image.fromarray(image.reshape(28, 28)).resize((30, 28)).save(path)
    (tmp_path / "flat").mkdir()
    Image.fromarray(images[0].reshape(28, 28)).resize((29, 28)).save(tmp_path / "flat" / "0.bmp")
    result = sparq_evaluate(
        mnist,
        *("mnist.onnx", "--data", str(tmp_path / "photos"), "--calibration"),
        *(str(tmp_path / "flat"), "--resize", "28,28", "--mean", "0.1307", "--scale", "0.3081"),
        *("--formats", "5opt", "--output", str(tmp_path / "out"), "--json", "photos.json"),
    )
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if line.startswith("sparq: warning: ")]
    assert warnings[0] == (
        "sparq: warning: photos: skipped 6 files: not called as images are, the first 0/24.txt"
    )
    report = json.loads((mnist / "photos.json").read_text())
    assert (report["images"], report["calibration_images"]) == (24, 1)
    assert report["data"]["skipped"] == [
        {"count": 6, "reason": "not called as images are", "first": "0/24.txt"}
    ]
    assert [line.removeprefix("sparq: warning: ") for line in warnings[1:]] == report["warnings"]
    assert [text.split()[0] for text in report["warnings"][:2]] == ["mean", "there"]
    assert "labels 0 to 2 from class folders, 3 classes (0 is 0, 2 is 2)" in result.stdout


@pytest.mark.slow
def test_termination_ends_all_processes(mnist: Path, tmp_path: Path) -> None:
    """In the middle of a run: no worker, and no tracker, lives on."""
    command: list[str | Path] = [
        SPARQ,
        "evaluate",
        "mnist.onnx",
        "--data",
        "test.npz",
        "--all-variants",
    ]
    with subprocess.Popen(
        [*command, "--output", tmp_path],
        cwd=mnist,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_until(lambda: len(alive(process.pid)) >= 4)  # two trackers, and a worker
        process.terminate()
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (143, "")
    assert [line for line in errors.splitlines() if "%" not in line] == ["sparq: terminated"]
    wait_until(lambda: not alive(process.pid), 5)


ARGUMENTS = ("mnist.onnx", "--data", "test.npz")
REFUSED = [
    ([*ARGUMENTS, "--group", "1,3"], "group must be some of 1, 2, 4, 8, 16, not '3'"),
    (["mnist.onnx"], "data must be given: --data FILE"),
    (
        ["none/model.onnx", "--data", "test.npz"],
        "cannot read none/model.onnx: No such file or directory",
    ),
    (["broken.onnx", "--data", "test.npz"], "broken.onnx"),
    (["mnist.onnx", "--data", "none.npz"], "cannot read none.npz: No such file or directory"),
    (["mnist.onnx", "--data", "wrong.npz"], "wrong.npz: images of shape (N, 32, 32, 3) do not fit"),
    (
        ["mnist.onnx", "--data", "labels.npz", "--calibration", "test.npz"],
        "labels must be below the model's 10 classes, not 10; they start at 1, and must at 0",
    ),
    ([*ARGUMENTS, "--formats", "5opt,9opt"], "format must be one of 5opt, 3opt, 2opt"),
    (
        [*ARGUMENTS, "--formats", "5opt+3opt"],
        "format must be of unsigned and of signed activations",
    ),
    ([*ARGUMENTS, "--weight-formats", "5opt"], "weight-formats must be some of 8bit, s4opt, s5opt"),
    (
        [*ARGUMENTS, "--weight-formats", "mxfp4", "--sparsity", "2:4"],
        "weights in block formats must be dense, not 2:4",
    ),
    ([*ARGUMENTS, "--images", "0"], "images must be an integer of at least 1, not 0"),
    ([*ARGUMENTS, "--images", "901"], "images must be an integer from 1 to 900, not 901"),
    (
        [*ARGUMENTS, "--calibration-images", "1000"],
        "calibration_images must be an integer from 1 to 999, not 1000",
    ),
    ([*ARGUMENTS, "--weight-bits", "3"], "weight-bits must be an integer from 4 to 8, not 3"),
    ([*ARGUMENTS, "--percentile", "40"], "percentile must be above 50 and at most 100, not 40"),
    (
        [*ARGUMENTS, "--percentile", "99"],
        "percentile has no effect where calibration-method is mean",
    ),
    ([*ARGUMENTS, "--percentile", "99_9"], "percentile must be a number, not '99_9'"),
    (
        [*ARGUMENTS, "--calibration", "calibration.npz", "--seed", "3"],
        "seed has no effect where calibration is given and images is not: leave it out",
    ),
    ([*ARGUMENTS, "--auto-sqnr", "nan"], "auto-sqnr must be a number of decibels, not nan"),
    (
        [*ARGUMENTS, "--auto-sqnr", "9"],
        "auto-sqnr has no effect without auto among the formats or ",
    ),
    (
        [*ARGUMENTS, "--exact-layers", "/conv,x"],
        "mnist.onnx: exact-layers must be some of auto, ",
    ),
    (
        [*ARGUMENTS, "--formats", "mxfp4", "--exact-layers", "auto"],
        "exact-layers has no effect as auto where all formats are block formats: leave it out",
    ),
    (
        [*ARGUMENTS, "--attention", "windowed"],
        "mnist.onnx: attention has no effect without products of two values: leave it out",
    ),
    ([*ARGUMENTS, "--exact-layers", ","], "exact-layers must be names of layers, not ''"),
    ([*ARGUMENTS, "--exact-layers", "x,x"], "exact-layers must be different ones, not x twice"),
    (
        [*ARGUMENTS, "--weight-formats", "8bit,mxfp4", "--weight-group", "2"],
        "weight-group has no effect without a window format among the weight-formats: leave it",
    ),
    (
        [*ARGUMENTS, "--formats", "mxfp4,nvfp4", "--group", "2"],
        "group has no effect where all formats are block formats: leave it out",
    ),
    ([*ARGUMENTS, "--formats", "mxfp4", "--no-vsparq"], "vsparq has no effect where all formats"),
    (
        [*ARGUMENTS, "--formats", "s4opt,5opt,s4:0,1,2,3"],
        "formats must be different ones, not s4opt twice",
    ),
    ([*ARGUMENTS, "--all-variants", "--no-rounding"], "rounding has no effect beside all-variants"),
    ([*ARGUMENTS, "--group", "2,1,2"], "group must be different ones, not 2 twice"),
    ([*ARGUMENTS, "--sparsity", "1:2"], "sparsity must be some of dense, 2:4, not '1:2'"),
    ([*ARGUMENTS, "--mean", "x"], "mean must be numbers separated by commas, not 'x'"),
    ([*ARGUMENTS, "--scale", "0"], "scale must not be zero"),
    ([*ARGUMENTS, "--mean", "1,2"], "test.npz: mean must hold one number"),
    ([*ARGUMENTS, "--color-order", "GBR"], "color_order must be RGB or BGR, not 'GBR'"),
    (
        ["mnist.onnx", "--data", "floats.npz", "--mean", "0.5"],
        "floats.npz: float32 images are taken as they are; leave out mean",
    ),
    ([*ARGUMENTS, "--resize", "28,x"], "resize must be a number of pixels, or height,width, not"),
    ([*ARGUMENTS, "--resize", "28,28,3"], "resize must be the shorter side, or height and width"),
    ([*ARGUMENTS, "--interpolation", "cubic"], "interpolation must be bilinear or bicubic, not"),
    ([*ARGUMENTS, "--output-name", "x"], "mnist.onnx: the output must be one of "),
    ([*ARGUMENTS, "--input-shape", "1,2"], "mnist.onnx: the shape (1, 2) does not fit input "),
    ([*ARGUMENTS, "--input-shape", "N"], "input-shape must be integers separated by commas, not"),
    ([*ARGUMENTS, "--seed", "-1"], "seed must be an integer of at least 0, not -1"),
    ([*ARGUMENTS, "--output", "test.npz"], "cannot write into test.npz: it is no folder"),
    ([*ARGUMENTS, "--scheduler", "tcp://127.0.0.1:9"], "cannot reach the scheduler at tcp://127"),
]


@pytest.mark.every(4)
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
    if not {"labels.npz", "--scheduler"} & set(arguments):
        assert not list(tmp_path.iterdir())


def test_help_shows_recipes(tmp_path: Path) -> None:
    text = sparq_evaluate(tmp_path, "--help").stdout
    assert "sparq evaluate resnet20_cifar10_bn.onnx --data cifar10_test.npz" in text
    assert "--color-order BGR --mean 104,117,123" in text
    assert "sparq evaluate bert.onnx --data tokens.npz --input-shape 1,128" in text
    assert "`length` (N,)" in text
