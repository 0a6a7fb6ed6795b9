"""Measures designs on an FPGA, on all cores."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.progress import Progress

from gen.fpga.designs import Design
from gen.fpga.flow import COUNTED, DEVICE, SPEED, place, synthesize
from support.tasks import run_tasks

FOLDER = Path("build/fpga")
SEEDS = (1, 2, 3)


def measure(
    designs: Sequence[Design],
    progress: Progress,
    seeds: Sequence[int] = SEEDS,
    folder: Path = FOLDER,
) -> dict[str, Any]:
    """What each of ``designs`` takes, and how fast it is: the medians over ``seeds``.

    Raises ``ToolError`` for a design that does not fit.
    """
    folders = [folder.resolve() / design.name for design in designs]
    with progress:
        task = progress.add_task("designs", total=len(designs) * (1 + len(seeds)))

        def advance() -> None:
            progress.advance(task)

        rings = run_tasks(synthesize, list(zip(designs, folders, strict=True)), on_done=advance)
        placements = [
            (own, ring, seed) for own, ring in zip(folders, rings, strict=True) for seed in seeds
        ]
        placed = run_tasks(place, placements, on_done=advance)
    rows = []
    for index, design in enumerate(designs):
        own = placed[index * len(seeds) : (index + 1) * len(seeds)]
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
            }
        )
    return {"device": DEVICE, "speed": SPEED, "seeds": list(seeds), "rows": rows}
