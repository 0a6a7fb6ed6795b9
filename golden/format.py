"""Window formats: how many bits of an activation are kept, and where the window may stand."""

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from golden.stored_layout import StoredLayout, Wide

ACTIVATION_BITS = 8
"""Width of an unquantized activation: an unsigned byte, or a signed one of a signed format."""

ACTIVATION_MAX = 2**ACTIVATION_BITS - 1

SIGNED_ZERO_POINT = 1 << (ACTIVATION_BITS - 1)
"""Of signed bytes that are not in two's complement: the highest bit is inverted."""

GROUPS = (1, 2, 4, 8, 16)
"""How many consecutive activations may share one window placement."""

SPARSE_BLOCK = 4
SPARSE_KEPT = 2
"""2:4 sparse weights: of so many along the reduction, at most so many are non-zero."""


def _integer(name: str, value: object, allowed: str) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name} must be {allowed}, not {value!r}")
    try:
        return operator.index(value)  # type: ignore[arg-type]  # the call itself is the check
    except TypeError:
        raise TypeError(f"{name} must be {allowed}, not {value!r}") from None


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


class ControlState(NamedTuple):
    """How the lanes of a pair are used: their ShiftCtrl, and their MuxCtrl.

    ShiftCtrl is an index into ``SparqFormat.lane_shifts``; MuxCtrl is the weight that the lane
    meets, 0 or 1.
    """

    shift0: int
    shift1: int
    mux0: int
    mux1: int


