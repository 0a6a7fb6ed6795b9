"""The Verilog of an accelerator, compiled by Verilator, beside a memory, run by the C driver."""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gen.design.configuration import Configuration
from gen.driver import ACCELERATOR_DRIVER
from gen.simulation.emitted_verilog import emitted_verilog
from gen.simulation.simulation_library import MACHINE, OnStep, simulation_library
from golden.accelerator.program import Window
from golden.accelerator.shape import Bytes
from golden.descriptor import Error
from hdl.accelerator.accelerator_registers import COUNTERS
from support.errors import RunError

HARNESS = Path(__file__).with_name("compiled_accelerator.cpp")
SMALL = 512
"""Up to so many products a cycle, compiling everything in one go is the quickest."""
WATCHDOG = 1 << 16
LIMIT = 1 << 32
CHANCES = 1 << 16


class AcceleratorError(RunError):
    """The accelerator did not do what it must: one line that says what."""


@dataclass(frozen=True)
class MemoryKind:
    """How memory answers: ``latency`` cycles after it was asked, and with some probability in a
    cycle not, or that something went wrong; both as of ``seed``.
    """

    latency: int = 0
    stalls: float = 0.0
    errors: float = 0.0
    seed: int = 0


class AcceleratorRun(NamedTuple):
    """How a program ended: the error, the descriptors that were done, and all counters."""

    error: Error
    done: int
    counters: dict[str, int]


class CAccess(NamedTuple):
    """By what C code uses an accelerator: addresses.

    ``uint32_t read32(void *context, uint32_t offset)`` and ``void write32(void *context, uint32_t
    offset, uint32_t value)`` reach its registers, ``void wait(void *context)`` goes on until its
    interrupt comes.
    """

    context: int
    read32: int
    write32: int
    wait: int


class _Program(ctypes.Structure):
    _fields_ = (
        ("reads", ctypes.c_uint64),
        ("reads_size", ctypes.c_uint32),
        ("writes", ctypes.c_uint64),
        ("writes_size", ctypes.c_uint32),
        ("offset", ctypes.c_uint32),
        ("watchdog", ctypes.c_uint32),
    )


class _Memory(ctypes.Structure):
    _fields_ = (
        ("latency", ctypes.c_int64),
        ("stall_chance", ctypes.c_uint32),
        ("error_chance", ctypes.c_uint32),
        ("seed", ctypes.c_uint64),
    )


def _memory(kind: MemoryKind) -> _Memory:
    chances = (round(chance * CHANCES) for chance in (kind.stalls, kind.errors))
    return _Memory(kind.latency, *chances, kind.seed)


FAILURES = {
    -1: "did not end",
    -2: "broke the protocol of a port, left a burst, or left memory",
}


class CompiledAccelerator:
    """The accelerator of ``configuration`` (its ``top`` is ``accelerator``), built in ``folder``.

    ``on_step`` is called with the name of each step of that.

    Raises ``ToolError`` if there is no compiler or it fails, :class:`AcceleratorError` if the
    accelerator is not the one that it should be.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path = Path("build/simulation"),
        on_step: OnStep = lambda step: None,
    ):
        verilog = emitted_verilog(configuration, folder, on_step)
        self.configuration = configuration
        accelerator = configuration.accelerator
        assert accelerator is not None
        engine = accelerator.engine
        products = engine.rows * engine.cols * configuration.mac.k_per_cycle
        kind = "pe" if engine.machine == "array" else "dot_product_unit"
        element = None if products <= SMALL else kind
        library = simulation_library(
            *(configuration.name, verilog, HARNESS, element, folder),
            *([ACCELERATOR_DRIVER, MACHINE], on_step),
        )
        self._library = ctypes.CDLL(str(library.resolve()))
        self._library.accelerator_new.restype = ctypes.c_void_p
        self._library.accelerator_run.restype = ctypes.c_int64
        self._accelerator = self._library.accelerator_new(
            ctypes.c_uint64(int(configuration.hash, 16))
        )
        if not self._accelerator:
            raise AcceleratorError(f"no accelerator of configuration {configuration.hash} answers")

    def __del__(self) -> None:
        if getattr(self, "_accelerator", None):
            self._library.accelerator_delete(ctypes.c_void_p(self._accelerator))

    def run(
        self,
        memory: Bytes,
        reads: Window,
        writes: Window,
        program: int = 0,
        kind: MemoryKind | None = None,
        watchdog: int = WATCHDOG,
    ) -> AcceleratorRun:
        """Run the program at the address ``program``; ``memory`` is changed where it stores.

        As ``golden.accelerator.program.Machine.run``. Raises :class:`AcceleratorError` for what no
        error code says: a program that does not end, or a port that does what it must not.
        """
        counters = (ctypes.c_uint64 * (2 + len(COUNTERS)))()
        result = self._run(memory, reads, writes, program, kind, watchdog, -1, counters)
        if result < 0:
            raise AcceleratorError(f"the accelerator {FAILURES[result]}")
        error, done, *counts = map(int, counters)
        named = zip(COUNTERS, counts, strict=True)
        return AcceleratorRun(Error(error), done, {name.lower(): count for name, count in named})

    def abandon(
        self, memory: Bytes, reads: Window, writes: Window, cycles: int, program: int = 0
    ) -> None:
        """Start a program, and reset the accelerator after some cycles."""
        counters = (ctypes.c_uint64 * (2 + len(COUNTERS)))()
        self._run(memory, reads, writes, program, None, WATCHDOG, cycles, counters)

    def attach(self, memory: Bytes, kind: MemoryKind | None = None) -> CAccess:
        """Put ``memory``, which must be kept, at address 0, and let C code use the accelerator."""
        assert memory.flags.c_contiguous
        self._library.accelerator_attach(
            ctypes.c_void_p(self._accelerator),
            memory.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(len(memory)),
            ctypes.byref(_memory(kind or MemoryKind())),
        )
        functions = (f"accelerator_{name}" for name in ("read32", "write32", "wait"))
        addresses = (
            ctypes.cast(getattr(self._library, name), ctypes.c_void_p).value for name in functions
        )
        return CAccess(self._accelerator, *(address or 0 for address in addresses))

    def _run(
        self,
        memory: Bytes,
        reads: Window,
        writes: Window,
        program: int,
        kind: MemoryKind | None,
        watchdog: int,
        after: int,
        counters: "ctypes.Array[ctypes.c_uint64]",
    ) -> int:
        assert memory.flags.c_contiguous
        what = _Program(reads.start, reads.size, writes.start, writes.size, program, watchdog)
        return int(
            self._library.accelerator_run(
                ctypes.c_void_p(self._accelerator),
                ctypes.byref(what),
                memory.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_int64(len(memory)),
                ctypes.byref(_memory(kind or MemoryKind())),
                *(ctypes.c_int64(LIMIT), ctypes.c_int64(after)),
                ctypes.byref(counters),
            )
        )
