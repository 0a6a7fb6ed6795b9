"""Random products through an emitted engine."""

from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from gen.design.configuration import Configuration
from gen.design.expectation import Operands, random_matrices, require_equal
from gen.driver.product import ColumnParameters
from gen.simulation.building import build_machines
from gen.simulation.compiled_engine import CompiledEngine, EngineError
from gen.simulation.engine_expectation import expected_results
from golden.engine import EngineShape, predicted_cycles
from golden.format import SIGNED_ZERO_POINT
from golden.multipoint import MAX_COMBINE_SHIFT

MAX_DEPTH = 300
MAX_TILES = 4
"""Of a product, in each direction."""
STALLS = (0.0, 0.0, 0.3, 0.8)
"""Probabilities that a port stalls, of which each product has some."""


def run_engine_simulation(
    configuration: Configuration, tiles: int, seed: int, progress: Progress
) -> dict[str, Any]:
    """Multiply random matrices of at least ``tiles`` tiles in all, against golden.

    Windowed and exact, to bytes, sums and stored pairs, with stalls on all streams and without;
    without any the cycles must be those predicted. Returns counts of what was compared. Raises
    ``MismatchError`` at the first differing element, :class:`EngineError` where the engine fails.
    """
    with progress:
        [engine] = build_machines(
            lambda each, on_step: CompiledEngine(each, on_step=on_step), [configuration], progress
        )

        generator = np.random.default_rng(seed)
        task = progress.add_task("random products", total=tiles)
        done = cycles = compared = 0
        while done < tiles:
            x, w, zero_point = _operands(configuration, engine, generator)
            parameters = random_parameters(w.shape[1], generator, engine.shape.multipoint)
            exact = bool(engine.shape.planes) and bool(generator.integers(2))
            sums = bool(generator.integers(2))
            encoded = engine.shape.encoded_output and not sums and bool(generator.integers(2))
            stalls = [0.0] * 4
            if generator.integers(2):
                stalls = generator.choice(STALLS, 4).tolist()
            mode = exact, sums, encoded, zero_point
            plan = engine.plan(x, w, parameters, *mode)
            run = engine.run(plan, stalls, seed)
            what = f"seed {seed}, after {done} tiles ({x.shape[0]} x {x.shape[1]} x {w.shape[1]})"
            expected = expected_results(configuration, x, w, parameters, *mode)
            require_equal(what, run.result, expected)
            commands = [each.command for each in plan.commands]
            predicted = predicted_cycles(engine.shape, commands)
            if not any(stalls) and run.counters["cycles"] != predicted:
                raise EngineError(f"{what}: {run.counters['cycles']} cycles, not {predicted}")
            done += sum(each.tiles_m * each.tiles_n for each in commands)
            cycles += run.counters["cycles"]
            compared += run.result.size
            progress.update(task, completed=min(done, tiles))
    return {
        "top": configuration.name,
        "seed": seed,
        "tiles": done,
        "sums_compared": compared,
        "cycles": cycles,
        "bit_exact": True,  # otherwise require_equal has raised
    }


def random_parameters(
    columns: int, generator: np.random.Generator, combines: bool = False
) -> ColumnParameters:
    """Parameters under which bytes of all sizes occur, with one zero point; some columns combine,
    where they can.
    """
    shifts = random_shifts(columns, generator) if combines else 0
    return ColumnParameters.of(
        columns,
        generator.integers(-(1 << 15), 1 << 15, columns),
        generator.integers(1 << 14, 1 << 15, columns),
        generator.integers(18, 27, columns),
        generator.integers(0, 256),
        generator.integers(0, 64, columns),
        generator.integers(192, 256, columns),
        shifts,
    )


def random_shifts(columns: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """By which columns combine: of even ones, and some others, 0."""
    shifts = generator.integers(-MAX_COMBINE_SHIFT, MAX_COMBINE_SHIFT + 1, columns).clip(0)
    shifts[::2] = 0
    return shifts


def random_depth(
    configuration: Configuration, shape: EngineShape, most: int, generator: np.random.Generator
) -> int:
    """Steps of a reduction, up to ``most``, as many as the engine takes."""
    longest = min(most, configuration.max_reduction)
    if shape.weight_depth:
        longest = min(longest, shape.weight_depth * shape.k_per_cycle)
    return int(generator.integers(1, longest + 1))


def _operands(
    configuration: Configuration, engine: CompiledEngine, generator: np.random.Generator
) -> Operands:
    """Matrices of 1 to 4 tiles in each direction, the last ones not full."""
    shape = engine.shape
    depth = random_depth(configuration, shape, MAX_DEPTH, generator)
    m, n = (int(generator.integers(1, MAX_TILES * side + 1)) for side in (shape.rows, shape.cols))
    return random_engine_operands(configuration, m, depth, n, generator)


def random_engine_operands(
    configuration: Configuration, m: int, k: int, n: int, generator: np.random.Generator
) -> Operands:
    """As :func:`random_matrices`; signed bytes may also have the zero point 128."""
    operands = random_matrices(configuration, m, k, n, generator)
    if operands.x.dtype != np.int8 or generator.integers(2):
        return operands
    offset = operands.x.view(np.uint8) ^ np.uint8(SIGNED_ZERO_POINT)
    return Operands(offset, operands.w, SIGNED_ZERO_POINT)
