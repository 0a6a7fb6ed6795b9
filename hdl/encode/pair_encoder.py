"""Two activations in, one encoded pair out."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from golden.format import ControlState, SparqFormat
from hdl.elements import Elements, structure
from hdl.encode.pair_layout import pair_layout
from hdl.encode.window import (
    halves_of_window,
    magnitudes_of,
    signs_of,
    window_of_alone,
    windows_of_pair,
)
from hdl.placement import Component


class PairEncoder(Component):
    """Encodes a pair of activations: bSPARQ of each, or vSPARQ of the one that is not zero.

    Combinational; equals ``golden.pack_pairs(golden.encode_pairs(x, fmt), fmt)``. With shared
    windows both activations stand at the lowest placement that fits all activations of the group.
    In a signed format an activation is its magnitude and, above it, its sign, which is 0 for a 0:
    as :class:`SignMagnitude` gives them.

    Parameters
    ----------
    fmt : SparqFormat

    Members
    -------
    activations : In(2 * fmt.activation_bits)
        Two activations, unsigned or with a sign above each, that of the lower step of the
        reduction low.
    pair : Out(fmt.pair_bits)
        The encoded pair: lane 0, lane 1, the code of their ShiftCtrl and MuxCtrl, signs if any.
    shared : In(fmt.magnitude_bits)
        The OR of the magnitudes of all pairs of the group; with vSPARQ, pairs with a zero count as
        zero. Only where a group has more than one pair.

    Attributes
    ----------
    elements : dict
        Of each port, in the order of the signature, the :class:`Elements` of its word.
    """

    module_name = "pair_encoder"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        self.elements = {
            "activations": Elements(fmt.activation_bits).repeated("step", 2),
            "pair": structure(*fmt.pair_layout),
        }
        members = {"activations": In(2 * fmt.activation_bits), "pair": Out(fmt.pair_bits)}
        if fmt.group > 2:
            self.elements["shared"] = Elements(fmt.magnitude_bits)
            members["shared"] = In(fmt.magnitude_bits)
        super().__init__(members)

    @staticmethod
    def shares(fmt: SparqFormat, activations: Value) -> Value:
        """What a pair of ``activations`` contributes to ``shared``."""
        first, second = magnitudes_of(fmt, activations)
        counts = first.any() & second.any() if fmt.vsparq else 1
        return Mux(counts, first | second, 0)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.fmt
        pair = data.View(pair_layout(fmt), self.pair)
        shared = self.shared if fmt.group > 2 else None
        own = windows_of_pair(m, platform, fmt, self.activations, shared)
        windows, placements = ([part[index] for part in own] for index in range(2))
        high, low = (Const(1, 1), placements[0]) if fmt.group > 1 else placements
        control = self._code(high, low, fmt.own_states)
        signs = signs_of(fmt, self.activations)

        if fmt.vsparq:
            zero_detector, window, placement = window_of_alone(m, platform, fmt, self.activations)
            halves = halves_of_window(fmt, window, placement)
            windows = [
                Mux(zero_detector.alone, half, own)
                for half, own in zip(halves, windows, strict=True)
            ]
            owner = Cat(~zero_detector.owner, zero_detector.owner)
            control = Mux(
                zero_detector.alone, self._code(placement, owner, fmt.wide_states), control
            )
            signs = [sign | (zero_detector.alone & Cat(signs).any()) for sign in signs]

        m.d.comb += [pair.x0.eq(windows[0]), pair.x1.eq(windows[1])]
        if fmt.control_bits:
            m.d.comb += pair.control.eq(control)
        if fmt.signed:
            m.d.comb += [
                pair[f"sign{lane}"].eq(sign & window.any())
                for lane, (sign, window) in enumerate(zip(signs, windows, strict=True))
            ]
        return m

    def _code(self, row: Value, column: Value, states: Sequence[Sequence[ControlState]]) -> Value:
        """The code of the one of ``states`` that a one-hot ``row`` and ``column`` select."""
        bits = []
        for bit in range(self.fmt.control_bits):
            # Rows that have the bit in the same columns need that choice of columns once.
            rows: dict[tuple[int, ...], list[int]] = {}
            for index, cells in enumerate(states):
                codes = [self.fmt.control_codes[state] for state in cells]
                columns = tuple(i for i, code in enumerate(codes) if code >> bit & 1)
                rows.setdefault(columns, []).append(index)
            terms = [_any(row, chosen) & _any(column, columns) for columns, chosen in rows.items()]
            bits.append(reduce(or_, terms))
        return Cat(bits)


def _any(one_hot: Value, indices: Sequence[int]) -> Value:
    """Whether the bit that is set is one of ``indices``."""
    if len(indices) == len(one_hot):
        return Const(1, 1)
    return reduce(or_, (one_hot[index] for index in indices), Const(0, 1))
