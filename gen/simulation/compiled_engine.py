"""The Verilog of an engine, compiled by Verilator, multiplying matrices through the C driver."""

import ctypes
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gen.design.configuration import Configuration
from gen.driver import DRIVER
from gen.driver.product import Activations, Bytes, ColumnParameters, EngineProduct
from gen.simulation.simulation_library import MACHINE, OnStep, simulation_library
from gen.simulation.tiling import sidecar_format
from gen.verilog.generate import generate
from golden.engine import Command, EngineShape, predicted_cycles
from hdl.engine.engine_registers import COUNTERS
from support.errors import RunError

HARNESS = Path(__file__).with_name("compiled_engine.cpp")
SMALL = 32
"""Up to so many products a cycle, compiling everything in one go is the quickest."""
STREAMS = 4
"""Operands, weights, parameters and results."""


class EngineError(RunError):
    """The engine did not do what it must: one line that says what."""


class EngineRun(NamedTuple):
    """What an engine made of a product: the product (M, N), and its counters by their names."""

    result: npt.NDArray[Any]
    counters: dict[str, int]


class _Command(ctypes.Structure):
    _fields_ = (
        ("tiles_m", ctypes.c_uint16),
        ("tiles_n", ctypes.c_uint16),
        ("slices", ctypes.c_uint16),
        ("exact", ctypes.c_int),
        ("sums", ctypes.c_int),
        ("encoded", ctypes.c_int),
        ("zero_point", ctypes.c_uint8),
    )


