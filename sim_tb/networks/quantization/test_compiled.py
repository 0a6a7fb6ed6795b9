"""The compiled kernel against NumPy, bit for bit."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import golden
from networks.graph.lowering import Flat, Patch
from networks.graph.operations import MaxPool
from networks.kernel import library
from networks.quantization.arithmetic import (
    Arithmetic,
    exact,
    windowed,
    windowed_2_4,
)
from networks.quantization.calibration import calibrate
from networks.quantization.compiled import run
from networks.quantization.network import IntegerNode
from networks.quantization.operations import (
    Alignment,
    Combine,
    IntegerMatrixLayer,
    LookUp,
    Requantization,
)
from networks.quantization.quantize import quantize
from sim_tb.networks.families import SEED, images_of, model_of
from sim_tb.networks.onnx_models import FAMILIES
from support.errors import ToolError

PATCHES = [
    Patch((3, 3), (1, 1), (1, 1, 1, 1)),
    Patch((3, 3), (2, 2), (0, 1, 1, 0)),
    Patch((1, 1)),
    Patch((1, 1), (2, 3)),
    Patch((2, 3), (1, 2), (1, 0, 2, 3)),
    Patch((3, 2), (2, 1), (2, 1, 0, 1), (2, 3)),
    Patch((1, 5), (1, 1), (0, 4, 0, 0)),
]
CHANNELS = [(1, 8), (3, 5), (16, 17), (6, 40), (64, 33)]
"""Of the input, and of the output; those that divide by them also in groups."""


def random_layer(rng: np.random.Generator, lowering: Any, channels: int, width: int) -> Any:
    """A windowed layer whose outputs reach all bytes and beyond."""
    groups = lowering.groups
    depth = lowering.depth(channels)
    deviation = 74 * 147 * np.sqrt(depth)
    zero_point = int(rng.integers(0, 256)) * int(rng.integers(0, 2))
    return IntegerMatrixLayer(
        name="layer",
        lowering=lowering,
        weights=rng.integers(-128, 128, (groups, depth, width // groups), dtype=np.int8),
        bias=rng.integers(-50000, 50000, width, dtype=np.int32),
        input_zero_point=0,
        finish=Requantization(
            rng.integers(1 << 14, 1 << 15, width),
            15 + np.ceil(np.log2(deviation / 100)).astype(np.int64) + rng.integers(-1, 2, width),
            zero_point,
        ),
        windowed=True,
        reason="",
        codes=None,
        channel_order=None,
        steps=np.ones(width),
        offset=np.zeros(width),
    )


def in_numpy(layer: Any, x: Any, arithmetic: Arithmetic, limits: Any) -> Any:
    node = IntegerNode("node", layer, ("x",), "y", limits)
    return node.clipped(layer.finish(layer.biased(arithmetic(layer, x))))


def assert_alike(layer: Any, x: Any, arithmetic: Arithmetic, limits: Any = None) -> None:
    got = run(layer, [x], arithmetic, limits)
    expected = in_numpy(layer, x, arithmetic, limits)
    assert got is not None
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def images(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.uint8]:
    """Bytes of all magnitudes alike, zeros among them."""
    x = rng.integers(0, 256, shape) >> rng.integers(0, 9, shape)
    return x.astype(np.uint8)


def geometries() -> Iterator[tuple[Any, int, int]]:
    for patch in PATCHES:
        for channels, width in CHANNELS:
            yield patch, channels, width
        for channels, width, groups in (
            (8, 8, 8),
            (6, 12, 6),
            (12, 9, 3),
            (32, 8, 2),
            (33, 33, 33),
        ):
            yield replace(patch, groups=groups), channels, width
    for channels, width in CHANNELS:
        yield Flat(), channels, width


@pytest.mark.every(8)
@pytest.mark.parametrize("case", list(enumerate(geometries())), ids=lambda case: str(case[0]))
def test_layers(case: tuple[int, tuple[Any, int, int]]) -> None:
    """All shapes, in 8 bits and in windows, with the options that layers have."""
    number, geometry = case
    check_layer(number, *geometry)


def check_layer(number: int, lowering: Any, channels: int, width: int) -> None:
    rng = np.random.default_rng([SEED, number])
    layer = random_layer(rng, lowering, channels, width)
    spatial = (7, 6) if isinstance(lowering, Patch) else tuple(rng.integers(1, 4, number % 3))
    x = images(rng, 3, *spatial, channels)
    unsigned, signed = golden.named_format("5opt"), golden.named_format("s5opt")
    shared = golden.named_format("3opt", group=4, rounding=False)
    arithmetics = [exact, windowed(unsigned), windowed(shared), windowed(unsigned, signed)]
    for arithmetic in arithmetics:
        assert_alike(layer, x, arithmetic)
        assert_alike(layer, x, arithmetic, (17, 200))
    shifted = replace(layer, input_zero_point=int(rng.integers(1, 256)))
    assert_alike(shifted, x, exact)
    assert_alike(shifted, x, windowed(unsigned, signed))
    codes = np.append(0, rng.integers(0, 256, 255)).astype(np.uint8)
    order = rng.permutation(channels)
    for arithmetic in arithmetics:
        assert_alike(replace(layer, codes=codes, channel_order=order), x, arithmetic)
    scales = (rng.integers(0, 1 << 15, width), rng.integers(0, 47, width))
    assert_alike(replace(layer, finish=Alignment(*scales)), x, windowed(unsigned))
    assert_alike(replace(layer, finish=Alignment(*scales)), x, exact, (-99, 99))
    assert_alike(replace(layer, windowed=False), x, windowed_2_4(unsigned))


@pytest.mark.slow
def test_on_any_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled for no special one, as where the kernel knows no vector unit."""
    monkeypatch.setattr(library, "NATIVE", ())
    library.load.cache_clear()
    try:
        for number in (0, 3, 7, 9, 24, 40):
            check_layer(number, *list(geometries())[number])
        test_halves_are_rounded_to_even()
    finally:
        library.load.cache_clear()


