"""What can be measured: units and whole machines, each with its Verilog."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.lib import wiring

from gen.design.configuration import AROUND, MACHINES, Configuration
from gen.design.expectation import expected_products
from gen.verilog.emission import Emission
from golden import NAMED_FORMATS, NamedFormat
from golden.format import SparqFormat
from golden.named import SIGNED_FORMATS, format_fields
from hdl import (
    PROCESSING_ELEMENTS,
    Accelerator,
    GemmEngine,
    MacUnit,
    PairEncoder,
    SignedPairEncoder,
    SparseTensorCore,
    SystolicArray,
    TensorCore,
    sparq_mac,
)
from hdl.catalogue import width_fields
from hdl.engine.engine_unit import EngineUnit
from hdl.multiplier.style import Style

ENGINE, ACCELERATOR = AROUND
UNITS = ("pe", "dot_product", "encoder", *MACHINES, *AROUND)
DESIGNS = tuple(PROCESSING_ELEMENTS)
FORMATS = (*NAMED_FORMATS, *SIGNED_FORMATS)
"""The formats that have names."""
FOUR_BITS = ("5opt", "3opt", "2opt", *SIGNED_FORMATS)
"""Those of 4-bit windows."""
FORMATS_AROUND = ("5opt", "s5opt")
"""Those that engines and accelerators are measured with: the finest of either kind."""

HARNESS_SIDE = 2


@dataclass(frozen=True)
class Unit:
    """One thing to measure.

    Attributes
    ----------
    unit : str
        One of :data:`UNITS`.
    mac : MacUnit or None
        Its processing element or dot-product unit; ``None`` for an encoder.
    encoded : NamedFormat or None
        The format of an encoder.
    rows, cols : int or None
        Of a machine, or of the array in an engine or accelerator.
    flat : bool
        A machine measured as one netlist, not by its parts.
    multiplies : bool
        The vector unit of an accelerator has multipliers.
    """

    unit: str
    mac: MacUnit | None = None
    encoded: NamedFormat | None = None
    rows: int | None = None
    cols: int | None = None
    flat: bool = False
    multiplies: bool = True

    @property
    def format(self) -> NamedFormat | None:
        """The format of a SPARQ design."""
        return self.encoded if self.mac is None else self.mac.format

    @property
    def sparq_format(self) -> SparqFormat:
        """The window format of a SPARQ design."""
        assert self.format is not None
        return self.format.sparq_format

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that a result carries; ``None`` where they have no meaning."""
        return {
            "unit": self.unit,
            "design": "sparq" if self.mac is None else self.mac.kind,
            "multiplier": self.mac and self.mac.multiplier,
            **format_fields(self.format),
            **width_fields(self.mac),
            "pairs": self.mac and self.mac.pairs,
            "rows": self.rows,
            "cols": self.cols,
            "flat": self.flat,
            "multiplies": self.multiplies if self.unit == ACCELERATOR else None,
        }

    @property
    def family(self) -> "Unit":
        """What it has in common with units of other pipelines."""
        return self if self.mac is None else replace(self, mac=replace(self.mac, pipeline=0))

    @property
    def label(self) -> str:
        """A name that people read."""
        size = f"{self.rows}x{self.cols} " if self.rows else ""
        flat = "flat " if self.flat else ""
        own = f"sparq {self.encoded.label}" if self.encoded else self.element.label
        lanes = "" if self.multiplies else ", no vector multipliers"
        return size + flat + own + lanes

    @property
    def slug(self) -> str:
        """For names of files and modules: ``pe_5opt_p1``, ``array_16x16_flat_8x8_booth``."""
        size = [f"{self.rows}x{self.cols}"] if self.rows else []
        flat = ["flat"] if self.flat else []
        own = self.encoded.slug if self.encoded else self.element.slug
        lanes = [] if self.multiplies else ["no_vector_multipliers"]
        return "_".join([self.unit, *size, *flat, own, *lanes])

    @property
    def element(self) -> MacUnit:
        """Its processing element or dot-product unit; not of an encoder."""
        assert self.mac is not None
        return self.mac

    @property
    def macs_per_cycle(self) -> int | None:
        """MACs per cycle; ``None`` for an encoder. Those of zero weights do not count."""
        if self.mac is None:
            return None
        return self.mac.macs_per_cycle * (self.rows or 1) * (self.cols or 1)

    def component(self) -> wiring.Component:
        """The component that is measured."""
        if self.unit == "encoder":
            fmt = self.sparq_format
            return SignedPairEncoder(fmt) if fmt.signed else PairEncoder(fmt)
        if self.unit == "pe":
            return self.element.processing_element()
        if self.unit == "dot_product":
            return self.element.dot_product_unit()
        if self.unit == ENGINE:
            return self.engine()
        if self.unit == ACCELERATOR:
            return self.accelerator()
        return self.machine(self.rows or 1, self.cols or 1)

    def engine(self) -> GemmEngine:
        """The engine around an array, of default sizes; what software reads of it is zeros."""
        array = EngineUnit("array", self.rows or 1, self.cols or 1, self.element)
        return GemmEngine(array, configuration_hash="0" * 16, version=(0, 0, 0))

    def accelerator(self) -> Accelerator:
        """The accelerator around an array, likewise."""
        lanes = {} if self.multiplies else {"lanes": 0}
        own = Configuration(top=ACCELERATOR, rows=self.rows, cols=self.cols, **lanes).accelerator
        assert own is not None
        own = replace(own, engine=replace(own.engine, unit=self.element))
        return Accelerator(own, configuration_hash="0" * 16, version=(0, 0, 0))

    def machine(self, rows: int, cols: int) -> SystolicArray | TensorCore:
        """A machine of that size, of the unit or the kind that is measured."""
        if self.unit in ("pe", "array"):
            return SystolicArray(rows, cols, self.element.mac)
        kind = SparseTensorCore if self.unit == "sparse_tensor_core" else TensorCore
        return kind(rows, cols, self.element.mac)

    def verilog(self, top: str) -> str:
        """Its Verilog, with a top module of that name."""
        return Emission(top).verilog(self.component())

    def product(self, x: npt.NDArray[Any], w: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Golden's sums: ``x`` (..., M, K) times ``w`` (..., K, N), one product for each lane."""
        return expected_products(self.element, x, w)


def exact_unit(
    unit: str,
    design: str,
    multiplier: str,
    rows: int | None = None,
    cols: int | None = None,
    flat: bool = False,
    **parameters: Any,
) -> Unit:
    """A unit of an exact design; ``parameters`` are those of a :class:`MacUnit`."""
    mac = MacUnit(design, multiplier, **_of(unit, parameters))
    return Unit(unit, mac, None, rows, cols, flat)


def sparq_unit(
    unit: str,
    name: str,
    rows: int | None = None,
    cols: int | None = None,
    flat: bool = False,
    **parameters: Any,
) -> Unit:
    """A SPARQ unit of the format of that name; ``parameters`` are those of :func:`sparq_mac`."""
    if unit == "encoder":
        return Unit(unit, None, NamedFormat(name, **parameters))
    return Unit(unit, sparq_mac(name, **_of(unit, parameters)), None, rows, cols, flat)


def _of(unit: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a unit's element: only a sparse tensor core selects."""
    return parameters | {"sparse": unit == "sparse_tensor_core"}


def processing_elements(
    weight_bits: int, acc_bits: int, formats: Sequence[str] = FORMATS
) -> Iterator[Unit]:
    """All elements of the table, in every pipeline."""
    for pipeline in range(Style.STRUCTURAL.max_pipeline + 1):
        widths: dict[str, Any] = {"weight_bits": weight_bits, "acc_bits": acc_bits}
        widths["pipeline"] = pipeline
        for design, kind in PROCESSING_ELEMENTS.items():
            for multiplier in kind.MULTIPLIERS:
                yield exact_unit("pe", design, multiplier, **widths)
        for name in formats:
            for vsparq in (True, False):
                yield sparq_unit("pe", name, vsparq=vsparq, **widths)
        for name in formats:
            yield sparq_unit("pe", name, vsparq=False, group=2, **widths)


def encoders(formats: Sequence[str] = FORMATS) -> Iterator[Unit]:
    """The encoders of all formats."""
    for name in formats:
        for rounding in (True, False):
            for vsparq in (True, False):
                yield sparq_unit("encoder", name, rounding=rounding, vsparq=vsparq)
            yield sparq_unit("encoder", name, rounding=rounding, vsparq=False, group=2)


def arrays(
    weight_bits: int,
    acc_bits: int,
    sides: tuple[int, ...],
    formats: Sequence[str] = FORMATS,
) -> Iterator[Unit]:
    """Arrays of the designs that matter, without pipelines; a small flat one confirms them."""
    widths = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": 0}
    designs: list[Callable[..., Unit]] = [
        lambda **o: exact_unit("array", "8x8", "radix4", **o),
        lambda **o: exact_unit("array", "8x8", "booth", **o),
        lambda **o: exact_unit("array", "8x8", "and", **o),
        lambda **o: exact_unit("array", "2x8x8", "radix4", **o),
        lambda **o: exact_unit("array", "2x8x8", "booth", **o),
        lambda **o: exact_unit("array", "2x4x8", "distributed", **o),
        *(lambda name=name, **o: sparq_unit("array", name, **o) for name in formats),
        *(
            lambda name=name, **o: sparq_unit("array", name, vsparq=False, group=2, **o)
            for name in _four_bits(formats)
        ),
    ]
    for side in sides:
        for design in designs:
            yield design(rows=side, cols=side, **widths)
    yield sparq_unit("array", formats[0], rows=min(sides), cols=min(sides), flat=True, **widths)


def dot_products(
    weight_bits: int, acc_bits: int, formats: Sequence[str] = FORMATS
) -> Iterator[Unit]:
    """Dot-product units of 4 pairs, and of 1, 2 and 8 what shows how size matters."""
    widths: dict[str, Any] = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": 0}
    for pairs in (1, 2, 4, 8):
        everything = pairs == 4
        exact = [("8x8", "radix4"), ("2x8x8", "distributed"), ("2x4x8", "distributed")]
        if everything:
            exact += [("2x8x8", "radix4"), ("8x8", "booth"), ("2x8x8", "booth"), ("2x4x8", "and")]
        for design, multiplier in exact:
            yield exact_unit("dot_product", design, multiplier, pairs=pairs, **widths)
        for name in formats if everything else _four_bits(formats):
            yield sparq_unit("dot_product", name, pairs=pairs, **widths)
        yield sparq_unit("dot_product", formats[0], vsparq=False, pairs=pairs, **widths)
        for name in _four_bits(formats) if everything else formats[:1]:
            for group in (2, 4, 8):
                if group <= 2 * pairs:
                    yield sparq_unit(
                        "dot_product", name, vsparq=False, group=group, pairs=pairs, **widths
                    )


def tensor_cores(
    weight_bits: int, acc_bits: int, formats: Sequence[str] = FORMATS
) -> Iterator[Unit]:
    """Tensor cores of 4 x 4 units of 4 pairs, dense and 2:4 sparse."""
    options: dict[str, Any] = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": 0}
    options |= {"pairs": 4, "rows": 4, "cols": 4}
    for unit in ("tensor_core", "sparse_tensor_core"):
        yield exact_unit(unit, "8x8", "booth", **options)
        yield exact_unit(unit, "2x8x8", "booth", **options)
        if unit == "tensor_core":
            yield exact_unit(unit, "8x8", "radix4", **options)
            yield exact_unit(unit, "2x8x8", "radix4", **options)
        yield exact_unit(unit, "2x4x8", "distributed", **options)
        for name in _four_bits(formats):
            yield sparq_unit(unit, name, **options)
        for group in (2, 4, 8):
            yield sparq_unit(unit, formats[0], vsparq=False, group=group, **options)


def engines(weight_bits: int, acc_bits: int, formats: Sequence[str] = FORMATS) -> Iterator[Unit]:
    """Engines around arrays of 8 x 8."""
    return _around_arrays(ENGINE, 8, weight_bits, acc_bits, formats)


def accelerators(
    weight_bits: int, acc_bits: int, formats: Sequence[str] = FORMATS
) -> Iterator[Unit]:
    """Accelerators around arrays of 8 x 8; the finest one without vector multipliers, too."""
    units = [*_around_arrays(ACCELERATOR, 8, weight_bits, acc_bits, formats)]
    yield from units
    yield next(replace(unit, multiplies=False) for unit in units if unit.format)


def _around_arrays(
    unit: str, side: int, weight_bits: int, acc_bits: int, formats: Sequence[str]
) -> Iterator[Unit]:
    """What is around exact arrays, those of the finest formats and of shared windows of them."""
    options: dict[str, Any] = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": 0}
    options |= {"rows": side, "cols": side}
    yield exact_unit(unit, "8x8", "radix4", **options)
    yield exact_unit(unit, "2x8x8", "radix4", **options)
    for name in FORMATS_AROUND if formats == FORMATS else formats[:1]:
        yield sparq_unit(unit, name, **options)
        yield sparq_unit(unit, name, vsparq=False, group=2, **options)


def _four_bits(formats: Sequence[str]) -> Sequence[str]:
    """The formats of 4-bit windows; or those that were asked for."""
    return FOUR_BITS if formats == FORMATS else formats
