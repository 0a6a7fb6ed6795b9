"""Block formats: elements of few bits that share a scale with their neighbours.

Those of the OCP Microscaling Formats (MX) Specification 1.0, NVFP4, and integers of 4 bits with the
scales of NVFP4.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from golden.checks import Array

Float64Array = npt.NDArray[np.float64]

E8M0_LARGEST = 127
"""The largest exponent of a power of two as a scale; the smallest is as far below 0."""


@dataclass(frozen=True)
class MiniFloat:
    """Magnitudes of floating-point numbers of few bits, without infinities: the sign is apart.

    ``mantissa_bits`` below the point; ``exponent_bits`` of 0 are integers times
    ``2**-mantissa_bits``, others have subnormal numbers and the usual bias, ``2**(bits - 1) - 1``.
    ``largest`` is the largest code of a number.
    """

    exponent_bits: int
    mantissa_bits: int
    largest: int

    @cached_property
    def values(self) -> Float64Array:
        """What each code stands for, ascending from 0."""
        codes = np.arange(self.largest + 1)
        one = 1 << self.mantissa_bits
        if not self.exponent_bits:
            return codes / one
        bias = (1 << self.exponent_bits - 1) - 1
        exponents, mantissas = np.maximum(codes // one, 1), codes % one + one * (codes >= one)
        values: Float64Array = np.ldexp(mantissas / one, exponents - bias)
        return values

    def nearest(self, magnitudes: Float64Array) -> npt.NDArray[np.int64]:
        """The codes of what is nearest to ``magnitudes``, half to even; the largest beyond it."""
        middles = (self.values[:-1] + self.values[1:]) / 2
        codes = np.searchsorted(middles, magnitudes)
        # Halfway the search gives the lower of two codes, of which one is even.
        halfway = magnitudes == np.append(middles, np.nan)[codes]
        result: npt.NDArray[np.int64] = codes + (halfway & (codes % 2 == 1))
        return result

    def rounded(self, magnitudes: Float64Array) -> Float64Array:
        """The values of :meth:`nearest`."""
        return self.values[self.nearest(magnitudes)]


E2M1 = MiniFloat(2, 1, 0b111)
E2M3 = MiniFloat(2, 3, 0b11111)
E3M2 = MiniFloat(3, 2, 0b11111)
E4M3 = MiniFloat(4, 3, 0b1111110)  # the code above is NaN
INT8 = MiniFloat(0, 6, 127)  # -128, which the specification lets go unused, would be -2
INT4 = MiniFloat(0, 0, 7)


@dataclass(frozen=True)
class BlockFormat:
    """Elements in blocks of neighbours that share a scale.

    A scale is a power of two: the largest not above the block's largest magnitude, over that of the
    largest element (OCP MX, section 6.3). Or, of a format with ``scale``, a number of that format:
    the nearest to the block's largest magnitude over the largest element; in units that make it the
    largest one for the largest magnitude of the whole tensor.

    Parameters
    ----------
    name : str
    block : int
        How many elements share a scale.
    element : MiniFloat
    scale : MiniFloat or None
        None for powers of two, of 8 bits.
    """

    name: str
    block: int
    element: MiniFloat
    scale: MiniFloat | None = None

    @property
    def bits_per_element(self) -> float:
        """Stored bits, those of a scale (8) divided among its block."""
        return 1 + self.element.largest.bit_length() + 8 / self.block

    def unit(self, tensor_largest: float) -> float:
        """What scales count in, of a tensor with this largest magnitude; 1 for powers of two."""
        if self.scale is None:
            return 1.0
        return tensor_largest / float(self.element.values[-1] * self.scale.values[-1]) or 1.0

    def scales(self, largest: Float64Array) -> Float64Array:
        """The scales of blocks by their ``largest`` magnitudes, in units; 0 without a magnitude."""
        top = float(self.element.values[-1])
        if self.scale is not None:
            return self.scale.rounded(largest / top)
        _, exponents = np.frexp(largest)
        exponents = exponents - np.frexp(top)[1]
        powers = np.ldexp(1.0, np.clip(exponents, -E8M0_LARGEST, E8M0_LARGEST))
        return np.where(largest > 0, powers, 0.0)

    def values(self, magnitudes: Float64Array, scales: Float64Array) -> Float64Array:
        """What becomes of ``magnitudes`` in blocks of these ``scales``, both in units."""
        parts = magnitudes / np.where(scales > 0, scales, 1.0)
        return self.element.rounded(parts) * scales


BLOCK_FORMATS = {
    fmt.name: fmt
    for fmt in (
        BlockFormat("mxfp4", 32, E2M1),
        BlockFormat("mxfp6_e2m3", 32, E2M3),
        BlockFormat("mxfp6_e3m2", 32, E3M2),
        BlockFormat("mxint8", 32, INT8),
        BlockFormat("nvfp4", 16, E2M1, E4M3),
        BlockFormat("int4_16", 16, INT4, E4M3),
    )
}
"""By name: MXFP4, both kinds of MXFP6, MXINT8, NVFP4, and integers of 4 bits in blocks of 16."""


def block_values(
    x: npt.ArrayLike, fmt: BlockFormat, axis: int = -1, tensor_largest: float | None = None
) -> Float64Array:
    """What ``x`` becomes in ``fmt``, in blocks along ``axis``, as float64 of the same shape.

    ``x``: finite numbers; a last block that is not full is as if filled with zeros. Each element is
    rounded to the nearest, half to even, and saturates. ``tensor_largest`` (default: of ``x``) is
    the magnitude that scales reach to, where they are no powers of two. The result is exact but for
    divisions by the unit and by the scale, rounded once each, and a multiplication by the unit.
    Raises ``ValueError`` for what is not finite.
    """
    values = np.moveaxis(np.asarray(x, np.float64), axis, -1)
    if not np.isfinite(values).all():
        raise ValueError("x must be finite numbers")
    magnitudes = np.abs(values)
    largest = magnitudes.max(initial=0.0) if tensor_largest is None else tensor_largest
    unit = fmt.unit(float(largest))
    magnitudes /= unit
    scales = fmt.scales(block_largest(magnitudes, fmt.block))
    scales = np.repeat(scales, fmt.block, axis=-1)[..., : values.shape[-1]]
    made = fmt.values(magnitudes, scales) * unit
    return np.moveaxis(np.copysign(made, values), -1, axis)


def block_largest(magnitudes: Array, block: int) -> Array:
    """The largest of each ``block`` of ``magnitudes`` (..., K), of the shape (..., blocks)."""
    length = magnitudes.shape[-1]
    missing = -length % block
    if missing:
        widths = [(0, 0)] * (magnitudes.ndim - 1) + [(0, missing)]
        magnitudes = np.pad(magnitudes, widths)
    result: Array = magnitudes.reshape(*magnitudes.shape[:-1], -1, block).max(axis=-1)
    return result
