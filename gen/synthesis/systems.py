"""Engines and accelerators by their parts: what the system around an array costs."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from gen.synthesis.mapped import REST_RECIPES, Size
from gen.synthesis.measure import Workshop
from gen.synthesis.parts import placed
from gen.synthesis.units import Unit

TOP = "unit"
OPEN_MODULES = tuple(
    f"{TOP}_{name}"
    for name in ("gemm_core", "output_stage", "compute_unit", "patch_reader", "vector_unit")
)
"""Those whose parts are measured, and what is left of them without these."""

REQUANTIZER = f"{TOP}_requantizer_lane"

WHOLE = "all"
"""The part that a whole engine or accelerator is."""


@dataclass(frozen=True)
class SystemPart:
    """A part of an engine or accelerator.

    ``name`` is that of its instances, behind that of what they stand in where others have the same
    one, ``count`` their number. ``size`` is that of the logic of one of them, without the memories,
    which hold ``memory_bits``. A part that is but wires and logic around others has no
    ``delay_ps``; nor is it verified.
    """

    name: str
    count: int
    size: Size
    memory_bits: int
    recipe: str
    delay_ps: float | None = None
    limited_by: str | None = None
    failed_recipes: tuple[str, ...] = ()
    verified_vectors: int | None = None
    proved_equal: bool | None = None


def system_parts(workshop: Workshop, unit: Unit, target_ps: float) -> list[SystemPart]:
    """What an engine or accelerator is made of: each part the smallest that meets the target.

    All are verified. Its array is that of the same size in the table, checked as that is. All other
    parts are proved equal to their Verilog, without the memories; requantizer lanes, whose products
    are not proved in time, are compared with golden. Raises ``MismatchError``, ``MappingError`` and
    ``LibraryError``.
    """
    verilog = unit.verilog(TOP)
    instances = [(unit.unit, TOP), *placed(verilog, TOP, OPEN_MODULES)]
    counts = Counter((re.sub(r"(_\d+)+$", "", path), module) for path, module in instances)
    alike = Counter(path.rpartition(".")[2] for path, _ in counts)
    found = []
    for (path, module), count in counts.items():
        *_, around, name = ["", *path.split(".")]
        name = f"{around}.{name}" if alike[name] > 1 else name
        found.append(_part(workshop, unit, verilog, name, module, count, target_ps))
    return found


def _part(
    workshop: Workshop,
    unit: Unit,
    verilog: str,
    name: str,
    module: str,
    count: int,
    target_ps: float,
) -> SystemPart:
    if module in (TOP, *OPEN_MODULES):
        size = workshop.around(verilog, module)
        return SystemPart(name, count, size, 0, REST_RECIPES[0].name)
    vectors, proved, memory_bits = None, None, 0
    if name == "machine":
        array = replace(unit, unit="array", multiplies=True)
        candidate = workshop.best(array, target_ps)
        vectors = workshop.check(array, candidate, []).verified_vectors
    else:
        candidate, logic = workshop.logic(verilog, module, target_ps)
        memory_bits = logic.memory_bits
        if module == REQUANTIZER:
            vectors = workshop.check_requantizer(candidate)
        else:
            workshop.prove(logic.verilog, candidate, name)
            proved = True
    return SystemPart(
        name=name,
        count=count,
        size=candidate.size,
        memory_bits=memory_bits,
        recipe=candidate.recipe,
        delay_ps=candidate.delay_ps,
        limited_by=candidate.limited_by,
        failed_recipes=tuple(candidate.failed_recipes),
        verified_vectors=vectors,
        proved_equal=proved,
    )


def system_rows(
    unit: Unit, parts: list[SystemPart], target_ps: float, nand2_area: float, um2: float | None
) -> list[dict[str, Any]]:
    """Rows of the area table: the whole, then its parts; areas of a part are those of one.

    The whole has no delay, as paths lead through several parts, and no energy.
    """
    total = Size.weighted([(part.count, part.size) for part in parts])
    whole = SystemPart(WHOLE, 1, total, sum(p.count * p.memory_bits for p in parts), "parts")
    rows = []
    for part in (whole, *parts):
        macs = unit.macs_per_cycle if part is whole else None
        own = part.size.area
        rows.append(
            {
                **unit.fields,
                "part": part.name,
                "count": part.count,
                "pairs": 1,
                "target_ps": target_ps,
                "meets_target": None if part.delay_ps is None else part.delay_ps <= target_ps,
                "recipe": part.recipe,
                "cells": part.size.cells,
                "flip_flops": part.size.flip_flops,
                "memory_bits": part.memory_bits,
                "area": round(own, 2),
                "area_um2": None if um2 is None else round(own * um2, 1),
                "gate_equivalents": round(own / nand2_area, 1),
                "share": round(part.count * own / total.area, 4),
                "delay_ps": part.delay_ps,
                "limited_by": part.limited_by,
                "macs_per_cycle": macs,
                "area_per_mac": macs and round(own / macs, 2),
                "verified_vectors": part.verified_vectors,
                "proved_equal": part.proved_equal,
                "label": unit.label if part is whole else part.name,
            }
        )
    return rows
