"""Random tiles through an emitted array or tensor core."""

from typing import Any

import numpy as np
from rich.progress import Progress

from gen.design.configuration import MACHINES, Configuration, ConfigurationError
from gen.design.expectation import expected_product, random_operands, require_equal
from gen.simulation.building import build_machines
from gen.simulation.compiled_array import CompiledArray

MAX_DEPTH = 300
MAX_TILES = 1_000_000


def run_simulation(
    configuration: Configuration, tiles: int, seed: int, progress: Progress
) -> dict[str, Any]:
    """Multiply ``tiles`` random tiles of 1 to 300 steps of K, against golden.

    Returns counts of what was compared. Raises ``ConfigurationError`` for a part of a machine,
    ``MismatchError`` at the first differing element.
    """
    if configuration.top not in MACHINES:
        allowed = ", ".join((*MACHINES, "engine"))
        instead = ", through which sparq run takes networks" if configuration.accelerator else ""
        raise ConfigurationError(
            f"top must be one of {allowed} to simulate, not {configuration.top!r}{instead}"
        )
    with progress:
        [array] = build_machines(
            lambda each, on_step: CompiledArray(each, on_step=on_step), [configuration], progress
        )

        generator = np.random.default_rng(seed)
        task = progress.add_task("random tiles", total=tiles)
        cycles = 0
        for tile in range(tiles):
            depth = int(generator.integers(1, min(MAX_DEPTH, configuration.max_reduction) + 1))
            operands = random_operands(configuration, depth, generator)
            product = array.matmul(*operands)
            cycles += product.cycles
            what = f"seed {seed}, tile {tile} (K = {depth})"
            require_equal(what, product.sums, expected_product(configuration, *operands))
            progress.advance(task)
    return {
        "top": configuration.name,
        "seed": seed,
        "tiles": tiles,
        "sums_compared": tiles * configuration.rows * configuration.cols,
        "cycles": cycles,
        "bit_exact": True,  # otherwise require_equal has raised
    }
