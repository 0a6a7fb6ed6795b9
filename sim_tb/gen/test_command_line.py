"""The command line and its make target: exit status, one line of error, what is written."""

import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from gen.cli import COMMANDS, cli
from gen.design.configuration import PRESETS, TOPS
from gen.driver import DRIVER
from support.signals import ENDINGS

SPARQ = Path(sys.executable).parent / "sparq"
REPOSITORY = Path(__file__).resolve().parents[2]
SIDE = "must be an integer from 1 to 256, not"


def sparq(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``sparq`` in ``folder``."""
    return subprocess.run(
        [SPARQ, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


REFUSED = [
    (["--rows", "0"], f"rows {SIDE} 0"),
    (["--rows", "1.5"], f"rows {SIDE} 1.5"),
    (["--rows", "1e1"], f"rows {SIDE} '1e1'"),
    (
        ["--preset", "tiny", "--top", "pe"],
        "preset tiny sets rows, and rows has no effect where top is pe: leave it out",
    ),
    (["--cols", "many"], f"cols {SIDE} 'many'"),
    (["--rows", " 8"], f"rows {SIDE} ' 8'"),
    (["--rows", "٨"], f"rows {SIDE} '٨'"),
    (["--rows", "1_6"], f"rows {SIDE} '1_6'"),
    (
        ["--format", "9opt"],
        "format must be one of 5opt, 3opt, 2opt, 6opt, 7opt, or window bits and shifts such as "
        "4:0,1,4; of signed activations s4opt, s5opt, or such as s4:0,1,3, not '9opt'",
    ),
    (
        ["--top", "engine", "--format", "s5opt", "--encoded-output"],
        "encoded_output must be left out with format s5opt, as each column of results has a zero "
        "point of its own",
    ),
    (["--format", "4:1,4"], "format 4:1,4: shifts must contain 0, not (1, 4)"),
    (["--pe", "8x8", "--format", "3opt"], "format has no effect where pe is 8x8: leave it out"),
    (["--config", "exact.toml"], "vsparq has no effect where pe is 8x8: leave it out"),
    (["--group", "3"], "group must be one of 1, 2, 4, 8, 16, not 3"),
    (["--group", "two"], "group must be one of 1, 2, 4, 8, 16, not 'two'"),
    (["--pe", "4x4"], "pe must be one of sparq, 8x8, 2x8x8, 2x4x8, not '4x4'"),
    (["--top", "core"], f"top must be one of {', '.join(TOPS)}, not 'core'"),
    (["--top", "tensor_core", "--pairs", "0"], "pairs must be an integer from 1 to 16, not 0"),
    (
        ["--preset", "sparse_tensor_core", "--group", "16", "--no-vsparq"],
        "group must be at most 8, the selected activations of a slice, not 16",
    ),
    (["--weight-bits", "9"], "weight_bits must be an integer from 2 to 8, not 9"),
    (["--acc-bits", "16"], "acc_bits must be an integer from 17 to 64, not 16"),
    (
        ["--name", "endmodule"],
        "name must not be a reserved word of SystemVerilog, as 'endmodule' is",
    ),
    (["--name", "in_a"], "name must not be that of a port, as 'in_a' is"),
    (["--top", "pe", "--name", "clk"], "name must not be that of a port, as 'clk' is"),
    (
        ["--name", "2nd"],
        "name must have letters, digits and _ alone, and no digit first, not '2nd'",
    ),
    (["--name", ""], "name must have letters, digits and _ alone, and no digit first, not ''"),
    (["--seed", "3"], "seed must come with --testbench (make: TESTBENCH=1)"),
    (["--testbench", "--seed", "-1"], "seed must be an integer of at least 0, not -1"),
    (["--testbench", "--seed", "x"], "seed must be an integer of at least 0, not 'x'"),
    (["--pipeline", "3"], "pipeline must be an integer from 0 to 2, not 3"),
    (["--pipeline", "deep"], "pipeline must be an integer from 0 to 2, not 'deep'"),
    (["--preset", "huge"], f"preset must be one of {', '.join(PRESETS)}, not 'huge'"),
    (["--config", "missing.toml"], "cannot read missing.toml: No such file or directory"),
    (["--config", "key.toml"], "unknown key 'lines'; allowed are acc_bits, cols, command_depth"),
    (["--config", "type.toml"], f"rows {SIDE} 'many'"),
    (["--config", "text.toml"], "text.toml is not a TOML file: "),
    (["--config", ""], "config must be a path, not ''"),
    (["--output", "file/below"], "cannot write into file/below: file is no folder"),
    (["--output", "file"], "cannot write into file: it is no folder"),
    (["--output", ""], "output must be a path, not ''"),
    (["--json", ""], "json must be a path, not ''"),
    (["--depth", "3"], "No such option"),
]
FILES = {
    "key.toml": "lines = 4\n",
    "type.toml": 'rows = "many"\n',
    "text.toml": "rows: 4\n",
    "exact.toml": 'pe = "8x8"\nvsparq = true\n',
    "file": "",
}


@pytest.mark.every(4)
@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    result = sparq(tmp_path, "verilog", *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"sparq: {message}")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(FILES)


@pytest.mark.every(1)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "--tiles", "0"], "tiles must be an integer from 1 to 1000000, not 0"),
        (["simulate", "--tiles", "x"], "tiles must be an integer from 1 to 1000000, not 'x'"),
        (["simulate", "--tiles", " 8"], "tiles must be an integer from 1 to 1000000, not ' 8'"),
        (["simulate", "--seed", "-1"], "seed must be an integer of at least 0, not -1"),
        (["demo", "--images", "0"], "images must be an integer of at least 1, not 0"),
        (["demo", "--images", "1.5"], "images must be an integer of at least 1, not 1.5"),
        (["prove", "--timeout", "0"], "timeout must be an integer of at least 1, not 0"),
    ],
)
def test_out_of_range(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = sparq(tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"sparq: {message}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.every(4)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--attention", "windowed"],
            "first-layer, last-layer and attention must come with a model: MODEL.onnx --data FILE",
        ),
        (
            ["x.onnx", "--top", "engine", "--attention", "windowed"],
            "attention has no effect where top is engine: leave it out",
        ),
        (
            ["x.onnx", "--top", "engine", "--layers", "conv1"],
            "layers has no effect where top is engine: leave it out",
        ),
        (
            ["x.onnx", "--data", "x.npz", "--calibration", "x.npz", "--seed", "3"],
            "seed has no effect where calibration is given: leave it out",
        ),
        (["--data", "x.npz"], "data must come with a model: MODEL.onnx --data FILE"),
        (["--task", "ctc"], "task must come with a model: MODEL.onnx --data FILE"),
    ],
)
def test_options_of_the_demo_that_fit_nothing(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    result = sparq(tmp_path, "demo", *arguments)
    assert (result.returncode, result.stderr) == (2, f"sparq: {message}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    paragraph, _, _ = inspect.cleandoc(str(command.help)).partition("\n\n")
    assert COMMANDS[name] == " ".join(paragraph.split())


def test_help_imports_no_command() -> None:
    """What a command needs takes a second to import, which help need not wait for."""
    script = """
import sys
import time
from click.testing import CliRunner
from gen.cli import COMMANDS, cli
result = CliRunner().invoke(cli, ["--help"])
assert all(name in result.output for name in COMMANDS), result.output
print(*(name for name in sys.modules if name.split(".")[0] in ("amaranth", "numpy", "matplotlib")))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["verilgo"], f"one of {', '.join(COMMANDS)}, not 'verilgo'"),
        (["verilog", "--depth", "3"], "--depth"),
        (["verilog", "x"], "x"),
    ],
)
def test_unknown_word(arguments: list[str], named: str, tmp_path: Path) -> None:
    result = sparq(tmp_path, *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("sparq: ")
    assert named in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_success(tmp_path: Path) -> None:
    result = sparq(tmp_path, "verilog", "--preset", "tiny", "--output", "out", "--json", "r.json")
    name = "array_2x3_sparq_5opt_w8_acc32"
    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"wrote out/{name}.v",
        f"wrote out/{name}.json",
        f"wrote out/{name}.vt",
        f"wrote out/{name}.f",
        "wrote r.json",
    ]
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert files == [
        "out",
        *(f"out/{name}.{suffix}" for suffix in ("f", "json", "v", "vt")),
        "r.json",
    ]
    sidecar = json.loads((tmp_path / "r.json").read_text())
    assert sidecar == json.loads((tmp_path / "out" / f"{name}.json").read_text())
    assert (sidecar["top"], sidecar["rows"], sidecar["cols"]) == (name, 2, 3)


