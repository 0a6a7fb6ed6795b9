# amaranth: UnusedElaboratable=no
# Components are asked what they are, and not all are elaborated.
"""What can be measured: units and whole machines, each with its Verilog."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.lib import wiring

import golden
from gen.design.configuration import MACHINES
from gen.verilog.emission import Emission
from golden import NAMED_FORMATS, named_format
from golden.format import SparqFormat
from hdl import (
    PROCESSING_ELEMENTS,
    DotProductUnit,
    PairEncoder,
    Pe2x4x8,
    Pe2x8x8,
    Pe8x8,
    SparqPe,
    SparseTensorCore,
    SystolicArray,
    TensorCore,
    dot_product_unit,
)
from hdl.element.processing_element import MAX_PIPELINE, ProcessingElement

UNITS = ("pe", "dot_product", "encoder", *MACHINES)
DESIGNS = tuple(PROCESSING_ELEMENTS)
EXACT: dict[str, Any] = {"8x8": Pe8x8, "2x8x8": Pe2x8x8, "2x4x8": Pe2x4x8}
THREE_FORMATS = ("5opt", "3opt", "2opt")
"""Those of 4-bit windows."""

HARNESS_SIDE = 2


@dataclass(frozen=True)
class Unit:
    """One thing to measure; fields that do not matter to it are ``None``.

    Attributes
    ----------
    unit : str
        One of :data:`UNITS`.
    design : str
        One of :data:`DESIGNS`.
    multiplier : str or None
        Of an exact design: a key of its ``MULTIPLIERS``.
    format, rounding, vsparq, group
        Of a SPARQ design.
    weight_bits, acc_bits, pipeline : int or None
    pairs : int or None
        Pairs per cycle of a dot-product unit or of a tensor core's units.
    rows, cols : int or None
        Of a machine.
    flat : bool
        A machine measured as one netlist, not by its parts.
    """

    unit: str
    design: str
    multiplier: str | None = None
    format: str | None = None
    rounding: bool | None = None
    vsparq: bool | None = None
    group: int | None = None
    weight_bits: int | None = 8
    acc_bits: int | None = 32
    pipeline: int | None = 0
    pairs: int | None = None
    rows: int | None = None
    cols: int | None = None
    flat: bool = False

    @cached_property
    def sparq_format(self) -> SparqFormat:
        """The window format of a SPARQ design."""
        return named_format(
            str(self.format), bool(self.rounding), bool(self.vsparq), self.group or 1
        )

    @property
    def label(self) -> str:
        """A name that people read."""
        if self.design != "sparq":
            parts = [self.design, str(self.multiplier)]
        else:
            parts = ["sparq", str(self.format)]
            parts += [] if self.rounding else ["trim"]
            parts += [] if self.vsparq else ["no vSPARQ"]
            parts += [f"group {self.group}"] if self.group != 1 else []
        if self.pairs:
            parts.append(f"{self.pairs} pair{'s' if self.pairs > 1 else ''}")
        if self.rows:
            parts.insert(0, f"{self.rows}x{self.cols}" + (" flat" if self.flat else ""))
        return " ".join(parts + ([f"pipeline {self.pipeline}"] if self.pipeline else []))

    @property
    def macs_per_cycle(self) -> int | None:
        """MACs per cycle; ``None`` for an encoder. Those of zero weights do not count."""
        if self.unit == "encoder":
            return None
        lanes = (1 if self.design == "8x8" else 2) * (self.pairs or 1)
        return lanes * (self.rows or 1) * (self.cols or 1)

    @property
    def widths(self) -> dict[str, Any]:
        """Parameters of the element or unit."""
        names = ("weight_bits", "acc_bits", "pipeline")
        return {name: getattr(self, name) for name in names}

    def processing_element(self) -> ProcessingElement:
        """The element of a ``pe`` or an ``array``."""
        if self.design == "sparq":
            return SparqPe(self.sparq_format, **self.widths)
        element: ProcessingElement = EXACT[self.design](multiplier=self.multiplier, **self.widths)
        return element

    def dot_product_unit(self) -> DotProductUnit:
        """The unit of a ``dot_product`` or of a tensor core."""
        return dot_product_unit(
            self.design,
            self.pairs or 1,
            self.sparq_format if self.design == "sparq" else None,
            **self.widths,
            sparse=self.unit == "sparse_tensor_core",
            multiplier=self.multiplier,
        )

    def component(self) -> wiring.Component:
        """The component that is measured."""
        if self.unit == "encoder":
            return PairEncoder(self.sparq_format)
        if self.unit == "pe":
            return self.processing_element()
        if self.unit == "dot_product":
            return self.dot_product_unit()
        return self.machine(self.rows or 1, self.cols or 1)

    def machine(self, rows: int, cols: int) -> SystolicArray | TensorCore:
        """A machine of that size, of the unit or the kind that is measured."""
        if self.unit in ("pe", "array"):
            return SystolicArray(rows, cols, self.processing_element())
        kind = SparseTensorCore if self.unit == "sparse_tensor_core" else TensorCore
        return kind(rows, cols, self.dot_product_unit())

    def verilog(self, top: str) -> str:
        """Its Verilog, with a top module of that name."""
        return Emission(top).verilog(self.component())

    def product(self, x: npt.NDArray[Any], w: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Golden's sums: ``x`` (..., M, K) times ``w`` (..., K, N), one product for each lane.

        For a sparse tensor core ``w`` is 2:4 sparse, and activations are selected before they are
        quantized.
        """
        if self.unit != "sparse_tensor_core":
            return self._effective(x).astype(np.int64) @ w.astype(np.int64)
        values, indices = golden.pack_2_4(w)
        groups = np.arange(indices.shape[-2]) // 2 * 4
        columns = []
        for column in range(w.shape[-1]):
            places = (groups + indices[..., column])[..., np.newaxis, :]
            selected = np.take_along_axis(
                x, np.broadcast_to(places, (*x.shape[:-1], len(groups))), -1
            )
            selected = np.where(values[..., np.newaxis, :, column] != 0, selected, 0)
            effective = self._effective(selected.astype(np.uint8)).astype(np.int64)
            columns.append((effective * values[..., np.newaxis, :, column]).sum(axis=-1))
        return np.stack(columns, axis=-1)

    def _effective(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self.design == "sparq":
            return golden.sparq(x, self.sparq_format)
        return x & 15 if self.design == "2x4x8" else x

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that a result carries."""
        return asdict(self)


def sparq_unit(unit: str, name: str, **options: Any) -> Unit:
    """A SPARQ unit of the format of that name, rounding, with vSPARQ and without shared windows."""
    modes = {"rounding": True, "vsparq": True, "group": 1}
    return Unit(unit, "sparq", format=name, **modes | options)


def processing_elements(weight_bits: int, acc_bits: int) -> Iterator[Unit]:
    """All elements of the table, in every pipeline."""
    for pipeline in range(MAX_PIPELINE + 1):
        widths: dict[str, Any] = {"weight_bits": weight_bits, "acc_bits": acc_bits}
        widths["pipeline"] = pipeline
        for design, kind in EXACT.items():
            for multiplier in kind.MULTIPLIERS:
                yield Unit("pe", design, multiplier, **widths)
        for name in NAMED_FORMATS:
            for vsparq in (True, False):
                yield sparq_unit("pe", name, vsparq=vsparq, **widths)
        for name in NAMED_FORMATS:
            yield sparq_unit("pe", name, vsparq=False, group=2, **widths)


def encoders() -> Iterator[Unit]:
    """The encoders of all formats."""
    nothing: dict[str, Any] = {"weight_bits": None, "acc_bits": None, "pipeline": None}
    for name in NAMED_FORMATS:
        for rounding in (True, False):
            for vsparq in (True, False):
                yield sparq_unit("encoder", name, rounding=rounding, vsparq=vsparq, **nothing)
            yield sparq_unit("encoder", name, rounding=rounding, vsparq=False, group=2, **nothing)


def arrays(weight_bits: int, acc_bits: int, sides: tuple[int, ...]) -> Iterator[Unit]:
    """Arrays of the designs that matter, without pipelines; a small flat one confirms them."""
    widths = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": 0}
    designs: list[Callable[..., Unit]] = [
        lambda **o: Unit("array", "8x8", "radix4", **o),
        lambda **o: Unit("array", "8x8", "booth", **o),
        lambda **o: Unit("array", "8x8", "and", **o),
        lambda **o: Unit("array", "2x8x8", "radix4", **o),
        lambda **o: Unit("array", "2x8x8", "booth", **o),
        lambda **o: Unit("array", "2x4x8", "distributed", **o),
        *(lambda name=name, **o: sparq_unit("array", name, **o) for name in NAMED_FORMATS),
        *(
            lambda name=name, **o: sparq_unit("array", name, vsparq=False, group=2, **o)
            for name in THREE_FORMATS
        ),
    ]
    for side in sides:
        for design in designs:
            yield design(rows=side, cols=side, **widths)
    yield sparq_unit("array", "5opt", rows=min(sides), cols=min(sides), flat=True, **widths)


def dot_products(weight_bits: int, acc_bits: int) -> Iterator[Unit]:
    """Dot-product units of 4 pairs, and of 1, 2 and 8 what shows how size matters."""
    widths: dict[str, Any] = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": 0}
    for pairs in (1, 2, 4, 8):
        everything = pairs == 4
        exact = [("8x8", "radix4"), ("2x8x8", "distributed"), ("2x4x8", "distributed")]
        if everything:
            exact += [("2x8x8", "radix4"), ("8x8", "booth"), ("2x8x8", "booth"), ("2x4x8", "and")]
        for design, multiplier in exact:
            yield Unit("dot_product", design, multiplier, pairs=pairs, **widths)
        for name in NAMED_FORMATS if everything else THREE_FORMATS:
            yield sparq_unit("dot_product", name, pairs=pairs, **widths)
        yield sparq_unit("dot_product", "5opt", vsparq=False, pairs=pairs, **widths)
        for name in THREE_FORMATS if everything else ("5opt",):
            for group in (2, 4, 8):
                if group <= 2 * pairs:
                    yield sparq_unit(
                        "dot_product", name, vsparq=False, group=group, pairs=pairs, **widths
                    )


def tensor_cores(weight_bits: int, acc_bits: int) -> Iterator[Unit]:
    """Tensor cores of 4 x 4 units of 4 pairs, dense and 2:4 sparse."""
    options: dict[str, Any] = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": 0}
    options |= {"pairs": 4, "rows": 4, "cols": 4}
    for unit in ("tensor_core", "sparse_tensor_core"):
        yield Unit(unit, "8x8", "booth", **options)
        yield Unit(unit, "2x8x8", "booth", **options)
        if unit == "tensor_core":
            yield Unit(unit, "8x8", "radix4", **options)
            yield Unit(unit, "2x8x8", "radix4", **options)
        yield Unit(unit, "2x4x8", "distributed", **options)
        for name in THREE_FORMATS:
            yield sparq_unit(unit, name, **options)
        for group in (2, 4, 8):
            yield sparq_unit(unit, "5opt", vsparq=False, group=group, **options)
