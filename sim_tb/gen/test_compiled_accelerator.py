"""Accelerators compiled by Verilator, beside a memory: programs as the interpreter does them."""

import ctypes
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from gen.compiler.accelerator import accelerator_shape
from gen.compiler.accelerator import shape_of as shape_of_unit
from gen.compiler.compile import compile_network
from gen.compiler.report import layer_report, totals
from gen.compiler.run import Runner, run_on_golden
from gen.compiler.windows import unwindowed_layers
from gen.design.configuration import Configuration
from gen.design.expectation import require_equal
from gen.proof.registers import ACCELERATOR
from gen.simulation.accelerator_runs import AcceleratorRuns
from gen.simulation.compiled_accelerator import WATCHDOG as LONGEST_WAIT
from gen.simulation.compiled_accelerator import AcceleratorRun, CompiledAccelerator, MemoryKind
from golden.accelerator.program import Machine, Outcome
from golden.accelerator.schedule import schedule
from golden.accelerator.shape import AcceleratorShape, Bytes
from golden.descriptor import DESCRIPTOR_BYTES, Descriptor, Error, Opcode
from networks import load_mnist
from networks.evaluation.formats import signed_layers
from networks.graph.lowering import Patch
from networks.graph.operations import MaxPool
from networks.quantization.arithmetic import of_machine
from networks.quantization.calibration import calibrate
from networks.quantization.quantize import quantize
from networks.samples.mnist.quantized import quantized_mnist
from sim_tb.gen.random_programs import Image, RandomProgram, prospect
from sim_tb.gen.small_networks import (
    RELU,
    average,
    graph_of,
    images_of,
    matrix_layer,
    squeeze_network,
)
from sim_tb.gen.test_compiler import quantized

SEED = 17
OPERATIONS = 6
FARTHEST_OFF = 0.03
"""Of a predicted number of cycles."""
FARTHEST_OFF_OF_SUMS = 0.04
"""The same of one small layer that leaves as sums, on any machine: they are met to a few cycles."""
WATCHDOG = 4000
"""Cycles without progress: more than any memory here makes a program wait."""
ACCELERATORS: dict[str, dict[str, Any]] = {
    "5opt": {"rows": 4, "cols": 4, "memory_bits": 64},
    "2x2": {"rows": 2, "cols": 2, "memory_bits": 32, "scratchpad": 2, "encoded_memory": True},
    "8x8": {"rows": 8, "cols": 8, "pe": "8x8"},
    "2x8x8": {"rows": 2, "cols": 4, "pe": "2x8x8", "memory_bits": 32},
    "group": {"rows": 4, "cols": 4, "group": 2, "memory_bits": 64},
    "s5opt": {"rows": 4, "cols": 4, "format": "s5opt", "memory_bits": 32},
    "tensor": {"machine": "tensor_core", "rows": 4, "cols": 4, "pairs": 2, "memory_bits": 128},
    "weights": {"rows": 4, "cols": 4, "weight_bits": 4, "acc_bits": 13, "memory_bits": 64},
    "wide": {"rows": 8, "cols": 4, "acc_bits": 17, "memory_bits": 256},
    "no multipliers": {"rows": 2, "cols": 4, "memory_bits": 64, "lanes": 0},
    "11 bits": {"rows": 4, "cols": 4, "format": "3opt", "encoded_memory": True},
    "10 bits": {"rows": 4, "cols": 4, "format": "6opt", "memory_bits": 32, "encoded_memory": True},
    "8 bits": {
        **{"machine": "tensor_core", "rows": 4, "cols": 4, "pairs": 2, "format": "7opt"},
        **{"vsparq": False, "group": 4, "memory_bits": 64, "encoded_memory": True},
    },
    "pipeline": {"rows": 4, "cols": 2, "pipeline": 2, "memory_bits": 64},
    "256 bits": {"rows": 8, "cols": 4, "memory_bits": 256},
}
"""Those of few ``acc_bits`` have sums that wrap, of random programs."""
DEPTHWISE = Patch((3, 2), padding=(1, 0, 1, 1), groups=5)
NETWORK_MACHINES = ("5opt", "8x8", "2x8x8", "group", "s5opt", "tensor")
"""Those that a whole network runs on, with scratchpads that can hold some rows of its tensors."""
SHARED = "2x2"
"""What `make test` builds."""


