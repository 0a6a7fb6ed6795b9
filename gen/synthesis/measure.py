"""Units mapped by all recipes, the best one verified: area, delay and energy."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from gen.design.configuration import MACHINES
from gen.netlist.constraints import CLOCK, constraints
from gen.netlist.netlist import parse_netlist
from gen.synthesis.energy import Energy, Operands, energy_per_mac
from gen.synthesis.equivalence import require_equivalence
from gen.synthesis.mapped import Candidate, MappedModules, Size, choose
from gen.synthesis.mapping import MappingError, link
from gen.synthesis.memories import WithoutMemories
from gen.synthesis.parts import alone, below, boxed, count_parts, ports, renamed, without_outputs
from gen.synthesis.units import HARNESS_SIDE, Unit
from gen.synthesis.verification import verify_array, verify_encoder, verify_requantizer
from gen.verilog.emission import Emission
from support.files import write_if_changed

SIMULATED_BY = (
    *("gen/library", "gen/netlist", "gen/synthesis", "gen/verilog"),
    *("gen/tools/yosys.py", "gen/design/expectation.py"),
    *(
        f"golden/{name}.py"
        for name in ("checks", "format", "named", "matmul", "pairs", "quantize", "requantize")
    ),
    *(f"golden/{name}.py" for name in ("stored", "stored_layout", "structured")),
    *("hdl/catalogue.py", "hdl/elements.py", "hdl/identity.py", "hdl/placement.py"),
    *(f"hdl/{room}" for room in ("arithmetic", "array", "broadcast", "edge", "element", "encode")),
    *(f"hdl/{room}" for room in ("grid", "multiplier", "tensor", "tile")),
)
"""What verification and energy depend on: what is expected, and machines around elements.

Beside their inputs, of which operands are given byte by byte, whatever network they come from.
"""

_ZEROS = re.compile(r"initial begin\s+(?:\w+\s*\[\d+\] = \d+'h0;\s+){1025,}end\n")
"""What a large memory holds at first: Yosys takes minutes of all words of a scratchpad."""

LARGEST_VERIFIED = 16
"""Rows of the largest array whose control is simulated."""

LARGEST_SQUARE = 4
"""Rows of the largest array that is simulated with more than one column."""


@dataclass(frozen=True)
class Checked:
    """What is known of a candidate that was chosen.

    It was verified on so many vectors; elements and encoders are proved equal to their Verilog too.
    Energy is in fJ.
    """

    verified_vectors: int
    proved_equal: bool
    energy_per_mac: dict[str, Energy]


class Workshop(MappedModules):
    """The modules of units, mapped and checked, in a folder that remembers what was measured.

    What is simulated is found again by all that it depends on: golden, networks and components too,
    and the operands.
    """

    def candidates(self, unit: Unit) -> list[Candidate]:
        """What recipes make of ``unit``, flattened; those that are the choice at some target.

        Raises ``MappingError`` if ABC fails by all of them.
        """
        return self.mapped(below(unit.verilog("unit"), "unit"))

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

    def netlist(self, unit: Unit, candidate: Candidate, name: str) -> str:
        """The mapped Verilog of a candidate: its top is ``name``, all others begin with it.

        A machine's has each of its parts once, and the last column and row like all others.
        """
        netlists = self.with_netlists(candidate).netlists
        texts = {part: renamed(text, "unit", part) for part, text in netlists.items()}
        if "unit" not in texts:
            boxes = boxed(unit.verilog("unit"), netlists)
            texts = {"unit": self.rest(boxes), **texts}
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
        path = self.cache_path(
            SIMULATED_BY, "checked", *candidate.netlists.values(), repr(unit), *digests
        )
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
        text = _ZEROS.sub("", renamed(below(verilog, part), part, "unit"))
        logic = self.without_memories(text)
        return choose(self.mapped(logic.verilog), target_ps), logic

    def around(self, verilog: str, top: str) -> Size:
        """What is left of a module of a design without all others."""
        return self.size(renamed(alone(verilog, top), top, "unit"), "unit")

    def prove(self, verilog: str, candidate: Candidate, label: str) -> None:
        """Prove a candidate equal to the Verilog that it was mapped from, or ``MismatchError``."""
        netlist = candidate.netlists["unit"]
        path = self.cache_path(SIMULATED_BY, "proved", verilog, netlist)
        if not path.is_file():
            require_equivalence(verilog, netlist, self.library, label)
            write_if_changed(path, json.dumps(True))

    def check_requantizer(self, candidate: Candidate) -> int:
        """Compare a requantizer lane with golden: the number of vectors, or ``MismatchError``."""
        path = self.cache_path(SIMULATED_BY, "requantized", *candidate.netlists.values())
        if not path.is_file():
            netlist = parse_netlist(candidate.json, self.library)
            write_if_changed(path, json.dumps(verify_requantizer(netlist, self.library)))
        return int(json.loads(path.read_text()))

    def _by_parts(self, unit: Unit, target_ps: float) -> Candidate:
        """A machine as the sum of its parts and of what is left of it without them.

        Elements of the last column and row have no registers that only a neighbour would read.
        """
        emission = Emission("unit")
        verilog = emission.verilog(unit.component())
        counts = count_parts(verilog, "unit", emission.parts)
        chosen = {part: self._part(verilog, part, target_ps) for part in counts}
        slowest = max(chosen, key=lambda part: chosen[part].delay_ps)
        sizes = [(1, self.size(alone(verilog, "unit"), "unit"))]
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
            return choose(self.mapped(below(verilog, "unit"), recipes), target_ps)
        except MappingError:
            return choose(self.mapped(below(verilog, "unit")), target_ps)

    def _part(self, verilog: str, part: str, target_ps: float) -> Candidate:
        """A module of a design, by itself."""
        # Under the name that it has where it is measured as a unit, and need not be again.
        text = renamed(below(verilog, part), part, "unit")
        return choose(self.mapped(text), target_ps)

    def _saved(self, element: str, outputs: Sequence[str]) -> Size:
        """What a processing element is smaller by without those outputs."""
        if not outputs:
            return Size(0, 0, 0)
        whole = self.size(element, "unit_pe")
        cut = self.size(without_outputs(element, "unit_pe", outputs), "unit_pe")
        return Size.weighted([(1, whole), (-1, cut)])

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
        known = self.cache_path(SIMULATED_BY, "simulated", harness, *others.values())
        if unit.rows not in (None, rows):
            if known.is_file():
                return int(json.loads(known.read_text()))
            placed = others
        texts = [renamed(text, "unit", part) for part, text in placed.items()]
        around = self.quickly(boxed(harness, placed))
        netlist = parse_netlist(link([around, *texts], "unit", self.library), self.library)
        vectors = verify_array(unit, netlist, self.library, rows, cols)
        write_if_changed(known, json.dumps(vectors))
        return vectors