FORMATS = [
    (name, rounding, vsparq, group)
    for name in (*golden.NAMED_FORMATS, "8:0", "s4opt", "s5opt", "s3:0,2,4,5")
    for rounding in (True, False)
    for vsparq in (True, False)
    for group in (1, 2, 4, 8, 16)
]


@pytest.mark.every(10)
@pytest.mark.parametrize("fields", FORMATS, ids=str)
def test_formats(fields: tuple[str, bool, bool, int]) -> None:
    """Every format, along channels and across pixels; signed ones with a zero point."""
    name, rounding, vsparq, group = fields
    fmt = golden.named_format(name, rounding, vsparq, group)
    rng = np.random.default_rng(SEED)
    arithmetic = windowed(fmt, fmt if fmt.signed else None)
    for channels in (16, 5):
        layer = random_layer(rng, PATCHES[4], channels, 12)
        zero_points = (128, int(rng.integers(1, 256))) if fmt.signed else (0,)
        for zero_point in zero_points:
            layer = replace(layer, input_zero_point=zero_point)
            assert_alike(layer, images(rng, 2, 9, 8, channels), arithmetic)
            assert_alike(layer, rng.integers(0, 256, (1, 5, 6, channels), np.uint8), arithmetic)


def test_large_blocks() -> None:
    """Images of many rows, many images, and the largest sums that there are."""
    rng = np.random.default_rng(SEED)
    for shape, channels, patch in (
        ((2, 97, 61), 32, PATCHES[0]),
        ((40, 9, 9), 64, PATCHES[1]),
        ((1, 3, 700), 256, PATCHES[0]),
        ((3, 50, 50), 40, PATCHES[2]),
    ):
        layer = random_layer(rng, patch, channels, 20)
        x = images(rng, *shape, channels)
        assert_alike(layer, x, exact)
        assert_alike(layer, x, windowed(golden.named_format("5opt")))
    depth = 32895
    for weight in (-128, 127):
        layer = random_layer(rng, Flat(), depth, 3)
        layer = replace(layer, weights=np.full_like(layer.weights, weight))
        identity = Alignment(np.full(3, 1 << 14), np.full(3, 14))
        layer = replace(layer, finish=identity, bias=np.full(3, np.sign(weight) << 30, np.int32))
        x = np.full((2, depth), 255, np.uint8)
        assert_alike(layer, x, exact)
        got = run(layer, [x], exact, None)
        assert got is not None
        assert got[0, 0] == depth * 255 * weight + (np.sign(weight) << 30)
    # A longer one could have sums that do not fit, which golden says.
    long = random_layer(rng, Flat(), 65794, 1)
    assert run(long, [np.zeros((1, 65794), np.uint8)], exact, None) is None


