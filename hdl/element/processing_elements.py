"""Processing elements by name, as arrays use them."""

from collections.abc import Callable

from golden.format import SparqFormat
from hdl.element.pe_2x4x8 import Pe2x4x8
from hdl.element.pe_2x8x8 import Pe2x8x8
from hdl.element.pe_8x8 import Pe8x8
from hdl.element.processing_element import ProcessingElement
from hdl.element.sparq_pe import SparqPe

PROCESSING_ELEMENTS: dict[str, Callable[..., ProcessingElement]] = {
    "sparq": SparqPe,
    "8x8": Pe8x8,
    "2x8x8": Pe2x8x8,
    "2x4x8": Pe2x4x8,
}


def processing_element(
    name: str,
    fmt: SparqFormat | None = None,
    weight_bits: int = 8,
    acc_bits: int = 32,
    pipeline: int = 0,
) -> ProcessingElement:
    """The processing element of that name.

    ``name`` is a key of :data:`PROCESSING_ELEMENTS`; ``fmt`` is used by ``"sparq"`` alone. Raises
    ``ValueError`` for another name, or if ``"sparq"`` is not given a format.
    """
    if name not in PROCESSING_ELEMENTS:
        raise ValueError(f"pe must be one of {', '.join(PROCESSING_ELEMENTS)}, not {name!r}")
    parameters = {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": pipeline}
    if name != "sparq":
        return PROCESSING_ELEMENTS[name](**parameters)
    if fmt is None:
        raise ValueError("pe 'sparq' needs a SparqFormat, not None")
    return SparqPe(fmt, **parameters)
