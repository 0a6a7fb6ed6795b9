"""Processing elements by name, as arrays use them."""

from golden.format import SparqFormat
from hdl.element.pe_2x4x8 import Pe2x4x8
from hdl.element.pe_2x8x8 import Pe2x8x8
from hdl.element.pe_8x8 import Pe8x8
from hdl.element.processing_element import ProcessingElement
from hdl.element.sparq_pe import SparqPe
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.style import Style

PROCESSING_ELEMENTS: dict[str, type[ProcessingElement]] = {
    "sparq": SparqPe,
    "8x8": Pe8x8,
    "2x8x8": Pe2x8x8,
    "2x4x8": Pe2x4x8,
}
"""The kinds of elements by name; all but ``sparq`` are exact."""


def element_multiplier(
    name: str,
    fmt: SparqFormat | None = None,
    weight_bits: int = 8,
    multiplier: str | None = None,
    style: Style = Style.STRUCTURAL,
) -> Multiplier:
    """What the processing element of that name multiplies with.

    Parameters
    ----------
    name : str
        A key of :data:`PROCESSING_ELEMENTS`.
    fmt : SparqFormat
        Used by ``"sparq"`` alone, which must have one.
    multiplier : str
        Of an exact element in structural style: one of its ``MULTIPLIERS``; the first one by
        default.
    style : Style

    Raises
    ------
    ValueError
        For another name or multiplier, or without a format.
    """
    if name not in PROCESSING_ELEMENTS:
        raise ValueError(f"pe must be one of {', '.join(PROCESSING_ELEMENTS)}, not {name!r}")
    if name == "sparq":
        if fmt is None:
            raise ValueError("pe 'sparq' needs a SparqFormat, not None")
        return SparqPe.multiplier_of(fmt, weight_bits, style)
    if style is Style.BEHAVIORAL:
        return PROCESSING_ELEMENTS[name].behavioral_multiplier(weight_bits)
    return PROCESSING_ELEMENTS[name].made_multiplier(weight_bits, multiplier)
