"""Whole networks on engines, and random products through them."""

from typing import Any

import numpy as np
import pytest
from rich.progress import Progress

from gen.design.configuration import Configuration, ConfigurationError
from gen.simulation.compiled_array import CompiledArray
from gen.simulation.compiled_engine import CompiledEngine
from gen.simulation.demo import through_array
from gen.simulation.engine_demo import (
    WEIGHT_DEPTH,
    require_fit,
    run_engine_demo,
    through_engine,
)
from gen.simulation.simulate_engine import run_engine_simulation
from golden import NAMED_FORMATS, NamedFormat, named_format
from networks.evaluation.formats import signed_layers
from networks.quantization.quantize import SIGNED_BYTES
from sim_tb.networks.quantization.test_quantization import (
    SEED,
    every_operation,
    quantized,
    signed_images,
)

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
@pytest.mark.parametrize("name", NAMED_FORMATS)
def test_a_hundred_images(name: str) -> None:
    check(run_engine_demo(100, name, Progress(), side=8))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s4opt", "s5opt"])
def test_signed_and_unsigned_layers(name: str) -> None:
    """One engine runs both, all in windows; one of affine activations also what stays at 8 bits."""
    rng = np.random.default_rng(SEED)
    graph = every_operation(rng)
    images = signed_images(graph, rng, 2)
    style = {"rows": 4, "cols": 4, "style": "behavioral"}
    engine = CompiledEngine(Configuration(top="engine", format=name, **style))
    for first_windowed in (True, False) if name == "s5opt" else (True,):
        network = quantized(
            *(graph, images),
            signed=signed_layers(NamedFormat(name)),
            first_layer_windowed=first_windowed,
            last_layer_windowed=True,
        )
        assert {layer.fill > 0 for layer in network.layers} == {False, True}
        assert all(layer.windowed for layer in network.layers) is first_windowed
        runs = through_engine(network, network.quantize_images(images), engine, Progress())
        assert list(runs) == [layer.name for layer in network.layers]


@pytest.mark.full
@pytest.mark.parametrize("name", ["s4opt", "s5opt"])
def test_signed_layers_on_an_array(name: str) -> None:
    rng = np.random.default_rng(SEED)
    graph = every_operation(rng)
    images = signed_images(graph, rng, 2)
    configuration = Configuration(rows=4, cols=4, format=name, style="behavioral")
    signed = signed_layers(NamedFormat(name))
    network = quantized(graph, images, signed=signed, first_layer_windowed=True)
    names = [layer.name for layer in network.layers if layer.windowed]
    given = network, network.quantize_images(images), configuration, CompiledArray(configuration)
    assert list(through_array(*given, Progress(), names)) == names


def test_what_an_engine_of_signed_bytes_cannot_hold() -> None:
    rng = np.random.default_rng(SEED)
    graph = every_operation(rng)
    network = quantized(graph, signed_images(graph, rng, 1), signed=SIGNED_BYTES)
    layer = next(layer for layer in network.layers if not layer.windowed)
    with pytest.raises(ConfigurationError) as caught:
        require_fit(network, named_format("s4opt"))
    assert str(caught.value) == (
        f"{layer.name} stays at 8 bits ({layer.reason}), of which an engine of signed bytes "
        "multiplies 7"
    )
    require_fit(network, named_format("s5opt"))


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


@pytest.mark.slow
def test_random_products() -> None:
    configuration = Configuration(top="engine", rows=2, cols=2, lanes=1, style="behavioral")
    result = run_engine_simulation(configuration, 60, 3, Progress())
    assert result["tiles"] >= 60
    assert result["sums_compared"] > 60
