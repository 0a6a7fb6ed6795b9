"""The Verilog of an array or tensor core, compiled by Verilator, multiplying matrices."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gen.design.configuration import TENSOR_CORES, Configuration
from gen.simulation.simulation_library import OnStep, simulation_library
from gen.simulation.tiling import WORD_BYTES, ArrayShape, Bytes
from gen.verilog.generate import generate

OPERANDS = ("in_a", "in_w", "in_index", "zero_point")
"""The ports that take operands, in the harness's order; not every machine has all."""
HARNESS = Path(__file__).with_name("compiled_array.cpp")
STRIPE_TILES = 256
"""Tiles that are streamed in one go, back to back."""
SMALL = 32
"""Up to so many products a cycle, compiling everything in one go is the quickest."""
ELEMENTS = {"array": "pe", **dict.fromkeys(TENSOR_CORES, "dot_product_unit")}
"""What larger machines repeat: Verilator compiles it once, where it would else write it out for
each place. A 16x16 array is then built within a minute, not in ten; it runs at a quarter of the
speed, which less than half a million cycles do not make up for.
"""


class Product(NamedTuple):
    """What an array made of a product: int64 sums (M, N), tiles, and clock cycles."""

    sums: npt.NDArray[np.int64]
    tiles: int
    cycles: int


class CompiledArray:
    """The machine of ``configuration`` (its ``top`` is in ``MACHINES``), built in ``folder``.

    Building takes seconds to a minute, once: the library is kept as long as Verilog, harness and
    tools stay the same. ``on_step`` is called with the name of each step of it. Raises
    ``ToolError`` if there is no compiler or it fails.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path = Path("build/simulation"),
        on_step: OnStep = lambda step: None,
    ):
        on_step("emitting Verilog")
        generated = generate(configuration)
        self.sidecar = generated.sidecar
        self._group = 1 if configuration.format is None else configuration.format.group
        self._shape = ArrayShape.of(generated.sidecar)
        products = self._shape.rows * self._shape.cols * self._shape.k_per_cycle
        element = None if products <= SMALL else ELEMENTS[configuration.top]
        # Verilator would pass over a name that there is not.
        assert element is None or f"\nmodule {generated.name}_{element}(" in generated.verilog
        library = simulation_library(
            generated.name, generated.verilog, HARNESS, element, folder, on_step=on_step
        )
        self._run = ctypes.CDLL(str(library.resolve())).run
        self._run.restype = ctypes.c_int64

    def tiles(self, m: int, n: int) -> int:
        """How many tiles an (m, n) product takes."""
        return sum(1 for _ in self._shape.tiles(m, n))

    def matmul(
        self,
        x: npt.NDArray[Any],
        w: npt.NDArray[Any],
        zero_point: int = 0,
        on_tiles: Callable[[int], None] = lambda tiles: None,
    ) -> Product:
        """``x`` (M, K) less its zero point times ``w`` (K, N), tile after tile without a gap.

        They are as of :class:`Operands`.

        ``w`` must be 2:4 sparse where the machine needs that, otherwise it is a ``ValueError``.
        ``on_tiles`` is called now and then with the number of tiles done since.
        """
        shape = self._shape
        m, n = x.shape[0], w.shape[1]
        sums = np.zeros((m, n), np.int64)
        tiles = list(shape.tiles(m, n))
        cycles = 0
        for start in range(0, len(tiles), STRIPE_TILES):
            stripe = tiles[start : start + STRIPE_TILES]
            words = [shape.slices(x[rows], w[:, cols], zero_point) for rows, cols in stripe]
            last = np.concatenate([np.arange(len(a)) == len(a) - 1 for a, *_ in words])
            operands = [np.concatenate(parts) for parts in zip(*words, strict=True)]
            received, used = self._stream(operands, last.astype(np.uint8), len(stripe))
            cycles += used
            for index, (rows, cols) in enumerate(stripe):
                block = received[index * shape.rows : (index + 1) * shape.rows]
                results = shape.results(block)
                sums[rows, cols] = results[: rows.stop - rows.start, : cols.stop - cols.start]
            on_tiles(len(stripe))
        return Product(sums, len(tiles), cycles)

    def _stream(self, operands: list[Bytes], last: Bytes, tiles: int) -> tuple[Bytes, int]:
        """Rows of ``out_acc`` in order of arrival, and the cycles it took.

        ``operands``: words of each of the shape's operands.
        """
        shape = self._shape
        row_bytes = -(-shape.cols * shape.acc_bits // (8 * WORD_BYTES)) * WORD_BYTES
        rows = np.zeros((tiles * shape.rows, row_bytes), np.uint8)
        # A tile may wait for its registers, or until its last group is filled up.
        wait = shape.rows + self._group
        limit = len(last) + tiles * wait + self.sidecar["latency"] + 2 * shape.rows
        given = dict(zip(shape.operands, operands, strict=True))
        words = [given.get(name, np.zeros((1, 0), np.uint8)) for name in OPERANDS]
        inputs = (ctypes.c_void_p * len(OPERANDS))(*(each.ctypes.data for each in words))
        strides = (ctypes.c_int64 * len(OPERANDS))(*(each.shape[1] for each in words))
        cycles = self._run(
            *(inputs, strides),
            *(last.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(len(last))),
            *(rows.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(row_bytes)),
            *(ctypes.c_int64(len(rows)), ctypes.c_int64(limit)),
        )
        if cycles < 0:
            raise RuntimeError(f"the array gave fewer than {len(rows)} rows in {limit} cycles")
        return rows, int(cycles)
