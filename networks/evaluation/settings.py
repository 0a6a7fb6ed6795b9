"""The rows of an evaluation: in which arithmetic a network is run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from golden import NamedFormat, SparqFormat
from golden.named import format_fields
from networks.quantization.arithmetic import Arithmetic, exact, windowed, windowed_2_4

FP32 = "fp32"
EXACT_8_BIT = "a8w8"
UNIFORM_4_BIT = "a4w8"
DENSE = "dense"
SPARSE_2_4 = "2:4"
SPARSITIES = (DENSE, SPARSE_2_4)
SAME = "same"
BEST = "best"


@dataclass(frozen=True)
class Setting:
    """One row: what activations are, and what that leaves open.

    ``activations`` are ``fp32``, ``a8w8`` (exact 8-bit ones), ``a4w8`` (uniform 4-bit ones) or
    those of a window format. What has no meaning for them is None: ``clipping`` but for ``a4w8``
    (``same``: the range of the 8-bit ones, ``best``: the least squared error of each tensor),
    ``weight_bits`` and ``sparsity`` for ``fp32``. The ``w8`` of a name stands for ``weight_bits``.
    """

    activations: str | NamedFormat
    weight_bits: int | None = None
    sparsity: str | None = None
    clipping: str | None = None

    @property
    def format(self) -> NamedFormat | None:
        """The window format, if it is one."""
        return self.activations if isinstance(self.activations, NamedFormat) else None

    @property
    def sparq_format(self) -> SparqFormat | None:
        """The same without its name."""
        return None if self.format is None else self.format.sparq_format

    @property
    def fields(self) -> dict[str, Any]:
        """The columns that say which setting a row of a result is, None as above."""
        return {
            **format_fields(self.format),
            **({} if self.format else {"format": self.activations}),
            "weight_bits": self.weight_bits,
            "sparsity": self.sparsity,
            "clipping": self.clipping,
        }

    @property
    def arithmetic(self) -> Arithmetic:
        """The arithmetic of its products (of an integer network)."""
        fmt = self.sparq_format
        if fmt is None:
            return exact
        return windowed_2_4(fmt) if self.sparsity == SPARSE_2_4 else windowed(fmt)

    @property
    def label(self) -> str:
        """A short name for plots and progress."""
        own = self.activations if isinstance(self.activations, str) else self.activations.label
        sparse = SPARSE_2_4 if self.sparsity == SPARSE_2_4 else None
        return " ".join(part for part in (own, self.clipping, sparse) if part)


def settings_of(
    formats: Sequence[str],
    rounding: Sequence[bool],
    vsparq: Sequence[bool],
    groups: Sequence[int],
    weight_bits: int,
    sparsities: Sequence[str],
) -> list[Setting]:
    """FP32; then, for each sparsity, 8 bits, 4 uniform bits, and all combinations of the rest."""
    rows = [Setting(FP32)]
    for sparsity in sparsities:
        rows.append(Setting(EXACT_8_BIT, weight_bits=weight_bits, sparsity=sparsity))
        rows += [
            Setting(UNIFORM_4_BIT, weight_bits=weight_bits, sparsity=sparsity, clipping=clipping)
            for clipping in (SAME, BEST)
        ]
        rows += [
            Setting(NamedFormat(name, rounded, lent, group), weight_bits, sparsity)
            for group, rounded, lent, name in product(groups, rounding, vsparq, formats)
        ]
    return rows
