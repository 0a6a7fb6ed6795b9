"""``sparq compile`` and ``sparq run``: files of the network for MNIST, and what is refused."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gen.commands.compile import compile
from gen.commands.run import run
from networks.samples.mnist.files import write_files
from sim_tb.repository.sources import ROOT
from support.errors import InputError

SMALL = ("--rows", "8", "--cols", "8", "--scratchpad", "8", "--memory-bits", "64")


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    write_files(folder)
    return folder


@pytest.fixture(scope="module")
def compiled(mnist: Path) -> Path:
    output = mnist / "compiled"
    calibration = ("--calibration", str(mnist / "calibration.npz"), "--calibration-images", "20")
    files = ("--json", str(mnist / "layers.json"), "--roofline", str(mnist / "roofline.svg"))
    arguments = [
        str(mnist / "mnist.onnx"),
        *calibration,
        *SMALL,
        "--output",
        str(output),
        "--report",
        *files,
    ]
    result = CliRunner().invoke(compile, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    [summary] = [line for line in lines if line.startswith("mnist.onnx: 5 steps")]
    for name in ("conv1", "conv2", "pool", "conv3", "linear", "all"):
        assert any(line.split()[:1] == [name] for line in lines)
    wrote = lines[-1]
    assert summary.startswith("mnist.onnx: 5 steps, 2 of them in stripes; ")
    assert "2 of 4 layers windowed" in summary
    assert wrote == f"wrote {output}"
    return output


def test_images_run_on_golden(mnist: Path, compiled: Path) -> None:
    (mnist / "mnist.toml").rename(mnist / "moved.toml")  # all that is needed is in the folder
    report = mnist / "report.json"
    data = ("--data", str(mnist / "test.npz"), "--images", "3", "--json", str(report))
    result = CliRunner().invoke(run, [str(compiled), *data], catch_exceptions=False)
    (mnist / "moved.toml").rename(mnist / "mnist.toml")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2] == (
        "3 images on golden: logits equal the network's in integers; 3 of 3 classes right "
        "(100.00 %)"
    )
    found = json.loads(report.read_text())
    assert found == {
        "images": 3,
        "on": "golden",
        "task": "classification",
        "equal": True,
        "right": 3,
    }


def test_what_is_made_says_what_it_was_made_of(compiled: Path) -> None:
    made = json.loads((compiled / "map.json").read_text())
    assert made["configuration"]["rows"] == 8
    assert [each["reason"] for each in made["layers"]] == ["first layer", "", "", "last layer"]
    assert made["data"]["preprocessing"]["scale"] == [255]
    assert made["shape"]["lines"] == 256


def test_the_report_adds_up(mnist: Path, compiled: Path) -> None:
    report = json.loads((mnist / "layers.json").read_text())
    made = json.loads((compiled / "map.json").read_text())
    layers, total = report["layers"], report["total"]
    assert [each["layer"] for each in layers] == ["conv1", "conv2", "pool", "conv3", "linear"]
    assert total["descriptors"] == made["program"]["descriptors"] - 1  # but END
    for name in ("cycles", "slices", "loaded", "stored", "streamed"):
        assert total[name] == sum(each[name] for each in layers)
    streams = sum(each["stream_bytes"] * each["stripes"] for each in made["steps"])
    assert total["streamed"] == streams
    # conv1: two columns of tiles, two tiles for each of 14 rows; 49 slices, in two planes.
    assert layers[0]["slices"] == 2 * (2 * 14) * 49 * 2
    for each in layers:
        assert each["slices"] <= each["computing"] <= each["cycles"]
        assert each["bound"] == (
            "compute" if each["computing"] >= 0.9 * each["cycles"] else "memory"
        )
    # conv1: 16 channels of 196 pixels, of 49 words of two channels. In planes half as many in a
    # cycle as conv2; the pool has as many as rows times channels of a word.
    assert layers[0]["products"] == 16 * 196 * 49 * 2
    assert [each["most_products"] for each in layers] == [64, 128, 16, 128, 64]
    for each in layers:
        traffic = each["loaded"] + each["stored"] + each["streamed"]
        assert each["products_per_byte"] == each["products"] / traffic
        by_memory = each["products"] / (traffic / 8)
        assert each["roof"] == ("compute" if by_memory >= each["most_products"] else "memory")
        assert each["products"] <= each["most_products"] * each["computing"]
    assert {each["roof"] for each in layers} == {"compute", "memory"}
    # Of windows alone twice as fast as 8x8, but the first and the last layer.
    assert 1.2 < report["rivals"]["8x8"] / total["cycles"] < 1.8
    assert 0.5 < report["rivals"]["2x8x8"] / total["cycles"] < 1
    assert layers[2]["slices"] == 0 == layers[2]["utilization"]
    # Nothing is multiplied beside the machine.
    assert report["other_lanes"] == total["cycles"]


def test_a_reduction_that_is_too_long_is_refused_at_once(mnist: Path, tmp_path: Path) -> None:
    calibration = ("--calibration", str(mnist / "calibration.npz"))
    arguments = [str(mnist / "mnist.onnx"), *calibration, *SMALL, "--weight-depth", "100"]
    result = CliRunner().invoke(compile, [*arguments, "--output", str(tmp_path / "output")])
    text = "conv3: the reduction takes 144 slices of weights, and the machine holds 100"
    assert str(result.exception) == text
    assert result.stderr == ""  # no progress


@pytest.mark.parametrize(
    ("scratchpad", "text"),
    [
        ("8", "2 of 2 tensors in memory are stored pairs"),
        ("256", "all tensors stay in the scratchpad: none is stored pairs"),
    ],
)
def test_tensors_that_are_stored_pairs_are_counted(
    scratchpad: str, text: str, mnist: Path, tmp_path: Path
) -> None:
    calibration = ("--calibration", str(mnist / "calibration.npz"), "--calibration-images", "2")
    arguments = [str(mnist / "mnist.onnx"), *calibration, *SMALL, "--scratchpad", scratchpad]
    pairs = ("--encoded-memory", "--output", str(tmp_path / "output"))
    result = CliRunner().invoke(compile, [*arguments, *pairs], catch_exceptions=False)
    assert result.stdout.splitlines()[1:-1] == [text]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ("--acc-bits", "18"),
            "conv1: its sums of products can take 20 bits, and acc_bits is 18",
        ),
        (
            ("--scratchpad", "1"),
            "conv2: the layer takes 48 lines of the scratchpad at least, which has 32: scratchpad "
            "must be at least 2",
        ),
        (
            ("--scratchpad", "1", "--equalize"),
            "conv2: the layer takes 48 lines of the scratchpad at least, which has 32: scratchpad "
            "must be at least 2",
        ),
    ],
)
def test_a_machine_that_is_too_small_is_refused_before_all_images_are_looked_at(
    options: tuple[str, ...], text: str, mnist: Path, tmp_path: Path
) -> None:
    calibration = ("--calibration", str(mnist / "calibration.npz"))
    output = tmp_path / "output"
    arguments = [str(mnist / "mnist.onnx"), *calibration, *SMALL, *options]
    result = CliRunner().invoke(compile, [*arguments, "--output", str(output)])
    assert str(result.exception) == text
    assert result.stderr == ""  # no progress
    assert not output.exists()


def test_exact_layers(mnist: Path, compiled: Path, tmp_path: Path) -> None:
    """What stays at 8 bits takes both planes; a name that is none is refused."""
    given = [str(mnist / "mnist.onnx"), "--calibration", str(mnist / "calibration.npz")]
    given += [*SMALL, "--calibration-images", "20", "--exact-layers"]
    report = tmp_path / "report.json"
    output = ["--output", str(tmp_path / "output"), "--json", str(report)]
    result = CliRunner().invoke(compile, [*given, "conv2", *output], catch_exceptions=False)
    assert "1 of 4 layers windowed" in result.stdout
    layers = json.loads(report.read_text())["layers"]
    before = json.loads((mnist / "layers.json").read_text())["layers"]
    twice = [
        own["slices"] // max(1, old["slices"]) for own, old in zip(layers, before, strict=True)
    ]
    assert twice == [1, 2, 0, 1, 1]
    for name in ("conv9", "auto"):
        result = CliRunner().invoke(compile, [*given, name, "--output", str(tmp_path / "other")])
        text = f"Error: exact-layers must be some of conv1, conv2, conv3, linear, not '{name}'"
        assert result.stderr.splitlines()[-1] == text


def test_sums_of_equalized_weights_are_seen_later(mnist: Path, tmp_path: Path) -> None:
    calibration = ("--calibration", str(mnist / "calibration.npz"), "--calibration-images", "2")
    arguments = [str(mnist / "mnist.onnx"), *calibration, *SMALL, "--acc-bits", "18", "--equalize"]
    result = CliRunner().invoke(compile, [*arguments, "--output", str(tmp_path / "output")])
    assert re.fullmatch(
        r"conv1: its sums of products can take \d+ bits, and acc_bits is 18", str(result.exception)
    )
    assert "compiling" in result.stderr


def test_the_roofline_has_all_layers(mnist: Path, compiled: Path) -> None:
    del compiled
    text = (mnist / "roofline.svg").read_text()
    for word in ("conv1", "conv2", "pool", "conv3", "linear", "128 products in a cycle, 64 bits"):
        assert f"<!-- {word}" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "calibration must be given: --calibration FILE"),
        (
            ["--calibration", "c.npz", "--top", "array"],
            "top must be accelerator to compile a network",
        ),
        (["--calibration", "c.npz", "--memory-bits", "8"], "memory_bits must be one of 32, 64, "),
        (["--calibration", "c.npz", "--rows", "3"], "rows of an accelerator must be a power of "),
        (["--calibration", "c.npz"], "cannot read c.npz: No such file or directory"),
        (
            ["--percentile", "90"],
            "percentile has no effect where calibration-method is mean: leave it out",
        ),
        (
            ["--calibration-method", "percentile", "--percentile", "200"],
            "percentile must be above 50 and at most 100, not 200",
        ),
        (["--calibration", "c.npz", "--format", "s4opt"], "take one such as 5opt or s5opt"),
        (["--calibration", "c.npz", "--pe", "2x4x8"], "needs all 8: take another pe"),
        (
            ["--calibration", "c.npz", "--stream-bits", "8"],
            "stream_bits has no effect where top is",
        ),
        (
            ["--json", "one.svg", "--roofline", "one.svg"],
            "roofline must be another file than that of json, not one.svg",
        ),
        (["--json", "."], "cannot write .: it is a folder"),
        (["--roofline", "file/x.svg"], "cannot write into file: it is no folder"),
        (["--roofline", "x.png"], "roofline must be a file that ends in .svg, not x.png"),
        (["--output", ""], "output must be a path, not ''"),
        (["--percentile", "x"], "percentile must be a number, not 'x'"),
        (["--output", "file/below"], "cannot write into file: it is no folder"),
        (["--output", "file"], "cannot write file: it is no folder"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    text: str,
    mnist: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    arguments = [str(mnist / "mnist.onnx"), "--output", "output", *arguments]
    result = CliRunner().invoke(compile, arguments)
    message = str(result.exception) if isinstance(result.exception, InputError) else result.stderr
    assert text in message
    assert not Path("output").exists()


@pytest.mark.parametrize("option", ["json", "roofline"])
@pytest.mark.parametrize("file", ["output/map.svg", "output/below/x.svg", "link.svg"])
def test_no_other_file_is_in_the_folder(
    option: str, file: str, mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link.svg").symlink_to("output/x.svg")
    arguments = [str(mnist / "mnist.onnx"), "--output", "output", f"--{option}", file]
    result = CliRunner().invoke(compile, arguments)
    text = f"{option} must be a file outside of output, the folder of output, not {file}"
    assert result.stderr.splitlines()[-1] == f"Error: {text}"


def test_the_help_has_what_an_accelerator_has() -> None:
    text = CliRunner().invoke(compile, ["--help"]).stdout
    assert "--scratchpad N" in text
    assert "[default: 2048]" in text
    assert "--encoded-memory" in text
    for option in ("--top ", "--stream-bits", "--encoded-input", "--encoded-output"):
        assert option not in text


def test_a_run_that_is_refused(mnist: Path, compiled: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(run, [str(compiled)])
    assert "data must be given: --data FILE" in result.stderr
    result = CliRunner().invoke(run, [str(compiled), "--images", "0"])
    assert "images must be an integer of at least 1, not 0" in result.stderr
    result = CliRunner().invoke(run, [str(compiled), "--latency", "x"])
    assert "latency must be an integer from 0 to 10000, not 'x'" in result.stderr
    data = ("--data", str(mnist / "test.npz"))
    result = CliRunner().invoke(run, [str(compiled), *data, "--images", "1001"])
    assert "images must be an integer from 1 to 1000, not 1001" in result.stderr
    for name in ("memory.bin", "model.onnx"):
        damaged = tmp_path / "damaged"
        shutil.copytree(compiled, damaged)
        (damaged / name).write_bytes((compiled / name).read_bytes()[:-1])
        result = CliRunner().invoke(run, [str(damaged), *data])
        assert str(result.exception).startswith(f"{damaged / name} does not belong to the other ")
        (damaged / name).unlink()
        result = CliRunner().invoke(run, [str(damaged), *data])
        text = f"cannot read {damaged / name}: No such file or directory"
        assert str(result.exception) == text
        shutil.rmtree(damaged)
    result = CliRunner().invoke(run, [str(tmp_path), *data])
    assert (
        str(result.exception) == f"cannot read {tmp_path / 'map.json'}: No such file or directory"
    )


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["compiler.md", "accelerator.md"])
def test_the_pages_can_be_followed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command, but those that build the RTL."""
    monkeypatch.chdir(tmp_path)
    text = page(name).replace("$M", "build/mnist")
    [folder] = re.findall(
        r"^    .venv/bin/python -m networks.samples.mnist.files (\S+)", text, re.M
    )
    write_files(Path(folder))
    commands = re.findall(r"^    .venv/bin/sparq (.*)$", text, re.MULTILINE)
    printed = []
    for command in commands:
        name, *arguments = shlex.split(command, comments=True)
        if "rtl" not in arguments:
            result = CliRunner().invoke({"compile": compile, "run": run}[name], arguments)
            assert result.exit_code == 0, result.output
            printed.append(result.stdout.splitlines()[-1])
    assert printed
    for wrote, ran in zip(printed[::2], printed[1::2], strict=True):
        assert wrote.startswith("wrote build/")
        assert ran.startswith("10 images on golden: logits equal the network's in integers; ")


@pytest.mark.slow
def test_the_program_of_the_page(tmp_path: Path) -> None:
    """It prints what it says."""
    write_files(tmp_path / "build/mnist")
    [program] = re.findall(r"```python\n(.*?)```", page("compiler.md"), re.DOTALL)
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert [result.stdout.splitlines()[-1]] == re.findall(r"argmax\(axis=1\)\)  # (.*)", program)
