"""Whole networks on engines, and random products through them."""

from typing import Any

import pytest
from rich.progress import Progress

from gen.design.configuration import Configuration, ConfigurationError
from gen.simulation.engine_demo import WEIGHT_DEPTH, run_engine_demo
from gen.simulation.simulate_engine import run_engine_simulation
from golden import NAMED_FORMATS, SIGNED_FORMATS

LAYERS = ["conv1", "conv2", "conv3", "linear"]
SIDE = 4


def check(result: dict[str, Any]) -> None:
    """All layers equal golden (or it would have raised), in about half the cycles."""
    assert [layer["name"] for layer in result["layers"]] == LAYERS
    for layer in result["layers"]:
        assert layer["predicted"] == layer["cycles"] > layer["busy"]
        assert layer["bit_exact"]
        # An even reduction of at least 2R: half of the slices, and about half of all cycles.
        if layer["k"] % 2 == 0 and layer["n"] > SIDE:
            assert 1.9 < layer["speedup"] <= 2.01
        assert layer["speedup"] >= 1.995 or layer["reason"]
    assert result["cycles_8x8"] / result["cycles"] == result["speedup"]


@pytest.mark.slow
def test_the_network_for_mnist() -> None:
    check(run_engine_demo(1, "5opt", Progress(), side=SIDE))


@pytest.mark.full
@pytest.mark.parametrize("name", [*NAMED_FORMATS, *SIGNED_FORMATS])
def test_a_hundred_images(name: str) -> None:
    check(run_engine_demo(100, name, Progress(), side=8))


@pytest.mark.parametrize("images", [0, 1001])
def test_bad_image_counts_are_refused(images: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_engine_demo(images, "5opt", Progress())
    assert str(caught.value) == f"images must be an integer from 1 to 1000, not {images}"


def test_a_layer_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gen.simulation.engine_demo.WEIGHT_DEPTH", 100)
    with pytest.raises(ConfigurationError) as caught:
        run_engine_demo(1, "5opt", Progress())
    assert str(caught.value) == (
        "the reduction of conv2 must be at most 100 long to fit the engine's weight buffer, not 144"
    )
    assert WEIGHT_DEPTH == 2048


@pytest.mark.full
def test_random_products() -> None:
    configuration = Configuration(top="engine", rows=2, cols=2, lanes=1, style="behavioral")
    result = run_engine_simulation(configuration, 60, 3, Progress())
    assert result["tiles"] >= 60
    assert result["sums_compared"] > 60
