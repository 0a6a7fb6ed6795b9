"""What is measured on an FPGA: a list that is easy to extend."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gen.design.configuration import Configuration

PIPELINE = 2
"""Of all designs: with the registers that multipliers of FPGAs have."""


class Design(NamedTuple):
    """A configuration, and whether its products may take the FPGA's multipliers."""

    name: str
    configuration: Configuration
    multipliers: bool = True

    @property
    def macs_per_cycle(self) -> int:
        """Products per cycle."""
        unit = self.configuration
        return unit.mac.macs_per_cycle * unit.rows * unit.cols


UNITS: Mapping[str, dict[str, Any]] = {
    "8x8": {"pe": "8x8"},
    "2x8x8": {"pe": "2x8x8"},
    "5opt": {"format": "5opt"},
    "group2": {"format": "5opt", "group": 2, "vsparq": False},
}
"""Elements by the names that designs have."""


def _designs() -> Iterator[Design]:
    for name, unit in UNITS.items():
        element = {"top": "pe", "pipeline": PIPELINE, **unit}
        behavioral = Configuration(**element, style="behavioral")
        yield Design(f"{name}", behavioral)
        yield Design(f"{name}_luts", behavioral, multipliers=False)
        yield Design(f"{name}_structural", Configuration(**element))
    for side in (4, 8):
        for name, unit in UNITS.items():
            size = {"rows": side, "cols": side, "pipeline": PIPELINE}
            array = Configuration(**size, **unit, style="behavioral")
            yield Design(f"{name}_{side}x{side}", array)
            if name != "2x8x8":
                yield Design(f"{name}_{side}x{side}_luts", array, multipliers=False)


DESIGNS: Mapping[str, Design] = {design.name: design for design in _designs()}
"""By name: elements, in both styles and with and without multipliers, and arrays."""