def configuration_of(name: str, **options: Any) -> Configuration:
    sizes = {"top": "accelerator", "scratchpad": 1, "style": "behavioral"}
    return Configuration(**sizes | ACCELERATORS[name] | options)


@cache
def accelerator(name: str) -> CompiledAccelerator:
    """Built once; workers share the files."""
    return CompiledAccelerator(configuration_of(name))


@cache
def shape_of(name: str) -> AcceleratorShape:
    return accelerator_shape(accelerator(name).configuration)


def random_memory(rng: np.random.Generator) -> MemoryKind:
    """Answers at once, or late, or when it likes."""
    return MemoryKind(
        latency=int(rng.choice([0, 0, 1, 7, 60])),
        stalls=float(rng.choice([0, 0, 0.1, 0.5, 0.9])),
        seed=int(rng.integers(1 << 32)),
    )


def compare(
    name: str, what: str, image: Image, kind: MemoryKind, before: Machine | None = None
) -> tuple[Machine, AcceleratorRun]:
    """Run a program, and find what the interpreter does; that, and how the program ended."""
    machine = image.machine(before)
    expected = machine.run(0)
    memory = image.memory.copy()
    run = accelerator(name).run(memory, image.reads, image.writes, kind=kind, watchdog=WATCHDOG)
    assert Outcome(run.error, run.done) == expected, what
    require_memory(f"{what}, {kind}", image, memory, machine.memory)
    return machine, run


def require_memory(what: str, image: Image, memory: Bytes, expected: Bytes) -> None:
    """All of it is as expected, line by line."""
    lines = (each.reshape(-1, image.shape.line_bytes) for each in (memory, expected))
    require_equal(f"memory after {what}", *lines)


def predicted_cycles(image: Image, kind: MemoryKind) -> int:
    """Those of a program that ends."""
    starts = image.reads.start, image.writes.start
    return schedule(image.shape, image.descriptors, kind.latency, *starts)[-1].end


def require_untouched(what: str, image: Image, memory: Bytes) -> None:
    """Nothing outside of the window that may be written was."""
    inside = slice(image.writes.start, image.writes.start + image.writes.size)
    expected = image.memory.copy()
    expected[inside] = memory[inside]
    require_memory(f"{what}, around the window", image, memory, expected)


def some(fast: int, full: int) -> pytest.MarkDecorator:
    """Cases: so many programs, and how many in all."""
    return pytest.mark.parametrize("count", [fast, pytest.param(full, marks=pytest.mark.full)])


@pytest.mark.slow
@some(60, 3000)
def test_random_programs(count: int, checks: Callable[[int], None]) -> None:
    """One alone, and one that goes on with what the first one left behind."""
    rng = np.random.default_rng(SEED)
    shape, total = shape_of(SHARED), 0
    seen: set[Opcode] = set()
    errors = []
    for index in range(count):
        before = None
        for goes_on in (False, True):
            image = RandomProgram(shape, rng, OPERATIONS, goes_on).image
            assert prospect(image).is_defined
            what = f"program {index} of seed {SEED}{' that goes on' if goes_on else ''}"
            kind = random_memory(rng)
            before, run = compare(SHARED, what, image, kind, before)
            if not kind.stalls:
                cycles = run.counters["cycles"]
                errors.append(predicted_cycles(image, kind) / cycles - 1)
                assert abs(errors[-1]) < FARTHEST_OFF, f"{what} takes {cycles} cycles, {kind}"
            seen |= {each.opcode for each in image.descriptors}
            total += len(image.memory)
    assert seen == set(Opcode)
    # Half of these small programs are predicted to the cycle, all of them together nearly so.
    assert np.count_nonzero(errors) < 0.6 * len(errors)
    assert abs(np.mean(errors)) < 0.002
    checks(total)


