"""Measures designs on an FPGA, on all cores."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from rich.progress import Progress

from gen.fpga.designs import Design
from gen.fpga.flow import COUNTED, DEVICE, SPEED, identity, place, synthesize
from support.tasks import run_tasks

FOLDER = Path("build/fpga")
SEEDS = (1, 2, 3)


def measure(
    designs: Sequence[Design],
    progress: Progress,
    seeds: Sequence[int] = SEEDS,
    folder: Path = FOLDER,
) -> dict[str, Any]:
    """What each of ``designs`` takes, and how fast it is: the medians over its ``seeds``.

    An engine or accelerator is placed with the first seed alone. Raises ``ToolError`` for a design
    that does not fit.
    """
    folders = [folder.resolve() / design.name for design in designs]
    with progress:
        of_designs = [design.placed_with(seeds) for design in designs]
        total = len(designs) + sum(map(len, of_designs))
        task = progress.add_task("designs", total=total)

        def advance() -> None:
            progress.advance(task)

        mapped = run_tasks(synthesize, list(zip(designs, folders, strict=True)), on_done=advance)
        placements = [
            (own, each.ring, seed)
            for own, each, own_seeds in zip(folders, mapped, of_designs, strict=True)
            for seed in own_seeds
        ]
        placed = iter(run_tasks(place, placements, on_done=advance))
    rows = []
    for design, netlist, own_seeds in zip(designs, mapped, of_designs, strict=True):
        own = list(islice(placed, len(own_seeds)))
        rows.append(
            {
                "name": design.name,
                "top": design.configuration.top,
                "rows": design.configuration.rows,
                "cols": design.configuration.cols,
                "element": design.configuration.mac.label,
                "style": design.configuration.mac.style.value,
                "uses_multipliers": design.multipliers,
                "macs_per_cycle": design.macs_per_cycle,
                **{name: int(median(each.counts[name] for each in own)) for name in COUNTED},
                "mhz": round(median(each.mhz for each in own), 1),
                "mhz_of_seeds": [round(each.mhz, 1) for each in own],
                "identity": netlist.identity,
            }
        )
    return {"device": DEVICE, "speed": SPEED, "rows": rows}


def beside_others(
    result: dict[str, Any], kept: Sequence[dict[str, Any]], designs: Mapping[str, Design]
) -> dict[str, Any]:
    """``result`` with the ``kept`` rows of other ``designs`` that are still what they were.

    All designs take hours, so they are measured in several runs; the rows are in the order of
    ``designs``. A row whose design, Verilog or tools have changed is left out.
    """
    rows = {row["name"]: row for row in result["rows"]}
    for row in kept:
        name = row["name"]
        if name not in rows and name in designs and row["identity"] == identity(designs[name]):
            rows[name] = row
    return result | {"rows": [rows[name] for name in designs if name in rows]}
