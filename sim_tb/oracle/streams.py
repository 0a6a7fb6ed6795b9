"""Queues, registers and adapters of streams as plain models."""

from collections import deque
from collections.abc import Mapping

from sim_tb.oracle.cycles import Model, Word


class QueueModel(Model):
    """Words wait in order; the first of them is offered a cycle after it could be.

    Parameters
    ----------
    depth : int
        Words that it holds, the one that is offered among them.
    """

    def __init__(self, depth: int):
        self.depth = depth
        self.waiting: deque[int] = deque()
        self.offered: int | None = None

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """No word is held."""
        return self.offered is None and not self.waiting

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The word that is offered, and whether another one may wait."""
        ready = {"in_ready": int(len(self.waiting) < self.depth - 1)}
        if self.offered is None:
            return {**ready, "out_valid": 0}
        return {**ready, "out_valid": 1, "out_data": self.offered}

    def step(self, given: Mapping[str, int]) -> None:
        """One leaves, the next one is offered, one comes."""
        takes = given["in_valid"] and len(self.waiting) < self.depth - 1
        if given["out_ready"]:
            self.offered = None
        if self.offered is None and self.waiting:
            self.offered = self.waiting.popleft()
        if takes:
            self.waiting.append(given["in_data"])


class RegisterModel(Model):
    """Up to two words; the older one is offered."""

    def __init__(self) -> None:
        self.words: deque[int] = deque()

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """No word is held."""
        return not self.words

    def outputs(self, given: Mapping[str, int]) -> Word:
        """Both sides depend on what it holds alone."""
        out = {"in_ready": int(len(self.words) < 2), "out_valid": int(bool(self.words))}
        return {**out, "out_data": self.words[0]} if self.words else out

    def step(self, given: Mapping[str, int]) -> None:
        """One leaves, one comes."""
        takes = given["in_valid"] and len(self.words) < 2
        if self.words and given["out_ready"]:
            self.words.popleft()
        if takes:
            self.words.append(given["in_data"])


class UpsizerModel(Model):
    """All but the last word of each group are held."""

    def __init__(self, width: int, beats: int):
        self.width = width
        self.beats = beats
        self.held: list[int] = []

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The last one passes."""
        if len(self.held) < self.beats - 1:
            return {"in_ready": 1, "out_valid": 0}
        out = {"in_ready": given["out_ready"], "out_valid": given["in_valid"]}
        words = enumerate([*self.held, given["in_data"]])
        data = sum(word << self.width * place for place, word in words)
        return {**out, "out_data": data} if given["in_valid"] else out

    def step(self, given: Mapping[str, int]) -> None:
        """A word comes."""
        if given["in_valid"] and self.outputs(given)["in_ready"]:
            self.held.append(given["in_data"])
            if len(self.held) == self.beats:
                self.held = []


class DownsizerModel(Model):
    """The word that is offered, part by part."""

    def __init__(self, width: int, beats: int):
        self.width = width
        self.beats = beats
        self.beat = 0

    def outputs(self, given: Mapping[str, int]) -> Word:
        """It is taken with its last part."""
        ends = self.beat == self.beats - 1
        out = {"in_ready": int(ends and given["out_ready"]), "out_valid": given["in_valid"]}
        if not given["in_valid"]:
            return out
        part = given["in_data"] >> self.width * self.beat & (1 << self.width) - 1
        return {**out, "out_data": part, "out_last": int(ends and given["in_last"])}

    def step(self, given: Mapping[str, int]) -> None:
        """A part goes."""
        if given["in_valid"] and given["out_ready"]:
            self.beat = (self.beat + 1) % self.beats


class NarrowingGearboxModel(Model):
    """Bits, which leave as soon as there are as many as a word has."""

    def __init__(self, in_width: int, out_width: int):
        self.in_width = in_width
        self.out_width = out_width
        self.bits: list[int] = []

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """No whole word is held."""
        return len(self.bits) < self.out_width

    def _bits(self, given: Mapping[str, int]) -> list[int]:
        """What is held, and what comes if that is less than a word."""
        if not self.is_empty or not given["in_valid"]:
            return self.bits
        return self.bits + [given["in_data"] >> place & 1 for place in range(self.in_width)]

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The first bits."""
        bits = self._bits(given)
        out = {"out_valid": int(len(bits) >= self.out_width)}
        out["in_ready"] = int(self.is_empty and given["out_ready"])
        if out["out_valid"]:
            out["out_data"] = sum(bit << n for n, bit in enumerate(bits[: self.out_width]))
        return out

    def step(self, given: Mapping[str, int]) -> None:
        """A word leaves."""
        bits = self._bits(given)
        if given["out_ready"] and len(bits) >= self.out_width:
            self.bits = bits[self.out_width :]


class GearboxModel(Model):
    """Bits of a packet, which leave when they fill a word, or when it is over."""

    def __init__(self, in_width: int, out_width: int):
        self.in_width = in_width
        self.out_width = out_width
        self.bits: list[int] = []
        self.was_taken = False
        """The bits of the word that is offered are among those held: one of two words has left."""

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """Nothing is held."""
        return not self.bits

    def _with_next(self, given: Mapping[str, int]) -> list[int]:
        if self.was_taken:
            return self.bits
        return self.bits + [given["in_data"] >> place & 1 for place in range(self.in_width)]

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The first bits of what is held and what comes."""
        bits = self._with_next(given)
        if len(bits) < self.out_width and not given["in_last"]:
            return {"in_ready": 1, "out_valid": 0} if given["in_valid"] else {"out_valid": 0}
        is_last = given["in_last"] and len(bits) <= self.out_width
        if not given["in_valid"]:
            return {"out_valid": 0}
        takes = given["out_ready"] and (is_last or not given["in_last"])
        data = sum(bit << place for place, bit in enumerate(bits[: self.out_width]))
        return {
            **{"in_ready": int(takes), "out_valid": 1},
            **{"out_data": data, "out_last": int(is_last)},
        }

    def step(self, given: Mapping[str, int]) -> None:
        """A word comes, and perhaps one leaves."""
        out = self.outputs(given)
        if not given["in_valid"]:
            return
        if out["out_valid"] and given["out_ready"]:
            self.bits = self._with_next(given)[self.out_width :]
            self.was_taken = not out["in_ready"]
        elif out["in_ready"]:
            self.bits = self._with_next(given)
