"""The example of a program in C: a compiled network on the emitted Verilog."""

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gen.compiler.compile import CompiledNetwork, compile_network
from gen.compiler.files import HEADER, header
from gen.driver import ACCELERATOR_DRIVER, ACCELERATOR_MAIN
from gen.simulation.compiled_accelerator import MemoryKind
from golden.accelerator.shape import AcceleratorShape, Bytes
from networks.fixed_point import Float64Array
from networks.graph.lowering import Patch
from networks.graph.operations import MaxPool
from networks.quantization.arithmetic import of_machine
from sim_tb.gen.small_networks import RELU, graph_of, images_of, matrix_layer
from sim_tb.gen.test_compiled_accelerator import SHARED, accelerator, shape_of
from sim_tb.gen.test_compiler import quantized
from sim_tb.gen.test_driver import OK, STRICT, WRONG_HASH
from support.cpp import cpp_compiler

SYSTEM = """
#include "accelerator_main.c"
void *system_registers;
uint8_t system_memory[SPARQ_NETWORK_MEMORY_BYTES];
uint64_t system_memory_address;
const uint8_t system_constants[SPARQ_NETWORK_CONSTANT_BYTES] = {%s};
const uint8_t system_image[] = {%s};
uint32_t (*read_register)(void *, uint32_t);
void (*write_register)(void *, uint32_t, uint32_t);
void (*wait_for_interrupt)(void *);
uint32_t system_read32(void *context, uint32_t offset) { return read_register(context, offset); }
void system_write32(void *context, uint32_t offset, uint32_t value) {
  write_register(context, offset, value);
}
void system_wait_for_interrupt(void) { wait_for_interrupt(system_registers); }
void system_synchronize_memory(void) {}
"""
"""What the example wants of a system, in this one, where memory is at address 0."""
CHANNELS = 5
GRAPHS = {
    "sums": graph_of(
        (7, 6, 3),
        (matrix_layer(np.random.default_rng(1), Patch((3, 3)), 3, 6), ("x",), "a", RELU),
        (matrix_layer(np.random.default_rng(2), Patch((5, 4)), 6, CHANNELS), ("a",), "b"),
    ),
    "bytes": graph_of(
        (7, 6, 3),
        (matrix_layer(np.random.default_rng(3), Patch((2, 2)), 3, CHANNELS), ("x",), "a", RELU),
        (MaxPool(Patch((6, 5))), ("a",), "b"),
    ),
}
"""Of one output pixel."""


def random_images(output: str, count: int) -> Float64Array:
    return images_of(GRAPHS[output], np.random.default_rng(count), count)


def compile_main(
    folder: Path, compiled: CompiledNetwork, image: Bytes, configuration_hash: str
) -> ctypes.CDLL:
    """The example with this system."""
    folder.mkdir()
    data = (compiled.image.constants, image.reshape(-1))
    (folder / "system.c").write_text(SYSTEM % tuple(",".join(map(str, each)) for each in data))
    (folder / HEADER).write_text(header(compiled.image, configuration_hash))
    includes = [f"-I{ACCELERATOR_DRIVER.parent}", f"-I{folder}"]
    flags = [*STRICT, *includes, "-Dmain=network_main", "-shared", "-fPIC", "-O1"]
    library = folder / "main.so"
    command = [
        *cpp_compiler(),
        "-x",
        "c",
        "-std=c99",
        *flags,
        str(folder / "system.c"),
        "-o",
        str(library),
    ]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


@pytest.mark.slow
@pytest.mark.parametrize("output", GRAPHS)
def test_an_image_on_the_accelerator(
    output: str, tmp_path: Path, checks: Callable[[int], None]
) -> None:
    """Its logits are those of the network in integers."""
    shape, own = shape_of(SHARED), accelerator(SHARED).configuration.hash
    network = quantized(shape, GRAPHS[output], random_images(output, 6))
    compiled = compile_network(shape, network)
    image = network.quantize_images(random_images(output, 1))
    for found, result in ((own, OK), ("0" * 16, WRONG_HASH)):
        library = compile_main(tmp_path / found, compiled, image, found)
        memory = (ctypes.c_uint8 * compiled.image.size).in_dll(library, "system_memory")
        access = accelerator(SHARED).attach(np.ctypeslib.as_array(memory), MemoryKind(latency=9))
        names = ("system_registers", "read_register", "write_register", "wait_for_interrupt")
        for name, address in zip(names, access, strict=True):
            ctypes.c_void_p.in_dll(library, name).value = address
        assert library.network_main() == result
        logits = list((ctypes.c_int64 * CHANNELS).in_dll(library, "logits"))
        if result == OK:
            expected = network.forward(image, of_machine(shape.format))
            assert logits == expected.reshape(-1).tolist()
            checks(CHANNELS)


@pytest.mark.parametrize(("language", "standard"), [("c", "c99"), ("c++", "c++11")])
def test_compiles_without_a_warning(language: str, standard: str, tmp_path: Path) -> None:
    shape = AcceleratorShape(4, 4, 2, 256, 8, 64)
    network = quantized(shape, GRAPHS["sums"], random_images("sums", 2))
    compiled = compile_network(shape, network)
    (tmp_path / HEADER).write_text(header(compiled.image, "0123456789abcdef"))
    includes = [f"-I{ACCELERATOR_DRIVER.parent}", f"-I{tmp_path}"]
    command = [*cpp_compiler(), "-x", language, f"-std={standard}", *STRICT, *includes]
    subprocess.run([*command, "-fsyntax-only", ACCELERATOR_MAIN], check=True)


def test_documentation_shows_the_example() -> None:
    """All of it but its first comment."""
    text = (Path(__file__).parents[2] / "docs" / "compiler.md").read_text(encoding="utf-8")
    shown = ACCELERATOR_MAIN.read_text(encoding="utf-8").partition("/* 0, or what went")[2]
    assert shown in text
