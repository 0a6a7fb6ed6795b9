"""A part with what it is given: what all of them share."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from hdl.placement import Component
from sim_tb.oracle.cycles import Agent, Cycle, Model, script

STALLS = (0, 0.2, 0.5, 0.9)
"""How often a cycle passes before a word is offered, or in which none is taken."""

Random = random.Random


@dataclass(frozen=True)
class PartCase:
    """A part, its model, and what is around it, for two rates of stalls: before and after it."""

    component: Callable[[], Component]
    model: Callable[[], Model]
    agents: Callable[[Random, float, float], list[Agent]]

    def cycles(self, seed: int, before: float, after: float, resets: float = 0) -> list[Cycle]:
        """The inputs of each cycle, and what the outputs must be."""
        rng = Random(seed)
        return script(self.model, self.agents(rng, before, after), rng, resets)


def words(rng: Random, bits: int, count: int) -> list[int]:
    """Random words, some of them of equal bits."""
    ends = (0, (1 << bits) - 1)
    return [rng.choice((*[rng.getrandbits(bits)] * 6, *ends)) for _ in range(count)]
