"""Memories cut out of a design: their bits are counted, the logic around them is left."""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from gen.library.errors import LibraryError
from gen.tools.yosys import YosysError, run_yosys

_MEMORY = "$mem_v2"


class WithoutMemories(NamedTuple):
    """The Verilog of a module whose memories stand outside of it, and how many bits these hold."""

    verilog: str
    memory_bits: int


def without_memories(verilog: str, top: str) -> WithoutMemories:
    """Cut the memories out of ``top``, flattened: their pins become its ports.

    A memory has the register behind a read port, as one that is read synchronously does: it is
    no logic. A design without any stays as it is. Raises ``LibraryError`` where Yosys fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "design.v").write_text(verilog)
        try:
            run_yosys(
                [
                    f"read_verilog {path / 'design.v'}",
                    f"hierarchy -check -top {top}",
                    *("proc", "flatten", "opt_clean"),
                    # Enables become the flip-flops', by which a read port knows its register.
                    *("opt_dff", "opt_expr -mux_undef", "opt_clean", "memory -nomap"),
                    # What is written while nothing is may be anything: what it otherwise is.
                    *("opt_expr -mux_undef", "opt -fast -full", "opt_clean"),
                    f"write_json {path / 'memories.json'}",
                    f"expose -evert t:{_MEMORY}",
                    "opt_clean",
                    f"write_verilog -noattr {path / 'logic.v'}",
                ]
            )
        except YosysError as error:
            raise LibraryError(f"Yosys cannot cut memories: {error}") from None
        cells = json.loads((path / "memories.json").read_text())["modules"][top]["cells"]
        sizes = [
            (int(cell["parameters"]["SIZE"], 2), int(cell["parameters"]["WIDTH"], 2))
            for cell in cells.values()
            if cell["type"] == _MEMORY
        ]
        # The first line names the version of Yosys.
        _, _, logic = (path / "logic.v").read_text().partition("\n")
        if not sizes:
            return WithoutMemories(verilog, 0)
        return WithoutMemories(logic, sum(words * width for words, width in sizes))
