"""``sparq quantize``, and the commands that take its file: what they compute, what they refuse."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from gen.commands.compile import compile
from gen.commands.demo import demo
from gen.commands.evaluate import evaluate
from gen.commands.methods import methods
from gen.commands.quantize import quantize
from gen.commands.run import run
from gen.commands.search import search
from networks.evaluation.errors import DataError
from networks.methods.quantized_file import QuantizedFile
from networks.methods.shared_order import with_orders
from networks.samples.mnist.files import write_files
from support.errors import InputError

SMALL = ("--rows", "8", "--cols", "8", "--scratchpad", "8", "--memory-bits", "64")


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    write_files(folder)
    return folder


def invoked(command: Any, *arguments: Any) -> str:
    result = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def said(command: Any, *arguments: Any) -> str:
    """What is wrong with these arguments."""
    result = CliRunner().invoke(command, [str(each) for each in arguments])
    if isinstance(result.exception, InputError):
        return str(result.exception)
    assert result.exit_code == 2, result.output
    return " ".join(result.stderr.rpartition("Error: ")[2].split())


@pytest.fixture(scope="module")
def quantized(mnist: Path) -> Path:
    """Of 3-bit weights, by LAPQ."""
    path = mnist / "quantized.json"
    out = invoked(
        *(quantize, mnist / "mnist.onnx", "--data", mnist / "calibration.npz"),
        *("--images", 60, "--weight-bits", 3, "--passes", 1, "--output", path),
        *("--json", mnist / "report.json", "--plot", mnist / "plot.svg"),
    )
    assert out.splitlines()[0] == (
        "mnist.onnx: cross-entropy of 60 images, 5opt, weights of 3 bits"
    )
    assert f"wrote {path}" in out.splitlines()
    return path


def test_report(mnist: Path, quantized: Path) -> None:
    report = json.loads((mnist / "report.json").read_text())
    assert report["method"] == "lapq"
    assert report["loss"] == report["trace"][-1] < report["starts"][0]["loss"]
    assert report["loss"] == json.loads(quantized.read_text())["loss"]
    changed = [row for row in report["clips"] if row["mean"] != 1]
    assert any(row["of"].startswith("weights of ") and row["mean"] < 1 for row in changed)
    assert (mnist / "plot.svg").read_text().startswith("<?xml")


def evaluated(mnist: Path, *options: Any) -> dict[str, Any]:
    path = mnist / "evaluated.json"
    out = invoked(
        *(evaluate, mnist / "mnist.onnx", "--data", mnist / "test.npz", "--images", 200),
        *("--calibration", mnist / "calibration.npz", "--formats", "5opt"),
        *("--output", mnist / "plots", "--json", path, *options),
    )
    result: dict[str, Any] = json.loads(path.read_text())
    lines = " ".join(out.split())
    if given := result.get("quantized"):
        assert f"200 images, clips by {given['method']} from {given['file']}" in lines
        assert "calibration.npz, all 500 images; for all but clips clips: by " in lines
    else:
        assert "200 images, calibrated on 500" in lines
    return result


@pytest.mark.slow
def test_min_max_is_calibration(mnist: Path) -> None:
    """The file of minmax gives all that an evaluation without one gives."""
    path = mnist / "minmax.json"
    invoked(
        *(quantize, mnist / "mnist.onnx", "--data", mnist / "calibration.npz"),
        *("--method", "minmax", "--weight-bits", 4, "--output", path),
    )
    with_file = evaluated(mnist, "--quantized", path)
    without = evaluated(mnist, "--weight-bits", 4)
    for name in ("rows", "layers"):
        assert with_file[name] == without[name]
    assert with_file["options"] == without["options"] | {"method": "minmax"}
    own = {
        "file": "minmax.json",
        "method": "minmax",
        "channels": 90,
        "second_points": 0,
        "biases": False,
    }
    assert with_file["quantized"] == own
    assert "quantized" not in without


@pytest.mark.slow
def test_evaluate(mnist: Path, quantized: Path) -> None:
    """Weights of 3 bits lose less than by calibration, which evaluate knows nothing below 4 of."""
    path = mnist / "minmax3.json"
    invoked(
        *(quantize, mnist / "mnist.onnx", "--data", mnist / "calibration.npz"),
        *("--method", "minmax", "--weight-bits", 3, "--output", path),
    )
    lapq, min_max = (evaluated(mnist, "--quantized", each) for each in (quantized, path))
    assert [row["weight_bits"] for row in lapq["rows"][1:]] == [3] * (len(lapq["rows"]) - 1)
    assert lapq["options"]["method"] == "lapq"
    tops = [result["rows"][-1]["top1"] for result in (lapq, min_max)]
    assert tops[0] > tops[1]


def test_compile_and_run(mnist: Path, quantized: Path) -> None:
    """Without images and preprocessing, which the file has; logits are the network's."""
    output = mnist / "compiled"
    toml = mnist / "mnist.toml"
    toml.rename(mnist / "moved.toml")
    try:
        invoked(
            *(compile, mnist / "mnist.onnx", "--quantized", quantized),
            *(*SMALL, "--output", output),
        )
        out = invoked(run, output, "--data", mnist / "test.npz", "--images", 40)
    finally:
        (mnist / "moved.toml").rename(toml)
    assert "40 images on golden: logits equal the network's in integers; " in out
    right = int(out.partition("integers; ")[2].split()[0])
    assert right >= 30
    made = json.loads((output / "map.json").read_text())
    assert made["data"]["preprocessing"]["scale"] == [255]


