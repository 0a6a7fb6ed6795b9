"""The window of one activation: where it stands, and what is in it."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Value

from golden.format import SparqFormat
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.hierarchy import place


def window_of(
    m: Module,
    platform: Any,
    fmt: SparqFormat,
    name: str,
    value: Value,
    size: Value,
    window_bits: int,
    placements: Sequence[int],
) -> tuple[Value, Value]:
    """The window of ``value`` and its one-hot placement, which fits ``size`` as well.

    Rounded or trimmed as ``fmt`` says; ``window_bits`` and ``placements`` are those of a lane of
    its own, or of both lanes together.
    """
    detector = LeadingOneDetector(window_bits, placements)
    shifter = WindowShifter(window_bits, placements, fmt.rounding)
    place(m, platform, f"{name}_detector", detector)
    place(m, platform, f"{name}_shifter", shifter)
    m.d.comb += [
        detector.value.eq(size),
        shifter.value.eq(value),
        shifter.placement.eq(detector.placement),
    ]
    return shifter.window, detector.placement