def test_name_and_test_bench(tmp_path: Path) -> None:
    arguments = ("--top", "encoder", "--name", "squeeze", "--testbench", "--seed", "7")
    result = sparq(tmp_path, "verilog", *arguments, "--output", ".")
    assert result.returncode == 0, result.stderr
    files = ["squeeze.v", "squeeze.json", "squeeze.vt", "squeeze.f", "squeeze_tb.v"]
    assert result.stdout.splitlines() == [f"wrote {name}" for name in files]
    assert "seed 7;" in (tmp_path / "squeeze_tb.v").read_text()
    assert json.loads((tmp_path / "squeeze.json").read_text())["top"] == "squeeze"


@pytest.mark.slow
def test_engine(tmp_path: Path) -> None:
    """Its registers and driver come with it, and a page where that is asked for."""
    size = ("--rows", "2", "--cols", "2", "--weight-depth", "4")
    arguments = ("verilog", "--top", "engine", *size, "--name", "own", "--output", ".")
    result = sparq(tmp_path, *arguments)
    assert result.returncode == 0, result.stderr
    files = [*(f"own.{suffix}" for suffix in ("v", "json", "vt", "f"))]
    files += ["own_registers.rdl", "own_registers.h", "sparq_engine.h"]
    assert result.stdout.splitlines() == [f"wrote {name}" for name in files]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    assert (tmp_path / "own.f").read_text() == "own.v\n"
    assert (tmp_path / "sparq_engine.h").read_bytes() == DRIVER.read_bytes()
    # The registers are those of this configuration.
    own = json.loads((tmp_path / "own.json").read_text())["hash"]
    header = (tmp_path / "own_registers.h").read_text()
    assert f"OWN__HASH_LOW__VALUE_reset 0x{int(own[8:], 16):x}\n" in header

    (tmp_path / "own_registers").mkdir()
    (tmp_path / "own_registers" / "stale").touch()
    result = sparq(tmp_path, *arguments, "--register-page")
    assert result.returncode == 0, result.stderr
    files.append("own_registers/index.html")
    assert result.stdout.splitlines() == [f"wrote {name}" for name in files]
    assert (tmp_path / "own_registers" / "index.html").is_file()
    assert not (tmp_path / "own_registers" / "stale").exists()
    assert len(list(tmp_path.iterdir())) == len(files)