def test_exact_bytes_refused(mnist: Path, quantized: Path) -> None:
    """A file for no windows names what multiplies so, as there is no format to give."""
    values = json.loads(quantized.read_text()) | {"format": "8bit"}
    path = mnist / "exact.json"
    path.write_text(json.dumps(values))
    given = (mnist / "mnist.onnx", "--quantized", path, *SMALL, "--output", mnist / "exact")
    assert said(compile, *given) == f"{path}: it is for exact bytes, as of pe 8x8, not for 5opt"
    invoked(compile, *given, "--pe", "8x8")


@pytest.fixture(scope="module")
def two_points(mnist: Path) -> Path:
    """Of 2-bit weights by least squares, and 30 second points."""
    path = mnist / "two_points.json"
    out = invoked(
        *(quantize, mnist / "mnist.onnx", "--data", mnist / "calibration.npz"),
        *("--method", "least-squares", "--images", 60, "--weight-bits", 2),
        *("--extra-columns", 30, "--output", path),
    )
    assert "with 30 extra columns" in out
    return path


def test_second_points(mnist: Path, two_points: Path) -> None:
    """They run as wholes, of 4 bits, where the machine has them; elsewhere they are refused."""
    found = json.loads(two_points.read_text())
    assert sum(sum(each > 0 for each in own) for own in found["shifts"].values()) == 30
    assert found["loss"] < found["decided"]["second_points"]["one_point_loss"]
    output = mnist / "two_points"
    given = (mnist / "mnist.onnx", "--quantized", two_points, "--output", output)
    for bits in (2, 3):
        assert said(compile, *given, *SMALL, "--weight-bits", bits) == (
            f"{two_points}: weight-bits must be at least 4, which its weights of two points have "
            f"here, where columns are not combined, not {bits}"
        )
    invoked(compile, *given, *SMALL, "--weight-bits", 4)
    out = invoked(run, output, "--data", mnist / "test.npz", "--images", 20)
    assert "20 images on golden: logits equal the network's in integers; " in out


@pytest.mark.slow
def test_second_points_win_back(mnist: Path) -> None:
    """An evaluation computes with them: much better than with one point of calibrated clips."""
    tops = []
    for more in ((), ("--extra-columns", "50%")):
        path = mnist / "calibrated.json"
        invoked(
            *(quantize, mnist / "mnist.onnx", "--data", mnist / "calibration.npz"),
            *("--method", "minmax", "--weight-bits", 2, *more, "--output", path),
        )
        result = evaluated(mnist, "--quantized", path)
        tops.append(result["rows"][-1]["top1"])
        assert result["quantized"]["second_points"] == (45 if more else 0)
    assert tops[1] > tops[0] + 20


@pytest.fixture(scope="module")
def reordered(mnist: Path) -> Path:
    """Calibrated clips, and channels in an order for 2opt."""
    path = mnist / "reordered.json"
    out = invoked(
        *(quantize, mnist / "mnist.onnx", "--data", mnist / "calibration.npz", "--format", "2opt"),
        *("--method", "minmax", "--channel-order", "shared", "--images", 100, "--output", path),
    )
    assert "channel orders" in out
    return path


def test_channel_order(mnist: Path, reordered: Path) -> None:
    """Evaluation and program take it; a machine of another format is refused."""
    found = json.loads(reordered.read_text())
    order = found["decided"]["shared_order"]
    assert order["layers"] == len(found["channel_orders"]) >= 2
    assert found["loss"] == order["loss"] < order["natural_loss"]
    result = evaluated(mnist, "--quantized", reordered, "--formats", "2opt")
    assert result["options"]["channel_order"] == "shared"
    output = mnist / "reordered"
    given = (mnist / "mnist.onnx", "--quantized", reordered, *SMALL, "--output", output)
    assert said(compile, *given) == (f"{reordered}: format must be 2opt, which it is for, not 5opt")
    invoked(compile, *given, "--format", "2opt")
    out = invoked(run, output, "--data", mnist / "test.npz", "--images", 20)
    assert "20 images on golden: logits equal the network's in integers; " in out


