"""What stands between two streams."""

from collections.abc import Mapping

from amaranth.hdl import Value
from amaranth.lib.wiring import In, Member, Out

from hdl.placement import Component


class StreamStage(Component):
    """Takes the words of one stream and gives those of another one.

    A word moves in a cycle in which valid and ready are 1; until then it stays as it is.

    Parameters
    ----------
    in_width, out_width : int
    more : mapping
        What else a kind of stage has.

    Members
    -------
    in_valid : In(1)
        A word is offered.
    in_ready : Out(1)
        A word that is offered is taken.
    in_data : In(in_width)
        The word.
    out_valid : Out(1)
        A word is offered, until it is taken.
    out_ready : In(1)
        A word that is offered is taken.
    out_data : Out(out_width)
        The word.
    """

    def __init__(self, in_width: int, out_width: int, more: Mapping[str, Member] | None = None):
        super().__init__(
            {
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(in_width),
                "out_valid": Out(1),
                "out_ready": In(1),
                "out_data": Out(out_width),
                **(more or {}),
            }
        )

    @property
    def taken(self) -> Value:
        """A word comes in."""
        return self.in_valid & self.in_ready

    @property
    def given(self) -> Value:
        """A word goes out."""
        return self.out_valid & self.out_ready