def test_register_page_without_registers(tmp_path: Path) -> None:
    result = sparq(tmp_path, "verilog", "--top", "encoder", "--register-page")
    assert result.returncode == 2
    assert result.stderr == (
        "sparq: register-page must come with --top engine or accelerator "
        "(make: TOP=engine or accelerator)\n"
    )
    assert not list(tmp_path.iterdir())


def test_what_programs_are_not_for(tmp_path: Path) -> None:
    arguments = ("compile", "x.onnx", "--calibration", "y.npz", "--top", "engine")
    result = sparq(tmp_path, *arguments)
    assert (result.returncode, result.stderr) == (
        *(2, "sparq: top must be accelerator to compile a network, not 'engine'\n"),
    )
    assert not list(tmp_path.iterdir())


def test_json_in_place_of_what_is_emitted(tmp_path: Path) -> None:
    arguments = ("--top", "encoder", "--name", "own", "--output", ".", "--json", "own.v")
    result = sparq(tmp_path, "verilog", *arguments)
    assert result.returncode == 2
    assert result.stderr == "sparq: json must be none of the files that are emitted, not own.v\n"
    assert not list(tmp_path.iterdir())


def test_json_in_the_folder_of_the_page(tmp_path: Path) -> None:
    size = ("--top", "engine", "--rows", "2", "--cols", "2", "--weight-depth", "4")
    arguments = ("--name", "own", "--output", ".", "--register-page")
    for json_file in ("own_registers", "own_registers/r.json"):
        result = sparq(tmp_path, "verilog", *size, *arguments, "--json", json_file)
        assert (result.returncode, result.stderr) == (
            2,
            f"sparq: json must be none of the files that are emitted, not {json_file}\n",
        )
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("blocked", ["own_tb.v", "own.f"])
def test_nothing_is_written_where_one_file_cannot_be(blocked: str, tmp_path: Path) -> None:
    (tmp_path / blocked).mkdir()
    arguments = ("--top", "encoder", "--name", "own", "--testbench", "--output", ".")
    result = sparq(tmp_path, "verilog", *arguments, "--json", "r.json")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"sparq: cannot write {blocked}: it is a folder\n"
    assert [path.name for path in tmp_path.iterdir()] == [blocked]


def test_json_to_what_is_no_file(tmp_path: Path) -> None:
    """It is written after what is printed before it, and stays what it is."""
    arguments = ("--top", "encoder", "--name", "own", "--output", ".", "--json", "/dev/stdout")
    result = sparq(tmp_path, "verilog", *arguments)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "own.json").read_text()
    names = [f"wrote own.{suffix}\n" for suffix in ("v", "json", "vt", "f")]
    assert result.stdout == "".join((*names, text, "wrote /dev/stdout\n"))


