"""What a multiply-accumulate unit and the parts around it have in common: a grid can place them."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

from amaranth.lib.wiring import Member

from hdl.multiplier.mac import Mac
from hdl.placement import Component


class Route(NamedTuple):
    """How a port runs in a grid.

    ``along`` is "row", "col" or "", for the whole grid. What is ``passed`` enters as ``NAME_in``
    and leaves as ``NAME_out``, from neighbour to neighbour; all else is broadcast, or is an output
    of a grid of one row or column.
    """

    along: str
    passed: bool = False


EVERYWHERE = Route("")
TO_ROW, TO_COLUMN = Route("row"), Route("col")
RIGHTWARDS, DOWNWARDS = Route("row", True), Route("col", True)


class MacPart(Component):
    """A component that is built from a description.

    Parameters
    ----------
    mac : Mac

    Attributes
    ----------
    routes : mapping
        How each port runs, by its name without ``_in`` or ``_out`` where it is passed on.
    """

    routes: ClassVar[Mapping[str, Route]]

    def __init__(self, mac: Mac):
        self.mac = mac
        super().__init__(self.members(mac))

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        """The ports, whose widths the description gives."""
        raise NotImplementedError

    @classmethod
    def build(cls, mac: Mac) -> Self:
        """A new component."""
        return cls(mac)

    @classmethod
    def route(cls, port: str) -> Route:
        """How ``port`` runs."""
        return cls.routes[port if port in cls.routes else port.rpartition("_")[0]]