def test_correct_bias(mnist: Path) -> None:
    """Weights of 3 bits by calibration lose far less with it; programs have it."""
    losses = []
    path = mnist / "biases.json"
    given = (mnist / "mnist.onnx", "--data", mnist / "calibration.npz", "--method", "minmax")
    for more in ((), ("--correct-bias",)):
        out = invoked(
            *(quantize, *given, "--images", 100, "--weight-bits", 3, *more, "--output", path)
        )
        losses.append(json.loads(path.read_text())["loss"])
    told = json.loads(path.read_text())["decided"]["corrected_biases"]
    assert told["none"] == losses[0]
    assert losses[1] == told["loss"] == min(told[name] for name in ("none", "weights", "sums"))
    assert losses[1] < 0.7 * losses[0]
    assert "biases corrected by none (not kept)" in out
    assert f"calibration without corrected biases: {losses[0]:.6f}" in out.splitlines()
    assert said(
        evaluate, mnist / "mnist.onnx", "--quantized", path, "--recalibrate-batch-norm"
    ) == (f"recalibrate-batch-norm must be left out beside {path}, whose biases it replaces")
    output = mnist / "biases"
    network = (mnist / "mnist.onnx", "--quantized", path, *SMALL, "--output", output)
    assert said(compile, *network, "--format", "2opt") == (
        f"{path}: format must be 5opt, which it is for, not 2opt"
    )
    invoked(compile, *network)
    out = invoked(run, output, "--data", mnist / "test.npz", "--images", 20)
    assert "20 images on golden: logits equal the network's in integers; " in out


