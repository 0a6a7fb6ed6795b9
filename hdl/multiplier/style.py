"""The style of what multiplies and adds."""

from enum import StrEnum


class Style(StrEnum):
    """What a unit is made of: the same ports and latency, and the same sums.

    Structural: adders of single bits, each a module, for which synthesis places a library's cells.
    Behavioral: the operators ``*`` and ``+``, for the multipliers and carry chains of an FPGA, and
    for fast simulation.
    """

    STRUCTURAL = "structural"
    BEHAVIORAL = "behavioral"

    @property
    def max_pipeline(self) -> int:
        """The most registers between operands and accumulator."""
        return 3 if self is Style.BEHAVIORAL else 2
