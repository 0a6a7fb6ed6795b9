"""The rows of an evaluation: in which arithmetic a network is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from golden import BlockFormat, NamedFormat, SparqFormat
from golden.named import format_fields
from networks.evaluation.formats import (
    Activations,
    MixedFormat,
    Weights,
    activations_of,
    signed_layers,
    weights_label,
)
from networks.fixed_point import Float64Array
from networks.quantization.arithmetic import (
    Arithmetic,
    CodedProducts,
    Coding,
    Whole,
    Windows,
    exact,
    windowed_2_4,
)
from networks.quantization.blocks import Blocks
from networks.quantization.quantize import AFFINE

FP32 = "fp32"
EXACT_8_BIT = "a8w8"
UNIFORM_4_BIT = "a4w8"
SIGNED_4_BIT = "a4w8 signed"
DENSE = "dense"
SPARSE_2_4 = "2:4"
SPARSITIES = (DENSE, SPARSE_2_4)
SAME = "same"
BEST = "best"


@dataclass(frozen=True)
class Setting:
    """One row: what activations are, and what that leaves open.

    ``activations`` are ``fp32``, ``a8w8`` (exact 8-bit ones), ``a4w8`` (uniform 4-bit ones, of
    layers whose input cannot be negative), ``a4w8 signed`` (of the others too) or
    those of a format. What has no meaning for them is None: ``clipping`` but for 4 bits
    (``same``: the range of the 8-bit ones, ``best``: the least squared error of each tensor),
    ``weight_bits`` and ``sparsity`` for ``fp32``. The ``w8`` of a name stands for ``weight_bits``.
    ``weights`` are what weights are made to, but for layers that stay exact; None for integers.
    """

    activations: str | Activations
    weight_bits: int | None = None
    sparsity: str | None = None
    clipping: str | None = None
    weights: Weights | None = None

    @property
    def format(self) -> NamedFormat | None:
        """The window format, if it is one for all layers."""
        return self.activations if isinstance(self.activations, NamedFormat) else None

    @property
    def sparq_format(self) -> SparqFormat | None:
        """The window format of layers whose input cannot be negative, if they have one."""
        if isinstance(self.activations, MixedFormat):
            return self.activations.unsigned.sparq_format
        return None if self.format is None else self.format.sparq_format

    @property
    def windows(self) -> Windows | None:
        """The window formats of all layers, if they have some."""
        if self.sparq_format is None:
            return None
        if isinstance(self.activations, MixedFormat):
            return Windows(self.sparq_format, self.activations.signed.sparq_format)
        return Windows(self.sparq_format, self.sparq_format if self.sparq_format.signed else None)

    @property
    def signed(self) -> str | None:
        """How layers whose input can be negative are quantized; None where they stay exact."""
        if isinstance(self.activations, str):
            return AFFINE if self.activations == SIGNED_4_BIT else None
        return signed_layers(self.activations)

    @property
    def base(self) -> tuple[str, bool]:
        """The sparsity, and whether that is also of layers whose input can be negative."""
        sparsity = self.sparsity or DENSE
        return sparsity, sparsity == SPARSE_2_4 and self.signed is not None

    @property
    def fields(self) -> dict[str, Any]:
        """The columns that say which setting a row of a result is, None as above."""
        if isinstance(self.activations, MixedFormat):
            own = self.activations.fields
        elif self.format:
            own = format_fields(self.format)
        else:
            own = format_fields(None) | {"format": self._name}
        return {
            **own,
            "weight_bits": self.weight_bits,
            "weight_format": self.weights and weights_label(self.weights),
            "sparsity": self.sparsity,
            "clipping": self.clipping,
        }

    def arithmetic(
        self,
        steps: Mapping[str, float] | None = None,
        weights: Mapping[str, Float64Array] | None = None,
    ) -> Arithmetic:
        """The arithmetic of its products (of an integer network).

        By layer, ``steps`` are those of the input, which block formats ask for, and ``weights``
        those that are no integers.
        """
        windows = self.windows
        if windows and self.sparsity == SPARSE_2_4:
            return windowed_2_4(windows.fmt, windows.signed)
        coding: Coding
        if isinstance(self.activations, BlockFormat):
            coding = Blocks(self.activations, steps or {})
        elif windows:
            coding = windows
        elif weights:
            coding = Whole()
        else:
            return exact
        return CodedProducts(coding, weights or {})

    @property
    def _name(self) -> str:
        if isinstance(self.activations, str):
            return self.activations
        return self.activations.name

    @property
    def label(self) -> str:
        """A short name for plots and progress."""
        own = (
            self.activations
            if isinstance(self.activations, str)
            else activations_label(self.activations)
        )
        sparse = SPARSE_2_4 if self.sparsity == SPARSE_2_4 else None
        weights = f"weights {weights_label(self.weights)}" if self.weights else None
        return " ".join(part for part in (own, self.clipping, weights, sparse) if part)


def activations_label(fmt: Activations) -> str:
    """A short name of a format for plots and progress."""
    return fmt.name if isinstance(fmt, BlockFormat) else fmt.label


def settings_of(
    formats: Sequence[str],
    rounding: Sequence[bool],
    vsparq: Sequence[bool],
    groups: Sequence[int],
    weight_bits: int,
    sparsities: Sequence[str],
    weights: Sequence[Weights | None] = (None,),
) -> list[Setting]:
    """FP32; then, for each sparsity, 8 bits, 4 uniform bits, and all combinations of the rest.

    Each of these for each of ``weights``. Where a format is of signed activations too, so are 4
    uniform bits in one more row.
    """
    activations: list[tuple[str | Activations, str | None]] = [(EXACT_8_BIT, None)]
    activations += [(UNIFORM_4_BIT, clipping) for clipping in (SAME, BEST)]
    own_formats: list[tuple[Activations, None]] = [
        (activations_of(name, rounded, lent, group), None)
        for group, rounded, lent, name in product(groups, rounding, vsparq, formats)
    ]
    if any(signed_layers(fmt) for fmt, _ in own_formats):
        activations.append((SIGNED_4_BIT, BEST))
    activations += own_formats
    rows = [
        Setting(own, weight_bits, sparsity, clipping, weight)
        for sparsity in sparsities
        for weight in weights
        # Block formats have no options: each once.
        for own, clipping in dict.fromkeys(activations)
    ]
    return [Setting(FP32), *rows]
