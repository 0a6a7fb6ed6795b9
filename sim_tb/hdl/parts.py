"""Parts of the engine in Amaranth's own simulator, against their models."""

from collections.abc import Sequence

from sim_tb.hdl.part_cases import CASES
from sim_tb.hdl.pysim import Word, clock
from sim_tb.oracle.cycles import Cycle, LowBits


def run_part(name: str, cycles: Sequence[Cycle]) -> list[Word]:
    """The outputs of a part in each cycle."""
    return clock(CASES[name].component(), [own.given for own in cycles])


def compare(name: str, seed: int, cycles: Sequence[Cycle], outputs: Sequence[Word]) -> int:
    """The number of outputs that are what they must be: all of them."""
    for number, (own, found) in enumerate(zip(cycles, outputs, strict=True)):
        got = {port: _meant(found[port], must_be) for port, must_be in own.expected.items()}
        assert got == own.expected, f"{name}, seed {seed}, cycle {number} of {own.given}"
    return sum(len(own.expected) for own in cycles)


def _meant(found: int, must_be: int) -> int:
    """What of an output means something."""
    return found & (1 << must_be.bits) - 1 if isinstance(must_be, LowBits) else found


def ports_of(cycles: Sequence[Cycle], outputs: Sequence[Word]) -> list[Word]:
    """All ports in each cycle."""
    return [own.given | found for own, found in zip(cycles, outputs, strict=True)]
