"""Random tiles through an emitted array."""

from typing import Any

import numpy as np
from rich.progress import Progress

from gen.check import expected_product, require_equal
from gen.compiled_array import CompiledArray
from gen.configuration import Configuration, ConfigurationError

MAX_DEPTH = 300


def run_simulation(
    configuration: Configuration, tiles: object, seed: int, progress: Progress
) -> dict[str, Any]:
    """Multiply ``tiles`` random tiles of 1 to 300 steps of K on the array, against golden.

    Activations are zero with a probability of their tile's own, so that pairs of all kinds occur.
    Returns counts of what was compared. Raises ``MismatchError`` at the first differing element.
    """
    if configuration.top != "array":
        raise ConfigurationError(f"top must be array to simulate, not {configuration.top!r}")
    if isinstance(tiles, bool) or not isinstance(tiles, int) or not 1 <= tiles <= 1_000_000:
        raise ConfigurationError(f"tiles must be an integer from 1 to 1000000, not {tiles}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigurationError(f"seed must be an integer of at least 0, not {seed}")
    with progress:
        building = progress.add_task("building the simulation", total=None)
        array = CompiledArray(configuration)
        progress.update(building, total=1, completed=1)

        generator = np.random.default_rng(seed)
        task = progress.add_task("random tiles", total=tiles)
        half = 1 << (configuration.weight_bits - 1)
        cycles = 0
        for tile in range(tiles):
            depth = int(generator.integers(1, min(MAX_DEPTH, configuration.max_reduction) + 1))
            x = generator.integers(0, 256, (configuration.rows, depth), dtype=np.uint8)
            x[generator.random(x.shape) < generator.random()] = 0
            w = generator.integers(-half, half, (depth, configuration.cols), dtype=np.int8)
            product = array.matmul(x, w)
            cycles += product.cycles
            what = f"seed {seed}, tile {tile} (K = {depth})"
            require_equal(what, product.sums, expected_product(configuration, x, w))
            progress.advance(task)
    return {
        "top": configuration.name,
        "seed": seed,
        "tiles": tiles,
        "sums_compared": tiles * configuration.rows * configuration.cols,
        "cycles": cycles,
        "bit_exact": True,  # otherwise require_equal has raised
    }
