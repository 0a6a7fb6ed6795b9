"""Mapped netlists proved equal to the Verilog that they were made of."""

import subprocess
import tempfile
from pathlib import Path

import pyosys

from gen.check import MismatchError
from gen.synthesis.errors import LibraryError
from gen.synthesis.library import Library
from gen.yosys import YosysError, run_yosys

SECONDS = 300
"""Netlists that are not proved equal within this time count as different."""

_ABC = Path(pyosys.__file__).with_name("yosys-abc")


def require_equivalence(verilog: str, netlist: str, library: Library, label: str) -> None:
    """Prove that ``netlist``, a module ``unit`` of the library's cells, does what ``verilog`` does.

    Both begin with all flip-flops at 0; then equal inputs give equal outputs in every cycle, for
    ever. ABC merges the two, finds pairs of signals that are equal by induction over cycles, and
    proves what is left by SAT. The functions of cells are those of the Liberty file as Yosys reads
    it. Raises ``MismatchError`` if the netlist differs, or is not proved equal in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        design, mapped = Path(folder, "design"), Path(folder, "mapped")
        design.with_suffix(".v").write_text(verilog)
        mapped.with_suffix(".v").write_text(netlist)
        try:
            run_yosys([f"read_verilog {design}.v", *_as_latches(design)])
            cells = f"read_liberty -ignore_miss_func {library.path}"
            run_yosys([cells, f"read_verilog {mapped}.v", *_as_latches(mapped)])
        except YosysError as error:
            raise LibraryError(f"Yosys cannot compare with {library.name}: {error}") from None
        commands = [
            f"read_blif {file}.blif; strash; zero; write_aiger {file}.aig"
            for file in (design, mapped)
        ]
        compare = "dsec" if ".latch" in design.with_suffix(".blif").read_text() else "cec"
        script = "; ".join([*commands, f"{compare} {design}.aig {mapped}.aig"])
        try:
            result = subprocess.run(
                [_ABC, "-c", script], capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise MismatchError(
                f"netlist of {label} is not proved equal to its Verilog within {SECONDS} s"
            ) from None
    if "Networks are equivalent." not in result.stdout:
        raise MismatchError(f"netlist of {label} is not proved equal to its Verilog")


def _as_latches(file: Path) -> list[str]:
    """Commands that leave gates and plain flip-flops of the design that was read."""
    return [
        "hierarchy -check -top unit",
        "proc",
        "flatten",
        "opt_clean",
        "setattr -unset init",
        "delete */t:$scopeinfo",
        "simplemap",
        "dfflegalize -cell $_DFF_P_ x",
        "opt_clean",
        "aigmap",
        f"write_blif {file}.blif",
    ]
