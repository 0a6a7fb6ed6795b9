"""Engines compiled by Verilator and driven by the C driver: products, counters, cycles, errors."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import golden
from gen.design.configuration import Configuration
from gen.design.expectation import require_equal
from gen.driver.product import Bytes, ColumnParameters, EngineProduct
from gen.simulation import compiled_engine
from gen.simulation.compiled_engine import CompiledEngine, EngineError, engine_shape
from gen.simulation.engine_expectation import expected_results
from gen.verilog.generate import build, generate
from gen.verilog.sidecar import make_sidecar
from golden import encode_pairs, encoded_bits, requantize, sparq_matmul, store_pairs
from golden.engine import (
    MAX_COUNT,
    Command,
    EngineShape,
    busy_cycles,
    layer_commands,
    predicted_cycles,
)
from sim_tb.rtl.engine_products import (
    Work,
    expected_counts,
    longest_reduction,
    plan,
    random_work,
)

SEED = 53
ENCODED = {"encoded_input": True, "encoded_output": True}
ENGINES: dict[str, dict[str, Any]] = {
    "2x2": {"rows": 2, "cols": 2},
    "7opt": {
        "rows": 4,
        "cols": 2,
        "format": "7opt",
        "group": 16,
        "weight_depth": 30,
        "result_tiles": 2,
    },
    "8x8": {"rows": 2, "cols": 3, "pe": "8x8", "weight_depth": 0, "lanes": 1},
    "group": {"rows": 3, "cols": 4, "lanes": 2, "group": 8},
    "tensor": {"machine": "tensor_core", "rows": 2, "cols": 2, "pairs": 2, "weight_bits": 5},
    "sparse": {"machine": "sparse_tensor_core", "rows": 2, "cols": 2, "pairs": 2},
    "2x4x8": {"rows": 3, "cols": 2, "pe": "2x4x8", "command_depth": 2, "weight_bits": 3},
    "encoded": {"rows": 3, "cols": 4, "lanes": 2, **ENCODED},
    "encoded_group": {"rows": 1, "cols": 4, "lanes": 4, "format": "3opt", "group": 4, **ENCODED},
    "encoded_core": {
        "machine": "tensor_core",
        "rows": 3,
        "cols": 2,
        "pairs": 2,
        "format": "7opt",
        "vsparq": False,
        "weight_depth": 0,
        **ENCODED,
    },
    "signed": {"rows": 3, "cols": 2, "format": "s4opt", "group": 4, "result_tiles": 2},
    "affine": {"rows": 2, "cols": 2, "format": "s5opt", "stream_bits": 8},
    "affine_core": {
        **{"machine": "tensor_core", "rows": 2, "cols": 2, "pairs": 2, "format": "s5opt"},
        **{"group": 8, "vsparq": False, "weight_depth": 0},
    },
    "signed_sparse": {
        **{"machine": "sparse_tensor_core", "rows": 2, "cols": 2, "pairs": 2, "format": "s4opt"},
    },
    "signed_encoded": {"rows": 2, "cols": 2, "format": "s5opt", "encoded_input": True},
    "encodes": {"rows": 2, "cols": 4, "format": "2opt", "group": 2, "encoded_output": True},
}
STREAMS: dict[str, dict[str, Any]] = {
    "wide": {"rows": 2, "cols": 2, "weight_bits": 3, "stream_bits": 128},
    "narrow": {"rows": 2, "cols": 4, "lanes": 4, "stream_bits": 8},
    "narrow_unbuffered": {"rows": 2, "cols": 3, "pe": "8x8", "weight_depth": 0, "stream_bits": 8},
    "narrow_weights": {
        **{"rows": 3, "cols": 6, "lanes": 2, "group": 8, "result_tiles": 2},
        **{"weight_depth": 40, "stream_bits": 64},
    },
    "narrow_encoded": {"rows": 1, "cols": 4, "stream_bits": 16, **ENCODED},
    "narrow_group": {"rows": 4, "cols": 2, "format": "7opt", "group": 16, "stream_bits": 32},
    "narrow_sparse": {
        **{"machine": "sparse_tensor_core", "rows": 2, "cols": 2, "pairs": 2},
        "stream_bits": 16,
    },
}
"""Engines whose streams are narrower than what they carry, or wider."""
every_engine = pytest.mark.parametrize("name", ENGINES)
every_stream = pytest.mark.parametrize("name", [*ENGINES, *STREAMS])
PORTS = 4
"""Streams: activations, weights, parameters and results."""


@cache
def configuration(name: str) -> Configuration:
    return Configuration(top="engine", **(ENGINES | STREAMS)[name])


@cache
def engine(name: str) -> CompiledEngine:
    return CompiledEngine(configuration(name))


@pytest.mark.slow
def test_weights_of_two_points() -> None:
    """Wider weights on an engine of 4-bit ones: columns of first points left out, the product."""
    narrow = Configuration(
        **{"top": "engine", "rows": 3, "cols": 4, "weight_bits": 4, "acc_bits": 24},
        multipoint=True,
    )
    compiled = CompiledEngine(narrow)
    rng = np.random.default_rng(SEED)
    low, high = golden.limits_of_points(4, 4)
    x = rng.integers(0, 256, (7, 40), dtype=np.uint8)
    whole = rng.integers(max(low, -128), high + 1, (40, 5), dtype=np.int8)
    single = rng.integers(-8, 8, (40, 2), dtype=np.int8)
    pairs = [each for column in whole.T for each in golden.points(column, 4, 4)]
    columns = np.stack([*pairs[:6], *single.T, *pairs[6:]], axis=1)
    shifts = np.array([0, 4, 0, 4, 0, 4, 0, 0, 0, 4, 0, 4])
    places = [1, 3, 5, 9, 11]
    parameters = ColumnParameters.of(
        len(shifts), rng.integers(-99, 99, 12), 1 << 14, 25, 3, 0, 250, shifts
    )
    fmt = narrow.sparq_format
    for exact in (False, True):
        taken = x if exact else golden.sparq(x, fmt)
        products = taken.astype(np.int64) @ whole
        sums = compiled.product(x, columns, parameters, exact, True).result
        np.testing.assert_array_equal(sums[:, places], products + parameters.bias[places])
        own = taken.astype(np.int64) @ single
        np.testing.assert_array_equal(sums[:, [6, 7]], own + parameters.bias[[6, 7]])
        bytes_ = compiled.product(x, columns, parameters, exact).result
        expected = golden.requantize(sums, 1 << 14, 25, 3, 0, 250)
        np.testing.assert_array_equal(bytes_, expected)


def multiply(
    name: str, work: Work, stalls: tuple[float, ...] = (0,) * PORTS, seed: int = SEED
) -> dict[str, int]:
    """A product, compared with golden; the counters, those that are known compared as well."""
    compiled = engine(name)
    run = compiled.product(*work, stalls=stalls, seed=seed)
    what = f"{work.x.shape} x {work.w.shape}, {work.mode}"
    require_equal(
        f"{what}, stalls {stalls}, seed {seed}",
        run.result,
        expected_results(configuration(name), *work),
    )
    product = plan(configuration(name), compiled.shape, work)
    expected = expected_counts(compiled.shape, compiled.sidecar["engine"]["planes"], product)
    commands = [each.command for each in product.commands]
    assert expected["busy"] == sum(busy_cycles(compiled.shape, each) for each in commands)
    if not any(stalls):
        expected["cycles"] = predicted_cycles(compiled.shape, commands)
    assert {counter: run.counters[counter] for counter in expected} == expected, what
    return run.counters


@pytest.mark.every(24)
@pytest.mark.slow
@every_stream
def test_random_products(name: str, checks: Callable[[int], None]) -> None:
    """Without stalls, in exactly the cycles that golden predicts; with stalls, at least."""
    rng = np.random.default_rng(SEED)
    shape = engine(name).shape
    total = 0
    for index in range(150):
        work = random_work(configuration(name), shape, rng)
        stalls = tuple(float(rng.choice([0, 0.3, 0.8])) for _ in range(PORTS))
        stalls = stalls if index % 3 == 0 else (0,) * PORTS
        counters = multiply(name, work, stalls, seed=index)
        commands = [each.command for each in plan(configuration(name), shape, work).commands]
        assert counters["cycles"] >= predicted_cycles(shape, commands)
        total += work.x.shape[0] * work.w.shape[1] + len(counters)
    checks(total)


@pytest.mark.every(24)
@pytest.mark.slow
@every_stream
def test_abandoned_work(name: str, checks: Callable[[int], None]) -> None:
    """Reset in any cycle of a command, an engine is as new."""
    rng = np.random.default_rng(SEED + 1)
    compiled = engine(name)
    total = 0
    for _ in range(40):
        work = random_work(configuration(name), compiled.shape, rng)
        product = plan(configuration(name), compiled.shape, work)
        commands = [each.command for each in product.commands]
        cycles = int(rng.integers(0, predicted_cycles(compiled.shape, commands) + 10))
        compiled.abandon(product, cycles)
        again = random_work(configuration(name), compiled.shape, rng)
        multiply(name, again)
        total += again.x.shape[0] * again.w.shape[1]
    checks(total)


@pytest.mark.every(24)
@pytest.mark.slow
@every_engine
def test_tiles_follow_each_other(name: str) -> None:
    """Of tiles with K of 2R, or as long as the lanes need, another 100 take no cycle more than they
    have slices; with beginning and end, 98 % of the cycles of 100 long tiles have a slice.
    """
    rng = np.random.default_rng(SEED + 2)
    shape = engine(name).shape
    shortest = max(
        -(-2 * shape.rows // shape.k_per_cycle),
        shape.rows * shape.cols // shape.lanes,
        -(-(shape.machine_latency + shape.rows + 3) // shape.result_tiles),
    )
    # Full groups: what fills up the last one keeps the machine from taking slices.
    slices = -(-shortest // shape.slices_per_group) * shape.slices_per_group
    longest = longest_reduction(configuration(name), shape) // shape.k_per_cycle
    longest = min(8 * slices, longest // shape.slices_per_group * shape.slices_per_group)
    for exact in (False, True)[: 2 if shape.planes else 1]:

        def run(tiles: int, slices: int, mode: bool = exact) -> dict[str, int]:
            size = tiles * shape.rows, slices * shape.k_per_cycle, shape.cols
            work = random_work(configuration(name), shape, rng, size, exact=mode, sums=False)
            return multiply(name, work)

        less, more = (run(tiles, slices) for tiles in (100, 200))
        assert more["busy"] - less["busy"] == more["cycles"] - less["cycles"]
        long = run(100, longest)
        assert long["busy"] >= 0.98 * long["cycles"]


@pytest.mark.full
@pytest.mark.parametrize("name", ["encoded_group", "encoded"])
def test_layer_after_layer(name: str, checks: Callable[[int], None]) -> None:
    """The stored pairs that leave go into the next layer as they are, and the last layer's sums are
    those of golden, which quantizes bytes before every layer: more columns than a tile has, and
    numbers of columns that end within a pair, a group and a tile.
    """
    rng = np.random.default_rng(SEED + 4)
    compiled, fmt = engine(name), configuration(name).sparq_format
    shape, layers = compiled.shape, 3
    seen: set[int] = set()
    total = 0
    for _ in range(10):
        widths = [int(rng.integers(1, 3 * shape.cols)) for _ in range(layers + 1)]
        widths[2] |= 1
        values = random_work(configuration(name), shape, rng, (7, widths[0], 1)).x
        given: Any = values
        for layer, (k, n) in enumerate(pairwise(widths), 1):
            _, w, parameters, *_ = random_work(configuration(name), shape, rng, (7, k, n))
            multiplier = rng.integers(1 << 14, 1 << 15, n)
            parameters = ColumnParameters.of(n, parameters.bias % 5000, multiplier, 22)
            sums = sparq_matmul(values, w, fmt) + parameters.bias
            if layer == layers:
                run = compiled.product(given, w, parameters, sums=True)
                require_equal(f"seed {SEED}, {widths}", run.result, sums)
                continue
            values = requantize(sums, multiplier, 22)
            run = compiled.product(given, w, parameters, encoded=True)
            given = run.result
            stored = store_pairs(encode_pairs(values, fmt), fmt)
            require_equal(f"seed {SEED}, {widths}, layer {layer}", given, stored)
            seen.update(values.reshape(-1).tolist())
            total += given.size
    assert len(seen) > 100
    checks(total)


def test_stored_pairs_that_do_not_fit() -> None:
    """Of an engine that takes bytes; of another K."""
    w, parameters = np.zeros((5, 1), np.int8), ColumnParameters.of(1)
    for name, width, message in (
        ("2x2", 3, "x must be uint8 for an engine without encoded input, not uint32"),
        ("encoded", 2, "x must be 3 stored pairs wide for K of 5, not 2"),
    ):
        work = Work(np.zeros((1, width), np.uint32), w, parameters)
        call = partial(plan, configuration(name), shape_of(name), work)
        assert text_of(ValueError, call) == message


def test_fewer_bits_of_memory() -> None:
    """As many as golden.encoded_bits says, but for what fills up the last word."""
    shape, fmt = shape_of("encoded"), configuration("encoded").sparq_format
    (command,) = layer_commands(shape, 3 * shape.rows, 4, 2 * shape.cols, encoded=True)
    words = shape.packet_words(command.command)
    bits = encoded_bits((3 * shape.rows, 2 * shape.cols), fmt)
    assert 0 <= words * 8 * shape.lanes - bits < 8 * shape.lanes
    assert bits == 3 * shape.rows * shape.cols * 12


@pytest.mark.full
@every_stream
def test_a_million_cycles_of_stalls(name: str, checks: Callable[[int], None]) -> None:
    """Any port stalls at any probability, alone and together with others."""
    rng = np.random.default_rng(SEED + 3)
    shape = engine(name).shape
    longest = min(100, longest_reduction(configuration(name), shape))
    cycles = total = 0
    while cycles < 1_000_000:
        size = (
            int(rng.integers(1, 30 * shape.rows)),
            int(rng.integers(1, longest + 1)),
            int(rng.integers(1, 10 * shape.cols)),
        )
        work = random_work(configuration(name), shape, rng, size)
        stalls = np.where(rng.random(PORTS) < 0.5, rng.choice([0.05, 0.5, 0.95], PORTS), 0)
        seed = int(rng.integers(1 << 32))
        cycles += multiply(name, work, tuple(stalls.tolist()), seed)["cycles"]
        total += size[0] * size[2]
    checks(total)


def text_of(kind: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


@cache
def component(name: str) -> Any:
    return build(configuration(name))


def shape_of(name: str) -> EngineShape:
    """By the sidecar, without a simulation."""
    return engine_shape(make_sidecar(configuration(name), component(name), "engine"))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((0, 1, 1), "M must be an integer of at least 1, not 0"),
        ((1, 0, 1), "K must be an integer of at least 1, not 0"),
        ((1, 1, -1), "N must be an integer of at least 1, not -1"),
        ((1, 61, 1), "K must be at most 60 on this engine, not 61"),
        ((1, 1, 131071), "N must be at most 131070 on this engine, not 131071"),
    ],
)
def test_products_that_do_not_fit(size: tuple[int, int, int], message: str) -> None:
    shape = shape_of("7opt")
    assert text_of(ValueError, lambda: layer_commands(shape, *size)) == message
    assert layer_commands(shape, 1, 60, 131070)[0].command == Command(1, MAX_COUNT, 30)


def test_rows_beyond_a_command_are_another_one() -> None:
    """Of 4 rows a tile, 65,535 tiles a command."""
    commands = layer_commands(shape_of("7opt"), 4 * MAX_COUNT + 1, 2, 1)
    assert [(each.command.tiles_m, each.first_row) for each in commands] == [
        (MAX_COUNT, 0),
        (1, 4 * MAX_COUNT),
    ]


def test_without_a_buffer_k_has_the_limit_of_a_command() -> None:
    message = f"K must be at most {MAX_COUNT} on this engine, not {MAX_COUNT + 1}"
    shape = shape_of("8x8")
    assert text_of(ValueError, lambda: layer_commands(shape, 1, MAX_COUNT + 1, 1)) == message


def test_no_exact_mode() -> None:
    """Of 4 bits of an activation that are multiplied, the others cannot be made good."""
    message = "the format of this engine has no exact mode"
    shape = shape_of("2x4x8")
    assert not shape.planes
    assert text_of(ValueError, lambda: layer_commands(shape, 1, 1, 1, exact=True)) == message


def test_weights_that_are_not_sparse() -> None:
    work = Work(np.ones((1, 4), np.uint8), np.ones((4, 1), np.int8), ColumnParameters.of(1))
    product = plan(configuration("sparse"), shape_of("sparse"), work)
    message = text_of(ValueError, product.weights)
    assert "at most 2 non-zero weights in each block of 4" in message
    assert "\n" not in message


@pytest.mark.slow
def test_an_engine_of_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    engine("2x2")
    other = Configuration(top="engine", rows=2, cols=2, command_depth=3)
    generated = generate(configuration("2x2"))
    monkeypatch.setattr(compiled_engine, "generate", lambda _: generated)
    message = f"no engine of configuration {other.hash} answers"
    assert text_of(EngineError, lambda: CompiledEngine(other)) == message


@pytest.mark.slow
def test_engines_that_fail() -> None:
    """An engine that lacks a slice, one that is given one too many, and one that refuses."""
    generator = np.random.default_rng(SEED)
    work = random_work(configuration("2x2"), engine("2x2").shape, generator, (3, 5, 3))

    class Less(EngineProduct):
        def activations(self) -> Bytes:
            return super().activations()[:-1]

    class More(EngineProduct):
        def activations(self) -> Bytes:
            words = super().activations()
            return np.concatenate([words, words[:5]])

    shape = engine("2x2").shape
    deep = replace(shape, weight_depth=1000)
    long = random_work(configuration("2x2"), deep, generator, (1, 600, 1))
    for kind, own, given, failure in (
        (Less, shape, work, "did not finish in time"),
        (More, shape, work, "broke the protocol of a stream, or left operands"),
        (EngineProduct, deep, long, "refused a command"),
    ):
        fresh = CompiledEngine(configuration("2x2"))
        with pytest.raises(EngineError) as caught:
            fresh.run(kind(own, 8, False, *given))
        assert str(caught.value) == f"the engine {failure}"
