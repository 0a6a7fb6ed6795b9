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
