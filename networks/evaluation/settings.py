"""The rows of an evaluation: in which arithmetic a network is run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import golden
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
    """One row: a format, and what it leaves open.

    ``format`` is ``fp32``, ``a8w8`` (exact 8-bit activations), ``a4w8`` (uniform 4-bit ones) or a
    named window format. What has no meaning for it is None: ``rounding``, ``vsparq`` and ``group``
    (activations that share a window) but for window formats; ``clipping`` of uniform activations
    (``same``: the range of the 8-bit ones, ``best``: the least squared error of each tensor) but
    for ``a4w8``; ``weight_bits`` and ``sparsity`` for ``fp32``. The ``w8`` of a name stands for
    ``weight_bits``.
    """

    format: str
    rounding: bool | None = None
    vsparq: bool | None = None
    group: int | None = None
    weight_bits: int | None = None
    sparsity: str | None = None
    clipping: str | None = None

    @property
    def sparq_format(self) -> golden.SparqFormat | None:
        """The window format, if it is one."""
        if self.rounding is None or self.vsparq is None:
            return None
        return golden.named_format(self.format, self.rounding, self.vsparq, self.group or 1)

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
        parts = [self.format, self.clipping or ""]
        parts += ["trim" if self.rounding is False else ""]
        parts += ["no vSPARQ" if self.vsparq is False else ""]
        parts += [f"group {self.group}" if self.group and self.group > 1 else ""]
        parts += [SPARSE_2_4 if self.sparsity == SPARSE_2_4 else ""]
        return " ".join(part for part in parts if part)


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
            Setting(name, rounded, lent, group, weight_bits, sparsity)
            for group, rounded, lent, name in product(groups, rounding, vsparq, formats)
        ]
    return rows
