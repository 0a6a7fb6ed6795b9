"""The C driver of the accelerator: its constants, and what it computes."""

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.driver import ACCELERATOR_DRIVER
from golden import rescale
from golden.accelerator.shape import AcceleratorShape, pack_tensor
from hdl.accelerator.accelerator_registers import (
    COUNTERS,
    IDENTIFICATION,
    accelerator_registers,
)
from sim_tb.gen.test_driver import LANGUAGES, STRICT, constants, driver_library
from support.cpp import cpp_compiler

SIZES: dict[str, Any] = {
    **dict.fromkeys(("rows", "cols", "k_per_cycle", "weight_bits", "acc_bits", "planes"), 2),
    **{"weight_depth": 2, "lines": 2, "beat_bytes": 4},
}
TEXT = ACCELERATOR_DRIVER.read_text(encoding="utf-8")


def test_constants_are_those_of_the_table() -> None:
    table = accelerator_registers(
        **SIZES,
        encoded_memory=False,
        configuration_hash="0" * 16,
        version=(1, 2, 3),
        format=None,
    )
    begin, end = (
        f"/* {word} of what the table of registers says. */\n" for word in ("Begin", "End")
    )
    assert TEXT.partition(begin)[2].partition(end)[0] == constants(table)
    assert f"#define SPARQ_ACCELERATOR_IDENTIFICATION {IDENTIFICATION:#x}u\n" in TEXT
    for index, name in enumerate(COUNTERS):
        assert f"  SPARQ_ACCELERATOR_{name} = {index}" in TEXT
    assert f"#define SPARQ_ACCELERATOR_COUNTERS {len(COUNTERS)}\n" in TEXT


@pytest.mark.parametrize(("language", "standard"), LANGUAGES)
def test_compiles_without_a_warning(language: str, standard: str, tmp_path: Path) -> None:
    source = tmp_path / "driver"
    source.write_text(f'#include "{ACCELERATOR_DRIVER}"\n#include "{ACCELERATOR_DRIVER}"\n')
    extra = ["-Wno-long-long"] if standard == "c++98" else []
    command = [*cpp_compiler(), "-x", language, f"-std={standard}", *STRICT, *extra]
    subprocess.run([*command, "-fsyntax-only", source], check=True)


class CTensor(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint32)
        for name in ("pixels", "channels", "pitch", "word", "banks", "word_channels")
    ]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    found = driver_library(TEXT, tmp_path_factory.mktemp("driver"))
    found.sparq_accelerator_rescale.restype = ctypes.c_int64
    return found


@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_tensors_lie_as_golden_says(library: ctypes.CDLL, channels: int) -> None:
    shape = AcceleratorShape(4, 4, 2, 64, 8, 16)
    rng = np.random.default_rng(channels)
    tensor = rng.integers(0, 256, (5, 3, channels), np.uint8)
    lines = pack_tensor(shape, tensor)
    own = CTensor(15, channels, shape.words(channels), 0, shape.banks, shape.k_per_cycle)
    packed = np.zeros(lines.size, np.uint8)
    library.sparq_accelerator_pack(
        ctypes.byref(own), tensor.tobytes(), packed.ctypes.data_as(ctypes.c_void_p)
    )
    assert np.array_equal(packed, lines.reshape(-1))
    found = np.zeros_like(tensor)
    library.sparq_accelerator_unpack(
        ctypes.byref(own), packed.tobytes(), found.ctypes.data_as(ctypes.c_void_p)
    )
    assert np.array_equal(found, tensor)


def test_logits_are_rescaled_as_golden_says(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(0)
    sums = [*rng.integers(-(1 << 31), 1 << 31, 300).tolist(), 0, 1, -1, 3, -3, (1 << 31) - 1]
    for value in sums:
        for multiplier, shift in ((1, 0), (1, 1), (3, 2), (32767, 46), (16384, 15), (20000, 17)):
            found = library.sparq_accelerator_rescale(
                ctypes.c_int32(value), ctypes.c_uint16(multiplier), ctypes.c_uint8(shift)
            )
            assert found == int(rescale(value, multiplier, shift))