@pytest.mark.slow
@some(25, 1000)
def test_reset_in_the_middle(count: int, checks: Callable[[int], None]) -> None:
    """Reset in any cycle of a program, an accelerator is as new."""
    rng = np.random.default_rng(SEED + 1)
    shape, total = shape_of(SHARED), 0
    for index in range(count):
        first = RandomProgram(shape, rng, OPERATIONS).image
        memory = first.memory.copy()
        cycles = int(rng.integers(2000))
        accelerator(SHARED).abandon(memory, first.reads, first.writes, cycles)
        what = f"program {index} of seed {SEED + 1}, abandoned after {cycles} cycles"
        require_untouched(what, first, memory)
        image = RandomProgram(shape, rng, OPERATIONS).image
        compare(SHARED, f"the one after {what}", image, random_memory(rng))
        total += len(memory) + len(image.memory)
    checks(total)


@pytest.mark.slow
@some(40, 1000)
def test_bus_errors(count: int, checks: Callable[[int], None]) -> None:
    """A program ends with BUS, or as if there had been none; the next one is not touched by it."""
    rng = np.random.default_rng(SEED + 2)
    shape, total = shape_of(SHARED), 0
    seen: Counter[Error] = Counter()
    for index in range(count):
        image = RandomProgram(shape, rng, OPERATIONS).image
        memory = image.memory.copy()
        errors = float(rng.choice([1, 0.02, 0.002, 0.0005]))
        kind = replace(random_memory(rng), errors=errors)
        run = accelerator(SHARED).run(memory, image.reads, image.writes, kind=kind)
        seen[run.error] += 1
        what = f"program {index} of seed {SEED + 2}, {kind}"
        require_untouched(what, image, memory)
        assert run.error is Error.BUS or (run.error is Error.NONE and errors < 1), what
        if run.error is Error.NONE:
            machine = image.machine()
            machine.run(0)
            require_memory(what, image, memory, machine.memory)
        again = RandomProgram(shape, rng, OPERATIONS).image
        compare(SHARED, f"the one after {what}", again, random_memory(rng))
        total += len(memory) + len(again.memory)
    assert set(seen) == {Error.BUS, Error.NONE}
    checks(total)


@pytest.mark.slow
@some(60, 1000)
def test_damaged_programs(count: int, checks: Callable[[int], None]) -> None:
    """They end with an error or a result, the interpreter's where there is one; they write nothing
    outside of the window; and the next one is not touched by them.
    """
    rng = np.random.default_rng(SEED + 3)
    shape, total = shape_of(SHARED), 0
    seen: Counter[Error] = Counter()
    compared = 0
    before = None
    for index in range(count):
        whole = RandomProgram(shape, rng, OPERATIONS).image
        what = f"program {index} of seed {SEED + 3}"
        before, _ = compare(SHARED, f"{what}, not damaged", whole, random_memory(rng), before)
        image = whole.damaged(rng)
        kind = random_memory(rng)
        what += ", damaged"
        expected = prospect(image)
        memory = image.memory.copy()
        total += len(memory)
        if expected.is_defined:
            compared += 1
            before, run = compare(SHARED, what, image, kind, before)
            seen[run.error] += 1
            continue
        before = None
        if expected.is_short:
            run = accelerator(SHARED).run(memory, image.reads, image.writes, 0, kind, WATCHDOG)
            tiles = Error.TILES
            assert (run.error is tiles) == (expected.outcome.error is tiles), what
            seen[run.error] += 1
        else:
            accelerator(SHARED).abandon(memory, image.reads, image.writes, 20_000)
        require_untouched(what, image, memory)
    assert compared > count // 2
    assert len(seen) > 2
    checks(total)


