"""Operations of an integer network in the compiled kernel, where it has them.

Each result is that of NumPy, bit for bit.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

import golden
from golden.format import ACTIVATION_BITS, ACTIVATION_MAX
from golden.quantize import VALUES, lane_table, placed_table, wide_table
from golden.requantize import factors_of
from networks.graph.lowering import Array, Patch, Shape
from networks.graph.operations import MaxPool
from networks.kernel.library import (
    CodingStructure,
    FinishStructure,
    LayerStructure,
    address,
    addresses,
    kernel,
)
from networks.quantization.arithmetic import (
    LOWERED_BYTES,
    Arithmetic,
    CodedProducts,
    SparseProducts,
    Windows,
    exact,
    saturated,
)
from networks.quantization.operations import (
    Alignment,
    Bytes,
    Combine,
    Int32Array,
    IntegerMatrixLayer,
    LookUp,
    Requantization,
)

Limits = tuple[int, int]
BYTES = (0, ACTIVATION_MAX)
PERIOD = 1 << 9
"""Elements that a row of channels is repeated to, in element-wise operations."""
MAX_DEPTH = np.iinfo(np.int32).max // (ACTIVATION_MAX * 128)
"""Longest K whose sums fit int32."""


def run(
    operation: Any, values: Sequence[Array], arithmetic: Arithmetic, limits: Limits | None
) -> Array | None:
    """The value of ``operation`` within ``limits``, products in ``arithmetic``.

    None where the kernel does not have it, or there is none.
    """
    if kernel() is None or any(value.dtype != np.uint8 or not value.size for value in values):
        return None
    match operation:
        case IntegerMatrixLayer():
            coding = _coding(operation, arithmetic)
            return None if coding is None else _layer(operation, values[0], coding, limits)
        case Combine():
            return _combine(operation, values, limits or BYTES)
        case LookUp():
            return _look_up(operation, values[0], limits or BYTES)
        case MaxPool() if limits is None:
            return _max_pool(operation, values[0])
    return None


def products(layer: IntegerMatrixLayer, x: Bytes, arithmetic: Arithmetic) -> Int32Array:
    """``arithmetic(layer, x)``, by the kernel where it has it."""
    coding = None if kernel() is None or not x.size else _coding(layer, arithmetic)
    if coding is None:
        return arithmetic(layer, x)
    none = np.zeros(0, np.int64)
    bare = replace(layer, bias=np.zeros(layer.width, np.int32), finish=Alignment(none, none))
    sums: Int32Array = _sums_or_bytes(bare, x, coding, None)
    return sums


@dataclass(frozen=True)
class _Coding:
    """What activations become: windows in ``fmt``, or nothing else."""

    fmt: golden.SparqFormat | None

    def span(self) -> int:
        """How many neighbours along K are coded together."""
        return 1 if self.fmt is None else max(2, self.fmt.group)

    def structure(self, length: int, zero_point: int) -> CodingStructure:
        """For the kernel, of rows that consist of ``length`` neighbours each."""
        if self.fmt is None:
            return CodingStructure(1, length)
        fmt = self.fmt
        if fmt.group <= 2:
            tables: tuple[Array, ...] = (_pair_values(fmt, zero_point),)
        else:
            tables = _shared_tables(fmt)
        group = max(2, fmt.group)
        own = group, length, zero_point, fmt.magnitude_max, fmt.vsparq
        structure = CodingStructure(*own, *map(address, tables))
        structure.tables = tables
        return structure


def _coding(layer: IntegerMatrixLayer, arithmetic: Arithmetic) -> _Coding | None:
    """What becomes of the activations of ``layer``; None if the kernel has nothing like it."""
    whole = _Coding(None)
    if layer.depth > MAX_DEPTH:
        return None
    if arithmetic is exact:
        return whole
    if isinstance(arithmetic, SparseProducts) and not layer.windowed:
        return whole
    if not isinstance(arithmetic, CodedProducts) or layer.name in arithmetic.weights:
        return None
    if not layer.windowed:
        return whole
    if not isinstance(arithmetic.coding, Windows):
        return None
    return _Coding(arithmetic.coding.format_of(layer))


@lru_cache(maxsize=64)
def _pair_values(fmt: golden.SparqFormat, zero_point: int) -> npt.NDArray[np.int16]:
    """What each pair of bytes becomes: int16 (65536, 2), by the two read as one uint16."""
    pairs = np.arange(VALUES * VALUES, dtype="<u2").view(np.uint8).reshape(-1, 2)
    coded = golden.sparq(saturated(pairs, fmt, zero_point), fmt, zero_point=zero_point)
    return np.ascontiguousarray(coded, np.int16)


@lru_cache(maxsize=64)
def _shared_tables(
    fmt: golden.SparqFormat,
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """The values of magnitudes, int16 (9, 256), by shift, the last wide; shifts by magnitude."""
    values = np.zeros((ACTIVATION_BITS + 1, VALUES), np.int16)
    for placement in fmt.placements:
        values[placement] = placed_table(fmt, placement).value
    values[ACTIVATION_BITS] = wide_table(fmt).value
    return values, np.ascontiguousarray(lane_table(fmt).shift)


def _layer(layer: IntegerMatrixLayer, x: Bytes, coding: _Coding, limits: Limits | None) -> Array:
    result = _sums_or_bytes(layer, x, coding, limits)
    if isinstance(layer.finish, Requantization):
        return result
    value = layer.finish(result)
    return value if limits is None else np.clip(value, *limits)


def _sums_or_bytes(
    layer: IntegerMatrixLayer, x: Bytes, coding: _Coding, limits: Limits | None
) -> Array:
    """Bytes, if the layer makes some, or sums with the bias added, int32."""
    operand = np.ascontiguousarray(layer.operand(x))
    shape = (len(x), *layer.lowering.output_shape(x.shape[1:], layer.width))
    bias = layer.bias
    zero = 0 if coding.fmt is None else layer.fill
    if zero:
        # Windows are of bytes less their zero point.
        bias = bias + np.int32(zero) * layer.weights.sum(axis=1, dtype=np.int32).reshape(-1)
    to_bytes = isinstance(layer.finish, Requantization)
    result = np.empty(shape, np.uint8 if to_bytes else np.int32)
    finish = None
    if isinstance(layer.finish, Requantization):
        factors = _per_output(factors_of(layer.finish.multiplier, layer.finish.shift), layer.width)
        finish = FinishStructure(address(factors), layer.finish.zero_point, *(limits or BYTES))
    weights = np.ascontiguousarray(layer.weights)

    def call(operand: Bytes, geometry: Sequence[Any], length: int, fill: int, out: Array) -> None:
        structure = LayerStructure(*geometry, fill, address(weights), address(bias))
        made = coding.structure(length, zero)
        kernel().run_layer(  # type: ignore[union-attr]
            ctypes.byref(structure),
            ctypes.byref(made),
            None if finish is None else ctypes.byref(finish),
            ctypes.c_void_p(address(operand)),
            ctypes.c_void_p(address(out)),
        )

    channels = operand.shape[-1]
    if isinstance(layer.lowering, Patch) and channels // layer.groups % coding.span() == 0:
        patch = layer.lowering
        if patch.kernel == (1, 1) and not any(patch.padding) and patch.stride != (1, 1):
            operand = np.ascontiguousarray(operand[:, :: patch.stride[0], :: patch.stride[1]])
            patch = Patch((1, 1), groups=patch.groups)
        fill = layer.fill if coding.fmt is None else 0
        call(
            operand,
            _geometry(layer.groups, layer.width, patch, operand.shape),
            channels,
            fill,
            result,
        )
        return result
    # Neighbours along K are no channels of one pixel: as rows that are lowered before.
    row = prod(shape[1:-1]) * layer.groups * layer.depth
    count = max(1, LOWERED_BYTES // row)
    for top in range(0, len(x), count):
        part = operand[top : top + count]
        lowered = np.ascontiguousarray(layer.lowering.lower(part, layer.fill))
        rows = prod(lowered.shape[:-2])
        call(
            lowered,
            _geometry(
                layer.groups, layer.width, Patch((1, 1)), (1, rows, 1, layer.groups * layer.depth)
            ),
            *(layer.depth, 0, result[top : top + count]),
        )
    return result


def _geometry(groups: int, width: int, patch: Patch, shape: Shape) -> list[Any]:
    """The first fields of the kernel's layer, for an input of ``shape`` (N, H, W, C)."""
    images, height, columns, channels = shape
    if patch.kernel == (1, 1) and not any(patch.padding) and patch.stride == (1, 1):
        images, height, columns = 1, images * height * columns, 1
    return [
        *(images, height, columns, channels),
        *((ctypes.c_int32 * 2)(*pair) for pair in (patch.kernel, patch.stride)),
        (ctypes.c_int32 * 4)(*patch.padding),
        (ctypes.c_int32 * 2)(*patch.dilation),
        *(groups, width // groups),
        *patch.output_size(height, columns),
    ]


def _per_output(values: npt.ArrayLike, width: int) -> Array:
    return np.ascontiguousarray(np.broadcast_to(values, (width,)))


def _combine(operation: Combine, values: Sequence[Array], limits: Limits) -> Bytes | None:
    shape, finish = values[0].shape, operation.requantization
    if any(value.shape != shape for value in values) or not isinstance(finish, Requantization):
        return None
    factors = factors_of(finish.multiplier, finish.shift)
    parts: list[Array] = [*operation.multipliers, operation.bias, factors]
    channels = shape[-1:] if any(part.size > 1 for part in parts) else (1,)
    if any(np.broadcast_shapes(part.shape, channels) != channels for part in parts):
        return None
    repeat = max(1, PERIOD // channels[0])
    *multipliers, bias, factors = (
        np.tile(np.broadcast_to(part, channels), repeat) for part in parts
    )
    arrays = [np.ascontiguousarray(value) for value in values]
    result = np.empty(shape, np.uint8)
    how = FinishStructure(address(factors), finish.zero_point, *limits)
    kernel().run_combine(  # type: ignore[union-attr]
        ctypes.c_int32(len(arrays)),
        addresses(arrays),
        addresses(multipliers),
        ctypes.c_void_p(address(bias)),
        ctypes.byref(how),
        ctypes.c_int64(result.size),
        ctypes.c_int64(len(bias)),
        ctypes.c_void_p(address(result)),
    )
    return result


def _look_up(operation: LookUp, x: Bytes, limits: Limits) -> Bytes | None:
    tables = np.clip(operation.table, *limits, order="C")
    if tables.ndim > 1 and x.shape[-1] != len(tables):
        return None
    bytes_in = np.ascontiguousarray(x)
    result = np.empty(x.shape, np.uint8)
    kernel().run_look_up(  # type: ignore[union-attr]
        ctypes.c_void_p(address(tables)),
        ctypes.c_int64(tables.size // VALUES),
        ctypes.c_void_p(address(bytes_in)),
        ctypes.c_int64(result.size),
        ctypes.c_void_p(address(result)),
    )
    return result


def _max_pool(operation: MaxPool, x: Array) -> Bytes:
    patch = operation.patch
    images = np.ascontiguousarray(x)
    result = np.empty((len(x), *operation.output_shape(x.shape[1:])), np.uint8)
    structure = LayerStructure(*_geometry(1, x.shape[-1], patch, x.shape))
    kernel().run_max_pool(  # type: ignore[union-attr]
        ctypes.byref(structure),
        ctypes.c_void_p(address(images)),
        ctypes.c_void_p(address(result)),
    )
    return result
