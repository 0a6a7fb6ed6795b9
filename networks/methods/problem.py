"""What a method is given, and what it hands back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.progress import Progress

from networks.methods.objective import Objective
from networks.methods.observation import Observation
from networks.quantization.clips import Clips


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, what was seen of it, and the loss that counts."""

    objective: Objective
    observation: Observation

    @property
    def calibrated(self) -> Clips:
        """The calibrated ranges, and all of the weights."""
        return Clips(self.observation.ranges)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The clips that a method found, their loss, and how it came to them.

    ``starts`` are the clips that were compared first: what they are, and their loss. ``trace`` is
    the least loss so far, after each step of the search: it never rises. ``decided`` is all else
    that the method says of itself.
    """

    clips: Clips
    loss: float
    starts: Sequence[Mapping[str, Any]]
    trace: Sequence[float] = ()
    decided: Mapping[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """From a problem to clips."""

    def __call__(self, problem: Problem, progress: Progress) -> Outcome:
        """The clips that the method finds; the same for the same problem, on every machine."""