def test_default_folder(tmp_path: Path) -> None:
    result = sparq(tmp_path, "verilog", "--top", "encoder", "--format", "3opt", "--no-rounding")
    assert result.returncode == 0
    assert (tmp_path / "build" / "verilog" / "encoder_sparq_3opt_trim.v").is_file()


def test_group(tmp_path: Path) -> None:
    arguments = ("--top", "encoder", "--group", "4", "--json", "r.json", "--output", ".")
    result = sparq(tmp_path, "verilog", *arguments)
    assert result.returncode == 0, result.stderr
    sidecar = json.loads((tmp_path / "r.json").read_text())
    assert (sidecar["top"], sidecar["group"]) == ("encoder_sparq_5opt_group4", 4)


def test_json_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = sparq(tmp_path, "verilog", "--top", "encoder", "--json", "file/result.json")
    assert result.returncode == 2
    assert result.stderr.startswith("sparq: cannot write into file: it is no folder")
    assert result.stderr.count("\n") == 1


@pytest.mark.every(1)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--preset", "tiny"], (2, 3, "sparq")),
        (["--preset", "tiny", "--config", "c.toml"], (2, 5, "8x8")),
        (["--config", "c.toml", "--preset", "tiny"], (2, 5, "8x8")),
        (["--preset", "tiny", "--config", "c.toml", "--cols", "4"], (2, 4, "8x8")),
        (["--preset", "tiny", "--rows", "1", "--pe", "2x8x8"], (1, 3, "2x8x8")),
    ],
)
def test_precedence(arguments: list[str], expected: tuple[int, int, str], tmp_path: Path) -> None:
    """A preset gives way to a file, and a file to the command line."""
    (tmp_path / "c.toml").write_text('cols = 5\npe = "8x8"\n')
    result = sparq(tmp_path, "verilog", *arguments, "--output", ".", "--json", "r.json")
    assert result.returncode == 0, result.stderr
    sidecar = json.loads((tmp_path / "r.json").read_text())
    assert (sidecar["rows"], sidecar["cols"], sidecar["pe"]) == expected


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``make`` in the repository, without what an outer ``make`` passes down."""
    if shutil.which("make") is None:
        pytest.skip("no make")
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["ROUNDING", "VSPARQ"])
def test_make_refuses_a_flag(name: str, tmp_path: Path) -> None:
    result = make("verilog", f"{name}=2", f"OUTPUT={tmp_path / 'out'}")
    assert result.returncode != 0
    assert f"{name} must be 0 or 1, not 2" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_make_passes_options_on(tmp_path: Path) -> None:
    result = make(
        "verilog", "TOP=pe", "ROUNDING=0", "VSPARQ=1", "GROUP=4", "PIPELINE=1", f"OUTPUT={tmp_path}"
    )
    assert result.returncode == 0, result.stderr
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        f"pe_sparq_5opt_trim_group4_w8_acc32_p1.{suffix}" for suffix in ("f", "json", "v", "vt")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["verilog", "ROW=4"],
            "make verilog does not know ROW; it takes ACC_BITS COLS COMMAND_DEPTH ",
        ),
        (["verilog", "verilgo"], "make has no target verilgo; it has help setup verilog simulate "),
        (["verilog", "ROWS=", "NAME="], "NAME ROWS must have a value, or be left out"),
        (
            ["verilog", "rows=4"],
            "make verilog does not know rows; it takes ACC_BITS COLS COMMAND_DEPTH ",
        ),
        (["simulate", "OUTPUT=x"], "make simulate does not know OUTPUT; it takes ACC_BITS COLS "),
        (["demo", "ROWS=4"], "make demo does not know ROWS; it takes FORMAT IMAGES JSON KEEP TOP"),
        (["clean", "ROWS=4"], "make clean does not know ROWS; it takes no variables"),
        (["evaluate", "CALIBRATION=a.npz"], "CALIBRATION must come with MODEL or DATA"),
        (["ROWS=4"], "make help does not know ROWS; it takes no variables"),
        (["verilog", "ROUNDING=0 1"], "ROUNDING must be 0 or 1, not 0 1"),
    ],
)
def test_make_names_what_a_target_does_not_take(arguments: list[str], message: str) -> None:
    result = make(*arguments)
    assert result.returncode != 0
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_make_refuses_a_folder_that_verilator_cannot_be_in(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    result = subprocess.run(["make"], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert f"The path of this folder must have no spaces, not {folder}" in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["Makefile"]


@pytest.mark.every(1)
@pytest.mark.parametrize(
    "value",
    [
        '4" --cols "3',
        "4 --cols 3",
        "$$(touch {})",
        "$(shell touch {})",
        "`touch {}`",
        "4; touch {}",
    ],
)
def test_make_variables_are_values_alone(value: str, tmp_path: Path) -> None:
    """Neither the shell nor make runs what is in them, and one option stays one."""
    made = tmp_path / "made"
    given = value.format(made)
    result = make("verilog", f"ROWS={given}", f"OUTPUT={tmp_path / 'out'}")
    assert result.returncode != 0
    assert result.stderr.startswith(f"sparq: rows {SIDE} {given!r}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("given", "shared"), [([], "../shared/data"), (["SHARED=a"], "a")])
def test_shared_has_a_default(given: list[str], shared: str) -> None:
    """As the programs see it."""
    # Fails, so that nothing else is done.
    show = "evaluate-shared: shown\nshown: ; @printf '[%s]' \"$$SHARED\"; false"
    result = make("--eval", show, "evaluate-shared", *given)
    assert result.stdout == f"[{shared}]", result.stderr


def test_make_takes_any_text_as_a_value(tmp_path: Path) -> None:
    folder = tmp_path / "a 'b' $c"
    result = make("verilog", "TOP=encoder", "FORMAT=4:0,1,4", f"OUTPUT={folder}")
    assert result.returncode == 0, result.stderr
    assert (folder / "encoder_sparq_4b_0_1_4.v").is_file()


INTERRUPTED = """
import os, signal, sys
sys.argv[0] = "sparq"

