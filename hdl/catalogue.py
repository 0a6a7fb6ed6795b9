"""Processing elements and dot-product units by description."""

from dataclasses import dataclass
from typing import Any

from golden.format import SparqFormat
from golden.named import NamedFormat
from hdl.broadcast.dot_product import dot_product, dot_product_multipliers
from hdl.element.dot_product_unit import DotProductUnit
from hdl.element.processing_element import ProcessingElement
from hdl.element.processing_elements import PROCESSING_ELEMENTS, element_multiplier
from hdl.multiplier.mac import Mac
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.stored_activations import StoredActivations
from hdl.multiplier.style import Style


@dataclass(frozen=True)
class MacUnit:
    """What a processing element or a dot-product unit is: the one description that all else has.

    Attributes
    ----------
    kind : str
        A key of :data:`PROCESSING_ELEMENTS`.
    multiplier : str or None
        Of an exact kind in structural style: one of :attr:`multipliers`; the first of them where
        none is given.
    format : NamedFormat or None
        Of the kind ``sparq``, and of no other.
    weight_bits, acc_bits, pipeline : int
        As of a :class:`MultiplyAccumulate`.
    pairs : int or None
        Of a dot-product unit, pairs of activations per cycle; ``None`` for a processing element.
    sparse : bool
        A dot-product unit behind 2:4 selection.
    encoded_input : bool
        Activations enter a machine as stored pairs, not as bytes; of ``sparq``, not if ``sparse``.
    style : Style

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    kind: str
    multiplier: str | None = None
    format: NamedFormat | None = None
    weight_bits: int = 8
    acc_bits: int = 32
    pipeline: int = 0
    pairs: int | None = None
    sparse: bool = False
    encoded_input: bool = False
    style: Style = Style.STRUCTURAL

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in PROCESSING_ELEMENTS:
            raise ValueError(
                f"pe must be one of {', '.join(PROCESSING_ELEMENTS)}, not {self.kind!r}"
            )
        if self.is_sparq != (self.format is not None):
            need = "needs a format" if self.is_sparq else "has no format"
            raise ValueError(f"pe {self.kind!r} {need}, not {self.format!r}")
        if self.encoded_input and not self.is_sparq:
            raise ValueError(f"encoded_input must be False with pe {self.kind!r}, not True")
        if self.encoded_input and self.sparse:
            raise ValueError(
                "encoded_input must be False where sparse, as activations are selected before they "
                "are encoded, not True"
            )
        if self.style not in tuple(Style):
            raise ValueError(f"style must be one of {', '.join(Style)}, not {self.style!r}")
        object.__setattr__(self, "style", Style(self.style))
        if self.multiplier is not None and self.is_behavioral:
            raise ValueError(
                f"multiplier must be None in behavioral style, not {self.multiplier!r}"
            )
        if self.multiplier is None and self.multipliers:
            object.__setattr__(self, "multiplier", self.multipliers[0])
        _ = self.built_multiplier  # refuses what cannot be built

    @property
    def is_sparq(self) -> bool:
        """Whether it takes encoded pairs of windows."""
        return self.kind == "sparq"

    @property
    def activation_bits(self) -> int:
        """Bits of an activation that an exact kind multiplies: the low ones."""
        return PROCESSING_ELEMENTS[self.kind].ACTIVATION_BITS

    @property
    def is_behavioral(self) -> bool:
        """Whether it is made of the operators ``*`` and ``+``."""
        return self.style is Style.BEHAVIORAL

    @property
    def multipliers(self) -> tuple[str, ...]:
        """Those that an exact kind can have here; none of ``sparq``, or in behavioral style."""
        if self.is_behavioral:
            return ()
        if self.pairs is None:
            return tuple(PROCESSING_ELEMENTS[self.kind].MULTIPLIERS)
        return dot_product_multipliers(self.kind, self.sparse)

    @property
    def sparq_format(self) -> SparqFormat | None:
        """The window format, if it has one."""
        return None if self.format is None else self.format.sparq_format

    @property
    def built_multiplier(self) -> Multiplier:
        """What it multiplies with."""
        fmt = self.sparq_format
        if self.pairs is None:
            return element_multiplier(self.kind, fmt, self.weight_bits, self.multiplier, self.style)
        return dot_product(
            self.kind, self.pairs, fmt, self.weight_bits, self.sparse, self.multiplier, self.style
        )

    @property
    def k_per_cycle(self) -> int:
        """Activations, and steps of the reduction, per cycle."""
        return self.built_multiplier.k_per_cycle

    @property
    def macs_per_cycle(self) -> int:
        """Products per cycle; those of zero weights do not count."""
        return self.k_per_cycle // 2 if self.sparse else self.k_per_cycle

    @property
    def mac(self) -> Mac:
        """What machines are built of."""
        multiplier = self.built_multiplier
        if self.encoded_input:
            multiplier = StoredActivations(multiplier)
        return Mac(multiplier, self.acc_bits, self.pipeline)

    def processing_element(self) -> ProcessingElement:
        """A new component; of a description without ``pairs``."""
        return ProcessingElement.build(self.mac)

    def dot_product_unit(self) -> DotProductUnit:
        """A new component; of a description with ``pairs``."""
        return DotProductUnit.build(self.mac)

    @property
    def label(self) -> str:
        """What people read: ``sparq 5opt no vSPARQ 4 pairs``, ``8x8 radix4 pipeline 1``."""
        parts = [self.kind, self.format.label if self.format else self.multiplier or ""]
        if self.pairs is not None:
            parts.append(f"{self.pairs} pair{'s' if self.pairs > 1 else ''}")
        parts += ["encoded input"] if self.encoded_input else []
        parts += [f"pipeline {self.pipeline}"] if self.pipeline else []
        parts += [self.style] if self.is_behavioral else []
        return " ".join(part for part in parts if part)

    @property
    def slug(self) -> str:
        """For names of files: ``5opt_novsparq_4pairs``, ``8x8_radix4_w5_p1``."""
        exact = [self.kind, *([self.multiplier] if self.multiplier else [])]
        parts = [self.format.slug] if self.format else exact
        parts += [] if self.pairs is None else [f"{self.pairs}pairs"]
        parts += ["sparse"] if self.sparse else []
        parts += ["encoded_input"] if self.encoded_input else []
        parts += [f"w{self.weight_bits}"] if self.weight_bits != 8 else []
        parts += [f"acc{self.acc_bits}"] if self.acc_bits != 32 else []
        parts += [f"p{self.pipeline}"] if self.pipeline else []
        parts += [self.style] if self.is_behavioral else []
        return "_".join(parts)


def width_fields(unit: MacUnit | None) -> dict[str, Any]:
    """The widths and the pipeline of a unit as plain data; all None where there is none."""
    return {
        "weight_bits": unit and unit.weight_bits,
        "acc_bits": unit and unit.acc_bits,
        "pipeline": unit and unit.pipeline,
    }


def sparq_mac(
    name: str,
    rounding: bool = True,
    vsparq: bool = True,
    group: int = 1,
    weight_bits: int = 8,
    acc_bits: int = 32,
    pipeline: int = 0,
    pairs: int | None = None,
    sparse: bool = False,
    encoded_input: bool = False,
    style: Style = Style.STRUCTURAL,
) -> MacUnit:
    """A unit of the kind ``sparq``, of the format of that name."""
    fmt = NamedFormat(name, rounding, vsparq, group)
    return MacUnit(
        *("sparq", None, fmt, weight_bits, acc_bits, pipeline, pairs, sparse),
        *(encoded_input, style),
    )
