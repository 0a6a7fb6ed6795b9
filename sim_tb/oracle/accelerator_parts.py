"""Parts of the accelerator as plain models."""

from collections.abc import Mapping

from sim_tb.oracle.cycles import Model, Word
from sim_tb.oracle.requantization import wrapped

COUNTS = 3
COUNT_BITS = 16


class EndedModel(Model):
    """Counts that wrap: one is reached if it is less than half of the way around ahead."""

    def __init__(self) -> None:
        self.have_ended = 0

    def outputs(self, given: Mapping[str, int]) -> Word:
        """What was asked in the cycle before."""
        return {"have_ended": self.have_ended}

    def step(self, given: Mapping[str, int]) -> None:
        """All of them must be reached."""
        around = 1 << COUNT_BITS
        ahead = (
            (given[f"ended_{index}"] - (given["waits"] >> COUNT_BITS * index)) % around
            for index in range(COUNTS)
        )
        self.have_ended = int(all(own < around // 2 for own in ahead))


class VectorLaneModel(Model):
    """A sum as int32; nothing is known of it before its first operand."""

    def __init__(self, multiplies: bool):
        self.multiplies = multiplies
        self.sum: int | None = None

    def outputs(self, given: Mapping[str, int]) -> Word:
        """As far as it has come."""
        return {} if self.sum is None else {"sum": self.sum % (1 << 32)}

    def step(self, given: Mapping[str, int]) -> None:
        """An operand comes."""
        if not given["enable"] or (self.sum is None and not given["first"]):
            return
        operand, weight = given["operand"], given["weight"]
        if not self.multiplies:
            weight %= 2
        before = None if given["first"] else self.sum
        if given["maximum"]:
            self.sum = operand if before is None else max(before, operand)
        elif given["product"]:
            self.sum = operand if before is None else before * operand
        else:
            self.sum = wrapped((before or 0) + operand * weight)
