"""Components cycle by cycle: what they are given, and what a plain model answers."""

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Word = dict[str, int]
"""Values of ports by name."""


class Model(ABC):
    """What a component must do, in plain Python. A new one is as after a reset."""

    is_empty = True
    """Nothing that was taken is still to be given."""

    @abstractmethod
    def outputs(self, given: Mapping[str, int]) -> Word:
        """Outputs in this cycle; what has no meaning in it is left out."""

    @abstractmethod
    def step(self, given: Mapping[str, int]) -> None:
        """The cycle ends."""


class Agent(ABC):
    """Something around a component: it drives some of the inputs."""

    is_done = True
    """It has nothing more to do."""

    @abstractmethod
    def inputs(self, model: Any, rng: random.Random) -> Word:
        """Its inputs in this cycle, of the component as its model is."""

    def observe(self, ports: Mapping[str, int]) -> None:
        """All inputs and outputs of the cycle."""
        return


class Source(Agent):
    """Offers words, each until it is taken, with random gaps.

    Parameters
    ----------
    words : sequence
        Of each word the ports that carry it, by name.
    valid : str
        The port that says that a word is offered.
    ready : sequence of str
        Ports: all are 1 where it is taken.
    stall : float
        How often a cycle passes before the next word is offered.
    endless : bool
        Begin again behind the last word.
    """

    def __init__(
        self,
        words: Sequence[Word],
        valid: str,
        ready: Sequence[str],
        stall: float,
        endless: bool = False,
    ):
        self.words = words
        self.valid = valid
        self.ready = ready
        self.stall = stall
        self.endless = endless
        self.place = 0
        self._offers = False

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All were taken."""
        return self.endless or self.place == len(self.words)

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """Where none is offered the ports carry any other word."""
        ends = self.place == len(self.words)
        self._offers |= not ends and rng.random() >= self.stall
        word = self.words[self.place] if self._offers else rng.choice(self.words)
        return {self.valid: int(self._offers), **word}

    def observe(self, ports: Mapping[str, int]) -> None:
        """What was taken."""
        if ports[self.valid] and all(ports[name] for name in self.ready):
            self.place += 1
            self._offers = False
            if self.endless:
                self.place %= len(self.words)


class Chance(Agent):
    """Inputs that are 1 at random, each as often as it says."""

    def __init__(self, **often: float):
        self.often = often

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """Independent of each other."""
        return {name: int(rng.random() < own) for name, own in self.often.items()}


class Fixed(Agent):
    """Inputs that stay."""

    def __init__(self, **values: int):
        self.values = values

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """The same in every cycle."""
        return self.values


class Script(Agent):
    """Inputs by cycle; when they are over, 0."""

    def __init__(self, words: Sequence[Word]):
        self.words = deque(words)
        self._names = sorted({name for own in words for name in own})

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All were given."""
        return not self.words

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """The next ones."""
        return self.words.popleft() if self.words else dict.fromkeys(self._names, 0)


class Series(Agent):
    """Groups of agents, one after the other; a reset ends a group, as if it had done all it has.

    When all are over its inputs are 0.
    """

    def __init__(self, groups: Sequence[Sequence[Agent]]):
        self.groups = deque(groups)
        self._names: set[str] = set()

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """No group is left."""
        return not self.groups

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """Those of the present group."""
        if not self.groups:
            return dict.fromkeys(self._names, 0)
        given: Word = {}
        for own in self.groups[0]:
            given |= own.inputs(model, rng)
        self._names |= given.keys()
        return given

    def observe(self, ports: Mapping[str, int]) -> None:
        """The next group, if this one is over."""
        if not self.groups:
            return
        for own in self.groups[0]:
            own.observe(ports)
        if ports["rst"] or all(own.is_done for own in self.groups[0]):
            self.groups.popleft()


