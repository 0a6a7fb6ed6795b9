"""Window formats: how many bits of an activation are kept, and where the window may stand."""

import operator
from dataclasses import dataclass
from functools import cached_property

ACTIVATION_BITS = 8
"""Width of an unquantized activation; activations are unsigned."""

ACTIVATION_MAX = 2**ACTIVATION_BITS - 1

GROUPS = (1, 2, 4, 8, 16)
"""How many consecutive activations may share one window placement."""


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


@dataclass(frozen=True)
class SparqFormat:
    """A SPARQ window format (paper, sections 3.1 and 3.2).

    An activation ``a`` (8 bits, unsigned) is reduced to a window of ``window_bits`` bits at the
    smallest allowed right-shift ``s`` with ``a < 2**(window_bits + s)``. With vSPARQ, an activation
    whose partner is zero uses both lanes of its pair: the same rule, twice the window bits.

    With shared windows (``group`` above 1), so many consecutive activations along K share one
    shift, the smallest that the largest of them allows; one that uses both lanes does not count,
    and has a shift of its own. A last group that is not full is filled with zeros.

    Parameters
    ----------
    window_bits : int
        Bits of one lane, 1 to 8.
    shifts : iterable of int
        Allowed placements of the window, distinct integers from 0 to 7, containing 0, the largest
        at least ``8 - window_bits`` so that every 8-bit value is reached. Kept sorted.
    rounding : bool
        Round half to even and saturate within the window (True), or trim (False).
    vsparq : bool
        Whether a zero lends its lane to its partner.
    group : int
        How many activations share a window placement: 1, 2, 4, 8 or 16.

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
        if window_bits + max(shifts) < ACTIVATION_BITS:
            raise ValueError(
                f"shifts of a {window_bits}-bit window must reach {ACTIVATION_BITS - window_bits} "
                f"or more to cover every 8-bit value, not {shifts}"
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

    def _placements(self, bits: int) -> tuple[int, ...]:
        """The shifts that a window of ``bits`` bits can come to stand at."""
        covering = min(shift for shift in self.shifts if bits + shift >= ACTIVATION_BITS)
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
    def lane_shifts(self) -> tuple[int, ...]:
        """Every left-shift a lane's product may need, ascending; ShiftCtrl is an index into it."""
        shifts = set(self.placements)
        if self.vsparq:
            shifts.update(self.wide_placements, map(self.high_lane_shift, self.wide_placements))
        return tuple(sorted(shifts))

    def high_lane_shift(self, placement: int) -> int:
        """Shift of the lane with the high bits of a double window at ``placement``.

        Where those bits lie beyond bit 7 the lane is always zero, and its shift is 0.
        """
        shift = placement + self.window_bits
        return shift if shift < ACTIVATION_BITS else 0

    @property
    def shift_ctrl_bits(self) -> int:
        """Bits of one ShiftCtrl."""
        return (len(self.lane_shifts) - 1).bit_length()

    @property
    def shared_shift(self) -> bool:
        """Whether both lanes of a pair always have one shift."""
        return self.group > 1 and not self.vsparq

    @cached_property
    def pair_layout(self) -> tuple[tuple[str, int], ...]:
        """Fields of a packed pair and their widths in bits, from bit 0 upwards.

        ``x0``/``x1`` are the lanes (unsigned), ``shift0``/``shift1`` their ShiftCtrl and
        ``mux0``/``mux1`` their MuxCtrl (1 selects the weight of the second activation). Without
        vSPARQ lane 0 always meets weight 0 and lane 1 weight 1, and there is no MuxCtrl; if windows
        are shared as well, both lanes have one ShiftCtrl, ``shift``.
        """
        lanes = [("x0", self.window_bits), ("x1", self.window_bits)]
        names = ["shift"] if self.shared_shift else ["shift0", "shift1"]
        shifts = [(name, self.shift_ctrl_bits) for name in names]
        muxes = [("mux0", 1), ("mux1", 1)] if self.vsparq else []
        return tuple(lanes + shifts + muxes)

    @property
    def pair_bits(self) -> int:
        """Width of a packed pair in bits."""
        return sum(width for _, width in self.pair_layout)

    @property
    def bits_per_activation(self) -> float:
        """Bits that an encoded activation takes in memory, a shared shift once a group."""
        if self.shared_shift:
            return self.window_bits + self.shift_ctrl_bits / self.group
        return self.pair_bits / 2


NAMED_FORMATS: dict[str, tuple[int, tuple[int, ...]]] = {
    "5opt": (4, (0, 1, 2, 3, 4)),
    "3opt": (4, (0, 2, 4)),
    "2opt": (4, (0, 4)),
    "6opt": (3, (0, 1, 2, 3, 4, 5)),
    "7opt": (2, (0, 1, 2, 3, 4, 5, 6)),
}
"""The formats of the paper (table 2 and section 5.2): name -> (window bits, shifts)."""


def named_format(
    name: str, rounding: bool = True, vsparq: bool = True, group: int = 1
) -> SparqFormat:
    """The format of that name in :data:`NAMED_FORMATS`; ``ValueError`` if there is none."""
    if not isinstance(name, str) or name not in NAMED_FORMATS:
        raise ValueError(f"format must be one of {', '.join(NAMED_FORMATS)}, not {name!r}")
    window_bits, shifts = NAMED_FORMATS[name]
    return SparqFormat(window_bits, shifts, rounding=rounding, vsparq=vsparq, group=group)
