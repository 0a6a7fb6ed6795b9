"""Mapping of Verilog onto a standard-cell library by Yosys and ABC."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gen.library.errors import LibraryError
from gen.library.library import Library
from gen.tools.yosys import YosysError, run_yosys
from support.errors import RunError


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

# Instances, and assignments of one bit or slice to another: what any structural reader takes.
WRITE_VERILOG = "write_verilog -noattr -noexpr -simple-lhs"


_ABC_FAILED = re.compile(
    r"ABC: execution of script .* failed: (?P<code>return code \d+)|Can't open ABC output file"
)


class MappingError(RunError):
    """No recipe maps a design: one line that says how ABC ended."""


class Mapped(NamedTuple):
    """A mapped netlist: as Yosys writes it in JSON, and as Verilog text; and by which recipe."""

    json: str
    verilog: str
    recipe: str = ""


def map_verilog(
    verilog: str, top: str, library: Library, recipes: Sequence[Recipe]
) -> list[Mapped]:
    """``top`` of a design in Verilog text, flattened and mapped onto ``library`` by each recipe.

    Instances of empty boxes stay as they are. A recipe on which ABC fails is left out: ABC aborts
    on some designs, such as in ``sop`` where no local function depends on its last input. Raises
    ``MappingError`` if none is left, and ``LibraryError`` where Yosys fails.
    """
    found: list[Mapped] = []
    failed: list[str] = []
    while left := recipes[len(found) + len(failed) :]:
        mapped, reason = _map_some(verilog, top, library, left)
        found += mapped
        if reason is not None:
            failed.append(f"{left[len(mapped)].name}: {reason}")
    if not found:
        raise MappingError(f"ABC fails with {library.name} by every recipe: {'; '.join(failed)}")
    return found


def _map_some(
    verilog: str, top: str, library: Library, recipes: Sequence[Recipe]
) -> tuple[list[Mapped], str | None]:
    """What the first recipes make of a design, and how ABC fails with the one behind them, if any.

    One run of Yosys uses them in turn, and ends where ABC fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "design.v").write_text(verilog)
        (path / "adders.v").write_text(_adder_cells(verilog, library))
        liberty = _liberty(library)
        commands = [
            f"read_liberty -lib {library.path}",
            f"read_verilog {path / 'design.v'}",
            f"hierarchy -top {top}",
            "design -save read",
        ]
        for adder_cells in sorted({recipe.adder_cells for recipe in recipes}):
            commands += [
                "design -load read",
                *([f"techmap -map {path / 'adders.v'}"] if adder_cells else []),
                f"synth -flatten -noabc -noshare -top {top}",
                f"dfflibmap {liberty}",
                "opt -full",
                "simplemap",  # opt leaves multiplexers of words where it shares logic
                f"design -save logic{adder_cells:d}",
            ]
        files = [path / recipe.name for recipe in recipes]
        for recipe, file in zip(recipes, files, strict=True):
            file.write_text(recipe.script.replace("; ", "\n") + "\n")
            commands += [
                f"design -load logic{recipe.adder_cells:d}",
                f"abc {liberty} -script {file}",
                "opt_clean -purge",
                f"write_json {file}.json",
                f"{WRITE_VERILOG} {file}.v",
            ]
        reason = None
        try:
            run_yosys(commands)
        except YosysError as error:
            match = _ABC_FAILED.search(str(error))
            if match is None:
                raise _unusable("map", library, error) from None
            reason = match["code"] or "no output"
        done = [file for file in files if Path(f"{file}.v").exists()]
        return [
            Mapped(
                Path(f"{file}.json").read_text(),
                Path(f"{file}.v").read_text().partition("\n")[2],
                file.name,
            )
            for file in done
        ], reason


def map_quickly(verilog: str, top: str, library: Library) -> Mapped:
    """Likewise, but in little time and of no particular size: for what is only simulated.

    Raises ``LibraryError``.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "design.v").write_text(verilog)
        (path / "script").write_text("strash\nmap\n")
        liberty = _liberty(library)
        _run(
            "map",
            library,
            [
                f"read_liberty -lib {library.path}",
                f"read_verilog {path / 'design.v'}",
                f"hierarchy -check -top {top}",
                *("proc", "flatten", "opt_clean", "techmap", "opt -fast"),
                f"dfflibmap {liberty}",
                f"abc {liberty} -script {path / 'script'}",
                "opt_clean -purge",
                f"write_json {path / 'mapped.json'}",
                f"{WRITE_VERILOG} {path / 'mapped.v'}",
            ],
        )
        text = (path / "mapped.v").read_text()
        return Mapped((path / "mapped.json").read_text(), text.partition("\n")[2])


def link(netlists: Sequence[str], top: str, library: Library) -> str:
    """The flat netlist, as Yosys writes it in JSON, of mapped modules that instantiate each other.

    Raises ``LibraryError``.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "netlists.v").write_text("\n".join(netlists))
        _run(
            "link",
            library,
            [
                f"read_liberty -lib {library.path}",
                f"read_verilog {path / 'netlists.v'}",
                f"hierarchy -check -top {top}",
                "flatten",
                "opt_clean -purge",
                f"write_json {path / 'netlist.json'}",
            ],
        )
        return (path / "netlist.json").read_text()


def _liberty(library: Library) -> str:
    """The option that maps onto ``library``, without what its model leaves out."""
    skipped = "".join(f" -dont_use {cell}" for cell in sorted(library.skipped))
    return f"-liberty {library.path}{skipped}"


def _run(purpose: str, library: Library, commands: Sequence[str]) -> None:
    try:
        run_yosys(commands)
    except YosysError as error:
        raise _unusable(purpose, library, error) from None


def _unusable(purpose: str, library: Library, error: YosysError) -> LibraryError:
    return LibraryError(f"Yosys cannot {purpose} with {library.name}: {error}")


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
