"""The window of one activation: where it stands, and what is in it."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Value

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.pair_zero_detector import PairZeroDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.placement import place


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


def windows_of_pair(
    m: Module, platform: Any, fmt: SparqFormat, activations: Value, shared: Value | None
) -> list[tuple[Value, Value]]:
    """Window and placement of each of a pair of activations (16 bits), whatever the other is.

    Each stands in its own window, or in one that fits the largest of the group: ``shared``, where
    the group is more than the pair.
    """
    pair = activations[:ACTIVATION_BITS], activations[ACTIVATION_BITS:]
    sizes = pair if fmt.group == 1 else [pair[0] | pair[1] if shared is None else shared] * 2
    return [
        window_of(m, platform, fmt, f"lane{lane}", value, size, fmt.window_bits, fmt.placements)
        for lane, (value, size) in enumerate(zip(pair, sizes, strict=True))
    ]


def window_of_alone(
    m: Module, platform: Any, fmt: SparqFormat, activations: Value
) -> tuple[PairZeroDetector, Value, Value]:
    """Where a partner is zero: the detector of it; window and placement of the other activation.

    The other one is the OR of both; its window has the bits of both lanes.
    """
    first, second = activations[:ACTIVATION_BITS], activations[ACTIVATION_BITS:]
    zero_detector = PairZeroDetector()
    place(m, platform, "zero_detector", zero_detector)
    m.d.comb += [zero_detector.first.eq(first), zero_detector.second.eq(second)]
    both = first | second
    bits = 2 * fmt.window_bits
    window, placement = window_of(m, platform, fmt, "both", both, both, bits, fmt.wide_placements)
    return zero_detector, window, placement