def test_halves_are_rounded_to_even() -> None:
    rng = np.random.default_rng(SEED)
    layer = random_layer(rng, Flat(), 1, 11)
    half = Requantization(np.full(11, 1 << 14), np.full(11, 15), 7)
    layer = replace(layer, weights=np.ones_like(layer.weights), finish=half)
    layer = replace(layer, bias=np.arange(-5, 6, dtype=np.int32))
    x = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    assert_alike(layer, x, exact)
    got = run(layer, [x], exact, None)
    assert got is not None
    assert got[0].tolist() == [5, 5, 5, 6, 7, 7, 7, 8, 9, 9, 9]


@pytest.mark.parametrize("channels", [1, 3, 8, 100, 700])
def test_operations_without_weights(channels: int) -> None:
    rng = np.random.default_rng(SEED)
    values = [images(rng, 3, 7, 6, channels) for _ in range(3)]
    per_channel = rng.integers(-(1 << 15), 1 << 15, channels).astype(np.int32)
    scalar = np.asarray(np.int32(12345))
    for multipliers in ((scalar,), (scalar, -scalar), (per_channel, scalar, per_channel)):
        for bias in (np.asarray(np.int32(1 << 21)), per_channel * np.int32(7)):
            for shift in (np.asarray(15), rng.integers(10, 20, channels)):
                finish = Requantization(np.ones_like(shift), shift, 100)
                combine = Combine(multipliers, bias, finish)
                own = values[: len(multipliers)]
                for limits in (None, (90, 130)):
                    got = run(combine, own, exact, limits)
                    expected = combine(*own)
                    if limits:
                        expected = np.clip(expected, *limits)
                    assert got is not None
                    np.testing.assert_array_equal(got, expected)
    spread = Combine((scalar, scalar), np.asarray(np.int32(0)), finish)
    assert run(spread, [values[0], values[1][:, :1, :1]], exact, None) is None
    for shape in ((256,), (channels, 256)):
        table = LookUp(rng.integers(0, 256, shape, np.uint8))
        for limits in (None, (90, 130)):
            got = run(table, values[:1], exact, limits)
            assert got is not None
            np.testing.assert_array_equal(got, np.clip(table(values[0]), *limits or (0, 255)))
    for patch in PATCHES:
        got = run(MaxPool(patch), values[:1], exact, None)
        assert got is not None
        np.testing.assert_array_equal(got, MaxPool(patch)(values[0]))


@pytest.mark.every(6)
@pytest.mark.parametrize("family", FAMILIES)
def test_networks(family: str, tmp_path: Path) -> None:
    """Every value of whole networks."""
    model = model_of(family, tmp_path)
    batch = np.moveaxis(images_of(model, 4).batch(), 1, -1)
    network = quantize(model.graph, calibrate(model.graph, [batch]), signed="affine")
    x = network.quantize_images(batch)
    windows = windowed(golden.named_format("5opt"), golden.named_format("s5opt", group=4))
    for arithmetic in (exact, windows):
        values: dict[bool, list[Any]] = {True: [], False: []}
        for compiled, made in values.items():
            observe = partial(_keep, made)
            network.forward(x, arithmetic, observe, compiled=compiled)
        for node, own, value in zip(network.nodes, values[True], values[False], strict=True):
            assert own.dtype == value.dtype, node.name
            np.testing.assert_array_equal(own, value, node.name)


def _keep(values: list[Any], node: IntegerNode, value: Any) -> None:
    del node
    values.append(value)


def test_a_compiler_without_native(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is compiled without what the compiler refuses."""
    monkeypatch.setattr(library, "NATIVE", ("-march=nothing",))
    library.load.cache_clear()
    try:
        assert library.missing() is None
    finally:
        library.load.cache_clear()


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy does all, and one line says that it is slower."""

    def refuse(*arguments: Any) -> Any:
        raise ToolError("no C++ compiler (c++): install one")

    rng = np.random.default_rng(SEED)
    layer = random_layer(rng, PATCHES[0], 3, 5)
    assert library.missing() is None
    library.load.cache_clear()
    monkeypatch.setattr(library, "shared_library", refuse)
    try:
        assert run(layer, [images(rng, 1, 4, 4, 3)], exact, None) is None
        assert library.missing() == (
            "integer networks run in NumPy alone, several times slower: "
            "no C++ compiler (c++): install one"
        )
    finally:
        library.load.cache_clear()
