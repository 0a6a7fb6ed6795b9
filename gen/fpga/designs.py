"""What is measured on an FPGA: a list that is easy to extend."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gen.design.configuration import Configuration
from hdl.multiplier.style import Style

PIPELINE = 2
"""Of elements and engines: the registers that multipliers of FPGAs have."""

FAR = Style.BEHAVIORAL.max_pipeline
"""Of arrays: a register also where products are taken, far from some of the multipliers."""


class Design(NamedTuple):
    """A configuration, and whether its products may take the FPGA's multipliers."""

    name: str
    configuration: Configuration
    multipliers: bool = True

    def placed_with(self, seeds: Sequence[int]) -> Sequence[int]:
        """Those of ``seeds`` that it is placed with: of what is slow, the first."""
        whole = self.configuration.engine or self.configuration.accelerator
        return seeds[:1] if whole else seeds

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
    "s5opt": {"format": "s5opt"},
    "s5opt_group2": {"format": "s5opt", "group": 2, "vsparq": False},
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
            size = {"rows": side, "cols": side, "pipeline": FAR}
            array = Configuration(**size, **unit, style="behavioral")
            yield Design(f"{name}_{side}x{side}", array)
            if name != "2x8x8":
                yield Design(f"{name}_{side}x{side}_luts", array, multipliers=False)
    # Up to the largest with multipliers: an 85k part has 156 of them, of which an element takes one
    # for each MAC, and a lane of the requantizer two.
    of_engines = [name for name in UNITS if name != "s5opt_group2"]
    for side, names in ((4, of_engines), (8, of_engines), (11, ["8x8"])):
        for name in names:
            size = {"rows": side, "cols": side, "pipeline": PIPELINE}
            engine = Configuration(top="engine", **size, **UNITS[name], style="behavioral")
            yield Design(f"{name}_engine_{side}x{side}", engine)
            if name == "8x8" and side == 8:
                yield Design(f"{name}_engine_{side}x{side}_luts", engine, multipliers=False)
    # With two MACs per element it would take 182 multipliers: it has none, nor has its equal.
    for name, multipliers in (("8x8", True), ("8x8", False), ("5opt", False)):
        size = {"rows": 8, "cols": 8, "pipeline": PIPELINE, "scratchpad": 64}
        accelerator = Configuration(top="accelerator", **size, **UNITS[name], style="behavioral")
        luts = "" if multipliers else "_luts"
        yield Design(f"{name}_accelerator_8x8{luts}", accelerator, multipliers)


DESIGNS: Mapping[str, Design] = {design.name: design for design in _designs()}
"""By name: elements in both styles, with and without multipliers; arrays, engines, accelerators."""
