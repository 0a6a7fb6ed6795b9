"""Mapping of Verilog onto a standard-cell library by Yosys and ABC."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pyosys import libyosys

from gen.emission import silent_standard_output
from gen.synthesis.library import Library


@dataclass(frozen=True)
class Recipe:
    """How logic is mapped.

    Attributes
    ----------
    name : str
    adder_cells : bool
        Full and half adders become the library's cells, which ABC leaves alone; otherwise they are
        logic as all else.
    script : str
        Commands of ABC.
    """

    name: str
    adder_cells: bool
    script: str


# What differs is how logic is restructured before it is mapped. Flip-flops and adder cells bound
# what ABC sees, so it is two-level logic (operand selection, multiplexers), where sharing of
# cubes (fx) matters most.
_SCRIPTS = {
    "plain": "strash; dch; map -a",
    "area-nodes": "fx; strash; renode -K 6; sop; fx; strash; dch; amap",
    "area-rewrite": "fx; strash; dc2; dch; amap",
    "area-care": "strash; dch; if -K 6 -a; mfs2 -a; lutpack; sop; fx; strash; map -a",
    "area-sized": "fx; strash; dch; map -a; topo; buffer -c; upsize; dnsize",
    "depth": "strash; ifraig; dc2; dch -f; map -B 0.9; topo; buffer -c; upsize; dnsize",
}

RECIPES = tuple(
    Recipe(f"{name}{'+adders' if adder_cells else ''}", adder_cells, script)
    for adder_cells in (True, False)
    for name, script in _SCRIPTS.items()
)
"""The same for all units of a table."""


class Mapped(NamedTuple):
    """A mapped netlist: as Yosys writes it in JSON, and as Verilog text."""

    json: str
    verilog: str


def map_verilog(
    verilog: str, top: str, library: Library, recipes: Sequence[Recipe]
) -> list[Mapped]:
    """``top`` of a design in Verilog text, flattened and mapped onto ``library`` by each recipe.

    Instances of empty boxes stay as they are. Yosys ends the process where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "design.v").write_text(verilog)
        (path / "adders.v").write_text(_adder_cells(verilog, library))
        # What the model of the library leaves out must not be used either.
        skipped = "".join(f" -dont_use {cell}" for cell in sorted(library.skipped))
        design = libyosys.Design()

        def run(*commands: str) -> None:
            for command in commands:
                libyosys.run_pass(command, design)

        found = []
        with silent_standard_output():
            run(f"read_liberty -lib {library.path}", f"read_verilog {path / 'design.v'}")
            run(f"hierarchy -top {top}", "design -save read")
            for adder_cells in sorted({recipe.adder_cells for recipe in recipes}):
                run("design -load read")
                if adder_cells:
                    run(f"techmap -map {path / 'adders.v'}")
                run(f"synth -flatten -noabc -noshare -top {top}")
                # opt leaves multiplexers of words where it shares logic.
                run(f"dfflibmap -liberty {library.path}{skipped}", "opt -full", "simplemap")
                run(f"design -save logic{adder_cells:d}")
            for recipe in recipes:
                (path / "script").write_text(recipe.script.replace("; ", "\n") + "\n")
                run(f"design -load logic{recipe.adder_cells:d}")
                run(f"abc -liberty {library.path}{skipped} -script {path / 'script'}")
                run("opt_clean -purge", f"write_json {path / 'netlist.json'}")
                run(f"write_verilog -noattr {path / 'netlist.v'}")
                _, _, text = (path / "netlist.v").read_text().partition("\n")
                found.append(Mapped((path / "netlist.json").read_text(), text.strip() + "\n"))
        return found


def _adder_cells(verilog: str, library: Library) -> str:
    """Modules that put the library's adder cells in place of the design's."""
    modules = []
    cells = (("full_adder", "abc", library.full_adder), ("half_adder", "ab", library.half_adder))
    for suffix, inputs, cell in cells:
        if cell is None:
            continue
        pins = dict(zip(cell.inputs, inputs, strict=True))
        pins |= {cell.sum: "total", cell.carry: "carry"}
        wires = ", ".join(f".{pin}({port})" for pin, port in pins.items())
        ports = ", ".join(inputs)
        for name in re.findall(rf"^module (\w*{suffix})\(", verilog, re.MULTILINE):
            modules.append(
                f"module {name}({ports}, total, carry); input {ports}; output total, carry; "
                f"{cell.cell} _TECHMAP_REPLACE_ ({wires}); endmodule\n"
            )
    return "".join(modules)