@pytest.mark.slow
@some(20, 500)
def test_other_tiles(count: int, checks: Callable[[int], None]) -> None:
    """A MATRIX of more or fewer tiles than it says is found as such, at once: nothing waits for
    what does not come, and the next program is not touched.
    """
    rng = np.random.default_rng(SEED + 5)
    shape, total = shape_of(SHARED), 0
    for index in range(count):
        image = RandomProgram(shape, rng, OPERATIONS).image
        places = [
            place
            for place, each in enumerate(image.descriptors)
            if each.opcode is Opcode.MATRIX and each.pixels > shape.rows
        ]
        if not places:
            continue
        place = int(rng.choice(places))
        own = image.descriptors[place]
        tiles = own.tiles_m + int(rng.choice([-1, 1, 2, 300]))
        words = Descriptor(own.opcode, {**own.values, "tiles_m": tiles}).words().view(np.uint8)
        start = image.reads.start + place * DESCRIPTOR_BYTES
        image.memory[start : start + DESCRIPTOR_BYTES] = words
        memory, kind = image.memory.copy(), random_memory(rng)
        what = f"program {index} of seed {SEED + 5}, {tiles} tiles in place of {own.tiles_m}"
        run = accelerator(SHARED).run(memory, image.reads, image.writes, kind=kind)
        assert run.error is Error.TILES, what
        assert run.done > place, what
        assert run.counters["cycles"] < LONGEST_WAIT, what
        require_untouched(what, image, memory)
        again = RandomProgram(shape, rng, OPERATIONS).image
        compare(SHARED, f"the one after {what}", again, random_memory(rng))
        total += len(memory) + len(again.memory)
    assert total
    checks(total)


@pytest.mark.slow
@some(10, 200)
def test_memory_that_does_not_answer(count: int, checks: Callable[[int], None]) -> None:
    """The watchdog ends a program; its bursts still come to their ends."""
    rng = np.random.default_rng(SEED + 6)
    shape, total = shape_of(SHARED), 0
    for index in range(count):
        image = RandomProgram(shape, rng, OPERATIONS).image
        memory = image.memory.copy()
        what = f"program {index} of seed {SEED + 6}"
        kind = MemoryKind(latency=int(rng.integers(600, 2000)), seed=index)
        run = accelerator(SHARED).run(memory, image.reads, image.writes, kind=kind, watchdog=500)
        assert run.error is Error.TIMEOUT, what
        require_untouched(what, image, memory)
        compare(SHARED, f"{what}, again", image, random_memory(rng))
        total += 2 * len(memory)
    checks(total)


@pytest.mark.slow
def test_windows_stay(checks: Callable[[int], None]) -> None:
    """While a program runs, writes to their registers change nothing; behind its end they do."""
    machine = accelerator(SHARED)
    image = RandomProgram(shape_of(SHARED), np.random.default_rng(SEED + 7), OPERATIONS).image
    memory = image.memory.copy()
    access = machine.attach(memory, MemoryKind(latency=40))
    read = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)(access.read32)
    write = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)(
        access.write32
    )
    offsets = {register.name: register.offset for register in ACCELERATOR.registers}
    windows = {
        **{"READS_LOW": image.reads.start, "READS_HIGH": 0, "READS_SIZE": image.reads.size},
        **{"WRITES_LOW": image.writes.start, "WRITES_HIGH": 0, "WRITES_SIZE": image.writes.size},
    }
    for name, value in {**windows, "PROGRAM": 0, "INTERRUPT_ENABLE": 3, "START": 1}.items():
        write(access.context, offsets[name], value)
    for name, value in windows.items():
        write(access.context, offsets[name], value ^ 0xFFFFFFFF)
        assert read(access.context, offsets[name]) == value, name
    assert read(access.context, offsets["STATUS"])
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(access.wait)(access.context)
    expected = image.machine()
    assert expected.run(0).error is Error.NONE
    assert read(access.context, offsets["ERROR"]) == Error.NONE
    require_memory("a program whose windows stay", image, memory, expected.memory)
    write(access.context, offsets["INTERRUPT"], 3)
    for name, value in windows.items():
        write(access.context, offsets[name], value ^ 0xFFFFFFFF)
        assert read(access.context, offsets[name]) == value ^ 0xFFFFFFFF, name
    checks(len(memory) + 2 * len(windows))


