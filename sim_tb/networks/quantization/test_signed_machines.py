"""Networks with signed and unsigned layers on one machine of a signed format."""

from typing import Any

import numpy as np
import pytest
from rich.progress import Progress

from gen.design.configuration import Configuration, ConfigurationError
from gen.simulation.compiled_array import CompiledArray
from gen.simulation.compiled_engine import CompiledEngine
from gen.simulation.demo import through_array, windowed_products
from gen.simulation.engine_demo import require_fit, through_engine
from golden import NamedFormat, named_format
from networks.evaluation.formats import signed_layers
from networks.quantization.arithmetic import Windows
from networks.quantization.attention_windows import window_attention
from networks.quantization.quantize import SIGNED_BYTES
from sim_tb.networks.quantization.test_quantization import (
    SEED,
    attention_operations,
    every_operation,
    quantized,
    signed_images,
)


@pytest.mark.full
@pytest.mark.parametrize("name", ["s5opt", "s4opt"])
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


@pytest.mark.every(6)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["s4opt", "s5opt", "5opt"])
def test_every_kind_of_layer_on_an_array(name: str, checks: Any) -> None:
    """Signed and unsigned ones, convolutions of all kinds, and products of two values."""
    rng = np.random.default_rng(SEED)
    configuration = Configuration(rows=4, cols=4, format=name, style="behavioral")
    array = CompiledArray(configuration)
    fmt = configuration.sparq_format
    for graph in (every_operation(rng), attention_operations(rng)):
        images = signed_images(graph, rng, 2)
        quantization = {"signed": signed_layers(NamedFormat(name)), "attention": True}
        network = quantized(graph, images, first_layer_windowed=True, **quantization)
        network = window_attention(network, Windows(fmt, fmt if fmt.signed else None))
        names = windowed_products(network)
        x = network.quantize_images(images)
        runs = through_array(network, x, configuration, array, Progress(), names)
        assert list(runs) == names
        checks(sum(run.m * run.n for run in runs.values()))
    # P V always, Q K where Q can be negative if the format is of signed activations.
    products = [run for run in names if run in ("scores", "mixed")]
    assert products == (["scores", "mixed"] if fmt.signed else ["mixed"])


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
