"""Units mapped by all recipes, the best one verified: area, delay and energy."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from gen.configuration import MACHINES
from gen.emission import Emission
from gen.files import write_if_changed
from gen.synthesis.energy import Operands, energy_per_mac
from gen.synthesis.hierarchy import below, count_parts, top_alone
from gen.synthesis.library import Library, load_library
from gen.synthesis.mapping import RECIPES, Mapped, Recipe, map_verilog
from gen.synthesis.netlist import parse_netlist
from gen.synthesis.timing import critical_path
from gen.synthesis.units import HARNESS_SIDE, Unit
from gen.synthesis.verification import verify_array, verify_encoder

HARNESS_RECIPES = RECIPES[:1]
"""For what is around a netlist that is verified; any will do."""

LARGEST_VERIFIED = 16
"""Rows of the largest array whose control is simulated."""


@dataclass(frozen=True)
class Candidate:
    """What one recipe made of a module: delays in ps, area in the library's unit.

    ``netlists`` are the Verilog texts of its modules, mapped: module name -> text; the only one is
    called ``unit`` but in arrays that are measured by their parts.
    """

    recipe: str
    area: float
    delay_ps: float
    limited_by: str
    cells: int
    flip_flops: int
    json: str
    netlists: dict[str, str]


@dataclass(frozen=True)
class Checked:
    """What is known of a candidate that was chosen: vectors it was verified on, energy in fJ."""

    verified_vectors: int
    energy_per_mac: dict[str, float]


class Workshop:
    """A library, and a folder that remembers what was measured with it.

    Results are found again by the hash of the Verilog, the library, the recipes and the programs
    that made them.
    """

    def __init__(self, library: str | Path, folder: Path):
        self.folder = folder
        self.library: Library = load_library(library, folder)

    def candidates(self, unit: Unit) -> list[Candidate]:
        """What each recipe makes of ``unit``, which is flattened."""
        return self._mapped(unit.verilog("unit"), "unit")

    def best(self, unit: Unit, target_ps: float) -> Candidate:
        """The smallest candidate that meets the target, or the fastest one if none does.

        A machine is the sum of its parts but where it is ``flat``; its delay is the slowest one's.
        """
        if unit.unit in MACHINES and not unit.flat:
            return self._by_parts(unit, target_ps)
        return choose(self.candidates(unit), target_ps)

    def check(self, unit: Unit, candidate: Candidate, operands: Sequence[Operands]) -> Checked:
        """Verify a candidate, and simulate it for its energy. Raises ``MismatchError``."""
        names = [operand.name for operand in operands]
        path = self._cache("checked", *candidate.netlists.values(), repr(unit), *names)
        if path.is_file():
            return Checked(**json.loads(path.read_text()))
        energies: dict[str, float] = {}
        if unit.unit == "encoder":
            vectors = verify_encoder(
                unit, parse_netlist(candidate.json, self.library), self.library
            )
        else:
            vectors = self._verify(unit, candidate)
        if unit.unit == "pe":
            netlist = parse_netlist(candidate.json, self.library)
            energies = {
                operand.name: energy_per_mac(unit, netlist, self.library, operand)
                for operand in operands
            }
        checked = Checked(vectors, energies)
        write_if_changed(path, json.dumps(asdict(checked)))
        return checked

    def _mapped(self, verilog: str, top: str) -> list[Candidate]:
        path = self._cache("mapped", verilog, top)
        if path.is_file():
            return [Candidate(**entry) for entry in json.loads(path.read_text())]
        mapped = map_verilog(verilog, top, self.library, RECIPES)
        found = [
            self._candidate(top, recipe, result)
            for recipe, result in zip(RECIPES, mapped, strict=True)
        ]
        write_if_changed(path, json.dumps([asdict(candidate) for candidate in found]))
        return found

    def _candidate(self, top: str, recipe: Recipe, mapped: Mapped) -> Candidate:
        netlist = parse_netlist(mapped.json, self.library)
        timing = critical_path(netlist, self.library)
        return Candidate(
            recipe=recipe.name,
            area=netlist.area(self.library),
            delay_ps=round(timing.delay_ps, 1),
            limited_by=f"{timing.start} to {timing.end}",
            cells=netlist.cells,
            flip_flops=netlist.flip_flops,
            json=mapped.json,
            netlists={top: mapped.verilog},
        )

    def _by_parts(self, unit: Unit, target_ps: float) -> Candidate:
        """An array as the sum of its parts and of what is left of it without them."""
        verilog = unit.verilog("unit")
        counts = count_parts(verilog, "unit")
        chosen = {
            part: choose(self._mapped(below(verilog, part), part), target_ps) for part in counts
        }
        slowest = max(chosen, key=lambda part: chosen[part].delay_ps)
        area, cells, flip_flops = self._own_logic(verilog)
        return Candidate(
            recipe="parts",
            area=area + sum(counts[part] * found.area for part, found in chosen.items()),
            delay_ps=chosen[slowest].delay_ps,
            limited_by=f"{slowest.removeprefix('unit_')}: {chosen[slowest].limited_by}",
            cells=cells + sum(counts[part] * found.cells for part, found in chosen.items()),
            flip_flops=flip_flops
            + sum(counts[part] * found.flip_flops for part, found in chosen.items()),
            json="",
            netlists={part: found.netlists[part] for part, found in chosen.items()},
        )

    def _own_logic(self, verilog: str) -> tuple[float, int, int]:
        """Area, cells and flip-flops of an array without its parts."""
        path = self._cache("own", verilog)
        if not path.is_file():
            around = top_alone(verilog, "unit")
            (mapped,) = map_verilog(around, "unit", self.library, HARNESS_RECIPES)
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
        area, cells, flip_flops = json.loads(path.read_text())
        return area, cells, flip_flops

    def _verify(self, unit: Unit, candidate: Candidate) -> int:
        """Verify netlists as they stand in an array; what is around them is mapped too.

        A processing element stands in a small array; the parts of an array in one of as many rows
        and two columns.
        """
        if unit.flat:
            netlist = parse_netlist(candidate.json, self.library)
            return verify_array(unit, netlist, self.library, unit.rows or 1, unit.cols or 1)
        part = {"pe": "unit_pe", "dot_product": "unit_dot_product_unit"}.get(unit.unit)
        rows = HARNESS_SIDE
        netlists = candidate.netlists if part is None else {part: candidate.netlists["unit"]}
        if part is None:
            rows = min(unit.rows or 1, LARGEST_VERIFIED)
        harness = Emission("unit").verilog(unit.machine(rows, HARNESS_SIDE))
        parts = count_parts(harness, "unit")
        for part, text in netlists.items():
            if part in parts and (unit.rows in (None, rows) or "_tile_" not in part):
                harness = _replace_module(harness, part, text)
        (mapped,) = map_verilog(harness, "unit", self.library, HARNESS_RECIPES)
        netlist = parse_netlist(mapped.json, self.library)
        return verify_array(unit, netlist, self.library, rows, HARNESS_SIDE)

    def _cache(self, kind: str, *parts: str) -> Path:
        text = "\0".join((kind, *parts, self.library.digest, repr(RECIPES), _programs()))
        digest = hashlib.sha256(text.encode()).hexdigest()[:24]
        return self.folder / "cache" / f"{kind}_{digest}.json"


def choose(candidates: Sequence[Candidate], target_ps: float) -> Candidate:
    """The smallest that meets the target, or the fastest one if none does."""
    fitting = [candidate for candidate in candidates if candidate.delay_ps <= target_ps]
    if fitting:
        return min(fitting, key=lambda candidate: (candidate.area, candidate.delay_ps))
    return min(candidates, key=lambda candidate: (candidate.delay_ps, candidate.area))


def _replace_module(design: str, name: str, replacement: str) -> str:
    """``design`` with the text of module ``name`` replaced by that of another one."""
    rest, count = re.subn(
        rf"^module {name}\(.*?^endmodule\n", "", design, count=1, flags=re.DOTALL | re.MULTILINE
    )
    assert count == 1, name
    return rest + re.sub(r"^module \w+\(", f"module {name}(", replacement, flags=re.MULTILINE)


def _programs() -> str:
    """What results depend on beside their inputs: the programs that measure, and their tools."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return f"{digest.hexdigest()} {version('pyosys')} {np.__version__}"