class _Stream(ctypes.Structure):
    _fields_ = (
        ("words", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("stride", ctypes.c_int64),
    )


FAILURES = {
    -1: "did not finish in time",
    -2: "broke the protocol of a stream, or left operands",
    -3: "refused a command",
}


class CompiledEngine:
    """The engine of ``configuration`` (its ``top`` is ``engine``), built in ``folder``.

    ``on_step`` is called with the name of each step of that.

    Raises ``ToolError`` if there is no compiler or it fails, :class:`EngineError` if the engine is
    not the one that it should be.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path = Path("build/simulation"),
        on_step: OnStep = lambda step: None,
    ):
        on_step("emitting Verilog")
        generated = generate(configuration)
        self.configuration = configuration
        self.sidecar = generated.sidecar
        self.shape = engine_shape(generated.sidecar)
        shape = self.shape
        products = shape.rows * shape.cols * shape.k_per_cycle
        kind = "pe" if generated.sidecar["engine"]["machine"] == "array" else "dot_product_unit"
        element = None if products <= SMALL else kind
        # Verilator would pass over a name that there is not.
        assert element is None or f"\nmodule {generated.name}_{element}(" in generated.verilog
        library = simulation_library(
            generated.name, generated.verilog, HARNESS, element, folder, [DRIVER, MACHINE], on_step
        )
        self._library = ctypes.CDLL(str(library.resolve()))
        self._library.engine_new.restype = ctypes.c_void_p
        self._library.engine_run.restype = ctypes.c_int64
        self._engine = self._library.engine_new(
            ctypes.c_uint64(int(configuration.hash, 16)), ctypes.c_int64(shape.result_bytes)
        )
        if not self._engine:
            raise EngineError(f"no engine of configuration {configuration.hash} answers")

    def __del__(self) -> None:
        if getattr(self, "_engine", None):
            self._library.engine_delete(ctypes.c_void_p(self._engine))

    def product(
        self,
        x: Activations,
        w: npt.NDArray[np.int8],
        parameters: ColumnParameters,
        exact: bool = False,
        sums: bool = False,
        encoded: bool = False,
        zero_point: int = 0,
        stalls: Sequence[float] = (0, 0, 0, 0),
        seed: int = 0,
    ) -> EngineRun:
        """``x`` (M, K), less ``zero_point``, times ``w`` (K, N), with ``parameters`` of N columns.

        ``exact``: activations are not quantized; ``sums``: the result is int32, not bytes;
        ``encoded``: it is uint32 (M, ceil(N/2)), its stored pairs, as another product takes them.
        ``stalls``: probabilities that a cycle passes before activations, weights or parameters are
        offered, or in which results are not taken. Raises ``ValueError`` for a product that does
        not fit, :class:`EngineError` if the engine fails.
        """
        return self.run(self.plan(x, w, parameters, exact, sums, encoded, zero_point), stalls, seed)

    def plan(
        self,
        x: Activations,
        w: npt.NDArray[np.int8],
        parameters: ColumnParameters,
        exact: bool = False,
        sums: bool = False,
        encoded: bool = False,
        zero_point: int = 0,
    ) -> EngineProduct:
        """The product as this engine takes it."""
        engine = self.shape, self.sidecar["weight_bits"], self.sidecar["sparse"]
        return EngineProduct(*engine, x, w, parameters, exact, sums, encoded, zero_point)

    def abandon(self, product: EngineProduct, cycles: int) -> None:
        """Start the product's first command, feed it for some cycles, and reset the engine."""
        operands = _operands(product)
        self._library.engine_abandon(
            ctypes.c_void_p(self._engine),
            ctypes.byref(_commands([product.commands[0].command])),
            ctypes.byref(_streams(operands)),
            ctypes.c_int64(cycles),
        )

    def run(
        self, product: EngineProduct, stalls: Sequence[float] = (0, 0, 0, 0), seed: int = 0
    ) -> EngineRun:
        """What :meth:`product` does, of a product that was planned."""
        commands = [each.command for each in product.commands]
        operands = _operands(product)
        words = np.zeros((product.result_words, self.shape.result_bytes), np.uint8)
        last = np.zeros(product.result_words, np.uint8)
        chances = (ctypes.c_uint32 * STREAMS)(*(round(each * 65536) for each in stalls))
        counters = (ctypes.c_uint64 * len(COUNTERS))()
        slowest = 1 / (1 - max(stalls))
        limit = round(slowest * (4 * predicted_cycles(self.shape, commands) + 10_000))
        received = self._library.engine_run(
            ctypes.c_void_p(self._engine),
            *(ctypes.byref(_commands(commands)), ctypes.c_int64(len(commands))),
            ctypes.byref(_streams(operands)),
            *(words.ctypes.data_as(ctypes.c_void_p), last.ctypes.data_as(ctypes.c_void_p)),
            ctypes.c_int64(len(words)),
            *(chances, ctypes.c_uint64(seed), ctypes.c_int64(limit)),
            ctypes.byref(counters),
        )
        if received < 0:
            raise EngineError(f"the engine {FAILURES[received]}")
        if not np.array_equal(np.flatnonzero(last) + 1, np.cumsum(product.packets)):
            raise EngineError("the engine ended packets in other places than its commands end")
        named = zip(COUNTERS, counters, strict=True)
        return EngineRun(product.result(words), {name.lower(): int(value) for name, value in named})


def engine_shape(sidecar: dict[str, Any]) -> EngineShape:
    """The shape that an engine's sidecar tells of."""
    engine = sidecar["engine"]
    of_machine = {name: sidecar[name] for name in ("rows", "cols", "k_per_cycle")}
    sizes = ("machine_latency", "slices_per_group", "lanes", "weight_depth", "result_tiles")
    return EngineShape(
        **of_machine,
        **{name: engine[name] for name in (*sizes, "stream_bits", "encoded_output")},
        planes=len(engine["planes"]),
        activation_words=engine["stream_words"]["activations"],
        weight_words=engine["stream_words"]["weights"],
        result_words=engine["stream_words"]["results"],
        format=sidecar_format(sidecar),
        encoded_input=sidecar["encoded_input"],
        multipoint=engine.get("multipoint", False),
    )


def _operands(product: EngineProduct) -> list[Bytes]:
    operands = (product.activations(), product.weights(), product.parameter_words())
    return [np.ascontiguousarray(words) for words in operands]


def _commands(commands: Sequence[Command]) -> Any:
    return (_Command * len(commands))(*(_Command(*astuple(each)) for each in commands))


def _streams(operands: Sequence[Bytes]) -> Any:
    return (_Stream * len(operands))(
        *(_Stream(words.ctypes.data, len(words), words.shape[1]) for words in operands)
    )
