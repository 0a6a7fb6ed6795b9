"""Arrays compiled by Verilator, through which the demo and `sparq simulate` go."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.progress import Progress

from gen.design.configuration import TENSOR_CORES, Configuration, ConfigurationError
from gen.design.expectation import (
    MismatchError,
    expected_product,
    random_matrices,
    random_operands,
    require_equal,
)
from gen.simulation.compiled_array import SMALL, CompiledArray
from gen.simulation.demo import run_demo
from gen.simulation.simulate import run_simulation
from gen.simulation.tiling import pack_fields, unpack_fields

SEED = 7


@pytest.mark.parametrize("width", [1, 2, 5, 8, 20, 32, 64])
def test_fields_survive_packing(width: int) -> None:
    generator = np.random.default_rng(SEED)
    values = generator.integers(-(2**63), 2**63 - 1, (5, 7), dtype=np.int64) >> (64 - width)
    assert np.array_equal(unpack_fields(pack_fields(values, width), 7, width), values)


def test_fields_are_packed_from_the_low_end() -> None:
    assert pack_fields(np.array([[1, 2, -1]]), 4).tolist() == [[0x21, 0x0F, 0, 0, 0, 0, 0, 0]]


@pytest.mark.every(4)
@pytest.mark.slow
@pytest.mark.parametrize(("rows", "cols", "tiles"), [(3, 2, 4 * 3), (6, 3, 2 * 2)])
def test_product_larger_than_the_array(rows: int, cols: int, tiles: int) -> None:
    """Tiles in both directions, an odd K, narrow weights and accumulators.

    The smaller array is compiled in one go, of the larger one the element by itself.
    """
    configuration = Configuration(
        rows=rows, cols=cols, format="3opt", weight_bits=5, acc_bits=24, pipeline=1
    )
    assert (configuration.rows * configuration.cols * 2 > SMALL) == (rows == 6)
    array = CompiledArray(configuration)
    generator = np.random.default_rng(SEED)
    x = generator.integers(0, 256, (11, 37), dtype=np.uint8)
    x[generator.random(x.shape) < 0.4] = 0
    w = generator.integers(-16, 16, (37, 5), dtype=np.int8)
    done: list[int] = []
    product = array.matmul(x, w, on_tiles=done.append)
    require_equal(f"seed {SEED}", product.sums, expected_product(configuration, x, w))
    assert product.tiles == sum(done) == array.tiles(11, 5) == tiles
    # Tiles follow each other without a gap: 19 slices each, then skew and drain of the last one.
    assert product.cycles == tiles * 19 + array.sidecar["latency"] - 1 + rows
    # A second product starts from a reset, whatever the first one left.
    again = array.matmul(x[:3], w[:, :2])
    require_equal("again", again.sums, expected_product(configuration, x[:3], w[:, :2]))


@pytest.mark.full
@pytest.mark.parametrize(
    "options",
    [
        {"group": 4, "style": "behavioral"},
        {"top": "tensor_core", "pairs": 2, "format": "3opt"},
        {"format": "s5opt"},
    ],
)
def test_product_of_stored_pairs(options: dict[str, Any]) -> None:
    """Activations that come encoded: the sums are the same, and no group waits."""
    configuration = Configuration(rows=2, cols=3, encoded_input=True, **options)
    result = run_simulation(configuration, 12, SEED, Progress())
    assert result["sums_compared"] == 12 * 2 * 3


@pytest.mark.every(10)
@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"format": "s5opt", "group": 4},
        {"format": "s4opt", "style": "behavioral", "pipeline": 1},
        {"format": "s5opt", "vsparq": False, "group": 2, "weight_bits": 3},
        *({"top": top, "format": "s5opt", "pairs": 2} for top in TENSOR_CORES),
    ],
)
def test_product_of_signed_activations(options: dict[str, Any]) -> None:
    """A product of several tiles, and random ones, each with a zero point of its own."""
    configuration = Configuration(rows=2, cols=3, **options)
    array = CompiledArray(configuration)
    operands = random_matrices(configuration, 5, 13, 4, np.random.default_rng(SEED))
    product = array.matmul(*operands)
    require_equal(f"seed {SEED}", product.sums, expected_product(configuration, *operands))
    result = run_simulation(configuration, 12, SEED, Progress())
    assert result["sums_compared"] == 12 * 2 * 3


@pytest.mark.every(4)
@pytest.mark.slow
@pytest.mark.parametrize("top", TENSOR_CORES[::-1])
def test_product_on_a_tensor_core(top: str) -> None:
    """Tiles of a column of a core, a K that fills no slice; and random tiles."""
    pairs = 3 if top == "sparse_tensor_core" else 2  # so much that its unit is compiled by itself
    configuration = Configuration(top=top, rows=2, cols=2, pairs=pairs, weight_bits=4)
    core = CompiledArray(configuration)
    generator = np.random.default_rng(SEED)
    x, w, zero_point = random_operands(configuration, 27, generator)
    product = core.matmul(x, w, zero_point)
    expected = expected_product(configuration, x, w, zero_point)
    require_equal(f"seed {SEED}", product.sums, expected)
    slices = -(-27 // core.sidecar["k_per_cycle"])
    assert product.cycles == slices + core.sidecar["latency"] - 1 + configuration.rows
    result = run_simulation(configuration, 5, SEED, Progress())
    assert result["sums_compared"] == 5 * 2 * 2
    if configuration.is_sparse:
        with pytest.raises(ValueError, match="at most 2 non-zero weights in each block of 4"):
            core.matmul(x, np.ones_like(w))


@pytest.mark.slow
def test_short_tiles_whose_groups_are_filled_up() -> None:
    """Tiles of one slice on one row, each of which waits until its group is complete."""
    configuration = Configuration(rows=1, cols=1, group=16)
    generator = np.random.default_rng(SEED)
    x = generator.integers(0, 256, (40, 2), dtype=np.uint8)
    w = generator.integers(-128, 128, (2, 1), dtype=np.int8)
    product = CompiledArray(configuration).matmul(x, w)
    require_equal(f"seed {SEED}", product.sums, expected_product(configuration, x, w))


def test_first_differing_element_is_named() -> None:
    expected = np.array([[1, 2], [3, 4]])
    with pytest.raises(
        MismatchError,
        match=r"^layer: row 0, column 1: expected 2, got 9 \(2 of 4 elements differ\)$",
    ):
        require_equal("layer", np.array([[1, 9], [3, 8]]), expected)


def test_a_part_of_a_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_simulation(Configuration(top="pe"), 1, 1, Progress())
    allowed = "array, tensor_core, sparse_tensor_core, engine"
    assert str(caught.value) == f"top must be one of {allowed} to simulate, not 'pe'"


@pytest.mark.parametrize("images", [0, 1001])
def test_bad_image_counts_are_refused(images: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_demo(images, "5opt", Progress())
    assert str(caught.value) == f"images must be an integer from 1 to 1000, not {images}"


@pytest.mark.full
def test_the_steps_of_a_build_are_named_once(tmp_path: Path) -> None:
    """The next time there is nothing to build."""
    configuration = Configuration(rows=1, cols=1, pe="8x8")
    steps: list[str] = []
    CompiledArray(configuration, tmp_path, steps.append)
    assert steps[0] == "emitting Verilog"
    assert "compiling compiled_array" in steps
    assert steps[-1] == "linking"
    CompiledArray(configuration, tmp_path, steps.append)
    assert steps.count("linking") == 1
    assert steps[-1] == "emitting Verilog"


@pytest.mark.full
def test_demo() -> None:
    """One image through both 16 x 16 arrays: exact, in half the cycles."""
    result = run_demo(1, "3opt", Progress())
    assert [layer["name"] for layer in result["layers"]] == ["conv1", "conv2", "conv3", "linear"]
    assert all(layer["bit_exact"] and layer["ratio"] < 0.56 for layer in result["layers"])
    assert result["accuracy"]["fp32"] >= 97
    assert result["accuracy"]["sparq"] >= result["accuracy"]["a8w8"] - 1
