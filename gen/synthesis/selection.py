"""Which units a query of the area table asks for."""

from collections.abc import Sequence
from typing import Any

from gen.design.configuration import AROUND, MACHINES, ConfigurationError
from gen.synthesis.units import (
    FORMATS,
    Unit,
    accelerators,
    arrays,
    dot_products,
    encoders,
    engines,
    processing_elements,
    tensor_cores,
)
from hdl.engine.engine_unit import MAX_SUM_BITS

ARRAY_SIDES = (4, 8, 16, 64)
SMALLEST = ("radix4", "distributed")
"""Multipliers of which one makes the smallest exact element or dot-product unit."""


def select(
    weight_bits: int, acc_bits: int, filters: dict[str, Sequence[Any]], baselines: bool = True
) -> list[Unit]:
    """All units that agree with ``filters`` (field -> values), and the baselines beside them.

    Baselines are exact designs: all machines, and the elements that may be the smallest. Other
    choices than that of a pipeline leave pipelines out. A format without a name of its own takes
    the place of all that have one.
    """
    formats = FORMATS
    if others := tuple(name for name in filters.get("format", ()) if name not in formats):
        formats = others
    everything = [
        *processing_elements(weight_bits, acc_bits, formats),
        *encoders(formats),
        *dot_products(weight_bits, acc_bits, formats),
        *arrays(weight_bits, acc_bits, ARRAY_SIDES, formats),
        *tensor_cores(weight_bits, acc_bits, formats),
        # Their sums have 32 bits at most.
        *(
            unit
            for around in (engines, accelerators)
            if acc_bits <= MAX_SUM_BITS
            for unit in around(weight_bits, acc_bits, formats)
        ),
    ]
    wanted = [
        unit
        for unit in everything
        if all(unit.fields[key] in values for key, values in filters.items())
        and (not filters or "pipeline" in filters or not unit.fields["pipeline"])
    ]
    if not wanted:
        asked = ", ".join(f"{key} {value}" for key, values in filters.items() for value in values)
        raise ConfigurationError(
            f"no unit is called {asked}: sparq area --help lists what there is"
        )
    kinds = [_kind(unit) for unit in wanted]
    return [
        unit
        for unit in everything
        if unit in wanted
        or (
            baselines
            and unit.mac is not None
            and unit.mac.kind in ("8x8", "2x8x8")
            and (unit.unit in (*MACHINES, *AROUND) or unit.mac.multiplier in SMALLEST)
            and _kind(unit) in kinds
        )
    ]


def _kind(unit: Unit) -> list[Any]:
    """What a unit and its baselines have in common."""
    return [unit.fields[name] for name in ("unit", "rows", "pairs", "pipeline")]