def test_no_channel_order(mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing to reorder that is said."""

    def nothing(problem: Any, outcome: Any, *more: Any) -> Any:
        return with_orders(problem, outcome, {})

    monkeypatch.setattr("gen.commands.quantize.with_shared_orders", nothing)
    path = mnist / "natural.json"
    out = invoked(
        *(quantize, mnist / "mnist.onnx", "--data", mnist / "calibration.npz", "--images", 20),
        *("--method", "minmax", "--channel-order", "shared", "--output", path),
    )
    assert "no channels can be reordered" in out
    assert "channel_orders" not in json.loads(path.read_text())


def test_orders_that_no_value_can_be_made_in(mnist: Path, reordered: Path) -> None:
    """Refused by every command, with the name of the file, before any work."""
    values = json.loads(reordered.read_text())
    values["channel_orders"]["linear"] = [*range(1, 16), 0, *range(16, 1568)]
    path = mnist / "edited.json"
    values["options"]["last_layer_windowed"] = True
    path.write_text(json.dumps(values))
    message = f"{path}: linear: the channels that it takes cannot be reordered"
    given = (mnist / "mnist.onnx", "--quantized", path)
    output = mnist / "edited"
    assert said(compile, *given, *SMALL, "--format", "2opt", "--output", output) == message
    assert not output.exists()
    assert said(evaluate, *given, "--data", mnist / "test.npz") == message


@pytest.mark.full
def test_demo(mnist: Path, quantized: Path) -> None:
    out = invoked(
        *(demo, mnist / "mnist.onnx", "--quantized", quantized, "--data", mnist / "test.npz"),
        *("--images", 1, "--layers", "conv3"),
    )
    assert "conv3" in out
    assert "yes" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "data must be given: --data FILE"),
        (("--plot", "x.png"), "plot must be a file that ends in .svg, not x.png"),
        (("--weight-bits", 9), "weight-bits must be an integer from 2 to 8, not 9"),
        (
            ("--method", "minmax", "--passes", 2),
            "passes has no effect where method is minmax: leave it out",
        ),
        (
            ("--format", "8bit", "--channel-order", "shared"),
            "channel-order has no effect where format is 8bit: leave it out",
        ),
        (
            ("--no-vsparq", "--channel-order", "shared"),
            "channel-order has no effect without vsparq where group is 1: leave it out",
        ),
        (
            ("--format", "8bit", "--group", 2),
            "group has no effect where format is 8bit: leave it out",
        ),
        (
            ("--objective", "divergence", "--class-map", "x"),
            "class-map has no effect where objective is divergence: leave it out",
        ),
        (
            ("--method", "minmax", "--extra-columns", 3),
            "weight-bits must be from 2 to 4 with extra-columns, as two points combine to a weight "
            "of 8 bits, not 8",
        ),
        (
            ("--weight-bits", 4, "--extra-columns", "some"),
            "extra-columns must be idle, a number of columns, or a part of all channels such as "
            "25%, not 'some'",
        ),
        (("--cols", 8), "cols has no effect without extra-columns: leave it out"),
        (
            ("--weight-bits", 4, "--extra-columns", "idle", "--cols", 1),
            "cols must be an integer of at least 2, not 1",
        ),
        (
            ("--format", "mxfp4"),
            "format must be 8bit or one of windows that is the same for all layers, not mxfp4: "
            "that is chosen after the clips",
        ),
        (
            ("--format", "auto"),
            "format must be 8bit or one of windows that is the same for all layers, not auto: "
            "that is chosen after the clips",
        ),
    ],
)
def test_refused(mnist: Path, arguments: tuple[Any, ...], message: str) -> None:
    assert said(quantize, mnist / "mnist.onnx", *arguments) == message


NO_PRODUCTS = "attention has no effect without products of two values: leave it out"


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (quantize, ("--attention", "windowed"), f"two.onnx: {NO_PRODUCTS}"),
        *(
            (
                *(command, ("--weight-bits", 4, "--extra-columns", 91)),
                "extra-columns must be at most 90, which are all channels of two.onnx, not 91",
            )
            for command in (quantize, methods)
        ),
        *(
            (
                *(command, ("--output-name", "conv2")),
                "two.onnx: outputs must be logits, (classes,), not (32, 14, 14)",
            )
            for command in (quantize, methods, search)
        ),
        (quantize, ("--weight-bits", 4, "--extra-columns", 90), "cannot read no.npz: No such file"),
    ],
)
def test_models_are_refused_before_images(
    command: Any, arguments: tuple[Any, ...], message: str, mnist: Path, tmp_path: Path
) -> None:
    """Those are not there."""
    model = onnx.load(mnist / "mnist.onnx")
    model.graph.output.append(onnx.ValueInfoProto(name="conv2"))
    onnx.save(model, tmp_path / "two.onnx")
    more = () if command is quantize else ("--calibration", "no.npz")
    output = () if command is methods else ("--output", tmp_path / "output")
    given = (tmp_path / "two.onnx", "--data", "no.npz", *more, *output, *arguments)
    assert said(command, *given).startswith(message)


@pytest.mark.parametrize("command", [quantize, methods, search])
def test_schedulers_are_refused_before_images(
    command: Any, mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support.tasks.CONNECT_SECONDS", 0.1)
    monkeypatch.chdir(tmp_path)
    more = () if command is quantize else ("--calibration", "no.npz")
    given = (mnist / "mnist.onnx", "--data", "no.npz", *more, "--scheduler", "tcp://127.0.0.1:9")
    assert said(command, *given).startswith("cannot reach the scheduler at tcp://127.0.0.1:9: ")


def test_another_order_refused(mnist: Path, reordered: Path) -> None:
    given = (mnist / "mnist.onnx", "--data", mnist / "test.npz", "--quantized", reordered)
    assert said(evaluate, *given, "--channel-order", "calibrated") == (
        f"channel-order has no effect beside quantized, as {reordered} decides it: leave it out"
    )


def test_images_without_labels(mnist: Path, tmp_path: Path) -> None:
    """They are asked for, but for the divergence."""
    data = tmp_path / "images.npz"
    with np.load(mnist / "test.npz") as arrays:
        np.savez(data, images=arrays["images"][:8])
    arguments = (mnist / "mnist.onnx", "--data", data, "--method", "minmax")
    assert said(quantize, *arguments) == (
        f"{data}: no array 'labels'; images and labels are needed"
    )
    output = tmp_path / "q.json"
    invoked(quantize, *arguments, "--objective", "divergence", "--output", output)
    assert QuantizedFile.load(output).decided["objective"] == "divergence"


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (
            *(evaluate, ("--weight-bits", 4)),
            "weight-bits has no effect beside quantized, as FILE decides it: leave it out",
        ),
        (
            *(evaluate, ("--mean", 3)),
            "mean has no effect beside quantized, as FILE decides it: leave it out",
        ),
        (
            *(evaluate, ("--equalize",)),
            "equalize has no effect beside quantized, as FILE decides it: leave it out",
        ),
        (*(evaluate, ("--sparsity", "2:4")), "sparsity must be dense beside quantized, not 2:4"),
        (
            *(compile, ("--calibration", "x")),
            "calibration has no effect beside quantized, as FILE decides it: leave it out",
        ),
        (
            *(compile, ("--format", "3opt")),
            "FILE: format must be 5opt, which it is for, not 3opt",
        ),
        (
            *(compile, ("--weight-bits", 2)),
            "FILE: weight-bits must be at least 3, which its weights have, not 2",
        ),
        (*(demo, ("--format", "2opt")), "FILE: format must be 5opt, which it is for, not 2opt"),
        (
            *(demo, ("--last-layer", "windowed")),
            "last-layer has no effect beside quantized, as FILE decides it: leave it out",
        ),
    ],
)
def test_refused_beside_a_file(
    command: Any,
    arguments: tuple[Any, ...],
    message: str,
    mnist: Path,
    quantized: Path,
    tmp_path: Path,
) -> None:
    own = ("--output", tmp_path) if command is compile else ("--data", mnist / "test.npz")
    given = (mnist / "mnist.onnx", *own, "--quantized", quantized, *arguments)
    assert said(command, *given) == message.replace("FILE", str(quantized))


def test_files_of_another_model(mnist: Path, quantized: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes((mnist / "mnist.onnx").read_bytes() + b"\x3a\x01x")
    with pytest.raises(DataError) as caught:
        invoked(compile, other, "--quantized", quantized, "--output", tmp_path / "program")
    assert str(caught.value).startswith(
        f"{quantized} is of another mnist.onnx than {other}: SHA-256 must be "
    )
    assert said(demo, "--quantized", quantized) == (
        "quantized must come with a model: MODEL.onnx --data FILE"
    )


@pytest.mark.slow
def test_methods(mnist: Path, tmp_path: Path) -> None:
    """Differences are paired; a row of minmax at the most bits is what is lost from."""
    path = tmp_path / "methods.json"
    given = (mnist / "mnist.onnx", "--data", mnist / "test.npz")
    out = invoked(
        *(methods, *given, "--calibration", mnist / "calibration.npz"),
        *("--calibration-images", 40, "--images", 300, "--formats", "5opt,8bit"),
        *("--weight-bits", "8,2", "--passes", 1, "--json", path, "--extra-columns", "idle,20%"),
    )
    assert "least-squares" in out
    every = json.loads(path.read_text())["rows"]
    rows = [row for row in every if "columns" not in row]
    points = [row for row in every if "columns" in row]
    assert [(row["extra_columns"], row["random"]) for row in points] == 6 * [
        *(("idle", False), ("20%", False), ("20%", True)),
    ]
    assert {row["weight_bits"] for row in points} == {2}
    for row in points:
        alone = next(
            each
            for each in rows
            if all(each[key] == row[key] for key in ("weight_bits", "format", "method"))
        )
        assert row["gain"] == pytest.approx(row["top1"] - alone["top1"])
        assert row["one_point_loss"] == alone["loss"]
    assert [(row["weight_bits"], row["format"], row["method"]) for row in rows] == [
        (bits, name, method)
        for bits in (8, 2)
        for name in ("5opt", "8bit")
        for method in ("minmax", "least-squares", "lapq")
    ]
    tops = {(row["weight_bits"], row["format"], row["method"]): row["top1"] for row in rows}
    for row in rows:
        name = row["format"]
        change = row["top1"] - tops[row["weight_bits"], name, "minmax"]
        assert row["difference"] == pytest.approx(change)
        assert row["lost"] == pytest.approx(row["top1"] - tops[8, name, "minmax"])
    lapq = next(row for row in rows if row["method"] == "lapq" and row["weight_bits"] == 2)
    assert lapq["difference"] > 2 * lapq["difference_error"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--weight-bits", "4,8"), "weight-bits must be 8 first, the widest, not 4"),
        (("--weight-bits", "8,1"), "weight-bits must be integers from 2 to 8, not '1'"),
        ((), "calibration must be given: --calibration FILE"),
        (("--cols", "8"), "cols has no effect without extra-columns: leave it out"),
        (
            ("--weight-bits", "8,5", "--extra-columns", "idle"),
            "weight-bits must be from 2 to 4 with extra-columns, as two points combine to a weight "
            "of 8 bits, not 5",
        ),
        (
            ("--extra-columns", "9,9%,none"),
            "extra-columns must be idle, a number of columns, or a part of all channels such as "
            "25%, not 'none'",
        ),
        (
            ("--formats", "7opt"),
            "formats must be some of 5opt, 3opt, 2opt, group2, 8bit, not '7opt'",
        ),
    ],
)
def test_methods_refused(mnist: Path, arguments: tuple[str, ...], message: str) -> None:
    assert said(methods, mnist / "mnist.onnx", *arguments) == message
