"""Evaluation from an ONNX file to accuracies: families of networks, settings, workers, errors."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from rich.progress import Progress

import golden
from gen.design.configuration import Configuration
from gen.simulation.compiled_array import CompiledArray
from gen.simulation.demo import through_array
from networks.evaluation.data import ArrayImages, Images
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.floating_point import logits
from networks.evaluation.model import Model, load_model
from networks.evaluation.preparation import Options
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.report import report_files
from networks.evaluation.settings import Setting, settings_of
from networks.evaluation.tasks import ranks_of
from networks.importer import ModelError
from networks.quantization.arithmetic import exact
from networks.quantization.calibration import calibrate
from networks.quantization.channel_order import Units, calibrated_order, exchange_partners
from networks.quantization.quantize import quantize
from networks.quantization.statistics import PairStatistics
from networks.samples.mnist.files import write_files
from sim_tb.networks.onnx_models import FAMILIES
from sim_tb.oracle.reference import NAMED, Rule, effective_row
from support.tasks import WorkerError, run_tasks

SEED = 5
SPARQ = Path(sys.executable).parent / "sparq"
ALL = [True, False]
IMAGES = 24


def quiet() -> Progress:
    return Progress(disable=True)


def model_of(name: str, folder: Path) -> Model:
    path = folder / f"{name}.onnx"
    path.write_bytes(FAMILIES[name]().SerializeToString())
    return load_model(path)


def images_of(model: Model, count: int, seed: int = SEED) -> Images:
    """Random images that the network labels itself, so that FP32 is right on all of them."""
    shape = (count, *model.input_shape)
    images = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    labels = logits(model.content, model.name, images).argmax(axis=1)
    return ArrayImages(labels.astype(np.int64), model.input_shape, Preprocessing(), images)


# --- families, end to end


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
        assert list(layer["sqnr_db"]) == [s.label for s in settings if s.format != "fp32"]
        assert layer["sqnr_db"]["a8w8"] > 15
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


@pytest.mark.slow
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


# --- settings


def test_all_settings() -> None:
    settings = settings_of(["5opt", "2opt"], ALL, ALL, [1, 2], 6, ["dense", "2:4"])
    assert len(settings) == len(set(settings)) == 1 + 2 * (1 + 2 + 2 * 2 * 4)
    assert len({setting.label for setting in settings}) == len(settings)
    assert settings[0] == Setting("fp32")
    assert {setting.weight_bits for setting in settings[1:]} == {6}
    for setting in settings:
        fmt = setting.sparq_format
        assert fmt is None or fmt.group == setting.group


@pytest.mark.parametrize("clipping", ["same", "best"])
def test_uniform_4_bits(clipping: str, tmp_path: Path) -> None:
    """Each windowed layer computes with 16 codes, evenly spaced from zero."""
    model = model_of("vgg", tmp_path)
    batch = images_of(model, 4).batch().transpose(0, 2, 3, 1)
    ranges = calibrate(model.graph, [batch])
    name = next(layer.name for layer in quantize(model.graph, ranges).layers if layer.windowed)
    step = 17.0 if clipping == "same" else 9.5
    network = quantize(model.graph, ranges, activation_steps={name: step})
    layer = next(layer for layer in network.layers if layer.name == name)
    assert layer.codes is not None
    assert layer.codes.tolist() == [
        min(15, round(value / step)) for value in range(256)
    ]  # round() is half to even
    assert layer.steps == pytest.approx(
        step * next(n for n in quantize(model.graph, ranges).layers if n.name == name).steps
    )
    x = np.arange(256, dtype=np.uint8)
    assert (layer.operand(x) == layer.codes).all()


def test_best_clipping_has_the_least_error() -> None:
    rng = np.random.default_rng(SEED)
    x = np.minimum(rng.exponential(20, 4000), 255).astype(np.uint8)
    pairs = np.zeros((256, 256), np.int64)
    np.add.at(pairs, (x[1::2], x[::2]), 1)
    step = PairStatistics(pairs).best_4_bit_step()

    def error(step: float) -> float:
        return float(((np.clip(np.rint(x / step), 0, 15) * step - x) ** 2).mean())

    assert all(error(step) <= error(limit / 15) for limit in range(15, 256))
    assert error(step) < error(17)


def test_statistics_of_pairs() -> None:
    """Zeros and placements, counted one pair at a time."""
    rng = np.random.default_rng(SEED)
    x = rng.integers(0, 256, (3000, 2)) * (rng.random((3000, 2)) < 0.6)
    counts = np.zeros((256, 256), np.int64)
    np.add.at(counts, (x[:, 1], x[:, 0]), 1)
    statistics = PairStatistics(counts)
    assert statistics.zeros == (x == 0).mean()
    assert statistics.zero_pairs == pytest.approx(((x == 0).any(axis=1)).mean())
    for name, vsparq in (("5opt", True), ("3opt", False), ("7opt", True)):
        fmt = golden.named_format(name, vsparq=vsparq)
        expected: dict[str, int] = {}
        for pair in x.tolist():
            for own, other in (pair, pair[::-1]):
                if own:
                    wide = vsparq and other == 0
                    bits = fmt.window_bits * (2 if wide else 1)
                    shift = min(s for s in fmt.shifts if own < 2 ** (bits + s))
                    key = f"wide {shift}" if wide else str(shift)
                    expected[key] = expected.get(key, 0) + 1
        total = sum(expected.values())
        measured = {key: share for key, share in statistics.placements(fmt).items() if share}
        assert measured == pytest.approx({key: n / total for key, n in expected.items()})


def test_ranks() -> None:
    values = np.array([[3, 1, 3], [0, 0, 0], [1, 2, 3]])
    assert ranks_of(values, np.array([2, 1, 0])).tolist() == [1, 1, 2]
    unknown = np.array([[np.nan, 1, np.inf], [np.nan, np.nan, -np.inf]])
    assert ranks_of(unknown, np.array([0, 2])).tolist() == [2, 2]


# --- channel order


def test_partners_are_exchanged_to_an_optimum() -> None:
    """On costs with one obvious pairing, that pairing is found."""
    rng = np.random.default_rng(SEED)
    partner = rng.permutation(32).reshape(16, 2)
    cost = rng.random((32, 32)) + 1
    cost += cost.T
    cost[partner[:, 0], partner[:, 1]] = cost[partner[:, 1], partner[:, 0]] = 0
    first, second = exchange_partners(cost)
    found = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert sorted(np.concatenate([first, second])) == list(range(32))
    start = cost[::2, 1::2].trace()
    assert cost[first, second].sum() < 0.2 * start
    assert len(found & {frozenset(pair) for pair in partner.tolist()}) >= 12


@pytest.mark.parametrize(("vsparq", "group"), [(True, 1), (True, 2), (False, 2), (False, 4)])
def test_channel_order(vsparq: bool, group: int, tmp_path: Path) -> None:
    """Exact products stay the same; the error of windowed ones gets smaller on the same images."""
    model = model_of("squeezenet", tmp_path)
    batch = images_of(model, 8).batch().transpose(0, 2, 3, 1)
    ranges = calibrate(model.graph, [batch])
    network = quantize(model.graph, ranges)
    fmt = golden.named_format("2opt", rounding=False, vsparq=vsparq, group=group)
    orders: dict[str, Any] = {}
    errors: dict[str, list[float]] = {}

    def loss(layer: Any, x: npt.NDArray[np.uint8], order: npt.NDArray[np.int64]) -> float:
        gains = (layer.weights.astype(float) ** 2).reshape(-1, len(order), layer.width)
        values = x[..., order].astype(np.int64)
        squares = (golden.sparq(x[..., order], fmt) - values) ** 2
        return float((squares * gains.sum(axis=(0, 2))[order]).sum())

    def arithmetic(layer: Any, x: npt.NDArray[np.uint8]) -> Any:
        order = calibrated_order(layer, x, fmt) if layer.windowed else None
        if order is not None:
            orders[layer.name] = order
            natural = np.arange(len(order))
            assert sorted(order.tolist()) == natural.tolist()
            errors[layer.name] = [loss(layer, x, natural), loss(layer, x, order)]
        return exact(layer, x)

    x = network.quantize_images(batch)
    expected = network.forward(x, arithmetic)
    assert len(orders) >= 3
    for natural, chosen in errors.values():
        assert chosen <= natural * (1 + 1e-9) or group > 2
    assert sum(new for _, new in errors.values()) < 0.99 * sum(old for old, _ in errors.values())
    reordered = quantize(model.graph, ranges, channel_orders=orders)
    assert (reordered.forward(x, exact) == expected).all()
    assert calibrated_order(network.layers[1], x, golden.named_format("5opt", vsparq=False)) is None


@pytest.mark.parametrize("group", [1, 2, 4, 8])
@pytest.mark.parametrize("vsparq", [True, False])
def test_cost_of_neighbours_is_the_error_of_the_rule(vsparq: bool, group: int) -> None:
    """Of channels joined level by level up to a whole group, one pixel at a time."""
    rng = np.random.default_rng(SEED)
    size = max(2, group)
    rows = (rng.integers(0, 256, (40, size)) * (rng.random((40, size)) < 0.6)).astype(np.uint8)
    gains = rng.random(size)
    rule = Rule(*NAMED["7opt"], rounding=True, vsparq=vsparq, group=group)
    units = Units.channels(rows, gains, golden.SparqFormat(*rule))
    while units.kind.shape[1] > 2:
        neighbours = np.arange(0, units.kind.shape[1], 2)
        units = units.joined(neighbours, neighbours + 1)
    cost = units.joining_cost()
    expected = sum(
        float((gains * (np.array(effective_row(row, rule)) - row) ** 2).sum())
        for row in rows.tolist()
    )
    assert cost[0, 1] == cost[1, 0] == pytest.approx(expected)


# --- workers


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


def square(value: int, marks: Path) -> int:
    """The square of ``value``; the first attempt at 3 kills its process."""
    mark = marks / "killed"
    if value == 3 and not mark.exists():
        mark.touch()
        os._exit(1)
    return value * value


def fatal(value: int) -> int:
    os._exit(value)


def test_a_task_of_a_dead_worker_is_run_again(tmp_path: Path) -> None:
    done: list[int] = []
    results = run_tasks(square, [(n, tmp_path) for n in range(8)], None, lambda: done.append(1))
    assert results == [n * n for n in range(8)]
    assert len(done) == 8
    assert (tmp_path / "killed").exists()


def test_a_task_of_a_dead_dask_worker_is_run_again(tmp_path: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        tasks = [(n, tmp_path) for n in range(6)]
        assert run_tasks(square, tasks, cluster.scheduler_address) == [n * n for n in range(6)]
    assert (tmp_path / "killed").exists()


def test_workers_that_always_die() -> None:
    with pytest.raises(WorkerError, match=r"^workers died in each of 3 attempts"):
        run_tasks(fatal, [(1,)])


# --- report and command line


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
    ([*ARGUMENTS, "--formats", "5opt,9opt"], "formats must be some of 5opt, 3opt, 2opt"),
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
    ([*ARGUMENTS, "--seed", "-1"], "Invalid value for '--seed': -1 is not in"),
    ([*ARGUMENTS, "--output", "test.npz"], "cannot write into test.npz: "),
    ([*ARGUMENTS, "--scheduler", "tcp://127.0.0.1:9"], "cannot reach the scheduler at tcp://127"),
]


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


# --- damaged files


@pytest.mark.parametrize("name", ["resnet", "densenet", "mobilenet", "mlp"])
def test_damaged_models(name: str, tmp_path: Path) -> None:
    """300 variants of each: one line, or a result; never another exception."""
    content = FAMILIES[name]().SerializeToString()
    # Damage to weights is dull: half of the damage goes where the structure is.
    weights = sum(
        len(tensor.raw_data) for tensor in onnx.load_from_string(content).graph.initializer
    )
    assert 0 < weights < len(content)
    rng = np.random.default_rng(SEED)
    path = tmp_path / "damaged.onnx"
    messages, ran = [], 0
    for variant in range(300):
        damaged = bytearray(content)
        kind = variant % 4
        for _ in range(int(rng.integers(1, 4))):
            head = variant % 2 and len(damaged) > 4000
            where = int(rng.integers(0, 4000 if head else len(damaged)))
            if kind == 0:
                damaged[where] = int(rng.integers(0, 256))
            elif kind == 1:
                del damaged[where : where + int(rng.integers(1, 9))]
            elif kind == 2:
                damaged[where:where] = rng.bytes(int(rng.integers(1, 9)))
            else:
                damaged[where] ^= 1 << int(rng.integers(0, 8))
        if variant % 25 == 0:
            del damaged[int(rng.integers(0, len(damaged))) :]
        path.write_bytes(bytes(damaged))
        try:
            model = load_model(path)
            batch = np.zeros((2, *model.graph.input_shape))
            ranges = calibrate(model.graph, [batch + 0.5])
            network = quantize(model.graph, ranges)
            network.forward(network.quantize_images(batch), exact)
            ran += 1
        except ModelError as error:
            messages.append(str(error))
    assert all(text.startswith("damaged.onnx") and "\n" not in text for text in messages)
    assert len(messages) > 20
    assert ran > 20
