"""The elements that a search can build a machine of."""

from dataclasses import dataclass
from typing import Any

from golden import NamedFormat
from golden.format import ACTIVATION_BITS
from golden.named import ANY_FORMAT_HELP
from hdl.element.processing_elements import PROCESSING_ELEMENTS
from networks.evaluation.settings import DENSE, EXACT_8_BIT, Setting

EXACT = tuple(
    name
    for name, kind in PROCESSING_ELEMENTS.items()
    if kind.MULTIPLIERS and kind.ACTIVATION_BITS == ACTIVATION_BITS
)
"""Elements that multiply whole bytes."""


@dataclass(frozen=True)
class Element:
    """A processing element: ``sparq`` with its ``format``, or one of :data:`EXACT` without."""

    pe: str
    format: NamedFormat | None = None

    @property
    def label(self) -> str:
        """What people read: ``5opt group 2``, ``8x8``."""
        return self.format.label if self.format else self.pe

    @property
    def options(self) -> dict[str, Any]:
        """The options of a configuration that say so."""
        if self.format is None:
            return {"pe": self.pe}
        names = ("format", "rounding", "vsparq", "group")
        values = self.format.name, self.format.rounding, self.format.vsparq, self.format.group
        return {"pe": self.pe, **dict(zip(names, values, strict=True))}

    def setting(self, weight_bits: int) -> Setting:
        """What an evaluation calls a network in it."""
        return Setting(self.format or EXACT_8_BIT, weight_bits, DENSE)


def element_name(name: str) -> str:
    """The one name of an element; ``ValueError`` with what is allowed."""
    if name in EXACT:
        return name
    try:
        fmt = NamedFormat(name)
    except ValueError as error:
        if str(error).startswith(f"format {name}: "):
            raise
        allowed = f"{', '.join(EXACT)}, {ANY_FORMAT_HELP}"
        raise ValueError(f"elements must be some of {allowed}, not {name!r}") from None
    if not fmt.sparq_format.exact_planes:
        raise ValueError(
            f"elements must be of formats with exact planes, which layers at 8 bits need, not "
            f"{fmt.name}"
        )
    return fmt.name


def element_of(name: str, rounding: bool, vsparq: bool, group: int) -> Element:
    """The element of that name; the options are those of a window format."""
    if name in EXACT:
        return Element(name)
    return Element("sparq", NamedFormat(name, rounding, vsparq, group))
