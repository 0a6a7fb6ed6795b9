"""Designs proved to do the same: mapped netlists, and the Verilog that they were made of."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyosys

from gen.design.expectation import MismatchError
from gen.library.errors import LibraryError
from gen.library.library import Library
from gen.tools.yosys import YosysError, run_yosys

SECONDS = 300
"""Designs that are not proved equal within this time count as different."""

_ABC = Path(pyosys.__file__).with_name("yosys-abc")


def require_equivalence(verilog: str, netlist: str, library: Library, label: str) -> None:
    """Prove that ``netlist``, a module ``unit`` of the library's cells, does what ``verilog`` does.

    As :func:`are_equivalent`; the functions of cells are those of the Liberty file as Yosys reads
    it. Products are compared as the gates that Yosys makes of them before it maps: two multipliers
    of other structures are not proved equal in time. Raises ``MismatchError`` if the netlist
    differs, or is not proved equal in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        design, mapped = Path(folder, "design.v"), Path(folder, "mapped.v")
        design.write_text(verilog)
        mapped.write_text(netlist)
        read = [f"read_verilog {design}"]
        if " * " in verilog:
            read.append("synth -flatten -noabc -noshare -top unit")
        cells = f"read_liberty -ignore_miss_func {library.path}"
        try:
            equal = are_equivalent(read, [cells, f"read_verilog {mapped}"], "unit")
        except YosysError as error:
            raise LibraryError(f"Yosys cannot compare with {library.name}: {error}") from None
        except TimeoutError:
            raise MismatchError(
                f"netlist of {label} is not proved equal to its Verilog within {SECONDS} s"
            ) from None
    if not equal:
        raise MismatchError(f"netlist of {label} is not proved equal to its Verilog")


def are_equivalent(first: Sequence[str], second: Sequence[str], top: str) -> bool:
    """Whether two designs, read by those commands of Yosys, are proved equal.

    Both begin with all flip-flops at 0; then equal inputs give equal outputs in every cycle, for
    ever. ABC merges the two, finds pairs of signals that are equal by induction over cycles, and
    proves what is left by SAT. Raises ``YosysError``, and ``TimeoutError`` if a step of it takes
    longer than :data:`SECONDS`: Yosys may, too, of memories.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("first", "second")]
        commands = []
        latches = False
        for file, read in zip(files, (first, second), strict=True):
            run_yosys([*read, *_as_latches(file, top)], SECONDS)
            latches |= ".latch" in Path(f"{file}.blif").read_text()
            commands.append(f"read_blif {file}.blif; strash; zero; write_aiger {file}.aig")
        both = f"{files[0]}.aig {files[1]}.aig"
        # Pairs of flip-flops first, of all signals then: dsec by itself takes ten times as long.
        compare = f"miter {both}; scorr -l; scorr; dprove" if latches else f"cec {both}"
        script = "; ".join([*commands, compare])
        try:
            # In the folder, because dprove leaves what it could not prove where it runs.
            result = subprocess.run(
                [_ABC, "-c", script],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
    if "has failed" in result.stdout:
        raise YosysError(f"ABC cannot compare: {result.stdout.strip().splitlines()[-1]}")
    return "UNSATISFIABLE" in result.stdout or "Networks are equivalent" in result.stdout


def _as_latches(file: Path, top: str) -> list[str]:
    """Commands that leave gates and plain flip-flops of the design that was read."""
    return [
        f"hierarchy -check -top {top}",
        "proc",
        "flatten",
        "opt_clean",
        "setattr -unset init",
        "delete */t:$scopeinfo",
        "techmap",
        "dfflegalize -cell $_DFF_P_ x",
        "techmap",
        "opt_clean",
        "aigmap",
        f"write_blif {file}.blif",
    ]
