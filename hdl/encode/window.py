"""The window of one activation: where it stands, and what is in it."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value

from golden.format import SparqFormat
from hdl.encode.leading_one_detector import LeadingOneDetector
from hdl.encode.pair_zero_detector import PairZeroDetector
from hdl.encode.window_shifter import WindowShifter
from hdl.placement import place


def magnitudes_of(fmt: SparqFormat, activations: Value) -> tuple[Value, Value]:
    """The magnitudes of a pair of activations; those of an unsigned format are all of them."""
    first, second = (activations.word_select(k, fmt.activation_bits) for k in range(2))
    return first[: fmt.magnitude_bits], second[: fmt.magnitude_bits]


def signs_of(fmt: SparqFormat, activations: Value) -> list[Value]:
    """The signs of a pair of activations, or of as many as there are; none of unsigned ones."""
    count = len(activations) // fmt.activation_bits if fmt.signed else 0
    return [activations.word_select(k, fmt.activation_bits)[-1] for k in range(count)]


def halves_of_window(fmt: SparqFormat, window: Value, placement: Value) -> tuple[Value, Value]:
    """The high and the low bits of a double window: what its two lanes have."""
    splits: dict[int, list[Value]] = {}
    for select, shift in zip(placement, fmt.wide_placements, strict=True):
        splits.setdefault(fmt.low_lane_bits(shift), []).append(select)
    bits = fmt.window_bits
    halves = {low: (window[low:][:bits], Cat(window[:low], Const(0, bits - low))) for low in splits}
    if len(splits) == 1:
        (both,) = halves.values()
        return both
    cases = [(Cat(selects).any(), *halves[low_bits]) for low_bits, selects in splits.items()]
    high = reduce(or_, (Mux(chosen, half, 0) for chosen, half, _ in cases))
    low = reduce(or_, (Mux(chosen, half, 0) for chosen, _, half in cases))
    return high, low


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
    """The window of ``value``, a magnitude, and its one-hot placement, which fits ``size`` as well.

    Rounded or trimmed as ``fmt`` says; ``window_bits`` and ``placements`` are those of a lane of
    its own, or of both lanes together.
    """
    detector = LeadingOneDetector(window_bits, placements, fmt.magnitude_bits)
    shifter = WindowShifter(window_bits, placements, fmt.rounding, fmt.magnitude_bits)
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
    """Window and placement of each of a pair of activations, whatever the other is.

    Each stands in its own window, or in one that fits the largest of the group: ``shared``, where
    the group is more than the pair.
    """
    pair = magnitudes_of(fmt, activations)
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
    first, second = magnitudes_of(fmt, activations)
    zero_detector = PairZeroDetector()
    place(m, platform, "zero_detector", zero_detector)
    m.d.comb += [zero_detector.first.eq(first), zero_detector.second.eq(second)]
    both = first | second
    bits = 2 * fmt.window_bits
    window, placement = window_of(m, platform, fmt, "both", both, both, bits, fmt.wide_placements)
    return zero_detector, window, placement
