"""Formats by name: what people write, and what files and modules are called after."""

import re
from dataclasses import dataclass, field
from typing import Any

from golden.format import SparqFormat

NAMED_FORMATS: dict[str, tuple[int, tuple[int, ...]]] = {
    "5opt": (4, (0, 1, 2, 3, 4)),
    "3opt": (4, (0, 2, 4)),
    "2opt": (4, (0, 4)),
    "6opt": (3, (0, 1, 2, 3, 4, 5)),
    "7opt": (2, (0, 1, 2, 3, 4, 5, 6)),
}
"""The formats of the paper (table 2 and section 5.2): name -> (window bits, shifts)."""

SIGNED_FORMATS: dict[str, tuple[int, tuple[int, ...]]] = {
    "s4opt": (4, (0, 1, 2, 3)),
    "s5opt": (4, (0, 1, 2, 3, 4)),
}
"""Formats of signed activations, called as the paper calls its own: by how many placements there
are. ``s4opt`` is that of signed bytes, ``s5opt`` that of affine bytes less their zero point."""

FORMAT_HELP = f"{', '.join(NAMED_FORMATS)}, or window bits and shifts such as 4:0,1,4"
"""What the name of a format of unsigned activations may be."""

SIGNED_HELP = f"{', '.join(SIGNED_FORMATS)}, or such as s4:0,1,3"
"""What the name of a format of signed activations may be."""

ANY_FORMAT_HELP = f"{FORMAT_HELP}; of signed activations {SIGNED_HELP}"
"""What the name of a format may be."""

_WINDOW = re.compile(r"(s?)([0-9]{1,3}):([0-9]{1,3}(?:,[0-9]{1,3})*)")
_NAMES = {
    (bits, shifts, signed): name
    for signed, formats in ((False, NAMED_FORMATS), (True, SIGNED_FORMATS))
    for name, (bits, shifts) in formats.items()
}
"""The name of each window that has one."""
_WINDOWS = {name: window for window, name in _NAMES.items()}


@dataclass(frozen=True)
class NamedFormat:
    """A window format by its name, with its options.

    One format has one name: shifts are sorted, those that no value needs are left out, and a format
    of the paper has the paper's name (``4:4,3,2,1,0`` and ``4:0,1,2,3,4,6`` are ``5opt``). An ``s``
    before the window bits is for signed activations.

    Parameters
    ----------
    name : str
        A key of :data:`NAMED_FORMATS` or :data:`SIGNED_FORMATS`, or window bits and shifts as in
        ``4:0,1,4`` or ``s4:0,1,3``.
    rounding, vsparq, group
        As of a :class:`SparqFormat`.

    Attributes
    ----------
    sparq_format : SparqFormat
        The format itself.

    Raises
    ------
    TypeError, ValueError
        One line that names the offending value and what is allowed.
    """

    name: str
    rounding: bool = True
    vsparq: bool = True
    group: int = 1
    sparq_format: SparqFormat = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        window = _WINDOWS.get(self.name) if isinstance(self.name, str) else None
        if window is None:
            given = _WINDOW.fullmatch(self.name) if isinstance(self.name, str) else None
            if given is None:
                raise ValueError(f"format must be one of {ANY_FORMAT_HELP}, not {self.name!r}")
            sign, bits, shifts = given.groups()
            window = int(bits), tuple(int(shift) for shift in shifts.split(",")), bool(sign)
        try:
            fmt = SparqFormat(*window[:2], signed=window[2])
        except ValueError as error:
            raise ValueError(f"format {self.name}: {error}") from None
        options = self.rounding, self.vsparq, self.group, fmt.signed
        fmt = SparqFormat(fmt.window_bits, fmt.placements, *options)
        own = f"{'s' * fmt.signed}{fmt.window_bits}:{','.join(map(str, fmt.shifts))}"
        name = _NAMES.get((fmt.window_bits, fmt.shifts, fmt.signed), own)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "group", fmt.group)
        object.__setattr__(self, "sparq_format", fmt)

    @property
    def label(self) -> str:
        """What people read, such as ``5opt trim no vSPARQ group 2``."""
        return " ".join([self.name, *self._options("no vSPARQ", "group ")])

    @property
    def slug(self) -> str:
        """The same for file names and, behind a letter, identifiers: ``5opt_trim_novsparq_group2``.

        That of ``4:0,1,4`` starts with ``4b_0_1_4``, that of ``s4:0,1,3`` with ``s4b_0_1_3``.
        """
        name = self.name.replace(":", "b_").replace(",", "_")
        return "_".join([name, *self._options("novsparq", "group")])

    def _options(self, without_vsparq: str, group: str) -> list[str]:
        """The options that are not the paper's usual ones."""
        return [
            *([] if self.rounding else ["trim"]),
            *([] if self.vsparq else [without_vsparq]),
            *([] if self.group == 1 else [f"{group}{self.group}"]),
        ]


def named_format(
    name: str, rounding: bool = True, vsparq: bool = True, group: int = 1
) -> SparqFormat:
    """The format that a :class:`NamedFormat` of these arguments names; errors are its."""
    return NamedFormat(name, rounding, vsparq, group).sparq_format


def format_fields(fmt: NamedFormat | None) -> dict[str, Any]:
    """A format as plain data, for files: its name and its options; all None where there is none."""
    return {
        "format": fmt and fmt.name,
        "rounding": fmt and fmt.rounding,
        "vsparq": fmt and fmt.vsparq,
        "group": fmt and fmt.group,
    }


def split_formats(text: str) -> list[str]:
    """The names in ``text``, separated by commas, as they are.

    A number that follows a window is one of its shifts: ``5opt,4:0,1,4,2opt`` are three names.
    """
    names: list[str] = []
    for part in text.split(","):
        word = part.strip()
        if names and ":" in names[-1] and word.isdecimal():
            names[-1] += f",{word}"
        else:
            names.append(word)
    return names