@pytest.mark.slow
def test_a_network(checks: Callable[[int], None]) -> None:
    """One image of MNIST, from bytes to logits, in as many cycles as predicted, within 0.1 %."""
    mnist = load_mnist()
    _, network = quantized_mnist(mnist, first_layer_windowed=False)
    compiled = compile_network(shape_of(SHARED), network)
    image = compiled.image
    inputs = network.quantize_images(mnist.test.inputs[:1])
    runs = AcceleratorRuns(accelerator(SHARED), MemoryKind(latency=20))
    logits = np.stack(list(runs(image, inputs)))
    require_equal("logits", logits, network.forward(inputs, of_machine(image.shape.format)))
    predicted = totals(layer_report(compiled, latency=20))["cycles"]
    assert abs(predicted / runs.cycles_per_image - 1) < 0.001
    checks(logits.size)


@pytest.mark.slow
def test_a_network_of_stored_pairs(checks: Callable[[int], None]) -> None:
    """Tensors that spill are stored pairs in memory; logits are those of the network, in as many
    cycles as predicted, within 1 %.
    """
    rng = np.random.default_rng(SEED)
    graph = squeeze_network(rng, (10, 9, 4), 8)
    images = np.abs(rng.normal(size=(2, *graph.input_shape)))
    network = quantized(shape_of(SHARED), graph, images)
    compiled = compile_network(shape_of(SHARED), network)
    assert len(compiled.allocation.encoded) > 1
    moves = [each for each in compiled.program if each.opcode in (Opcode.LOAD, Opcode.STORE)]
    assert {(each.opcode, each.encoded) for each in moves} == {
        (opcode, encoded) for opcode in (Opcode.LOAD, Opcode.STORE) for encoded in (0, 1)
    }
    inputs = network.quantize_images(images)
    expected = network.forward(inputs, of_machine(shape_of(SHARED).format))
    for latency in (0, 20):
        runs = AcceleratorRuns(accelerator(SHARED), MemoryKind(latency=latency))
        logits = np.stack(list(runs(compiled.image, inputs)))
        require_equal("logits", logits, expected)
        predicted = totals(layer_report(compiled, latency=latency))["cycles"]
        assert abs(predicted / runs.cycles_per_image - 1) < 0.01
        checks(logits.size)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("name", ACCELERATORS)
def test_latency_is_that_of_the_machine(name: str) -> None:
    unit = configuration_of(name).accelerator
    assert unit is not None
    assert shape_of_unit(unit).latency == unit.engine.machine_component().latency


LAYERS: dict[str, Callable[[np.random.Generator], Any]] = {
    "groups": lambda rng: matrix_layer(rng, Patch((3, 2), groups=2), 4, 6),
    "convolution": lambda rng: matrix_layer(rng, Patch((3, 3), padding=(1, 1, 1, 1)), 4, 5),
    "strides": lambda rng: matrix_layer(rng, Patch((2, 2), (2, 2)), 4, 4),
    "largest": lambda rng: MaxPool(Patch((2, 3))),
    "average": lambda rng: average(Patch((2, 2))),
}
BYTES = ("largest", "average")
"""Those whose results are no sums."""


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("latency", [0, 30])
@pytest.mark.parametrize(
    "name",
    [
        own if own == SHARED else pytest.param(own, marks=pytest.mark.full)
        for own, options in ACCELERATORS.items()
        if "acc_bits" not in options  # they are too few for a layer
    ],
)
def test_a_layer_takes_the_predicted_cycles(
    name: str, layer: str, latency: int, checks: Callable[[int], None]
) -> None:
    """To the cycle, where loads, computing and stores come one after the other.

    On other machines sums may leave some cycles later: where tiles are not full, and as fast as
    the machine is.
    """
    rng = np.random.default_rng(SEED)
    graph = graph_of((6, 7, 4), (LAYERS[layer](rng), ("x",), "a"))
    network = quantized(shape_of(name), graph, images_of(graph, rng, 4))
    compiled = compile_network(shape_of(name), network)
    image = compiled.image
    runs = AcceleratorRuns(accelerator(name), MemoryKind(latency=latency))
    inputs = network.quantize_images(images_of(graph, rng, 1))
    logits = np.stack(list(runs(image, inputs)))
    require_equal("results", logits, network.forward(inputs, of_machine(image.shape.format)))
    predicted = totals(layer_report(compiled, latency=latency))["cycles"]
    if name == SHARED or layer in BYTES:
        assert runs.cycles_per_image == predicted
    assert abs(predicted / runs.cycles_per_image - 1) < FARTHEST_OFF_OF_SUMS
    checks(logits.size)