@dataclass(frozen=True)
class SparqFormat:
    """A SPARQ window format (paper, sections 3.1 and 3.2).

    An activation ``a`` (8 bits, unsigned) is reduced to a window of ``window_bits`` bits at the
    smallest allowed right-shift ``s`` with ``a < 2**(window_bits + s)``. With vSPARQ, an activation
    whose partner is zero uses both lanes of its pair: the same rule, twice the window bits.

    A signed activation is a sign and a magnitude of 7 bits (-127 to 127), or of 8 bits (-255 to
    255: an affine byte less its zero point) where the shifts reach that far. The rule is that of
    the magnitude; the sign goes with each lane, and that of a lane without a bit is 0.

    With shared windows (``group`` above 1), so many consecutive activations along K share one
    shift, the smallest that the largest of them allows; one that uses both lanes does not count,
    and has a shift of its own. A last group that is not full is filled with zeros.

    Parameters
    ----------
    window_bits : int
        Bits of one lane, 1 to 8.
    shifts : iterable of int
        Allowed placements of the window, distinct integers from 0 to 7, containing 0, the largest
        at least ``8 - window_bits`` so that every 8-bit value is reached; of a signed format at
        least ``7 - window_bits``, and ``8 - window_bits`` for magnitudes of 8 bits. Kept sorted.
    rounding : bool
        Round half to even and saturate within the window (True), or trim (False).
    vsparq : bool
        Whether a zero lends its lane to its partner.
    group : int
        How many activations share a window placement: 1, 2, 4, 8 or 16.
    signed : bool
        Whether activations have a sign.

    Raises
    ------
    TypeError, ValueError
        Naming the offending value and what is allowed.
    """

    window_bits: int
    shifts: tuple[int, ...]
    rounding: bool = True
    vsparq: bool = True
    group: int = 1
    signed: bool = False

    def __post_init__(self) -> None:
        allowed = f"an integer from 1 to {ACTIVATION_BITS}"
        window_bits = _integer("window_bits", self.window_bits, allowed)
        if not 1 <= window_bits <= ACTIVATION_BITS:
            raise ValueError(f"window_bits must be {allowed}, not {window_bits}")

        allowed = f"distinct integers from 0 to {ACTIVATION_BITS - 1}"
        try:
            given = tuple(self.shifts) if not isinstance(self.shifts, str | bytes) else None
        except TypeError:
            given = None
        if given is None:
            raise TypeError(f"shifts must be {allowed}, not {self.shifts!r}")
        shifts = tuple(sorted(_integer("shifts", shift, allowed) for shift in given))
        if len(set(shifts)) != len(shifts) or not all(0 <= s < ACTIVATION_BITS for s in shifts):
            raise ValueError(f"shifts must be {allowed}, not {shifts}")
        if 0 not in shifts:
            raise ValueError(f"shifts must contain 0, not {shifts}")
        signed = _flag("signed", self.signed)
        least = ACTIVATION_BITS - signed
        if window_bits + max(shifts) < least:
            kind, covered = ("signed ", "magnitude") if signed else ("", "value")
            raise ValueError(
                f"shifts of a {kind}{window_bits}-bit window must reach {least - window_bits} "
                f"or more to cover every {least}-bit {covered}, not {shifts}"
            )
        allowed = f"one of {', '.join(map(str, GROUPS))}"
        group = _integer("group", self.group, allowed)
        if group not in GROUPS:
            raise ValueError(f"group must be {allowed}, not {group}")
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "window_bits", window_bits)
        object.__setattr__(self, "shifts", shifts)
        _flag("rounding", self.rounding)
        _flag("vsparq", self.vsparq)

    @cached_property
    def magnitude_bits(self) -> int:
        """Bits of what windows are cut out of: 8; 7 of a signed format that reaches no further."""
        return min(ACTIVATION_BITS, self.window_bits + self.shifts[-1])

    @property
    def magnitude_max(self) -> int:
        """The largest activation."""
        return (1 << self.magnitude_bits) - 1

    @property
    def sign_bits(self) -> int:
        """Bits of the signs of a pair, one for each lane."""
        return 2 if self.signed else 0

    @property
    def activation_bits(self) -> int:
        """Bits of an activation: its magnitude and, above it, its sign if it has one."""
        return self.magnitude_bits + self.signed

    @property
    def takes_zero_point(self) -> bool:
        """Whether activations are affine bytes, of which a zero point is subtracted."""
        return self.signed and self.magnitude_bits == ACTIVATION_BITS

    @property
    def activation_kind(self) -> str:
        """What an activation is as a byte: ``unsigned``, ``signed`` or ``affine``."""
        if not self.signed:
            return "unsigned"
        return "affine" if self.takes_zero_point else "signed"

    def _placements(self, bits: int) -> tuple[int, ...]:
        """The shifts that a window of ``bits`` bits can come to stand at."""
        covering = min(shift for shift in self.shifts if bits + shift >= self.magnitude_bits)
        return tuple(shift for shift in self.shifts if shift <= covering)

    @cached_property
    def placements(self) -> tuple[int, ...]:
        """Shifts at which a lane's own window can stand, ascending."""
        return self._placements(self.window_bits)

    @cached_property
    def wide_placements(self) -> tuple[int, ...]:
        """Shifts at which the double window of a value with a zero partner can stand, ascending."""
        return self._placements(2 * self.window_bits)

    @cached_property
    def exact_planes(self) -> tuple[int, ...]:
        """Masks that split a magnitude into parts which windows hold exactly, the high one first.

        A sum of products is exact if it is that of all planes, each multiplied by the same weights,
        and if each group of activations that share a window, or pair, holds bits of one plane
        alone: ceil(8 / window_bits) passes where every placement is allowed. The sign goes with
        each part. Empty for a format that has no placement for some bit.
        """
        masks: list[int] = []
        top = self.magnitude_bits - 1
        while top >= 0:
            # Where the window stands if the leading one is bit top: at most there for smaller ones.
            bottom = next(s for s in self.placements if top < self.window_bits + s)
            if bottom > top:
                return ()
            masks.append((1 << top + 1) - (1 << bottom))
            top = bottom - 1
        return tuple(masks)

    @cached_property
    def lane_shifts(self) -> tuple[int, ...]:
        """Every left-shift a lane's product may need, ascending; ShiftCtrl is an index into it."""
        shifts = set(self.placements)
        if self.vsparq:
            shifts.update(self.wide_placements, map(self.high_lane_shift, self.wide_placements))
        return tuple(sorted(shifts))

    def high_lane_shift(self, placement: int) -> int:
        """Shift of the lane with the high bits of a double window at ``placement``.

        Where those bits lie beyond the highest one the lane is always zero, and its shift is 0. In
        a signed format the lane stands no higher than the highest bit asks for, as own windows do:
        two lanes of 4 bits have a magnitude of 7 bits as 4 bits at 3 and 3 bits at 0.
        """
        shift = placement + self.window_bits
        if shift >= self.magnitude_bits:
            return 0
        return min(shift, self.magnitude_bits - self.window_bits) if self.signed else shift

    def low_lane_bits(self, placement: int) -> int:
        """How many bits of a double window at ``placement`` the other lane has, the low ones."""
        high = self.high_lane_shift(placement)
        return high - placement if high else self.window_bits

    @property
    def shift_ctrl_bits(self) -> int:
        """Bits of one ShiftCtrl."""
        return (len(self.lane_shifts) - 1).bit_length()

    @property
    def shared_shift(self) -> bool:
        """Whether both lanes of a pair always have one shift."""
        return self.group > 1 and not self.vsparq

    @cached_property
    def own_states(self) -> tuple[tuple[ControlState, ...], ...]:
        """The states of pairs in which each activation has its own lane.

        By the index of lane 0's placement, then by that of lane 1's; where windows are shared, the
        lanes of a pair have one placement, which is the only index.
        """
        codes = [self.lane_shifts.index(placement) for placement in self.placements]
        if self.group > 1:
            return (tuple(ControlState(code, code, 0, 1) for code in codes),)
        return tuple(tuple(ControlState(high, low, 0, 1) for low in codes) for high in codes)

    @cached_property
    def wide_states(self) -> tuple[tuple[ControlState, ...], ...]:
        """The states of pairs in which one activation has both lanes, the high bits in lane 0.

        By the index of its placement, then by which of the two it is; none without vSPARQ.
        """
        if not self.vsparq:
            return ()
        code = self.lane_shifts.index
        return tuple(
            tuple(
                ControlState(code(self.high_lane_shift(placement)), code(placement), owner, owner)
                for owner in (0, 1)
            )
            for placement in self.wide_placements
        )

    @cached_property
    def control_states(self) -> tuple[ControlState, ...]:
        """Every state that a pair can be in, each once: own lanes first, then both of one."""
        return tuple(state for states in self.own_states + self.wide_states for state in states)

    @property
    def control_bits(self) -> int:
        """Bits of a control code: as few as the number of states allows."""
        return (len(self.control_states) - 1).bit_length()

    @cached_property
    def control_codes(self) -> dict[ControlState, int]:
        """The code of each state; not every number of ``control_bits`` bits need be one.

        The one place that chooses the encoding. Codes are made to be decoded cheaply, in every
        processing element:

        - Where there is room, a pair with its own lanes has the index of lane 1's placement in the
          low bits and that of lane 0's above it (one index, where windows are shared). The others
          take the numbers that this leaves free, from the highest down, so that the low bit of most
          says whose the lanes are.
        - Where there is not, but the last placement is the only one beyond a power of two (the five
          of 5opt), two smaller fields are followed by a bit that says one of the lanes is at the
          last placement; a field then says which, or that both are.
        - Otherwise the states are numbered as ``control_states`` lists them.
        """
        last = len(self.placements) - 1
        field_bits = last.bit_length()
        if field_bits * (1 if self.group > 1 else 2) > self.control_bits:
            if last & (last - 1) or self.control_bits != 2 * field_bits - 1:
                return {state: code for code, state in enumerate(self.control_states)}
            field_bits -= 1
        escape = 1 << 2 * field_bits

        def code_of(high: int, low: int) -> int:
            if high < 1 << field_bits > low:
                return high << field_bits | low
            if low < 1 << field_bits:
                return escape | low
            return escape | (high | escape >> 1 if high < 1 << field_bits else escape >> field_bits)

        codes = {
            state: code_of(high, low)
            for high, states in enumerate(self.own_states)
            for low, state in enumerate(states)
        }
        taken = set(codes.values())
        free = (code for code in reversed(range(1 << self.control_bits)) if code not in taken)
        for first, second in self.wide_states:
            codes[second] = next(free)
            codes[first] = next(free)
        return codes

    @cached_property
    def pair_layout(self) -> tuple[tuple[str, int], ...]:
        """Fields of a packed pair and their widths in bits, from bit 0 upwards.

        ``x0``/``x1`` are the magnitudes of the lanes, ``control`` is the code of their state in
        ``control_codes``; ``sign0``/``sign1``, of signed formats, say which lanes are negative.
        """
        lanes = self.window_bits
        magnitudes = (("x0", lanes), ("x1", lanes), ("control", self.control_bits))
        return (*magnitudes, ("sign0", 1), ("sign1", 1)) if self.signed else magnitudes

    @property
    def pair_bits(self) -> int:
        """Width of a packed pair in bits."""
        return sum(width for _, width in self.pair_layout)

    @property
    def unsigned_pair_bits(self) -> int:
        """Width of a packed pair below its signs."""
        return self.pair_bits - self.sign_bits

    @cached_property
    def _stored_layout(self) -> StoredLayout | None:
        """The layout of stored words, where it fits and saves bits."""
        if self.group > 1:
            return None
        wide = self.wide_placements if self.vsparq else ()
        layout = StoredLayout(self.window_bits, self.placements, wide, self.magnitude_bits)
        return layout if layout.fits and layout.bits < self.unsigned_pair_bits else None

    @property
    def stored_pair_bits(self) -> int:
        """Width of a pair as memories and streams have it, in bits: a stored word.

        The fewest that tell all pairs apart, for the formats of the paper without shared windows.
        A :class:`StoredLayout` has as many, where there is one; otherwise a stored word is a packed
        pair but for ``stored_inversion``. The signs stand above either, as in a packed pair.
        """
        return self.unsigned_stored_bits + self.sign_bits

    @property
    def unsigned_stored_bits(self) -> int:
        """Width of a stored word below its signs."""
        return self._stored_layout.bits if self._stored_layout else self.unsigned_pair_bits

    @cached_property
    def stored_words(self) -> dict[int, int]:
        """The stored word of each packed pair, where a layout of its own saves bits; else empty.

        Of both what is below the signs.
        """
        if self._stored_layout is None:
            return {}
        n = self.window_bits
        words = {}
        for pair, word in self._stored_layout.words().items():
            if isinstance(pair, Wide):
                state = self.wide_states[pair.window.placement][pair.owner]
                low_bits = self.low_lane_bits(self.wide_placements[pair.window.placement])
                high, low = divmod(pair.window.bits, 1 << low_bits)
                packed = high | low << n
            else:
                state = self.own_states[pair[0].placement][pair[1].placement]
                packed = pair[0].bits | pair[1].bits << n
            words[packed | self.control_codes[state] << 2 * n] = word
        return words

    @property
    def stored_inversion(self) -> int:
        """Bits in which stored words and packed pairs differ, where ``stored_words`` is empty.

        The ones of the packed pair of two zeros, whose stored word is 0.
        """
        if not self.vsparq:
            return 0
        return self.control_codes[self.wide_states[0][0]] << 2 * self.window_bits

    @property
    def bits_per_activation(self) -> float:
        """Bits of an activation as encoded for the array, with a shared shift once a group."""
        if self.shared_shift:
            return self.window_bits + self.signed + self.control_bits / self.group
        return self.pair_bits / 2