class Interrupt:
    def find_spec(self, name, *_):
        if name == {moment!r}:
            os.kill(os.getpid(), {signum})

sys.meta_path.insert(0, Interrupt())
from gen.cli import main
main()
"""

HUNG_UP = """
import os, signal
from support.signals import Endings

endings = Endings("sparq")
with endings.within():
    endings.by_exception()
    os.kill(os.getpid(), signal.SIGHUP)
    print("stays")
"""

LOST = """
import sys, time
sys.argv[0] = "sparq"
import gen.cli
import support.signals
from gen.commands.verilog import verilog

def lost(**_):
    print("running", flush=True)
    while True:
        try:
            time.sleep(0.1)
        except BaseException:
            pass

support.signals.GRACE_SECONDS = 0.5
verilog.callback = lost
gen.cli.main()
"""


@pytest.mark.parametrize(
    ("moment", "signum"),
    [
        *(
            (moment, signal.SIGINT)
            for moment in ("importlib.util", "click", "gen.commands.verilog")
        ),
        *(("gen.tools.amaranth_yosys", signum) for signum in ENDINGS),
    ],
)
def test_a_signal_while_imports_run_is_one_line(
    moment: str, signum: signal.Signals, tmp_path: Path
) -> None:
    program = INTERRUPTED.format(moment=moment, signum=int(signum))
    done = subprocess.run(
        [sys.executable, "-c", program, "verilog"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    text, status = ENDINGS[signum]
    assert (done.returncode, done.stdout, done.stderr) == (status, "", f"sparq: {text}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("times", "signum"), [(1, signal.SIGINT), (2, signal.SIGINT), (1, signal.SIGTERM)]
)
def test_a_signal_that_is_lost_ends_the_command_all_the_same(
    times: int, signum: signal.Signals
) -> None:
    """After a while, or at the second one."""
    with subprocess.Popen(
        [sys.executable, "-c", LOST, "verilog"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        for _ in range(times):
            process.send_signal(signum)
            time.sleep(0.2)
        _, errors = process.communicate(timeout=60)
    text, status = ENDINGS[signum]
    assert (process.returncode, errors) == (status, f"sparq: {text}\n")


def test_a_command_under_nohup_stays(tmp_path: Path) -> None:
    done = subprocess.run(
        ["nohup", sys.executable, "-c", HUNG_UP], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "stays\n")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 1, 2, 4, pytest.param(8, marks=pytest.mark.full)])
def test_an_interrupt_is_one_line(seconds: float, tmp_path: Path) -> None:
    """While it imports, builds and simulates."""
    arguments = [str(SPARQ), "simulate", "--rows", "2", "--cols", "2", "--tiles", "1000000"]
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == ""
    lines = [line for line in errors.splitlines() if "Traceback" in line or "sparq:" in line]
    assert lines == ["sparq: interrupted"]
