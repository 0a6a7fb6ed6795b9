"""What is known of a standard-cell library and of its cells.

Units are fixed: fF, ps, fJ and V. Only areas are in a unit of the library's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Sense = Literal["positive_unate", "negative_unate", "non_unate"]

SENSES: tuple[Sense, ...] = ("positive_unate", "negative_unate", "non_unate")


@dataclass(frozen=True, eq=False)
class Table:
    """Values at ``loads`` (fF) times ``slews`` (ps), each ascending; of shape (loads, slews).

    Values are ps, or fJ. An axis that the library's table does not have is a single point.
    """

    loads: Numbers
    slews: Numbers
    values: Numbers

    def at(self, load: float, slew: float) -> float:
        """The value by bilinear interpolation, linear beyond the ends."""
        return float(_interpolate(self.slews, slew, _interpolate(self.loads, load, self.values)))


@dataclass(frozen=True, eq=False)
class Arc:
    """A delay from the input pin ``source`` to the output pin ``sink``.

    There can be several between two pins, for different states of the others.
    """

    source: str
    sink: str
    sense: Sense
    cell_rise: Table
    cell_fall: Table
    rise_transition: Table
    fall_transition: Table


@dataclass(frozen=True)
class FlipFlop:
    """A D flip-flop with a rising clock, and nothing else.

    ``setup`` (ps) is the worse of rising and falling data, at slews of 100 ps, or the nearest that
    the library has.
    """

    clock: str
    data: str
    output: str
    inverted_output: str | None
    setup: float


@dataclass(frozen=True)
class Pin:
    """A pin: its capacitance in fF, the mean of rise and fall if both are given.

    ``function`` is that of an output of a combinational cell, of its input pins.
    """

    name: str
    is_input: bool
    capacitance: float
    function: str | None


@dataclass(frozen=True, eq=False)
class InternalEnergy:
    """Energy in fJ that a change of ``pin`` costs inside the cell, without charging its load.

    ``related`` is the input that caused it, for outputs. Several states of the other pins count
    alike, several supplies are added. The unit of a library's tables is voltage_unit squared times
    capacitive_load_unit.
    """

    pin: str
    related: str | None
    rise: Table
    fall: Table


@dataclass(frozen=True, eq=False)
class Cell:
    """A combinational cell, or a flip-flop.

    ``arcs`` are those from inputs to outputs, the clock to the outputs of a flip-flop.
    """

    name: str
    area: float
    pins: Mapping[str, Pin]
    arcs: tuple[Arc, ...]
    flip_flop: FlipFlop | None
    internal_energy: tuple[InternalEnergy, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input pins."""
        return tuple(pin.name for pin in self.pins.values() if pin.is_input)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output pins."""
        return tuple(pin.name for pin in self.pins.values() if not pin.is_input)


@dataclass(frozen=True)
class AdderCell:
    """A full adder (three inputs) or a half adder (two)."""

    cell: str
    inputs: tuple[str, ...]
    sum: str
    carry: str


@dataclass(frozen=True, eq=False)
class Library:
    """The usable cells of a Liberty file; ``path`` is the file, ``digest`` that of its bytes.

    ``skipped`` names the cells of the file that are not in ``cells``: those without an area, pads,
    latches, tri-state cells, flip-flops with anything but a clock and data, cells that the library
    says not to use, and cells that are not understood. Synthesis must be told not to use them.
    ``time_unit`` and ``capacitance_unit`` are those of the file, in ps and fF, which other tools
    expect numbers in. ``nand2_area`` is the area of the smallest NAND2. ``um2_per_area`` is how
    many square microns the unit of area is, by the LEF file beside the Liberty file; None if there
    is none. Of adder cells there is the smallest.
    """

    name: str
    path: Path
    digest: str
    time_unit: float
    capacitance_unit: float
    voltage: float
    cells: Mapping[str, Cell]
    skipped: tuple[str, ...]
    nand2_area: float
    full_adder: AdderCell | None
    half_adder: AdderCell | None
    um2_per_area: float | None


def _interpolate(points: Numbers, point: float, values: Numbers) -> Any:
    """``values``, given at ``points`` along their first axis, at ``point``."""
    if len(points) == 1:
        return values[0]
    index = min(max(int(np.searchsorted(points, point)), 1), len(points) - 1)
    left, right = points[index - 1], points[index]
    weight = (point - left) / (right - left)
    return values[index - 1] + weight * (values[index] - values[index - 1])