@pytest.mark.parametrize("name", NETWORK_MACHINES)
@pytest.mark.parametrize("on", ["golden", pytest.param("rtl", marks=pytest.mark.full)])
def test_a_network_on_other_machines(name: str, on: str, checks: Callable[[int], None]) -> None:
    """Each of them has logits of its own, those of the network in integers."""
    mnist = load_mnist()
    configuration = configuration_of(name, scratchpad=8)
    signed = signed_layers(configuration.format)
    _, network = quantized_mnist(mnist, first_layer_windowed=False, signed=signed)
    compiled = compile_network(accelerator_shape(configuration), network)
    inputs = network.quantize_images(mnist.test.inputs[:2])
    run: Runner = run_on_golden
    if on == "rtl":
        run = AcceleratorRuns(CompiledAccelerator(configuration), MemoryKind(latency=20))
    logits = np.stack(list(run(compiled.image, inputs)))
    expected = network.forward(inputs, of_machine(compiled.image.shape.format))
    require_equal(f"logits of {name}", logits, expected)
    assert np.ptp(logits, axis=1).all()
    if on == "rtl":
        checks(logits.size)


@pytest.mark.full
def test_a_depthwise_network_without_multipliers(checks: Callable[[int], None]) -> None:
    """Its layers are products of the machine: from bytes to results."""
    name = "no multipliers"
    rng = np.random.default_rng(SEED)
    graph = graph_of(
        (7, 6, 5),
        (matrix_layer(rng, DEPTHWISE, 5, 5), ("x",), "a", RELU),
        (matrix_layer(rng, Patch((1, 1)), 5, 6), ("a",), "b"),
        (MaxPool(Patch((2, 2))), ("b",), "c"),
    )
    images = rng.normal(size=(2, 7, 6, 5))
    kept = unwindowed_layers(shape_of(name), graph)
    network = quantize(graph, calibrate(graph, [images], method="max"), kept=kept)
    compiled = compile_network(shape_of(name), network)
    assert {each.opcode for each in compiled.program} == {
        *(Opcode.LOAD, Opcode.MATRIX, Opcode.MAX, Opcode.STORE, Opcode.END)
    }
    inputs = network.quantize_images(images)
    runs = AcceleratorRuns(accelerator(name), MemoryKind(latency=20))
    results = np.stack(list(runs(compiled.image, inputs)))
    expected = network.forward(inputs, of_machine(compiled.image.shape.format))
    require_equal("results", results, expected)
    checks(results.size)


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name in ACCELERATORS if name != SHARED])
def test_other_accelerators(name: str, checks: Callable[[int], None]) -> None:
    rng = np.random.default_rng(SEED + 4)
    shape, total = shape_of(name), 0
    for index in range(100):
        image = RandomProgram(shape, rng, OPERATIONS).image
        compare(name, f"program {index} of seed {SEED + 4}", image, random_memory(rng))
        total += len(image.memory)
    checks(total)