class Until(Chance):
    """Takes words of a stream, with random gaps, until there were so many.

    Parameters
    ----------
    prefix : str
        Of the ports of the stream.
    count : int
        Words.
    stall : float
        How often nothing is taken.
    """

    def __init__(self, prefix: str, count: int, stall: float):
        super().__init__(**{f"{prefix}_ready": 1 - stall})
        self.prefix = prefix
        self.left = count

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """All were."""
        return self.left <= 0

    def observe(self, ports: Mapping[str, int]) -> None:
        """One is taken."""
        self.left -= bool(ports[f"{self.prefix}_valid"] and ports[f"{self.prefix}_ready"])


class After(Agent):
    """An agent that waits for some cycles."""

    def __init__(self, cycles: int, then: Agent):
        self.left = cycles
        self.then = then

    @property
    def is_done(self) -> bool:  # type: ignore[override]  # it was True
        """The other one is."""
        return self.then.is_done

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """None at first."""
        self.left -= 1
        return {} if self.left >= 0 else self.then.inputs(model, rng)

    def observe(self, ports: Mapping[str, int]) -> None:
        """What the other one does."""
        if self.left < 0:
            self.then.observe(ports)


class LowBits(int):
    """What an output must be, of which so many low bits mean something."""

    bits: int

    def __new__(cls, value: int, bits: int) -> "LowBits":
        """Those of ``value``."""
        self = super().__new__(cls, value & (1 << bits) - 1)
        self.bits = bits
        return self


class Cycle(NamedTuple):
    """Inputs of a cycle, and what the outputs must be."""

    given: Word
    expected: Word


IDLE = 12
"""Cycles behind the last word, in which no other one may come."""


def script(
    make: Callable[[], Model], agents: Sequence[Agent], rng: random.Random, resets: float = 0
) -> list[Cycle]:
    """Cycles until all that was taken has left, and some more; in some of them a reset.

    What was taken before a reset is lost; sources go on with what they offer.
    """
    model = make()
    cycles: list[Cycle] = []
    left = IDLE
    while left:
        given = {"rst": int(rng.random() < resets)}
        for own in agents:
            given |= own.inputs(model, rng)
        expected = model.outputs(given)
        cycles.append(Cycle(given, expected))
        for own in agents:
            own.observe(given | expected)
        if given["rst"]:
            model = make()
        else:
            model.step(given)
        is_over = model.is_empty and all(own.is_done for own in agents)
        left = left - 1 if is_over else IDLE
        assert len(cycles) < 100_000, "the model is stuck"
    return cycles


class Talk:
    """Agents around a component, until none has more to do, and some cycles more.

    In each cycle they give its :meth:`inputs`, and then :meth:`observe` its outputs.
    """

    MOST_CYCLES = 20_000

    def __init__(self, agents: Sequence[Agent], rng: random.Random):
        self.agents = agents
        self.rng = rng
        self.cycles: list[Word] = []
        """All ports in each cycle so far."""
        self._left = IDLE

    @property
    def is_over(self) -> bool:
        """Nothing more is to be given."""
        return not self._left

    def inputs(self) -> Word:
        """Those of the next cycle; not all of them are named."""
        given: Word = {"rst": 0}
        for own in self.agents:
            given |= own.inputs(None, self.rng)
        self.cycles.append(given)
        return given

    def observe(self, outputs: Word) -> None:
        """The outputs beside them."""
        self.cycles[-1] |= outputs
        for own in self.agents:
            own.observe(self.cycles[-1])
        self._left = self._left - 1 if all(own.is_done for own in self.agents) else IDLE
        assert len(self.cycles) < self.MOST_CYCLES, "the component is stuck"


@dataclass(frozen=True)
class Conversation:
    """What agents do around a component; ``check`` fails if it has done anything wrong, and counts
    what it has compared.
    """

    agents: Sequence[Agent]
    check: Callable[[Sequence[Word]], int]
    seed: int

    def talk(self) -> Talk:
        """Once."""
        return Talk(self.agents, random.Random(self.seed))


def moved(ports: Sequence[Mapping[str, int]], prefix: str, *names: str) -> list[Any]:
    """The words of a stream, by its ports in each cycle: of each its values of these names."""
    words = [
        tuple(own[name] for name in names)
        for own in ports
        if own[f"{prefix}_valid"] and own[f"{prefix}_ready"] and not own["rst"]
    ]
    return [word[0] for word in words] if len(names) == 1 else words
