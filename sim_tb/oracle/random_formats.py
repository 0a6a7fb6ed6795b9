"""Formats that nobody named, drawn at random from all that a ``SparqFormat`` allows."""

import os
import random

from golden import NamedFormat
from golden.format import GROUPS

SEED = os.environ.get("SEED", "7")
"""The draw is that of ``SEED``: the variable of the test run, or this one.

The names of the tests have the formats that it drew.
"""


def random_formats(
    count: int, groups: tuple[int, ...] = GROUPS, signed: bool = False
) -> list[NamedFormat]:
    """``count`` different formats: windows of 1 to 8 bits, sets of shifts, and all options."""
    rng = random.Random(f"formats {SEED}")
    found: dict[NamedFormat, None] = {}
    while len(found) < count:
        bits = rng.randrange(1, 9)
        reaching = rng.randrange(max(0, 8 - bits - signed), 8)
        others = [shift for shift in range(1, 8) if rng.random() < 0.4]
        if signed and rng.random() < 0.5:  # Magnitudes of 7 bits: no shift reaches further.
            others = [shift for shift in others if shift <= reaching]
        shifts = ",".join(map(str, sorted({0, reaching, *others})))
        options = (rng.random() < 0.5, rng.random() < 0.5, rng.choice(groups))
        found[NamedFormat(f"{'s' * signed}{bits}:{shifts}", *options)] = None
    return list(found)
